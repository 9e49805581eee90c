"""Starts that require keys and starts that do not, and what the status of a source says while its issuer is well and unwell."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

import pytest
import structlog

from tokenward import AsyncVerifier, Issuer, KeysUnavailable, Policy, PolicyError, TokenRejected, Verifier
from tokenward.keys.events import KeyEvent, KeysAwaited
from tokenward.keys.port import FailureKind, FetchFailed, FetchRequest, FetchResponse
from tokenward.keys.rhythm import Rhythm
from tokenward.keys.status import FetchWord, KeyStatus, KeysWord
from tokenward.testing import FaultServer, HandClock, LocalIssuer, OidcIssuer, SigningKey, faults

Desk = Any  # of this folder's conftest
Run = Any
A, B = "https://a.example/keys", "https://b.example/keys"
PAGE = Path(__file__).parents[2] / "docs" / "operating.md"
SOON = 20.0
"""Real seconds within which what must happen happens."""


def two_issuers(desk: Desk) -> Policy:
    """Of which one publishes its keys at each address."""
    rules = [desk.rule(f"https://{name}.example/", jwks=..., jwks_uri=url) for name, url in (("a", A), ("b", B))]
    return Policy(rules)


def warm_up(kind: str, run: Run, policy: Policy, provider: Callable[[FetchRequest], FetchResponse], **options: Any) -> bool:
    """A start of a verifier of this kind, without patience unless some is given, but not before each source was asked once."""
    options = {"timeout": 0.05, **options}
    until = time.monotonic() + SOON
    if kind == "Verifier":
        with closing(Verifier(policy, fetch=provider, observer=None)) as verifier:
            while True:
                with suppress_unasked(until):
                    return verifier.warm_up(**options)

    async def fetch(request: FetchRequest) -> FetchResponse:
        return provider(request)

    async def start() -> bool:
        verifier = AsyncVerifier(policy, fetch=fetch, observer=None)
        while True:
            with suppress_unasked(until):
                return await verifier.warm_up(**options)

    return bool(run(start))


@contextmanager
def suppress_unasked(until: float) -> Iterator[None]:
    """A busy machine may not come to a first attempt in time."""
    try:
        yield
    except KeysUnavailable as error:
        if "no attempt has ended yet" not in str(error) or time.monotonic() > until:
            raise


@pytest.fixture(params=["Verifier", "AsyncVerifier"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


LACKING = [
    pytest.param({A: FetchFailed("dns")}, {"a": "dns"}, "1 of 2", id="one of two cannot be resolved"),
    pytest.param(
        {A: FetchFailed("tls"), B: FetchFailed("timeout")}, {"a": "tls", "b": "timeout"}, "2 of 2", id="both, for two reasons"
    ),
    pytest.param({B: None}, {"b": "status"}, "1 of 2", id="nothing is at the address of one"),
    pytest.param({B: {"keys": []}}, {"b": "no_keys"}, "1 of 2", id="one publishes nothing"),
]


@pytest.mark.parametrize(("spoilt", "named", "number"), LACKING)
def test_a_start_that_requires_keys_fails_and_says_whose_are_missing_and_why(
    desk: Desk, run: Run, kind: str, spoilt: dict[str, Any], named: dict[str, str], number: str
) -> None:
    provider = desk.provider({A: desk.jwks(), B: desk.jwks()} | spoilt)
    with pytest.raises(KeysUnavailable) as failed:
        warm_up(kind, run, two_issuers(desk), provider, required=True)
    text = str(failed.value)
    assert f"{number} sources" in text
    assert dict(re.findall(r"https://(\w)\.example/keys \((\w+)\)", text)) == named
    assert "keys_refresh_failed" in text
    assert "without requiring keys" in text
    assert (failed.value.status, failed.value.retry_after is not None and failed.value.retry_after > 0) == (503, True)


def test_a_start_whose_first_fetch_hangs_says_that_none_has_ended(desk: Desk) -> None:
    over = threading.Event()

    def hang(request: FetchRequest) -> FetchResponse:
        over.wait(SOON)
        raise FetchFailed("timeout")

    verifier = Verifier(two_issuers(desk), fetch=hang, observer=None)
    with closing(verifier), pytest.raises(KeysUnavailable, match="no attempt has ended yet"):
        verifier.warm_up(0.0, required=True)
    over.set()


@pytest.mark.parametrize("required", [False, True])
def test_a_start_with_keys_goes_on(desk: Desk, run: Run, kind: str, required: bool) -> None:
    provider = desk.provider({A: desk.jwks(), B: desk.jwks()})
    assert warm_up(kind, run, two_issuers(desk), provider, timeout=SOON, required=required) is True
    assert sorted(provider.asked) == [A, B]


def test_keys_of_the_configuration_need_no_start(desk: Desk, run: Run, kind: str) -> None:
    assert warm_up(kind, run, Policy([desk.rule()]), desk.provider({}), timeout=0.0, required=True) is True


def test_a_start_that_does_not_require_keys_goes_on_without(desk: Desk, run: Run, kind: str) -> None:
    assert warm_up(kind, run, two_issuers(desk), desk.provider({A: desk.jwks()})) is False


def test_keys_that_come_at_the_last_moment_are_enough(desk: Desk) -> None:
    """The driver's time was over, and then they came."""
    verifier = desk.verifier(policy=two_issuers(desk), fetch=desk.provider({A: desk.jwks(), B: desk.jwks()}))
    with closing(verifier):
        verifier._driver.warm_up, late = (lambda timeout: False), verifier._driver.warm_up
        assert late(SOON)
        assert verifier.warm_up(required=True) is True
        assert verifier.warm_up() is False


