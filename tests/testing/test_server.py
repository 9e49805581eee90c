from __future__ import annotations

import socket
import threading
import time

import httpx
import pytest

from tokenward.keys.fetch import HttpxFetch
from tokenward.keys.port import FetchFailed, FetchRequest
from tokenward.testing import IssuerServer, LocalIssuer

KEYS = "/common/discovery/v2.0/keys"


@pytest.mark.parametrize("host", ["0.0.0.0", "", "192.0.2.1", "::", "::1", "login.microsoftonline.com", "127.0.0.1.example"])
def test_it_refuses_every_host_but_this_machine(issuer: LocalIssuer, host: str) -> None:
    with pytest.raises(ValueError, match=r"127\.0\.0\.1 only"):
        IssuerServer(issuer, host=host)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.9", "localhost"])
def test_it_listens_on_loopback_and_nowhere_else(issuer: LocalIssuer, host: str) -> None:
    with IssuerServer(issuer, host=host) as server:
        address = httpx.URL(server.url)
        assert address.host.startswith("127.")
        assert httpx.get(server.url + KEYS, trust_env=False).json() == issuer.jwks()
        assert _refused("127.0.0.77", address.port)


def test_the_issuer_knows_where_it_is_served_and_goes_home_after(issuer: LocalIssuer) -> None:
    home = issuer.cloud
    with IssuerServer(issuer) as server:
        assert issuer.cloud.authority == server.url
        assert issuer.cloud.v2_issuer == home.v2_issuer
    assert issuer.cloud == home
    assert home.authority == "https://login.microsoftonline.com"


def test_requests_over_http_are_noted_with_their_address(issuer: LocalIssuer, served: IssuerServer) -> None:
    httpx.get(served.url + KEYS + "?appid=x", trust_env=False)
    assert issuer.requests == [f"{served.url}{KEYS}?appid=x"]


def test_after_an_outage_it_is_back_at_the_same_address(issuer: LocalIssuer, served: IssuerServer) -> None:
    before = served.url
    for _ in range(3):
        issuer.fail("down")
        assert _refused("127.0.0.1", httpx.URL(before).port)
        issuer.recover()
        assert served.url == before
        assert httpx.get(before + KEYS, trust_env=False).status_code == 200


def test_a_fault_set_before_it_is_served_holds(issuer: LocalIssuer) -> None:
    issuer.fail("down")
    with IssuerServer(issuer) as server:
        assert _refused("127.0.0.1", httpx.URL(server.url).port)
        issuer.recover()
        assert httpx.get(server.url + KEYS, trust_env=False).status_code == 200


def test_a_reset_is_a_real_one(issuer: LocalIssuer, served: IssuerServer) -> None:
    issuer.fail("reset")
    with socket.create_connection(("127.0.0.1", httpx.URL(served.url).port or 0), timeout=5) as client:
        client.sendall(f"GET {KEYS} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        with pytest.raises(ConnectionResetError):
            client.recv(1)


def test_a_slow_answer_comes_at_once_when_the_fault_is_over(issuer: LocalIssuer, served: IssuerServer) -> None:
    issuer.fail("slow", seconds=30.0)
    answers: list[int] = []
    asking = threading.Thread(
        target=lambda: answers.append(httpx.get(served.url + KEYS, trust_env=False, timeout=20).status_code)
    )
    asking.start()
    _until(lambda: bool(issuer.requests))
    issuer.recover()
    asking.join(10)
    assert answers == [200]


def test_an_oversized_answer_is_not_announced_so_it_must_be_counted(issuer: LocalIssuer, served: IssuerServer) -> None:
    issuer.fail("too_large")
    with httpx.stream("GET", served.url + KEYS, trust_env=False) as response:
        assert "content-length" not in response.headers
        assert sum(map(len, response.iter_raw())) > 1024 * 1024
    with pytest.raises(FetchFailed) as raised:
        HttpxFetch()(FetchRequest(served.url + KEYS, 5.0))
    assert raised.value.kind == "too_large"


def test_without_being_told_to_it_takes_no_control_requests(served: IssuerServer) -> None:
    assert httpx.post(served.url + "/control/mint", json={}, trust_env=False).status_code == 404
    assert httpx.get(served.url + "/control/state", trust_env=False).status_code == 404


def test_a_herd_is_answered(issuer: LocalIssuer, served: IssuerServer) -> None:
    """Nobody is turned away while a hundred ask at once, and all see one key, which is made by the first."""
    answers: list[object] = []
    asking = [
        threading.Thread(target=lambda: answers.append(httpx.get(served.url + KEYS, trust_env=False, timeout=20).json()))
        for _ in range(40)
    ]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join(20)
    assert answers == [issuer.jwks()] * 40


def test_a_port_that_is_taken_is_an_error_at_start(issuer: LocalIssuer, served: IssuerServer) -> None:
    with pytest.raises(OSError, match="in use"):
        IssuerServer(LocalIssuer(), httpx.URL(served.url).port or 0).start()


def _refused(host: str, port: int | None) -> bool:
    try:
        socket.create_connection((host, port or 0), timeout=2).close()
    except ConnectionRefusedError:
        return True
    return False


def _until(happened: object, seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not happened():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.005)
