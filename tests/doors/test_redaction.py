"""What a log shows of a stranger's texts: no token, whichever part of it is pasted wherever; but every name operators compare."""

from __future__ import annotations

import json
import time
import uuid
from base64 import urlsafe_b64encode
from hashlib import sha256, sha512
from typing import Any

import pytest

from tokenward import Verifier
from tokenward.diagnostics import Diagnostics, shown
from tokenward.middleware.wsgi import BearerMiddleware
from tokenward.redaction import IDENTIFIER, SEGMENT, SLICE
from tokenward.testing import LocalIssuer, SigningKey


def b64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _with_header(token: str, text: str) -> str:
    return ".".join([b64(text.encode()), *token.split(".")[1:]])


SPACED = [
    pytest.param('{"alg":"RS256"}', id="the shortest header"),
    pytest.param('{"alg":"RS256","typ":"JWT","kid":"a"}', id="no white space"),
    pytest.param('{ "alg": "RS256" }', id="a space behind the brace"),
    pytest.param(' {"alg":"RS256"}', id="a space before it"),
    pytest.param('   \n{"alg":"RS256"}', id="three spaces and a line break"),
    pytest.param('\n{"alg":"RS256"}', id="a line break"),
    pytest.param('\r\n{\r\n"alg":"RS256"}', id="line breaks of Windows"),
    pytest.param('\t{\t"alg":"RS256"}', id="tabs"),
    pytest.param('{"kid":"\u0142\u00f3d\u017a","alg":"RS256"}', id="text outside ASCII"),
]


@pytest.mark.parametrize("header", SPACED)
@pytest.mark.parametrize("text", ["{}", "Bearer {}", "x{}", "/jobs/{}/edit", "a,{}", "https://idp.example/{}"])
def test_a_header_is_masked_whatever_white_space_it_has(header: str, text: str) -> None:
    segment = b64(header.encode())
    assert segment not in str(shown(text.format(segment)))
    assert "<token>" in str(shown(text.format(segment)))


def _parts(token: str) -> dict[str, str]:
    header, claims, signature = token.split(".")
    return {
        "the whole": token,
        "header and claims": f"{header}.{claims}",
        "the header": header,
        "the claims": claims,
        "the signature": signature,
        "claims and signature": f"{claims}.{signature}",
        "no signature": f"{header}.{claims}.",
        "the whole behind a letter": f"x{token}",
        "a slice of the claims": claims[33:97],
        "a short slice of the claims": claims[41 : 41 + SLICE],
        "the end of the claims": claims[-50:],
        "half of the signature": signature[: len(signature) // 2],
        "the first 200 characters": token[:200],
        "200 characters of the middle": token[150:350],
        "a header with a space in front": _with_header(token, ' {"alg":"RS256"}'),
        "the whole in small letters": token.lower(),
        "the whole in capitals": token.upper(),
    }


PARTS = list(_parts("a.b.c"))
PLACES = ["iss", "aud", "kid", "typ", "tid", "ver", "path", "method"]


@pytest.fixture(scope="module")
def inner() -> dict[str, str]:
    """Parts of a token that is good somewhere."""
    return _parts(LocalIssuer().user_token(scopes=["jobs.read"]))


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("place", PLACES)
def test_no_part_of_a_token_is_logged_wherever_it_is_pasted(doors: Any, inner: dict[str, str], place: str, part: str) -> None:
    pasted = inner[part][:200] if place == "kid" else inner[part]
    logged: list[str] = []

    class Logger:
        def info(self, event: str, **fields: Any) -> None:
            logged.append(json.dumps(fields))

        warning = error = info

    diagnostics = Diagnostics(logger=Logger())
    app = BearerMiddleware(doors.wsgi_echo, verifier=Verifier(doors.policy(), fetch=doors.issuer.fetch), diagnostics=diagnostics)
    environ = {"REQUEST_METHOD": pasted if place == "method" else "GET", "PATH_INFO": f"/{pasted if place == 'path' else ''}"}
    if place not in ("path", "method"):
        minted = {"header" if place in ("kid", "typ") else "claims": {place: pasted}}
        environ["HTTP_AUTHORIZATION"] = doors.bearer(**minted).decode()
    app(environ, lambda *args: None)  # type: ignore[arg-type]
    [line] = logged
    assert pasted not in line
    assert "eyJ" not in line
    for start in range(0, len(pasted) - IDENTIFIER, 8):
        assert pasted[start : start + IDENTIFIER].lower() not in line.lower()


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "ES384", "ES512", "EdDSA"])
def test_a_signature_alone_is_masked_for_every_algorithm(algorithm: str) -> None:
    for _ in range(20):
        key = SigningKey.generate(algorithm)
        signature = b64(key.sign(b"anything"))
        assert shown(signature) == "<token>"
        assert shown(f"kid/{signature}") == "kid/<token>"


