"""Entra's discovery documents and key sets, at Entra's own paths.

Sources: learn.microsoft.com/entra/identity-platform/v2-protocols-oidc and /access-tokens (the `issuer` of a key), and
recorded documents of the public cloud. Other clouds have other hosts, issuers and names: /authentication-national-cloud. What
China's keys say of their cloud was not seen recorded; the rule of `instance_name` holds for the clouds of which it was.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal, TypeAlias
from urllib.parse import urlsplit

from tokenward.entra import Cloud, Version
from tokenward.testing.claims import issuer_of
from tokenward.testing.keys import JWK, JWKS

Kind: TypeAlias = Literal["metadata", "keys"]
SHARED = ("common", "organizations")
"""Names in place of a tenant; their documents hold the literal template "{tenantid}"."""

_PATH = re.compile(
    r"/(?P<tenant>common|organizations|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"
    r"/(?:(?P<v2>v2\.0/)?\.well-known/openid-configuration|discovery/(?P<keys_v2>v2\.0/)?(?P<keys>keys))"
)


def asked_for(path: str) -> tuple[Kind, Version, str] | None:
    """What this path names: which document, of which version, of which tenant."""
    found = _PATH.fullmatch(path)
    if found is None:
        return None
    kind: Kind = "keys" if found["keys"] else "metadata"
    return kind, "2.0" if found["v2"] or found["keys_v2"] else "1.0", found["tenant"]


def instance_name(cloud: Cloud) -> str:
    """`cloud_instance_name`: the given one, or the host of the v2 issuer without its "login"."""
    return cloud.instance_name or (urlsplit(cloud.v2_issuer).hostname or "").removeprefix("login.")


def key_set(jwks: Sequence[JWK], cloud: Cloud, version: Version, tenant: str) -> JWKS:
    """The JWKS of a tenant or of all: in v2 each key names its issuer and cloud, in v1 none does. `alg` appears in neither."""
    if version == "1.0":
        return {"keys": [{name: value for name, value in jwk.items() if name not in _BINDING} for jwk in jwks]}
    bound = {"cloud_instance_name": instance_name(cloud), "issuer": issuer_of(cloud, "2.0", _named(tenant))}
    return {"keys": [{**bound, **jwk} for jwk in jwks]}


def metadata(cloud: Cloud, version: Version, tenant: str) -> dict[str, object]:
    """The discovery document of a tenant, or of all, at the cloud's authority."""
    base, v2 = f"{cloud.authority}/{tenant}", version == "2.0"
    oauth2 = f"{base}/oauth2/v2.0" if v2 else f"{base}/oauth2"
    name = instance_name(cloud)
    directory, graph = _GRAPHS.get(name, ("graph.windows.net", "graph.microsoft.com"))
    return {
        "token_endpoint": f"{oauth2}/token",
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
        "jwks_uri": f"{base}/discovery/v2.0/keys" if v2 else f"{base}/discovery/keys",
        "response_modes_supported": ["query", "fragment", "form_post"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"] if v2 else ["openid"],
        "issuer": issuer_of(cloud, version, _named(tenant)),
        "authorization_endpoint": f"{oauth2}/authorize",
        "device_authorization_endpoint": f"{oauth2}/devicecode",
        "end_session_endpoint": f"{oauth2}/logout",
        "claims_supported": ["sub", "iss", "aud", "exp", "iat", "auth_time", "acr", "nonce", "name", "tid", "ver"],
        "tenant_region_scope": None,
        "cloud_instance_name": name,
        "cloud_graph_host_name": directory,
        "msgraph_host": graph,
        **({} if v2 else {"microsoft_multi_refresh_token": True}),
    }


_BINDING = ("issuer", "cloud_instance_name")
_GRAPHS = {
    "microsoftonline.us": ("graph.windows.net", "graph.microsoft.us"),
    "partner.microsoftonline.cn": ("graph.chinacloudapi.cn", "microsoftgraph.chinacloudapi.cn"),
}
"""The directory's and Microsoft Graph's hosts, where they are not the public cloud's."""


def _named(tenant: str) -> str:
    return "{tenantid}" if tenant in SHARED else tenant
