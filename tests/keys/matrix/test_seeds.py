"""Sets that were fetched elsewhere and saved, for starts without a network."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import structlog

from tokenward.keylog import log_key_event
from tokenward.keys.decision import Unavailable, Use
from tokenward.keys.events import KeysSeeded
from tokenward.testing import faults

Rig = Any  # of this folder's conftest
OpenRig = Callable[..., Rig]
HOUR = 3600.0
DAY = 24 * HOUR


def saved(rig: Rig, folder: Path) -> bytes:
    path = folder / "keys.json"
    path.write_text(json.dumps(rig.issuer.jwks()), "utf-8")
    return path.read_bytes()


def test_f49_a_seed_serves_at_once_and_dies_a_day_after_it_was_fetched(open_rig: OpenRig, tmp_path: Path) -> None:
    rig = open_rig()
    rig.server.always(faults.down())
    assert rig.source.seed(saved(rig, tmp_path), rig.wall() - 20 * HOUR)
    assert rig.told() == KeysSeeded(rig.source.name, 1, 20 * HOUR, None)
    assert isinstance(rig.find(rig.kid), Use)
    rig.failed()
    assert (rig.waits, rig.source.status().keys, rig.source.status().age) == (0, "stale", 20 * HOUR)
    rig.pass_time(4 * HOUR - 1)
    assert isinstance(rig.find(rig.kid), Use)
    rig.failed()
    rig.pass_time(1)
    assert isinstance(rig.find(rig.kid), Unavailable)


def test_f49_a_seed_is_refreshed_behind_the_first_request(open_rig: OpenRig, tmp_path: Path) -> None:
    rig = open_rig()
    rig.source.seed(saved(rig, tmp_path), rig.wall() - 2 * HOUR)
    rig.told()
    assert isinstance(rig.find(rig.kid), Use)
    rig.refreshed()
    assert (rig.waits, rig.source.status().keys) == (0, "fresh")


@pytest.mark.parametrize(
    ("age", "spoil", "reason"),
    [
        pytest.param(DAY, None, "older", id="too old"),
        pytest.param(-1, None, "future", id="from the future"),
        pytest.param(60, lambda text: text[:50], "JSON", id="cut"),
        pytest.param(60, lambda _: b'{"keys":[]}', "list of", id="without keys"),
        pytest.param(60, lambda text: text + b" " * 2**20, "larger", id="too large"),
    ],
)
def test_f49_a_seed_that_must_not_serve_is_ignored_with_a_warning(
    open_rig: OpenRig, tmp_path: Path, age: float, spoil: Callable[[bytes], bytes] | None, reason: str
) -> None:
    rig = open_rig()
    document = saved(rig, tmp_path)
    assert not rig.source.seed(spoil(document) if spoil else document, rig.wall() - age)
    told = rig.told()
    assert reason in told.ignored
    with structlog.testing.capture_logs() as logged:
        log_key_event(told)
    assert [(entry["event"], entry["log_level"]) for entry in logged] == [("keys_seed_ignored", "warning")]
    assert rig.source.status().keys == "empty"
    rig.warm()


@pytest.mark.parametrize("age", [0, 60], ids=["as old", "older"])
def test_f49_a_seed_replaces_no_keys_that_are_newer(open_rig: OpenRig, tmp_path: Path, age: float) -> None:
    rig = open_rig()
    old = saved(rig, tmp_path)
    rig.issuer.rotate(keep_old=False)
    rig.warm()
    assert not rig.source.seed(old, rig.wall() - age)
    assert isinstance(rig.find(rig.kid), Use)
