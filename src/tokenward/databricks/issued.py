"""Tokens that Databricks itself issued, judged without asking it. Optional: Databricks promises no form for them."""

from __future__ import annotations

from tokenward.databricks.hosts import workspace_origin
from tokenward.errors import PolicyError
from tokenward.issuer import Issuer
from tokenward.policy import Policy

ALGORITHMS = ("RS256",)
"""`id_token_signing_alg_values_supported` of recorded discovery documents."""


def issued_tokens(host: str, workspace_id: str | int) -> Policy:
    """A Policy for OAuth tokens that a workspace has issued: exchanged ones, and those of people who signed in there.

    Not verified: only tokens of signed-in users were seen (typ at+jwt, aud the workspace's id as a string of digits, iss
    https://<host>/oidc, no nbf); that exchanged ones and service principals' look alike is an assumption, and account-level
    ones have another issuer. The safe check of such a token is to ask the workspace who it is (SCIM Me).
    `Identity.subject` is the user's e-mail address, or the application id of a service principal.

    host          the workspace, such as 'adb-123.4.azuredatabricks.net', or its https address (http on loopback only)
    workspace_id  the number in the workspace's address, or in its X-Databricks-Org-Id

    The keys come from the discovery document, whose jwks_uri is on a regional host of Databricks. Raises PolicyError.
    """
    origin = workspace_origin("host", host)
    issuer = Issuer(
        f"{origin}/oidc",
        discovery_url=f"{origin}/oidc/.well-known/oauth-authorization-server",
        audiences=[_workspace_id(workspace_id)],
        algorithms=ALGORITHMS,
        required_claims=("exp", "sub"),
    )
    return Policy([issuer])


def _workspace_id(value: object) -> str:
    digits = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(digits, str) or not digits.isascii() or not digits.isdigit():
        raise PolicyError("workspace_id", "it is not a number", "Give the digits after ?o= in the workspace's address.")
    return digits
