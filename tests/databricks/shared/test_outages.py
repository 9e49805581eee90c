"""Redis lost, hanging, refusing and back: every caller is served, at no more than the time limit, and one event says it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tokenward.databricks.shared.breaker import PAUSE
from tokenward.databricks.shared.events import SharedTokensBack, SharedTokensLost
from tokenward.databricks.shared.redis_line import _within
from tokenward.testing import HandClock
from tokenward.testing.workspace.certificate import LoopbackTls

pytestmark = pytest.mark.servers

Jwt = Callable[..., str]
BelongsTo = Callable[[str, str], bool]
NewProcess = Callable[..., Any]  # this folder's
Until = Callable[[Callable[[], object]], Awaitable[None]]


def kinds(process: Any) -> list[type]:
    return [type(event) for event in process.events]


def test_redis_is_killed_in_the_middle_and_everybody_is_served(
    new_process: NewProcess,
    redis: Any,
    endpoint: Any,
    jwt: Jwt,
    mono: HandClock,
    belongs_to: BelongsTo,
    in_redis: Any,
    until: Until,
) -> None:
    async def main() -> None:
        processes = [new_process() for _ in range(4)]
        tokens = [jwt(f"caller{number}") for number in range(50)]
        endpoint.gate.clear()
        asked = [asyncio.ensure_future(process.source.token_for(token)) for token in tokens for process in processes]
        await until(lambda: endpoint.exchanges == len(tokens))  # one leads, three look again and again
        redis.kill()
        await until(
            lambda: sum(bool(process.events) for process in processes) >= 3
        )  # whoever leads with all of them looks no more
        endpoint.gate.set()
        got = await asyncio.gather(*asked)
        assert all(
            belongs_to(access.value, token) for access, token in zip(got, [t for t in tokens for _ in processes], strict=True)
        )
        assert endpoint.exchanges <= len(asked)
        for process in processes:
            await process.source.token_for(jwt("another"))
            assert kinds(process) == [SharedTokensLost]
            assert process.events[0].why == "connect"
            assert process.shared.is_lost

        redis.start()
        before = endpoint.exchanges
        await processes[0].source.token_for(jwt("too early"))
        assert kinds(processes[0]) == [SharedTokensLost]
        mono.advance(PAUSE)
        token = jwt("back")
        for process in processes:
            await process.source.token_for(token)
            await until(lambda: any(not value.startswith(b"lease:") for value in in_redis().values()))
            assert kinds(process) == [SharedTokensLost, SharedTokensBack]
            assert not process.shared.is_lost
        assert endpoint.exchanges == before + 2

    asyncio.run(main())


def test_a_redis_that_was_never_there_refuses_nobody(new_process: NewProcess, redis: Any, endpoint: Any, jwt: Jwt) -> None:
    redis.kill()

    async def main() -> None:
        process = new_process()
        for number in range(20):
            await process.source.token_for(jwt(f"caller{number}"))
        assert endpoint.exchanges == 20
        assert kinds(process) == [SharedTokensLost]

    asyncio.run(main())


def test_a_redis_that_hangs_costs_a_caller_the_time_limit_and_the_next_ones_nothing(
    new_process: NewProcess, redis: Any, endpoint: Any, jwt: Jwt, mono: HandClock
) -> None:
    async def main() -> None:
        process = new_process(redis_timeout=1.0, timeout=120.0)
        await process.source.token_for(jwt("before"))
        redis.hold_up()
        began = time.monotonic()
        await asyncio.gather(*(process.source.token_for(jwt(f"at once {number}")) for number in range(50)))
        first = time.monotonic() - began
        assert 0.9 < first < 10, "60 seconds of patience, had nobody looked at the clock"
        began = time.monotonic()
        for number in range(20):
            await process.source.token_for(jwt(f"later {number}"))
        assert time.monotonic() - began < 10, "20 seconds, had each waited"
        assert [(event.why, type(event)) for event in process.events] == [("timeout", SharedTokensLost)]
        redis.go_on()
        mono.advance(PAUSE)
        await process.source.token_for(jwt("after"))
        assert kinds(process) == [SharedTokensLost, SharedTokensBack]

    asyncio.run(main())


def test_a_redis_that_hangs_while_others_are_waited_for_costs_no_more(
    new_process: NewProcess, redis: Any, endpoint: Any, jwt: Jwt, until: Until
) -> None:
    async def main() -> None:
        leader, follower = (new_process(redis_timeout=1.0, timeout=120.0) for _ in range(2))
        endpoint.gate.clear()
        leads = asyncio.ensure_future(leader.source.token_for(jwt_ := jwt()))
        await until(lambda: endpoint.exchanges == 1)
        follows = asyncio.ensure_future(follower.source.token_for(jwt_))
        await asyncio.sleep(0.05)
        redis.hold_up()
        await until(lambda: endpoint.exchanges == 2)  # within 20 of the 60 seconds of patience
        endpoint.gate.set()
        await asyncio.gather(leads, follows)
        redis.go_on()
        assert kinds(follower) == [SharedTokensLost]

    asyncio.run(main())


def test_a_connection_that_redis_hung_up_on_is_made_anew_without_a_word(
    new_process: NewProcess, jwt: Jwt, redis_client: Any, in_redis: Any, until: Until
) -> None:
    async def main() -> None:
        process = new_process()
        for number in range(3):
            await process.source.token_for(jwt(f"caller{number}"))
            await until(partial(_holds, in_redis, number + 1))
            redis_client.client_kill_filter(skipme=True, _type="normal")
        assert process.events == []

    asyncio.run(main())


def _holds(in_redis: Callable[[], dict[bytes, bytes]], count: int) -> bool:
    return len(in_redis()) == count


def test_a_loop_that_was_held_up_does_not_take_redis_for_lost(redis: Any) -> None:
    """Signing in and asking are several round trips; the loop does something else for longer than the limit of them all."""

    async def main() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", redis.port)

        async def several_round_trips() -> None:
            for _ in range(5):
                writer.write(b"PING\r\n")
                assert await reader.readline() == b"+PONG\r\n"

        asked = asyncio.ensure_future(_within(0.3, several_round_trips()))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        time.sleep(1)  # noqa: ASYNC251
        await asked
        writer.close()

    asyncio.run(main())


def test_a_time_limit_ends_what_brings_nothing() -> None:
    async def main() -> None:
        for_ever = asyncio.Event()
        with pytest.raises(TimeoutError):
            await _within(0.05, for_ever.wait())

    asyncio.run(main())


# -- Redis answers, and not as it should -------------------------------------------------------------------------------

RIGHTS = "~tokenward:*,+eval,+getrange,+get,+set,+del"


def test_the_user_that_is_documented_has_all_rights_that_are_needed(
    new_redis: Any, new_process: NewProcess, endpoint: Any, jwt: Jwt
) -> None:
    redis = new_redis("--user", "gateway", "on", ">s3cret", *RIGHTS.split(","), "--user", "default", "off")

    async def main() -> None:
        processes = [new_process(url=f"redis://gateway:s3cret@127.0.0.1:{redis.port}") for _ in range(2)]
        endpoint.script = [400]
        for token in (jwt("refused"), jwt("ada")):
            for process in processes:
                await asyncio.gather(process.source.token_for(token), return_exceptions=True)
                await process.shared.close()  # after what is under way
        assert [process.events for process in processes] == [[], []]
        assert endpoint.exchanges == 3

    asyncio.run(main())


@pytest.mark.parametrize(
    ("login", "why", "detail"),
    [
        pytest.param("gateway:wrong@", "credentials", "AuthenticationError", id="a wrong password"),
        pytest.param("", "credentials", "NOAUTH", id="no user"),
        pytest.param("reader:s3cret@", "answer", "NOPERM", id="a user without rights"),
    ],
)
def test_a_redis_that_refuses_us_refuses_no_caller(
    new_redis: Any, new_process: NewProcess, jwt: Jwt, login: str, why: str, detail: str
) -> None:
    gateway = ("--user", "gateway", "on", ">s3cret", *RIGHTS.split(","))
    redis = new_redis(*gateway, "--user", "reader", "on", ">s3cret", "~*", "+get", "--user", "default", "off")

    async def main() -> None:
        process = new_process(url=f"redis://{login}127.0.0.1:{redis.port}")
        await process.source.token_for(jwt())
        assert [(event.why, event.where) for event in process.events] == [(why, f"redis://127.0.0.1:{redis.port}/0")]
        assert process.events[0].detail in (detail, "NoPermissionError", "AuthenticationError")
        assert "s3cret" not in repr(process.events)

    asyncio.run(main())


def test_a_redis_that_is_full_refuses_no_caller(new_process: NewProcess, jwt: Jwt, redis_client: Any) -> None:
    redis_client.config_set("maxmemory", "1")

    async def main() -> None:
        process = new_process()
        await process.source.token_for(jwt())
        assert [event.why for event in process.events] == ["answer"]

    asyncio.run(main())


def test_tls_and_a_unix_socket(new_redis: Any, new_process: NewProcess, endpoint: Any, jwt: Jwt) -> None:
    tls = LoopbackTls()
    server = str(Path(tls.ca_file).with_name("server.pem"))
    redis = new_redis("--tls-port", "0", "--tls-cert-file", server, "--tls-key-file", server, "--tls-auth-clients", "no")
    redis_tls_port = _serve_tls(redis)
    secure = f"rediss://localhost:{redis_tls_port}?ssl_ca_certs={tls.ca_file}"

    async def main() -> None:
        over_tls, over_socket = new_process(url=secure), new_process(url=f"unix://{redis.socket}")
        token = jwt()
        await over_tls.source.token_for(token)
        await over_tls.shared.close()  # after what is under way
        await over_socket.source.token_for(token)
        assert (over_tls.events, over_socket.events) == ([], [])
        assert endpoint.exchanges == 1
        unknown = new_process(url=f"rediss://localhost:{redis_tls_port}")
        await unknown.source.token_for(token)
        assert [event.why for event in unknown.events] == ["tls"]

    asyncio.run(main())
    tls.close()


def _serve_tls(redis: Any) -> int:
    import redis as client

    from tokenward.testing.loopback import free_port

    port = free_port()
    with client.Redis(port=redis.port) as connection:
        connection.config_set("tls-port", port)
    return port
