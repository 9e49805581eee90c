"""`tokenward decode`: what a token says, loudly unverified, and nothing that must not be seen."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest


def test_it_says_that_nothing_was_verified_first_and_last(called: Any, entra_issuer: Any) -> None:
    done = called("decode", stdin=entra_issuer.user_token(key=entra_issuer.stranger_key()))
    lines = done.stdout.splitlines()
    assert done.returncode == 0
    assert [line.startswith("NOTHING WAS VERIFIED") for line in (lines[0], lines[-1])] == [True, True]


def test_claims_have_meanings_and_times_of_the_day(tokenward: Any, entra_issuer: Any) -> None:
    token = entra_issuer.user_token(now=1_800_000_000)
    done = tokenward("decode", stdin=token, TZ="Europe/Berlin")
    assert [
        word for word in ("1800003600", "2027-01-15 09:00:00 UTC", "2027-01-15 10:00:00 CET") if word not in done.stdout
    ] == []
    assert "RS256" in done.stdout
    assert "Entra" in done.stdout


def test_the_signature_is_not_printed(called: Any, entra_issuer: Any) -> None:
    token = entra_issuer.user_token(claims={"inner": entra_issuer.user_token()})
    for more in ((), ("--json",)):
        done = called("decode", *more, stdin=token)
        assert token.rpartition(".")[2] not in done.stdout
        assert entra_issuer.user_token().split(".")[0] not in done.stdout


def test_json_has_the_claims_as_they_are(tokenward: Any, entra_issuer: Any) -> None:
    done = tokenward("decode", "--json", stdin=entra_issuer.user_token(claims={"name": "J\u00fcrgen", "groups": ["a"] * 50}))
    document = json.loads(done.stdout)
    assert document["verified"] is False
    assert document["header"]["alg"] == "RS256"
    assert (document["claims"]["name"], len(document["claims"]["groups"])) == ("J\u00fcrgen", 50)
    assert document["claims"]["exp"] > time.time()


def test_redact_leaves_types_and_lengths(called: Any, entra_issuer: Any) -> None:
    token = entra_issuer.user_token(claims={"name": "Private Person"})
    for more in ((), ("--json",)):
        done = called("decode", "--redact", *more, stdin=token)
        assert "Private Person" not in done.stdout
        assert "<text of 14 characters>" in done.stdout


def test_redact_hides_of_the_header_what_explain_hides(called: Any, entra_issuer: Any) -> None:
    token = entra_issuer.user_token(header={"secret_note": "ada@contoso.example"})
    for command in (("decode",), ("decode", "--json"), ("explain", "--json"), ("explain", "--all")):
        done = called(*command, "--redact", stdin=token)
        assert "ada@contoso.example" not in done.stdout
    decoded, explained = (json.loads(called(name, "--redact", "--json", stdin=token).stdout) for name in ("decode", "explain"))
    assert decoded["header"] == explained["header"]
    assert (decoded["header"]["alg"], decoded["header"]["secret_note"]) == ("RS256", "<text of 19 characters>")
    assert "ada@contoso.example" in called("decode", stdin=token).stdout


def test_what_a_claim_holds_cannot_move_the_terminal(called: Any, entra_issuer: Any) -> None:
    done = called("decode", stdin=entra_issuer.user_token(claims={"name": "a\x1b[2J\nsub  me\u202e", "x\x1b": 1}))
    assert "\x1b" not in done.stdout
    assert "\u202e" not in done.stdout


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("", "no token", id="nothing"),
        pytest.param("dapi0123456789abcdef0123456789abcdef", "personal access token", id="a PAT"),
        pytest.param("eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0..b.c.d", "encrypted", id="an encrypted token"),
        pytest.param("a.b.c", "cannot be decoded", id="three parts of nothing"),
    ],
)
def test_what_cannot_be_decoded_ends_with_what_to_do_next(called: Any, text: str, words: str) -> None:
    done = called("decode", stdin=text)
    assert done.returncode == 4
    assert words in done.stderr
    assert "next:" in done.stderr
