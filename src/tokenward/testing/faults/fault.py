"""Fault: one way to fail."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from tokenward.keys.port import FailureKind, FetchFailed, FetchRequest
from tokenward.testing.faults.answer import Answer
from tokenward.testing.faults.wire import Wire

Reply: TypeAlias = Callable[[], Answer]
"""Makes the answer when it is called, and so from what the issuer publishes then."""
Door: TypeAlias = Literal["open", "down", "black hole"]
Handshake: TypeAlias = Literal["good", "expired", "wrong host", "self-signed", "half", "none"]


def as_it_is(answer: Answer) -> Answer:
    """Nothing is wrong with the answer itself."""
    return answer


def whole(wire: Wire, reply: Reply) -> None:
    """Nothing is wrong with how it is sent."""
    wire.answer(reply())


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to fail, until it is `over`, which it then stays. The functions of `tokenward.testing.faults` make them.

    name       in words
    spoil      what is answered in place of an answer
    send       how that is sent
    door       what happens to connections: "down" refuses them, a "black hole" lets them wait for ever
    handshake  what is wrong with TLS, where the server speaks it
    fails      how a fetch fails that gets no whole answer; in process, where there is no wire, it fails so
    seconds    how long that takes: in process, a fetch with more patience gets its answer
    """

    name: str
    spoil: Callable[[Answer], Answer] = as_it_is
    send: Callable[[Wire, Reply], None] = whole
    door: Door = "open"
    handshake: Handshake = "good"
    fails: FailureKind | None = None
    seconds: float = math.inf
    over: threading.Event = field(default_factory=threading.Event, compare=False, repr=False)

    def end(self) -> None:
        """Answers that are being held back are given at once."""
        self.over.set()

    def raise_in_process(self, request: FetchRequest) -> None:
        """Raise what a client would have raised, where there would have been no answer at all."""
        if self.fails is not None and self.seconds >= request.timeout:
            raise FetchFailed(self.fails, f"the local issuer was told to fail: {self.name}")
