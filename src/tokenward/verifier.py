"""Verifier and AsyncVerifier: the walk of a token, once for threads and once for event loops.

They differ only where the walk can pause, at the keys; every other step is `Walk`'s.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from tokenward import validation
from tokenward.errors import MalformedToken, PolicyError, TokenRejected, TokenTooLarge
from tokenward.identity import Identity
from tokenward.keylog import log_key_event
from tokenward.keys.aio import AsyncDriver
from tokenward.keys.events import Observer
from tokenward.keys.export import sow, written
from tokenward.keys.fetch import AsyncHttpxFetch, HttpxFetch
from tokenward.keys.location import Static
from tokenward.keys.port import AsyncFetch, Fetch
from tokenward.keys.rhythm import Rhythm
from tokenward.keys.source import Clock, KeySource, Source
from tokenward.keys.static import StaticSource
from tokenward.keys.status import KeyStatus
from tokenward.keys.threads import ThreadDriver
from tokenward.memory import MAX_REMEMBERED, Memory
from tokenward.policy import Policy
from tokenward.readiness import require_keys, without_keys
from tokenward.token.authorization import bearer_token, require_b64token
from tokenward.walk import Search, Walk

WARM_UP_TIMEOUT = 10.0
"""Seconds that a start waits for keys; a service must start without its identity provider."""
MAX_WARM_UP = 3600.0
"""Seconds that anybody may be made to wait for keys; deployments give up on a start that takes longer."""
REFRESH_TIMEOUT = 15.0
"""Seconds that an operator waits: for one fetch under way, and for his own."""


class _Verifier:
    """What both verifiers are made of."""

    def __init__(
        self,
        policy: Policy,
        *,
        clock: Clock = time.time,
        monotonic: Clock = time.monotonic,
        rhythm: Rhythm = Rhythm(),  # noqa: B008  # immutable
        remember: int = MAX_REMEMBERED,
        observer: Observer | None = log_key_event,
    ) -> None:
        if not isinstance(policy, Policy):
            raise PolicyError("policy", "it is not a Policy", "Pass entra.databricks(...), entra.api(...) or Policy([...]).")
        for name, given in (("clock", clock), ("monotonic", monotonic)):
            validation.clock(name, given)
        if observer is not None and (not callable(observer) or validation.is_async(observer)):
            raise PolicyError("observer", "it is not a plain function", "Pass a function of a key event, or None.")
        if not isinstance(rhythm, Rhythm):
            raise PolicyError("rhythm", "it is not a Rhythm", "Pass tokenward.keys.rhythm.Rhythm(...), or leave it out.")
        self.policy = policy
        self._sources: dict[str, Source] = {}
        shared: dict[object, KeySource] = {}
        for issuer in policy.issuers:
            location = issuer.location
            if isinstance(location, Static):
                self._sources[issuer.issuer] = StaticSource(location)
                continue
            if location not in shared:
                shared[location] = KeySource(location, rhythm=rhythm, clock=clock, monotonic=monotonic, observer=observer)
            self._sources[issuer.issuer] = shared[location]
        self._remote = tuple(shared.values())
        self._clock, self._observer = clock, observer
        self._walk = Walk(policy, self._sources, Memory(remember), clock)

    def status(self) -> list[KeyStatus]:
        """The state of every source of keys, in the words of its options."""
        return [source.status() for source in dict.fromkeys(self._sources.values())]

    def export(self) -> str:
        """The keys in hand as text, for `seed` in another process of the same policy; with when they were fetched.

        Sources without keys that may serve are left out, and so are keys of the configuration. It holds no secret, but whoever
        can change it before it is read decides whom the reader believes.
        """
        return written(self._remote, self._clock)

    def seed(self, document: str | bytes) -> bool:
        """Begin with keys that another process exported, and fetch nothing; True if every issuer has usable keys then.

        Protect the document as the policy itself: it says whose signatures are good. Its keys are as old as they were fetched
        long ago, serve no longer than if they had been fetched here, and are refreshed when that is due. A document that is
        damaged, too large, too old, from the future or of another version, and keys that are of no source of the policy or no
        newer than those in hand, are ignored, which the observer is told (`KeysSeeded`).

        Raises PolicyError for what is neither text nor bytes.
        """
        if not isinstance(document, (str, bytes)):
            raise PolicyError("document", "it is neither text nor bytes", "Pass what export() gave, or a file's text.")
        clouded = {self._sources[issuer.issuer] for issuer in self.policy.issuers if issuer.cloud_instance_name is not None}
        sow(document, {source: source in clouded for source in self._remote}, self._clock(), self._observer)
        return not without_keys(self.status())

    def _required(self) -> bool:
        """True, if keys have come at the last moment. Raises KeysUnavailable."""
        require_keys(self.status())
        return True


class Verifier(_Verifier):
    """Verifies tokens from any number of threads.

    policy     whom to believe
    clock      epoch seconds, for claims and for the age of keys
    monotonic  seconds that never go back, for pauses
    fetch      how keys are fetched: one function (`keys.port.Fetch`); by default httpx, bounded in time and size
    rhythm     how often keys are fetched, and how long they may serve
    remember   how many verified tokens to remember; 0 for none
    observer   told of every fetch of keys; by default each is logged

    It makes no request until the first token, or `warm_up`. Raises PolicyError for impossible arguments.
    """

    def __init__(
        self,
        policy: Policy,
        *,
        clock: Clock = time.time,
        monotonic: Clock = time.monotonic,
        fetch: Fetch | None = None,
        rhythm: Rhythm = Rhythm(),  # noqa: B008  # immutable
        remember: int = MAX_REMEMBERED,
        observer: Observer | None = log_key_event,
    ) -> None:
        super().__init__(policy, clock=clock, monotonic=monotonic, rhythm=rhythm, remember=remember, observer=observer)
        self._driver = ThreadDriver(self._remote, HttpxFetch() if fetch is None else validation.fetch(fetch, async_one=False))

    def authenticate(self, values: Sequence[str | bytes]) -> Identity:
        """The identity behind the raw Authorization values of one request (none, one, or by mistake several).

        Raises TokenRejected or KeysUnavailable; anything else comes from a check or `kind_of` of your own, or is a bug.
        """
        token = bearer_token(values)
        try:
            return self._verify(token)
        except TokenRejected as rejection:
            raise _by_grammar(token, rejection) from None

    def verify(self, token: str | bytes) -> Identity:
        """The identity that this token proves. It does not look at scopes beyond the policy's own.

        Raises TokenRejected or KeysUnavailable; anything else comes from a check or `kind_of` of your own, or is a bug.
        """
        return self._verify(_as_bytes(token))

    def warm_up(self, timeout: float = WARM_UP_TIMEOUT, required: bool = False) -> bool:
        """Fetch keys that were never fetched; True if every issuer has usable ones within `timeout` seconds.

        With `required` it raises KeysUnavailable instead of returning False, so that a service without keys does not start. Its
        text says which sources have none, and why; it is for the operator, and no answer to a caller.
        """
        required = validation.boolean("required", required)
        return self._driver.warm_up(_seconds(timeout)) or (required and self._required())

    def refresh(self, timeout: float = REFRESH_TIMEOUT) -> bool:
        """Fetch keys again now, as an operator may wish; True if every issuer's came within `timeout` seconds.

        It waits for a fetch that is under way, and then makes its own; the keys in hand serve on, whatever comes of it.
        """
        return self._driver.refresh(_seconds(timeout))

    def fetch_due(self) -> None:
        """Begin the fetches that are due, as the ticker does, and wait for none: `Readiness` does so for each probe."""
        self._driver.start_due()

    def close(self) -> None:
        """Stop refreshing in the background. Verifying still works."""
        self._driver.close()

    def _verify(self, token: bytes) -> Identity:
        walk = self._walk
        step = walk.begin(token)
        if isinstance(step, Identity):
            return step
        keys = walk.keys_in_hand(step)
        if isinstance(keys, Search):
            keys = walk.keys_found(step, self._driver.find(keys.source, keys.kid))
        return walk.conclude(step, keys)


class AsyncVerifier(_Verifier):
    """The async twin of Verifier, for asyncio and trio; one may serve several loops.

    `fetch` is an async function (`keys.port.AsyncFetch`); the other arguments are Verifier's.
    """

    def __init__(
        self,
        policy: Policy,
        *,
        clock: Clock = time.time,
        monotonic: Clock = time.monotonic,
        fetch: AsyncFetch | None = None,
        rhythm: Rhythm = Rhythm(),  # noqa: B008  # immutable
        remember: int = MAX_REMEMBERED,
        observer: Observer | None = log_key_event,
    ) -> None:
        super().__init__(policy, clock=clock, monotonic=monotonic, rhythm=rhythm, remember=remember, observer=observer)
        self._driver = AsyncDriver(self._remote, AsyncHttpxFetch() if fetch is None else validation.fetch(fetch, async_one=True))

    async def authenticate(self, values: Sequence[str | bytes]) -> Identity:
        """As Verifier.authenticate."""
        token = bearer_token(values)
        try:
            return await self._verify(token)
        except TokenRejected as rejection:
            raise _by_grammar(token, rejection) from None

    async def verify(self, token: str | bytes) -> Identity:
        """As Verifier.verify."""
        return await self._verify(_as_bytes(token))

    async def warm_up(self, timeout: float = WARM_UP_TIMEOUT, required: bool = False) -> bool:
        """As Verifier.warm_up."""
        required = validation.boolean("required", required)
        return await self._driver.warm_up(_seconds(timeout)) or (required and self._required())

    async def refresh(self, timeout: float = REFRESH_TIMEOUT) -> bool:
        """As Verifier.refresh."""
        return await self._driver.refresh(_seconds(timeout))

    def fetch_due(self) -> None:
        """As Verifier.fetch_due, in the event loop that runs the caller."""
        self._driver.start_due()

    @asynccontextmanager
    async def running(self, *, warm_up: float = WARM_UP_TIMEOUT, required: bool = False) -> AsyncIterator[AsyncVerifier]:
        """For an app's lifespan: keys are fetched before the first request, and refreshed without one.

        Waits at most `warm_up` seconds, and starts without keys if the issuer is down: requests are then answered 503 until
        it is back. With `required` it raises KeysUnavailable instead, and the app does not start.
        """
        seconds = validation.seconds("warm_up", warm_up, most=MAX_WARM_UP)
        stop = self._driver.start_ticking()
        try:
            await self.warm_up(seconds, required)
            yield self
        finally:
            stop.set()

    async def _verify(self, token: bytes) -> Identity:
        walk = self._walk
        step = walk.begin(token)
        if isinstance(step, Identity):
            return step
        keys = walk.keys_in_hand(step)
        if isinstance(keys, Search):
            keys = walk.keys_found(step, await self._driver.find(keys.source, keys.kid))
        return walk.conclude(step, keys)


def _seconds(timeout: float) -> float:
    return validation.seconds("timeout", timeout, most=MAX_WARM_UP)


def _as_bytes(token: str | bytes) -> bytes:
    try:
        text = token if isinstance(token, bytes) else token.encode("ascii")
    except (UnicodeEncodeError, AttributeError):
        raise MalformedToken("the token is no text, or holds characters outside ASCII") from None
    if text[:7].lower() == b"bearer ":
        raise MalformedToken("a whole Authorization value, where a token alone is meant", claim="scheme")
    return text


def _by_grammar(token: bytes, rejection: TokenRejected) -> TokenRejected:
    """Where the header was wrong already, that is the reason; nothing was lost, as the token could not pass either."""
    if not isinstance(rejection, TokenTooLarge):
        try:
            require_b64token(token)
        except TokenRejected as reason:
            return reason
    return rejection
