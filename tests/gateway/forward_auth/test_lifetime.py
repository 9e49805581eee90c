"""For how long a proxy may keep a yes, and what its fields may hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenward import Identity
from tokenward.databricks.access import MARGIN
from tokenward.databricks.forward_auth.verdict import MAX_FIELD_BYTES, identity_fields, lifetime

NOW = 1_700_000_000.0


def identity(
    subject: str | None = "ada", kind: Literal["user", "app", "unknown"] = "user", tenant: str | None = None
) -> Identity:
    return Identity(subject, "https://idp.example/", tenant, None, kind, frozenset(), frozenset(), NOW, {})


LIFETIMES = [
    pytest.param(3600, 3600, 30, 30, id="a long-lived token: the most that is allowed"),
    pytest.param(70, 3600, 30, 30, id="just enough"),
    pytest.param(69.9, 3600, 30, 29, id="whole seconds, rounded down"),
    pytest.param(41, 3600, 30, 1, id="a second before the margin"),
    pytest.param(40.9, 3600, 30, 0, id="not a whole second"),
    pytest.param(40, 3600, 30, 0, id="at the margin"),
    pytest.param(5, 3600, 30, 0, id="within the margin"),
    pytest.param(-10, 3600, 30, 0, id="ended"),
    pytest.param(3600, 50, 30, 10, id="the caller's own token ends first"),
    pytest.param(3600, -5, 30, 0, id="the caller's own token is within the leeway"),
    pytest.param(3600, 3600, 0, 0, id="not at all, as configured"),
]


@pytest.mark.parametrize(("access", "caller", "max_age", "age"), LIFETIMES)
def test_a_yes_is_kept_until_forty_seconds_before_the_first_end(access: float, caller: float, max_age: int, age: int) -> None:
    assert lifetime(NOW + access, NOW + caller, NOW, max_age) == age


TIMES = st.floats(0, 4_000_000_000, allow_nan=False)


@given(TIMES, TIMES, TIMES, st.integers(0, 300))
def test_no_yes_outlives_a_token_less_its_margin(access: float, caller: float, now: float, max_age: int) -> None:
    age = lifetime(access, caller, now, max_age)
    assert 0 <= age <= max_age
    assert age == 0 or now + age <= min(access, caller) - MARGIN + 1e-3


@pytest.mark.parametrize(("left", "said"), [(3600, "max-age=30"), (60, "max-age=20"), (41, "max-age=1"), (40, "no-store")])
def test_cache_control_says_so(
    asker: Callable[..., Any], bearer: Callable[..., bytes], source: str, left: int, said: str
) -> None:
    assert asker(source).ask(bearer(lifetime=left)).value("cache-control") == said


def test_what_was_exchanged_may_end_before_the_callers_own(
    asker: Callable[..., Any], bearer: Callable[..., bytes], source: str
) -> None:
    asking = asker(source)
    asking.grant.ends_in = 55.0
    assert asking.ask(bearer()).value("cache-control") == "max-age=15"


@given(st.text(max_size=600))
def test_a_name_can_neither_leave_its_field_nor_look_like_another(subject: str) -> None:
    value = dict(identity_fields(identity(subject)))["X-Tokenward-Subject"]
    assert value.isascii()
    assert value == "" or value.isprintable()
    assert " " not in value
    assert len(value) <= MAX_FIELD_BYTES
    assert value == "" or unquote(value, errors="surrogatepass") == subject


def test_every_field_is_there_even_if_nothing_is_known() -> None:
    assert identity_fields(identity(None, "unknown")) == (
        ("X-Tokenward-Subject", ""),
        ("X-Tokenward-Issuer", "https://idp.example/"),
        ("X-Tokenward-Tenant", ""),
        ("X-Tokenward-Client", ""),
        ("X-Tokenward-Kind", "unknown"),
    )


def test_a_name_that_is_too_long_is_left_out_and_not_cut() -> None:
    assert dict(identity_fields(identity("a" * 512)))["X-Tokenward-Subject"] == "a" * 512
    assert dict(identity_fields(identity("a" * 513)))["X-Tokenward-Subject"] == ""


def test_line_breaks_are_escaped() -> None:
    assert dict(identity_fields(identity("ada\r\nX-Admin: 1")))["X-Tokenward-Subject"] == "ada%0D%0AX-Admin:%201"
