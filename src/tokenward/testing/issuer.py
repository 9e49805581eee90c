"""LocalIssuer: an Entra tenant in one object. NOT FOR PRODUCTION."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Unpack

from tokenward import validation
from tokenward.entra import DATABRICKS_RESOURCE, PUBLIC, US_GOV, Cloud, Version
from tokenward.errors import PolicyError
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
from tokenward.testing.keys import JWKS
from tokenward.testing.oidc import OidcIssuer
from tokenward.testing.options import LIFETIME, EntraMinting, Holding, require_known
from tokenward.testing.publisher import Publisher
from tokenward.testing.tokens import overridden


class LocalIssuer(Publisher):
    """Mints tokens and publishes keys in Entra's shapes, in process or behind an `IssuerServer`. Not for production.

    tenant     whose tokens it mints (GUID)
    client_id  the API that the tokens are for (GUID)
    cloud      whose issuers and documents it has: `entra.PUBLIC`, `US_GOV`, `CHINA`, or one of your own
    clock,     epoch seconds, for the times in tokens; what makes its keys (share one maker among tests to save the time of
      new_key,   RSA keys); keys to begin with, such as those of an issuer that it replaces
      keys

    Every method that mints takes the arguments of `options.EntraMinting`, too: `tenant`, `lifetime`, `now`, `claims`, `header`,
    `key`, `algorithm`. `audience` is by default the client id in v2, `api://` and the client id in v1.

    Raises PolicyError for a tenant or client id that is not a GUID, and for a version that is neither "1.0" nor "2.0".
    """

    def __init__(
        self,
        tenant: str = DEFAULT_TENANT,
        *,
        client_id: str = DEFAULT_CLIENT_ID,
        cloud: Cloud = PUBLIC,
        **holding: Unpack[Holding],
    ) -> None:
        if not isinstance(cloud, Cloud):
            raise PolicyError("cloud", "it is not a Cloud", "Take entra.PUBLIC, entra.US_GOV or entra.CHINA.")
        super().__init__(cloud.authority, **holding)
        self.tenant = validation.tenant("tenant", tenant)
        self.client_id = validation.guid("client_id", client_id, "Give any GUID.")
        self._cloud = cloud
        self.other_cloud = str((PUBLIC if cloud.instance_name == US_GOV.instance_name else US_GOV).instance_name)

    @staticmethod
    def oidc(url: str = "https://idp.example/", **holding: Unpack[Holding]) -> OidcIssuer:
        """An issuer that is not Entra: OpenID Connect Discovery, and access tokens by RFC 9068."""
        return OidcIssuer(url, **holding)

    @property
    def cloud(self) -> Cloud:
        """Its cloud with Entra's own issuers, whose metadata is here; for the `cloud` of a policy."""
        return replace(self._cloud, authority=self.origin)

    def user_token(
        self,
        version: Version = "2.0",
        *,
        audience: str | None = None,
        scopes: Sequence[str] = ("access_as_user",),
        roles: Sequence[str] = (),
        **minting: Unpack[EntraMinting],
    ) -> str:
        """A member of the tenant with these application roles, through an application with these delegated scopes."""
        stamp = self._stamp(version, audience, minting)
        return self._signed(stamp, user_claims(stamp, scopes, roles), minting)

    def guest_token(
        self,
        version: Version = "2.0",
        *,
        audience: str | None = None,
        scopes: Sequence[str] = ("access_as_user",),
        roles: Sequence[str] = (),
        **minting: Unpack[EntraMinting],
    ) -> str:
        """A guest: of this tenant by `tid`, of another by `idp`, and with `acct` 1."""
        stamp = self._stamp(version, audience, minting)
        return self._signed(stamp, guest_claims(stamp, scopes, roles), minting)

    def app_token(
        self,
        version: Version = "2.0",
        *,
        audience: str | None = None,
        roles: Sequence[str] = ("Jobs.Run",),
        **minting: Unpack[EntraMinting],
    ) -> str:
        """An application in its own name, with these application roles."""
        stamp = self._stamp(version, audience, minting)
        return self._signed(stamp, app_claims(stamp, roles), minting)

    def id_token(self, version: Version = "2.0", *, audience: str | None = None, **minting: Unpack[EntraMinting]) -> str:
        """An ID token, which is no access token: its audience is the client id in either version."""
        stamp = self._stamp(version, audience or self.client_id, minting)
        return self._signed(stamp, id_token_claims(stamp), minting)

    def databricks_token(self, **minting: Unpack[EntraMinting]) -> str:
        """A user's token for Azure Databricks: v1, for the AzureDatabricks application, through the Azure CLI."""
        stamp = self._stamp("1.0", DATABRICKS_RESOURCE, minting)
        return self._signed(stamp, user_claims(stamp, ["user_impersonation"], client=AZURE_CLI), minting)

    def jwks(self, version: Version = "2.0", tenant_specific: bool = False) -> JWKS:
        """The JWKS: this tenant's, or the one of all tenants, in which "{tenantid}" stands for the tenant."""
        return self._key_set(version, self.tenant if tenant_specific else "common")

    def metadata(self, version: Version = "2.0", tenant: str = "common") -> dict[str, object]:
        """The discovery document of a tenant, or of "common" or "organizations"."""
        return documents.metadata(self.cloud, version, tenant)

    def document(self, path: str) -> Mapping[str, object] | None:
        """The document at one of Entra's paths. Every tenant id is answered, as if each existed."""
        asked = documents.asked_for(path)
        if asked is None:
            return None
        kind, version, tenant = asked
        return self.metadata(version, tenant) if kind == "metadata" else self._key_set(version, tenant)

    def _key_set(self, version: Version, tenant: str) -> JWKS:
        return documents.key_set(self.published(), self._cloud, version, tenant)

    def _stamp(self, version: Version, audience: str | None, minting: EntraMinting) -> Stamp:
        require_known(minting, EntraMinting)
        validation.choices("version", [version], ("1.0", "2.0"))
        starts = self.now(minting.get("now"))
        ends = int(starts + minting.get("lifetime", LIFETIME))
        own = self.client_id if version == "2.0" else f"api://{self.client_id}"
        return Stamp(self._cloud, version, minting.get("tenant") or self.tenant, audience or own, starts, ends)

    def _signed(self, stamp: Stamp, members: Mapping[str, object], minting: EntraMinting) -> str:
        key = minting.get("key")
        legacy = {"x5t": (key or self.signing_key).kid} if stamp.version == "1.0" else {}
        header = {**legacy, **(minting.get("header") or {})}
        return self.mint(overridden(members, minting.get("claims")), header=header, key=key, algorithm=minting.get("algorithm"))
