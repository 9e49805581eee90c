"""LocalIssuer: an Entra tenant in one object. NOT FOR PRODUCTION."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from tokenward import validation
from tokenward.entra import DATABRICKS_RESOURCE, PUBLIC, Cloud, Version
from tokenward.testing import documents
from tokenward.testing.claims import (
    AZURE_CLI,
    DEFAULT_CLIENT_ID,
    DEFAULT_TENANT,
    Stamp,
    app_claims,
    guest_claims,
    id_token_claims,
    user_claims,
)
from tokenward.testing.keys import JWKS, SigningKey
from tokenward.testing.oidc import OidcIssuer
from tokenward.testing.publisher import Publisher
from tokenward.testing.tokens import overridden

LIFETIME = 3600.0
"""Seconds; Entra's own are 60 to 90 minutes."""


class LocalIssuer(Publisher):
    """Mints tokens and publishes keys in Entra's shapes, in process or behind an `IssuerServer`. Not for production.

    tenant     whose tokens it mints (GUID)
    client_id  the API that the tokens are for (GUID)
    clock      epoch seconds, for the times in tokens
    new_key    makes its keys; share one maker among tests to save the time of RSA keys

    Every method that mints takes these, too:
    audience      `aud`; by default the client id in v2, `api://` and the client id in v1
    tenant        another tenant, in `tid` and `iss`
    lifetime      seconds from `now`, which is the clock's time by default; negative for a token that has expired
    claims,       overrides; a value of ABSENT leaves the member out, None is JSON null
      header
    key,          who signs, and how; see `mint`
      algorithm

    Raises PolicyError for a tenant or client id that is not a GUID, and for a version that is neither "1.0" nor "2.0".
    """

    def __init__(
        self,
        tenant: str = DEFAULT_TENANT,
        *,
        client_id: str = DEFAULT_CLIENT_ID,
        clock: Callable[[], float] = time.time,
        new_key: Callable[[], SigningKey] = SigningKey.generate,
    ) -> None:
        super().__init__(PUBLIC.authority, clock=clock, new_key=new_key)
        self.tenant = validation.tenant("tenant", tenant)
        self.client_id = validation.guid("client_id", client_id, "Give any GUID.")

    @staticmethod
    def oidc(
        url: str = "https://idp.example/",
        *,
        clock: Callable[[], float] = time.time,
        new_key: Callable[[], SigningKey] = SigningKey.generate,
    ) -> OidcIssuer:
        """An issuer that is not Entra: OpenID Connect Discovery, and access tokens by RFC 9068."""
        return OidcIssuer(url, clock=clock, new_key=new_key)

    @property
    def cloud(self) -> Cloud:
        """An Entra cloud with Entra's own issuers, whose metadata is here."""
        return replace(PUBLIC, authority=self.origin)

    def user_token(
        self,
        version: Version = "2.0",
        *,
        audience: str | None = None,
        scopes: Sequence[str] = ("access_as_user",),
        tenant: str | None = None,
        lifetime: float = LIFETIME,
        now: float | None = None,
        claims: Mapping[str, object] | None = None,
        header: Mapping[str, object] | None = None,
        key: SigningKey | None = None,
        algorithm: str | None = None,
    ) -> str:
        """A member of the tenant, through an application with these delegated scopes."""
        stamp = self._stamp(version, audience, tenant, lifetime, now)
        return self._signed(version, user_claims(stamp, scopes), claims, header, key, algorithm)

    def guest_token(
        self,
        version: Version = "2.0",
        *,
        audience: str | None = None,
        scopes: Sequence[str] = ("access_as_user",),
        tenant: str | None = None,
        lifetime: float = LIFETIME,
        now: float | None = None,
        claims: Mapping[str, object] | None = None,
        header: Mapping[str, object] | None = None,
        key: SigningKey | None = None,
        algorithm: str | None = None,
    ) -> str:
        """A guest: of this tenant by `tid`, of another by `idp`, and with `acct` 1."""
        stamp = self._stamp(version, audience, tenant, lifetime, now)
        return self._signed(version, guest_claims(stamp, scopes), claims, header, key, algorithm)

    def app_token(
        self,
        version: Version = "2.0",
        *,
        audience: str | None = None,
        roles: Sequence[str] = ("Jobs.Run",),
        tenant: str | None = None,
        lifetime: float = LIFETIME,
        now: float | None = None,
        claims: Mapping[str, object] | None = None,
        header: Mapping[str, object] | None = None,
        key: SigningKey | None = None,
        algorithm: str | None = None,
    ) -> str:
        """An application in its own name, with these application roles."""
        stamp = self._stamp(version, audience, tenant, lifetime, now)
        return self._signed(version, app_claims(stamp, roles), claims, header, key, algorithm)

    def id_token(
        self,
        version: Version = "2.0",
        *,
        audience: str | None = None,
        tenant: str | None = None,
        lifetime: float = LIFETIME,
        now: float | None = None,
        claims: Mapping[str, object] | None = None,
        header: Mapping[str, object] | None = None,
        key: SigningKey | None = None,
        algorithm: str | None = None,
    ) -> str:
        """An ID token, which is no access token: its audience is the client id in either version."""
        stamp = self._stamp(version, audience or self.client_id, tenant, lifetime, now)
        return self._signed(version, id_token_claims(stamp), claims, header, key, algorithm)

    def databricks_token(
        self,
        *,
        tenant: str | None = None,
        lifetime: float = LIFETIME,
        now: float | None = None,
        claims: Mapping[str, object] | None = None,
        header: Mapping[str, object] | None = None,
        key: SigningKey | None = None,
        algorithm: str | None = None,
    ) -> str:
        """A user's token for Azure Databricks: v1, for the AzureDatabricks application, through the Azure CLI."""
        stamp = self._stamp("1.0", DATABRICKS_RESOURCE, tenant, lifetime, now)
        members = user_claims(stamp, ["user_impersonation"], AZURE_CLI)
        return self._signed("1.0", members, claims, header, key, algorithm)

    def jwks(self, version: Version = "2.0", tenant_specific: bool = False) -> JWKS:
        """The JWKS: this tenant's, or the one of all tenants, in which "{tenantid}" stands for the tenant."""
        return documents.key_set(self.published(), version, self.tenant if tenant_specific else "common")

    def metadata(self, version: Version = "2.0", tenant: str = "common") -> dict[str, object]:
        """The discovery document of a tenant, or of "common" or "organizations"."""
        return documents.metadata(self.origin, version, tenant)

    def document(self, path: str) -> Mapping[str, object] | None:
        """The document at one of Entra's paths. Every tenant id is answered, as if each existed."""
        asked = documents.asked_for(path)
        if asked is None:
            return None
        kind, version, tenant = asked
        if kind == "metadata":
            return self.metadata(version, tenant)
        return documents.key_set(self.published(), version, tenant)

    def _stamp(self, version: Version, audience: str | None, tenant: str | None, lifetime: float, now: float | None) -> Stamp:
        validation.choices("version", [version], ("1.0", "2.0"))
        starts = self.now(now)
        own = self.client_id if version == "2.0" else f"api://{self.client_id}"
        return Stamp(version, tenant or self.tenant, audience or own, starts, int(starts + lifetime))

    def _signed(
        self,
        version: Version,
        members: Mapping[str, object],
        claims: Mapping[str, object] | None,
        header: Mapping[str, object] | None,
        key: SigningKey | None,
        algorithm: str | None,
    ) -> str:
        legacy = {"x5t": (key or self.signing_key).kid} if version == "1.0" else {}
        return self.mint(overridden(members, claims), header={**legacy, **(header or {})}, key=key, algorithm=algorithm)
