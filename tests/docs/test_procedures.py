"""docs/procedures.md, run as it stands: every command against the real stand-ins, and what it shows beside what was printed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tokenward.testing.loopback import free_port

Run = Callable[..., "list[str]"]

PAGE = Path(__file__).parents[2] / "docs" / "procedures.md"
PORTS = ("18400", "18500", "18600")

pytestmark = [
    pytest.mark.servers,
    pytest.mark.skipif(shutil.which("bash") is None or shutil.which("curl") is None, reason="bash or curl is not installed"),
]


def test_every_procedure_does_and_shows_what_the_page_says(complaints: Run) -> None:
    ports = {port: str(free_port()) for port in PORTS}
    if said := complaints(PAGE.read_text("utf-8"), ports):
        pytest.fail("\n\n".join(said), pytrace=False)
