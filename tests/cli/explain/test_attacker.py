"""What somebody who writes the token himself gets the commands to print."""

from __future__ import annotations

import json
from typing import Any

import pytest

PRIVATE = "SECRETVALUE-alice@example.com"
FORGED = "forged  by a published key  it holds  ok"


@pytest.mark.parametrize("name", ["exp", "nbf", "iat"])
def test_redact_prints_no_text_that_stands_where_a_time_should_be(
    called: Any, entra_issuer: Any, gateway_toml: str, name: str
) -> None:
    token = entra_issuer.user_token(claims={name: PRIVATE})
    explain = ("explain", "--policy", gateway_toml, "--all")
    assert PRIVATE in called(*explain, stdin=token).stdout
    for command in (explain, (*explain, "--json"), ("decode",), ("decode", "--json")):
        done = called(*command, "--redact", stdin=token)
        assert (PRIVATE in done.stdout, done.stderr) == (False, "")


@pytest.mark.parametrize("command", ["explain", "decode"])
def test_no_command_prints_a_private_key(called: Any, entra_issuer: Any, command: str) -> None:
    jwk = {"kty": "EC", "crv": "P-256", "x": "cHVibGlj", "d": "c2VjcmV0LW9mLWEta2V5"}
    token = entra_issuer.user_token(header={"jwk": jwk}, claims={"cnf": {"jwk": jwk}})
    printed = "".join(called(command, *more, stdin=token).stdout for more in ((), ("--json",)))
    assert "c2VjcmV0LW9mLWEta2V5" not in printed
    assert "cHVibGlj" in printed


def _rows(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines()]


@pytest.mark.parametrize("width", ["40", "80", "200"])
@pytest.mark.parametrize(
    "audience",
    [
        pytest.param(f"x\n{FORGED}", id="a text"),
        pytest.param([f"x\n{FORGED}"], id="a list"),
        pytest.param([f"x\n{FORGED}", *map(str, range(9))], id="a long list"),
    ],
)
def test_a_line_break_in_a_claim_begins_no_row(
    called: Any, entra_issuer: Any, gateway_toml: str, audience: object, width: str
) -> None:
    token = entra_issuer.user_token(claims={"aud": audience})
    for command in (("explain", "--policy", gateway_toml), ("decode",)):
        printed = called(*command, stdin=token, COLUMNS=width).stdout
        assert f"x\\n{FORGED.split()[0]}" in printed
        assert [row for row in _rows(printed) if row.startswith("forged")] == []


def test_a_line_break_in_a_name_begins_no_row(called: Any, entra_issuer: Any) -> None:
    printed = called("decode", stdin=entra_issuer.user_token(claims={"x\nscp": "Everything.All"})).stdout
    assert "x\\nscp" in printed
    assert len([row for row in _rows(printed) if row.startswith("scp")]) == 1


def test_claims_and_headers_are_redacted_alike_by_both_commands(called: Any, entra_issuer: Any) -> None:
    token = entra_issuer.user_token(header={"note": PRIVATE}, claims={"note": PRIVATE})
    both = [json.loads(called(name, "--redact", "--json", stdin=token).stdout) for name in ("explain", "decode")]
    assert both[0]["header"] == both[1]["header"]
    assert both[0]["claims"] == both[1]["claims"]
    assert PRIVATE not in json.dumps(both)
