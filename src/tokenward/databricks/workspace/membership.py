"""Whether the principal whom a workspace named is the caller, and may act: the end of the documented check."""

from __future__ import annotations

from tokenward.databricks.workspace.scim_me import User
from tokenward.errors import UserNotInWorkspace
from tokenward.identity import Identity

GUEST_MARK = "#"
"""In the names that Entra makes for guests (`ada_home.example#EXT#@contoso.example`, `live.com#ada@home.example`)."""


def judged(identity: Identity, user: User) -> User:
    """The user, if active and the caller's own. Raises UserNotInWorkspace."""
    if not user.active:
        raise UserNotInWorkspace("the workspace has deactivated the user", claim="active")
    claim, name = known_as(identity)
    is_own = "@" in user.user_name if GUEST_MARK in name else name.lower() == user.user_name.lower()
    if not is_own:
        raise UserNotInWorkspace("the token is another principal's of the workspace, and not the caller's", claim=claim)
    return user


def known_as(identity: Identity) -> tuple[str, str]:
    """The claim by which Databricks knows the caller, and its value.

    Of an Entra token it is `unique_name`, or an application's `appid`; of a federated one the subject, which an account's
    federation policy takes for the name of a user. Guests are known by their e-mail at home, which no claim of theirs need
    hold: of them it is only seen that the workspace names a user, and no service principal.

    Raises UserNotInWorkspace where the token names nobody: then there is nothing to compare.
    """
    named = [("unique_name", identity.claims.get("unique_name"))]
    named += [("appid", identity.client_id)] if identity.kind == "app" else []
    named += [("sub", identity.subject)]
    for claim, name in named:
        if isinstance(name, str) and name:
            return claim, name
    raise UserNotInWorkspace("the caller's token names nobody whom the workspace could know", claim="unique_name")
