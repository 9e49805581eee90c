"""I9 with the real client: on a loop, nothing blocks, from a request's question to the keys of a server over TLS."""

from __future__ import annotations

import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import pytest

from tokenward.keys.aio import AsyncDriver
from tokenward.keys.decision import Use
from tokenward.keys.fetch import AsyncHttpxFetch, HttpxFetch
from tokenward.keys.location import JwksUri
from tokenward.keys.port import AsyncFetch, FetchRequest, FetchResponse
from tokenward.keys.rhythm import Rhythm
from tokenward.keys.source import KeySource
from tokenward.testing import FaultServer, OidcIssuer

Run = Callable[..., object]
OURS = str(Path("tokenward") / "keys")
TALKING = {"connect", "connect_ex", "recv", "recv_into", "send", "sendall"}
CERTIFICATES = {"load_verify_locations", "set_default_verify_paths", "load_cert_chain"}
RESOLVING = {"getaddrinfo", "gethostbyname", "gethostbyname_ex"}
Lock = type(threading.Lock())


class BlockingCalls:
    """Which calls below the key room block this thread or read certificates: by what is called, and not by how long it took."""

    def __init__(self) -> None:
        self.found: set[str] = set()

    def __call__(self, frame: FrameType, event: str, called: object) -> None:
        if event == "c_call":
            name, owner = getattr(called, "__name__", ""), getattr(called, "__self__", None)
            excused = (
                _is_numeric(name, frame) or frame.f_code is KeySource.stop_waiting.__code__
            )  # it takes a lock that is free, or none
            if _blocks(name, owner) and _is_ours(frame) and not excused:
                self.found.add(name)


def _blocks(name: str, owner: object) -> bool:
    if isinstance(owner, socket.SocketType):
        return name in TALKING and owner.gettimeout() != 0
    if isinstance(owner, ssl.SSLContext):
        return name in CERTIFICATES
    if isinstance(owner, Lock):
        return name == "acquire"
    module = getattr(owner, "__name__", "")
    return (module, name) == ("time", "sleep") or (module == "_socket" and name in RESOLVING)


def _is_numeric(name: str, frame: FrameType) -> bool:
    """trio asks for numeric addresses alone where it stands, which asks nobody else, and for names in a thread."""
    caller = frame.f_back  # `frame` is socket.getaddrinfo
    return name == "getaddrinfo" and caller is not None and str(caller.f_globals["__name__"]).startswith("trio.")


def _is_ours(frame: FrameType | None) -> bool:
    while frame is not None and OURS not in frame.f_code.co_filename:
        frame = frame.f_back
    return frame is not None


@contextmanager
def watched() -> Iterator[BlockingCalls]:
    calls, before = BlockingCalls(), sys.getprofile()
    sys.setprofile(calls)
    try:
        yield calls
    finally:
        sys.setprofile(before)


@pytest.fixture(scope="module")
def server() -> Iterator[FaultServer]:
    with FaultServer(OidcIssuer("https://idp.example"), tls=True) as opened:
        yield opened


def blocking_calls(server: FaultServer, run: Run, fetch: AsyncFetch) -> set[str]:
    """Of a first request, which waits for the fetch that it begins, and of one after it."""
    source = KeySource(JwksUri(f"{server.url}/jwks"), rhythm=Rhythm(max_wait=30), clock=time.time, monotonic=time.monotonic)
    driver = AsyncDriver([source], fetch)
    kid = server.issuer.keys[0].kid

    async def ask() -> set[str]:
        with watched() as calls:
            for _ in range(2):
                assert isinstance(await driver.find(source, kid), Use)
        return calls.found

    found = run(ask)
    assert isinstance(found, set)
    return found


def test_i9_nothing_blocks_the_loop_while_keys_are_fetched_over_tls(server: FaultServer, run: Run) -> None:
    assert blocking_calls(server, run, AsyncHttpxFetch(tls=server.authority.trusting())) == set()


# -- fetches that block it ---------------------------------------------------------------------------------------------


def waits_for_sockets(server: FaultServer) -> AsyncFetch:
    blocking = HttpxFetch(tls=server.authority.trusting())

    async def fetch(request: FetchRequest) -> FetchResponse:
        return blocking(request)

    return fetch


def reads_certificates_anew(server: FaultServer) -> AsyncFetch:
    async def fetch(request: FetchRequest) -> FetchResponse:
        return await AsyncHttpxFetch(tls=server.authority.trusting())(request)

    return fetch


def sleeps(server: FaultServer) -> AsyncFetch:
    good = AsyncHttpxFetch(tls=server.authority.trusting())

    async def fetch(request: FetchRequest) -> FetchResponse:
        time.sleep(0.001)  # noqa: ASYNC251  # the fault
        return await good(request)

    return fetch


def waits_for_a_thread(server: FaultServer) -> AsyncFetch:
    good = AsyncHttpxFetch(tls=server.authority.trusting())

    async def fetch(request: FetchRequest) -> FetchResponse:
        threading.Event().wait(0.001)
        return await good(request)

    return fetch


def resolves_names_itself(server: FaultServer) -> AsyncFetch:
    good = AsyncHttpxFetch(tls=server.authority.trusting())

    async def fetch(request: FetchRequest) -> FetchResponse:
        socket.getaddrinfo("127.0.0.1", 443)
        return await good(request)

    return fetch


@pytest.mark.parametrize(
    ("rule", "mutant", "call"),
    [
        pytest.param("I9", waits_for_sockets, "connect", id="the fetch waits for sockets"),
        pytest.param("I9", reads_certificates_anew, "load_verify_locations", id="each fetch reads the certificates"),
        pytest.param("I9", sleeps, "sleep", id="the fetch sleeps"),
        pytest.param("I9", waits_for_a_thread, "acquire", id="the fetch waits for a thread"),
        pytest.param("I9", resolves_names_itself, "getaddrinfo", id="the fetch resolves names itself"),
    ],
)
def test_the_watch_catches_a_fetch_that_breaks_the_rule(
    server: FaultServer, run: Run, rule: str, mutant: Callable[[FaultServer], AsyncFetch], call: str
) -> None:
    assert call in blocking_calls(server, run, mutant(server))
