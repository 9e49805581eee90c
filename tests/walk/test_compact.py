"""The compact serialisation: three parts, each strict (RFC 7515 section 7.1)."""

from __future__ import annotations

from typing import Any

import pytest

from tokenward.policy import Policy
from tokenward.token.compact import REMEMBERED_HEADERS, Opener


@pytest.mark.parametrize(
    "token",
    [
        pytest.param("", id="empty"),
        pytest.param(".", id="one dot"),
        pytest.param("..", id="two dots"),
        pytest.param("...", id="three dots"),
        pytest.param("....", id="four dots"),
        pytest.param("." * 16384, id="nothing but dots"),
        pytest.param("a", id="one character"),
        pytest.param("a.b", id="two parts"),
        pytest.param("a.b.c", id="three parts of nothing"),
        pytest.param("a.b.c.d", id="four parts"),
        pytest.param("a.b.c.d.e.f", id="six parts"),
        pytest.param("dapi0123456789abcdef0123456789abcdef", id="a Databricks personal access token"),
        pytest.param("\u20ac.\u20ac.\u20ac", id="text outside ASCII"),
        pytest.param("\ud800", id="a lone surrogate"),
        pytest.param("{}", id="JSON"),
        pytest.param("\x00" * 100, id="NUL"),
        pytest.param(b"\xff\xfe\xfd", id="any bytes"),
    ],
)
def test_what_is_not_three_parts_is_malformed(desk: Any, token: str | bytes) -> None:
    assert desk.verdict(desk.verifier(), token) == "malformed_token"


def test_an_encrypted_token_is_named_as_such(desk: Any) -> None:
    header = desk.b64(b'{"alg":"RSA-OAEP","enc":"A256GCM"}')
    rejection = desk.rejection(lambda: desk.verifier().verify(f"{header}.a.b.c.d"))
    assert (rejection.code, "JWE" in rejection.reason) == ("malformed_token", True)


def test_every_change_of_the_form_is_refused(desk: Any) -> None:
    header, claims, signature = desk.token().split(".")
    forms = [
        f"{header}.{claims}",
        f"{header}.{claims}.",
        f".{claims}.{signature}",
        f"{header}..{signature}",
        f"{header}.{claims}.{signature}.",
        f".{header}.{claims}.{signature}",
        f"{header}.{claims}.{signature}=",
        f"{header}=.{claims}.{signature}",
        f"{header}.{claims} .{signature}",
        f" {header}.{claims}.{signature}",
        f"{header}.{claims}.{signature}\n",
        f"{header}.{claims}.{signature}.{signature}",
        f"{header}.{claims}.!{signature}",
    ]
    assert desk.verdicts(desk.verifier(), forms) <= {"malformed_token", "signature_invalid"}
    assert desk.verdict(desk.verifier(), forms[1]) == "signature_invalid"


@pytest.mark.parametrize(
    "claims",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b"null", id="null"),
        pytest.param(b'"text"', id="a string"),
        pytest.param(b"not json", id="text"),
        pytest.param(b'{"exp":NaN}', id="NaN"),
        pytest.param(b'{"exp":1e999}', id="a number beyond every double"),
        pytest.param(b'{"a":"\xff"}', id="invalid UTF-8"),
        pytest.param(b'{"a":"\\ud800"}', id="a lone surrogate"),
        pytest.param(b"[" * 8000, id="deep nesting"),
    ],
)
def test_claims_that_are_no_strict_json_object_are_malformed_though_genuinely_signed(desk: Any, claims: bytes) -> None:
    assert desk.verdict(desk.verifier(), desk.token(claims)) == "malformed_token"


def test_of_claims_named_twice_the_last_is_judged(desk: Any) -> None:
    once = desk.token(desk.claims())
    assert desk.verdict(desk.verifier(), once) == "accepted"
    tail = b',"exp":1}'
    claims = b'{"iss":"https://idp.example/","aud":"api://jobs","exp":1900000000' + tail
    assert desk.verdict(desk.verifier(), desk.token(claims)) == "token_expired"


def test_a_token_over_the_limit_is_refused_unread_and_one_at_the_limit_is_not(desk: Any) -> None:
    policy = Policy([desk.rule()], max_token_bytes=1024)
    verifier = desk.verifier(policy=policy)
    assert desk.verdict(verifier, "x" * 1025) == "token_too_large"
    assert desk.verdict(verifier, "x" * 1024) == "malformed_token"
    too_large = desk.rejection(lambda: verifier.verify("x" * 2000))
    assert (too_large.expected, too_large.actual) == (1024, 2000)


def test_headers_are_remembered_only_when_told_and_never_without_end(desk: Any) -> None:
    opener = Opener()
    first = opener.open(desk.token().encode())
    opener.remember_header(first)
    assert opener.open(desk.token().encode()).header is first.header
    for number in range(REMEMBERED_HEADERS):
        opener.remember_header(opener.open(desk.token(kid=f"k{number}", signature=b"x").encode()))
    again = opener.open(desk.token().encode()).header
    assert again == first.header
    assert again is not first.header


def test_a_refused_token_leaves_no_header_behind(desk: Any) -> None:
    verifier = desk.verifier()
    genuine = desk.token(kid="kid-rsa", extra="member")
    forged = genuine[: genuine.rindex(".")] + "." + desk.b64(b"x" * 256)
    assert desk.verdicts(verifier, [forged, forged]) == {"signature_invalid"}
    assert desk.verdict(verifier, genuine) == "accepted"
    assert desk.verdict(verifier, forged) == "signature_invalid"


def test_claims_of_very_many_small_parts_are_malformed_and_what_tokens_hold_is_not(desk: Any) -> None:
    verifier = desk.verifier(policy=Policy([desk.rule()], max_token_bytes=1024 * 1024))
    assert desk.verdict(verifier, desk.token(desk.claims(x=[[]] * 4000))) == "malformed_token"
    assert desk.verdict(verifier, desk.token(desk.claims(x=[1.5] * 4000))) == "malformed_token"
    by_client = {f"client-{number}": {"roles": ["view"]} for number in range(2000)}
    assert desk.verdict(verifier, desk.token(desk.claims(resource_access=by_client, roles=["Reader"] * 4000))) == "accepted"
