"""Keys that one process writes down and another begins with: the same keys, never younger, and never checked less."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenward import AsyncVerifier, AuthenticationError, Issuer, KeysUnavailable, Policy, PolicyError, Verifier, entra
from tokenward.keys import export, threads
from tokenward.keys.decision import Use
from tokenward.keys.events import KeyEvent, KeysRefreshed, KeysSeeded
from tokenward.keys.jwk import read_jwk
from tokenward.keys.keyset import read_keyset
from tokenward.keys.loading import Loaded
from tokenward.keys.location import Discovery, JwksUri
from tokenward.keys.port import FetchFailed, FetchRequest, FetchResponse
from tokenward.keys.public_jwk import public_jwk
from tokenward.keys.rhythm import Rhythm
from tokenward.keys.source import KeySource
from tokenward.testing import HandClock, LocalIssuer, SigningKey

HOUR, DAY = 3600.0, 86400.0
SOON = 20.0
NO_JITTER = Rhythm(jitter=0.0)
Jwk = dict[str, Any]


class Provider:
    """An issuer's documents in process; `asked` are the requests that were made of it."""

    def __init__(self, issuer: Any) -> None:
        self.issuer = issuer
        self.asked: list[str] = []
        self.is_down = False
        self.cache_control = ""

    def __call__(self, request: FetchRequest) -> FetchResponse:
        self.asked.append(request.url)
        if self.is_down:
            raise FetchFailed("connect")
        answer: FetchResponse = self.issuer.fetch(request)
        return replace(answer, headers={**answer.headers, "cache-control": self.cache_control})


@dataclass
class Process:
    """One process of a service: a verifier with clocks of its own, and what it was told."""

    policy: Policy
    provider: Provider
    wall: HandClock
    mono: HandClock = field(default_factory=lambda: HandClock(random.Random(7).uniform(0, 1e6)))
    told: list[KeyEvent] = field(default_factory=list)

    def __post_init__(self) -> None:
        options: dict[str, Any] = {"clock": self.wall, "monotonic": self.mono, "rhythm": NO_JITTER}
        self.verifier = Verifier(self.policy, fetch=self.provider, observer=self.told.append, **options)

    def pass_time(self, seconds: float) -> None:
        self.wall.advance(seconds)
        self.mono.advance(seconds)

    @property
    def ages(self) -> list[float | None]:
        return [status.age for status in self.verifier.status()]

    @property
    def ignored(self) -> list[str | None]:
        return [event.ignored for event in self.told if isinstance(event, KeysSeeded)]

    def verdict(self, token: str) -> str:
        try:
            self.verifier.verify(token)
        except AuthenticationError as rejection:
            return rejection.code
        return "accepted"


class Estate:
    """One issuer, and processes that believe it. `issuer` is Entra's kind, so that each policy has two sources with discovery."""

    def __init__(self, issuer: Any, wall: HandClock) -> None:
        self.issuer, self.provider, self.wall = issuer, Provider(issuer), wall
        self.policy = entra.api(issuer.client_id, [issuer.tenant], cloud=issuer.cloud)
        self.processes: list[Process] = []

    def process(self, policy: Policy | None = None, *, now: float | None = None) -> Process:
        """Another one, whose wall clock is this one's, or says something else."""
        self.processes.append(Process(policy or self.policy, self.provider, HandClock(self.wall() if now is None else now)))
        return self.processes[-1]

    def warm(self) -> Process:
        process = self.process()
        assert process.verifier.warm_up(SOON)
        return process

    def document(self, **changes: Any) -> dict[str, Any]:
        return json.loads(self.warm().verifier.export()) | changes  # type: ignore[no-any-return]


@pytest.fixture
def estate(issuer: Any, wall: HandClock) -> Iterator[Estate]:
    made = Estate(issuer, wall)
    yield made
    for process in made.processes:
        process.verifier.close()


@pytest.fixture
def issuer(wall: HandClock, new_key: Callable[[], SigningKey]) -> LocalIssuer:
    """In place of this folder's: an Entra tenant."""
    return LocalIssuer(clock=wall, new_key=new_key)


# -- keys --------------------------------------------------------------------------------------------------------------

