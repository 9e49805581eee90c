"""Errors -> HTTP answers: exact RFC 6750 challenges that teach a stranger nothing and cannot be injected into."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tokenward import AuthenticationError, KeysUnavailable, PolicyError
from tokenward.challenge import MAX_RETRY_AFTER, answer, challenge, require_realm
from tokenward.errors import (
    CODES,
    ClaimsChallenge,
    InsufficientScope,
    InvalidAuthorization,
    MissingToken,
    MultipleTokens,
    TokenExpired,
)

CHALLENGE = re.compile(r'Bearer(?: [a-z_]+="[\x20-\x21\x23-\x5b\x5d-\x7e]*"(?:, [a-z_]+="[\x20-\x21\x23-\x5b\x5d-\x7e]*")*)?')
"""RFC 6750 section 3 with the values of RFC 9110 section 11.2, all quoted, none with escapes."""


def held(error: AuthenticationError) -> AuthenticationError:
    error.signature_held = True
    return error


@pytest.mark.parametrize("code", sorted(CODES))
@pytest.mark.parametrize("realm", [None, "jobs"])
@pytest.mark.parametrize("signature_held", [False, True])
def test_every_answer_has_the_form_of_its_rfc(code: str, realm: str | None, signature_held: bool) -> None:
    details: dict[str, Any] = {} if code == "claims_challenge" else {"claim": "canary", "actual": "canary"}
    error = CODES[code]("secret reason", **details)
    error.signature_held = signature_held
    made = answer(error, realm)
    headers = dict(made.headers)
    assert made.status == error.status
    assert len(headers) == len(made.headers)
    assert headers["Content-Type"] == "application/json"
    assert headers["Content-Length"] == str(len(made.body))
    assert headers["Cache-Control"] == "no-store"
    assert ("WWW-Authenticate" in headers) == (made.status != 503)
    assert ("Retry-After" in headers) == (made.status == 503)
    assert set(json.loads(made.body)) == {"error", "error_description"}
    assert "canary" not in repr(made)
    assert "secret reason" not in repr(made)
    if made.status != 503:
        assert CHALLENGE.fullmatch(headers["WWW-Authenticate"])
        assert (f'realm="{realm}"' in headers["WWW-Authenticate"]) == (realm is not None)


@pytest.mark.parametrize(
    ("error", "realm", "expected"),
    [
        pytest.param(MissingToken(), None, "Bearer", id="no credentials"),
        pytest.param(MissingToken(), "jobs", 'Bearer realm="jobs"', id="no credentials, with a realm"),
        pytest.param(
            InvalidAuthorization(),
            None,
            'Bearer error="invalid_request", error_description="The Authorization header is malformed"',
            id="a malformed header",
        ),
        pytest.param(
            MultipleTokens(),
            None,
            'Bearer error="invalid_request", error_description="More than one set of credentials was sent"',
            id="two headers",
        ),
        pytest.param(
            TokenExpired(),
            None,
            'Bearer error="invalid_token", error_description="The access token is invalid"',
            id="an unproved token",
        ),
        pytest.param(
            held(TokenExpired()),
            "jobs",
            'Bearer realm="jobs", error="invalid_token", error_description="The access token expired"',
            id="a genuine token that expired",
        ),
        pytest.param(
            held(InsufficientScope(scope="jobs.read jobs.run")),
            None,
            'Bearer error="insufficient_scope", error_description="The access token lacks a required scope", '
            'scope="jobs.read jobs.run"',
            id="a missing scope",
        ),
        pytest.param(
            held(ClaimsChallenge(claims="eyJhIjoxfQ==")),
            None,
            'Bearer error="insufficient_claims", error_description="The access token must be renewed with additional claims", '
            'claims="eyJhIjoxfQ=="',
            id="a claims challenge",
        ),
    ],
)
def test_the_challenge_is_what_rfc_6750_says(error: AuthenticationError, realm: str | None, expected: str) -> None:
    assert challenge(error, realm) == expected


@pytest.mark.parametrize("code", sorted(set(CODES) - {"missing_token", "invalid_authorization", "multiple_tokens"}))
def test_until_the_signature_held_every_401_reads_the_same(code: str) -> None:
    error = CODES[code]()
    if error.error == "invalid_token":
        assert challenge(error) == 'Bearer error="invalid_token", error_description="The access token is invalid"'
        assert answer(error) == answer(CODES["signature_invalid"]())


def test_no_credentials_means_no_error_in_the_challenge() -> None:
    made = answer(MissingToken())
    assert dict(made.headers)["WWW-Authenticate"] == "Bearer"
    assert json.loads(made.body) == {"error": "missing_token", "error_description": "A bearer token is required"}


@pytest.mark.parametrize(
    ("retry_after", "header"),
    [(None, "1"), (0.0, "1"), (0.2, "1"), (1.0, "1"), (1.1, "2"), (29.5, "30"), (1e9, str(MAX_RETRY_AFTER)), (-5.0, "1")],
)
def test_retry_after_is_whole_seconds_within_bounds(retry_after: float | None, header: str) -> None:
    assert dict(answer(KeysUnavailable(retry_after=retry_after)).headers)["Retry-After"] == header


@pytest.mark.parametrize("realm", ['a"b', "a\\b", "a\r\nX: y", "a\nb", "\x00", "caf\xe9", "a\tb", 5, b"jobs"])
def test_a_realm_that_would_break_the_header_is_refused(realm: Any) -> None:
    with pytest.raises(PolicyError) as caught:
        require_realm(realm)
    assert (caught.value.field, "plain name" in caught.value.fix) == ("realm", True)


@pytest.mark.parametrize("realm", [None, "", "jobs", "My jobs, and more=yes"])
def test_a_plain_realm_is_taken_as_it_is(realm: str | None) -> None:
    assert require_realm(realm) == realm


@pytest.mark.parametrize("hostile", ['"', "\\", "\r\nSet-Cookie: a=b", "\x00", "caf\xe9", "\u20ac", "\n"])
def test_nothing_a_token_says_gets_into_a_header(desk: Any, hostile: str) -> None:
    claims = [{name: f"x{hostile}y"} for name in ("iss", "aud", "sub", "scp", "azp", "tid")]
    tokens = [desk.token(desk.claims(**changed)) for changed in claims] + [
        desk.token(kid=f"x{hostile}y"),
        desk.token(typ=f"x{hostile}"),
    ]
    verifier = desk.verifier(desk.rule(required_scopes=["jobs.read"], clients=["app"]))
    for token in tokens:
        made = answer(desk.rejection(lambda token=token: verifier.verify(token)), "jobs")
        for name, value in made.headers:
            assert value.isascii()
            assert value.isprintable()
            assert "x" + hostile not in value, name


@pytest.mark.parametrize("scope", ['a"b', "a\r\nX: y", "a\\b", "caf\xe9"])
def test_a_scope_that_would_break_the_header_never_gets_into_one(desk: Any, scope: str) -> None:
    with pytest.raises(PolicyError) as refused:
        desk.rule(required_scopes=[scope])
    assert refused.value.field == "required_scopes"


@pytest.mark.parametrize("claims", ['x"y', "x\r\nX: y", "x\\y", "\u20ac"])
def test_claims_to_pass_on_that_would_break_the_header_never_get_into_it(claims: str) -> None:
    error = held(ClaimsChallenge(claims=claims))
    assert CHALLENGE.fullmatch(challenge(error))
