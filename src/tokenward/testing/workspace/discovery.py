"""What a workspace says of itself without being asked for credentials: its OAuth metadata, its keys, its tenant.

Recorded: `/oidc/.well-known/oauth-authorization-server` in the fixtures of databricks-jdbc (it does not list the token exchange
among the grants, though it works); `/.well-known/databricks-config` and `/aad/auth` are as databricks-sdk-py reads them.
"""

from __future__ import annotations

from dataclasses import dataclass

from tokenward.testing.workspace.messages import Object, Reply, json_reply


@dataclass(frozen=True, slots=True)
class Discovery:
    """The documents of a workspace at `origin`, whose tenant is `tenant` at the Entra authority `authority`."""

    origin: str
    account_id: str
    workspace_id: str
    tenant: str
    authority: str

    def config(self) -> Reply:
        """`/.well-known/databricks-config`, with the audience that the SDK asks identity providers for."""
        endpoint = f"{self.origin}/oidc"
        body: Object = {
            "oidc_endpoint": endpoint,
            "account_id": self.account_id,
            "workspace_id": self.workspace_id,
            "cloud": "Azure",
            "token_federation_default_oidc_audiences": [f"{endpoint}/v1/token"],
        }
        return json_reply(200, body)

    def metadata(self, *, account: bool = False) -> Reply:
        """`/oidc/.well-known/oauth-authorization-server`, of the workspace or of its account."""
        base = f"{self.origin}/oidc/accounts/{self.account_id}" if account else f"{self.origin}/oidc"
        body: Object = {
            "authorization_endpoint": f"{base}/v1/authorize",
            "token_endpoint": f"{base}/v1/token",
            "issuer": base,
            "jwks_uri": f"{self.origin}/oidc/jwks.json",
            "scopes_supported": ["all-apis", "email", "offline_access", "openid", "profile", "sql"],
            "response_types_supported": ["code", "id_token"],
            "response_modes_supported": ["query", "fragment", "form_post"],
            "grant_types_supported": ["client_credentials", "authorization_code", "refresh_token"],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "claims_supported": ["iss", "sub", "aud", "iat", "exp", "jti", "name", "email"],
            "request_uri_parameter_supported": False,
        }
        return json_reply(200, body)

    def sign_in(self) -> Reply:
        """`/aad/auth`: away to the tenant's own page, which names the tenant."""
        query = "client_id=2ff814a6-3304-4ab8-85cb-cd0e6f879c1d&response_type=code+id_token&response_mode=form_post"
        return Reply(302, {"location": f"{self.authority}/{self.tenant}/oauth2/authorize?{query}"})