SAID = [
    pytest.param({}, id="nothing more"),
    pytest.param({"issuer": "https://login.example/{tenantid}/v2.0"}, id="bound to a template of tenants"),
    pytest.param({"cloud_instance_name": "microsoftonline.us"}, id="bound to a cloud"),
    pytest.param({"kid": 'k\u00e9y \u2028\U0001f511 "\\\n'}, id="a kid of odd characters"),
    pytest.param({"kid": None}, id="no kid"),
]


@pytest.mark.parametrize("said", SAID)
@pytest.mark.parametrize("kind", ["rsa", "rsa for PS384", "P-256", "P-384", "P-521", "P-521 for ES512", "Ed25519", "Ed448"])
def test_every_kind_of_key_comes_back_as_the_very_same(
    kind: str,
    said: Jwk,
    rsa_jwk: Jwk,
    ec_jwk: Callable[[str], Jwk],
    okp_jwk: Callable[..., Jwk],
    base64url: Callable[[bytes], str],
) -> None:
    name, _, algorithm = kind.partition(" for ")
    if name == "Ed448":
        jwk: Jwk = {"kty": "OKP", "crv": "Ed448", "kid": "b", "x": base64url(bytes(range(57)))}
    else:
        jwk = {"rsa": rsa_jwk, "Ed25519": okp_jwk()}.get(name) or ec_jwk(name)
    key = read_jwk(jwk | ({"alg": algorithm} if algorithm else {}) | said)
    written = public_jwk(key)
    assert read_jwk(json.loads(json.dumps(written))) == key
    assert public_jwk(read_jwk(written)) == written


def test_coordinates_that_begin_with_zeros_keep_their_length(ec_jwk: Callable[[str], Jwk]) -> None:
    """One key in 128 has such a coordinate, and whoever cuts the zeros off cannot read it back (RFC 7518 section 6.2.1.2)."""
    short = next(key for key in (read_jwk(ec_jwk("P-256")) for _ in range(20_000)) if has_leading_zero(key))
    assert read_jwk(public_jwk(short)) == short


def has_leading_zero(key: Any) -> bool:
    numbers = key.public_key.public_numbers()
    return bool(min(numbers.x, numbers.y) < 1 << 248)


def test_an_export_holds_public_members_and_what_was_said_of_each_key_and_nothing_else(estate: Estate) -> None:
    document = estate.document()
    assert set(document) == {"version", "exported_at", "sources"}
    assert len(document["sources"]) == 2
    for source in document["sources"]:
        assert set(source) == {
            *("source", "issuers", "fetched_at", "max_age"),
            *("cloud_instance_name", "serves_without_kid", "keys"),
        }
        for jwk in source["keys"]:
            assert set(jwk) <= {"kty", "kid", "n", "e", "issuer", "cloud_instance_name"}


def test_keys_that_have_vanished_from_the_set_are_left_out(estate: Estate) -> None:
    process = estate.warm()
    old = estate.issuer.signing_key.kid
    estate.issuer.rotate(keep_old=False)
    process.pass_time(60)
    assert process.verifier.refresh(SOON)
    assert all(old in status.kids for status in process.verifier.status()), "it serves on, for the grace"
    document = process.verifier.export()
    assert old not in document
    assert estate.issuer.signing_key.kid in document


def test_sources_without_keys_that_may_serve_are_left_out(estate: Estate) -> None:
    cold = estate.process()
    assert json.loads(cold.verifier.export())["sources"] == []
    process = estate.warm()
    process.pass_time(DAY - 1)
    assert len(json.loads(process.verifier.export())["sources"]) == 2
    process.pass_time(1)
    assert json.loads(process.verifier.export())["sources"] == []


def test_keys_of_the_configuration_are_not_exported_and_need_no_seed(okp_jwk: Callable[..., Jwk]) -> None:
    rule = Issuer("https://idp.example/", audiences=["api"], algorithms=["EdDSA"], jwks={"keys": [okp_jwk()]})
    verifier = Verifier(Policy([rule]))
    assert json.loads(verifier.export())["sources"] == []
    assert verifier.seed(verifier.export()) is True


