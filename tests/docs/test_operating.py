"""docs/operating.md, tried as its first section says: its files are saved, its commands run, and they print what it shows."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tokenward.testing.loopback import free_port

Run = Callable[..., "list[str]"]

PAGE = Path(__file__).parents[2] / "docs" / "operating.md"
PORTS = ("8000", "8001", "8400")
FILES = ("auth.py", "asgi_service.py", "management.py")

pytestmark = [
    pytest.mark.servers,
    pytest.mark.skipif(shutil.which("bash") is None or shutil.which("curl") is None, reason="bash or curl is not installed"),
]


def test_the_page_can_be_tried_by_copy_and_paste(complaints: Run, tmp_path: Path) -> None:
    page, ports = PAGE.read_text("utf-8"), {port: str(free_port()) for port in PORTS}
    for name in FILES:
        [text] = re.findall(rf"^```python\n(# {re.escape(name)}\n.*?)^```$", page, re.MULTILINE | re.DOTALL)
        (tmp_path / name).write_text(re.sub("|".join(PORTS), lambda found: ports[found[0]], text), "utf-8")
    if said := complaints(page, ports):
        logs = [f"{log.name}:\n{log.read_text('utf-8')}" for log in sorted(tmp_path.glob("*.log"))]
        pytest.fail("\n\n".join([*said, *logs]), pytrace=False)
