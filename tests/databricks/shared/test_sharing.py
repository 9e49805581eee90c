"""What processes that share a real Redis do together: one exchange for a token, and whose turn it is."""

from __future__ import annotations

import asyncio
import gc
import re
import warnings
import weakref
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio

from tokenward.databricks import AccessToken, AsyncTokenSource, Exchange
from tokenward.databricks.events import TokenExchanged
from tokenward.databricks.shared.events import SharedTokensLost
from tokenward.databricks.shared.shared_tokens import Turn, new_lease
from tokenward.databricks.shared.store import MAX_ENTRY_BYTES, StoreFailed
from tokenward.errors import ExchangeRefused, PolicyError
from tokenward.testing import HandClock

pytestmark = pytest.mark.servers

Jwt = Callable[..., str]
BelongsTo = Callable[[str, str], bool]
NewProcess = Callable[..., Any]  # this folder's
Until = Callable[[Callable[[], object]], Awaitable[None]]
HOST = "https://adb-1234567890123456.7.azuredatabricks.net"
CLIENT = "7cb2f8a4-49a7-4147-83db-35cb69e5cede"


async def placed(until: Until, count: int, in_redis: Callable[[], dict[bytes, bytes]]) -> None:
    """Wait until that many entries, and no lease, lie in Redis: they are placed after the callers have been served."""
    await until(lambda: len(in_redis()) == count and not any(value.startswith(b"lease:") for value in in_redis().values()))


def test_what_one_process_exchanged_serves_all_others(
    new_process: NewProcess, endpoint: Any, jwt: Jwt, in_redis: Any, belongs_to: BelongsTo, until: Until
) -> None:
    async def main() -> None:
        first, second, third = (new_process() for _ in range(3))
        token = jwt()
        access = await first.source.token_for(token)
        await placed(until, 1, in_redis)
        for other in (second, third):
            assert await other.source.token_for(token) == access
        assert belongs_to(access.value, token)
        assert endpoint.exchanges == 1
        assert [process.source.status().exchanges for process in (first, second, third)] == [1, 0, 0]
        assert [process.events for process in (first, second, third)] == [[], [], []]

    asyncio.run(main())


def test_callers_of_all_processes_at_once_cause_one_exchange(
    new_process: NewProcess, endpoint: Any, jwt: Jwt, belongs_to: BelongsTo, until: Until
) -> None:
    async def main() -> None:
        processes = [new_process() for _ in range(4)]
        tokens = [jwt(f"caller{number}") for number in range(50)]
        endpoint.gate.clear()
        asked = [asyncio.ensure_future(process.source.token_for(token)) for token in tokens for process in processes]
        await until(lambda: endpoint.exchanges == len(tokens))
        endpoint.gate.set()
        got = await asyncio.gather(*asked)
        assert all(
            belongs_to(access.value, token) for access, token in zip(got, [t for t in tokens for _ in processes], strict=True)
        )
        assert set(endpoint.asked.values()) == {1}

    asyncio.run(main())


def test_a_token_that_is_held_is_not_asked_of_redis_again(
    new_process: NewProcess, redis: Any, jwt: Jwt, redis_client: Any, until: Until
) -> None:
    async def main() -> None:
        process, token = new_process(), jwt()
        await process.source.token_for(token)
        await until(lambda: redis_client.dbsize() == 1)
        before = redis_client.info("commandstats")["cmdstat_eval"]["calls"]
        for _ in range(100):
            await process.source.token_for(token)
        assert redis_client.info("commandstats")["cmdstat_eval"]["calls"] == before == 1

    asyncio.run(main())


def test_an_entry_lies_in_redis_until_forty_seconds_before_its_end(
    new_process: NewProcess, jwt: Jwt, redis_client: Any, wall: HandClock, until: Until
) -> None:
    async def main() -> None:
        await new_process().source.token_for(jwt(lifetime=600))
        await until(lambda: any(redis_client.ttl(key) > 100 for key in redis_client.scan_iter()))
        (key,) = redis_client.scan_iter()
        assert 500 < redis_client.ttl(key) <= 560
        assert re.fullmatch(rb"tokenward:[0-9a-f]{64}", key)

    asyncio.run(main())


