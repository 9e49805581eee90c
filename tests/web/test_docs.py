"""What docs/inspector.md shows is so: its example runs, and its pictures are there."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import httpx

DOCS = Path(__file__).parents[2] / "docs"
TEXT = (DOCS / "inspector.md").read_text("utf-8")
MAX_PICTURE = 200 * 1024


def test_the_example_is_an_app_with_the_page_in_it() -> None:
    (example,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    made: dict[str, Any] = {}
    exec(example, made)

    async def asked() -> int:
        transport = httpx.ASGITransport(made["app"], client=("127.0.0.1", 50000))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return (await client.get("/inspector/")).status_code

    assert asyncio.run(asked()) == 200


def test_every_picture_is_there_and_small() -> None:
    names = re.findall(r"inspector-\w+\.png", TEXT)
    assert len(set(names)) == len(list(DOCS.glob("inspector-*.png"))) == 4
    for name in names:
        assert (DOCS / name).stat().st_size < MAX_PICTURE, name
