"""FaultServer: faults request by request, over HTTP and HTTPS; each fault as a plain client of ours meets it."""

from __future__ import annotations

import inspect
import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping

import httpx
import pytest

from tokenward.keys.fetch import HttpxFetch
from tokenward.keys.port import FetchFailed, FetchRequest, FetchResponse
from tokenward.testing import FaultServer, LocalIssuer, OidcIssuer, SigningKey, faults
from tokenward.testing.faults import Fault

JWKS = "/jwks"


@pytest.fixture
def idp() -> OidcIssuer:
    return LocalIssuer.oidc(new_key=lambda: SigningKey.generate("EdDSA"))


@pytest.fixture
def server(idp: OidcIssuer) -> Iterator[FaultServer]:
    with FaultServer(idp) as started:
        yield started


@pytest.fixture
def secure(idp: OidcIssuer) -> Iterator[FaultServer]:
    with FaultServer(idp, tls=True) as started:
        yield started


def get(server: FaultServer, path: str = JWKS, timeout: float = 5.0) -> FetchResponse:
    tls = server.authority.trusting() if server.url.startswith("https") else None
    return HttpxFetch(tls=tls, trust_env=False)(FetchRequest(f"{server.url}{path}", timeout))


def kind_of(server: FaultServer, path: str = JWKS, timeout: float = 5.0) -> str:
    """How a fetch fails, or the status of its answer."""
    try:
        return str(get(server, path, timeout).status)
    except FetchFailed as failure:
        return failure.kind


def test_without_faults_it_is_an_issuer(server: FaultServer, secure: FaultServer, idp: OidcIssuer) -> None:
    for each in (server, secure):
        assert json.loads(get(each).body) == idp.jwks()
        assert kind_of(each, "/nothing") == "404"


def test_faults_are_met_in_order_one_request_each(server: FaultServer) -> None:
    server.next(faults.status(500), faults.reset(), faults.status(429))
    assert [kind_of(server) for _ in range(4)] == ["500", "read", "429", "200"]


def test_a_fault_of_one_path_waits_for_a_request_for_it(server: FaultServer) -> None:
    server.next(faults.status(500), path=JWKS)
    assert [kind_of(server, "/.well-known/openid-configuration"), kind_of(server), kind_of(server)] == ["200", "500", "200"]


def test_a_fault_for_always_holds_until_recovery_and_the_next_ones_go_before_it(server: FaultServer) -> None:
    server.always(faults.status(500))
    server.always(faults.status(404), path="/other")
    server.next(faults.status(429))
    assert [kind_of(server) for _ in range(3)] == ["429", "500", "500"]
    assert kind_of(server, "/other") == "404"
    server.recover()
    assert kind_of(server) == "200"


def test_the_issuers_own_faults_hold_too(server: FaultServer, idp: OidcIssuer) -> None:
    idp.fail("status", status=502)
    assert kind_of(server) == "502"
    idp.fail("down")
    assert kind_of(server) == "connect"
    idp.recover()
    assert kind_of(server) == "200"


def test_what_was_asked_is_noted(server: FaultServer) -> None:
    get(server)
    assert [(asked.path, asked.fields["user-agent"]) for asked in server.asked] == [(JWKS, "tokenward")]
    assert server.connections == 1


@pytest.mark.parametrize(
    ("fault", "new"), [pytest.param(faults.held, 0, id="held: of then"), pytest.param(faults.slow, 1, id="slow: of now")]
)
def test_an_answer_that_is_kept_back_is_of_when_it_was_asked_for_or_of_when_it_is_given(
    server: FaultServer, idp: OidcIssuer, monkeypatch: pytest.MonkeyPatch, fault: Callable[[], Fault], new: int
) -> None:
    made, real = threading.Event(), idp.document

    def document(path: str) -> Mapping[str, object] | None:
        found = real(path)
        made.set()
        return found

    monkeypatch.setattr(idp, "document", document)
    kept, answers = fault(), list[FetchResponse]()
    server.next(kept)
    before = len(idp.keys)
    client = threading.Thread(target=lambda: answers.append(get(server, timeout=20.0)))
    client.start()
    while not (made.is_set() if new == 0 else server.asked):
        assert client.is_alive()
    idp.rotate()
    kept.end()
    client.join(20)
    assert len(json.loads(answers[0].body)["keys"]) == before + new


def test_recovery_ends_what_is_held_back(server: FaultServer) -> None:
    server.next(faults.held())
    answers: list[str] = []
    client = threading.Thread(target=lambda: answers.append(kind_of(server, timeout=20.0)))
    client.start()
    while not server.asked:
        assert client.is_alive()
    while client.is_alive():
        server.recover()
        client.join(0.05)
    assert answers == ["200"]


@pytest.mark.parametrize("fault", [faults.down(), faults.black_hole()], ids=lambda fault: str(fault.name))
def test_a_fault_of_the_whole_server_is_no_requests_own(server: FaultServer, fault: Fault) -> None:
    with pytest.raises(ValueError, match="always"):
        server.next(fault)


def test_a_fault_of_tls_needs_tls(server: FaultServer) -> None:
    for give in (server.next, server.always):
        with pytest.raises(ValueError, match="tls=True"):
            give(faults.expired_certificate())


