"""Where it is written: the pages and standards that the fixes name."""

from __future__ import annotations

_ENTRA = "https://learn.microsoft.com/entra/identity-platform"

ACCESS_TOKENS = f"{_ENTRA}/access-tokens"
CLAIMS_REFERENCE = f"{_ENTRA}/access-token-claims-reference"
CLAIMS_VALIDATION = f"{_ENTRA}/claims-validation"
CLOUDS = f"{_ENTRA}/authentication-national-cloud"
OPTIONAL_CLAIMS = f"{_ENTRA}/optional-claims-reference"
ROLES = f"{_ENTRA}/howto-add-app-roles-in-apps"
ROLLOVER = f"{_ENTRA}/signing-key-rollover"
SCOPES = f"{_ENTRA}/scopes-oidc"
DATABRICKS_TOKENS = "https://learn.microsoft.com/azure/databricks/dev-tools/troubleshoot-aad-token"
FEDERATION = "https://docs.databricks.com/aws/en/dev-tools/auth/oauth-federation-policy"
