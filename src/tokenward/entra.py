"""Policies for Microsoft Entra ID and for Azure Databricks, in every cloud, for v1 and v2 tokens.

Sources: learn.microsoft.com/entra/identity-platform/access-tokens and /access-token-claims-reference for the claims, and
learn.microsoft.com/azure/databricks/dev-tools/troubleshoot-aad-token for the checks that Databricks documents.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

from tokenward import issuer_fields, validation
from tokenward.clouds import CHINA, PUBLIC, US_GOV, Cloud
from tokenward.errors import PolicyError
from tokenward.hints import GRAPH_AUDIENCES
from tokenward.identity import Kind
from tokenward.issuer import Issuer
from tokenward.policy import MAX_TOKEN_BYTES, CustomCheck, Policy

__all__ = [
    "CHINA",
    "DATABRICKS_RESOURCE",
    "PUBLIC",
    "US_GOV",
    "VERSIONS",
    "Cloud",
    "Tenants",
    "Version",
    "api",
    "caller_kind",
    "databricks",
    "permitted_kind",
]

DATABRICKS_RESOURCE = "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d"
"""The application id of AzureDatabricks: the same in every cloud, says Databricks' own SDK."""

VERSIONS = ("1.0", "2.0")
"""Of access tokens, as their `ver` says. The API's registration decides which is sent, and not the client."""

Version: TypeAlias = Literal["1.0", "2.0"]
Tenants: TypeAlias = Sequence[str] | Literal["any"]


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


def permitted_kind(claims: Mapping[str, Any]) -> Kind:
    """As `caller_kind`, and "unknown" for whoever holds neither a scope nor a role, whatever `idtyp` says.

    Any application can get such a token for any API of its tenant, unless assignment is required there; only a list of
    applications tells who may use one. Source: as of `caller_kind`.
    """
    return caller_kind(claims) if claims.get("scp") or claims.get("roles") else "unknown"


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
    shared = {"kinds": kinds, "clients": _clients(clients), "kind_of": caller_kind, "leeway": leeway}
    audiences = {version: [DATABRICKS_RESOURCE] for version in VERSIONS}
    issuers = _issuers(cloud, [validation.tenant("tenant", tenant)], versions, audiences, shared)
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
    kinds      whoever holds neither a scope nor a role is "unknown", and refused: any client can get such a token
               (learn.microsoft.com/entra/identity-platform/claims-validation). None allows every kind
    clients    the applications that may call; with it an app without roles is an "app" if its token says so (idtyp)
    guests     False refuses known guests; a token that does not say passes (add the optional claim `acct` to know)

    Raises PolicyError.
    """
    name = _own_client_id(client_id)
    shared = {
        "kinds": kinds,
        "clients": _clients(clients),
        "kind_of": permitted_kind if clients is None and kinds is not None else caller_kind,
        "guests": guests,
        "required_scopes": _scopes(required_scopes, kinds),
        "required_roles": required_roles,
        "leeway": leeway,
    }
    by_version = {"1.0": _v1_audiences(name, audiences, versions), "2.0": [name]}
    issuers = _issuers(cloud, issuer_fields.tenants("tenants", tenants), versions, by_version, shared)
    return Policy(issuers, max_token_bytes=max_token_bytes, checks=checks)


def _issuers(
    cloud: Cloud,
    tenants: Tenants,
    versions: object,
    audiences: Mapping[str, list[str]],
    shared: Mapping[str, Any],
) -> list[Issuer]:
    if not isinstance(cloud, Cloud):
        raise PolicyError("cloud", "it is not a Cloud", "Take entra.PUBLIC, entra.US_GOV or entra.CHINA, or make an entra.Cloud.")
    return [
        Issuer(
            cloud.v1_issuer if version == "1.0" else cloud.v2_issuer,
            audiences=audiences[version],
            tenants=tenants,
            discovery_url=_discovery_url(cloud, version, tenants),
            required_claims=_REQUIRED[version],
            required_values={"ver": version},
            cloud_instance_name=cloud.instance_name,
            **shared,
        )
        for version in _versions(versions)
    ]


_REQUIRED = {
    "1.0": ("exp", "nbf", "tid", "ver", "sub", "appid"),
    "2.0": ("exp", "nbf", "tid", "ver", "sub", "azp"),
}
"""Entra sends them in every access token; its ID tokens name no calling application."""


def _discovery_url(cloud: Cloud, version: str, tenants: Tenants) -> str:
    """A v1 token is validated with v1 metadata, a v2 token with v2's; of the tenant itself where there is only one."""
    tenant = tenants[0] if tenants != "any" and len(tenants) == 1 else "common"
    path = "" if version == "1.0" else "/v2.0"
    return f"{cloud.authority}/{tenant}{path}/.well-known/openid-configuration"


# -- arguments that need more than the judging of an Issuer's field ----------------------------------------------------


def _versions(value: object) -> tuple[str, ...]:
    return validation.choices("versions", value, VERSIONS)


def _own_client_id(value: object) -> str:
    fix = "Copy the Application (client) ID from the API's app registration."
    name = validation.guid("client_id", value, fix)
    if name in GRAPH_AUDIENCES:
        raise PolicyError("client_id", "it is Microsoft Graph's, whose tokens nobody else can verify", fix)
    return name


def _v1_audiences(name: str, audiences: object, versions: object) -> list[str]:
    """The client id, and every URI with and without a trailing slash; v2 tokens hold the client id only."""
    uris = [uri.rstrip("/") for uri in validation.texts("audiences", audiences, "['api://jobs.example']", empty=True)]
    if uris and "1.0" not in _versions(versions):
        fix = "Leave audiences out, or accept v1 tokens: the audience of a v2 token is always the client id."
        raise PolicyError("audiences", "only v1 tokens name an API by its URIs, and versions leaves them out", fix)
    return [name, *(form for uri in (f"api://{name}", *uris) for form in (uri, uri + "/"))]


def _clients(clients: object) -> list[str] | None:
    if clients is None:
        return None
    fix = "List the calling applications' (client) ids."
    return [validation.guid("clients", client, fix) for client in issuer_fields.clients("clients", clients)]


def _scopes(required_scopes: object, kinds: object) -> tuple[str, ...]:
    scopes = issuer_fields.scopes("required_scopes", required_scopes)
    if any("/" in scope for scope in scopes):
        fix = "Write the scope's short name, such as 'access_as_user'; only requests use the long one."
        raise PolicyError("required_scopes", "a scope is written with the API's address, which tokens never hold", fix)
    if scopes and kinds is not None and "user" not in issuer_fields.kinds("kinds", kinds):
        fix = "Require roles of apps (required_roles), or allow users."
        raise PolicyError("required_scopes", "no users may call, and only their tokens hold scopes", fix)
    return scopes
