"""gunicorn's workers under load, while keys rotate and the issuer dies and returns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.servers

WORKERS = ("--workers", "2")

OPTIONS = [
    pytest.param(("--worker-class", "sync"), id="sync"),
    pytest.param(("--worker-class", "gthread", "--threads", "4"), id="gthread"),
    pytest.param(("--worker-class", "gthread", "--threads", "4", "--preload"), id="gthread, preloaded"),
]


@pytest.mark.parametrize("options", OPTIONS)
def test_every_verdict_is_right_and_nobody_waits_with_a_usable_key_in_hand(
    endure: Callable[..., list[Any]], options: tuple[str, ...]
) -> None:
    for phase in endure("gunicorn", "guarded:wsgi()", *WORKERS, *options):
        assert phase.flaws() == [], phase.name


@pytest.mark.parametrize("options", OPTIONS)
def test_whoever_has_a_new_key_before_the_workers_gets_in_and_nobody_else_waits(
    endure: Callable[..., list[Any]], options: tuple[str, ...]
) -> None:
    (phase,) = endure("gunicorn", "guarded:wsgi()", *WORKERS, *options, parts=["new key"])
    assert phase.flaws() == []
