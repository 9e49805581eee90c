"""What random traces have found, and what they cannot show, each told without luck."""

from __future__ import annotations

import json
import random
from collections.abc import Callable

import pytest

from tokenward.keys import threads
from tokenward.keys.decision import Unavailable, Use
from tokenward.keys.keyset import read_keyset
from tokenward.keys.loading import Loaded
from tokenward.keys.location import JwksUri
from tokenward.keys.source import KeySource

from .explorer import Rules
from .machine import Issuer
from .thread_world import ThreadWorld
from .traffic import Traffic
from .world import Kind, World


@pytest.mark.parametrize("kind", ["threads", "asyncio", "trio"])
def test_i3_a_fetch_whose_time_ran_out_before_it_began_is_not_made(monkeypatch: pytest.MonkeyPatch, kind: Kind) -> None:
    """A process that was suspended would make it beside the next one."""
    traffic = Traffic(kind, Rules(), monkeypatch, 0)
    world, document = traffic.world, traffic.issuer.document()

    async def suspended(_world: World) -> None:
        lease = world.source.tick()
        assert lease is not None
        world.source.finish(lease, Loaded(read_keyset(document), None, None))
        traffic.ask_junk()  # its fetch begins `min_gap` after the last one
        await world.settle()
        world.stage.pass_time(world.source.rhythm.lease + 5)
        await world.settle()

    world.run(suspended)
    assert world.flights == []
    assert world.source.status().counts.leases_expired == 1


@pytest.mark.parametrize("kind", ["threads", "asyncio", "trio"])
def test_i1_whoever_waits_passes_at_once_when_its_key_comes_from_elsewhere(monkeypatch: pytest.MonkeyPatch, kind: Kind) -> None:
    traffic = Traffic(kind, Rules(), monkeypatch, 0)
    world = traffic.world

    async def silent_issuer(_world: World) -> None:
        known, junk = traffic.issuer.any_kid(), "junk"
        requests = [traffic.request(kid) for kid in (known, known, junk)]
        for request in requests:
            world.ask(request)
        await world.settle()
        document = json.dumps({"keys": list(traffic.issuer.listed.values())}).encode()
        assert world.source.seed(document, world.clock.wall - 60)
        await world.settle()
        assert [request.is_done for request in requests] == [True, True, False]
        assert [type(request.answer) for request in requests[:2]] == [Use, Use]

    world.run(silent_issuer)


@pytest.mark.parametrize("kind", ["threads", "asyncio", "trio"])
def test_i3_two_fetches_are_a_second_apart_however_soon_the_second_is_granted(
    monkeypatch: pytest.MonkeyPatch, kind: Kind
) -> None:
    traffic = Traffic(kind, Rules(), monkeypatch, 0)
    world = traffic.world

    async def one_after_the_other(_world: World) -> None:
        traffic.ask()
        await world.settle()
        world.reply(world.flights[0], traffic.outcome(world.flights[0]))
        await world.settle()
        traffic.ask_junk()
        await traffic.let(0.5)
        assert len(world.flights) == 1
        await traffic.let(0.6)

    world.run(one_after_the_other)
    first, second = world.flights
    assert second.began - first.began >= world.source.rhythm.min_gap


@pytest.mark.parametrize(
    "begin",
    [
        pytest.param(lambda driver: driver.start_due(), id="a probe"),
        pytest.param(lambda driver: driver.warm_up(0), id="a start"),
    ],
)
def test_i13_one_look_for_due_fetches_keeps_the_keys_of_threads_fresh_without_any_request(
    monkeypatch: pytest.MonkeyPatch, begin: Callable[[threads.ThreadDriver], object]
) -> None:
    world = ThreadWorld(Rules(), monkeypatch)

    async def idle(_world: World) -> None:
        begin(world.driver)
        await world.settle()
        world.source.finish(world.flights[0].lease, loaded("a"))
        for _ in range(3):  # the ticker looks, and then its fetch begins
            world.stage.pass_time(world.source.rhythm.refresh_interval)
            await world.settle()

    world.run(idle)
    assert [flight.lease.why for flight in world.flights[:2]] == ["tick", "tick"]


PARKED = 8


@pytest.mark.parametrize(
    ("kids", "patient"),
    [
        pytest.param(["a"], threads.MAX_PATIENT, id="another issuer has keys in hand"),
        pytest.param([], PARKED, id="no issuer has"),
    ],
)
def test_i6_few_threads_wait_long_for_one_issuer_while_any_has_keys_in_hand(
    monkeypatch: pytest.MonkeyPatch, kids: list[str], patient: int
) -> None:
    """A pool of four threads serves the callers of all issuers."""
    traffic = Traffic("threads", Rules(), monkeypatch, 0)
    world = traffic.world
    assert isinstance(world, ThreadWorld)
    other = KeySource(
        JwksUri("https://other.example/keys"),
        rhythm=world.source.rhythm,
        clock=world.clock.time,
        monotonic=world.clock.monotonic,
    )
    lease = other.tick()
    assert lease is not None
    if kids:
        other.finish(lease, loaded(*kids))
    world.driver = threads.ThreadDriver([world.source, other], world._fetch)

    async def slow_issuer(_world: World) -> None:
        for _ in range(PARKED):
            traffic.send("n")
        await world.settle()
        assert world.source.status().waiting == PARKED
        world.stage.pass_time(threads.SHORT_WAIT)
        await world.settle()
        assert world.source.status().waiting == patient
        world.source.finish(world.flights[0].lease, loaded("n"))
        await world.settle()

    world.run(slow_issuer)
    answers = [type(request.answer) for request in traffic.parked]
    assert (answers.count(Use), answers.count(Unavailable)) == (patient, PARKED - patient)


def loaded(*kids: str) -> Loaded:
    issuer = Issuer(random.Random(0))
    for kid in kids:
        issuer.publish(kid)
    return Loaded(read_keyset({"keys": list(issuer.listed.values())}), None, None)
