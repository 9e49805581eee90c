"""What a check expected and saw, in the words of an explanation, where it has better ones than the tables' own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from tokenward.judging.judgement import ROUTE, Judgement
from tokenward.judging.sight import Seen, expected_and_seen
from tokenward.token.claims import SHAPE_CHECKS
from tokenward.token.header import HEADER_CHECKS
from tokenward.token.lifetime import TIME_CHECKS
from tokenward.troubleshoot.explanation.case import Case

MAX_NAMES = 20
"""Issuers that are named in a table; a policy may have a thousand."""
TIMES = frozenset(row.name for row in TIME_CHECKS)
WORDS = ("so it is", "no exp", "the token does not say")
"""What is seen where no claim is shown."""
NEED_NO_POLICY = frozenset({*(row.name for row in HEADER_CHECKS), *(row.name for row in SHAPE_CHECKS), *TIMES})
"""Rows that judge the same whoever the issuer is."""


def sight_of(case: Case, row: Judgement) -> tuple[object, object]:
    """What was expected and seen, in JSON values."""
    if row.held is None and row.name not in NEED_NO_POLICY and case.nearest is None:
        return "by an issuer of the policy", None
    if row.name in _OWN:
        return _OWN[row.name](case, row)
    rejection = row.rejection
    expected, seen = expected_and_seen(row.name, Seen(case.issuer, case.header, case.claims, case.now), rejection)
    return expected, "so it is" if row.held and expected == "well formed" else seen


def _issuer(case: Case, row: Judgement) -> tuple[object, object]:
    names = [name for issuer in case.issuers for name in issuer.names() or {issuer.issuer: None}]
    seen = case.claims.get("tid" if row.rejection is not None and row.rejection.claim == "tid" else "iss")
    return (names if len(names) <= MAX_NAMES else [*names[:MAX_NAMES], f"... {len(names) - MAX_NAMES} more"]), seen


def _asymmetric(case: Case, _: Judgement) -> tuple[object, object]:
    return "an asymmetric signature", case.header.alg


def _type(case: Case, _: Judgement) -> tuple[object, object]:
    return [name or "none" for name in sorted(case.issuer.type_set)], case.header.typ or "none"


def _required(case: Case, row: Judgement) -> tuple[object, object]:
    missing = [name for name in case.issuer.required_claims if case.claims.get(name) is None]
    return list(case.issuer.required_claims), [f"no {name}" for name in missing] if not row.held else "all of them"


def _access_token(_: Case, row: Judgement) -> tuple[object, object]:
    return "no mark of another kind", row.rejection.claim if row.rejection is not None else "none"


def _values(case: Case, _: Judgement) -> tuple[object, object]:
    wanted = case.issuer.required_values
    return [f"{name} {value}" for name, value in wanted.items()], [f"{name} {case.claims.get(name)}" for name in wanted]


_OWN: Mapping[str, Callable[[Case, Judgement], tuple[object, object]]] = MappingProxyType(
    {
        ROUTE: _issuer,
        "asymmetric": _asymmetric,
        "type": _type,
        "required": _required,
        "access token": _access_token,
        "values": _values,
    }
)