def test_a_token_near_its_end_is_not_shared(
    new_process: NewProcess, endpoint: Any, jwt: Jwt, in_redis: Any, until: Until
) -> None:
    async def main() -> None:
        first, second, token = new_process(), new_process(), jwt(lifetime=40)
        await first.source.token_for(token)
        await until(lambda: in_redis() == {})
        await second.source.token_for(token)
        assert endpoint.exchanges == 2

    asyncio.run(main())


def test_the_end_of_an_entry_is_judged_by_the_reader(
    new_process: NewProcess, endpoint: Any, jwt: Jwt, in_redis: Any, wall: HandClock, until: Until
) -> None:
    async def main() -> None:
        first, second, third, token = new_process(), new_process(), new_process(), jwt(lifetime=600)
        await first.source.token_for(token)
        await placed(until, 1, in_redis)
        wall.advance(559)
        await second.source.token_for(token)
        assert endpoint.exchanges == 1
        wall.advance(1)  # Redis has it still, whose clock nobody has turned
        assert len(in_redis()) == 1
        await third.source.token_for(token)
        assert endpoint.exchanges == 2
        assert third.events == []

    asyncio.run(main())


@pytest.mark.parametrize(
    "grants",
    [
        pytest.param([Exchange(HOST), Exchange("https://adb-2.2.azuredatabricks.net")], id="another workspace"),
        pytest.param([Exchange(HOST), Exchange(HOST, client_id=CLIENT)], id="a service principal"),
        pytest.param([Exchange(HOST), Exchange(HOST, scope="sql")], id="another scope"),
    ],
)
def test_tokens_of_different_grants_are_never_mixed(
    new_process: NewProcess, endpoint: Any, jwt: Jwt, in_redis: Any, grants: list[Exchange], until: Until
) -> None:
    async def main() -> None:
        token = jwt()
        got = [await new_process(grant=grant).source.token_for(token) for grant in grants]
        await until(lambda: len(in_redis()) == 2)
        assert got[0] != got[1]
        assert endpoint.exchanges == 2

    asyncio.run(main())


def test_a_refusal_is_not_shared_and_whoever_waited_asks_for_itself(
    new_process: NewProcess, endpoint: Any, jwt: Jwt, in_redis: Any, until: Until
) -> None:
    async def main() -> None:
        first, second = (new_process(timeout=120.0) for _ in range(2))
        token = jwt()
        endpoint.script, _ = [400], endpoint.gate.clear()
        leads = asyncio.ensure_future(first.source.token_for(token))
        await until(lambda: endpoint.exchanges == 1)
        waits = asyncio.ensure_future(second.source.token_for(token))
        await asyncio.sleep(0.05)
        assert endpoint.exchanges == 1
        endpoint.gate.set()
        with pytest.raises(ExchangeRefused) as refusal:
            await leads
        assert refusal.value.code == "exchange_refused"
        assert (await asyncio.wait_for(waits, 20)).source == "exchange"
        assert endpoint.exchanges == 2

    asyncio.run(main())


def test_a_refused_token_leaves_nothing_in_redis(
    new_process: NewProcess, endpoint: Any, jwt: Jwt, in_redis: Any, until: Until
) -> None:
    async def main() -> None:
        endpoint.script = [400]
        with pytest.raises(ExchangeRefused):
            await new_process(timeout=120.0).source.token_for(jwt())
        await until(lambda: in_redis() == {})

    asyncio.run(main())


def test_whoever_has_waited_long_enough_goes_alone(
    new_process: NewProcess, endpoint: Any, jwt: Jwt, in_redis: Any, redis_client: Any, until: Until
) -> None:
    """Somebody holds the lease and never brings anything, as an attacker in Redis might."""

    async def main() -> None:
        token = jwt()
        key = Exchange(HOST).key(_subject(token))
        redis_client.set(f"tokenward:{key.hex()}", new_lease())
        access = await new_process(timeout=1.0).source.token_for(token)
        assert access.source == "exchange"
        assert endpoint.exchanges == 1
        await placed(until, 1, in_redis)  # and it leaves what it brought to the others

    asyncio.run(main())


