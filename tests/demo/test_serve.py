"""`python -m demo --serve`: the printed lines work by copy and paste, and however it ends nothing is left behind."""

from __future__ import annotations

import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

pytestmark = pytest.mark.servers

StartDemo = Callable[..., "subprocess.Popen[str]"]
LAST_LINE = "Ctrl-C stops everything.\n"


@dataclass
class Served:
    """A demo that is up, and what it printed."""

    process: subprocess.Popen[str]
    text: str

    @property
    def ports(self) -> set[int]:
        """The app's and the issuer's."""
        return {int(port) for port in re.findall(r"http://127\.0\.0\.1:(\d+)", self.text)}

    @property
    def lines(self) -> str:
        """What there is to copy: from the first comment on."""
        start = min(self.text.index(mark) for mark in ("export no_proxy", "# a good token"))
        return self.text[start:].removesuffix(LAST_LINE)


@pytest.fixture
def served(start_demo: StartDemo) -> Iterator[Served]:
    """Up until the end of the test, unless the test ends it."""
    with start_demo("--serve") as process:
        yield Served(process, _printed(process))
        process.kill()


def _printed(process: subprocess.Popen[str]) -> str:
    """Everything up to its last line; the output ends without it only if the process does."""
    if process.stdout is None:
        return ""
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line)
        if line == LAST_LINE:
            break
    return "".join(lines)


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_printed_lines_work_by_copy_and_paste(served: Served) -> None:
    done = subprocess.run(["bash"], input=served.lines, capture_output=True, text=True, timeout=60, check=False)
    assert re.findall(r"^HTTP/1\.1 (\d+)", done.stdout, re.MULTILINE) == [
        "200",  # a good token
        "401",  # none
        "401",  # expired
        "401",  # for Microsoft Graph
        "200",  # of the new key
        "200",  # of the old key, after the rotation
        "200",  # of a known key, while the issuer fails
        "503",  # of an unknown key, then
    ], done.stdout + done.stderr
    assert re.search(r"^retry-after: [1-9]", done.stdout, re.MULTILINE)
    assert '"waits"' in done.stdout.splitlines()[-1]
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("number", "status"),
    [
        pytest.param(signal.SIGINT, 0, id="Ctrl-C"),
        pytest.param(signal.SIGTERM, 0, id="told to end"),
        pytest.param(signal.SIGKILL, -signal.SIGKILL, id="killed"),
    ],
)
def test_no_process_is_left_behind(served: Served, number: signal.Signals, status: int) -> None:
    assert len(served.ports) == 2
    assert all(map(_listening, served.ports))
    served.process.send_signal(number)
    assert served.process.wait(20) == status
    deadline = time.monotonic() + 20
    while any(map(_listening, served.ports)):
        assert time.monotonic() < deadline, "a server outlived the demo"
        time.sleep(0.05)


def _listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
