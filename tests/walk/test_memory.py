"""Remembered tokens: only the signature is not computed again, and only while its key is still handed out."""

from __future__ import annotations

import json
import threading
import tracemalloc
from typing import Any

import pytest

from tokenward import AuthenticationError, Identity, Issuer, Policy
from tokenward.keys.keyset import read_keyset
from tokenward.keys.loading import Discovered, Loaded
from tokenward.keys.location import JwksUri
from tokenward.keys.metadata import Metadata
from tokenward.keys.rhythm import Rhythm
from tokenward.keys.source import KeySource, Source
from tokenward.keys.static import StaticSource
from tokenward.memory import MAX_REMEMBERED, MAX_REMEMBERED_BYTES, MAX_WEIGHT, Memory, Remembered, digest_of
from tokenward.token.caller import identity_of
from tokenward.token.lifetime import window
from tokenward.walk import Pending, Search, Walk

RHYTHM = Rhythm(jitter=0.0)


class Place:
    """A walk whose clock stands where the test puts it, and whose keys are what the test last published."""

    def __init__(self, desk: Any, *, size: int = MAX_REMEMBERED, rules: list[Issuer] | None = None) -> None:
        self.desk = desk
        self.now = float(desk.now)
        self.memory = Memory(size)
        self.source = KeySource(JwksUri("https://idp.example/keys"), rhythm=RHYTHM, clock=self.time, monotonic=self.time)
        self.policy = Policy(rules or [desk.rule(jwks=..., jwks_uri="https://idp.example/keys")])
        sources: dict[str, Source] = {rule.issuer: self.source for rule in self.policy.issuers}
        self.walk = Walk(self.policy, sources, self.memory, self.time)
        self.publish(desk.jwks())

    def time(self) -> float:
        return self.now

    def publish(self, jwks: dict[str, Any]) -> None:
        lease = self.source.force()
        assert lease is not None
        self.source.finish(lease, Loaded(read_keyset(jwks), None, None))

    def visit(self, token: str) -> str:
        """`remembered`, `verified`, or the code of the rejection."""
        try:
            step = self.walk.begin(token.encode())
            if isinstance(step, Identity):
                return "remembered"
            conclude(self.walk, step)
        except AuthenticationError as rejection:
            return rejection.code
        return "verified"


def conclude(walk: Walk, pending: Pending) -> Identity:
    """The rest of the walk with the keys in hand, without a search for others."""
    keys = walk.keys_in_hand(pending)
    return walk.conclude(pending, () if isinstance(keys, Search) else keys)


@pytest.fixture
def place(desk: Any) -> Place:
    return Place(desk)


def test_a_token_seen_before_is_remembered(desk: Any, place: Place) -> None:
    token = desk.token()
    assert [place.visit(token) for _ in range(3)] == ["verified", "remembered", "remembered"]
    assert len(place.memory) == 1


def test_the_same_signature_over_other_claims_is_not_remembered(desk: Any, place: Place) -> None:
    token = desk.token()
    place.visit(token)
    header, _, signature = token.split(".")
    other = f"{header}.{desk.b64(json.dumps(desk.claims(sub='another')).encode())}.{signature}"
    assert place.visit(other) == "signature_invalid"


def test_the_same_claims_and_signature_under_another_header_are_not_remembered(desk: Any, place: Place) -> None:
    token = desk.token()
    place.visit(token)
    _, claims, signature = token.split(".")
    swapped = f"{desk.b64(json.dumps({'alg': 'RS256', 'kid': 'kid-rsa', 'x': 1}).encode())}.{claims}.{signature}"
    unsigned = f"{desk.b64(json.dumps({'alg': 'none', 'kid': 'kid-rsa'}).encode())}.{claims}.{signature}"
    assert [place.visit(swapped), place.visit(unsigned)] == ["signature_invalid", "algorithm_not_allowed"]


@pytest.mark.parametrize("length", [8, 16, 20, 64, 512])
def test_tokens_that_begin_or_end_alike_are_told_apart(desk: Any, place: Place, length: int) -> None:
    token = desk.token()
    place.visit(token)
    filler = "A" * (len(token) - length)
    assert place.visit(token[:length] + filler) not in {"remembered", "verified"}
    assert place.visit(filler + token[-length:]) not in {"remembered", "verified"}
    assert len(digest_of(token.encode())) == 32


def test_a_removed_key_takes_its_tokens_with_it_after_the_grace_period(desk: Any, place: Place) -> None:
    token = desk.token()
    place.visit(token)
    place.now += 2
    place.publish(desk.jwks("rsa-2"))
    assert place.visit(token) == "remembered"
    place.now += RHYTHM.removal_grace
    assert place.visit(token) != "remembered"


