"""How many requests are under way: so many for one caller at most, and none that begins once the gateway drains."""

from __future__ import annotations

from collections.abc import Hashable

from tokenward import validation
from tokenward.databricks.admission.refusals import Draining, TooManyRequests
from tokenward.databricks.admission.tally import Tally

MAX_CONCURRENT = 64
"""Requests of one caller at one time, by default: the connection pool of databricks-sdk holds 20,
and a browser six."""
MOST = 100_000


class InFlight:
    """Counts what is under way, per caller. For one event loop. Raises PolicyError.

    most  requests of one caller at one time
    """

    def __init__(self, most: int) -> None:
        self._most = validation.whole("max_concurrent", most, least=1, most=MOST)
        self._of: dict[Hashable, int] = {}
        self.tally = Tally()
        self.draining = False
        self.is_over = False

    def require_open(self) -> None:
        """Raise Draining if nothing begins any more."""
        if self.draining:
            raise Draining("the gateway is stopping")

    def require_not_over(self) -> None:
        """Raise Draining if the end has come while the caller's token was got: nothing goes to the upstream after it."""
        if self.is_over:
            raise Draining("the gateway stopped before the request went on")

    def enter(self, caller: Hashable) -> None:
        """One more. Raises TooManyRequests or Draining."""
        self.require_open()
        own = self._of.get(caller, 0)
        if own >= self._most:
            raise TooManyRequests("the caller has too many requests under way", expected=self._most)
        self._of[caller] = own + 1
        self.tally.begin()

    def leave(self, caller: Hashable) -> None:
        """One less."""
        own = self._of[caller] - 1
        if own:
            self._of[caller] = own
        else:
            del self._of[caller]
        self.tally.end()