@pytest.mark.parametrize("fault", [faults.down(), faults.expired_certificate()], ids=lambda fault: str(fault.name))
def test_a_fault_of_connections_is_of_no_path(secure: FaultServer, fault: Fault) -> None:
    with pytest.raises(ValueError, match="before any path"):
        secure.always(fault, path=JWKS)


def test_what_is_set_on_the_server_goes_before_the_issuers_own(server: FaultServer, idp: OidcIssuer) -> None:
    server.always(faults.down())
    idp.fail("html")
    assert kind_of(server) == "connect"
    server.recover()
    assert get(server).headers["content-type"].startswith("text/html")


def test_a_black_hole_neither_answers_nor_refuses(server: FaultServer) -> None:
    port = httpx.URL(server.url).port or 0
    server.always(faults.black_hole())
    with socket.socket() as client:
        client.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.connect(("127.0.0.1", port))
    server.recover()
    assert kind_of(server) == "200"
    assert httpx.URL(server.url).port == port


def test_a_black_hole_ends_with_the_server(idp: OidcIssuer) -> None:
    with FaultServer(idp) as server:
        server.always(faults.black_hole())
        port = httpx.URL(server.url).port or 0
    with socket.create_server(("127.0.0.1", port)):
        pass


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        pytest.param(faults.expired_certificate, "tls", id="expired"),
        pytest.param(faults.wrong_host_certificate, "tls", id="wrong host"),
        pytest.param(faults.self_signed_certificate, "tls", id="self-signed"),
        pytest.param(faults.no_tls, "tls", id="no TLS"),
        pytest.param(faults.half_a_handshake, "timeout", id="half a handshake"),
    ],
)
def test_what_is_wrong_with_tls_is_for_one_connection(secure: FaultServer, fault: Callable[[], Fault], kind: str) -> None:
    secure.next(fault())
    assert kind_of(secure, timeout=0.3 if kind == "timeout" else 5.0) == kind
    assert kind_of(secure) == "200"


def test_it_is_a_proxy_that_leads_every_host_to_itself(idp: OidcIssuer) -> None:
    with FaultServer(idp, names=("idp.example",)) as server:
        tls = server.authority.trusting()
        with httpx.Client(proxy=server.url, verify=tls, trust_env=False) as client:
            assert client.get("https://idp.example/jwks").json() == idp.jwks()
            with pytest.raises(httpx.ConnectError):
                client.get("https://other.example/jwks")
            server.next(faults.status(407), path="CONNECT")
            with pytest.raises(httpx.ProxyError):
                client.get("https://idp.example:444/jwks")


MADE = [
    pytest.param(getattr(faults, name), id=name)
    for name in faults.__all__
    if inspect.isfunction(getattr(faults, name)) and name not in ("of_mode", "response_to")
]
ARGUMENTS = {
    "body": (b"{}",),
    "document": ({},),
    "header": ("x", "y"),
    "key_set": (list,),
    "reset_after": (3,),
    "without_key": ("a",),
    "replicas": (None,),
}


@pytest.mark.parametrize("make", MADE)
def test_every_fault_has_a_name_and_says_what_happens(make: Callable[..., Fault]) -> None:
    fault = make(*ARGUMENTS.get(make.__name__, ()))
    assert fault.name
    assert (inspect.getdoc(make) or "").partition("\n")[0].endswith((".", ":", ","))


@pytest.mark.parametrize("make", MADE)
def test_every_fault_fails_alike_in_process_and_over_http(make: Callable[..., Fault], idp: OidcIssuer) -> None:
    """Where a fault is in how the answer is sent, `fails` is what a client of ours meets on the wire."""
    fault = make(*ARGUMENTS.get(make.__name__, ()))
    if fault.fails is None:
        return
    with FaultServer(idp, tls=fault.handshake != "good") as server:
        get(server)
        server.always(fault)
        assert kind_of(server, timeout=0.3 if fault.fails == "timeout" else 5.0) == fault.fails
    request = FetchRequest(idp.jwks_uri, 0.3)
    with pytest.raises(FetchFailed) as raised:
        fault.raise_in_process(request)
    assert raised.value.kind == fault.fails


@pytest.mark.parametrize("wrong", [-1, "3", 2**40], ids=["negative", "a text", "too many"])
def test_a_number_that_means_nothing_is_refused(wrong: object) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # it says which argument
        faults.reset_after(wrong)  # type: ignore[arg-type]


def test_replicas_answer_in_turn(server: FaultServer) -> None:
    server.always(faults.replicas(None, faults.status(500)))
    assert [kind_of(server) for _ in range(4)] == ["200", "500", "200", "500"]


def test_a_cache_steps_aside_when_it_is_asked_to(server: FaultServer, idp: OidcIssuer) -> None:
    server.always(faults.cached(), path=JWKS)
    first = get(server).body
    idp.rotate()
    assert get(server).body == first
    fresh = HttpxFetch(trust_env=False)(FetchRequest(f"{server.url}{JWKS}", 5.0, no_cache=True)).body
    assert fresh != first
    assert get(server).body == fresh
