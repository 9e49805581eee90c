"""`tokenward keys` as people and scripts call it: one look, its report and its exit code.

Mostly in this process, which is faster.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tokenward.testing import IssuerServer, LocalIssuer, OidcIssuer

Run = Callable[..., Any]


def test_an_issuers_keys_are_shown_with_what_a_verifier_makes_of_them(looked: Run, oidc: OidcIssuer) -> None:
    oidc.publish_odd_keys()
    done = looked(oidc.issuer)
    assert (done.returncode, done.stderr) == (0, "")
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
    assert (done.returncode, long) == (0, [])


def test_help_fits_80_columns(called: Run) -> None:
    done = called("keys", "--help", COLUMNS="80")
    assert done.returncode == 0
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "examples:" in done.stdout
