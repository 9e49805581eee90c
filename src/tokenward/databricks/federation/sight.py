"""What a check of a token expected and saw, in JSON values that a table can show."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from tokenward.databricks.federation.federation_policy import FederationPolicy
from tokenward.errors import TokenRejected
from tokenward.identity import Claims
from tokenward.judging import sight
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


_OWN: Mapping[str, Sight] = MappingProxyType(
    {
        "issuer": lambda case: (case.policy.issuer, case.claims.get("iss")),
        "values": _subject,
    }
)


def shown_name(row: str) -> str:
    """What to call a row of the tables, where a federation policy has a word of its own for it."""
    return _NAMES.get(row, row)


def expected_and_seen(row: str, case: Case, rejection: TokenRejected | None) -> tuple[object, object]:
    """In the words of a federation policy where it has some, else as for any issuer; a new row of the tables needs no line."""
    if row in _OWN:
        return _OWN[row](case)
    return sight.expected_and_seen(row, sight.Seen(case.policy.to_issuer(), case.header, case.claims, case.now), rejection)
