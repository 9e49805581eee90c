"""What a row of the verifiers' tables expected and saw, in JSON values that a table for people can show."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import formatdate, parsedate
from types import MappingProxyType

from tokenward.errors import TokenRejected
from tokenward.identity import Claims, client_of
from tokenward.issuer import Issuer
from tokenward.token.header import Header


@dataclass(frozen=True, slots=True, repr=False)
class Seen:
    """An opened token before the rules of one issuer, at one time (seconds since the epoch)."""

    issuer: Issuer
    header: Header
    claims: Claims
    now: float


Sight = Callable[[Seen], tuple[object, object]]


def _guest(seen: Seen) -> tuple[object, object]:
    told = {name: seen.claims[name] for name in ("acct", "idp") if seen.claims.get(name) is not None}
    return "no guest", [f"{name} {value}" for name, value in told.items()] or "the token does not say"


def _dated(seconds: float) -> str:
    """Seconds since the epoch, and the date beside it, as the command line writes dates."""
    try:
        parts = parsedate(formatdate(seconds))
    except (ValueError, OverflowError, OSError):  # beyond the year 9999
        parts = None
    if parts is None:
        return f"{seconds:.0f}"
    year, month, day, hour, minute, second = parts[:6]
    return f"{seconds:.0f} ({year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC)"


_SIGHTS: Mapping[str, Sight] = MappingProxyType(
    {
        "extensions": lambda seen: ("no crit, no b64", "one" if seen.header.crit else None),
        "asymmetric": lambda seen: (list(seen.issuer.algorithms), seen.header.alg),
        "nonce": lambda seen: ("no nonce in the header", "one" if seen.header.nonce else None),
        "algorithm": lambda seen: (list(seen.issuer.algorithms), seen.header.alg),
        "type": lambda seen: (sorted(seen.issuer.type_set), seen.header.typ),
        "required": lambda seen: (list(seen.issuer.required_claims), sorted(seen.claims)),
        "audience": lambda seen: (list(seen.issuer.audiences), seen.claims.get("aud")),
        "exp": lambda seen: (f"after {_dated(seen.now)}", seen.claims.get("exp")),
        "nbf": lambda seen: (f"not after {_dated(seen.now)}", seen.claims.get("nbf")),
        "iat": lambda seen: (f"not after {_dated(seen.now)}", seen.claims.get("iat")),
        "kind": lambda seen: (list(seen.issuer.kinds or ()), seen.issuer.kind_of(seen.claims)),
        "client": lambda seen: (list(seen.issuer.clients or ()), client_of(seen.claims)),
        "guest": _guest,
        "scopes": lambda seen: (list(seen.issuer.required_scopes), seen.claims.get("scp") or seen.claims.get("scope")),
        "roles": lambda seen: (list(seen.issuer.required_roles), seen.claims.get("roles")),
    }
)


def expected_and_seen(row: str, seen: Seen, rejection: TokenRejected | None) -> tuple[object, object]:
    """For rows without a line above, what the rejection says; a new row of the tables needs none."""
    if row in _SIGHTS:
        return _SIGHTS[row](seen)
    if rejection is None:
        return "well formed", None
    actual = seen.claims.get(rejection.claim) if rejection.actual is None and rejection.claim else rejection.actual
    return rejection.expected or rejection.reason, actual
