"""An access token as text for an entry, and back. Whoever sealed it has the key; even so nothing is taken that is no token."""

from __future__ import annotations

import json
import math

from tokenward.databricks.access import MARGIN, AccessToken, Subject, is_bearer
from tokenward.token.strict import parse_unique_object

MAX_WORD = 64
"""Characters of a source; ours are "exchange" and "on_behalf_of"."""


def entry_of(access: AccessToken) -> bytes:
    """The members of a token, as JSON."""
    members = {"value": access.value, "expires_at": access.expires_at, "scope": access.scope, "source": access.source}
    return json.dumps(members, separators=(",", ":")).encode()


def read_entry(plain: bytes, subject: Subject, now: float) -> AccessToken | None:
    """The token, if it is one that may still be handed out to this caller; else None.

    It ends no later than the caller's own, is not the caller's own, and has more than MARGIN seconds left.
    """
    try:
        members = parse_unique_object(plain)
    except ValueError:
        return None
    value, expires_at, scope, source = (members.get(name) for name in ("value", "expires_at", "scope", "source"))
    if not isinstance(value, str) or not is_bearer(value) or value == subject.token:
        return None
    if not isinstance(scope, str) or not isinstance(source, str) or len(source) > MAX_WORD:
        return None
    if isinstance(expires_at, bool) or not isinstance(expires_at, (int, float)) or not math.isfinite(expires_at):
        return None
    if not now < expires_at - MARGIN or expires_at > subject.expires_at:
        return None
    return AccessToken(value, float(expires_at), scope, source)
