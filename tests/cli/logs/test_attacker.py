"""A log that somebody wrote to break the commands breaks none of them."""

from __future__ import annotations

import gzip
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

HUGE = "9" * 400
LOG = f"""\
{{"event": "token_rejected", "code": "token_expired", "timestamp": {HUGE}}}
{{"event": "token_rejections_summed", "not_logged": {{"token_expired": {HUGE}}}, "seconds": {HUGE}, "timestamp": 1767960000}}
"""

Run = Callable[..., "subprocess.CompletedProcess[str]"]

COMMANDS = [
    pytest.param(["tail"], id="tail"),
    pytest.param(["tail", "--json"], id="tail --json"),
    pytest.param(["report"], id="report"),
    pytest.param(["report", "--json"], id="report --json"),
    pytest.param(["report", "--html", "report.html"], id="report --html"),
]


@pytest.mark.parametrize("command", COMMANDS)
def test_numbers_without_end_are_read_as_no_time_and_bounded(logs: Run, tmp_path: Path, command: list[str]) -> None:
    (tmp_path / "app.log").write_text(LOG)
    done = logs(command[0], "app.log", *command[1:], cwd=str(tmp_path))
    assert done.returncode == 0, done.stderr
    if "--json" in command:
        document = json.loads(done.stdout)
        assert (document["undated"], document["rejections"], document["to"]) == (1, 10**9 + 1, 1767960000)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_damaged_archive_ends_with_2_and_what_to_do(logs: Run, tmp_path: Path, command: list[str]) -> None:
    whole = bytearray(gzip.compress("".join(json.dumps({"n": number}) for number in range(5000)).encode()))
    whole[200:204] = bytes(byte ^ 0xFF for byte in whole[200:204])
    (tmp_path / "app.log.gz").write_bytes(whole)
    done = logs(command[0], "app.log.gz", *command[1:], cwd=str(tmp_path))
    assert done.returncode == 2
    told = done.stdout if "--json" in command else done.stderr
    assert "app.log.gz cannot be read" in told
    assert "next" in told