def test_a_new_key_under_the_same_kid_takes_the_old_keys_tokens_with_it(desk: Any, place: Place) -> None:
    token = desk.token()
    place.visit(token)
    place.now += 2
    place.publish({"keys": [desk.signers["rsa-2"].jwk | {"kid": "kid-rsa"}]})
    assert place.visit(token) == "signature_invalid"


@pytest.mark.parametrize(
    "change", [{"alg": "RS512"}, {"issuer": "https://other.example/"}, {"use": "enc"}], ids=lambda change: next(iter(change))
)
def test_a_key_published_under_new_conditions_takes_its_tokens_with_it(desk: Any, place: Place, change: dict[str, str]) -> None:
    token = desk.token()
    place.visit(token)
    place.now += 2
    document = desk.jwks("rsa", **change)
    document["keys"].append(desk.signers["rsa-2"].jwk)
    place.publish(document)
    place.now += RHYTHM.removal_grace
    assert place.visit(token) != "remembered"


def test_an_unchanged_set_fetched_again_keeps_its_tokens(desk: Any, place: Place) -> None:
    token = desk.token()
    place.visit(token)
    place.now += 2
    place.publish(desk.jwks("rsa", "rsa-2"))
    assert place.visit(token) == "remembered"


def test_keys_too_old_to_serve_take_their_tokens_with_them(desk: Any, place: Place) -> None:
    token = desk.token(desk.claims(exp=desk.now + 10 * RHYTHM.max_stale))
    place.visit(token)
    place.now += RHYTHM.max_stale
    assert place.visit(token) != "remembered"


def test_an_expired_token_is_not_remembered(desk: Any, place: Place) -> None:
    token = desk.token(desk.claims(exp=desk.now + 100))
    place.visit(token)
    place.now += 99.5
    assert place.visit(token) == "remembered"
    place.now += 0.5
    assert place.visit(token) == "token_expired"


@pytest.mark.parametrize("name", ["nbf", "iat"])
def test_a_token_is_remembered_only_from_its_beginning(desk: Any, place: Place, name: str) -> None:
    token = desk.token(desk.claims(**{name: desk.now + 10}))
    assert place.visit(token) == "token_not_yet_valid"
    place.now += 10
    assert [place.visit(token), place.visit(token)] == ["verified", "remembered"]
    place.now -= 1
    assert place.visit(token) == "token_not_yet_valid"


def test_the_leeway_counts_for_remembered_tokens_to_the_second(desk: Any) -> None:
    place = Place(desk, rules=[desk.rule(jwks=..., jwks_uri="https://idp.example/keys", leeway=30)])
    token = desk.token(desk.claims(exp=desk.now + 10, nbf=desk.now + 20, iat=...))
    assert [place.visit(token), place.visit(token)] == ["verified", "remembered"]
    place.now += 39.5
    assert place.visit(token) == "remembered"
    place.now += 0.5
    assert place.visit(token) == "token_expired"
    place.now = desk.now - 10.5
    assert place.visit(token) == "token_not_yet_valid"


@pytest.mark.parametrize("absent", [("iat",), ("nbf", "iat")], ids=["no iat", "neither nbf nor iat"])
def test_a_token_without_beginning_still_ends(desk: Any, place: Place, absent: tuple[str, ...]) -> None:
    token = desk.token(desk.claims(exp=desk.now + 100, **dict.fromkeys(absent, ...)))
    assert [place.visit(token), place.visit(token)] == ["verified", "remembered"]
    place.now += 100
    assert place.visit(token) == "token_expired"


def test_other_rules_remember_nothing_of_each_other(desk: Any) -> None:
    token = desk.token()
    first = Place(desk)
    first.visit(token)
    other = Place(desk, rules=[desk.rule(audiences=["api://other"], jwks=..., jwks_uri="https://idp.example/keys")])
    assert other.visit(token) == "audience_not_accepted"


def test_two_issuers_with_the_same_kid_never_meet(desk: Any) -> None:
    theirs = desk.rule("https://other.example/", jwks=desk.jwks("rsa-2", kid="kid-rsa"))
    policy = Policy([desk.rule(), theirs])
    memory = Memory()
    sources: dict[str, Source] = {rule.issuer: StaticSource(rule.location) for rule in policy.issuers}  # type: ignore[arg-type]
    walk = Walk(policy, sources, memory, lambda: float(desk.now))
    good = walk.begin(desk.token().encode())
    assert not isinstance(good, Identity)
    conclude(walk, good)
    forged = walk.begin(desk.token(desk.claims(iss="https://other.example/")).encode())
    assert not isinstance(forged, Identity)
    assert desk.rejection(lambda: conclude(walk, forged)).code == "signature_invalid"
    assert len(memory) == 1


