"""What in the claims misleads is noted by `decode` and by `explain` alike, and cut tokens are not called opaque."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest


@pytest.mark.parametrize(
    ("claims", "words"),
    [
        pytest.param({"_claim_names": {"groups": "src1"}}, "groups are left out: the user is in too many", id="groups overage"),
        pytest.param({"exp": int(time.time() * 1000) + 10**7}, "exp looks like milliseconds", id="exp in milliseconds"),
    ],
)
@pytest.mark.parametrize("command", ["decode", "explain"])
def test_claims_that_mislead_are_noted(called: Any, entra_issuer: Any, command: str, claims: Any, words: str) -> None:
    token, plain = entra_issuer.user_token(claims=claims), entra_issuer.user_token()
    assert f"note: {words}" in " ".join(called(command, stdin=token).stdout.split())
    assert [note for note in json.loads(called(command, "--json", stdin=token).stdout)["notes"] if words in note]
    assert words not in " ".join(called(command, stdin=plain).stdout.split())


def test_a_cut_token_is_said_to_be_cut(called: Any, entra_issuer: Any, gateway_toml: str) -> None:
    token = entra_issuer.user_token()
    bare = " ".join(called("explain", "--policy", gateway_toml, stdin=token[:-1]).stdout.split())
    assert ("it is cut, or has a character too many at its end" in bare, "opaque" in bare) == (True, False)
    short = " ".join(called("explain", "--policy", gateway_toml, stdin=token[:-114]).stdout.split())
    assert "The signature has 171 of 256 bytes: the token is cut at its end" in short
