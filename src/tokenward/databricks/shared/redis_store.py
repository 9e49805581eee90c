"""Tokens shared through Redis: any Redis from 6.0 on, or what speaks as it does, with redis-py on asyncio.

Every command touches one key, so that a cluster behind a proxy serves as well. A user for it needs no more than
`on >password ~tokenward:* +eval +getrange +get +set +del +select`.
"""

from __future__ import annotations

import asyncio
import time
import weakref
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from tokenward import validation
from tokenward.databricks.shared.events import SharedObserver, log_shared_event
from tokenward.databricks.shared.redis_address import RedisAddress, redis_address
from tokenward.databricks.shared.redis_line import Answer, Line
from tokenward.databricks.shared.sealing import SealingKeys
from tokenward.databricks.shared.shared_tokens import SharedTokens
from tokenward.databricks.shared.store import MAX_ENTRY_BYTES, StoreFailed
from tokenward.errors import PolicyError

if TYPE_CHECKING:
    from redis.asyncio import Connection

TIMEOUT = 0.5
"""Seconds for a round trip, connecting included; within a region it takes a millisecond."""
MAX_TIMEOUT = 10.0
PREFIX = "tokenward:"
MAX_PREFIX = 64

ASK = """
local found = redis.pcall('GETRANGE', KEYS[1], 0, ARGV[3])
if type(found) == 'string' and found ~= '' and found ~= ARGV[1] and found ~= ARGV[4] then
  return found
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return false
"""
"""What lies there and is neither ours nor of no use; else ours lies there now. A value of another type is replaced, too."""
LEAVE = """
if redis.pcall('GET', KEYS[1]) == ARGV[1] then
  return redis.call('DEL', KEYS[1])
end
return 0
"""


class RedisTokens(SharedTokens):
    """Access tokens that several processes share through Redis, sealed with a key that Redis never sees.

    url        redis://, rediss:// (TLS) or unix://, with the user and the password of an ACL if there is one. They are shown
               nowhere. Options: `db`, and for rediss `ssl_ca_certs`, `ssl_certfile`, `ssl_keyfile`
    key        `SealingKeys.from_env(...)`, `SealingKeys.from_file(...)`, or 32 random bytes; the same in all processes
    prefix     of all its keys in Redis; behind it stands a digest of the caller's token and of what is asked for it
    timeout    seconds for one round trip: what a Redis that hangs costs a caller at most, before it is left alone
    observer   told when Redis is lost, back, or holds what cannot be opened; by default each is logged
    monotonic  seconds that never go back

    It serves asyncio only: in trio it counts as lost, and each process exchanges tokens for itself. Nothing is connected before
    the first caller. Refusals are not shared. Tokens whose remaining life is 40 seconds or less are not, either.

    Raises PolicyError, also where redis-py is missing.
    """

    def __init__(
        self,
        url: str,
        key: SealingKeys | bytes,
        *,
        prefix: str = PREFIX,
        timeout: float = TIMEOUT,
        observer: SharedObserver | None = log_shared_event,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        store = RedisStore(redis_address("url", url), _prefix(prefix), _timeout(timeout))
        super().__init__(store, key, observer=observer, monotonic=monotonic)


class RedisStore:
    """The Store in Redis: one connection for each event loop that asks.

    A line's task holds its loop, and so does the line: it is let go of when it is closed, when its loop ends, and else when the
    next one is opened.
    """

    def __init__(self, address: RedisAddress, prefix: str, timeout: float) -> None:
        self._connect = _connector(address)
        self._where = address.where
        self._prefix = prefix.encode("ascii")
        self._timeout = timeout
        self._lines: dict[asyncio.AbstractEventLoop, Line] = {}
        self._closed: weakref.WeakSet[asyncio.AbstractEventLoop] = weakref.WeakSet()

    @property
    def where(self) -> str:
        return self._where

    async def ask(self, key: bytes, mine: bytes, seconds: float, instead_of: bytes = b"") -> bytes | None:
        self._closed.discard(_running_loop())
        found = await self._do("EVAL", ASK, 1, self._name(key), mine, _milliseconds(seconds), MAX_ENTRY_BYTES, instead_of)
        if isinstance(found, bytes) or found is None:
            return found
        raise StoreFailed("answer", type(found).__name__)

    async def put(self, key: bytes, entry: bytes, seconds: float) -> None:
        await self._do("SET", self._name(key), entry, "PX", _milliseconds(seconds))

    async def leave(self, key: bytes, mine: bytes) -> None:
        await self._do("EVAL", LEAVE, 1, self._name(key), mine)

    async def close(self) -> None:
        loop = _running_loop()
        self._closed.add(loop)
        line = self._lines.pop(loop, None)
        if line is not None:
            await line.close()

    async def _do(self, *command: str | bytes | int) -> Answer:
        loop = _running_loop()
        if loop in self._closed:  # what was exchanged just before, and is told now
            raise StoreFailed("closed")
        line = self._lines.get(loop)
        if line is None or not line.is_open:
            line = self._opened(loop)
        return await line.ask(*command)

    def _opened(self, loop: asyncio.AbstractEventLoop) -> Line:
        for other in tuple(self._lines):
            if other.is_closed():  # without an end of its tasks
                self._lines.pop(other, None)

        def ended(line: Line) -> None:
            if self._lines.get(loop) is line:
                del self._lines[loop]

        line = self._lines[loop] = Line(self._connect, self._timeout, ended)
        return line

    def _name(self, key: bytes) -> bytes:
        return self._prefix + key.hex().encode()

    def __repr__(self) -> str:
        return f"<RedisStore {self._where}>"


def _running_loop() -> asyncio.AbstractEventLoop:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        raise StoreFailed("loop", "not asyncio") from None


def _milliseconds(seconds: float) -> int:
    return max(int(seconds * 1000), 1)


def _connector(address: RedisAddress) -> Callable[[], Connection]:
    """Makes connections that ask once and leave time limits to us. Raises PolicyError."""
    try:
        from redis import asyncio as redis
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff
    except ImportError:
        fix = "Install it: pip install 'redis>=5' (or tokenward's extra `redis`)."
        raise PolicyError("shared", "redis-py is not installed", fix) from None
    kinds: Mapping[str, Any] = {
        "redis": redis.Connection,
        "rediss": redis.SSLConnection,
        "unix": redis.UnixDomainSocketConnection,
    }
    ours: dict[str, Any] = {"socket_timeout": None, "socket_connect_timeout": None, "protocol": 2}
    return partial(kinds[address.scheme], **address.options, **ours, retry=Retry(NoBackoff(), 0))


# -- arguments ---------------------------------------------------------------------------------------------------------


def _prefix(value: object) -> str:
    text = validation.text("prefix", value, f"'{PREFIX}'")
    if len(text) > MAX_PREFIX or not text.isascii() or not set(text).isdisjoint(" *?[]"):
        problem = f"it has more than {MAX_PREFIX} characters, or others than plain ones"
        raise PolicyError("prefix", problem, f"Write it like '{PREFIX}'.")
    return text


def _timeout(value: object) -> float:
    problem, fix = "nothing is answered in 0 seconds", f"Give more than 0 seconds, such as {TIMEOUT}."
    return validation.some_seconds("timeout", value, most=MAX_TIMEOUT, problem=problem, fix=fix)
