"""`tokenward decode`: what a token says, loudly unverified, and nothing that must not be seen."""

from __future__ import annotations

import codecs
import json
import time
from pathlib import Path
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


@pytest.mark.parametrize(
    ("encoding", "mark"),
    [
        pytest.param("utf-8", b"", id="UTF-8"),
        pytest.param("utf-8", codecs.BOM_UTF8, id="UTF-8 with a mark"),
        pytest.param("utf-16-le", codecs.BOM_UTF16_LE, id="of Windows PowerShell's redirection"),
        pytest.param("utf-16-be", codecs.BOM_UTF16_BE, id="UTF-16 the other way round"),
    ],
)
def test_a_files_encoding_is_told_by_its_mark(called: Any, entra_issuer: Any, tmp_path: Path, encoding: str, mark: bytes) -> None:
    file = tmp_path / "token.txt"
    file.write_bytes(mark + f"TOKEN={entra_issuer.user_token()}\r\n".encode(encoding))
    done = called("decode", "--json", "--token-file", str(file))
    assert (done.returncode, json.loads(done.stdout)["what"]["kind"]) == (0, "entra_user_token"), done.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        pytest.param(["{}"], "unrecognized arguments: <token>.", id="an argument"),
        pytest.param(["--token={}"], "unrecognized arguments: --token=<token>.", id="an option that there is not"),
        pytest.param(["--token-env", "{}"], "The environment variable <token> is not set, or empty.", id="a name"),
        pytest.param(["--token-file", "{}"], "<token> cannot be read (File name too long).", id="a path"),
    ],
)
def test_a_token_among_the_arguments_is_one_word_of_a_sentence(
    called: Any, entra_issuer: Any, arguments: list[str], told: str
) -> None:
    token = entra_issuer.user_token(claims={"groups": ["00000000-0000-4000-8000-000000000000"] * 20})
    done = called("decode", "--json", *[argument.format(token) for argument in arguments])
    assert f": {told}\n" in done.stderr
    assert json.loads(done.stdout)["error_description"] == told


def test_what_could_be_a_token_is_masked_in_a_claim(called: Any, entra_issuer: Any) -> None:
    token = entra_issuer.user_token()
    assert json.loads(called("decode", "--json", stdin=token).stdout)["claims"]["aio"] == "<token>"
    assert "there stands <token>" in " ".join(called("decode", "--help").stdout.split())
