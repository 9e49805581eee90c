"""Entra's token claims and documents, with invented people in them.

Sources: learn.microsoft.com/entra/identity-platform/access-token-claims-reference, /optional-claims-reference,
/id-token-claims-reference and /v2-protocols-oidc; recorded documents of the public cloud.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from tokenward import validation
from tokenward.entra import Cloud, Version

DEFAULT_TENANT = "72f988bf-86f1-41af-91ab-2d7cd011db47"
DEFAULT_CLIENT_ID = "8f7a2c1e-3d54-4b6f-9a0c-5e1d2b3c4f60"
"""The API that the tokens are for."""
DEFAULT_CALLER = "b0f2f9c3-7a61-4e0d-8d35-1c9e6a4b2d70"
"""The application that calls: `appid` in v1, `azp` in v2."""
HOME_TENANT = "9f1c5a27-0b8e-4c63-a7d2-64e3b8f01c95"
"""Where guests come from."""
AZURE_CLI = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"
"""Microsoft's own command line client, by which users usually get Databricks tokens."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """What every token of one issue has: its cloud, version, tenant, audience, and whole seconds from when to when."""

    cloud: Cloud
    version: Version
    tenant: str
    audience: str
    starts: int
    ends: int

    @property
    def issuer(self) -> str:
        return issuer_of(self.cloud, self.version, self.tenant)


def issuer_of(cloud: Cloud, version: Version, tenant: str) -> str:
    """`iss` in this cloud; with "{tenantid}" it is the template of the tenant-independent documents."""
    template = cloud.v1_issuer if version == "1.0" else cloud.v2_issuer
    return template.replace("{tenantid}", tenant)


def user_claims(
    stamp: Stamp, scopes: Sequence[str], roles: Sequence[str] = (), client: str = DEFAULT_CALLER
) -> dict[str, object]:
    """A member of the tenant, who called through an application; `roles` are the application roles assigned to the person."""
    person = _person_v1() if stamp.version == "1.0" else _person_v2()
    granted = {**_granted("scp", scopes), **_granted("roles", roles)}
    return {**_common(stamp), **_client(stamp.version, client, "0"), **person, **granted}


def guest_claims(stamp: Stamp, scopes: Sequence[str], roles: Sequence[str] = ()) -> dict[str, object]:
    """Somebody of another tenant who was invited: `tid` is the host's, `idp` and `acct` tell. A guest's upn has #EXT#."""
    name = "gil.guest_home.example#EXT#@contoso.example"
    shown = {"unique_name": name, "upn": name} if stamp.version == "1.0" else {"preferred_username": "gil.guest@home.example"}
    guest = {"acct": 1, "idp": issuer_of(stamp.cloud, "1.0", HOME_TENANT), "email": "gil.guest@home.example", "name": "Gil Guest"}
    return {**user_claims(stamp, scopes, roles), **guest, **shown}


def app_claims(stamp: Stamp, roles: Sequence[str]) -> dict[str, object]:
    """An application in its own name: no `scp`, `oid` and `sub` are the service principal's."""
    principal = "5d3c7e90-12f4-4b8a-9c6e-7a0b1d2e3f41"
    idp = {"idp": stamp.issuer} if stamp.version == "1.0" else {}
    who = {"oid": principal, "sub": principal, "idtyp": "app"}
    return {**_common(stamp), **idp, **_client(stamp.version, DEFAULT_CALLER, "1"), **who, **_granted("roles", roles)}


def id_token_claims(stamp: Stamp) -> dict[str, object]:
    """An ID token: for the application itself, with its nonce, and naming no calling application."""
    person = _person_v1() if stamp.version == "1.0" else _person_v2()
    return {**_common(stamp), **person, "nonce": secrets.token_urlsafe(16)}


def _common(stamp: Stamp) -> dict[str, object]:
    return {
        "aud": stamp.audience,
        "iss": stamp.issuer,
        "iat": stamp.starts,
        "nbf": stamp.starts,
        "exp": stamp.ends,
        "aio": secrets.token_urlsafe(60),
        "rh": f"1.{secrets.token_urlsafe(30)}.",
        "tid": stamp.tenant,
        "uti": secrets.token_urlsafe(16),
        "ver": stamp.version,
    }


def _granted(name: str, words: Sequence[str]) -> dict[str, object]:
    """`scp` is one string, `roles` a list; nothing granted is no claim at all."""
    listed = validation.texts(name, words, "['access_as_user']", empty=True)
    if not listed:
        return {}
    return {name: " ".join(listed) if name == "scp" else list(listed)}


def _client(version: Version, client: str, strength: str) -> dict[str, object]:
    """`strength`: "0" for a public client, "1" for a secret, "2" for a certificate."""
    return {"appid": client, "appidacr": strength} if version == "1.0" else {"azp": client, "azpacr": strength}


_PERSON = {
    "name": "Ada Example",
    "oid": "3a7e1c52-94bd-4f06-8b1e-c25d6f7a8093",
    "sub": "kR3vXq0ZbY5nWc8mJt2LhPuEoDfGs1aQi7yTzVx4NwU",
}


def _person_v1() -> dict[str, object]:
    return {
        "acr": "1",
        "amr": ["pwd", "mfa"],
        "family_name": "Example",
        "given_name": "Ada",
        "ipaddr": "203.0.113.27",
        "onprem_sid": "S-1-5-21-1004336348-1177238915-682003330-512001",
        **_PERSON,
        "puid": "10032001A2B3C4D5",
        "unique_name": "ada@contoso.example",
        "upn": "ada@contoso.example",
        "wids": ["b79fbf4d-3ef9-4689-8143-76b194e85509"],
    }


def _person_v2() -> dict[str, object]:
    return {**_PERSON, "preferred_username": "ada@contoso.example"}