@pytest.mark.parametrize("required", ["true", 1, None])
def test_whether_keys_are_required_is_said_outright(desk: Desk, run: Run, kind: str, required: object) -> None:
    provider = desk.provider({A: desk.jwks(), B: desk.jwks()})
    with pytest.raises(PolicyError, match="required"):
        warm_up(kind, run, two_issuers(desk), provider, required=required)
    assert provider.asked == []


def test_a_lifespan_that_requires_keys_is_not_entered_without(desk: Desk, run: Run) -> None:
    entered = []

    async def fetch(request: FetchRequest) -> FetchResponse:
        raise FetchFailed("connect")

    async def live(required: bool) -> None:
        async with AsyncVerifier(two_issuers(desk), fetch=fetch, observer=None).running(warm_up=0.05, required=required):
            entered.append(required)

    run(live, False)
    with pytest.raises(KeysUnavailable, match="2 of 2 sources"):
        run(live, True)
    assert entered == [False]


def test_a_start_in_vain_is_logged_in_words_that_are_true_of_both(desk: Desk) -> None:
    verifier = Verifier(two_issuers(desk), fetch=desk.provider({}))
    with structlog.testing.capture_logs() as logged, closing(verifier), pytest.raises(KeysUnavailable):
        verifier.warm_up(0.05, required=True)
    hints = [entry["hint"] for entry in logged if entry["event"] == "keys_awaited"]
    assert len(hints) == 2
    assert all("If it requires them, it ends here; else the service is up" in hint for hint in hints)


@pytest.mark.parametrize("required", [False, True])
def test_a_start_that_would_not_wait_has_not_waited_in_vain(desk: Desk, run: Run, kind: str, required: bool) -> None:
    """It is the documented start behind a readiness probe: an error at each of them would be a false alarm."""
    told: list[KeyEvent] = []
    over = threading.Event()
    expected = pytest.raises(KeysUnavailable, match="2 of 2") if required else nullcontext()

    def fetch(request: FetchRequest) -> FetchResponse:
        over.wait(SOON)
        raise FetchFailed("connect")

    async def fetch_async(request: FetchRequest) -> FetchResponse:
        raise FetchFailed("connect")

    async def start() -> None:
        verifier = AsyncVerifier(two_issuers(desk), fetch=fetch_async, observer=told.append)
        async with verifier.running(warm_up=0, required=required):
            pass

    with expected:
        if kind == "AsyncVerifier":
            run(start)
        else:
            with closing(Verifier(two_issuers(desk), fetch=fetch, observer=told.append)) as verifier:
                assert verifier.warm_up(0, required=required) is False
    assert not [event for event in told if isinstance(event, KeysAwaited)]
    over.set()


