"""`tokenward keys` as people and scripts call it: one look, its report and its exit code.

Mostly in this process, which is faster.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tokenward.cli.keys_report import print_report
from tokenward.keys.port import MAX_BODY_BYTES
from tokenward.testing import IssuerServer, LocalIssuer, OidcIssuer
from tokenward.troubleshoot import keys_of

Run = Callable[..., Any]


def test_an_issuers_keys_are_shown_with_what_a_verifier_makes_of_them(looked: Run, oidc: OidcIssuer) -> None:
    oidc.publish_odd_keys()
    done = looked(oidc.issuer)
    assert (done.returncode, done.stderr) == (1, "")
    rows = {line.split()[0]: line.split()[1:] for line in done.stdout.splitlines() if line.strip()}
    assert rows["odd-small"][:2] == ["no:", "RSA"]
    assert {"1024", "sig"} < set(rows["odd-small"])
    assert rows[oidc.signing_key.kid] == ["yes", "RSA", "RS256", "sig", "2048", "2050-01-01", "-"]
    assert "critical: A symmetric key (kty oct) is published" in done.stdout
    assert "bm90LWEtc2VjcmV0" not in done.stdout
    assert done.stdout.rstrip().splitlines()[-1].startswith("A verifier can use ")


def test_machines_get_the_same_as_json(looked: Run, oidc: OidcIssuer) -> None:
    done = looked(oidc.issuer, "--json")
    report = json.loads(done.stdout)
    assert (done.returncode, report["verdict"], report["issuer"]) == (0, "usable", oidc.issuer)
    assert [(key["kid"], key["usable"], key["serves"]) for key in report["keys"]] == [(oidc.signing_key.kid, True, ["RS256"])]
    assert report.keys() == {
        *("at", "verdict", "failure", "issuer", "discovery", "jwks", "max_age", "refresh_after", "keys", "cautions", "next")
    }


def test_the_keys_of_entra_are_shown_with_what_they_are_bound_to(looked: Run, issuer: LocalIssuer, served: IssuerServer) -> None:
    done = looked(f"{served.url}/{issuer.tenant}/v2.0/.well-known/openid-configuration")
    assert done.returncode == 0
    assert f"keys bound to  https://login.microsoftonline.com/{issuer.tenant}/v2.0" in done.stdout


def test_an_address_of_keys_needs_no_issuer(called: Run, oidc: OidcIssuer) -> None:
    done = called("keys", "--jwks", oidc.jwks_uri, "--json")
    assert (done.returncode, json.loads(done.stdout)["discovery"]) == (0, None)


def test_a_file_of_keys_is_judged_before_it_is_published(called: Run, oidc: OidcIssuer, tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    file.write_text(json.dumps(oidc.jwks()))
    people, machines = called("keys", "--jwks", str(file)), called("keys", "--jwks", str(file), "--json")
    report = json.loads(machines.stdout)
    assert (people.returncode, machines.returncode, report["verdict"]) == (0, 0, "usable")
    assert [key["kid"] for key in report["keys"]] == [oidc.signing_key.kid]
    assert (report["jwks"]["url"], report["jwks"]["size"]) == (str(file), len(file.read_bytes()))
    assert f"a file of {len(file.read_bytes())} bytes" in people.stdout
    assert (report["max_age"], report["refresh_after"], report["discovery"]) == (None, None, None)
    assert [request for request in oidc.requests if "jwks" in request or "keys" in request] == []


@pytest.mark.parametrize(
    ("more", "changed", "code"),
    [
        pytest.param([], {}, 0, id="nothing"),
        pytest.param([], {"x5c": ["no certificate"]}, 0, id="a warning"),
        pytest.param([], {"d": "bm90IGEga2V5"}, 1, id="a private member"),
        pytest.param([{"kty": "oct", "kid": "s", "k": "bm90IGEga2V5"}], {}, 1, id="a symmetric key"),
    ],
)
def test_a_published_secret_is_a_no_although_there_are_usable_keys(
    called: Run, oidc: OidcIssuer, tmp_path: Path, more: list[object], changed: dict[str, object], code: int
) -> None:
    (jwk,) = oidc.jwks()["keys"]
    file = tmp_path / "keys.json"
    file.write_text(json.dumps({"keys": [jwk, {**jwk, "kid": "changed", **changed}, *more]}))
    people, machines = called("keys", "--jwks", str(file)), called("keys", "--jwks", str(file), "--json")
    report = json.loads(machines.stdout)
    assert (people.returncode, machines.returncode, report["verdict"]) == (code, code, "usable")
    assert ("critical: " in people.stdout.splitlines()[-1]) == (code == 1)


@pytest.mark.parametrize(
    ("content", "code", "words"),
    [
        pytest.param(b'{"keys": []}', 1, "A verifier has no key", id="no keys"),
        pytest.param(b"<html>", 1, "A verifier has no key", id="no JSON"),
        pytest.param(b" " * (MAX_BODY_BYTES + 1), 2, "larger than verifiers read", id="too large"),
        pytest.param(None, 2, "No such file", id="no file"),
    ],
)
def test_a_file_without_keys_ends_with_what_to_do(
    called: Run, tmp_path: Path, content: bytes | None, code: int, words: str
) -> None:
    if content is not None:
        (tmp_path / "keys.json").write_bytes(content)
    done = called("keys", "--jwks", str(tmp_path / "keys.json"))
    assert done.returncode == code
    assert words in done.stdout + done.stderr
    assert "next:" in (done.stdout + done.stderr).lower()


@pytest.mark.parametrize(
    ("spoiled", "words"),
    [
        pytest.param({"d": "AQAB"}, "never uses this key; any others serve on", id="a private key"),
        pytest.param({"n": "not base64url!"}, "skips this key; any others serve on", id="a key that cannot be read"),
    ],
)
def test_of_one_unusable_key_neither_another_is_promised_nor_another_look(
    called: Run, oidc: OidcIssuer, tmp_path: Path, spoiled: dict[str, object], words: str
) -> None:
    (jwk,) = oidc.jwks()["keys"]
    (tmp_path / "keys.json").write_text(json.dumps({"keys": [{**jwk, **spoiled}]}))
    done = called("keys", "--jwks", str(tmp_path / "keys.json"))
    assert (done.returncode, words in done.stdout) == (1, True)
    assert done.stdout.rstrip().endswith("Next: Ask whoever runs the issuer to publish a usable signing key.")


@pytest.mark.parametrize("others", [["https://idp.example/"], ["--watch"]], ids=["an issuer", "a watch"])
def test_a_file_of_keys_has_no_issuer_and_no_rotation(called: Run, tmp_path: Path, others: list[str]) -> None:
    (tmp_path / "keys.json").write_text('{"keys": []}')
    done = called("keys", "--jwks", str(tmp_path / "keys.json"), *others)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Give --jwks FILE alone." in done.stderr


@pytest.mark.parametrize(
    ("mode", "code"),
    [
        pytest.param("html", 1, id="a login page"),
        pytest.param("redirect", 1, id="a redirect"),
        pytest.param("status", 3, id="503"),
        pytest.param("down", 3, id="nobody there"),
    ],
)
def test_an_issuer_without_keys_ends_with_what_to_do_next(called: Run, oidc: OidcIssuer, mode: Any, code: int) -> None:
    oidc.fail(mode)
    people, machines = called("keys", oidc.issuer), called("keys", oidc.issuer, "--json")
    assert (people.returncode, machines.returncode) == (code, code)
    assert "Next: " in people.stdout.rstrip().splitlines()[-1]
    assert json.loads(machines.stdout)["next"]


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param([], id="nothing"),
        pytest.param(["http://idp.example/"], id="http beyond this machine"),
        pytest.param(["https://idp.example/", "--interval", "5"], id="an interval without a watch"),
        pytest.param(["https://idp.example/", "--watch", "--interval", "0.5"], id="an interval below the floor"),
        pytest.param(["https://idp.example/", "--watch", "--interval", "nan"], id="no number"),
        pytest.param(["http://idp.example/", "--watch"], id="a watch of no issuer"),
        pytest.param(["--jwks", "ftp://idp.example/"], id="keys by ftp"),
    ],
)
def test_what_cannot_be_asked_for_ends_with_what_to_write(called: Run, arguments: list[str]) -> None:
    done = called("keys", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert "next:" in done.stderr


def test_nothing_that_is_published_reaches_the_terminal_as_a_command(called: Run, oidc: OidcIssuer) -> None:
    evil = oidc.signing_key.renamed("\x1b]0;owned\x07" + "k" * 300)
    oidc.keys[:] = [evil]
    people, machines = called("keys", oidc.issuer), called("keys", oidc.issuer, "--json")
    assert "\x1b" not in people.stdout + machines.stdout
    assert "k" * 250 not in people.stdout + machines.stdout


@pytest.mark.parametrize("columns", ["60", "80", "200"])
def test_tables_fit_the_terminal(called: Run, oidc: OidcIssuer, columns: str) -> None:
    oidc.publish_odd_keys()
    done = called("keys", oidc.issuer, COLUMNS=columns)
    tables = done.stdout.split("\ncritical:")[0]
    long = [line for line in tables.splitlines() if len(line) > int(columns) and "http" not in line]
    assert (done.returncode, long) == (1, [])


def test_a_clock_that_differs_is_told_in_words(oidc: OidcIssuer, capsys: pytest.CaptureFixture[str]) -> None:
    print_report(keys_of(oidc.issuer, clock=lambda: time.time() + 3600))
    out = " ".join(capsys.readouterr().out.split())  # its lines may be broken anywhere between words
    assert len(re.findall(r"this machine's clock is 3[56]\d\d s ahead of the (?:server|issuer)'s", out)) == 3


def test_help_fits_80_columns(called: Run) -> None:
    done = called("keys", "--help", COLUMNS="80")
    assert done.returncode == 0
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "examples:" in done.stdout
