"""Callers whose tokens are exchanged: the workspace sees the exchanged token only. And the stand-in behind all of it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tokenward.testing.workspace.certificate import LoopbackTls

pytestmark = pytest.mark.servers

ME = "/api/2.0/preview/scim/v2/Me"
FILES = "/api/2.0/fs/files/Volumes/main/default/v"
DEADLINE = 30.0


@dataclass
class Standin:
    """The stand-in workspace as a process, over HTTPS."""

    url: str
    account_id: str
    ca_file: str
    http: httpx.Client

    def control(self, action: str, **body: object) -> Any:
        answer = self.http.post(f"/control/{action}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def token(self, subject: str = "ada@contoso.example", **minting: object) -> str:
        return str(self.control("mint", subject=subject, **minting)["token"])

    def exchanges(self) -> int:
        return len(self.http.get("/control/state").json()["exchanges"])


@pytest.fixture(scope="module")
def standin(parts: Any) -> Iterator[Standin]:
    command = [sys.executable, "-m", "tokenward.testing.workspace", "--tls"]
    with parts.running(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        said = json.loads(process.stdout.readline())
        with httpx.Client(
            base_url=said["url"], verify=parts.trusting(said["ca_file"]), trust_env=False, timeout=DEADLINE
        ) as http:
            yield Standin(said["url"], said["account_id"], said["ca_file"], http)


@pytest.fixture(scope="module")
def ward(standin: Standin, parts: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """tokenward that exchanges at the stand-in."""
    folder = tmp_path_factory.mktemp("exchanging")
    (folder / "policies.json").write_text(standin.http.get("/control/policies").text)
    place = {"EXCHANGE_AT": standin.url, "ACCOUNT_ID": standin.account_id, "POLICIES": str(folder / "policies.json")}
    with parts.tokenward_with(folder, **place, SSL_CERT_FILE=standin.ca_file) as ward:
        yield ward


@pytest.fixture(scope="module")
def watched(standin: Standin, ward: Any, parts: Any, upstream: Any, tls: LoopbackTls) -> Iterator[Any]:
    """Before the workspace that writes down what arrives."""
    with parts.nginx_before(upstream.address, ward.ports, tls) as nginx:
        yield parts.front(nginx, ward, standin, upstream)


@pytest.fixture(scope="module")
def client(standin: Standin, ward: Any, parts: Any, tls: LoopbackTls) -> Iterator[httpx.Client]:
    """Of nginx before the stand-in itself."""
    address = standin.url.removeprefix("https://")
    with (
        parts.nginx_before(address, ward.ports, tls, trusted=standin.ca_file) as nginx,
        httpx.Client(
            base_url=f"https://localhost:{nginx.port}",
            verify=parts.trusting(tls.ca_file),
            trust_env=False,
            timeout=DEADLINE,
            http2=True,
        ) as http,
    ):
        yield http


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_the_upstream_sees_the_exchanged_token_only(watched: Any, standin: Standin) -> None:
    token, before = standin.token(), standin.exchanges()
    targets = [f"{FILES}/exchanged-{number}" for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda target: watched.ask("GET", target, token=token).status, targets)) == {200}
    arrivals = watched.upstream.arrived("/exchanged-")
    assert all(token not in str(arrival.headers) for arrival in arrivals)
    seen = {value for arrival in arrivals for value in arrival.values("authorization")}
    assert len(arrivals) == 8
    assert all(
        standin.http.get(ME, headers={"Authorization": value}).json()["userName"] == "ada@contoso.example" for value in seen
    )
    assert len(seen) == standin.exchanges() - before <= 2  # one for each process that was asked


def test_each_caller_has_a_token_of_its_own(watched: Any, standin: Standin) -> None:
    names = [f"user-{number}@contoso.example" for number in range(4)]
    for name in names:
        standin.control("users", name=name)
    tokens = {name: standin.token(name) for name in names}
    for _ in range(2):
        for name in names:
            assert watched.ask("GET", f"{FILES}/own?{name}", token=tokens[name]).status == 200
    for name in names:
        for arrival in watched.upstream.arrived(f"/own?{name}"):
            [value] = arrival.values("authorization")
            assert standin.http.get(ME, headers={"Authorization": value}).json()["userName"] == name


@pytest.mark.parametrize(
    ("minting", "status", "mark"),
    [
        pytest.param({"subject": "nobody@contoso.example"}, 401, "exchange_refused", id="refused at the exchange"),
        pytest.param({"claims": {"aud": "someone-else"}}, 401, "audience_not_accepted", id="refused before it"),
    ],
)
def test_a_caller_whom_the_workspace_refuses_does_not_pass(
    watched: Any, standin: Standin, minting: dict[str, Any], status: int, mark: str
) -> None:
    reply = watched.ask("GET", f"{FILES}/refused-exchange", token=standin.token(**minting))
    assert (reply.status, reply.refused, len(reply.values("www-authenticate"))) == (status, mark, 1)
    assert watched.upstream.arrived("/refused-exchange") == []


def test_without_the_token_endpoint_a_new_caller_is_answered_503_and_a_known_one_goes_on(watched: Any, standin: Standin) -> None:
    known = standin.token()
    assert watched.ask("GET", f"{FILES}/known", token=known).status == 200
    standin.control("fail", mode="status", path="/oidc/v1/token", status=503, retry_after=2)
    try:
        reply = watched.ask("GET", f"{FILES}/unknown", token=standin.token())
        assert (reply.status, reply.refused, reply.values("www-authenticate")) == (503, "exchange_unavailable", [])
        assert int(reply.values("retry-after")[0]) >= 1
        assert watched.ask("GET", f"{FILES}/known", token=known).status == 200
    finally:
        standin.control("recover")
    assert watched.upstream.arrived("/unknown") == []


def test_real_apis_answer_as_without_a_gateway(client: httpx.Client, standin: Standin) -> None:
    """Over HTTP/2, which nginx speaks with clients."""
    mine = bearer(standin.token())
    me = client.get(ME, headers=mine)
    assert (me.status_code, me.http_version, me.json()["userName"]) == (200, "HTTP/2", "ada@contoso.example")
    assert me.headers["x-databricks-org-id"]
    asked = {"statement": "select current_user()", "warehouse_id": "1"}
    rows = client.post("/api/2.0/sql/statements", headers=mine, json=asked).json()
    assert rows["result"]["data_array"] == [["ada@contoso.example"]]


def test_a_file_goes_up_and_comes_down(client: httpx.Client, standin: Standin) -> None:
    mine, place = bearer(standin.token()), "/api/2.0/fs/files/Volumes/main/default/v/%C3%A4%20file.bin"
    content = Path(__file__).read_bytes() * 100
    assert (
        client.put(place, params={"overwrite": "true"}, headers=mine, content=iter([content[:9], content[9:]])).status_code == 204
    )
    assert client.get(place, headers=mine).content == content
    part = client.get(place, headers={**mine, "Range": "bytes=5-8"})
    assert (part.status_code, part.content) == (206, content[5:9])


def test_a_serving_endpoint_streams(client: httpx.Client, standin: Standin) -> None:
    asked = {"messages": [{"role": "user", "content": "one two three"}], "stream": True}
    with client.stream("POST", "/serving-endpoints/echo/invocations", headers=bearer(standin.token()), json=asked) as answer:
        lines = [line for line in answer.iter_lines() if line]
    assert (answer.status_code, len(lines), lines[-1]) == (200, 4, "data: [DONE]")


def test_over_http2_a_second_authorization_and_odd_fields_are_refused_too(client: httpx.Client, standin: Standin) -> None:
    twice = [("Authorization", f"Bearer {standin.token()}"), ("Authorization", "Bearer garbage")]
    assert (refused := client.get(ME, headers=twice)).status_code == 400
    assert refused.headers["tokenward-refused"] == "request_malformed"
    assert client.get(ME).status_code == 401
    assert client.get("/api/2.0/..%2f", headers=bearer(standin.token())).status_code == 403
