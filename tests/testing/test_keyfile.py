"""Signing keys that outlive their issuer: handed over in memory, or kept in a file that only their owner may read."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tokenward import Verifier, entra
from tokenward.keys.jwk import read_jwk
from tokenward.testing import HandClock, LocalIssuer, SigningKey
from tokenward.testing.keyfile import read_keys, write_keys
from tokenward.token.algorithms import ALGORITHMS


def test_an_issuer_made_of_anothers_keys_takes_its_place(issuer: LocalIssuer, wall: HandClock) -> None:
    issuer.rotate()
    successor = LocalIssuer(clock=wall, keys=issuer.keys)
    assert successor.signing_key is issuer.signing_key
    assert successor.jwks() == issuer.jwks()
    policy = entra.api(issuer.client_id, [issuer.tenant], cloud=issuer.cloud)
    verifier = Verifier(policy, fetch=issuer.fetch, clock=wall, observer=None)
    old, new = issuer.user_token(), successor.user_token()
    assert [verifier.verify(token).tenant for token in (old, new)] == [issuer.tenant] * 2
    assert verifier.status()[1].fetches == 1
    verifier.close()


def test_the_successor_rotates_alone(issuer: LocalIssuer, wall: HandClock) -> None:
    successor = LocalIssuer(clock=wall, keys=issuer.keys)
    successor.rotate()
    assert len(issuer.keys) == 1


def test_an_oidc_issuer_takes_keys_too() -> None:
    key = SigningKey.generate("ES256", "mine")
    assert LocalIssuer.oidc(keys=[key]).jwks()["keys"][0]["kid"] == "mine"


@pytest.mark.parametrize("algorithm", ["RS256", "PS512", "ES256", "ES512", "EdDSA"])
def test_a_key_comes_back_from_a_file_as_it_went(tmp_path: Path, algorithm: str) -> None:
    path = tmp_path / "keys.json"
    key = SigningKey.generate(algorithm, "mine", alg=algorithm, issuer="https://idp.example/")
    write_keys(path, [key])
    (back,) = read_keys(path)
    assert back.jwk() == key.jwk()
    assert (back.algorithm, back.certificate) == (key.algorithm, key.certificate)
    ALGORITHMS[algorithm].check(read_jwk(key.jwk()).public_key, back.sign(b"signed bytes"), b"signed bytes")


def test_only_the_owner_may_read_the_file_and_it_says_what_it_is(tmp_path: Path, new_key: Callable[[], SigningKey]) -> None:
    path = tmp_path / "keys.json"
    for _ in range(2):
        write_keys(path, [new_key()])
        assert path.stat().st_mode & 0o777 == 0o600
    assert "NOT FOR PRODUCTION" in path.read_text("utf-8")
    assert [entry.name for entry in tmp_path.iterdir()] == ["keys.json"]


def test_keys_that_others_may_read_are_not_used(tmp_path: Path, new_key: Callable[[], SigningKey]) -> None:
    path = tmp_path / "keys.json"
    write_keys(path, [new_key()])
    path.chmod(0o640)
    with pytest.raises(ValueError, match="others may read it"):
        read_keys(path)


def test_a_file_that_is_not_there_holds_no_keys(tmp_path: Path) -> None:
    assert read_keys(tmp_path / "none.json") == []


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", '{"keys": [{}]}', '{"keys": 5}', '{"keys": [{"private_key": "x", "members": {}}]}'],
    ids=["empty", "cut", "a list", "no keys", "an empty key", "keys that are no list", "a key that is none"],
)
def test_a_file_of_something_else_is_refused_and_left_alone(tmp_path: Path, text: str) -> None:
    path = tmp_path / "keys.json"
    path.write_text(text, "utf-8")
    path.chmod(0o600)
    with pytest.raises(ValueError, match="is not a file of keys"):
        read_keys(path)
    assert path.read_text("utf-8") == text


def test_a_file_that_cannot_be_written_leaves_the_old_one_and_no_rubbish(
    tmp_path: Path, new_key: Callable[[], SigningKey]
) -> None:
    path = tmp_path / "keys.json"
    write_keys(path, [new_key()])
    before = path.read_bytes()
    unwritable = new_key().renamed(x={1, 2}.pop)
    with pytest.raises(TypeError):
        write_keys(path, [unwritable])
    assert path.read_bytes() == before
    assert json.loads(before)["keys"][0]["kid"] == read_keys(path)[0].kid
    target = tmp_path / "folder"
    target.mkdir()
    with pytest.raises(OSError, match="folder"):
        write_keys(target, [new_key()])
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["folder", "keys.json"]


def test_a_rotation_tells_which_keys_are_published_now(issuer: LocalIssuer) -> None:
    told: list[list[str]] = []
    issuer.on_keys = lambda keys: told.append([key.kid for key in keys])
    first, second = issuer.signing_key.kid, issuer.rotate().kid
    third = issuer.rotate(keep_old=False).kid
    assert told == [[first, second], [first, third]]
