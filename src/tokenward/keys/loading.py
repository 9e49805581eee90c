"""From an address to a validated set of keys: which GETs to make, and what their answers must be.

Written once, as a generator of requests: the drivers only carry them out and send the answers back in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from tokenward.keys.address import is_loopback_url
from tokenward.keys.keyset import KeySet, read_keyset
from tokenward.keys.location import Discovery, Remote
from tokenward.keys.metadata import Metadata, read_metadata
from tokenward.keys.port import FetchFailed, FetchRequest, FetchResponse
from tokenward.token.strict import parse_unique_object

METADATA_INTERVAL = 86400.0
"""Seconds between looks at the discovery document, so that the steady state is one GET an hour."""
METADATA_INTERVAL_IN_DOUBT = 300.0
"""Seconds for a fetch that an unknown key or an operator asks for: the keys may have moved, and the old address still answer."""
FREE_PARTS = 4096
BYTES_PER_PART = 16
"""How many brackets and commas a document may have: an RSA key has 12 in 400 bytes; a megabyte of them would hold up a loop."""
JWKS_FAILURES_BEFORE_REDISCOVERY = 3
MAX_RETRY_AFTER = 86400.0
"""Longer wishes are cut here; the state machine cuts them further, to its backoff limits."""

_MAX_AGE = re.compile(r"(?:^|[\s,])max-age\s*=\s*\"?(\d{1,10})\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Discovered:
    """Metadata as last read: when (monotonic seconds), and how often its jwks_uri has failed since."""

    metadata: Metadata
    read_at: float
    jwks_failures: int = 0


@dataclass(frozen=True, slots=True)
class Loaded:
    """A validated set; `max_age` in seconds as the server wished, `discovered` for the next time."""

    keyset: KeySet
    max_age: float | None
    discovered: Discovered | None

    @property
    def cloud_instance_name(self) -> str | None:
        return self.discovered.metadata.cloud_instance_name if self.discovered else None


Loading = Generator[FetchRequest, FetchResponse, Loaded]


def load(location: Remote, known: Discovered | None, *, mono: float, timeout: float, no_cache: bool) -> Loading:
    """Fetch the discovery document where it is due, then the JWKS. Raises FetchFailed."""
    discovered = known
    if isinstance(location, Discovery) and not _still_good(known, mono, in_doubt=no_cache):
        discovered = yield from _rediscover(location, known, mono, timeout, no_cache)
    url = discovered.metadata.jwks_uri if discovered else location.url
    response = yield FetchRequest(url, timeout, no_cache)
    proved = replace(discovered, jwks_failures=0) if discovered else None
    return Loaded(_keyset(response), _max_age(response), proved)


def read_jwks(document: bytes) -> KeySet:
    """A JWKS that was fetched elsewhere, by the same rules as one that is fetched here. Raises ValueError."""
    return read_keyset(_parsed(document))


def advance(loading: Loading, answer: FetchResponse | FetchFailed | None) -> FetchRequest | Loaded:
    """Send in what a request brought (None to begin), and get the next request or the result. Raises FetchFailed."""
    try:
        if isinstance(answer, FetchFailed):
            return loading.throw(answer)
        return next(loading) if answer is None else loading.send(answer)
    except StopIteration as done:
        loaded: Loaded = done.value
        return loaded


def carried_out(loading: Loading, ask: Callable[[FetchRequest], FetchResponse | FetchFailed]) -> Loaded:
    """Make one request after the other, in this thread. Raises FetchFailed, and whatever `ask` raises."""
    step = advance(loading, None)
    while not isinstance(step, Loaded):
        step = advance(loading, ask(step))
    return step


def after_failure(known: Discovered | None, failure: FetchFailed) -> Discovered | None:
    """What to keep of the metadata when loading failed: nothing, if its jwks_uri seems to have moved."""
    if known is None or failure.status in (404, 410):
        return None
    failures = known.jwks_failures + 1
    return Discovered(known.metadata, known.read_at, failures) if failures < JWKS_FAILURES_BEFORE_REDISCOVERY else None


def _still_good(known: Discovered | None, mono: float, *, in_doubt: bool) -> bool:
    return known is not None and mono < known.read_at + (METADATA_INTERVAL_IN_DOUBT if in_doubt else METADATA_INTERVAL)


def _rediscover(
    location: Discovery, known: Discovered | None, mono: float, timeout: float, no_cache: bool
) -> Generator[FetchRequest, FetchResponse, Discovered]:
    """Look at the discovery document again; if it cannot be had now, what was known serves on."""
    try:
        return (yield from _discover(location, mono, timeout, no_cache))
    except FetchFailed as failure:
        if known is None or failure.kind == "metadata":
            raise
        return known


def _discover(
    location: Discovery, mono: float, timeout: float, no_cache: bool
) -> Generator[FetchRequest, FetchResponse, Discovered]:
    response = yield FetchRequest(location.url, timeout, no_cache)
    document = _object(response)
    try:
        metadata = read_metadata(document, issuers=location.issuers, loopback=is_loopback_url(location.url))
    except ValueError as exc:
        raise FetchFailed("metadata", str(exc)) from None
    return Discovered(metadata, mono)


def _keyset(response: FetchResponse) -> KeySet:
    document = _object(response)
    try:
        return read_keyset(document)
    except ValueError as exc:
        raise FetchFailed("no_keys", str(exc)) from None


def _object(response: FetchResponse) -> dict[str, object]:
    _require_ok(response)
    if response.headers.get("content-type", "").lower().startswith("text/html"):
        raise FetchFailed("not_json", "an HTML page; a proxy or login page may answer in the issuer's place")
    try:
        return _parsed(response.body)
    except ValueError as exc:
        raise FetchFailed("not_json", f"the body is {exc}") from None


def _parsed(body: bytes) -> dict[str, object]:
    return parse_unique_object(body, most=FREE_PARTS + len(body) // BYTES_PER_PART)


def _require_ok(response: FetchResponse) -> None:
    if response.status == 200:
        return
    if 300 <= response.status < 400 and response.status != 304:
        host = _host(response.headers.get("location", ""))
        raise FetchFailed("redirect", f"redirects are not followed (to host {host})", status=response.status)
    raise FetchFailed("status", f"HTTP {response.status}", status=response.status, retry_after=_retry_after(response))


def _host(location: str) -> str:
    """A Location is a stranger's text: only what looks like a host is repeated, and not much of it."""
    try:
        host = urlsplit(location[:2048]).hostname
    except ValueError:
        return "unreadable"
    return "the same" if host is None else re.sub(r"[^a-z0-9.:-]", "?", host)[:100]


def _retry_after(response: FetchResponse) -> float | None:
    """Seconds only (RFC 9110 section 10.2.3); dates would need a clock, and no issuer was seen sending one."""
    value = response.headers.get("retry-after", "").strip()
    return min(float(value), MAX_RETRY_AFTER) if value.isascii() and value.isdigit() and len(value) < 12 else None


def _max_age(response: FetchResponse) -> float | None:
    found = _MAX_AGE.search(response.headers.get("cache-control", ""))
    return float(found.group(1)) if found else None
