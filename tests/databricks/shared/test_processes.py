"""Real processes over a real Redis and a token endpoint over real HTTP: one exchange for each caller, whoever dies."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import subprocess
import sys
import threading
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from tokenward.databricks import AsyncTokenSource, Exchange
from tokenward.databricks.shared.redis_store import RedisTokens
from tokenward.testing.loopback import QuietHandler, QuietServer

pytestmark = pytest.mark.servers

Jwt = Callable[..., str]
PROGRAM = Path(__file__).with_name("caller_process.py")
KEY = bytes(range(32))
PROCESSES = 4
CALLERS = 1000


class CountingEndpoint:
    """A workspace's token endpoint over HTTP. It gives "access.<digest of the caller's token>.<number>", and counts."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.gate = threading.Event()
        self.gate.set()
        endpoint, lock = self, threading.Lock()

        class Handler(QuietHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:  # noqa: N802  # the name is that of http.server
                token = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())["subject_token"][0]
                with lock:
                    endpoint.asked[token] += 1
                    number = endpoint.asked.total()
                endpoint.gate.wait(60)
                granted = {"access_token": f"access.{digest(token)}.{number}", "token_type": "Bearer", "expires_in": 3600}
                body = json.dumps(granted).encode()
                with contextlib.suppress(ConnectionError):
                    self.send_response(200)
                    self.send_header("Content-Type", "application/json")
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)

        class Server(QuietServer):
            request_queue_size = 4096

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()


def digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


@pytest.fixture
def counting() -> Iterator[CountingEndpoint]:
    endpoint = CountingEndpoint()
    yield endpoint
    endpoint.gate.set()
    endpoint.server.shutdown()
    endpoint.server.server_close()


@contextmanager
def fleet(count: int, redis: Any, endpoint: CountingEndpoint, tokens: Path, seconds: float) -> Iterator[list[Any]]:
    """So many processes that have started, and wait for a line."""
    command = [sys.executable, "-W", "error", str(PROGRAM), redis.url, endpoint.url, str(tokens), str(seconds)]
    with contextlib.ExitStack() as stack:
        processes = []
        for _ in range(count):
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
            env = os.environ | {"SHARED_KEY": b64encode(KEY).decode()}
            processes.append(stack.enter_context(subprocess.Popen(command, env=env, **pipes)))  # type: ignore[call-overload]
            stack.callback(processes[-1].kill)
        for process in processes:
            assert process.stdout.readline() == "ready\n"
        yield processes


def go(processes: list[Any]) -> None:
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()


def test_four_processes_and_a_thousand_callers_make_one_exchange_for_each(
    redis: Any, counting: CountingEndpoint, jwt: Jwt, tmp_path: Path, in_redis: Any
) -> None:
    tokens = [jwt(f"caller{number}") for number in range(CALLERS)]
    (tmp_path / "tokens.json").write_text(json.dumps(tokens))
    with fleet(PROCESSES, redis, counting, tmp_path / "tokens.json", 120.0) as processes:
        go(processes)
        said = [json.loads(process.stdout.readline()) for process in processes]
    assert [process["events"] for process in said] == [[]] * PROCESSES
    assert set(counting.asked) == set(tokens)
    assert set(counting.asked.values()) == {1}
    assert all(process["got"] == said[0]["got"] for process in said)
    assert len(set(said[0]["got"])) == CALLERS
    assert sum(process["exchanges"] for process in said) == CALLERS
    assert len(in_redis()) == CALLERS


def test_redis_is_killed_under_a_fleet_and_every_caller_is_served(
    redis: Any, counting: CountingEndpoint, jwt: Jwt, tmp_path: Path, until: Any
) -> None:
    tokens = [jwt(f"caller{number}") for number in range(40)]
    (tmp_path / "tokens.json").write_text(json.dumps(tokens))
    counting.gate.clear()
    with fleet(PROCESSES, redis, counting, tmp_path / "tokens.json", 120.0) as processes:
        go(processes)
        asyncio.run(until(lambda: len(counting.asked) == len(tokens)))
        redis.kill()
        counting.gate.set()
        said = [json.loads(process.stdout.readline()) for process in processes]
    assert all(len(process["got"]) == len(tokens) for process in said)
    assert counting.asked.total() <= PROCESSES * len(tokens)
    events = [process["events"] for process in said]
    assert all(len(of_one) <= 1 and all(event.startswith("SharedTokensLost(") for event in of_one) for of_one in events)
    assert sum(map(len, events)) >= PROCESSES - 1  # one that leads with all of them may end before it looks again


def test_a_leader_that_is_killed_is_followed_by_one_other(
    redis: Any, counting: CountingEndpoint, jwt: Jwt, tmp_path: Path, until: Any, in_redis: Any
) -> None:
    token = jwt()
    (tmp_path / "tokens.json").write_text(json.dumps([token]))
    counting.gate.clear()
    with fleet(1, redis, counting, tmp_path / "tokens.json", 10.0) as (leader,):
        go([leader])
        asyncio.run(until(lambda: counting.asked[token] == 1))
        leader.kill()
        leader.wait(20)
    counting.gate.set()
    assert [value[:6] for value in in_redis().values()] == [b"lease:"]

    async def main() -> None:
        sources = [
            AsyncTokenSource(
                Exchange(counting.url), timeout=120.0, observer=None, shared=RedisTokens(redis.url, KEY, timeout=10.0)
            )
            for _ in range(3)
        ]
        got = await asyncio.gather(*(source.token_for(token) for source in sources))
        assert len({access.value for access in got}) == 1

    asyncio.run(main())
    assert counting.asked[token] == 2
