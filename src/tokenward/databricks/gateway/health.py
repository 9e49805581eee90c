"""Whether the process lives, and whether it can judge tokens now: two addresses that need no token and reach no upstream."""

from __future__ import annotations

import json

from tokenward.challenge import Answer
from tokenward.verifier import AsyncVerifier

HEALTH = "/-/health"
"""200 while the process answers at all; says nothing of keys, or an issuer's outage would have every process restarted."""
READY = "/-/ready"
"""200 while it can judge tokens and takes new requests, else 503, so that a load balancer sends them elsewhere."""


def health_of(path: str, verifier: AsyncVerifier, *, draining: bool) -> Answer | None:
    """The answer for these two addresses; None for any other."""
    if path == HEALTH:
        return _answer(200, {"status": "ok"})
    if path != READY:
        return None
    if draining:
        return _answer(503, {"status": "draining"})
    lacking = sum(1 for source in verifier.status() if not source.usable)
    return _answer(503, {"status": "no_keys", "issuers_without_keys": lacking}) if lacking else _answer(200, {"status": "ready"})


def _answer(status: int, document: dict[str, object]) -> Answer:
    body = json.dumps(document).encode()
    headers = (("Content-Type", "application/json"), ("Content-Length", str(len(body))), ("Cache-Control", "no-store"))
    return Answer(status, headers, body)
