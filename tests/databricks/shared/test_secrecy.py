"""Whoever reads Redis learns no token; whoever writes into it passes for nobody, and costs callers an exchange at most."""

from __future__ import annotations

import asyncio
import base64
import os
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tokenward.databricks import AsyncTokenSource, Exchange, Subject
from tokenward.databricks.shared.events import SharedTokensUnreadable
from tokenward.databricks.shared.redis_store import RedisTokens
from tokenward.databricks.shared.sealing import SealingKeys
from tokenward.databricks.shared.shared_tokens import UNREADABLE_EVERY
from tokenward.testing import HandClock

pytestmark = pytest.mark.servers

Jwt = Callable[..., str]
BelongsTo = Callable[[str, str], bool]
NewProcess = Callable[..., Any]  # this folder's
Until = Callable[[Callable[[], object]], Awaitable[None]]
HOST = "https://adb-1234567890123456.7.azuredatabricks.net"
ONE, TWO = (bytes((start + step * 7) % 256 for step in range(32)) for start in (1, 2))


def entries(found: dict[bytes, bytes]) -> dict[bytes, bytes]:
    return {key: value for key, value in found.items() if not value.startswith(b"lease:")}


def name_of(token: str) -> str:
    return f"tokenward:{Exchange(HOST).key(Subject.read(token)).hex()}"


def test_no_token_and_no_key_can_be_read_in_redis_in_logs_or_in_a_repr(
    redis: Any, endpoint: Any, jwt: Jwt, in_redis: Any, wall: HandClock, mono: HandClock, until: Until
) -> None:
    secrets: list[bytes] = [ONE, ONE.hex().encode(), base64.b64encode(ONE)]
    seen: list[bytes] = []

    async def main() -> None:
        shared = RedisTokens(redis.url, ONE, monotonic=mono)
        source = AsyncTokenSource(Exchange(HOST), fetch=endpoint.fetch, clock=wall, monotonic=mono, shared=shared)
        endpoint.script = [400]
        for number in range(20):
            token = jwt(f"caller{number}")
            secrets.extend(part.encode() for part in token.split("."))
            (access,) = await asyncio.gather(source.token_for(token), return_exceptions=True)
            if not isinstance(access, BaseException):
                secrets.extend(part.encode() for part in access.value.split("."))
            seen.append(repr(access).encode())
        await until(lambda: len(entries(in_redis())) == 19)
        seen.extend(key + value for key, value in in_redis().items())
        redis.kill()
        await source.token_for(jwt("the last"))
        seen.append(repr([shared, source, shared._store, shared._keys]).encode())

    with structlog.testing.capture_logs() as logs:
        asyncio.run(main())
    seen.append(repr(logs).encode())
    assert {"token_exchanged", "token_exchange_failed", "shared_tokens_lost"} == {entry["event"] for entry in logs}
    everything = b"\n".join(seen)
    headers = {secret for secret in secrets if len(secret) < 40}  # {"alg":"RS256"} is no secret, and must not be there either
    assert headers
    assert [secret for secret in secrets if secret in everything] == []


def test_no_event_quotes_the_password(redis: Any, endpoint: Any, jwt: Jwt) -> None:
    async def main() -> None:
        shared = RedisTokens(f"redis://ada:s3cret@127.0.0.1:{redis.port}", ONE)
        await AsyncTokenSource(Exchange(HOST), fetch=endpoint.fetch, shared=shared).token_for(jwt())

    with structlog.testing.capture_logs() as logs:
        asyncio.run(main())
    (lost,) = [entry for entry in logs if entry["event"] == "shared_tokens_lost"]
    assert (lost["log_level"], lost["why"], lost["store"]) == ("warning", "credentials", f"redis://127.0.0.1:{redis.port}/0")
    assert lost["hint"]
    assert "s3cret" not in repr(logs)
    assert "ada" not in repr(lost)


def test_another_key_is_a_miss_and_no_error(
    new_process: NewProcess, endpoint: Any, jwt: Jwt, in_redis: Any, belongs_to: BelongsTo, until: Until
) -> None:
    async def main() -> None:
        token, one, other = jwt(), new_process(ONE), new_process(TWO)
        await one.source.token_for(token)
        await until(lambda: entries(in_redis()))
        before = in_redis()
        assert belongs_to((await other.source.token_for(token)).value, token)
        assert endpoint.exchanges == 2
        await until(lambda: entries(in_redis()) and in_redis() != before)  # the useless entry has been replaced
        assert [type(event) for event in other.events] == [SharedTokensUnreadable]

    asyncio.run(main())


def test_processes_with_a_new_key_share_again_at_once(
    new_process: NewProcess, endpoint: Any, jwt: Jwt, in_redis: Any, until: Until
) -> None:
    async def main() -> None:
        token = jwt()
        await new_process(ONE).source.token_for(token)
        await until(lambda: entries(in_redis()))
        await asyncio.gather(*(new_process(TWO).source.token_for(token) for _ in range(5)))
        assert endpoint.exchanges == 2

    asyncio.run(main())


def test_after_a_change_of_keys_entries_of_the_old_one_still_serve(
    new_process: NewProcess, endpoint: Any, jwt: Jwt, in_redis: Any, until: Until
) -> None:
    async def main() -> None:
        token = jwt()
        await new_process(ONE).source.token_for(token)
        await until(lambda: entries(in_redis()))
        await new_process(SealingKeys(TWO, ONE)).source.token_for(token)
        assert endpoint.exchanges == 1

    asyncio.run(main())


