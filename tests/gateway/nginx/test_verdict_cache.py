"""How long nginx remembers a verdict, and for which requests."""

from __future__ import annotations

import json
import stat
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

pytestmark = pytest.mark.servers

FILES = "/api/2.0/fs/files/Volumes/main/default/v"


def test_one_verdict_serves_the_same_request_again(front: Any) -> None:
    token = front.issuer.token()
    assert [front.ask("GET", f"{FILES}/again", token=token).status for _ in range(5)] == [200] * 5
    assert len(front.verdicts_about("/again")) == 1
    assert [arrival.values("authorization") for arrival in front.upstream.arrived("/again")] == [[f"Bearer {token}"]] * 5


@pytest.mark.parametrize(
    ("method", "target"),
    [
        pytest.param("PUT", "/key?a=1", id="another method"),
        pytest.param("HEAD", "/key?a=1", id="HEAD for GET"),
        pytest.param("GET", "/key?a=2", id="another query"),
        pytest.param("GET", "/key", id="no query"),
        pytest.param("GET", "/key?a=1&", id="a longer query"),
        pytest.param("GET", "/%6bey?a=1", id="another spelling of the path"),
        pytest.param("GET", "/KEY?a=1", id="another case"),
    ],
)
def test_a_verdict_is_for_one_method_and_one_raw_target(front: Any, method: str, target: str) -> None:
    token = front.issuer.token()
    assert front.ask("GET", f"{FILES}/key?a=1", token=token).status == 200
    before = len(front.tokenward.verdicts())
    assert front.ask(method, FILES + target, token=token).status == 200
    asked = front.tokenward.verdicts()[before:]
    assert [(dict(one["asked"])["x-original-method"], dict(one["asked"])["x-original-uri"]) for one in asked] == [
        (method, FILES + target)
    ]


@pytest.mark.parametrize("padding", [0, 9000], ids=["of usual length", "of 12 KiB"])
def test_a_verdict_is_for_the_whole_token(front: Any, padding: int) -> None:
    """A token with another signature has everything else in common with one that nginx has a verdict on."""
    token = front.issuer.token(claims={"pad": "x" * padding})
    target = f"{FILES}/whole-{padding}"
    assert [front.ask("GET", target, token=token).status for _ in range(2)] == [200, 200]
    assert len(front.verdicts_about(target)) == 1
    forged = token[:-8] + ("A" * 8 if not token.endswith("A" * 8) else "B" * 8)
    for altered in (forged, token[:-1], token + "A", token.swapcase()):
        assert front.ask("GET", target, token=altered).status == 401
    assert len(front.upstream.arrived(target)) == 2


def test_two_callers_never_share_a_verdict(front: Any) -> None:
    tokens = [front.issuer.token(claims={"oid": f"caller-{number}"}) for number in range(3)]
    for token in tokens * 3:
        assert front.ask("GET", f"{FILES}/shared", token=token).status == 200
    seen = [arrival.values("authorization") for arrival in front.upstream.arrived("/shared")]
    assert seen == [[f"Bearer {token}"] for token in tokens * 3]
    assert len(front.verdicts_about("/shared")) == 3


def test_callers_at_once_are_each_themselves(front: Any) -> None:
    """Each has a request id of its own; the address is the same for all."""
    tokens = {f"id-{number}": front.issuer.token(claims={"oid": f"caller-{number}"}) for number in range(12)}

    def ask(name: str) -> int:
        return int(front.ask("GET", f"{FILES}/at-once", ("X-Request-Id", name), token=tokens[name]).status)

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(ask, [*tokens] * 10)) == {200}
    arrivals = front.upstream.arrived("/at-once")
    assert len(arrivals) == 120
    for arrival in arrivals:
        assert arrival.values("authorization") == [f"Bearer {tokens[arrival.values('x-request-id')[0]]}"]
    assert len(front.verdicts_about("/at-once")) < 120


def test_connections_to_tokenward_are_kept(front: Any) -> None:
    assert set(front.ask_in_turn([f"{FILES}/kept-{number}" for number in range(20)], front.issuer.token())) == {200}
    verdicts = front.verdicts_about("/kept-")
    assert len(verdicts) == 20
    assert len({verdict["from"] for verdict in verdicts}) <= 6  # one for each process, and some that were closed meanwhile


