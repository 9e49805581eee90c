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
    claim, name = _known_as(identity)
    if name is not None and name.casefold() != user.user_name.casefold():
        raise UserNotInWorkspace("the token is another principal's of the workspace, and not the caller's", claim=claim)
    return user


def _known_as(identity: Identity) -> tuple[str, str | None]:
    """The claim by which Azure Databricks knows the bearer of an Entra token, and its value; None where nothing can be compared.

    Guests are known there by their e-mail at home, which no claim of theirs need hold.
    """
    name = identity.claims.get("unique_name")
    if isinstance(name, str):
        return "unique_name", None if GUEST_MARK in name else name
    application = identity.claims.get("appid")
    return "appid", application if identity.kind == "app" and isinstance(application, str) else None
