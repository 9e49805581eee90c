"""Policies for Microsoft Entra ID and for Azure Databricks, in every cloud, for v1 and v2 tokens.

Sources: learn.microsoft.com/entra/identity-platform/access-tokens and /access-token-claims-reference for the claims,
/authentication-national-cloud for the hosts, and learn.microsoft.com/azure/databricks/dev-tools/troubleshoot-aad-token
for the checks that Databricks documents.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from tokenward import validation
from tokenward.errors import PolicyError
from tokenward.identity import Kind
from tokenward.issuer import Issuer
from tokenward.policy import MAX_TOKEN_BYTES, CustomCheck, Policy

DATABRICKS_RESOURCE = "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d"
"""The application id of AzureDatabricks: the same in every cloud."""

Version: TypeAlias = Literal["1.0", "2.0"]
Tenants: TypeAlias = Sequence[str] | Literal["any"]


@dataclass(frozen=True, slots=True)
class Cloud:
    """One Entra cloud: where its metadata is, and how its issuers are written.

    `authority` is where discovery happens. `instance_name` is what `cloud_instance_name` says in its keys; None takes it from
    the metadata.
    """

    authority: str
    v1_issuer: str
    v2_issuer: str
    instance_name: str | None = None


PUBLIC = Cloud(
    "https://login.microsoftonline.com",
    "https://sts.windows.net/{tenantid}/",
    "https://login.microsoftonline.com/{tenantid}/v2.0",
    "microsoftonline.com",
)
US_GOV = Cloud(
    "https://login.microsoftonline.us",
    "https://sts.windows.net/{tenantid}/",  # Microsoft's code says so; no recorded token was seen, so compare your own
    "https://login.microsoftonline.us/{tenantid}/v2.0",
    "microsoftonline.us",
)
CHINA = Cloud(
    "https://login.partner.microsoftonline.cn",
    "https://sts.chinacloudapi.cn/{tenantid}/",
    "https://login.partner.microsoftonline.cn/{tenantid}/v2.0",
)


def caller_kind(claims: Mapping[str, Any]) -> Kind:
    """What Entra says of the caller: `idtyp` where it is configured, else `scp` (user) or `roles` without it (app).

    It does not guess: a token with none of these is "unknown" (an app without roles looks like that).
    Source: learn.microsoft.com/entra/identity-platform/claims-validation
    """
    declared = claims.get("idtyp")
    if declared in ("app", "user"):
        return declared  # type: ignore[no-any-return]
    if claims.get("scp"):
        return "user"
    return "app" if claims.get("roles") else "unknown"


def databricks(
    tenant: str,
    *,
    cloud: Cloud = PUBLIC,
    versions: Sequence[Version] = ("1.0", "2.0"),
    kinds: Sequence[Kind] | None = None,
    clients: Sequence[str] | None = None,
    leeway: float = 0.0,
    max_token_bytes: int = MAX_TOKEN_BYTES,
    checks: Sequence[CustomCheck] = (),
) -> Policy:
    """The checks that Databricks documents for a Microsoft Entra ID access token: signature, aud, iss, tid, nbf and exp.

    It does not check that the user is in the workspace, which only the workspace can tell. Databricks allows no clock skew and
    refuses tokens with 30 seconds or less to live, so leave `leeway` (seconds) at 0.

    tenant    the tenant id (GUID) of the workspace
    versions  AzureDatabricks tokens are v1 today; write ["1.0"] to accept exactly what the document shows

    Raises PolicyError.
    """
    shared = {"kinds": kinds, "clients": _clients(clients), "leeway": leeway}
    audiences = {"1.0": [DATABRICKS_RESOURCE], "2.0": [DATABRICKS_RESOURCE]}
    issuers = _issuers(cloud, [tenant], versions, audiences, shared, field="tenant")
    return Policy(issuers, max_token_bytes=max_token_bytes, checks=checks)


def api(
    client_id: str,
    tenants: Tenants,
    *,
    audiences: Sequence[str] = (),
    cloud: Cloud = PUBLIC,
    versions: Sequence[Version] = ("1.0", "2.0"),
    kinds: Sequence[Kind] | None = ("user", "app"),
    clients: Sequence[str] | None = None,
    guests: bool = True,
    required_scopes: Sequence[str] = (),
    required_roles: Sequence[str] = (),
    leeway: float = 0.0,
    max_token_bytes: int = MAX_TOKEN_BYTES,
    checks: Sequence[CustomCheck] = (),
) -> Policy:
    """Access tokens for your own API, of one tenant, of several, or of "any".

    A v2 token's audience is always the client id; a v1 token's is whatever the client asked for, so the client id,
    `api://<client id>` and `audiences` are accepted there, each with and without a trailing slash.

    client_id  the application (client) id of the API
    audiences  further application ID URIs of the API, such as "api://jobs.example"
    kinds      an app without roles and a user without scopes are "unknown", and refused: any client can get such a token
               (learn.microsoft.com/entra/identity-platform/claims-validation). None allows every kind
    guests     False refuses known guests; a token that does not say passes (add the optional claim `acct` to know)

    Raises PolicyError.
    """
    name = validation.guid("client_id", client_id, "Copy the Application (client) ID from the API's app registration.")
    _require_reachable(kinds, required_scopes)
    uris = [uri.rstrip("/") for uri in validation.texts("audiences", audiences, "['api://jobs.example']", empty=True)]
    v1 = [name, *(form for uri in (f"api://{name}", *uris) for form in (uri, uri + "/"))]
    shared = {
        "kinds": kinds,
        "clients": _clients(clients),
        "guests": guests,
        "required_scopes": required_scopes,
        "required_roles": required_roles,
        "leeway": leeway,
    }
    issuers = _issuers(cloud, tenants, versions, {"1.0": v1, "2.0": [name]}, shared, field="tenants")
    return Policy(issuers, max_token_bytes=max_token_bytes, checks=checks)


def _issuers(
    cloud: Cloud,
    tenants: object,
    versions: Sequence[Version],
    audiences: Mapping[str, list[str]],
    shared: Mapping[str, Any],
    *,
    field: str,
) -> list[Issuer]:
    if not isinstance(cloud, Cloud):
        raise PolicyError("cloud", "it is not a Cloud", "Take entra.PUBLIC, entra.US_GOV or entra.CHINA, or make an entra.Cloud.")
    allowed = _tenants(field, tenants)
    return [
        Issuer(
            cloud.v1_issuer if version == "1.0" else cloud.v2_issuer,
            audiences=audiences[version],
            tenants=allowed,
            discovery_url=_discovery_url(cloud, version, allowed),
            required_claims=_REQUIRED[version],
            required_values={"ver": version},
            kind_of=caller_kind,
            cloud_instance_name=cloud.instance_name,
            **shared,
        )
        for version in validation.choices("versions", versions, ("1.0", "2.0"))
    ]


_REQUIRED = {
    "1.0": ("exp", "nbf", "tid", "ver", "sub", "appid"),
    "2.0": ("exp", "nbf", "tid", "ver", "sub", "azp"),
}
"""Entra sends them in every access token; its ID tokens name no calling application."""


def _clients(clients: Sequence[str] | None) -> list[str] | None:
    if clients is None:
        return None
    listed = validation.texts("clients", clients, "['<application id>']")
    return [validation.guid("clients", client, "List the calling applications' (client) ids.") for client in listed]


def _require_reachable(kinds: Sequence[Kind] | None, required_scopes: Sequence[str]) -> None:
    if not isinstance(required_scopes, str) and any("/" in str(scope) for scope in required_scopes):
        fix = "Write the scope's short name, such as 'access_as_user'; only requests use the long one."
        raise PolicyError("required_scopes", "a scope is written with the API's address, which tokens never hold", fix)
    if required_scopes and kinds is not None and tuple(kinds) == ("app",):
        fix = "Require roles of apps (required_roles), or allow users."
        raise PolicyError("required_scopes", "only apps may call, and their tokens hold no scopes", fix)


def _tenants(field: str, value: object) -> Tenants:
    if value == "any":
        return "any"
    listed = validation.texts(field, value, "['<tenant id>']")
    return [validation.tenant(field, item) for item in listed]


def _discovery_url(cloud: Cloud, version: str, tenants: Tenants) -> str:
    """A v1 token is validated with v1 metadata, a v2 token with v2's; of the tenant itself where there is only one."""
    tenant = tenants[0] if tenants != "any" and len(tenants) == 1 else "common"
    path = "" if version == "1.0" else "/v2.0"
    return f"{cloud.authority}/{tenant}{path}/.well-known/openid-configuration"
