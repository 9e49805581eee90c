"""Verdicts as answers, and for how long a proxy may keep one.

A yes carries the Authorization for the upstream, so it is for the proxy alone. Only a yes is ever kept, and never beyond 40
seconds before the end of the token: the proxy's cache key must hold the whole Authorization, the method and the target.
"""

from __future__ import annotations

import math
from dataclasses import replace
from urllib.parse import quote

from tokenward.challenge import Answer
from tokenward.databricks.access import MARGIN
from tokenward.databricks.admission.admission import Admitted
from tokenward.databricks.forward_auth.dialects import Dialect, status_for
from tokenward.identity import Identity

MAX_AGE = 30
"""Seconds, by default: so long a retired key, a changed policy or a changed rule may go unseen by a proxy that keeps verdicts."""
MOST_AGE = 300
MAX_FIELD_BYTES = 512
"""Longest identity field: nginx reads all fields of an answer into one buffer of 4 or 8 KiB, and the token needs most of it."""
_PLAIN = ":/@"  # safe in a field's value, and what makes issuers and user names readable


def granted(admitted: Admitted, now: float, max_age: int) -> Answer:
    """Yes: the request may go on, with this Authorization in place of its own."""
    age = lifetime(admitted.access.expires_at, admitted.identity.expires_at, now, max_age)
    headers = (
        ("Authorization", admitted.access.authorization),
        *identity_fields(admitted.identity),
        ("Cache-Control", f"max-age={age}" if age else "no-store"),
        ("Vary", "Authorization"),  # so that a cache whose key lacks the token still mixes no callers
        ("Content-Length", "0"),
    )
    return Answer(200, headers, b"")


def refused(answer: Answer, dialect: Dialect) -> Answer:
    """No: the gateway's own answer, with a status that the proxy hands on."""
    return replace(answer, status=status_for(dialect, answer.status))


def lifetime(access_ends: float, caller_ends: float, now: float, max_age: int) -> int:
    """Seconds for which a yes may be kept; 0 is not at all. The caller's token has the same margin as the one for upstream."""
    left = min(access_ends, caller_ends) - MARGIN - now
    return max(0, min(max_age, math.floor(left)))


def identity_fields(identity: Identity) -> tuple[tuple[str, str], ...]:
    """Who calls: always all five, so that each replaces one that the caller sent; an empty one is not known.

    Values are percent-encoded UTF-8. One that would be too long is left empty, and not cut: two callers must not look alike.
    """
    said = (
        ("X-Tokenward-Subject", identity.subject),
        ("X-Tokenward-Issuer", identity.issuer),
        ("X-Tokenward-Tenant", identity.tenant),
        ("X-Tokenward-Client", identity.client_id),
        ("X-Tokenward-Kind", identity.kind),
    )
    return tuple((name, _encoded(value)) for name, value in said)


def _encoded(value: str | None) -> str:
    encoded = quote(value or "", safe=_PLAIN, errors="surrogatepass")
    return encoded if len(encoded) <= MAX_FIELD_BYTES else ""