def test_one_lease_is_given_at_a_time_and_only_its_holder_gives_it_back(new_process: NewProcess, redis_client: Any) -> None:
    async def main() -> None:
        one, other = new_process().shared, new_process().shared
        mine, theirs = new_lease(), new_lease()
        key = bytes(32)
        assert await one.ask(key, b"", mine, 60, bytes) is Turn.LEAD
        assert await other.ask(key, b"", theirs, 60, bytes) is Turn.WAIT
        await other.leave(key, theirs)
        assert await other.ask(key, b"", theirs, 60, bytes) is Turn.WAIT
        assert await one.ask(key, b"", mine, 60, bytes) is Turn.LEAD  # who asks twice, because an answer was lost
        assert 50_000 < redis_client.pttl(b"tokenward:" + key.hex().encode()) <= 60_000
        await one.leave(key, mine)
        assert await other.ask(key, b"", theirs, 60, bytes) is Turn.LEAD
        assert await other.put(key, b"", b"brought", 60)
        await other.leave(key, theirs)
        assert await one.ask(key, b"", mine, 60, bytes) == b"brought"

    asyncio.run(main())


def test_a_lease_ends_by_itself(new_process: NewProcess) -> None:
    async def main() -> None:
        one, other = new_process().shared, new_process().shared
        assert await one.ask(bytes(32), b"", new_lease(), 0.2, bytes) is Turn.LEAD
        async with asyncio.timeout(20):
            while await other.ask(bytes(32), b"", new_lease(), 60, bytes) is Turn.WAIT:  # noqa: ASYNC110  # as followers do
                await asyncio.sleep(0.02)

    asyncio.run(main())


def test_an_entry_that_is_too_large_is_not_placed(new_process: NewProcess, in_redis: Any) -> None:
    async def main() -> None:
        assert not await new_process().shared.put(bytes(32), b"", b"x" * 40_000, 60)
        assert in_redis() == {}

    asyncio.run(main())


def test_no_more_is_read_than_an_entry_may_have(new_process: NewProcess, redis_client: Any) -> None:
    async def main() -> None:
        redis_client.set(b"tokenward:" + bytes(32).hex().encode(), bytes(1_000_000))
        found = await new_process().shared._store.ask(bytes(32), new_lease(), 60)
        assert len(found) == MAX_ENTRY_BYTES + 1

    asyncio.run(main())


def test_the_observer_is_told_of_exchanges_and_not_of_what_others_had(
    new_process: NewProcess, endpoint: Any, jwt: Jwt, in_redis: Any, until: Until
) -> None:
    async def main() -> None:
        told: list[object] = []
        first, second, token = new_process(), new_process(), jwt()
        for process in (first, second):
            source = AsyncTokenSource(Exchange(HOST), fetch=endpoint.fetch, observer=told.append, shared=process.shared)
            await source.token_for(token)
            await placed(until, 1, in_redis)
        assert [type(event) for event in told] == [TokenExchanged]

    asyncio.run(main())


def test_a_caller_who_is_cancelled_takes_nobody_with_him(
    new_process: NewProcess, endpoint: Any, jwt: Jwt, belongs_to: BelongsTo
) -> None:
    async def main() -> None:
        process, tokens = new_process(), [jwt(f"caller{number}") for number in range(100)]
        asked = [asyncio.ensure_future(process.source.token_for(token)) for token in tokens]
        for step in range(0, 100, 2):
            await asyncio.sleep(0)
            asked[step].cancel()
        got = await asyncio.gather(*asked, return_exceptions=True)
        for token, outcome in zip(tokens, got, strict=True):
            assert isinstance(outcome, asyncio.CancelledError) or belongs_to(outcome.value, token)  # type: ignore[union-attr]
        assert process.events == []

    asyncio.run(main())


def test_one_source_serves_several_loops(new_process: NewProcess, endpoint: Any, jwt: Jwt, in_redis: Any, until: Until) -> None:
    process, tokens = new_process(), [jwt("ada"), jwt("grace")]

    async def main(token: str) -> None:
        await process.source.token_for(token)
        await until(lambda: not any(value.startswith(b"lease:") for value in in_redis().values()))

    for token in tokens:
        asyncio.run(main(token))
    assert len(in_redis()) == 2
    assert process.events == []


