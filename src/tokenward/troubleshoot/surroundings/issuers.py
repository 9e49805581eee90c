"""Whether an issuer's discovery document and keys can be used: loaded as the verifier loads them, so that it is its own word."""

from __future__ import annotations

from collections.abc import Sequence

from tokenward.finding import Finding
from tokenward.keys.keyset import KeySet
from tokenward.keys.loading import Loaded, carried_out, load
from tokenward.keys.location import Discovery, Location, Remote, Static
from tokenward.keys.port import Fetch, FetchFailed, FetchRequest, FetchResponse, tried
from tokenward.token.algorithms import ALGORITHMS

TIMEOUT = 10.0
"""Seconds for each of the two documents."""
PASSING = frozenset({"timeout", "read", "not_started", "other"})
"""Failures that say nothing of the issuer, and may be gone in a moment; so do 429 and 5xx."""
UNASKED = PASSING | {"dns", "connect"}
"""Failures in which the issuer was not asked at all."""

_SOURCE = "https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderConfig"
_FIXES = {
    "dns": "Check the host name; a private name can be resolved in its own network only.",
    "connect": "Check the address, the firewall and the proxy (HTTPS_PROXY).",
    "tls": "See the check of tls for this host, or look at it: openssl s_client -connect <host>:443",
    "redirect": "Give the address that it redirects to; redirects are never followed.",
    "metadata": "Write the issuer exactly as the document says it, to the last slash, or correct the document.",
    "no_keys": "Have the issuer publish its public signing keys, with a kid, as a JWKS (RFC 7517).",
    "not_json": "Open the address in a browser: a login page or a proxy may answer in the issuer's place.",
    "too_large": "This is no set of keys; check the address.",
    "encoding": "Have the server send the document without an encoding that was not asked for.",
    "status": "Check the address; it must be public, and answer without credentials.",
}
_AGAIN = "Try again; if it stays like this, ask whoever runs the issuer."


def usable(location: Location, algorithms: Sequence[str], fetch: Fetch) -> list[Finding]:
    """Discovery, and keys of which at least one serves the algorithms; of keys in the configuration only the latter."""
    if isinstance(location, Static):
        return [_keys(location.keyset, algorithms)]
    asked: list[str] = []
    try:
        loaded = _load(location, fetch, asked)
    except FetchFailed as failure:
        return _failed(location, asked, failure)
    return [*_discovered(location), _keys(loaded.keyset, algorithms)]


def _load(location: Remote, fetch: Fetch, asked: list[str]) -> Loaded:
    loading = load(location, None, mono=0.0, timeout=TIMEOUT, no_cache=True)

    def ask(request: FetchRequest) -> FetchResponse | FetchFailed:
        asked.append(request.url)
        return tried(fetch, request)

    return carried_out(loading, ask)


def _keys(keyset: KeySet, algorithms: Sequence[str]) -> Finding:
    found = {key for keys in keyset.keys.values() for key in keys}
    serving = [key for key in found if any(key.serves(ALGORITHMS[algorithm]) for algorithm in algorithms)]
    named = " or ".join(algorithms)
    skipped = sum(keyset.skipped.values())
    seen = f"{len(serving)} of {len(found) + skipped} keys"
    fix = "" if serving else f"Have the issuer sign with {named}, and publish that key."
    return Finding("keys", f"a usable key for {named}", seen, bool(serving), fix, _SOURCE)


def _discovered(location: Remote) -> list[Finding]:
    return [Finding("discovery", "usable", location.url, True, "", _SOURCE)] if isinstance(location, Discovery) else []


def _failed(location: Remote, asked: Sequence[str], failure: FetchFailed) -> list[Finding]:
    """Which of the two documents it was is told by the number of requests."""
    is_discovery = isinstance(location, Discovery) and len(asked) == 1
    passing = failure.kind in PASSING or failure.status == 429 or (failure.status or 0) >= 500
    fix = _AGAIN if passing else _FIXES.get(failure.kind, _AGAIN)
    what, seen = "discovery" if is_discovery else "keys", f"{failure}, at {asked[-1]}"
    before = [] if is_discovery else _discovered(location)
    held = None if passing or failure.kind in UNASKED else False
    return [*before, Finding(what, "usable", seen, held, fix, _SOURCE)]
