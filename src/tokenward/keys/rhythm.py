"""How often keys are fetched, and how long they may serve."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How often keys are fetched and how long they may serve; all times in seconds.

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
    max_wait            how long a request waits for a key at most, and it waits once
    removal_grace       a key that vanished from the set serves this much longer ...
    confirm_after       ... and the set is fetched again after this, to see whether it is really gone
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

    @property
    def lease(self) -> float:
        return self.fetch_timeout + self.lease_grace
