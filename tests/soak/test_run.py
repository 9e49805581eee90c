"""The soak as a process, for a few seconds: all is started, counted, judged and ended. Its times are nobody's business here."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.servers

PATIENCE = 150.0
"""Seconds: five times as long as a run of ten seconds takes from start to end."""


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "benchmarks.soak", *arguments]


def test_a_short_run_counts_everything_and_finds_nothing_wrong(root: Path) -> None:
    arguments = ["--seconds", "10", "--driver", "async", "--json"]
    done = subprocess.run(_command(*arguments), cwd=root, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    found = json.loads(done.stdout)
    phases = {phase["phase"]: phase for phase in found["phases"]}
    assert list(phases)[:3] == ["quiet", "rotation", "flood"]
    assert all(phase["requests"] > 500 and phase["p99_all"] > 0 and phase["memory_end"] > 5 for phase in phases.values())
    assert all(0 <= phase["left_out"] <= 1 for phase in phases.values())
    assert any((phase["cpu"] or 0) > 0 for phase in phases.values())
    assert phases["flood"]["arrived"] >= 1
    assert found["runs"][0]["rotated"] >= phases["quiet"]["seconds"], "else a key that is unknown is excused"
    assert [each for each in found["promises"] if each["is_fact"] and not each["held"]] == []
    assert "issuer dead ..." in done.stderr


def test_an_interrupt_ends_the_run_and_shows_what_there_is(root: Path) -> None:
    started = subprocess.Popen(
        _command("--seconds", "600", "--driver", "threads"), cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        _await_phase(started, "quiet")
        started.send_signal(signal.SIGINT)
        out, rest = started.communicate(timeout=PATIENCE)
    finally:
        started.kill()
    assert started.returncode == 130, rest
    assert "threads  quiet" in out
    assert "wrong verdicts: 0" in out
    assert "interrupted: this is not the soak that was asked for" in rest
    assert "Traceback" not in rest


def _await_phase(process: subprocess.Popen[str], phase: str) -> None:
    """Its progress is told line by line; the end of it, if it dies, ends the loop."""
    for line in process.stderr or ():
        if phase in line:
            time.sleep(1.0)  # so that some requests were answered in it
            return
    pytest.fail(f"it ended before the phase {phase}")
