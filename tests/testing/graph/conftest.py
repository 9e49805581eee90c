"""Tokens, opened."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from collections.abc import Callable
from typing import Any

import pytest


@pytest.fixture
def opened() -> Callable[[str], Any]:
    """Header and claims of a token, unverified."""

    def decode(segment: str) -> Any:
        return json.loads(urlsafe_b64decode(segment + "=" * (-len(segment) % 4)))

    return lambda token: tuple(decode(segment) for segment in token.split(".")[:2])
