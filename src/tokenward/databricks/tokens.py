"""Where access tokens come from: one source for threads, and its twin for event loops, over any grant.

Neither verifies the caller's token; whoever calls has done that. Neither ever returns the caller's own token, nor falls back to
it: drivers that do so send it to whom it was not meant for, and hide the failure.
"""

from __future__ import annotations

import time
from functools import partial

from tokenward import validation
from tokenward.asking.steps import Steps
from tokenward.databricks.access import MARGIN, AccessToken, Subject, token_bytes
from tokenward.databricks.events import ExchangeObserver, TokenExchanged, TokenExchangeFailed, TokenStatus, log_exchange_event
from tokenward.databricks.flights import Failed, Landed, Outcome
from tokenward.databricks.grant import Grant
from tokenward.databricks.shared.shared_tokens import SharedTokens
from tokenward.databricks.shared.together import Together
from tokenward.databricks.single_flight import Clock, Counts, LoopSharing, Question, ThreadSharing
from tokenward.errors import AuthenticationError, PolicyError, TokenExpired
from tokenward.keys.fetch import AsyncHttpxFetch, HttpxFetch
from tokenward.keys.port import AsyncFetch, Fetch
from tokenward.memory import digest_of

SHORT = 5.0
"""Seconds that a token is handed out again even near its end, or one caller would cause an exchange for every request."""
TIMEOUT = 10.0
"""Seconds for an exchange, retries and pauses included."""
REMEMBER = 10_000
"""Tokens held by default: about 3 KB each."""
MAX_TIMEOUT = 300.0
MAX_REMEMBER = 1_000_000


class _Source:
    """What both sources are made of: one grant for life, and the keys of the tokens that were exchanged."""

    def __init__(self, grant: Grant, remember: int, observer: ExchangeObserver | None, clock: Clock) -> None:
        if observer is not None:
            validation.function("observer", observer, "an event of exchanges")
        self._grant = _judged(grant)
        self._clock = validation.clock("clock", clock)
        self._most = validation.whole("remember", remember, least=0, most=MAX_REMEMBER)
        self._keys: dict[bytes, bytes] = {}

    @property
    def grant(self) -> Grant:
        """How a caller's token becomes an access token."""
        return self._grant

    def _exchange(self, token: bytes) -> tuple[bytes, Subject, Question[AccessToken]]:
        """The key of a token, what it says, and the steps for it. Raises TokenRejected."""
        subject = Subject.read(token)
        return self._grant.key(subject), subject, partial(_dated, self._grant, subject)

    def _still_good(self, access: AccessToken) -> AccessToken:
        """The token, unless it ended while it was asked for. Raises TokenExpired."""
        if not self._clock() < access.expires_at:
            raise TokenExpired("what was got in exchange ended before it came", claim="exp", actual=access.expires_at)
        return access

    def _know(self, digest: bytes, key: bytes) -> None:
        """Remember the key of a token that was exchanged, so that it need not be opened again to find what is held for it."""
        if len(self._keys) >= self._most:
            self._keys = {}
        if self._most:
            self._keys[digest] = key

    def _described(self, counts: Counts) -> TokenStatus:
        return TokenStatus(self._grant.name, counts.held, counts.refused, counts.in_flight, counts.flights, counts.failures)


class TokenSource(_Source):
    """Access tokens for callers on threads.

    grant      how a caller's token becomes an access token, such as `Exchange(...)`
    fetch      how requests are made: one function (`keys.port.Fetch`); by default httpx, bounded in time and size
    clock      epoch seconds; `monotonic` seconds that never go back, for ages
    timeout    seconds for one exchange in all, retries included
    remember   how many tokens to hold at most; 0 for none, and callers at one time still share one exchange
    observer   told of every exchange that was made; by default each is logged. What is refused before one, or without a new
                 one, is only raised, for whoever answers the caller to report

    It makes no request until the first token. Raises PolicyError for impossible arguments.
    """

    def __init__(
        self,
        grant: Grant,
        *,
        fetch: Fetch | None = None,
        clock: Clock = time.time,
        monotonic: Clock = time.monotonic,
        timeout: float = TIMEOUT,
        remember: int = REMEMBER,
        observer: ExchangeObserver | None = log_exchange_event,
    ) -> None:
        super().__init__(grant, remember, observer, clock)
        self._sharing: ThreadSharing[AccessToken] = ThreadSharing(
            HttpxFetch() if fetch is None else validation.fetch(fetch, async_one=False),
            clock=clock,
            monotonic=monotonic,
            timeout=_timeout(timeout),
            remember=remember,
            told=partial(_tell, grant.name, observer),
        )

    def token_for(self, token: str | bytes) -> AccessToken:
        """The access token for a caller's token, which must have been verified: nothing is verified here.

        It is shared by all who send the same token, and handed out again until 40 seconds before its end (nearer to it, for 5).
        Raises TokenRejected (such as ExchangeRefused: 401) or ExchangeUnavailable (503); anything else is a bug.
        """
        text = token_bytes(token)
        digest = digest_of(text)
        held = self._sharing.held(self._keys.get(digest, digest))
        if held is not None:
            return held.value
        key, _, question = self._exchange(text)
        access = self._still_good(self._sharing.get(key, question))
        self._know(digest, key)
        return access

    def status(self) -> TokenStatus:
        """How many tokens are held and exchanges were made."""
        return self._described(self._sharing.counts())

    def close(self) -> None:
        """Forget every token, and hold none from now on; `token_for` still works."""
        self._sharing.forget()


