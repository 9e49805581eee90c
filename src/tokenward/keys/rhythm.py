"""How often keys are fetched, and how long they may serve."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

from tokenward.errors import PolicyError
from tokenward.validation import seconds

MOST = 7 * 86400.0
"""Seconds. Whoever waits weeks has no rhythm: a key that was withdrawn must stop serving some day."""


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How often keys are fetched and how long they may serve; all times in seconds, `jitter` as a part of one.

    refresh_interval    a set is refreshed behind the requests after this long (Entra's advice: hourly), +- jitter
    refresh_floor       a server's max-age may shorten the interval, down to this (Auth0 sends 15 s)
    max_stale           keys older than this never serve (Entra's cache lifetime, Auth0's stale-if-error: 24 h)
    miss_cooldown       an unknown kid may cause a fetch this often ...
    miss_cooldown_max   ... doubling up to this while such fetches bring nothing new (Entra's advice: 5 minutes)
    min_gap             no two fetches start closer than this, for whatever reason
    backoff             after a failure, doubling, with jitter ...
    backoff_max_empty   ... up to this while there is no usable key
    backoff_max         ... up to this while there is one; a server's Retry-After counts up to the same limits
    fetch_timeout       discovery and JWKS together; connect and read have shorter limits of their own
    lease_grace         added to fetch_timeout, so that a fetch that is alive is not declared dead
    max_wait            how long a request waits for a key at most, and it waits once; nobody joins an older fetch
    removal_grace       a key that vanished from the set serves this much longer; 0 ends it at once ...
    confirm_after       ... and the set is fetched again after this, to see whether it is really gone

    Raises PolicyError for a value that is no time, and for values that contradict each other.
    """

    refresh_interval: float = 3600.0
    refresh_floor: float = 300.0
    jitter: float = 0.10
    max_stale: float = 86400.0
    miss_cooldown: float = 30.0
    miss_cooldown_max: float = 300.0
    min_gap: float = 1.0
    backoff: float = 1.0
    backoff_max_empty: float = 30.0
    backoff_max: float = 60.0
    fetch_timeout: float = 10.0
    lease_grace: float = 1.0
    max_wait: float = 5.0
    removal_grace: float = 90.0
    confirm_after: float = 20.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            judged = _part(field.name, value) if field.name == "jitter" else seconds(field.name, value, most=MOST)
            object.__setattr__(self, field.name, judged)  # frozen for everybody else
        for name in ("refresh_interval", "min_gap", "fetch_timeout", "max_wait"):
            if getattr(self, name) == 0:
                raise PolicyError(name, _ZEROS[name], "Give more than 0 seconds, or leave it out.")
        for name, problem, fix in self._contradictions():
            raise PolicyError(name, problem, fix)

    @property
    def lease(self) -> float:
        return self.fetch_timeout + self.lease_grace

    def _contradictions(self) -> Iterator[tuple[str, str, str]]:
        for shorter, longer in _ORDERED:
            if getattr(self, shorter) > getattr(self, longer):
                yield longer, f"it is shorter than {shorter}", f"Raise {longer}, or lower {shorter}."
        if self.max_stale <= self.refresh_interval * (1 + self.jitter):
            yield "max_stale", "keys would end before they are refreshed", "Make it longer than refresh_interval and its jitter."
        if self.min_gap >= self.lease:
            yield "min_gap", "a fetch would be over before it may start", "Make it shorter than fetch_timeout."
        if 0 < self.removal_grace <= self.confirm_after:
            yield "confirm_after", "a key would be gone before the second look", "Make it shorter than removal_grace."


_ZEROS = {
    "refresh_interval": "0 would refresh without end",
    "min_gap": "0 would let every request start a fetch while the issuer is down",
    "fetch_timeout": "no fetch is over in 0 seconds",
    "max_wait": "0 would refuse whoever comes first with a new key",
}
_ORDERED = (
    ("refresh_floor", "refresh_interval"),
    ("miss_cooldown", "miss_cooldown_max"),
    ("backoff", "backoff_max_empty"),
    ("backoff_max_empty", "backoff_max"),
)


def _part(field: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1:
        raise PolicyError(field, "it is not a number from 0 to below 1", "Give a part of the interval, such as 0.1.")
    return float(value)
