"""When a token is valid: the checks and the window of remembered tokens are one rule."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenward.errors import TokenRejected
from tokenward.issuer import Issuer
from tokenward.token.lifetime import MAX_DATE, TIME_CHECKS, check_dates, window

DATES = st.one_of(
    st.integers(-3, 3), st.floats(-3, 3), st.sampled_from([MAX_DATE, -MAX_DATE, 2**53 - 1]), st.floats(-(2.0**53), 2.0**53)
)


@given(exp=DATES, nbf=DATES | st.none(), iat=DATES | st.none(), now=DATES, leeway=st.sampled_from([0.0, 1.0, 300.0]))
def test_the_time_checks_pass_exactly_within_the_window(exp: float, nbf: Any, iat: Any, now: float, leeway: float) -> None:
    issuer = Issuer("https://idp.example/", audiences=["a"], leeway=leeway)
    claims = {"exp": exp, "nbf": nbf, "iat": iat}
    check_dates(issuer, claims)
    opens, closes = window(issuer, claims)
    assert _passes(issuer, claims, now) == (opens <= now < closes)


@pytest.mark.parametrize("now", [float("nan"), float("inf"), float("-inf")])
def test_a_clock_that_is_broken_lets_nobody_in(now: float) -> None:
    issuer = Issuer("https://idp.example/", audiences=["a"])
    assert not _passes(issuer, {"exp": 9.0, "nbf": 1.0}, now)


def _passes(issuer: Issuer, claims: dict[str, Any], now: float) -> bool:
    try:
        for row in TIME_CHECKS:
            row.check(issuer, claims, now)
    except TokenRejected:
        return False
    return True
