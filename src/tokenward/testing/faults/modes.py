"""The faults that have a name of one word, for `issuer.fail(...)` and for other processes."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

from tokenward import validation
from tokenward.testing.faults import bodies, breakage, connections, slowness, statuses
from tokenward.testing.faults.fault import Fault
from tokenward.testing.faults.slowness import SLOW

__all__ = ["MODES", "SLOW", "Mode", "of_mode"]

Mode: TypeAlias = Literal["status", "slow", "reset", "html", "empty", "garbage", "redirect", "too_large", "down"]
MODES: tuple[str, ...] = get_args(Mode)


def of_mode(mode: Mode, seconds: float = SLOW, status: int = 503, retry_after: int | None = None) -> Fault:
    """The fault of this name. `seconds` is the delay of "slow", `status` and `retry_after` are for "status".

    Raises ValueError for another name, and for numbers that mean nothing.
    """
    validation.seconds("seconds", seconds, most=3600)
    failing = statuses.status(status, retry_after=retry_after)
    match mode:
        case "status":
            return failing
        case "slow":
            return slowness.slow(seconds)
        case "too_large":
            return bodies.too_large()
        case "html" | "empty" | "garbage":
            return _BODIES[mode]()
        case "redirect":
            return statuses.redirect()
        case "reset":
            return breakage.reset()
        case "down":
            return connections.down()
        case _:
            raise ValueError(f"no such fault; take one of {', '.join(MODES)}")


_BODIES = {"html": bodies.html, "empty": bodies.empty, "garbage": bodies.garbage}
