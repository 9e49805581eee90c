"""Header fields as ASGI has them, and what their values may not hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

Fields: TypeAlias = Sequence[tuple[bytes, bytes]]
"""Names in lower case, values as they were sent, and a name may come more than once."""

_CONTROLS = bytes({*range(0x20), 0x7F} - {0x09})  # RFC 9110 section 5.5: of control characters, the tab alone


def has_control(value: bytes) -> bool:
    """Whether a value, or several one behind the other, hold what would end a header in the middle."""
    return len(value.translate(None, _CONTROLS)) != len(value)


def listed(value: bytes) -> list[bytes]:
    """The items of a list (RFC 9110 section 5.6.1), in lower case."""
    return [item.strip(b" \t").lower() for item in value.split(b",") if item.strip(b" \t")]
