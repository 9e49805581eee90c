"""A cache on the way, which keeps old answers."""

from __future__ import annotations

from tokenward.testing.faults.answer import Answer
from tokenward.testing.faults.fault import Fault, Reply
from tokenward.testing.faults.wire import Wire


def cached() -> Fault:
    """The first answer again and again, but for requests that ask caches to step aside (`Cache-Control: no-cache`).

    It keeps one answer, so set it for one path.
    """
    kept: list[Answer] = []

    def _send(wire: Wire, reply: Reply) -> None:
        if not kept or "no-cache" in wire.fields.get("cache-control", ""):
            kept[:] = [reply()]
        wire.answer(kept[0])

    return Fault("cached", send=_send)
