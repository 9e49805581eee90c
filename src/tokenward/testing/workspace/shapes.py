"""Errors in the shapes in which Databricks was recorded to answer, and what the texts of its token endpoint say.

Recorded: the fixtures of databricks-jdbc, issues of databricks-sdk-go, splunk-integration, azure-docs and databricks-vscode, and
DataThirstLtd/databricks.vsts.tools issue 20. What was not seen recorded takes the shape of its nearest relative, and says so.
"""

from __future__ import annotations

import uuid
from html import escape
from typing import Literal, TypeAlias

from tokenward.testing.workspace.messages import JSON_TYPE, Reply, json_reply

ErrorKeys: TypeAlias = Literal["error", "errorCode"]
"""Which pair of names a token endpoint uses: `error`/`error_description`, or `errorCode`/`errorSummary`."""


# -- APIs --------------------------------------------------------------------------------------------------------------


def api_error(status: int, code: str | int, message: str) -> Reply:
    """`error_code` is a number where the proxy before the APIs refuses, and a word where an API does."""
    return json_reply(status, {"error_code": code, "message": message})


def no_credentials() -> Reply:
    """Nothing that is a bearer token: recorded with these fields, and since 2025 with the request's id in the text."""
    text = f"Credential was not sent or was of an unsupported type for this API. [ReqId: {uuid.uuid4()}]"
    reply = api_error(401, 401, text)
    return reply.having(
        {
            "www-authenticate": 'Bearer realm="DatabricksRealm"',
            "x-databricks-reason-phrase": text,
            "x-databricks-apiproxy-response-code-details": "ext_authz_denied",
        }
    )


def invalid_token() -> Reply:
    text = "Invalid access token."
    return api_error(403, 403, text).having({"x-databricks-reason-phrase": text})


def page(status: int, reason: str) -> Reply:
    """The HTML that the APIs' old door answers with."""
    text = escape(reason)
    title = f"<title>Error {status} {text}</title>"
    body = f"<html><head>{title}</head><body><h2>HTTP ERROR {status}</h2><p>Reason:<pre>    {text}</pre></p></body></html>"
    return Reply(status, {"content-type": "text/html;charset=iso-8859-1"}, body.encode())


def wrong_audience(expected: str, seen: str) -> Reply:
    return page(400, f"io.jsonwebtoken.IncorrectClaimException: Expected aud claim to be: {expected}, but was: {seen}.")


def expired(status: int) -> Reply:
    """The answer to an expired Entra token has changed over the years: 403, then 400, and 401 since the end of 2025."""
    if status == 400:
        return page(400, "io.jsonwebtoken.ExpiredJwtException: JWT expired. Allowed clock skew: 0 milliseconds.")
    return api_error(status, status, "Token is expired" if status == 401 else "Invalid access token.")


def expiring() -> Reply:
    return page(403, "Token is expiring within 30 seconds. (token expired)")


def not_authorized() -> Reply:
    """A genuine token of somebody whom the workspace does not know."""
    return page(403, "User not authorized.")


# -- the token endpoint ------------------------------------------------------------------------------------------------


def token_error(status: int, error: str, text: str, keys: ErrorKeys = "error") -> Reply:
    """Both pairs of names occur (databricks-sdk-py reads either)."""
    names = ("error", "error_description") if keys == "error" else ("errorCode", "errorSummary")
    return json_reply(status, dict(zip(names, (error, text), strict=True)), cache_control="no-store")


def no_policy(issuer: object, subject: object, audience: object) -> str:
    """Recorded. What it shows are the token's own values: the policy that there would have to be."""
    named = f"{{issuer: '{issuer}', subject: '{subject}', audience: '{audience}'}}"
    return (
        "Failed to process token: TOKEN_INVALID (Ensure a valid federation policy has been configured). "
        f"Valid federation policy for provided token: {named}"
    )


def audience_invalid(seen: object, issuer: str, accepted: str) -> str:
    """Only its beginning was seen quoted, and that it shows the issuer and audience of the policy."""
    return (
        f"Failed to process token: TOKEN_AUDIENCE_INVALID (Token audience '{seen}' invalid). "
        f"Valid federation policy for provided token: {{issuer: '{issuer}', audience: '{accepted}'}}"
    )


def not_provisioned() -> Reply:
    """Described as a 401 that explains nothing; its body was not seen."""
    return Reply(401, {"content-type": JSON_TYPE, "cache-control": "no-store"}, b"")


def too_many(retry_after: int) -> Reply:
    """Too many requests, as the APIs word it; the token endpoint's own words were not seen."""
    text = "RPC token bucket limit has been exceeded"
    return api_error(429, "REQUEST_LIMIT_EXCEEDED", text).having({"retry-after": str(retry_after)})