def test_no_request_can_change_what_another_sees(desk: Any) -> None:
    verifier = desk.verifier()
    token = desk.token(desk.claims(roles=["Reader"], nested={"list": [1]}))
    first = verifier.verify(token)
    expected = json.loads(json.dumps(first.claims))
    first.claims["roles"].append("Admin")
    first.claims["nested"]["list"].append(2)
    first.claims["sub"] = "root"
    first.subject = "root"
    first.kind = "app"
    second, third = verifier.verify(token), verifier.verify(token)
    assert second.claims == third.claims == expected
    assert (second.subject, second.kind, second.roles) == ("caller-1", "unknown", {"Reader"})
    assert second.claims is not third.claims
    assert second is not third


def test_a_hundred_thousand_forged_tokens_leave_no_trace(desk: Any, place: Place) -> None:
    place.visit(desk.token())
    signed, _, _ = desk.token(desk.claims(sub="x")).rpartition(".")
    for number in range(100_000):
        place.memory.recall(digest_of(f"{signed}.{number}".encode()), place.now)
    for number in range(500):
        assert place.visit(f"{signed}.{desk.b64(number.to_bytes(256, 'big'))}") == "signature_invalid"
    assert len(place.memory) == 1
    assert place.visit(desk.token()) == "remembered"


@pytest.mark.parametrize(
    "claims",
    [{"exp": 1}, {"aud": "other"}, {"nonce": "n"}, {"scp": "other"}],
    ids=["expired", "for another", "an ID token", "without the scope"],
)
def test_a_rejection_is_never_remembered_however_genuine_the_token(desk: Any, claims: dict[str, Any]) -> None:
    place = Place(desk, rules=[desk.rule(jwks=..., jwks_uri="https://idp.example/keys", required_scopes=["jobs"])])
    token = desk.token(desk.claims(**({"scp": "jobs"} | claims)))
    assert place.visit(token) == place.visit(token) != "verified"
    assert len(place.memory) == 0


def test_the_oldest_makes_room(desk: Any) -> None:
    place = Place(desk, size=2)
    tokens = [desk.token(desk.claims(jti=str(number))) for number in range(3)]
    assert [place.visit(token) for token in tokens] == ["verified"] * 3
    assert len(place.memory) == 2
    assert [place.visit(token) for token in reversed(tokens)] == ["remembered", "remembered", "verified"]


def test_a_token_remembered_twice_counts_once(desk: Any) -> None:
    place = Place(desk)
    token = desk.token().encode()
    for _ in range(2):
        step = place.walk.begin(token)
        pending = step if not isinstance(step, Identity) else None
        if pending is not None:
            conclude(place.walk, pending)
            conclude(place.walk, pending)
    assert len(place.memory) == 1


def test_a_token_is_verified_again_when_its_issuer_names_another_cloud(desk: Any, place: Place) -> None:
    def in_cloud(name: str) -> None:
        found = Discovered(Metadata(desk.issuer, "https://idp.example/keys", name), place.now)
        lease = place.source.force()
        assert lease is not None
        place.source.finish(lease, Loaded(read_keyset(desk.jwks()), None, found))

    place.now += 60
    in_cloud("one.example")
    assert [place.visit(desk.token()), place.visit(desk.token())] == ["verified", "remembered"]
    place.now += 60
    in_cloud("another.example")
    assert place.visit(desk.token()) == "verified"


def test_size_nought_remembers_nothing(desk: Any) -> None:
    place = Place(desk, size=0)
    assert [place.visit(desk.token()), place.visit(desk.token())] == ["verified", "verified"]
    assert len(place.memory) == 0


def test_a_very_large_token_is_verified_each_time(desk: Any) -> None:
    rule = desk.rule(jwks=..., jwks_uri="https://idp.example/keys")
    place = Place(desk)
    place.walk = Walk(Policy([rule], max_token_bytes=1024 * 1024), {rule.issuer: place.source}, place.memory, place.time)
    large = desk.token(desk.claims(groups=["g" * 30] * 2500))
    assert len(large) > MAX_WEIGHT
    assert [place.visit(large), place.visit(large)] == ["verified", "verified"]
    assert len(place.memory) == 0


def test_the_texts_kept_stay_within_their_bytes(desk: Any, place: Place) -> None:
    token = desk.token(desk.claims(groups=["g" * 36] * 200))
    place.visit(token)
    entry = _only_entry(place, token)
    copies = MAX_REMEMBERED_BYTES // len(entry.claims_json) + 100
    for number in range(copies):
        place.memory.remember(digest_of(str(number).encode()), entry)
    assert len(place.memory) * len(entry.claims_json) <= MAX_REMEMBERED_BYTES
    assert len(place.memory) >= copies - 102


