"""Tokens that the issuer itself signed, with something in them that no token may hold: refused all the same, by name."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tokenward import AuthenticationError, Issuer, Policy, Verifier

HEADER = {"alg": "EdDSA", "kid": "ed"}
WRONG_TYPES = [
    pytest.param(b"5", id="a number"),
    pytest.param(b"0", id="zero"),
    pytest.param(b"0.5", id="a fraction"),
    pytest.param(b"true", id="true"),
    pytest.param(b"false", id="false"),
    pytest.param(b"[]", id="an empty list"),
    pytest.param(b'["caller"]', id="a list of a string"),
    pytest.param(b"{}", id="an empty object"),
    pytest.param(b'{"sub":"caller"}', id="an object"),
]
NOT_FINITE = ["NaN", "Infinity", "-Infinity", "1e999", "-1e999", "nan", "-NaN", "1e400"]
PLACES = [
    pytest.param('"exp":%s', id="exp"),
    pytest.param('"nbf":%s', id="nbf"),
    pytest.param('"iat":%s', id="iat"),
    pytest.param('"sub":%s', id="sub"),
    pytest.param('"jti":%s', id="jti"),
    pytest.param('"iss":%s', id="iss"),
    pytest.param('"aud":%s', id="aud"),
    pytest.param('"aud":["api://jobs",%s]', id="beside our own audience"),
    pytest.param('"scp":[%s]', id="a scope"),
    pytest.param('"roles":[%s]', id="a role"),
    pytest.param('"x":%s', id="an unknown claim"),
    pytest.param('"x":[1,[2,{"y":%s}]]', id="deep inside an unknown claim"),
    pytest.param('"x":%s,"x":1', id="a claim that a later one replaces"),
    pytest.param('"%s":1', id="no number but a name, which is harmless"),
]


def claims_with(bench: Any, member: bytes) -> bytes:
    """Good claims and, after them, so that it counts, one more member."""
    good: bytes = json.dumps(bench.claims()).encode()
    return good[:-1] + b"," + member + b"}"


def verdict(verifier: Verifier, token: str) -> tuple[str, str | None]:
    try:
        verifier.verify(token)
    except AuthenticationError as error:
        return error.code, error.claim
    return "accepted", None


@pytest.fixture(params=["not remembering", "remembering", "keys that cannot be had"])
def verifier(request: pytest.FixtureRequest, bench: Any) -> Verifier:
    """Of every kind: a token that cannot pass must not cost a fetch either, so even without keys its fault is named."""
    made: dict[str, Verifier] = {
        "not remembering": bench.verifier,
        "remembering": bench.remembering,
        "keys that cannot be had": bench.without_keys,
    }
    return made[request.param]


@pytest.mark.parametrize("value", WRONG_TYPES)
@pytest.mark.parametrize("name", ["sub", "jti"])
def test_a_subject_or_token_id_that_is_no_string_is_malformed(bench: Any, verifier: Verifier, name: str, value: bytes) -> None:
    token = bench.sign(HEADER, claims_with(bench, b'"%s":%s' % (name.encode(), value)))
    assert [verdict(verifier, token) for _ in range(2)] == [("claim_malformed", name)] * 2


@pytest.mark.parametrize("name", ["sub", "jti"])
def test_a_subject_or_token_id_of_null_is_absent(bench: Any, name: str) -> None:
    token = bench.sign(HEADER, claims_with(bench, b'"%s":null' % name.encode()))
    assert verdict(bench.verifier, token) == ("accepted", None)


@pytest.mark.parametrize("value", WRONG_TYPES)
def test_another_claim_for_the_subject_is_judged_likewise(bench: Any, value: bytes) -> None:
    issuer = Issuer(bench.issuer, audiences=[bench.audience], algorithms=["EdDSA"], jwks=bench.jwks, subject_claim="oid")
    verifier = Verifier(Policy([issuer]), clock=lambda: bench.now)
    assert verdict(verifier, bench.sign(HEADER, claims_with(bench, b'"oid":%s' % value))) == ("claim_malformed", "oid")


@pytest.mark.parametrize("number", NOT_FINITE)
@pytest.mark.parametrize("place", PLACES)
def test_a_number_that_is_none_is_malformed_anywhere_in_the_claims(
    bench: Any, verifier: Verifier, place: str, number: str
) -> None:
    token = bench.sign(HEADER, claims_with(bench, (place % number).encode()))
    harmless = place == '"%s":1'
    if harmless and verifier is bench.without_keys:
        assert verdict(verifier, token) == ("keys_unavailable", None)
    else:
        assert verdict(verifier, token) == (("accepted", None) if harmless else ("malformed_token", None))


@pytest.mark.parametrize("number", NOT_FINITE)
@pytest.mark.parametrize(
    "place", ['"x":%s', '"x":[1,{"y":%s}]', '"kid":%s', '"typ":%s', '"x":%s,"y":1'], ids=["x", "deep", "kid", "typ", "first"]
)
def test_a_number_that_is_none_is_malformed_anywhere_in_the_header(
    bench: Any, verifier: Verifier, place: str, number: str
) -> None:
    header = b'{"alg":"EdDSA","kid":"ed",' + (place % number).encode() + b"}"
    assert verdict(verifier, bench.sign(header, bench.claims())) == ("malformed_token", None)
