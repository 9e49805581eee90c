"""Real servers with several workers: each worker tells its own numbers on a port of its own, and together they are all."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tokenward.testing import IssuerServer, LocalIssuer
from tokenward.testing.loopback import free_port

pytestmark = pytest.mark.servers

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "metrics"
PAGE = (ROOT / "docs" / "metrics.md").read_text("utf-8")
REQUESTS = 40

PYTHON = [sys.executable, "-W", "error", "-m"]
GUNICORN = [*PYTHON, "gunicorn", "--log-level", "warning", "--bind", "127.0.0.1:{port}"]
SERVERS = {
    "uvicorn": ([*PYTHON, "uvicorn", "--log-level", "warning", "--port", "{port}", "measured_app:app"], 1),
    "uvicorn, two workers": (
        [*PYTHON, "uvicorn", "--log-level", "warning", "--workers", "2", "--port", "{port}", "measured_app:app"],
        2,
    ),
    "gunicorn, two workers of uvicorn": (
        [*GUNICORN, "--workers", "2", "--worker-class", "uvicorn_worker.UvicornWorker", "measured_app:app"],
        2,
    ),
}
Eventually = Callable[[Callable[[], bool]], None]


@pytest.fixture
def issuer() -> Iterator[LocalIssuer]:
    """One that lives by the real time, as the service does."""
    made = LocalIssuer()
    with IssuerServer(made):
        yield made


@pytest.fixture
def environment(issuer: LocalIssuer) -> dict[str, str]:
    own = {"TENANT": issuer.tenant, "CLIENT_ID": issuer.client_id, "AUTHORITY": issuer.origin}
    return os.environ | own | {"METRICS_PORT": str(free_port())}


def answers(http: httpx.Client, url: str, **options: Any) -> httpx.Response | None:
    try:
        return http.get(url, **options)
    except httpx.TransportError:
        return None


@pytest.mark.parametrize("server", SERVERS)
def test_the_workers_together_tell_every_request(
    server: str,
    issuer: LocalIssuer,
    environment: dict[str, str],
    http: httpx.Client,
    exposition: Any,
    running: Any,
    eventually: Any,
) -> None:
    command, workers = SERVERS[server]
    port, first = free_port(), int(environment["METRICS_PORT"])
    places = [f"http://127.0.0.1:{first + number}/metrics" for number in range(16)]

    def told() -> list[Any]:
        found = [answers(http, place) for place in places]
        return [exposition(answer.text) for answer in found if answer is not None and answer.status_code == 200]

    with running([part.format(port=port) for part in command], cwd=EXAMPLE, env=environment):
        eventually(lambda: len(told()) == workers and answers(http, f"http://127.0.0.1:{port}/health") is not None)
        token = issuer.user_token()
        for number in range(REQUESTS):
            headers = {"Authorization": f"Bearer {token}"} if number % 2 else {}
            assert http.get(f"http://127.0.0.1:{port}/jobs", headers=headers).status_code == (200 if number % 2 else 401)
        each = told()
        assert sum(numbers("tokenward_key_lookups_total", outcome="hit") for numbers in each) == REQUESTS // 2
        assert sum(numbers("tokenward_rejections_total", code="missing_token") for numbers in each) == REQUESTS // 2
        assert all(numbers("tokenward_keys_usable") > 0 for numbers in each)
        assert all(numbers("tokenward_key_age_seconds") < 3600 for numbers in each)


def test_gunicorns_hook_of_the_page_gives_each_wsgi_worker_a_port_which_its_replacement_inherits(
    tmp_path: Path, environment: dict[str, str], http: httpx.Client, exposition: Any, running: Any, eventually: Eventually
) -> None:
    port, first = free_port(), int(environment["METRICS_PORT"])
    (snippet,) = re.findall(r"^```python\n(# gunicorn\.conf\.py.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    (tmp_path / "gunicorn.conf.py").write_text(snippet.replace("9464", str(first)), "utf-8")
    (tmp_path / "service.py").write_text(_WSGI, "utf-8")
    command = [part.format(port=port) for part in [*GUNICORN, "--workers", "2", "service:application"]]
    places = [f"http://127.0.0.1:{first + number}/metrics" for number in range(3)]

    def pids() -> list[int]:
        found = [answers(http, place) for place in places]
        read = [exposition(answer.text)("worker_pid") for answer in found if answer is not None and answer.status_code == 200]
        return [int(pid) for pid in read if pid]

    with running(command, cwd=tmp_path, env=environment):
        eventually(lambda: len(pids()) == 2)
        begun = pids()
        os.kill(begun[0], 9)
        eventually(lambda: len(pids()) == 2 and begun[0] not in pids())
        assert begun[1] in pids()


_WSGI = """
import os
from prometheus_client import REGISTRY, Gauge
from tokenward import Verifier, entra
from tokenward.metrics.prometheus import KeysCollector
from tokenward.middleware.wsgi import BearerMiddleware

verifier = Verifier(entra.api(os.environ["CLIENT_ID"], [os.environ["TENANT"]]))
REGISTRY.register(KeysCollector(verifier))
Gauge("worker_pid", "Of this worker.").set(os.getpid())
application = BearerMiddleware(lambda environ, start: [], verifier=verifier)
"""


def test_the_multiprocess_mode_of_prometheus_client_does_not_ask_collectors(tmp_path: Path) -> None:
    program = """
from prometheus_client import REGISTRY, CollectorRegistry, Counter, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from tokenward import Verifier, entra
from tokenward.metrics.prometheus import KeysCollector

REGISTRY.register(KeysCollector(Verifier(entra.databricks("72f988bf-86f1-41af-91ab-2d7cd011db47"))))
Counter("kept_in_a_file", "By prometheus_client.").inc()
together = CollectorRegistry()
MultiProcessCollector(together)
print("kept_in_a_file_total" in generate_latest(together).decode(), "tokenward" in generate_latest(together).decode())
"""
    environment = os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True, env=environment
    )
    assert done.stdout.split() == ["True", "False"]