def _only_entry(place: Place, token: str) -> Any:
    entry = next(iter(vars(place.memory)["_entries"].values()))
    assert place.visit(token) == "remembered"
    return entry


def test_four_thousand_remembered_tokens_fit_in_twelve_megabytes(desk: Any) -> None:
    place = Place(desk)
    claims = desk.claims(
        tid="t" * 36, oid="o" * 36, appid="a" * 36, rh="r" * 60, uti="u" * 22, ver="1.0", name="n" * 20, groups=["g" * 36] * 12
    )
    tokens = [desk.token(claims | {"jti": str(number)}, signature=b"x") for number in range(MAX_REMEMBERED)]
    key = (place.source.in_hand("kid-rsa", place.now) or ())[0]
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for token in tokens:
        _remember_as_verified(place, token, key)
    used = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    print(f"{len(place.memory)} tokens of {len(tokens[0])} bytes: {used / 1e6:.1f} MB")
    assert len(place.memory) == MAX_REMEMBERED
    assert used <= 12e6


def test_tokens_of_very_many_roles_stay_within_the_bytes_too(desk: Any) -> None:
    place = Place(desk)
    roles = [f"role-{number}" for number in range(300)]
    tokens = [desk.token(desk.claims(roles=[f"{role}-{number}" for role in roles]), signature=b"x") for number in range(300)]
    key = (place.source.in_hand("kid-rsa", place.now) or ())[0]
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for token in tokens:
        _remember_as_verified(place, token, key)
    used = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    print(f"{len(place.memory)} tokens with {len(roles)} roles: {used / 1e6:.1f} MB")
    assert 100 < len(place.memory) < 300
    assert used <= MAX_REMEMBERED_BYTES * 1.25


def _remember_as_verified(place: Place, token: str, key: Any) -> None:
    """What the walk does once the signature held; computing 4,096 signatures would only make the test slow."""
    step = place.walk.begin(token.encode())
    assert not isinstance(step, Identity)
    identity = identity_of(step.route.issuer, step.compact.claims)
    opens, closes = window(step.route.issuer, step.compact.claims)
    kept = Remembered(place.source, step.compact.header, key, opens, closes, step.compact.claims_json, identity.with_claims({}))
    place.memory.remember(step.digest, kept)


def test_threads_evict_without_losing_count(desk: Any) -> None:
    place = Place(desk, size=64)
    tokens = [desk.token(desk.claims(jti=str(number))) for number in range(200)]
    failures: list[str] = []

    def visit_all(start: int) -> None:
        for number in range(len(tokens)):
            outcome = place.visit(tokens[(number * 7 + start) % len(tokens)])
            if outcome not in {"verified", "remembered"}:
                failures.append(outcome)

    threads = [threading.Thread(target=visit_all, args=(start,)) for start in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(place.memory) == 64
    entries = vars(place.memory)["_entries"].values()
    assert vars(place.memory)["_bytes"] == sum(len(entry.claims_json) for entry in entries)


def test_a_child_process_gets_a_lock_of_its_own(desk: Any, place: Place) -> None:
    place.visit(desk.token())
    lock = vars(place.memory)["_lock"]
    with lock:
        place.memory.forked()
        assert vars(place.memory)["_lock"] is not lock
        assert place.visit(desk.token(desk.claims(jti="after the fork"))) == "verified"
    assert place.visit(desk.token()) == "remembered"
    assert len(place.memory) == 2


@pytest.mark.parametrize("levels", [50, 600, 850])
def test_a_remembered_token_gets_the_same_verdict_however_deep_the_caller_is(desk: Any, levels: int) -> None:
    """What a parser can nest depends on the stack below it, unless the depth of claims has a limit of its own."""
    verifier = desk.verifier()
    token = desk.token(
        b'{"iss":"https://idp.example/","aud":"api://jobs","exp":1800003600,"x":' + b"[" * levels + b"]" * levels + b"}"
    )

    def below(frames: int) -> str:
        return below(frames - 1) if frames else str(desk.verdict(verifier, token))

    assert {below(0), below(300), below(0)} == {"accepted" if levels == 50 else below(0)}


def test_only_digests_are_kept_and_no_tokens(desk: Any, place: Place) -> None:
    token = desk.token()
    place.visit(token)
    entry = next(iter(vars(place.memory)["_entries"].values()))
    assert list(vars(place.memory)["_entries"]) == [digest_of(token.encode())]
    signature = token.rpartition(".")[2]
    assert signature not in repr(entry)
