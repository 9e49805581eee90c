"""A remembered token is found by the whole SHA-256 of its exact bytes, and by nothing less.

Each rule is also held against mutants, verifiers whose memory is keyed by less: the rule that lets its mutant pass is no rule.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tokenward import AuthenticationError, Verifier

Digest = Callable[[bytes], bytes]


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def verdict(verifier: Verifier, token: bytes) -> str:
    try:
        verifier.verify(token)
    except AuthenticationError as error:
        return error.code
    return "accepted"


def forgeries(bench: Any, token: bytes) -> dict[str, bytes]:
    """Tokens that share something with a genuine one, and that nobody signed."""
    header, claims, signature = token.split(b".")
    root = bench.b64(json.dumps(bench.claims(sub="root")).encode()).encode()
    spaced = bench.b64(b'{"alg": "EdDSA","kid":"ed"}').encode()
    return {
        "other claims": b".".join((header, root, signature)),
        "another signature": b".".join((header, claims, bench.b64(b"x" * 64).encode())),
        "another header": b".".join((spaced, claims, signature)),
        "the first two bytes of the digest": colliding(bench, token, header + b"." + root, slice(0, 2)),
        "the last two bytes of the digest": colliding(bench, token, header + b"." + root, slice(30, 32)),
    }


def colliding(bench: Any, token: bytes, signed: bytes, part: slice) -> bytes:
    """A forged token whose digest has this part in common; found after some 65,536 tries."""
    wanted = sha256(token)[part]
    tries: Iterator[bytes] = (signed + b"." + bench.b64(number.to_bytes(64, "big")).encode() for number in itertools.count())
    return next(forged for forged in tries if sha256(forged)[part] == wanted)


@pytest.fixture(scope="module")
def token(bench: Any) -> bytes:
    made: str = bench.sign(b'{"alg":"EdDSA","kid":"ed"}', bench.claims())
    return made.encode()


@pytest.fixture(scope="module")
def forged(bench: Any, token: bytes) -> dict[str, bytes]:
    return forgeries(bench, token)


@pytest.fixture
def verifier(bench: Any) -> Verifier:
    return Verifier(bench.verifier.policy, clock=lambda: bench.now)


def let_in(verifier: Verifier, token: bytes, forged: dict[str, bytes]) -> set[str]:
    """The forgeries that pass once the genuine token is remembered."""
    assert [verdict(verifier, token) for _ in range(2)] == ["accepted"] * 2
    return {name for name, forgery in forged.items() if verdict(verifier, forgery) == "accepted"}


def keys_of(verifier: Verifier) -> list[bytes]:
    return list(vars(vars(vars(verifier)["_walk"])["_memory"])["_entries"])


def test_no_forgery_is_taken_for_the_token_that_it_resembles(
    bench: Any, verifier: Verifier, token: bytes, forged: dict[str, bytes]
) -> None:
    assert let_in(verifier, token, forged) == set()
    assert {verdict(verifier, forgery) for forgery in forged.values()} == {"signature_invalid"}


def test_a_token_is_kept_under_its_whole_digest(verifier: Verifier, token: bytes) -> None:
    verdict(verifier, token)
    assert keys_of(verifier) == [sha256(token)]


def test_a_digest_that_differs_in_one_bit_finds_nothing(bench: Any, verifier: Verifier, token: bytes) -> None:
    verdict(verifier, token)
    memory = vars(vars(verifier)["_walk"])["_memory"]
    assert memory.recall(sha256(token), bench.now) is not None
    for bit in range(256):
        other = (int.from_bytes(sha256(token), "big") ^ (1 << bit)).to_bytes(32, "big")
        assert memory.recall(other, bench.now) is None


MUTANTS: list[Any] = [
    pytest.param(lambda text: sha256(text.rpartition(b".")[2]), {"other claims", "another header"}, id="the signature only"),
    pytest.param(lambda text: sha256(text.rpartition(b".")[0]), {"another signature"}, id="header and claims only"),
    pytest.param(lambda text: sha256(text.partition(b".")[2]), {"another header"}, id="claims and signature only"),
    pytest.param(lambda text: sha256(text.split(b".")[1]), {"another signature", "another header"}, id="claims only"),
    pytest.param(lambda text: sha256(text)[:2], {"the first two bytes of the digest"}, id="two bytes"),
    pytest.param(lambda text: sha256(text)[-2:], {"the last two bytes of the digest"}, id="the last two bytes"),
    pytest.param(lambda text: text[-86:], {"other claims", "another header"}, id="the end of the text"),
    pytest.param(lambda text: text[:36], None, id="the beginning of the text"),
    pytest.param(lambda _text: b"", None, id="nothing"),
]


@pytest.mark.parametrize(("mutant", "let_through"), MUTANTS)
def test_a_memory_keyed_by_less_would_be_caught_by_a_forgery(
    verifier: Verifier,
    token: bytes,
    forged: dict[str, bytes],
    monkeypatch: pytest.MonkeyPatch,
    mutant: Digest,
    let_through: set[str] | None,
) -> None:
    monkeypatch.setattr("tokenward.walk.digest_of", mutant)
    passed = let_in(verifier, token, forged)
    assert passed == let_through if let_through is not None else passed


@pytest.mark.parametrize("size", [4, 8, 16, 20, 31])
def test_a_memory_keyed_by_a_part_of_the_digest_would_be_caught_by_its_length(
    verifier: Verifier, token: bytes, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    """No forgery can be found for four bytes and more in the time of a test, but its finder would have longer."""
    monkeypatch.setattr("tokenward.walk.digest_of", lambda text: sha256(text)[:size])
    verdict(verifier, token)
    assert keys_of(verifier) != [sha256(token)]
