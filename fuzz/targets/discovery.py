"""A discovery document as an issuer might send it: FetchFailed, or one further request, to where it is safe to go.

An input is the answer; what is then asked for is answered with a good set of keys.
"""

from __future__ import annotations

import json
import socket
from ipaddress import IPv4Address, IPv6Address, ip_address
from random import Random

import httpx

from fuzz.addresses import address
from fuzz.heads import bytes_changed, head_changed
from fuzz.jwks import GOOD
from fuzz.message import answer_of, body_of, with_body
from fuzz.targets import Broken, Target, require
from fuzz.targets.failures import require_discretion
from fuzz.texts import ANY, compact, members_of, replaced, without, written
from tokenward.keys.loading import METADATA_INTERVAL, Discovered, Loaded, advance, load
from tokenward.keys.location import Discovery
from tokenward.keys.metadata import Metadata
from tokenward.keys.port import FetchFailed, FetchRequest, FetchResponse

ISSUER = "https://idp.example/"
DISTANT = Discovery("https://idp.example/.well-known/openid-configuration", frozenset({ISSUER}))
LOCAL = Discovery("http://127.0.0.1:8080/.well-known/openid-configuration", frozenset({ISSUER}))
KNOWN = Discovered(Metadata(ISSUER, "https://idp.example/known", None), 0.0)
KEYS = FetchResponse(200, {}, json.dumps({"keys": [GOOD[2]]}).encode())


def check(data: bytes) -> None:
    """From afar and from this machine, with nothing known and with an older document; raises if a property does not hold."""
    for location in (DISTANT, LOCAL):
        fresh = _next(location, None, data)
        later = _next(location, KNOWN, data)
        if isinstance(fresh, FetchRequest):
            require(isinstance(later, FetchRequest) and later.url == fresh.url, "a document that is read replaces what was known")
            _require_safe(fresh.url, loopback=location is LOCAL)
            _require_loaded(location, data)
        elif fresh.kind == "metadata":
            require(isinstance(later, FetchFailed), "a document of somebody else is no failure to look past")
        else:
            require(isinstance(later, FetchRequest) and later.url == KNOWN.metadata.jwks_uri, "what was known serves on")


def _next(location: Discovery, known: Discovered | None, data: bytes) -> FetchRequest | FetchFailed:
    """What is asked after the document, or why nothing is."""
    loading = load(location, known, mono=METADATA_INTERVAL + 1, timeout=10.0, no_cache=False)
    request = advance(loading, None)
    require(isinstance(request, FetchRequest) and request.url == location.url, "the configured address is asked first")
    try:
        result = advance(loading, _answer(data))
    except FetchFailed as failure:
        require_discretion(failure, data)
        return failure
    if isinstance(result, Loaded):
        raise Broken("keys without a request for them")
    return result


def _answer(data: bytes) -> FetchResponse | FetchFailed:
    try:
        return answer_of(data)
    except FetchFailed as failure:
        return failure


def _require_loaded(location: Discovery, data: bytes) -> None:
    """With a good set behind it, it is loaded, and the document is not asked for again."""
    loading = load(location, None, mono=0.0, timeout=10.0, no_cache=False)
    advance(loading, None)
    advance(loading, answer_of(data))
    loaded = advance(loading, KEYS)
    require(isinstance(loaded, Loaded) and loaded.discovered is not None, "the keys are loaded")
    metadata = loaded.discovered.metadata  # type: ignore[union-attr]
    require(metadata.issuer == ISSUER == json.loads(answer_of(data).body)["issuer"], "the document is of the policy's issuer")
    again = advance(load(location, loaded.discovered, mono=1.0, timeout=10.0, no_cache=False), None)  # type: ignore[union-attr]
    require(isinstance(again, FetchRequest) and again.url == metadata.jwks_uri, "the document is kept")


def _require_safe(url: str, *, loopback: bool) -> None:
    """As the client reads the address that it is given, which must be no other reading than ours."""
    try:
        read = httpx.URL(url)
    except httpx.InvalidURL:
        raise Broken("the client can read the address") from None
    host = read.raw_host.decode("ascii")
    require(not read.userinfo and not read.fragment and bool(host), "a plain address")
    address = _as_resolvers_read(host)
    own = host == "localhost" or (address is not None and address.is_loopback)
    require(read.scheme == "https" or (loopback and own and read.scheme == "http"), "https")
    if not loopback:
        require(not own and not f".{host}".rstrip(".").endswith(".localhost"), "not this machine, sent from afar")
        require(address is None or not _is_each_machines_own(address), "not what only this machine can reach")


def _as_resolvers_read(host: str) -> IPv4Address | IPv6Address | None:
    """Also what the C library takes for an address: 127.1, 0x7f000001, 2130706433."""
    try:
        return ip_address(host)
    except ValueError:
        pass
    try:
        return IPv4Address(socket.inet_aton(host))
    except (OSError, UnicodeError, ValueError):
        return None


def _is_each_machines_own(address: IPv4Address | IPv6Address) -> bool:
    """Also as IPv6 writes IPv4. What is reserved in IPv6 is merely not given out yet."""
    inner = address if isinstance(address, IPv4Address) else address.ipv4_mapped or address.sixtofour or address
    special = inner.is_loopback or inner.is_link_local or inner.is_multicast or inner.is_unspecified
    return special or (inner.version == 4 and inner.is_reserved)


# -- changes -------------------------------------------------------------------------------------------------------------


def change(data: bytes, rng: Random) -> bytes:
    way = rng.randrange(8)
    if way == 0:
        return head_changed(data, rng)
    if way == 1:
        return bytes_changed(data, rng)
    try:
        members = members_of(dict(json.loads(body_of(data))))
    except (ValueError, TypeError, RecursionError):
        members = members_of({"issuer": ISSUER, "jwks_uri": "https://idp.example/keys"})
    name = rng.choice(["jwks_uri", "jwks_uri", "jwks_uri", "jwks_uri", "issuer", "cloud_instance_name", "more", "keys"])
    if name == "jwks_uri":
        members = replaced(members, name, json.dumps(address(rng)))
    elif rng.random() < 0.1:
        members = without(members, name)
    elif name != "issuer" or rng.random() < 0.3:
        members = replaced(members, name, rng.choice(ANY))
    return with_body(data, written(members, rng) if rng.random() < 0.2 else compact(members))


def seeds() -> dict[str, bytes]:
    urls = (
        "https://idp.example/keys",
        "https://keys.example:8443/a?b=c",
        "http://127.0.0.1:9/keys",
        "https://[2001:db8::1]/keys",
    )
    documents: dict[str, dict[str, object]] = {
        f"at-{number}": {"issuer": ISSUER, "jwks_uri": url} for number, url in enumerate(urls)
    }
    documents["cloud"] = documents["at-0"] | {"cloud_instance_name": "microsoftonline.com", "scopes_supported": ["openid"]}
    documents["foreign"] = {"issuer": "https://evil.example/", "jwks_uri": "https://evil.example/keys"}
    bodies = {name: b"200\n\n" + json.dumps(document).encode() for name, document in documents.items()}
    return bodies | {"none": b"404\n\n", "html": b"200\ncontent-type: text/html\n\n<html>", "empty": b"{}"}


TARGET = Target("discovery", check, change, 8000)