def test_it_can_be_closed_and_serves_afterwards(
    new_process: NewProcess, jwt: Jwt, redis_client: Any, in_redis: Any, until: Until
) -> None:
    async def main() -> None:
        process = new_process()
        await process.source.token_for(jwt("ada"))
        await placed(until, 1, in_redis)
        clients = len(redis_client.client_list())
        await process.shared.close()
        await until(lambda: len(redis_client.client_list()) < clients)
        await process.shared.close()
        await process.source.token_for(jwt("grace"))
        await placed(until, 2, in_redis)
        assert process.events == []

    asyncio.run(main())


def test_a_loop_that_has_ended_is_let_go_of_and_its_connection_too(
    new_process: NewProcess, jwt: Jwt, redis_client: Any, until: Until
) -> None:
    process, loops = new_process(), []

    async def main(number: int) -> None:
        await process.source.token_for(jwt(f"caller{number}"))
        loops.append(weakref.ref(asyncio.get_running_loop()))

    async def only(count: int) -> None:
        await until(lambda: len(redis_client.client_list()) == count)

    clients = len(redis_client.client_list())
    for number in range(20):
        asyncio.run(main(number))
    gc.collect()
    assert [loop() for loop in loops] == [None] * 20
    asyncio.run(only(clients))
    assert process.events == []


def test_a_loop_that_was_closed_under_its_tasks_is_let_go_of_with_the_next(new_process: NewProcess) -> None:
    async def main() -> None:
        await process.shared.ask(b"key", b"", new_lease(), 1.0, lambda plain: plain)

    process, loop = new_process(), asyncio.new_event_loop()
    loop.run_until_complete(main())
    ended = weakref.ref(loop)
    for task in asyncio.all_tasks(loop):
        task._log_destroy_pending = False  # type: ignore[attr-defined]  # it is what is meant here
    loop.close()
    del loop, task
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # of the transport, which nobody could close any more
        asyncio.run(main())
        gc.collect()
    assert ended() is None


def test_what_is_brought_after_the_end_opens_no_new_connection(
    new_process: NewProcess, redis_client: Any, in_redis: Any, until: Until
) -> None:
    async def main() -> None:
        process, lease = new_process(), new_lease()
        clients = len(redis_client.client_list())
        assert await process.shared.ask(b"key", b"", lease, 60.0, lambda plain: plain) is Turn.LEAD
        await process.shared.close()
        for late in (process.shared.put(b"key", b"", b"plain", 60.0), process.shared.leave(b"key", lease)):
            with pytest.raises(StoreFailed) as failed:
                await late
            assert failed.value.why == "closed"
        await until(lambda: len(redis_client.client_list()) == clients)
        assert list(in_redis().values()) == [lease]
        assert (process.events, process.shared.is_lost) == ([], False)
        assert await process.shared.ask(b"key", b"", lease, 60.0, lambda plain: plain) is Turn.LEAD
        assert await process.shared.put(b"key", b"", b"plain", 60.0)

    asyncio.run(main())


def test_in_trio_each_process_exchanges_for_itself_and_says_so(
    new_process: NewProcess, endpoint: Any, jwt: Jwt, in_redis: Any
) -> None:
    process, tokens = new_process(), [jwt("ada"), jwt("grace")]

    async def main() -> list[AccessToken]:
        return [await process.source.token_for(token) for token in tokens]

    assert len(trio.run(main)) == 2
    assert [(type(event), event.why) for event in process.events] == [(SharedTokensLost, "loop")]
    assert endpoint.exchanges == 2
    assert in_redis() == {}


def test_what_is_no_shared_tokens_is_refused() -> None:
    with pytest.raises(PolicyError) as refusal:
        AsyncTokenSource(Exchange(HOST), shared="redis://localhost")  # type: ignore[arg-type]
    assert refusal.value.field == "shared"


def _subject(token: str) -> Any:
    from tokenward.databricks import Subject

    return Subject.read(token)
