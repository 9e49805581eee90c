"""The walk as a whole: what is told when, both verifiers alike, and what an error knows."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tokenward import AsyncVerifier, AuthenticationError, KeysUnavailable, Policy, TokenRejected
from tokenward.keys.port import FetchFailed, FetchRequest, FetchResponse

KEYS = "https://idp.example/keys"


def outcomes(desk: Any) -> dict[str, list[str | bytes]]:
    """Authorization values for each outcome that needs no network."""

    def bearer(token: str) -> list[str | bytes]:
        return [f"Bearer {token}"]

    return {
        "accepted": bearer(desk.token()),
        "missing_token": [],
        "invalid_authorization": ["Bearer"],
        "multiple_tokens": ["Bearer a", "Bearer b"],
        "token_too_large": bearer("x" * 20000),
        "malformed_token": bearer("a.b.c"),
        "algorithm_not_allowed": bearer(desk.token(algorithm="ES256")),
        "token_type_not_accepted": bearer(desk.token(typ="id+jwt")),
        "critical_header_unsupported": bearer(desk.token(crit=["x"])),
        "issuer_not_trusted": bearer(desk.token(desk.claims(iss="https://evil.example/"))),
        "audience_not_accepted": bearer(desk.token(desk.claims(aud="other"))),
        "unknown_key": bearer(desk.token(kid="no-such")),
        "signature_invalid": bearer(desk.token(signer="rsa-2", kid="kid-rsa")),
        "token_expired": bearer(desk.token(desk.claims(exp=desk.now))),
        "token_not_yet_valid": bearer(desk.token(desk.claims(nbf=desk.now + 1))),
        "claim_missing": bearer(desk.token(desk.claims(exp=...))),
        "claim_malformed": bearer(desk.token(desk.claims(exp="x"))),
    }


def code_of(error: AuthenticationError | None) -> str:
    return error.code if error else "accepted"


def test_both_verifiers_come_to_the_same_verdicts(desk: Any) -> None:
    verifier = desk.verifier()
    twin = AsyncVerifier(Policy([desk.rule()]), clock=lambda: desk.now)

    async def ask_twin(values: list[str | bytes]) -> str:
        try:
            await twin.authenticate(values)
        except AuthenticationError as error:
            return error.code
        return "accepted"

    for expected, values in outcomes(desk).items():
        try:
            verifier.authenticate(values)
            sync = "accepted"
        except AuthenticationError as error:
            sync = error.code
        assert (expected, sync, asyncio.run(ask_twin(values))) == (expected, expected, expected)


def test_the_async_verifier_fetches_and_waits_once(desk: Any) -> None:
    provider = desk.provider({KEYS: desk.jwks()})

    async def fetch(request: FetchRequest) -> FetchResponse:
        response: FetchResponse = provider(request)
        return response

    async def walk() -> list[str]:
        verifier = AsyncVerifier(Policy([desk.rule(jwks=..., jwks_uri=KEYS)]), clock=lambda: desk.now, fetch=fetch, observer=None)
        first = await verifier.verify(desk.token())
        second = await verifier.verify(desk.token())
        with pytest.raises(TokenRejected) as expired:
            await verifier.verify(desk.token(desk.claims(exp=1)))
        return [str(first.subject), str(second.subject), expired.value.code, verifier.status()[0].keys]

    assert asyncio.run(walk()) == ["caller-1", "caller-1", "token_expired", "fresh"]
    assert provider.asked == [KEYS]


def test_what_is_wrong_with_an_unproved_token_is_not_told(desk: Any) -> None:
    verifier = desk.verifier(desk.rule(jwks=desk.jwks("rsa", "rsa-2")))
    wrong: dict[str, Any] = {"exp": desk.now - 1, "nbf": desk.now + 9, "aud": "other", "nonce": "n", "sub": 5}
    told = set()
    for name, value in wrong.items():
        forged = desk.token(desk.claims(**{name: value}), signer="rsa-2", kid="kid-rsa")
        error = desk.rejection(lambda forged=forged: verifier.verify(forged))
        told.add((error.code, error.status, error.public_description, error.signature_held))
    assert told == {("signature_invalid", 401, "The access token is invalid", False)}


def test_early_refusals_hold_no_proof_even_where_claims_were_judged(desk: Any) -> None:
    verifier = desk.verifier(desk.rule(jwks=..., jwks_uri=KEYS))
    error = desk.rejection(lambda: verifier.verify(desk.token(desk.claims(exp=1))))
    assert (error.code, error.signature_held, error.public_description) == ("token_expired", False, "The access token is invalid")


def test_an_outage_says_when_to_come_back_and_what_was_asked_for(desk: Any) -> None:
    def down(request: FetchRequest) -> FetchResponse:
        raise FetchFailed("connect", "down")

    verifier = desk.verifier(desk.rule(jwks=..., jwks_uri=KEYS), fetch=down)
    error = desk.rejection(lambda: verifier.verify(desk.token()))
    assert isinstance(error, KeysUnavailable)
    assert (error.status, error.error, error.kid, error.issuer) == (503, None, "kid-rsa", desk.issuer)
    assert 0 < (error.retry_after or 0) <= 30
    assert error.key_age is None


def test_a_client_that_raises_anything_at_all_is_an_outage(desk: Any) -> None:
    def broken(request: FetchRequest) -> FetchResponse:
        raise ZeroDivisionError("secret")

    verifier = desk.verifier(desk.rule(jwks=..., jwks_uri=KEYS), fetch=broken)
    assert desk.verdict(verifier, desk.token()) == "keys_unavailable"


@pytest.mark.parametrize("code", ["token_expired", "audience_not_accepted", "claim_missing"])
def test_a_proved_token_is_told_why(desk: Any, code: str) -> None:
    values = outcomes(desk)[code]
    error = desk.rejection(lambda: desk.verifier().authenticate(values))
    assert error.code == code
    assert error.signature_held
    assert error.public_description == error.description
    assert (error.issuer, error.kid, error.algorithm) == (desk.issuer, "kid-rsa", "RS256")


def test_no_rejection_drags_another_exception_behind_it(desk: Any) -> None:
    for code, values in outcomes(desk).items():
        if code != "accepted":
            error = desk.rejection(lambda values=values: desk.verifier().authenticate(values))
            assert error.__cause__ is None
            assert error.__suppress_context__ or error.__context__ is None


def test_static_keys_never_age_and_are_never_fetched(desk: Any) -> None:
    verifier = desk.verifier()
    (status,) = verifier.status()
    assert (status.source, status.keys, status.fetch, status.usable, status.fetches) == ("configuration", "static", "none", 1, 0)
    assert verifier.warm_up(0.0) is True
    error = desk.rejection(lambda: verifier.verify(desk.token(desk.claims(exp=1))))
    assert error.key_age is None


@pytest.mark.parametrize("text", ["Bearer {}", "bearer {}", b"BEARER x"])
def test_a_whole_header_value_passed_to_verify_says_what_to_call_instead(desk: Any, text: str | bytes) -> None:
    value = text.format(desk.token()) if isinstance(text, str) else text
    refused = desk.rejection(lambda: desk.verifier().verify(value))
    assert refused.code == "malformed_token"
    assert "authenticate()" in refused.hint
