"""Asking a stand-in process for something, by its /control routes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import httpx

from demo.processes import Child


def control(
    child: Child, http: httpx.Client, url: str, action: str, body: Mapping[str, object], *, reads: Collection[str] = ("state",)
) -> dict[str, Any]:
    """The answer of one action; those in `reads` are asked for and change nothing. Raises DemoError."""
    method, content = ("GET", None) if action in reads else ("POST", body)
    try:
        response = http.request(method, f"{url}/control/{action}", json=content)
    except httpx.HTTPError as exc:
        raise child.failure(f"did not answer {action} ({type(exc).__name__})") from exc
    if response.status_code != httpx.codes.OK:
        raise child.failure(f"refused {action}: {response.text}")
    answer: dict[str, Any] = response.json()
    return answer