READABLE = {
    "an Entra kid": "nOo3ZDrODXEK1jKWhXslHR_KXEg",
    "a thumbprint": b64(sha256(b"key").digest()),
    "a kid of 64 in mixed case": b64(sha512(b"key").digest()[:48]),
    "a Databricks kid": sha256(b"key").hexdigest(),
    "a kid in capitals": sha256(b"key").hexdigest().upper(),
    "a hash of 128": sha512(b"key").hexdigest(),
    "a GUID": str(uuid.UUID(int=0x72F988BF86F141AF91AB2D7CD011DB47)),
    "two GUIDs": "11111111-2222-3333-4444-555555555555_72f988bf-86f1-41af-91ab-2d7cd011db47",
    "an Entra issuer": "https://login.microsoftonline.com/72f988bf-86f1-41af-91ab-2d7cd011db47/v2.0",
    "an issuer with long names": "https://login-something-production.identity-platform.company.example/realms/main-production",
    "a Cognito issuer": "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_AbCdEfGhI",
    "a Google client": "123456789012-abcdefghijklmnopqrstuvwxyz012345.apps.googleusercontent.com",
    "a Databricks host": "adb-1234567890123456.16.azuredatabricks.net",
    "an audience": "api://11111111-2222-3333-4444-555555555555",
    "a scope": "https://graph.microsoft.com/User.ReadWrite.All",
    "a role": "DelegatedPermissionGrant.ReadWrite.All",
    "a path": "/api/2.1/jobs/runs/get-output/0123456789abcdef0123456789abcdef/",
    "a slug": "/how-to-configure-authentication-for-your-web-service-with-access-tokens-in-five-minutes",
    "a type": "application/at+jwt",
}


@pytest.mark.parametrize("name", READABLE)
def test_what_operators_compare_stays_readable(name: str) -> None:
    assert shown(READABLE[name]) == READABLE[name]


def test_identifiers_are_hardly_ever_taken_for_a_token() -> None:
    """Pseudo-random ones, always the same, of the lengths that kids have."""
    digests = [sha512(str(number).encode()).digest() for number in range(5000)]
    masked = {length: sum(shown(b64(digest[:length])) == "<token>" for digest in digests) for length in (16, 20, 32, 48)}
    assert masked == {16: 0, 20: 0, 32: 0, 48: 0}
    assert not any(shown(digest.hex()[:length]) == "<token>" for digest in digests for length in (32, 40, 64, 128))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("aB" * (IDENTIFIER // 2), "aB" * (IDENTIFIER // 2), id="mixed case, as long as an identifier"),
        pytest.param("aB" * (IDENTIFIER // 2) + "a", "<token>", id="mixed case, longer"),
        pytest.param("ab-z" * 20, "ab-z" * 20, id="words in one case, longer"),
        pytest.param("AB_Z" * 20, "AB_Z" * 20, id="words in capitals, longer"),
        pytest.param("ab-z" * 20 + "1", "<token>", id="words and a digit, longer"),
        pytest.param("ab-1" * 20, "ab-1" * 20, id="hexadecimal, longer"),
        pytest.param("ab-1" * 20 + "A", "<token>", id="hexadecimal of mixed case, longer"),
        pytest.param(b64(b'{"a":"b","c":1}')[:SEGMENT], "<token>", id="the shortest segment"),
        pytest.param(b64(b'{"a":"b","c":1}')[: SEGMENT - 1], b64(b'{"a":"b","c":1}')[: SEGMENT - 1], id="shorter"),
        pytest.param(b64(b"plain words, no quotation mark")[:SLICE], "<token>", id="text without a quotation mark"),
        pytest.param(b64(b"plain words, no")[:SEGMENT], b64(b"plain words, no")[:SEGMENT], id="too short for that"),
        pytest.param("dapi0123456789abcdef0123456789abcdef", "<token>", id="a Databricks personal access token"),
        pytest.param("/x/dapi0123456789abcdef0123456789abcdef-3/y", "/x/<token>/y", id="one in a path"),
    ],
)
def test_the_rule_is_exact(text: str, expected: str) -> None:
    assert shown(text) == expected


def test_a_text_of_any_length_costs_little_to_look_at() -> None:
    """Only so much is looked at as could be shown."""
    long = "aB3-" * 1_000_000
    assert shown(long) == "<token>..."
    assert shown("/" + "ab/" * 1_000_000) == ("/" + "ab/" * 67)[:200] + "..."


@pytest.mark.parametrize("unit", ["a.", "abcdefghijklmnopqrst.", "A" * 60 + ".", "eyJ."])
def test_a_text_of_many_parts_costs_no_more_than_a_moment(unit: str) -> None:
    """Ten such texts may be in one event. The shortest of three CPU times counts; the bound is twenty times what was measured."""
    texts, times = [unit * (16_000 // len(unit))] * 10, []
    for _ in range(3):
        begin = time.thread_time()
        shown(texts)
        times.append(time.thread_time() - begin)
    assert min(times) < 0.05