class AsyncTokenSource(_Source):
    """The async twin of TokenSource, for asyncio and trio; one may serve several loops.

    fetch   an async function (`keys.port.AsyncFetch`)
    shared  tokens that other processes share with this one, such as `RedisTokens(...)`: then one of all processes exchanges a
            token, and the others wait for it, for half of `timeout` at most. Losing it refuses nobody. Whoever made it closes it

    The other arguments are TokenSource's. The observer is not told of tokens that another process had exchanged.
    """

    def __init__(
        self,
        grant: Grant,
        *,
        fetch: AsyncFetch | None = None,
        clock: Clock = time.time,
        monotonic: Clock = time.monotonic,
        timeout: float = TIMEOUT,
        remember: int = REMEMBER,
        observer: ExchangeObserver | None = log_exchange_event,
        shared: SharedTokens | None = None,
    ) -> None:
        super().__init__(grant, remember, observer, clock)
        seconds = _timeout(timeout)
        self._together = None if shared is None else Together(grant.name, _shared(shared), seconds, clock)
        self._sharing: LoopSharing[AccessToken] = LoopSharing(
            AsyncHttpxFetch() if fetch is None else validation.fetch(fetch, async_one=True),
            clock=clock,
            monotonic=monotonic,
            timeout=seconds,
            remember=remember,
            told=partial(_tell, grant.name, observer),
        )

    async def token_for(self, token: str | bytes) -> AccessToken:
        """As TokenSource's. A caller who is cancelled leaves the exchange to those who wait for it, too."""
        text = token_bytes(token)
        digest = digest_of(text)
        held = self._sharing.held(self._keys.get(digest, digest))
        if held is not None:
            return held.value
        key, subject, question = self._exchange(text)
        among = None if self._together is None else partial(self._together.get, key, subject)
        access = self._still_good(await self._sharing.get(key, question, among))
        self._know(digest, key)
        return access

    def status(self) -> TokenStatus:
        """As TokenSource's."""
        return self._described(self._sharing.counts())

    def close(self) -> None:
        """As TokenSource's. What it shared stays with the others until its end."""
        self._sharing.forget()


def _dated(grant: Grant, subject: Subject, now: float) -> Steps[Landed[AccessToken]]:
    """A grant's steps, and until when their token may be handed out again: a new one for the same caller would end no later."""
    token = yield from grant.steps(subject, now)
    return Landed(token, max(token.expires_at - MARGIN, min(token.expires_at, now + SHORT)))


def _tell(grant: str, observer: ExchangeObserver | None, outcome: Outcome[AccessToken], seconds: float, wall: float) -> None:
    if observer is None:
        return
    if isinstance(outcome, Landed):
        if not outcome.borrowed:
            observer(TokenExchanged(grant, seconds, outcome.value.expires_at - wall, outcome.value.scope))
    elif isinstance(outcome, Failed) and isinstance(outcome.error, AuthenticationError):
        observer(TokenExchangeFailed(grant, seconds, outcome.error))


# -- arguments ---------------------------------------------------------------------------------------------------------


def _judged(grant: Grant) -> Grant:
    if not isinstance(getattr(grant, "name", None), str) or not all(callable(getattr(grant, name, None)) for name in _METHODS):
        raise PolicyError("grant", "it is no way to a token", "Pass databricks.Exchange(...) or databricks.OnBehalfOf(...).")
    return grant


_METHODS = ("key", "steps")


def _shared(value: object) -> SharedTokens:
    if not isinstance(value, SharedTokens):
        raise PolicyError("shared", "it is no SharedTokens", "Pass RedisTokens(...), or leave it out.")
    return value


def _timeout(value: object) -> float:
    problem, fix = "no exchange is over in 0 seconds", "Give more than 0 seconds, or leave it out."
    return validation.some_seconds("timeout", value, most=MAX_TIMEOUT, problem=problem, fix=fix)
