"""Explain a token: what it is, every check of the middleware on it, and what to change where.

The checks are the verifiers' own tables, run row by row (`judging.judgement`), and the verdict is that of the verifiers' own walk
(`walk`), with the same keys at the same time. Neither is written a second time here.
"""

from __future__ import annotations

import time

from tokenward import validation
from tokenward.errors import AuthenticationError, PolicyError
from tokenward.identity import Identity
from tokenward.issuer import Issuer
from tokenward.keys.fetch import HttpxFetch
from tokenward.keys.port import Fetch
from tokenward.keys.source import Clock
from tokenward.memory import Memory
from tokenward.policy import Policy
from tokenward.token.lifetime import MAX_DATE
from tokenward.troubleshoot.explanation.answer import answer
from tokenward.troubleshoot.explanation.case import Case
from tokenward.troubleshoot.explanation.checks import case_checks, form_check, own_check, size_check, unopened_checks
from tokenward.troubleshoot.explanation.clocks import by_both_clocks
from tokenward.troubleshoot.explanation.keys import Keys, fetch_keys
from tokenward.troubleshoot.explanation.nearest import nearest_issuer
from tokenward.troubleshoot.explanation.notes import notes_on
from tokenward.troubleshoot.explanation.opened import Opened, opened
from tokenward.troubleshoot.explanation.pasted import token_in
from tokenward.troubleshoot.explanation.report import Check, Report
from tokenward.troubleshoot.explanation.signature import signature_check
from tokenward.walk import Search, Walk

TIMEOUT = 10.0
"""Seconds for the issuer's documents: what a verifier gives a fetch."""
MAX_TIMEOUT = 300.0
_NOBODY = Issuer("https://no.policy.invalid/", audiences=["nobody"])
"""Stands for a policy where there is none; only rows that hold for every issuer are taken from it."""


def explain(
    token: str | bytes,
    policy: Policy | None = None,
    *,
    now: float | None = None,
    clock: Clock = time.time,
    fetch: Fetch | None = None,
    offline: bool = False,
    timeout: float = TIMEOUT,
) -> Report:
    """What this token is, what each check of the middleware says of it, and what to change.

    It asks nobody but the policy's own issuer for its keys, and never an address that the token names. The policy's own checks
    run once, if everything before them holds. It does not ask whether a user exists.

    token    the token; a whole header, or the JSON around it, is taken off first
    policy   the service's; without one it says what the token is, and judges what needs no policy
    now      seconds since the epoch to judge for; by default the clock's
    clock    this machine's, which is also compared with the issuer's
    fetch    how keys are fetched, as a Verifier's
    offline  fetch nothing: keys that the policy itself does not hold count as not known
    timeout  seconds for all requests together

    Raises PolicyError for arguments that are none, and what a check or `kind_of` of your own raises.
    """
    _require(policy, timeout)
    at = _time(now, validation.clock("clock", clock))
    pasted = token_in(token)
    given = opened(pasted.token)
    case = _case(given, policy, at)
    keys = _keys(case, at, clock, fetch, timeout, offline=offline)
    outcome = _walked(pasted.token, policy, case, keys, at)
    checks = _checks(given, policy, case, keys, outcome)
    checks = by_both_clocks(case, keys, checks) if now is None else checks
    notes = notes_on(case, keys, checks, judged_now=now is None)
    told = (pasted.note, *notes) if pasted.note else notes
    return answer(given, case, keys, outcome, checks, told, at)


def _require(policy: object, timeout: object) -> None:
    if policy is not None and not isinstance(policy, Policy):
        raise PolicyError("policy", "it is not a Policy", "Pass entra.databricks(...), entra.api(...), Policy([...]) or None.")
    validation.some_seconds(
        "timeout",
        timeout,
        most=MAX_TIMEOUT,
        problem="nothing is fetched in 0 seconds",
        fix="Give more seconds, or --offline (offline=True).",
    )


def _time(now: object, clock: Clock) -> float:
    if now is None:
        return clock()
    if isinstance(now, bool) or not isinstance(now, (int, float)) or not -MAX_DATE <= now <= MAX_DATE:
        raise PolicyError("now", "it is not a time", "Give seconds since the epoch, or leave it out.")
    return float(now)


# -- what is judged, and by what ---------------------------------------------------------------------------------------


def _case(token: Opened, policy: Policy | None, at: float) -> Case | None:
    if token.compact is None:
        return None
    header, claims = token.compact.header, token.compact.claims
    nearest = nearest_issuer(policy, claims) if policy is not None else None
    return Case(header, claims, at, nearest.route.issuer if nearest else _NOBODY, policy, nearest)


def _keys(case: Case | None, at: float, clock: Clock, fetch: Fetch | None, timeout: float, *, offline: bool) -> Keys | None:
    """Those of the issuer that the token is judged by, if they may have signed it."""
    if case is None or case.nearest is None or not case.nearest.shares_keys:
        return None
    how = HttpxFetch() if fetch is None else validation.fetch(fetch, async_one=False)
    return fetch_keys(case.issuer, now=at, clock=clock, fetch=how, timeout=timeout, offline=offline)


def _walked(
    token: bytes, policy: Policy | None, case: Case | None, keys: Keys | None, at: float
) -> AuthenticationError | Identity | None:
    """What a verifier with these keys answers; None without a policy."""
    if policy is None:
        return None
    sources = {case.issuer.issuer: keys.source} if case is not None and keys is not None else {}
    walk = Walk(policy, sources, Memory(0), lambda: at)
    try:
        step = walk.begin(token)
        if isinstance(step, Identity):
            return step
        found = walk.keys_in_hand(step)
        if isinstance(found, Search):
            found = walk.keys_found(step, found.source.decide_finally(found.kid, has_asked=True))
        return walk.conclude(step, found)
    except AuthenticationError as rejection:
        return rejection.with_traceback(None)


def _checks(
    token: Opened, policy: Policy | None, case: Case | None, keys: Keys | None, outcome: AuthenticationError | Identity | None
) -> list[Check]:
    first = [size_check(token, policy), form_check(token)]
    if case is None or token.compact is None:
        return [*first, *unopened_checks(token)]
    checks = [*first, *case_checks(case), signature_check(case, token.compact, keys)]
    return [*checks, own_check(checks, outcome)] if policy is not None and policy.checks else checks
