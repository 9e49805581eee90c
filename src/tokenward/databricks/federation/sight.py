"""What a check of a token expected and saw, in JSON values that a table can show."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from tokenward.databricks.federation.federation_policy import FederationPolicy
from tokenward.errors import TokenRejected
from tokenward.identity import Claims
from tokenward.policy import Policy
from tokenward.token.header import Header


@dataclass(frozen=True, slots=True, repr=False)
class Case:
    """A token before one policy; `whole` is the Policy that the federation policy becomes."""

    policy: FederationPolicy
    whole: Policy
    header: Header
    claims: Claims
    now: float


Sight = Callable[[Case], tuple[object, object]]

_NAMES = {"values": "subject"}
"""A federation policy requires the value of no claim but the subject."""


def _subject(case: Case) -> tuple[object, object]:
    seen = case.claims.get(case.policy.subject_claim)
    return ("any" if case.policy.subject is None else case.policy.subject), seen


_SIGHTS: Mapping[str, Sight] = MappingProxyType(
    {
        "extensions": lambda case: ("no crit, no b64", "one" if case.header.crit else None),
        "asymmetric": lambda case: (list(case.policy.to_issuer().algorithms), case.header.alg),
        "nonce": lambda case: ("no nonce in the header", "one" if case.header.nonce else None),
        "issuer": lambda case: (case.policy.issuer, case.claims.get("iss")),
        "algorithm": lambda case: (list(case.policy.to_issuer().algorithms), case.header.alg),
        "type": lambda case: (sorted(case.policy.to_issuer().type_set), case.header.typ),
        "required": lambda case: (list(case.policy.to_issuer().required_claims), sorted(case.claims)),
        "audience": lambda case: (list(case.policy.audiences), case.claims.get("aud")),
        "values": _subject,
        "exp": lambda case: (f"after {case.now:.0f}", case.claims.get("exp")),
        "nbf": lambda case: (f"not after {case.now:.0f}", case.claims.get("nbf")),
        "iat": lambda case: (f"not after {case.now:.0f}", case.claims.get("iat")),
    }
)


def shown_name(row: str) -> str:
    """What to call a row of the tables, where a federation policy has a word of its own for it."""
    return _NAMES.get(row, row)


def expected_and_seen(row: str, case: Case, rejection: TokenRejected | None) -> tuple[object, object]:
    """For rows without a line above, what the rejection says; a new row of the tables needs none."""
    if row in _SIGHTS:
        return _SIGHTS[row](case)
    if rejection is None:
        return "well formed", None
    seen = case.claims.get(rejection.claim) if rejection.actual is None and rejection.claim else rejection.actual
    return rejection.expected or rejection.reason, seen