Change = Callable[[bytes], bytes]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda entry: entry[:-1], id="cut at the end"),
        pytest.param(lambda entry: entry[:20], id="cut to its beginning"),
        pytest.param(lambda entry: entry[:1], id="cut to one byte"),
        pytest.param(lambda entry: entry + b"\x00", id="longer"),
        pytest.param(lambda entry: entry + bytes(100_000), id="far too long"),
        pytest.param(lambda entry: entry[:40] + bytes([entry[40] ^ 1]) + entry[41:], id="one bit"),
        pytest.param(lambda entry: b"\x02" + entry[1:], id="another version"),
        pytest.param(lambda entry: os.urandom(len(entry)), id="noise"),
        pytest.param(lambda entry: b'{"value":"a.b.c","expires_at":9999999999,"scope":"","source":"exchange"}', id="plain text"),
    ],
)
def test_what_was_tampered_with_is_a_miss(
    new_process: NewProcess,
    endpoint: Any,
    jwt: Jwt,
    redis_client: Any,
    in_redis: Any,
    belongs_to: BelongsTo,
    change: Change,
    until: Until,
) -> None:
    async def main() -> None:
        token, reader = jwt(), new_process()
        await new_process().source.token_for(token)
        await until(lambda: entries(in_redis()))
        redis_client.set(name_of(token), change(redis_client.get(name_of(token))))
        assert belongs_to((await reader.source.token_for(token)).value, token)
        assert endpoint.exchanges == 2
        assert [type(event) for event in reader.events] == [SharedTokensUnreadable]

    asyncio.run(main())


def test_one_callers_entry_in_anothers_place_is_a_miss(
    new_process: NewProcess, endpoint: Any, jwt: Jwt, redis_client: Any, in_redis: Any, belongs_to: BelongsTo, until: Until
) -> None:
    async def main() -> None:
        ada, grace = jwt("ada"), jwt("grace")
        process, reader = new_process(), new_process()
        for token in (ada, grace):
            await process.source.token_for(token)
        await until(lambda: len(entries(in_redis())) == 2)
        redis_client.set(name_of(grace), redis_client.get(name_of(ada)))
        assert belongs_to((await reader.source.token_for(grace)).value, grace)
        assert endpoint.exchanges == 3

    asyncio.run(main())


def test_an_entry_of_a_grant_of_another_name_is_a_miss(
    new_process: NewProcess, jwt: Jwt, endpoint: Any, in_redis: Any, until: Until
) -> None:
    """Even where two grants of somebody's own have one key by mistake."""

    class Named:
        def __init__(self, name: str) -> None:
            self.name, self._exchange = name, Exchange(HOST)

        def key(self, subject: Subject) -> bytes:
            return self._exchange.key(subject)

        def steps(self, subject: Subject, now: float) -> Any:
            return self._exchange.steps(subject, now)

    async def main() -> None:
        token = jwt()
        for name in ("one", "another"):
            await new_process(grant=Named(name)).source.token_for(token)
            await until(lambda: entries(in_redis()))
        assert endpoint.exchanges == 2

    asyncio.run(main())


@pytest.mark.parametrize("kind", ["list", "hash", "number", "empty"])
def test_a_value_of_another_type_is_replaced(
    new_process: NewProcess, jwt: Jwt, redis_client: Any, in_redis: Any, kind: str, until: Until
) -> None:
    place = {
        "list": lambda name: redis_client.rpush(name, "x"),
        "hash": lambda name: redis_client.hset(name, "x", "y"),
        "number": lambda name: redis_client.set(name, 5),
        "empty": lambda name: redis_client.set(name, ""),
    }

    async def main() -> None:
        token, process = jwt(), new_process()
        place[kind](name_of(token))
        await process.source.token_for(token)
        await until(lambda: entries(in_redis()) and len(entries(in_redis())[name_of(token).encode()]) > 100)
        assert not process.shared.is_lost

    asyncio.run(main())


def test_useless_entries_are_told_of_once_a_minute(new_process: NewProcess, jwt: Jwt, redis_client: Any, mono: HandClock) -> None:
    async def main() -> None:
        process = new_process()
        for number in range(10):
            token = jwt(f"caller{number}")
            redis_client.set(name_of(token), b"noise")
            await process.source.token_for(token)
        assert [type(event) for event in process.events] == [SharedTokensUnreadable]
        mono.advance(UNREADABLE_EVERY)
        redis_client.set(name_of(token := jwt("another")), b"noise")
        await process.source.token_for(token)
        assert [type(event) for event in process.events] == [SharedTokensUnreadable] * 2

    asyncio.run(main())


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(noise=st.binary(max_size=200))
def test_nothing_that_lies_in_redis_is_an_error_for_a_caller(
    new_process: NewProcess, jwt: Jwt, redis_client: Any, belongs_to: BelongsTo, noise: bytes
) -> None:
    async def main() -> None:
        token = jwt(base64.b64encode(os.urandom(9)).decode())
        redis_client.set(name_of(token), noise)
        process = new_process(timeout=1.0)
        assert belongs_to((await process.source.token_for(token)).value, token)
        assert not process.shared.is_lost

    asyncio.run(main())