# -- the words of the status -------------------------------------------------------------------------------------------


class Service:
    """A verifier of threads whose issuer is a server that can be spoilt, and whose time passes when a test says so."""

    def __init__(self, server: FaultServer, issuer: OidcIssuer) -> None:
        self.server, self.issuer = server, issuer
        self.mono, self.wall = HandClock(1000.0), HandClock(int(time.time()))
        rule = Issuer(issuer.issuer, audiences=["https://api.example/"], algorithms=["EdDSA"], jwks_uri=issuer.jwks_uri)
        rhythm = Rhythm(jitter=0.0)
        self.verifier = Verifier(Policy([rule]), clock=self.wall, monotonic=self.mono, rhythm=rhythm, observer=None)

    @property
    def status(self) -> KeyStatus:
        [status] = self.verifier.status()
        return status

    def pass_time(self, seconds: float) -> None:
        self.mono.advance(seconds)
        self.wall.advance(seconds)

    def until(self, happened: Callable[[KeyStatus], bool]) -> KeyStatus:
        end = time.monotonic() + SOON
        while not happened(self.status):
            assert time.monotonic() < end, self.status
            time.sleep(0.002)
        return self.status

    def ended(self, fetches: int) -> KeyStatus:
        """After so many fetches, of which the last has ended."""
        return self.until(lambda status: status.fetches == fetches and status.fetch != "in_flight")

    def verify(self, **minting: Any) -> None:
        self.verifier.verify(self.issuer.access_token(now=self.wall(), **minting))


@pytest.fixture
def service() -> Iterator[Service]:
    issuer = LocalIssuer.oidc(new_key=lambda: SigningKey.generate("EdDSA"))
    with FaultServer(issuer) as server:
        made = Service(server, issuer)
        with closing(made.verifier):
            yield made


def test_before_the_first_fetch_a_source_is_empty_and_idle_and_due(service: Service) -> None:
    status = service.status
    assert (status.keys, status.fetch, status.usable, status.kids, status.generation) == ("empty", "idle", 0, (), 0)
    assert (status.age, status.serves_for, status.next_attempt, status.cooling_down) == (None, None, 0.0, None)
    assert (status.failures, status.last_failure, status.fetches, status.waits) == (0, None, 0, 0)


def test_a_fetch_under_way_is_in_flight_and_has_no_next_attempt(service: Service) -> None:
    fault = faults.held()
    service.server.next(fault)
    service.verifier.fetch_due()
    status = service.until(lambda status: status.fetches == 1)
    assert (status.keys, status.fetch, status.next_attempt) == ("empty", "in_flight", None)
    fault.end()
    assert service.ended(1).fetch == "idle"


def test_a_first_failure_is_backoff_with_its_kind_and_the_seconds_to_the_next_attempt(service: Service) -> None:
    service.server.always(faults.status(503, retry_after=7))
    service.verifier.fetch_due()
    status = service.ended(1)
    assert (status.keys, status.fetch, status.failures, status.last_failure) == ("empty", "backoff", 1, "status")
    assert status.next_attempt == 7.0
    service.pass_time(7.0)
    assert (service.status.fetch, service.status.next_attempt) == ("idle", 0.0)
    service.server.recover()
    service.verifier.fetch_due()
    status = service.ended(2)
    assert (status.keys, status.usable, status.failures, status.last_failure) == ("fresh", 1, 0, None)