# -- a seeded start ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", [str, str.encode], ids=["text", "bytes"])
def test_a_seeded_process_serves_at_once_and_has_asked_nobody(estate: Estate, form: Callable[[str], Any]) -> None:
    document = estate.warm().verifier.export()
    estate.provider.asked.clear()
    process = estate.process()
    assert process.verifier.seed(form(document)) is True
    for version in ("1.0", "2.0"):
        assert process.verdict(estate.issuer.user_token(version=version)) == "accepted"
    forged = SigningKey.generate("RS256").renamed(estate.issuer.signing_key.kid)
    assert process.verdict(estate.issuer.user_token(key=forged)) == "signature_invalid"
    assert [(status.keys, status.waits, status.fetches) for status in process.verifier.status()] == [("fresh", 0, 0)] * 2
    assert process.ignored == [None, None]
    assert estate.provider.asked == []


def test_a_seeded_process_of_an_event_loop_serves_at_once(estate: Estate, run: Any) -> None:
    document = estate.warm().verifier.export()
    token = estate.issuer.user_token()

    async def fetch(request: FetchRequest) -> FetchResponse:
        raise AssertionError("nothing is to be fetched")

    async def serve() -> tuple[bool, str | None, str]:
        options: dict[str, Any] = {"clock": estate.wall, "monotonic": HandClock(), "rhythm": NO_JITTER, "observer": None}
        verifier = AsyncVerifier(estate.policy, fetch=fetch, **options)
        return verifier.seed(document), (await verifier.verify(token)).tenant, verifier.export()

    seeded, tenant, again = run(serve)
    assert (seeded, tenant) == (True, estate.issuer.tenant)
    assert json.loads(again)["sources"] == json.loads(document)["sources"]


@pytest.mark.parametrize(("age", "keys", "due"), [(HOUR - 2, "fresh", False), (HOUR, "stale", True), (DAY - 2, "stale", True)])
def test_a_seed_is_refreshed_when_its_age_says_so_and_behind_the_request(
    estate: Estate, age: float, keys: str, due: bool
) -> None:
    document = estate.warm().verifier.export()
    estate.wall.advance(age)
    estate.provider.asked.clear()
    process = estate.process()
    assert process.verifier.seed(document)
    assert {status.keys for status in process.verifier.status()} == {keys}
    assert process.verdict(estate.issuer.user_token()) == "accepted"
    assert process.verifier.warm_up(SOON, required=True), "it starts what is due, and waits for nothing"
    end = time.monotonic() + SOON
    while due and sum(isinstance(event, KeysRefreshed) for event in process.told) < 2:
        assert time.monotonic() < end
        time.sleep(0.002)
    assert (estate.provider.asked == []) is not due
    assert {status.keys for status in process.verifier.status()} == {"fresh"}


@pytest.mark.parametrize(
    ("said", "exported", "due"),
    [
        pytest.param("", None, HOUR, id="nothing"),
        pytest.param("max-age=900", 900, 900.0, id="a quarter of an hour"),
        pytest.param("max-age=86400", 86400, HOUR, id="longer than the rhythm"),
    ],
)
def test_a_seed_is_due_when_the_server_of_its_keys_wished(estate: Estate, said: str, exported: int | None, due: float) -> None:
    estate.provider.cache_control = said
    first = estate.process()
    assert first.verifier.warm_up(SOON)
    document = json.loads(first.verifier.export())
    assert [source["max_age"] for source in document["sources"]] == [exported] * 2
    estate.wall.advance(60)
    seeded = estate.process()
    assert seeded.verifier.seed(json.dumps(document))
    again = json.loads(seeded.verifier.export())
    assert [source["max_age"] for source in again["sources"]] == [exported] * 2, "as it was said, however often it is passed on"
    assert [status.next_attempt for status in seeded.verifier.status()] == [due - 60] * 2


@pytest.mark.parametrize("value", ["900", True, [], -1, 1e300], ids=repr)
def test_a_wish_that_is_no_time_makes_the_document_unreadable(estate: Estate, value: object) -> None:
    document = estate.document()
    document["sources"][0]["max_age"] = value
    process = estate.process()
    assert process.verifier.seed(json.dumps(document)) is False
    assert set(process.ignored) == {"one of its times is none"}


