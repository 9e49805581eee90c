"""Entra's discovery documents and key sets, at Entra's own paths.

Sources: learn.microsoft.com/entra/identity-platform/v2-protocols-oidc and /access-tokens (the `issuer` of a key), and
recorded documents of the public cloud.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal, TypeAlias

from tokenward.entra import PUBLIC, Version
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


def key_set(jwks: Sequence[JWK], version: Version, tenant: str) -> JWKS:
    """The JWKS of a tenant or of all: in v2 each key names its issuer and cloud, in v1 none does. `alg` appears in neither."""
    if version == "1.0":
        return {"keys": [{name: value for name, value in jwk.items() if name not in _BINDING} for jwk in jwks]}
    bound = {"cloud_instance_name": PUBLIC.instance_name, "issuer": issuer_of("2.0", _named(tenant))}
    return {"keys": [{**bound, **jwk} for jwk in jwks]}


def metadata(authority: str, version: Version, tenant: str) -> dict[str, object]:
    """The discovery document of a tenant, or of all."""
    base, v2 = f"{authority}/{tenant}", version == "2.0"
    oauth2 = f"{base}/oauth2/v2.0" if v2 else f"{base}/oauth2"
    return {
        "token_endpoint": f"{oauth2}/token",
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
        "jwks_uri": f"{base}/discovery/v2.0/keys" if v2 else f"{base}/discovery/keys",
        "response_modes_supported": ["query", "fragment", "form_post"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"] if v2 else ["openid"],
        "issuer": issuer_of(version, _named(tenant)),
        "authorization_endpoint": f"{oauth2}/authorize",
        "device_authorization_endpoint": f"{oauth2}/devicecode",
        "end_session_endpoint": f"{oauth2}/logout",
        "claims_supported": ["sub", "iss", "aud", "exp", "iat", "auth_time", "acr", "nonce", "name", "tid", "ver"],
        "tenant_region_scope": None,
        "cloud_instance_name": PUBLIC.instance_name,
        "cloud_graph_host_name": "graph.windows.net",
        "msgraph_host": "graph.microsoft.com",
        **({} if v2 else {"microsoft_multi_refresh_token": True}),
    }


_BINDING = ("issuer", "cloud_instance_name")


def _named(tenant: str) -> str:
    return "{tenantid}" if tenant in SHARED else tenant
