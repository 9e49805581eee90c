"""Clocks are compared by the Date of an answer, and only as exactly as whole seconds and a slow answer allow."""

from __future__ import annotations

import pytest

from tokenward.troubleshoot.surroundings.clock import Moment, clock, moment_of

DATE, AT = "Fri, 15 Jan 2027 08:00:00 GMT", 1_800_000_000.0


@pytest.mark.parametrize(
    ("sent", "received", "skew", "held"),
    [
        pytest.param(0.0, 0.2, 0.0, True, id="the same"),
        pytest.param(0.9, 1.1, 0.0, True, id="within the server's second"),
        pytest.param(-20.0, 20.0, 0.0, True, id="a slow answer proves nothing"),
        pytest.param(4.0, 4.1, 3.0, True, id="a little ahead"),
        pytest.param(61.0, 61.1, 60.0, False, id="a minute ahead"),
        pytest.param(-60.0, -59.9, -59.9, False, id="a minute behind"),
    ],
)
def test_a_difference_counts_as_far_as_it_is_certain(sent: float, received: float, skew: float, held: bool) -> None:
    moment = Moment(DATE, AT + sent, AT + received)
    assert moment.skew == pytest.approx(skew)
    (finding,) = clock(moment)
    assert (finding.held, bool(finding.fix)) == (held, not held)


def test_it_says_whether_this_machine_is_ahead_or_behind() -> None:
    assert "60 s ahead" in str(clock(Moment(DATE, AT + 61, AT + 61))[0].seen)
    assert "60 s behind" in str(clock(Moment(DATE, AT - 60, AT - 60))[0].seen)


@pytest.mark.parametrize("date", [None, "", "yesterday", "Fri, 99 Foo 2027", "Fri, 15 Jan 99999999 08:00:00 GMT", "1" * 10_000])
def test_a_date_that_cannot_be_read_says_nothing(date: str | None) -> None:
    assert clock(Moment(date, AT, AT)) == []


@pytest.mark.parametrize(
    ("age", "skew"),
    [
        pytest.param(None, 99.0, id="none"),
        pytest.param("100", 0.0, id="of a cache"),
        pytest.param(" 40 ", 59.0, id="of a younger copy"),
        pytest.param("old", None, id="no number"),
        pytest.param("1" * 5000, None, id="a long number"),
    ],
)
def test_the_age_of_a_cached_answer_is_added_to_its_date(age: str | None, skew: float | None) -> None:
    headers = {"date": DATE} if age is None else {"date": DATE, "age": age}
    assert moment_of(headers, AT + 100, AT + 100).skew == skew
