"""One look at an issuer: the verifier's own loading (`keys.loading`), with every answer kept for a report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from tokenward.keys.address import is_loopback_url, require_safe_url
from tokenward.keys.loading import BYTES_PER_PART, FREE_PARTS, Loaded, carried_out, load
from tokenward.keys.location import Discovery, JwksUri, Remote
from tokenward.keys.port import Fetch, FetchFailed, FetchRequest, FetchResponse, tried
from tokenward.keys.rhythm import Rhythm
from tokenward.token.strict import parse_unique_object
from tokenward.troubleshoot.keyreport.place import Place

TIMEOUT = Rhythm().fetch_timeout
"""Seconds for everything, as a verifier takes unless told otherwise."""

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Asked:
    """One request and what came of it: an answer, or why there was none.

    asked_at, answered_at  epoch seconds, by our own clock
    seconds                how long it took
    """

    url: str
    outcome: FetchResponse | FetchFailed
    asked_at: float
    answered_at: float
    seconds: float

    @property
    def response(self) -> FetchResponse | None:
        return self.outcome if isinstance(self.outcome, FetchResponse) else None

    def document(self) -> dict[str, object] | None:
        """The JSON object in it, as strictly read as a verifier reads it; None if there is none."""
        answer = self.response
        if answer is None or answer.status != 200:
            return None
        try:
            return parse_unique_object(answer.body, most=FREE_PARTS + len(answer.body) // BYTES_PER_PART)
        except ValueError:
            return None


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen. `failure` is why a verifier would have no keys; `loaded` may be there none the less, for a reader to see.

    issuer  what the tokens' `iss` is, by the configuration or, where that leaves it open, by the document
    """

    place: Place
    issuer: str | None
    discovery: Asked | None
    jwks: Asked | None
    loaded: Loaded | None
    failure: FetchFailed | None


def look(place: Place, fetch: Fetch, *, clock: Clock, monotonic: Clock) -> Look:
    """Fetch what a verifier would fetch at its start. It raises nothing that a fetch raises."""
    wire = _Wire(fetch, clock, monotonic)
    location, issuer = place.location, place.issuer
    loaded, failure = _loaded(location, wire)
    if not isinstance(location, Discovery):
        return Look(place, issuer, None, wire.answers.get(location.url), loaded, failure)
    said = (wire.said(location.url) or {}).get("issuer")
    if issuer is None and failure is not None and failure.kind == "metadata" and isinstance(said, str):
        issuer = said
        loaded, failure = _loaded(Discovery(location.url, frozenset({said})), wire)
    keys_at = _jwks_uri(location, wire)
    if failure is not None and failure.kind == "metadata" and keys_at is not None:
        loaded, _ = _loaded(JwksUri(keys_at), wire)
    return Look(place, issuer, wire.answers.get(location.url), wire.answers.get(keys_at or ""), loaded, failure)


def _jwks_uri(location: Discovery, wire: _Wire) -> str | None:
    """Where the document sends verifiers, if they may go there."""
    jwks_uri = (wire.said(location.url) or {}).get("jwks_uri")
    try:
        require_safe_url(jwks_uri if isinstance(jwks_uri, str) else "", loopback=is_loopback_url(location.url))
    except ValueError:
        return None
    return str(jwks_uri)


class _Wire:
    """Asks each address once, within one total time, and keeps what came back."""

    def __init__(self, fetch: Fetch, clock: Clock, monotonic: Clock) -> None:
        self.answers: dict[str, Asked] = {}
        self._fetch, self._clock, self._monotonic = fetch, clock, monotonic
        self._until = monotonic() + TIMEOUT

    def said(self, url: str) -> dict[str, object] | None:
        return self.answers[url].document() if url in self.answers else None

    def __call__(self, request: FetchRequest) -> FetchResponse | FetchFailed:
        if request.url not in self.answers:
            self.answers[request.url] = self._asked(request)
        return self.answers[request.url].outcome

    def _asked(self, request: FetchRequest) -> Asked:
        asked_at, begin = self._clock(), self._monotonic()
        outcome = self._outcome(request, self._until - begin)
        return Asked(request.url, outcome, asked_at, self._clock(), self._monotonic() - begin)

    def _outcome(self, request: FetchRequest, remaining: float) -> FetchResponse | FetchFailed:
        if remaining <= 0:
            return FetchFailed("timeout", "the total deadline")
        return tried(self._fetch, replace(request, timeout=remaining))


def _loaded(location: Remote, wire: _Wire) -> tuple[Loaded | None, FetchFailed | None]:
    loading = load(location, None, mono=0.0, timeout=TIMEOUT, no_cache=False)
    try:
        return carried_out(loading, wire), None
    except FetchFailed as failure:
        return None, failure
