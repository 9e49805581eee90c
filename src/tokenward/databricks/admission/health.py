"""Whether the process lives, and whether it can judge tokens now: two addresses that need no token and reach no upstream."""

from __future__ import annotations

from tokenward.challenge import Answer, json_answer
from tokenward.middleware.readiness.probe import Probe
from tokenward.verifier import AsyncVerifier

HEALTH = "/-/health"
"""200 while the process answers at all; says nothing of keys, or an issuer's outage would have every process restarted."""
READY = "/-/ready"
"""200 while it can judge tokens and takes new requests, else 503, so that a load balancer sends them elsewhere."""


def health_of(path: str, verifier: AsyncVerifier, *, draining: bool) -> Answer | None:
    """The answer for these two addresses, in the event loop of the verifier; None for any other."""
    if path == HEALTH:
        return json_answer(200, {"status": "ok"})
    if path != READY:
        return None
    if draining:
        return json_answer(503, {"status": "draining"})
    return Probe(verifier).answer("GET")
