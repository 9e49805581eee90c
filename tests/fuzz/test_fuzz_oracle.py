"""The judges catch a verifier that lacks a check; and tokenward itself, on the same tokens, accepts nothing that they refuse."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest

from fuzz.differential import FALSE_ACCEPT, Judged, Tally, compare, drawn
from fuzz.judges import judges
from fuzz.world import verifier
from tokenward import walk
from tokenward.issuer import Issuer
from tokenward.keys.jwk import Key
from tokenward.keys.static import StaticSource
from tokenward.policy import Policy, Route
from tokenward.token import admission, claims, compact, header, lifetime, strict

SEED = 7519
TOKENS = 6000
"""Judged by everybody in some seconds; most mutants are caught within hundreds."""

Mutant = Callable[[pytest.MonkeyPatch], None]


@pytest.fixture(scope="module")
def judged() -> list[Judged]:
    return list(drawn(SEED, 0, TOKENS, judges()))


def lacking(module: Any, table: str, *names: str) -> Mutant:
    """One of a table's checks is not made."""

    def mutate(patch: pytest.MonkeyPatch) -> None:
        left = tuple(check for check in getattr(module, table) if getattr(check, "check", check).__name__ not in names)
        assert len(left) < len(getattr(module, table))
        patch.setattr(module, table, left)

    return mutate


def replacing(owner: Any, name: str, made: Callable[[Any], Any]) -> Mutant:
    """A function is another one, which is made of it."""
    return lambda patch: patch.setattr(owner, name, made(getattr(owner, name)))


def lenient_base64(segment: bytes) -> bytes:
    """What Python reads of it: other characters are skipped, spare bits ignored."""
    return base64.b64decode(segment.replace(b"-", b"+").replace(b"_", b"/") + b"==")


def _lenient_everywhere(patch: pytest.MonkeyPatch) -> None:
    for module in (compact, header):
        patch.setattr(module, "decode_base64url", lenient_base64)


def _any_key(patch: pytest.MonkeyPatch) -> None:
    def every_key(self: StaticSource, kid: str | None, now: float) -> tuple[Key, ...]:
        return tuple(key for keys in self._keys.values() for key in keys)

    original = StaticSource.__init__

    def remembering(self: StaticSource, location: Any) -> None:
        original(self, location)
        self._keys = location.keyset.keys

    patch.setattr(StaticSource, "__init__", remembering)
    patch.setattr(StaticSource, "in_hand", every_key)


def _any_issuer(patch: pytest.MonkeyPatch) -> None:
    original = Policy.route

    def route(self: Policy, iss: str) -> Route | None:
        return original(self, iss) or Route(self.issuers[0], None)

    patch.setattr(Policy, "route", route)


def _slash_forgotten(patch: pytest.MonkeyPatch) -> None:
    original = Policy.route

    def route(self: Policy, iss: str) -> Route | None:
        return original(self, iss) or original(self, iss + "/") or original(self, iss.rstrip("/"))

    patch.setattr(Policy, "route", route)


def _use_ignored(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("tokenward.keys.jwk._require_use", lambda jwk: None)


def _first_bytes_of_the_signature_only(check: Any) -> Any:
    return lambda opened, *rest: check(opened, *rest) if len(opened.signature) < 2 else rest[0][0]


def _audience_contained(issuer: Issuer, found: Any) -> None:
    """`in` where a list was meant: the audience anywhere in the text."""
    if not any(audience in str(found.get("aud")) for audience in issuer.audiences):
        claims.check_audience(issuer, found)


def _in_claim_checks(name: str, check: Any) -> Mutant:
    def mutate(patch: pytest.MonkeyPatch) -> None:
        rows = [check if row.__name__ == name else row for row in walk._CLAIM_CHECKS]
        assert check in rows
        patch.setattr(walk, "_CLAIM_CHECKS", tuple(rows))

    return mutate


MUTANTS = [
    pytest.param(lacking(walk, "_CLAIM_CHECKS", "check_audience"), id="aud is not looked at"),
    pytest.param(_in_claim_checks("check_audience", _audience_contained), id="aud is searched for in the text"),
    pytest.param(replacing(lifetime, "closes", lambda _: lambda issuer, found: float("inf")), id="exp is not looked at"),
    pytest.param(
        replacing(lifetime, "closes", lambda _: lambda issuer, found: found["exp"] + issuer.leeway + 1), id="exp a second late"
    ),
    pytest.param(
        replacing(lifetime, "closes", lambda _: lambda issuer, found: found["exp"] + 30), id="every issuer has another's leeway"
    ),
    pytest.param(lambda patch: patch.setattr(lifetime, "_NUMBERS", (int, float, bool)), id="a date may be true"),
    pytest.param(
        replacing(lifetime, "opens", lambda old: lambda *said: float("-inf") if said[2] == "nbf" else old(*said)),
        id="nbf is not looked at",
    ),
    pytest.param(
        replacing(lifetime, "opens", lambda old: lambda *said: float("-inf") if said[2] == "iat" else old(*said)),
        id="iat is not looked at",
    ),
    pytest.param(lacking(walk, "_CLAIM_CHECKS", "check_names"), id="sub and jti may be anything"),
    pytest.param(_any_issuer, id="an unknown iss falls under the first issuer's rules"),
    pytest.param(_slash_forgotten, id="iss is compared without its last slash"),
    pytest.param(_any_key, id="every key is tried, whatever the kid"),
    pytest.param(_use_ignored, id="use and key_ops of a key are not looked at"),
    pytest.param(
        replacing(Key, "serves", lambda _: lambda self, algorithm: self.kty == algorithm.kty), id="a key's alg is ignored"
    ),
    pytest.param(lacking(admission, "ISSUER_CHECKS", "check_algorithm"), id="the issuer's list of algorithms is ignored"),
    pytest.param(lacking(header, "HEADER_CHECKS", "check_extensions"), id="crit is not looked at"),
    pytest.param(_lenient_everywhere, id="base64 is read as Python reads it"),
    pytest.param(replacing(walk, "check_signature", _first_bytes_of_the_signature_only), id="the signature is not checked"),
    pytest.param(
        replacing(walk, "digest_of", lambda old: lambda token: old(token.rpartition(b".")[0])),
        id="a token is remembered without its signature",
    ),
    pytest.param(
        replacing(walk, "digest_of", lambda old: lambda token: old(token.lower())), id="remembered in one case of letters"
    ),
    pytest.param(
        replacing(strict, "_decode_json", lambda old: lambda text: old(text.strip(b"\x00\xef\xbb\xbf}").rstrip() + b"}")),
        id="what stands around the JSON is cut off",
    ),
]


@pytest.mark.parametrize("mutate", MUTANTS)
def test_a_verifier_that_lacks_a_check_is_caught(monkeypatch: pytest.MonkeyPatch, judged: list[Judged], mutate: Mutant) -> None:
    mutate(monkeypatch)
    broken, tally = verifier(), Tally()
    for one in judged:
        compare(broken, one, tally)
        if tally.findings:
            break
    print(f"caught by {tally.count} tokens: {[(found.what, found.kind, found.verdicts) for found in tally.findings]}")
    assert {found.what for found in tally.findings} <= {FALSE_ACCEPT, "claims read differently"}
    assert tally.findings


def test_tokenward_accepts_nothing_that_a_judge_refuses_and_reads_what_they_read(judged: list[Judged]) -> None:
    tally = Tally()
    subject = verifier()
    for one in judged:
        compare(subject, one, tally)
    assert tally.findings == []
    assert tally.count == TOKENS
