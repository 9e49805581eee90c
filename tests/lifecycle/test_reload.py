"""`uvicorn --reload`, as developers use it: a changed file replaces the process."""

from __future__ import annotations

import http.client
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.servers

APP = Path(__file__).parent / "guarded.py"


def test_a_changed_file_replaces_the_process_even_during_a_fetch(
    serve: Callable[..., Any], issuer_process: Any, until: Callable[[Callable[[], bool]], None], tmp_path: Path
) -> None:
    folder = tmp_path / "app"
    folder.mkdir()
    shutil.copy(APP, folder)
    options = ("--reload", "--reload-dir", str(folder))
    quick = {"refresh_interval": 0.5, "refresh_floor": 0.5, "min_gap": 0.1, "fetch_timeout": 300.0}
    service = serve("uvicorn", "guarded:asgi", issuer_process.environment, *options, cwd=folder, rhythm=quick)
    verdicts = [(issuer_process.token(), 200), (issuer_process.token(key="stranger"), 401), (None, 401)]

    def answers() -> list[int]:
        return [service.get(token).status for token, _ in verdicts]

    def sources() -> Any:
        return service.get(path="/status").body["sources"]

    right = [status for _, status in verdicts]
    assert answers() == right
    issuer_process.control("fail", mode="slow", seconds=2.5)
    until(lambda: answers() == right and "in_flight" in {source["fetch"] for source in sources()})
    first, pids = service.get(path="/status").body["pid"], set[int]()
    (folder / "guarded.py").write_text(APP.read_text("utf-8") + "\nCHANGED = True\n", "utf-8")
    issuer_process.control("recover")

    def is_replaced() -> bool:
        try:
            told = answers()
            pids.add(service.get(path="/status").body["pid"])
        except (ConnectionError, http.client.HTTPException):  # taken by the worker that ends, and not read by it
            return False
        assert told == right
        return bool(pids - {first})

    until(is_replaced)
    assert first not in service.left_behind()
    assert answers() == right
    assert service.end() in (0, -15)
    until(lambda: not service.left_behind())
    assert service.said() == ""
    with socket.create_server(("127.0.0.1", service.port)):
        """The port is free."""
