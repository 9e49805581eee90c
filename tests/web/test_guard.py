"""Who may ask the inspector, what it takes, and what every answer forbids the browser."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from tokenward import Policy, PolicyError
from tokenward.testing import LocalIssuer
from tokenward.web import inspector
from tokenward.web.body import MAX_BODY_BYTES
from tokenward.web.page_files import page_files

pytestmark = pytest.mark.servers

REPORT = {"verdict": "undecided"}
PAGE_LIMIT = 100 * 1024


def _asked(url: str, body: object = None, *, method: str = "POST", **headers: str) -> httpx.Response:
    """As the page asks, unless a header says otherwise; one that is empty is left out."""
    own = {"Content-Type": "application/json", "Origin": url, "Sec-Fetch-Site": "same-origin"}
    given = {**own, **{name.replace("_", "-"): value for name, value in headers.items()}}
    content = body if isinstance(body, bytes) else json.dumps({"token": "a.b.c"} if body is None else body)
    sent = {name: value for name, value in given.items() if value}
    with httpx.Client(trust_env=False) as client:
        return client.request(method, f"{url}/explain", content=content, headers=sent)


@pytest.mark.parametrize(
    ("options", "field"),
    [
        pytest.param({}, "opted_in", id="nobody said that it may be served"),
        pytest.param({"opted_in": 1}, "opted_in", id="something like True"),
        pytest.param({"opted_in": True, "policy": "databricks"}, "policy", id="no policy"),
        pytest.param({"opted_in": True, "hosts": "inspector.example"}, "hosts", id="a text for a list"),
    ],
)
def test_the_page_is_made_on_purpose_and_with_what_it_needs(options: dict[str, Any], field: str) -> None:
    with pytest.raises(PolicyError) as raised:
        inspector(**options)
    assert raised.value.field == field


@pytest.mark.parametrize(
    ("host", "status"),
    [
        pytest.param("", 200, id="its own address"),
        pytest.param("localhost:80", 200, id="localhost"),
        pytest.param("[::1]", 200, id="the loopback of IPv6"),
        pytest.param("evil.example", 421, id="a name that was rebound to this machine"),
        pytest.param("localhost.evil.example", 421, id="a name that begins like this machine's"),
        pytest.param("127.0.0.1.evil.example", 421, id="a name that begins like an address"),
        pytest.param("192.168.1.10", 421, id="an address of the network"),
        pytest.param("[::1", 421, id="no name at all"),
        pytest.param("evil@127.0.0.1", 421, id="a user in front of it"),
        pytest.param("localhost#evil", 421, id="a fragment behind it"),
        pytest.param("localhost/../x", 421, id="a path behind it"),
        pytest.param("localhost:80:80", 421, id="two ports"),
        pytest.param("LOCALHOST:80", 200, id="capitals"),
    ],
)
@pytest.mark.parametrize("path", ["/", "/facts.json", "/main.js", "/missing"])
def test_only_loopback_names_are_answered_unless_hosts_are_given(site: Any, host: str, status: int, path: str) -> None:
    answer = httpx.get(f"{site.url}{path}", headers={"Host": host} if host else {}, trust_env=False)
    assert answer.status_code == (404 if status == 200 and path == "/missing" else status)


@pytest.mark.parametrize(
    ("hosts", "peer", "status"),
    [
        pytest.param((), "127.0.0.1", 200, id="this machine"),
        pytest.param((), "203.0.113.5", 421, id="another machine that says localhost"),
        pytest.param(("localhost",), "203.0.113.5", 200, id="another machine, where the name was given"),
        pytest.param(("inspector.example",), "127.0.0.1", 421, id="loopback, where another name was given"),
    ],
)
def test_strangers_are_answered_only_under_a_given_name(hosts: tuple[str, ...], peer: str, status: int) -> None:
    async def asked() -> int:
        transport = httpx.ASGITransport(inspector(opted_in=True, hosts=hosts), client=(peer, 50000))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return (await client.get("/")).status_code

    assert asyncio.run(asked()) == status


@pytest.mark.parametrize(
    ("hosts", "status"),
    [
        pytest.param(["localhost"], 200, id="one"),
        pytest.param(["localhost", "evil.example"], 421, id="its own and a foreign one"),
        pytest.param(["localhost", "localhost"], 421, id="the same twice"),
    ],
)
def test_a_request_that_names_two_hosts_is_for_neither(hosts: list[str], status: int) -> None:
    async def asked() -> int:
        transport = httpx.ASGITransport(inspector(opted_in=True), client=("127.0.0.1", 50000))
        async with httpx.AsyncClient(transport=transport) as client:
            return (await client.get("http://localhost/", headers=[("Host", host) for host in hosts])).status_code

    assert asyncio.run(asked()) == status


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"Origin": "https://evil.example"}, id="another site"),
        pytest.param({"Origin": "null"}, id="a page without an origin"),
        pytest.param({"Origin": ""}, id="no browser"),
        pytest.param({"Origin": "http://127.0.0.1"}, id="another port"),
        pytest.param({"Sec_Fetch_Site": "cross-site"}, id="Fetch Metadata says another site"),
        pytest.param({"Sec_Fetch_Site": "same-site"}, id="Fetch Metadata says a neighbour"),
        pytest.param({"Sec_Fetch_Site": "none"}, id="Fetch Metadata says typed by hand"),
    ],
)
def test_only_the_page_itself_may_send_a_token(site: Any, headers: dict[str, str]) -> None:
    assert _asked(site.url, **headers).status_code == 403


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        pytest.param(None, {}, 200, id="a token"),
        pytest.param(None, {"Content_Type": "application/json; charset=utf-8"}, 200, id="JSON with its charset"),
        pytest.param(None, {"Content_Type": "text/plain"}, 415, id="what a form of another site could send"),
        pytest.param(None, {"Content_Type": ""}, 415, id="no type"),
        pytest.param(b"a.b.c", {}, 400, id="a bare token"),
        pytest.param(["a.b.c"], {}, 400, id="a list"),
        pytest.param({"token": None}, {}, 400, id="null"),
        pytest.param({"token": "a.b.c", "policy": "any"}, {}, 400, id="more than a token"),
        pytest.param(b'{"token":"a","token":"b"}', {}, 400, id="two tokens"),
        pytest.param({"token": "a" * MAX_BODY_BYTES}, {}, 413, id="longer than any token"),
    ],
)
def test_the_body_is_bounded_and_strictly_read(site: Any, body: object, headers: dict[str, str], status: int) -> None:
    answer = _asked(site.url, body, **headers)
    assert answer.status_code == status
    assert ("verdict" in answer.json()) == (status == 200)
    assert status == 200 or "a.b.c" not in answer.text


def test_nothing_but_post_asks_for_checks(site: Any) -> None:
    assert _asked(site.url, method="GET").status_code == 405
    assert httpx.get(f"{site.url}/explain?token=a.b.c", trust_env=False).status_code == 405


@pytest.mark.parametrize("path", ["/", "/style.css", "/main.js", "/facts.json", "/missing", "/explain"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_every_answer_forbids_what_the_page_does_not_need(site: Any, path: str, method: str) -> None:
    headers = httpx.request(method, f"{site.url}{path}", trust_env=False).headers
    policy = dict(part.partition(" ")[::2] for part in headers["Content-Security-Policy"].split("; "))
    assert policy == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "connect-src": "'self'",
        "img-src": "'self' data:",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cross-Origin-Opener-Policy"] == headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert headers["Cache-Control"] == "no-store"
    assert "Set-Cookie" not in headers
    assert "Access-Control-Allow-Origin" not in headers


def test_a_check_that_breaks_is_answered_without_the_token(running: Callable[..., Any]) -> None:
    def breaks(token: str) -> dict[str, object]:
        raise RuntimeError(token)

    with running(inspector(opted_in=True, explainer=breaks)) as server:
        answer = _asked(server.url, {"token": "secret.secret.secret"})
    assert answer.status_code == 500
    assert "RuntimeError" in answer.json()["error"]
    assert "secret" not in answer.text


def test_the_explainer_may_be_the_applications_own(running: Callable[..., Any]) -> None:
    seen: list[str] = []
    with running(inspector(opted_in=True, explainer=lambda token: seen.append(token) or REPORT)) as server:  # type: ignore[func-returns-value]
        assert _asked(server.url).json() == REPORT
    assert seen == ["a.b.c"]


def test_the_checks_are_those_of_the_library(site: Any, tenant: LocalIssuer, policy: Policy) -> None:
    good, foreign = tenant.user_token(), tenant.user_token(audience="https://graph.microsoft.com")
    assert _asked(site.url, {"token": good}).json()["verdict"] == "accepted"
    refused = _asked(site.url, {"token": foreign}).json()
    assert (refused["verdict"], refused["code"]) == ("refused", "audience_not_accepted")
    assert good.rpartition(".")[2] not in _asked(site.url, {"token": good}).text


@pytest.mark.parametrize("path", ["/inspector", "/a/b"])
def test_it_can_be_mounted_below_any_path(running: Callable[..., Any], path: str) -> None:
    app = Starlette(routes=[Mount(path, inspector(opted_in=True, explainer=lambda token: REPORT))])
    with running(app) as server, httpx.Client(trust_env=False, base_url=server.url) as client:
        page = client.get(f"{path}/")
        asked = client.post(f"{path}/explain", json={"token": "a"}, headers={"Origin": server.url})
        assert client.get(path).headers["location"] == f"{server.url}{path}/"
    assert 'src="main.js"' in page.text  # relative, so that the path in front does not matter
    assert asked.json() == REPORT


def test_the_facts_are_sent_small_and_whole(site: Any, policy: Policy) -> None:
    plain = httpx.get(f"{site.url}/facts.json", headers={"Accept-Encoding": "identity"}, trust_env=False)
    packed = httpx.get(f"{site.url}/facts.json", trust_env=False)
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert plain.json() == packed.json()
    assert [one["issuer"] for one in plain.json()["policy"]] == [issuer.issuer for issuer in policy.issuers]
    assert {"AADSTS50000", "invalid_grant"} <= {entry["code"] for entry in plain.json()["errors"]}


def test_the_whole_page_is_small(site: Any) -> None:
    """As a browser is sent it, and the same when it is unpacked."""
    sent = 0
    with httpx.Client(trust_env=False, base_url=site.url) as client:
        for name, (content, _) in [*page_files().items(), ("facts.json", (None, ""))]:
            with client.stream("GET", f"/{'' if name == 'index.html' else name}", headers={"Accept-Encoding": "gzip"}) as answer:
                packed = b"".join(answer.iter_raw())
            sent += len(packed)
            assert content is None or gzip.decompress(packed) == content, name
            assert content is None or client.get(answer.url, headers={"Accept-Encoding": "identity"}).content == content, name
    assert sent < PAGE_LIMIT


def test_no_file_of_the_page_builds_markup_or_stores_anything() -> None:
    for name, (content, _) in page_files().items():
        text = content.decode()
        assert "innerHTML" not in text, name
        assert "outerHTML" not in text, name
        assert "insertAdjacentHTML" not in text, name
        assert "localStorage" not in text, name
        assert "sessionStorage" not in text, name
        assert "indexedDB" not in text, name
        assert "document.cookie" not in text, name
        assert "style=" not in text, name


def test_a_body_that_does_not_arrive_whole_is_no_defect(site: Any, caplog: pytest.LogCaptureFixture) -> None:
    name, _, port = site.url.removeprefix("http://").partition(":")
    fields = [f"Host: {name}:{port}", f"Origin: {site.url}", "Content-Type: application/json", "Content-Length: 99"]
    with socket.create_connection((name, int(port))) as connection:
        connection.sendall("\r\n".join(["POST /explain HTTP/1.1", *fields, "", '{"token":"']).encode())
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(20)
        connection.recv(1024)
    assert _asked(site.url).status_code == 200
    assert "Traceback" not in caplog.text