def test_keys_age_from_fresh_to_stale_to_dead_while_the_issuer_is_down(service: Service) -> None:
    assert service.verifier.warm_up(SOON)
    status = service.status
    assert (status.keys, status.fetch, status.usable, status.kids) == ("fresh", "idle", 1, (service.issuer.signing_key.kid,))
    assert (status.age, status.serves_for, status.next_attempt, status.generation) == (0.0, 86400.0, 3600.0, 1)
    service.server.always(faults.reset())
    service.pass_time(3600.0)
    status = service.status
    assert (status.keys, status.age, status.serves_for, status.next_attempt) == ("stale", 3600.0, 82800.0, 0.0)
    service.verify()  # at once, and behind it the refresh, which fails
    status = service.ended(2)
    assert (status.keys, status.fetch, status.usable, status.failures, status.waits) == ("stale", "backoff", 1, 1, 0)
    assert status.last_failure in ("connect", "read")
    assert status.next_attempt is not None
    assert 0 < status.next_attempt <= 1
    service.pass_time(82800.0)
    status = service.status
    assert (status.keys, status.usable, status.kids, status.serves_for) == ("dead", 0, (), 0.0)
    service.server.recover()
    service.verifier.fetch_due()
    assert service.until(lambda status: status.keys == "fresh").generation == 2


def test_an_unknown_kid_makes_a_source_cool_down(service: Service) -> None:
    assert service.verifier.warm_up(SOON)
    assert service.status.cooling_down is None
    service.pass_time(60)
    with pytest.raises(TokenRejected):
        service.verify(header={"kid": "made up"})
    status = service.status
    assert (status.cooling_down, status.waits, status.fetches) == (60.0, 1, 2)  # twice the 30 seconds: it brought nothing new
    service.pass_time(60)
    assert service.status.cooling_down is None


def test_a_wish_of_the_operator_is_a_fetch_at_once_and_cools_nothing_down(service: Service) -> None:
    assert service.verifier.warm_up(SOON)
    service.pass_time(1.0)  # min_gap
    service.issuer.rotate()
    assert service.verifier.refresh(SOON)
    status = service.status
    assert (status.generation, status.usable, status.cooling_down, dict(status.counts.fetches["forced"])) == (
        2,
        2,
        None,
        {"ok": 1},
    )


@pytest.mark.parametrize("kids", [[None], ["a"], [None, "a"]], ids=["without a kid", "with one", "both"])
def test_an_only_key_is_usable_with_a_kid_and_without(desk: Desk, kids: list[str | None]) -> None:
    """Keys without a kid are usable only where there is no other; the status must not call such a source unusable."""
    names = {None: "rsa", "a": "rsa-2"}
    keys = [desk.signers[names[kid]].jwk | {"kid": kid} for kid in kids]
    verifier = desk.verifier(desk.rule(jwks=..., jwks_uri=A), fetch=desk.provider({A: {"keys": keys}}))
    with closing(verifier):
        assert verifier.warm_up(SOON, required=True)
        [status] = verifier.status()
        assert (status.usable, status.kids) == (1, ("a",) if "a" in kids else ())


# -- the page ----------------------------------------------------------------------------------------------------------


def listed(heading: str) -> list[str]:
    """The first column of the table below a heading."""
    text = PAGE.read_text("utf-8")
    part = re.split(r"^#+ ", text.split(f"## {heading}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]
    return [word for row in re.findall(r"^\| (`.+?) \|", part, re.MULTILINE) for word in re.findall(r"`(\w+)`", row)]


def test_the_page_explains_every_word_of_the_status() -> None:
    assert listed("What `status()` says") == [field.name for field in fields(KeyStatus)]


def test_the_page_explains_every_value_of_the_words() -> None:
    assert listed("The values of `keys`") == list(get_args(KeysWord))
    assert listed("The values of `fetch`") == list(get_args(FetchWord))
    assert listed("The values of `last_failure`") == list(get_args(FailureKind))
