"""[policy] jwks_file: an issuer's keys that are given and never fetched, for networks without a way to the issuer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tokenward import Policy, TokenRejected, Verifier
from tokenward.cli.outcome import CommandFailed, Exit
from tokenward.cli.serve.policies import policy_from
from tokenward.cli.serve.reading import read_settings
from tokenward.testing import OidcIssuer, SigningKey

TEXT = """\
[policy]
kind = "oidc"
issuer = "https://idp.example/"
audiences = ["https://api.example/"]
jwks_file = "keys.json"
"""


@pytest.fixture(scope="module")
def idp() -> OidcIssuer:
    return OidcIssuer("https://idp.example/", keys=[SigningKey.generate("RS256")])


def _policy(folder: Path, more: str = "", **environ: str) -> Policy:
    (folder / "gateway.toml").write_text(TEXT + more)
    return policy_from(read_settings(str(folder / "gateway.toml"), environ)["policy"])


def _keys(folder: Path, content: object) -> None:
    (folder / "keys.json").write_text(content if isinstance(content, str) else json.dumps(content))


def test_tokens_are_verified_by_the_keys_of_the_file_and_nobody_is_asked(idp: OidcIssuer, tmp_path: Path) -> None:
    _keys(tmp_path, idp.jwks())

    def nobody(request: object) -> Any:
        pytest.fail("the issuer was asked")

    verifier = Verifier(_policy(tmp_path), fetch=nobody)
    assert verifier.verify(idp.access_token()).subject == "user-248289761001"
    with pytest.raises(TokenRejected) as caught:
        verifier.verify(idp.access_token(key=SigningKey.generate("RS256")))
    assert caught.value.code == "unknown_key"


def test_the_path_is_relative_to_the_file_and_the_environment_may_name_another(idp: OidcIssuer, tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    other.write_text(json.dumps(idp.jwks()))
    assert _policy(tmp_path, TOKENWARD_POLICY_JWKS_FILE=str(other)).issuers[0].jwks is not None
    with pytest.raises(CommandFailed, match="No such file"):
        _policy(tmp_path)


PRIVATE = {"kty": "RSA", "kid": "1", "n": "AQAB", "e": "AQAB", "d": "AQAB"}


@pytest.mark.parametrize(
    ("content", "more", "words"),
    [
        pytest.param("", "", "jwks_uri answers", id="an empty file"),
        pytest.param("<html>", "", "jwks_uri answers", id="a page"),
        pytest.param("[]", "", "jwks_uri answers", id="a list"),
        pytest.param({"issuer": "https://idp.example/"}, "", "jwks_uri answers", id="the discovery document"),
        pytest.param({"keys": []}, "", "public keys", id="no key"),
        pytest.param({"keys": [PRIVATE]}, "", "public keys", id="a private key alone"),
        pytest.param('{"keys": [], "keys": []}', "", "jwks_uri answers", id="keys twice"),
        pytest.param("x" * (1024 * 1024 + 1), "", "nothing else", id="too large"),
        pytest.param(None, 'jwks_uri = "https://idp.example/keys"', "in one way only", id="an address as well"),
        pytest.param(None, 'algorithms = ["ES256"]', "algorithm", id="keys for another algorithm"),
    ],
)
def test_what_cannot_be_used_is_refused_at_the_start(
    idp: OidcIssuer, tmp_path: Path, content: object, more: str, words: str
) -> None:
    _keys(tmp_path, idp.jwks() if content is None else content)
    with pytest.raises(CommandFailed) as caught:
        _policy(tmp_path, more)
    failure = caught.value
    assert (failure.exit_code, words in failure.fix) == (Exit.USAGE, True), (failure.problem, failure.fix)
    assert "[policy] jwks_" in failure.problem


@pytest.mark.parametrize("kind", ["databricks", "api", "federation"])
def test_other_kinds_fetch_their_keys_or_have_them_elsewhere(tmp_path: Path, kind: str) -> None:
    (tmp_path / "gateway.toml").write_text(f'[policy]\nkind = "{kind}"\njwks_file = "keys.json"\n')
    with pytest.raises(CommandFailed, match="not of the kind"):
        policy_from(read_settings(str(tmp_path / "gateway.toml"), {})["policy"])


def test_explain_judges_the_signature_by_the_file_offline(called: Any, idp: OidcIssuer, tmp_path: Path) -> None:
    _keys(tmp_path, idp.jwks())
    (tmp_path / "gateway.toml").write_text(TEXT)
    arguments = ("explain", "--offline", "--policy", str(tmp_path / "gateway.toml"))
    good, forged = idp.access_token(), idp.access_token(key=idp.stranger_key())
    done = [called(*arguments, stdin=token) for token in (good, forged)]
    assert [one.returncode for one in done] == [0, 1]
    assert "signature_invalid" in done[1].stdout
