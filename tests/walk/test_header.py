"""The JOSE header: what is demanded, refused and ignored (RFC 7515 section 4, RFC 8725)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tokenward.token.header import MAX_KID_CHARS, read_header


@pytest.mark.parametrize(
    ("members", "code"),
    [
        pytest.param({"crit": ["exp"]}, "critical_header_unsupported", id="crit"),
        pytest.param({"crit": []}, "critical_header_unsupported", id="empty crit"),
        pytest.param({"crit": None}, "critical_header_unsupported", id="crit null"),
        pytest.param({"crit": "x"}, "critical_header_unsupported", id="crit of the wrong type"),
        pytest.param({"b64": False}, "critical_header_unsupported", id="b64 false"),
        pytest.param({"b64": True}, "critical_header_unsupported", id="b64 true"),
        pytest.param({"crit": ["b64"], "b64": False}, "critical_header_unsupported", id="unencoded payload"),
        pytest.param({"crit": ["exp"], "alg": "none"}, "critical_header_unsupported", id="crit comes first"),
        pytest.param({"alg": "none"}, "algorithm_not_allowed", id="none"),
        pytest.param({"alg": "None"}, "algorithm_not_allowed", id="None"),
        pytest.param({"alg": "NONE"}, "algorithm_not_allowed", id="NONE"),
        pytest.param({"alg": "nOnE"}, "algorithm_not_allowed", id="nOnE"),
        pytest.param({"alg": "none "}, "algorithm_not_allowed", id="none with a space"),
        pytest.param({"alg": ""}, "algorithm_not_allowed", id="empty alg"),
        pytest.param({"alg": "HS256"}, "algorithm_not_allowed", id="HS256"),
        pytest.param({"alg": "HS384"}, "algorithm_not_allowed", id="HS384"),
        pytest.param({"alg": "HS512"}, "algorithm_not_allowed", id="HS512"),
        pytest.param({"alg": "rs256"}, "algorithm_not_allowed", id="rs256 in lower case"),
        pytest.param({"alg": "Rs256"}, "algorithm_not_allowed", id="mixed case"),
        pytest.param({"alg": "RS256\x00"}, "algorithm_not_allowed", id="RS256 and NUL"),
        pytest.param({"alg": "RS1"}, "algorithm_not_allowed", id="RS1"),
        pytest.param({"alg": "ES256K"}, "algorithm_not_allowed", id="ES256K"),
        pytest.param({"alg": "RSA-OAEP"}, "algorithm_not_allowed", id="an encryption algorithm"),
        pytest.param({"alg": "dir"}, "algorithm_not_allowed", id="dir"),
        pytest.param({"alg": ...}, "malformed_token", id="no alg"),
        pytest.param({"alg": None}, "malformed_token", id="alg null"),
        pytest.param({"alg": ["RS256"]}, "malformed_token", id="alg a list"),
        pytest.param({"alg": {"a": 1}}, "malformed_token", id="alg an object"),
        pytest.param({"alg": True}, "malformed_token", id="alg a boolean"),
        pytest.param({"kid": 1}, "malformed_token", id="kid a number"),
        pytest.param({"kid": ["kid-rsa"]}, "malformed_token", id="kid a list"),
        pytest.param({"kid": {"a": 1}}, "malformed_token", id="kid an object"),
        pytest.param({"kid": False}, "malformed_token", id="kid a boolean"),
        pytest.param({"kid": ""}, "malformed_token", id="kid empty"),
        pytest.param({"kid": "k" * (MAX_KID_CHARS + 1)}, "malformed_token", id="kid too long"),
        pytest.param({"kid": "../../etc/passwd"}, "unknown_key", id="kid a path"),
        pytest.param({"kid": "' OR 1=1 --"}, "unknown_key", id="kid an injection"),
        pytest.param({"kid": "kid-rsa\x00"}, "unknown_key", id="kid and NUL"),
        pytest.param({"kid": "KID-RSA"}, "unknown_key", id="kid in another case"),
        pytest.param({"kid": "k" * MAX_KID_CHARS}, "unknown_key", id="kid of the greatest length"),
        pytest.param({"typ": 1}, "malformed_token", id="typ a number"),
        pytest.param({"typ": ["JWT"]}, "malformed_token", id="typ a list"),
        pytest.param({"typ": "id+jwt"}, "token_type_not_accepted", id="an ID token by typ"),
        pytest.param({"typ": "logout+jwt"}, "token_type_not_accepted", id="a logout token"),
        pytest.param({"typ": "dpop+jwt"}, "token_type_not_accepted", id="a DPoP proof"),
        pytest.param({"typ": "JOSE"}, "token_type_not_accepted", id="JOSE"),
        pytest.param({"typ": ""}, "accepted", id="an empty typ counts as none"),
        pytest.param({"typ": "JWT "}, "token_type_not_accepted", id="typ with a space"),
        pytest.param({"typ": "application/application/jwt"}, "token_type_not_accepted", id="a doubled prefix"),
        pytest.param({"nonce": "abc"}, "token_type_not_accepted", id="a Microsoft Graph nonce"),
        pytest.param({"nonce": 0}, "token_type_not_accepted", id="a nonce of any type"),
        pytest.param({}, "accepted", id="as usual"),
        pytest.param({"kid": None}, "malformed_token", id="kid null"),
        pytest.param({"kid": ...}, "accepted", id="no kid, and a set of one key"),
        pytest.param({"typ": ...}, "accepted", id="no typ"),
        pytest.param({"typ": None}, "malformed_token", id="typ null"),
        pytest.param({"typ": "jwt"}, "accepted", id="jwt"),
        pytest.param({"typ": "at+jwt"}, "accepted", id="at+jwt"),
        pytest.param({"typ": "AT+JWT"}, "accepted", id="AT+JWT"),
        pytest.param({"typ": "application/at+jwt"}, "accepted", id="application/at+jwt"),
        pytest.param({"typ": "Application/AT+JWT"}, "accepted", id="Application/AT+JWT"),
        pytest.param({"nonce": None}, "accepted", id="nonce null"),
        pytest.param({"x5t": "abc", "zip": "none", "cty": "x", "unknown": {"a": [1]}}, "accepted", id="unknown members"),
    ],
)
def test_the_header_decides_only_by_what_it_may_decide(desk: Any, members: dict[str, Any], code: str) -> None:
    assert desk.verdict(desk.verifier(), desk.token(**members)) == code


@pytest.mark.parametrize("algorithm", ["none", "HS256", "ES256", "PS256", "RS384"])
def test_an_algorithm_the_issuer_does_not_list_is_refused_before_any_key_is_looked_for(desk: Any, algorithm: str) -> None:
    provider = desk.provider({})
    verifier = desk.verifier(desk.rule(jwks=..., jwks_uri="https://idp.example/keys"), fetch=provider)
    assert desk.verdict(verifier, desk.token(signature=b"", alg=algorithm)) == "algorithm_not_allowed"
    assert provider.asked == []


@pytest.mark.parametrize("name", ["jku", "x5u", "jwk", "x5c"])
def test_a_key_that_the_token_brings_along_is_not_used(desk: Any, name: str) -> None:
    forged = {
        "jku": "https://evil.example/keys",
        "x5u": "https://evil.example/c",
        "jwk": desk.signers["rsa-2"].jwk,
        "x5c": ["MII"],
    }
    provider = desk.provider({"https://idp.example/keys": desk.jwks()})
    verifier = desk.verifier(desk.rule(jwks=..., jwks_uri="https://idp.example/keys"), fetch=provider)
    token = desk.token(signer="rsa-2", kid="kid-rsa", **{name: forged[name]})
    assert desk.verdict(verifier, token) == "signature_invalid"
    assert provider.asked == ["https://idp.example/keys"]


@pytest.mark.parametrize(
    "header",
    [
        pytest.param(b'{"alg":"RS256","kid":"kid-rsa","alg":"RS256"}', id="alg twice"),
        pytest.param(b'{"alg":"none","kid":"kid-rsa","alg":"RS256"}', id="none, then RS256"),
        pytest.param(b'{"alg":"RS256","kid":"kid-rsa","x":{"y":1,"y":2}}', id="deep inside an unknown member"),
        pytest.param(b'{"alg":"RS256","kid":"kid-rsa","x":NaN}', id="NaN in an unknown member"),
        pytest.param(b'["RS256"]', id="a list"),
        pytest.param(b"null", id="null"),
        pytest.param(b'\xef\xbb\xbf{"alg":"RS256"}', id="byte order mark"),
        pytest.param('{"alg":"RS256"}'.encode("utf-16"), id="UTF-16"),
        pytest.param(b'{"a":' + b"[" * 2000 + b"]" * 2000 + b"}", id="too deep"),
    ],
)
def test_a_header_with_two_readings_or_none_is_malformed(desk: Any, header: bytes) -> None:
    assert desk.verdict(desk.verifier(), desk.raw(header)) == "malformed_token"


def test_the_type_is_read_without_case_and_prefix(desk: Any) -> None:
    header = read_header(desk.b64(json.dumps({"alg": "ES256", "typ": "application/AT+jwt", "kid": "a"}).encode()).encode())
    assert (header.alg, header.kid, header.typ) == ("ES256", "a", "at+jwt")


def test_a_policy_may_insist_on_a_type(desk: Any) -> None:
    verifier = desk.verifier(desk.rule(token_types=["at+jwt"]))
    assert desk.verdict(verifier, desk.token(typ="at+jwt")) == "accepted"
    assert desk.verdicts(verifier, [desk.token(typ="JWT"), desk.token(typ=...)]) == {"token_type_not_accepted"}


def test_a_rejection_of_the_header_names_its_kid_and_algorithm_for_the_log(desk: Any) -> None:
    graph = desk.rejection(lambda: desk.verifier().verify(desk.token(nonce="x")))
    assert (graph.kid, graph.algorithm, graph.claim) == ("kid-rsa", "RS256", "nonce header")
    unsigned = desk.rejection(lambda: desk.verifier().verify(desk.token(alg="none")))
    assert (unsigned.kid, unsigned.actual) == ("kid-rsa", "none")