@pytest.mark.parametrize(
    ("minting", "target", "status"),
    [
        pytest.param({"lifetime": -60}, f"{FILES}/refused", 401, id="expired"),
        pytest.param({"key": "stranger"}, f"{FILES}/refused", 401, id="forged"),
        pytest.param({}, "/login.html", 403, id="a path that is not allowed"),
    ],
)
def test_a_rejection_is_never_remembered(front: Any, minting: dict[str, Any], target: str, status: int) -> None:
    token = front.issuer.token(**minting)
    before = len(front.tokenward.verdicts())
    assert [front.ask("GET", target, token=token).status for _ in range(3)] == [status] * 3
    asked = front.tokenward.verdicts()[before:]
    assert [one["status"] for one in asked] == [status] * 3
    assert {one["answered"]["cache-control"] for one in asked} == {"no-store"}


def test_a_verdict_lives_no_longer_than_it_says(front: Any, eventually: Any) -> None:
    """The token has seconds left after the 40 that tokenward takes off, which is less than the 30 that others get."""
    token, target = front.issuer.token(lifetime=44), f"{FILES}/short"
    assert front.ask("GET", target, token=token).status == 200

    def asked_again() -> bool:
        return front.ask("GET", target, token=token).status == 200 and len(front.verdicts_about("/short")) > 1

    eventually(asked_again, "second verdict")
    first, second = front.verdicts_about("/short")[:2]
    said = int(first["answered"]["cache-control"].removeprefix("max-age="))
    assert 1 <= said <= 4
    assert said - 1 <= second["at"] - first["at"] < 20  # by the clocks of two processes, of which nginx's counts whole seconds


def test_a_verdict_that_may_not_be_kept_is_asked_for_each_time(front: Any) -> None:
    token, target = front.issuer.token(lifetime=39), f"{FILES}/ending"
    assert [front.ask("GET", target, token=token).status for _ in range(3)] == [200] * 3
    assert [one["answered"]["cache-control"] for one in front.verdicts_about("/ending")] == ["no-store"] * 3


def test_what_a_client_says_of_caching_changes_nothing(front: Any) -> None:
    token, target = front.issuer.token(), f"{FILES}/pragma"
    for header in (
        "Cache-Control: no-cache",
        "Pragma: no-cache",
        "Cache-Control: max-stale=9999",
        "If-None-Match: *",
        "Range: bytes=0-0",
    ):
        name, _, value = header.partition(": ")
        assert front.ask("GET", target, (name, value), token=token).status == 200
    assert len(front.verdicts_about("/pragma")) == 1


def test_the_files_of_the_cache_are_for_nginx_alone(front: Any) -> None:
    token = front.issuer.token()
    front.ask("GET", f"{FILES}/modes", token=token)
    found = [front.nginx.cache, *front.nginx.cache.rglob("*")]
    assert any(token.encode() in path.read_bytes() for path in found if path.is_file()), "then the config need not warn of it"
    for path in found:
        facts = path.stat()
        assert facts.st_uid == front.nginx.owner
        assert stat.S_IMODE(facts.st_mode) == (0o700 if path.is_dir() else 0o600)


def test_no_log_holds_a_token_or_a_query(front: Any, eventually: Any) -> None:
    token, marked = front.issuer.token(), str(time.time_ns())
    front.ask("GET", f"{FILES}/{marked}?access_token=secret-{marked}", token=token)
    front.ask("GET", f"{FILES}/{marked}", token=front.issuer.token(lifetime=-60))
    eventually(lambda: front.nginx.log("access").count(marked) == 2, "line in the log")
    lines = [json.loads(line) for line in front.nginx.log("access").splitlines() if marked in line]
    assert [(line["status"], line["refused"], bool(line["subject"])) for line in lines] == [
        (200, "", True),
        (401, "token_expired", False),
    ]
    written = front.nginx.log("access") + front.nginx.log("error")
    assert "eyJ" not in written
    assert f"secret-{marked}" not in front.nginx.log("access")
