"""uvicorn's workers under load, its own and gunicorn's, while keys rotate and the issuer dies and returns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.servers

SERVERS = [
    pytest.param("uvicorn", "guarded:asgi", ("--workers", "2"), id="uvicorn, 2 workers"),
    pytest.param("gunicorn", "guarded:asgi()", ("--workers", "2", "-k", "uvicorn_worker.UvicornWorker"), id="gunicorn's uvicorn"),
]


@pytest.mark.parametrize(("server", "app", "options"), SERVERS)
def test_every_verdict_is_right_and_nobody_waits_with_a_usable_key_in_hand(
    endure: Callable[..., list[Any]], server: str, app: str, options: tuple[str, ...]
) -> None:
    for phase in endure(server, app, *options):
        assert phase.flaws() == [], phase.name


@pytest.mark.parametrize(("server", "app", "options"), SERVERS)
def test_whoever_has_a_new_key_before_the_workers_gets_in_and_nobody_else_waits(
    endure: Callable[..., list[Any]], server: str, app: str, options: tuple[str, ...]
) -> None:
    (phase,) = endure(server, app, *options, parts=["new key"])
    assert phase.flaws() == []
