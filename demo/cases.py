"""The table of requests, and what each must be answered: the demo's whole expectation.

Statuses, codes and challenges are written out here and not taken from tokenward, so that the demo can find it wrong.
"""

from __future__ import annotations

import json
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from demo.stage import Stage

Headers: TypeAlias = list[tuple[str, str]]
Make: TypeAlias = Callable[[Stage], Headers]

GRAPH = "00000003-0000-0000-c000-000000000000"
ANOTHER_API = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
FOREIGN_TENANT = "c0ffee00-5a1b-4e2d-9f3c-123456789abc"
HOUR = 3600.0


@dataclass(frozen=True)
class Expected:
    """`code` is what the operator's log says, `challenge` the WWW-Authenticate header; None where there must be none."""

    status: int
    code: str | None = None
    challenge: str | None = None


@dataclass(frozen=True)
class Case:
    """One request: its name, how its Authorization headers are made, and the answer it must get."""

    name: str
    make: Make
    expected: Expected

    @property
    def path(self) -> str:
        """A path of its own, by which its event is found in the app's log."""
        return f"/jobs/{self.name.replace(' ', '-').lower()}"


# -- how the requests are made -----------------------------------------------------------------------------------------


def literal(*values: str) -> Make:
    """These Authorization values as they are."""
    return lambda _: [("Authorization", value) for value in values]


def minted(kind: str = "user", **body: object) -> Make:
    """A token that the issuer mints so; see `tokenward.testing.control`."""
    return lambda stage: bearer(stage.mint(kind=kind, **body))


def issued(seconds_from_now: float) -> Make:
    """A token of one hour that begins then."""
    return lambda stage: bearer(stage.mint(now=time.time() + seconds_from_now))


def bearer(token: str) -> Headers:
    return [("Authorization", f"Bearer {token}")]


def same_token() -> Make:
    """One token, however often it is sent."""
    tokens: list[str] = []

    def _make(stage: Stage) -> Headers:
        if not tokens:
            tokens.append(stage.mint())
        return bearer(tokens[0])

    return _make


def two_headers(stage: Stage) -> Headers:
    """Two good tokens, as from a client and from a proxy that adds its own."""
    return bearer(stage.mint()) + bearer(stage.mint())


def tampered(stage: Stage) -> Headers:
    """A good token whose claims were edited to hold a role, under the signature of before."""
    header, claims, signature = stage.mint().split(".")
    edited = {**json.loads(urlsafe_b64decode(claims + "==")), "roles": ["Jobs.Admin"]}
    return bearer(f"{header}.{urlsafe_b64encode(json.dumps(edited).encode()).decode().rstrip('=')}.{signature}")


# -- what they must be answered ----------------------------------------------------------------------------------------


def refused(
    code: str, description: str = "The access token is invalid", *, status: int = 401, error: str = "invalid_token"
) -> Expected:
    """With the description that every stranger gets, unless the signature held."""
    return Expected(status, code, f'Bearer error="{error}", error_description="{description}"')


def bad_request(code: str, description: str) -> Expected:
    return refused(code, description, status=400, error="invalid_request")


def forbidden(code: str, description: str) -> Expected:
    return refused(code, description, status=403, error="insufficient_scope")


ACCEPTED = Expected(200)
NO_TOKEN = Expected(401, "missing_token", "Bearer")
FOR_ANOTHER = refused("audience_not_accepted", "The access token was issued for another service")
NOT_OF_THE_GRAMMAR = bad_request("invalid_authorization", "The Authorization header is malformed")


def cases() -> list[Case]:
    """The table, the good ones first."""
    good = same_token()
    return [
        Case("User token v2", good, ACCEPTED),
        Case("Same token again", good, ACCEPTED),
        Case("User token v1", minted(version="1.0"), ACCEPTED),
        Case("App token v2", minted("app"), ACCEPTED),
        Case("App token v1", minted("app", version="1.0"), ACCEPTED),
        Case("No token", literal(), NO_TOKEN),
        Case("Basic scheme", literal("Basic YWRhOnNlY3JldA=="), NO_TOKEN),
        Case("Scheme only", literal("Bearer"), NOT_OF_THE_GRAMMAR),
        Case("Two headers", two_headers, bad_request("multiple_tokens", "More than one set of credentials was sent")),
        Case("Garbage", literal("Bearer not-a-token"), refused("malformed_token")),
        Case("Too large", minted(claims={"groups": ["x" * 36] * 500}), refused("token_too_large")),
        Case("Expired", issued(-2 * HOUR), refused("token_expired", "The access token expired")),
        Case("Not yet valid", issued(HOUR), refused("token_not_yet_valid", "The access token is not valid yet")),
        Case("Wrong audience", minted(audience=ANOTHER_API), FOR_ANOTHER),
        Case("Graph audience", minted(audience=GRAPH), FOR_ANOTHER),
        Case("Graph token", minted(audience=GRAPH, header={"nonce": "s7Jd0m"}), refused("token_type_not_accepted")),
        Case("Wrong issuer", minted(claims={"iss": "https://idp.example/"}), refused("issuer_not_trusted")),
        Case("Foreign tenant", minted(tenant=FOREIGN_TENANT), refused("tenant_not_allowed")),
        Case("Forged signature", minted(key="stranger"), refused("signature_invalid")),
        Case("Tampered claims", tampered, refused("signature_invalid")),
        Case("Algorithm none", minted(algorithm="none"), refused("algorithm_not_allowed")),
        Case("HS256 confusion", minted(algorithm="HS256"), refused("algorithm_not_allowed")),
        Case("Unknown key", minted(header={"kid": "not-a-published-key"}), refused("unknown_key")),
        Case("ID token", minted("id"), refused("token_type_not_accepted", "The token is not an access token for this service")),
        Case("Guest", minted("guest"), forbidden("guest_not_allowed", "Guest users are not allowed")),
        Case("User, no scopes", minted(scopes=[]), forbidden("caller_kind_not_allowed", "This kind of caller is not allowed")),
    ]
