"""Errors of Entra's token endpoint in their recorded shapes.

Source: learn.microsoft.com/entra/identity-platform/reference-error-codes and /v2-oauth2-on-behalf-of-flow, and answers that users
pasted into public issues. Not seen recorded, and so a guess from its class: the `error` of 50000, 240002, 70003, 70011, 901002
and 50027, and the status 401 of 700021 to 700213.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from tokenward.entra import Version
from tokenward.testing.faults import JSON, Answer


@dataclass(frozen=True, slots=True)
class Shape:
    """How one AADSTS number is told: v1 may have another `error` than v2, and may put a general number before it."""

    text: str
    error: str
    status: int = 400
    suberror: str | None = None
    v1_error: str | None = None
    v1_suberror: str | None = None
    general: int | None = None


class EntraError(Exception):
    """A request that Entra refuses, by its number."""

    def __init__(self, code: int, claims: Mapping[str, object] | None = None) -> None:
        super().__init__(f"AADSTS{code}")
        self.code = code
        self.claims = claims


def error_answer(refusal: EntraError, version: Version, now: float) -> Answer:
    """The answer to a refused request, at this time (epoch seconds). Raises KeyError for a number that is not in SHAPES."""
    shape, v1 = SHAPES[refusal.code], version == "1.0"
    trace, timestamp = str(uuid.uuid4()), f"{datetime.fromtimestamp(now, UTC):%Y-%m-%d %H:%M:%SZ}"
    ids = {"timestamp": timestamp, "trace_id": trace, "correlation_id": str(uuid.uuid4())}
    general = [shape.general] if v1 and shape.general else []
    body: dict[str, object] = {
        "error": (shape.v1_error if v1 else None) or shape.error,
        "error_description": _description(shape, refusal.code, ids, v1=v1),
        "error_codes": [*general, refusal.code],
        **ids,
        "error_uri": f"https://login.microsoftonline.com/error?code={refusal.code}",
    }
    suberror = shape.v1_suberror if v1 else shape.suberror
    body |= {} if suberror is None else {"suberror": suberror}
    body |= {} if refusal.claims is None else {"claims": json.dumps(refusal.claims, separators=(",", ":"))}
    headers = {"x-ms-request-id": trace, "x-ms-clitelem": f"1,{refusal.code},0,,", "cache-control": "no-store, no-cache"}
    return Answer(shape.status, {**JSON, **headers}, json.dumps(body).encode())


def _description(shape: Shape, code: int, ids: Mapping[str, str], *, v1: bool) -> str:
    """Older answers have line breaks before the ids, newer ones a space."""
    general = f"AADSTS{shape.general}: Error validating credentials. " if v1 and shape.general else ""
    last = (f"Trace ID: {ids['trace_id']}", f"Correlation ID: {ids['correlation_id']}", f"Timestamp: {ids['timestamp']}")
    return ("\r\n" if v1 else " ").join((f"{general}AADSTS{code}: {shape.text}", *last))


def _interaction(text: str, suberror: str, v1_suberror: str | None = None) -> Shape:
    return Shape(text, "invalid_grant", 400, suberror, "interaction_required", v1_suberror)


def _client(text: str) -> Shape:
    return Shape(text, "invalid_client", 401)


POLICY_CLAIMS: Mapping[str, object] = {
    "access_token": {"polids": {"essential": True, "values": ["9ab03e19-ed42-4168-b6b7-7001fb3e933a"]}}
}
"""What conditional access asks for; it comes with the first four."""

SHAPES: dict[int, Shape] = {
    50076: _interaction(
        "Due to a configuration change, you must use multi-factor authentication to access the app.", "basic_action"
    ),
    50079: _interaction("Due to a configuration change, you must enroll in multifactor authentication.", "basic_action"),
    50158: _interaction("External security challenge not satisfied.", "basic_action"),
    53003: _interaction("Access has been blocked by Conditional Access policies.", "message_only", "message_only"),
    50000: Shape("There was an error issuing a token or an issue with our sign-in service.", "invalid_grant"),
    50013: Shape("Assertion failed signature validation. [Reason - The key was not found.]", "invalid_grant", general=70002),
    500131: Shape("Assertion audience does not match the Client app presenting the assertion.", "invalid_grant"),
    500133: Shape("Assertion is not within its valid time range.", "invalid_grant", general=70002),
    240002: Shape("Input id_token cannot be used as 'urn:ietf:params:oauth:grant-type:jwt-bearer' grant.", "invalid_grant"),
    50105: Shape("The signed in user 'ada@contoso.example' is not assigned to a role for the application.", "invalid_grant"),
    50173: Shape("The provided grant has expired due to it being revoked.", "invalid_grant", 400, "bad_token"),
    65001: Shape("The user or administrator has not consented to use the application.", "invalid_grant", 400, "consent_required"),
    7000114: Shape("Application is not allowed to make application on-behalf-of calls.", "unauthorized_client"),
    700016: Shape("Application was not found in the directory.", "unauthorized_client"),
    7000215: _client("Invalid client secret provided. Ensure the secret being sent is the client secret value, not its ID."),
    7000218: _client("The request body must contain the following parameter: 'client_assertion' or 'client_secret'."),
    7000222: _client("The provided client secret keys for app are expired."),
    700021: _client("Client assertion application identifier doesn't match 'client_id' parameter."),
    700024: _client("Client assertion is not within its valid time range."),
    700027: _client("Client assertion failed signature validation."),
    700211: _client("No matching federated identity record found for presented assertion issuer."),
    700212: _client("No matching federated identity record found for presented assertion audience."),
    700213: _client("No matching federated identity record found for presented assertion subject."),
    500011: Shape("The resource principal was not found in the tenant.", "invalid_resource"),
    70011: Shape("The provided value for the input parameter 'scope' isn't valid.", "invalid_scope"),
    70003: Shape("The app requested an unsupported grant type.", "unsupported_grant_type"),
    90002: Shape("Tenant not found. Check to make sure you have the correct tenant ID.", "invalid_request"),
    900144: Shape("The request body must contain a parameter that is missing.", "invalid_request"),
    901002: Shape("The 'resource' request parameter isn't supported.", "invalid_request"),
    50027: Shape("JWT token is invalid or malformed.", "invalid_request"),
    50196: Shape("The server terminated an operation because it encountered a client request loop.", "temporarily_unavailable"),
    90055: Shape("The server is terminating the request due to excessive request rate.", "temporarily_unavailable", 429),
}