def test_the_first_good_token_of_a_seeded_process_begins_its_background_refresh(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threads, "TICK", 0.005)
    document = estate.warm().verifier.export()
    process = estate.process()
    assert process.verifier.seed(document)
    estate.provider.asked.clear()
    assert process.verdict(estate.issuer.user_token()) == "accepted"
    assert estate.provider.asked == [], "it needed no fetch"
    process.pass_time(HOUR)
    end = time.monotonic() + SOON
    while sum(isinstance(event, KeysRefreshed) for event in process.told) < 2:  # and nobody asks any more
        assert time.monotonic() < end
        time.sleep(0.002)


def test_a_seed_for_some_of_the_sources_is_not_enough(estate: Estate) -> None:
    document = estate.document()
    document["sources"].pop()
    estate.provider.is_down = True
    process = estate.process()
    assert process.verifier.seed(json.dumps(document)) is False
    assert process.ignored == [None, "it is not in the document"]
    with pytest.raises(KeysUnavailable, match="1 of 2 sources"):
        process.verifier.warm_up(0.0, required=True)


def test_a_seed_comes_too_late_for_keys_that_are_no_older(estate: Estate) -> None:
    old = estate.warm().verifier.export()
    estate.wall.advance(60)
    estate.issuer.rotate(keep_old=False)
    process = estate.warm()
    assert process.verifier.seed(old) is True, "they are usable all the same"
    assert process.ignored == ["the keys in hand are no older"] * 2
    assert process.verdict(estate.issuer.user_token()) == "accepted"


# -- what is ignored ---------------------------------------------------------------------------------------------------


