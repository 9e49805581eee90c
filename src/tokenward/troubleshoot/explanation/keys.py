"""An issuer's keys, fetched once and at once for an explanation, and what the answers tell beside them: clock, odd keys.

The requests and the checks on their answers are those of the verifiers (`keys.loading`), and so is the state that they are kept
in (`keys.source`); only the waiting is different, because nobody else waits for an explanation.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from tokenward.issuer import Issuer
from tokenward.keys.jwk import PRIVATE_MEMBERS, UnusableKey, read_jwk
from tokenward.keys.keyset import MAX_KEYS
from tokenward.keys.loading import Loaded, Loading, carried_out
from tokenward.keys.location import Static
from tokenward.keys.port import Fetch, FetchFailed, FetchRequest, FetchResponse, tried
from tokenward.keys.rhythm import Rhythm
from tokenward.keys.source import Clock, KeySource, Source
from tokenward.keys.static import StaticSource
from tokenward.token.strict import parse_object
from tokenward.troubleshoot.surroundings.clock import moment_of


@dataclass(frozen=True, slots=True, repr=False)
class Keys:
    """What is known of an issuer's keys.

    failure   why they could not be fetched, if they could not
    asked     whether they were to be had at all: not offline, unless the policy itself holds them
    skew      seconds that this machine's clock is ahead of the server's that answered; None where it did not say
    unusable  of published keys that serve no token which names its key: kid (None if it is missing) and the reason
    """

    source: Source
    failure: FetchFailed | None = None
    asked: bool = True
    skew: float | None = None
    unusable: tuple[tuple[str | None, str], ...] = field(default=())


def fetch_keys(issuer: Issuer, *, now: float, clock: Clock, fetch: Fetch, timeout: float, offline: bool) -> Keys:
    """Fetch the issuer's keys, from the address in the policy and never from one in a token.

    now      the time of the explanation, at which they count as fetched; `clock` is compared with the server's
    timeout  seconds for all requests together
    """
    location = issuer.location
    if isinstance(location, Static):
        return Keys(StaticSource(location), unusable=_unusable(issuer.jwks or {}))
    rhythm = Rhythm(fetch_timeout=timeout)
    source = KeySource(location, rhythm=rhythm, clock=lambda: now, monotonic=lambda: 0.0)
    lease = None if offline else source.force()
    if lease is None:
        return Keys(source, asked=False)
    asking = _Asking(fetch, clock, timeout)
    outcome = asking.loaded(source.loading(lease))
    source.finish(lease, outcome)
    failure = outcome if isinstance(outcome, FetchFailed) else None
    was_keyset = failure is None or failure.kind == "no_keys"
    return Keys(source, failure, skew=asking.skew, unusable=asking.unusable() if was_keyset else ())


class _Asking:
    """Carries the requests out, one after the other, and keeps what their answers say of the time."""

    def __init__(self, fetch: Fetch, clock: Clock, timeout: float) -> None:
        self.skew: float | None = None
        self._fetch = fetch
        self._clock = clock
        self._until = time.monotonic() + timeout
        self._last = b""

    def loaded(self, loading: Loading) -> Loaded | FetchFailed:
        try:
            return carried_out(loading, self._asked)
        except FetchFailed as failure:
            return failure.with_traceback(None)

    def unusable(self) -> tuple[tuple[str | None, str], ...]:
        """Of the last answer, which was a key set, if there was an answer."""
        return _unusable(parse_object(self._last)) if self._last else ()

    def _asked(self, request: FetchRequest) -> FetchResponse | FetchFailed:
        left = self._until - time.monotonic()
        if left <= 0:
            return FetchFailed("timeout", "the total deadline")
        sent = self._clock()
        answer = tried(self._fetch, replace(request, timeout=left))
        if isinstance(answer, FetchFailed):
            return answer
        self._last = answer.body
        skew = moment_of(answer.headers, sent, self._clock()).skew
        self.skew = self.skew if skew is None else skew
        return answer


def _unusable(document: Mapping[str, object]) -> tuple[tuple[str | None, str], ...]:
    listed = document.get("keys")
    found: list[tuple[str | None, str]] = []
    for jwk in listed[:MAX_KEYS] if isinstance(listed, (list, tuple)) else ():
        if reason := _why_unusable(jwk):
            kid = jwk.get("kid") if isinstance(jwk, Mapping) else None
            found.append((kid if isinstance(kid, str) else None, reason))
    return tuple(found)


def _why_unusable(jwk: object) -> str:
    """Empty where the key can be used. What is private goes first: it is news of the issuer, whatever the key is for."""
    if isinstance(jwk, Mapping) and not PRIVATE_MEMBERS.isdisjoint(jwk):
        return "private_key_published"
    try:
        return "" if read_jwk(jwk).kid is not None else "kid_missing"
    except UnusableKey as exc:
        return exc.reason
