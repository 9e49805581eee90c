"""Identity: what a verified token becomes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

Kind: TypeAlias = Literal["user", "app", "unknown"]
KINDS: tuple[Kind, ...] = get_args(Kind)
Claims: TypeAlias = dict[str, Any]
"""Decoded claims: JSON values, as the issuer sent them."""


@dataclass(slots=True, repr=False)
class Identity:
    """Who called, proved by a token that passed every check.

    It says nothing of what the caller may do beyond `scopes` and `roles`, and it is no session: it is made afresh for each
    request, and `claims` is a dict of the request's own. Key data by `tenant` and `subject`; never by e-mail, `upn` or
    `unique_name` (learn.microsoft.com/entra/identity-platform/claims-validation).

    subject     the issuer's stable name for the caller (`sub`, or the issuer rule's `subject_claim`)
    issuer      `iss`, one of the policy's
    tenant      `tid`, where the issuer has tenants
    client_id   the calling application: `azp`, `appid`, `client_id` or `cid`
    kind        "user", "app", or "unknown" where the token does not say
    scopes      delegated permissions (`scp` or `scope`)
    roles       application roles (`roles`)
    expires_at  `exp`, seconds since the epoch
    """

    subject: str | None
    issuer: str
    tenant: str | None
    client_id: str | None
    kind: Kind
    scopes: frozenset[str]
    roles: frozenset[str]
    expires_at: float
    claims: Claims

    def with_claims(self, claims: Claims) -> Identity:
        """The same caller, with a dict of claims that no other request holds."""
        return Identity(
            self.subject,
            self.issuer,
            self.tenant,
            self.client_id,
            self.kind,
            self.scopes,
            self.roles,
            self.expires_at,
            claims,
        )

    def __repr__(self) -> str:
        return f"<Identity kind={self.kind} issuer={self.issuer}>"


CLIENT_CLAIMS = ("azp", "appid", "client_id", "cid")
"""Where the calling application stands, in the order in which they count."""


def client_of(claims: Mapping[str, Any]) -> str | None:
    """The calling application: `azp` (OIDC, Entra v2), `appid` (Entra v1), `client_id` (RFC 9068) or `cid` (Okta)."""
    for name in CLIENT_CLAIMS:
        client: str | None = claims.get(name)
        if client is not None:
            return client
    return None


def app_if_subject_is_client(claims: Mapping[str, Any]) -> Kind:
    """RFC 9068 section 2.2: without a resource owner, `sub` names the client. Of users it says nothing."""
    client = client_of(claims)
    return "app" if client is not None and claims.get("sub") == client else "unknown"