def in_sources(**changes: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda document: document | {"sources": [source | changes for source in document["sources"]]}


IGNORED = [
    pytest.param(lambda document: document | {"version": 2}, "another version", id="another version"),
    pytest.param(lambda document: document | {"version": True}, "another version", id="a version that only equals it"),
    pytest.param(lambda document: document["sources"][0], "another version", id="one source alone"),
    pytest.param(lambda document: {"keys": document["sources"][0]["keys"]}, "no export", id="a JWKS"),
    pytest.param(lambda document: [document], "not a JSON object", id="in a list"),
    pytest.param(lambda document: document | {"sources": {}}, "no list", id="sources that are no list"),
    pytest.param(lambda document: document | {"sources": [None]}, "no object", id="a source that is no object"),
    pytest.param(lambda document: document | {"exported_at": "now"}, "times", id="a time that is text"),
    pytest.param(lambda document: document | {"exported_at": None}, "times", id="no time of writing"),
    pytest.param(lambda document: document | {"exported_at": 10**400}, "", id="a time beyond every float"),
    pytest.param(lambda document: document | {"exported_at": document["exported_at"] + 1}, "future", id="written in the future"),
    pytest.param(lambda document: document | {"sources": document["sources"] * 2}, "twice", id="a source twice"),
    pytest.param(in_sources(fetched_at=True), "times", id="a truth for a time"),
    pytest.param(in_sources(fetched_at=-1), "times", id="fetched before the epoch"),
    pytest.param(in_sources(fetched_at=2**60), "times", id="fetched in a billion years"),
    pytest.param(in_sources(fetched_at=0), "older than keys may be", id="fetched in 1970"),
    pytest.param(in_sources(fetched_at=2**40), "future", id="fetched in the future"),
    pytest.param(in_sources(source=7), "no text", id="an address that is a number"),
    pytest.param(in_sources(source="http://idp.example/"), "not https", id="an address without TLS"),
    pytest.param(in_sources(source="https://idp.example/\nforged"), "not a URL", id="an address with a line break"),
    pytest.param(in_sources(issuers="https://idp.example/"), "no list", id="issuers that are text"),
    pytest.param(in_sources(issuers=[1]), "no list", id="issuers that are numbers"),
    pytest.param(in_sources(cloud_instance_name=5), "no text", id="a cloud that is a number"),
    pytest.param(in_sources(cloud_instance_name=None), "which cloud", id="no cloud"),
    pytest.param(in_sources(keys=[]), "list of 1", id="no keys"),
    pytest.param(in_sources(keys={}), "list of 1", id="keys that are no list"),
    pytest.param(in_sources(keys=[{"kty": "oct", "k": "c2VjcmV0"}]), "no usable key", id="a secret"),
    pytest.param(lambda document: json.dumps(document)[:-9], "JSON", id="cut off"),
    pytest.param(lambda document: "", "JSON", id="empty"),
    pytest.param(lambda document: b"\xff\xfe", "JSON", id="not UTF-8"),
    pytest.param(lambda document: '{"version": "\ud800"}', "JSON", id="a lone surrogate"),
    pytest.param(lambda document: b"\xef\xbb\xbf" + json.dumps(document).encode(), "JSON", id="a byte order mark"),
    pytest.param(lambda document: '{"version": 1, "version": 1}', "twice", id="a member twice"),
    pytest.param(lambda document: "[" * 100_000, "", id="nested without end"),
    pytest.param(lambda document: json.dumps(document) + " " * export.MAX_DOCUMENT_BYTES, "larger", id="too large"),
    pytest.param(lambda document: "\u20ac" * (export.MAX_DOCUMENT_BYTES // 2), "", id="too large once it is encoded"),
]


@pytest.mark.parametrize(("spoil", "reason"), IGNORED)
def test_what_must_not_serve_is_ignored_with_an_event_for_every_source(
    estate: Estate, spoil: Callable[[dict[str, Any]], Any], reason: str
) -> None:
    spoilt = spoil(estate.document())
    process = estate.process()
    assert process.verifier.seed(spoilt if isinstance(spoilt, (str, bytes)) else json.dumps(spoilt)) is False
    assert len(process.ignored) == 2
    assert all(ignored and reason in ignored for ignored in process.ignored)
    assert [status.keys for status in process.verifier.status()] == ["empty", "empty"]


def test_a_source_that_the_policy_does_not_have_is_ignored_by_name(estate: Estate) -> None:
    document = estate.document()
    document["sources"].append(document["sources"][0] | {"source": "https://elsewhere.example/keys"})
    process = estate.process()
    assert process.verifier.seed(json.dumps(document)) is True
    unknown = [event for event in process.told if isinstance(event, KeysSeeded) and event.ignored]
    assert [(event.source, event.ignored) for event in unknown] == [
        ("https://elsewhere.example/keys", "the policy has no such source of keys")
    ]


@pytest.mark.parametrize(
    "change", [{"issuers": ["https://another.example/"]}, {"issuers": None}], ids=["of another issuer", "of no named issuer"]
)
def test_keys_serve_only_the_source_whose_discovery_document_was_judged_alike(estate: Estate, change: dict[str, Any]) -> None:
    """The same address: its document would have been refused where another issuer is expected."""
    document = in_sources(**change)(estate.document())
    process = estate.process()
    assert process.verifier.seed(json.dumps(document)) is False
    assert {status.keys for status in process.verifier.status()} == {"empty"}


def test_an_observer_that_raises_stops_no_seed(estate: Estate) -> None:
    document = estate.document()
    document["sources"].append(document["sources"][0] | {"source": "https://elsewhere.example/keys"})

    def observer(event: KeyEvent) -> None:
        raise RuntimeError("the observer's own")

    with closing(Verifier(estate.policy, clock=estate.wall, fetch=estate.provider, observer=observer)) as verifier:
        assert verifier.seed(json.dumps(document)) is True
        assert verifier.seed("nonsense") is True


def test_without_an_observer_nothing_is_told(estate: Estate) -> None:
    document = estate.document()
    document["sources"].append(document["sources"][0] | {"source": "https://elsewhere.example/keys"})
    with closing(Verifier(estate.policy, clock=estate.wall, fetch=estate.provider, observer=None)) as verifier:
        assert verifier.seed(json.dumps(document)) is True


@pytest.mark.parametrize("value", [None, 5, {"version": 1}, ["x"], bytearray(b"{}")])
def test_what_is_neither_text_nor_bytes_is_the_programmers_mistake(estate: Estate, value: Any) -> None:
    with pytest.raises(PolicyError, match="document"):
        estate.process().verifier.seed(value)


# -- the cloud of the keys ---------------------------------------------------------------------------------------------

OTHER_CLOUD = "microsoftonline.us"


@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize(
    "change", [{"cloud_instance_name": OTHER_CLOUD}, {"keys cloud": OTHER_CLOUD}], ids=["in the metadata", "in each key"]
)
def test_the_cloud_is_checked_for_seeded_keys_as_for_fetched_ones(estate: Estate, version: Any, change: dict[str, str]) -> None:
    document = estate.document()
    for source in document["sources"]:
        if "keys cloud" in change:
            source["keys"] = [jwk | {"cloud_instance_name": OTHER_CLOUD} for jwk in source["keys"]]
        else:  # as in Entra's v1 sets, whose keys name no cloud
            source["keys"] = [
                {name: value for name, value in jwk.items() if name != "cloud_instance_name"} for jwk in source["keys"]
            ]
            source |= change
    process = estate.process()
    assert process.verifier.seed(json.dumps(document))
    assert process.verdict(estate.issuer.user_token(version=version)) == "key_not_for_issuer"


NEEDED = [
    pytest.param("rule", True, False, id="a rule names it"),
    pytest.param("key", False, True, id="a key names it"),
    pytest.param("both", True, True, id="both name it"),
]


@pytest.mark.parametrize(("_", "in_rule", "in_key"), NEEDED)
def test_a_seed_without_the_cloud_of_its_metadata_is_ignored_where_that_could_change_a_verdict(
    _: str, in_rule: bool, in_key: bool, okp_jwk: Callable[..., Jwk]
) -> None:
    source = new_source(HandClock(), HandClock(1000.0), Discovery("https://idp.example/d", frozenset({"https://idp.example/"})))
    jwk = okp_jwk(**({"cloud_instance_name": "a"} if in_key else {}))
    document = json.dumps({"keys": [jwk]}).encode()
    assert not source.seed(document, 990.0, needs_cloud=in_rule)
    assert source.status().keys == "empty"
    assert source.seed(document, 990.0, "a", needs_cloud=in_rule)
    assert source.cloud_instance_name == "a"


@pytest.mark.parametrize("location", ["discovery, and nobody names one", "an address of keys, which has no metadata"])
def test_a_seed_needs_no_cloud_where_fetched_keys_are_judged_by_none(location: str, okp_jwk: Callable[..., Jwk]) -> None:
    is_discovery = location.startswith("discovery")
    url = "https://idp.example/d"
    place = Discovery(url, frozenset({"https://idp.example/"})) if is_discovery else JwksUri(url)
    jwk = okp_jwk(**({} if is_discovery else {"cloud_instance_name": "a"}))
    source = new_source(HandClock(), HandClock(1000.0), place)
    assert source.seed(json.dumps({"keys": [jwk]}).encode(), 990.0, needs_cloud=not is_discovery)


# -- age ---------------------------------------------------------------------------------------------------------------


def new_source(mono: Callable[[], float], wall: Callable[[], float], location: Any = None) -> KeySource:
    return KeySource(location or JwksUri("https://idp.example/keys"), rhythm=NO_JITTER, clock=wall, monotonic=mono)


class Machine:
    """Two clocks over one time, which passes whenever one of them is read: threads are put aside between readings."""

    def __init__(self, rng: random.Random, wall: float, most: float) -> None:
        self._rng, self._most = rng, most
        self.now, self.wall_offset, self._mono_offset = 0.0, wall, rng.uniform(0, 1e6)
        self.wall_read_at = 0.0

    def mono(self) -> float:
        self.now += self._rng.uniform(0, self._most)
        return self.now + self._mono_offset

    def wall(self) -> float:
        self.now += self._rng.uniform(0, self._most)
        self.wall_read_at = self.now
        return self.now + self.wall_offset


ROUNDING = 1e-6
"""Seconds, of sums of floats in this test itself."""
JUMPS = st.sampled_from([0.0, 0.0, -7200.0, -1.0, -0.3, 0.4, 1.0, 7200.0, 25 * HOUR])
HOP = st.tuples(st.floats(0, 5 * HOUR), JUMPS, st.floats(0, 2 * HOUR), JUMPS, st.floats(0, 2.0))


@given(seed=st.integers(0, 2**32), hops=st.lists(HOP, min_size=1, max_size=8))
@settings(max_examples=400, deadline=None)
def test_a_chain_of_exports_and_seeds_never_makes_keys_younger(seed: int, hops: list[tuple[float, ...]]) -> None:
    """Each hop: the document lies about, a process with a wall clock of its own begins with it and lives for a while, its wall
    clock jumps, and it writes the next one. By each document the keys are older than by the one before by all the time that
    passed for the process, and nothing of them is left a day after they were fetched."""
    rng = random.Random(seed)
    document, told, now = chain_begins(1.7e9), 0.0, 1.7e9
    for idle, skew, alive, jump, tick in hops:
        machine = Machine(rng, now + idle + skew, tick)
        source = new_source(machine.mono, machine.wall)
        export.sow(document, {source: False}, machine.wall(), None)
        begun, age = machine.wall_read_at, source.age()
        if age is None:  # from the future by this clock, or too old: nothing serves, which is always safe
            return
        assert told <= begun + machine.wall_offset - fetched_at(document) <= age
        told = begun + machine.wall_offset - fetched_at(document)
        machine.now += alive
        machine.wall_offset += jump
        document = export.written([source], machine.wall)
        told += machine.wall_read_at - begun
        if not json.loads(document)["sources"]:
            return
        assert json_age(document) >= told - ROUNDING
        assert told < DAY + ROUNDING
        told, now = json_age(document), machine.now + machine.wall_offset


def chain_begins(now: float) -> str:
    """The first document, of a set that is fetched at this moment."""
    jwk = {"kty": "OKP", "crv": "Ed25519", "kid": "a", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
    entry = {
        "source": "https://idp.example/keys",
        "fetched_at": now,
        "cloud_instance_name": None,
        "serves_without_kid": True,
        "keys": [jwk],
    }
    return json.dumps({"version": 1, "exported_at": now, "sources": [entry]})


def fetched_at(document: str) -> float:
    return float(json.loads(document)["sources"][0]["fetched_at"])


def json_age(document: str) -> float:
    """How old the keys were, by the document's own words."""
    return float(json.loads(document)["exported_at"]) - fetched_at(document)


@pytest.mark.parametrize("stands_still", ["mono", "wall"])
def test_seeded_keys_die_by_either_clock(estate: Estate, stands_still: str) -> None:
    """A suspended machine stops the one, an operator the other."""
    document = estate.warm().verifier.export()
    estate.wall.advance(20 * HOUR)
    process = estate.process()
    assert process.verifier.seed(document)
    moving = process.wall if stands_still == "mono" else process.mono
    moving.advance(4 * HOUR - 1)
    assert {status.keys for status in process.verifier.status()} == {"stale"}
    moving.advance(1)
    assert {status.keys for status in process.verifier.status()} == {"dead"}


def test_a_chain_without_pauses_loses_a_second_at_most_in_all(estate: Estate) -> None:
    """Rounding makes keys older, and must not do so again and again."""
    process = estate.process(now=1.7e9 + 0.75)
    assert process.verifier.warm_up(SOON)
    document = process.verifier.export()
    for _ in range(50):
        process = estate.process(now=1.7e9 + 0.75)
        assert process.verifier.seed(document)
        document = process.verifier.export()
    assert [age for age in process.ages if age is not None] == [0.75, 0.75]


@pytest.mark.parametrize("others", [pytest.param(0, id="alone in its set"), pytest.param(1, id="beside one without a kid")])
def test_a_key_serves_tokens_without_a_kid_from_an_export_just_as_it_did_before(
    make_source: Callable[..., KeySource], okp_jwk: Callable[..., dict[str, object]], clock: Any, others: int
) -> None:
    listed = [okp_jwk("a"), *({name: value for name, value in okp_jwk("b").items() if name != "kid"} for _ in range(others))]
    fetched, seeded = make_source(), make_source()
    lease = fetched.tick()
    assert lease is not None
    fetched.finish(lease, Loaded(read_keyset({"keys": listed}), None, None))
    export.sow(export.written([fetched], clock.time), {seeded: False}, clock.time(), None)
    now = clock.time()
    served = [isinstance(source.decide(None), Use) for source in (fetched, seeded)]
    assert served == [others == 0] * 2
    assert fetched.in_hand("a", now)
    assert isinstance(seeded.decide("a"), Use)
