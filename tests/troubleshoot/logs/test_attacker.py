"""No line of a log ends in an exception, from the reading to the page, and a damaged file is told as one that cannot be read."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenward.troubleshoot.logs import LogReader, Rejected, Series, Summed, Tally, cause_of
from tokenward.troubleshoot.logs.chart import Course, course_of
from tokenward.troubleshoot.logs.document import course_document, document_of
from tokenward.troubleshoot.logs.event import MAX_SECONDS
from tokenward.troubleshoot.logs.moment import LATEST, UNITS, moment, offset_at
from tokenward.troubleshoot.logs.page import page
from tokenward.troubleshoot.logs.record import AROUND, DATED_BY, NAMED_BY, REFUSALS, WRAPPED_BY
from tokenward.troubleshoot.logs.source import FileSource
from tokenward.troubleshoot.logs.summary import summary_of

NOW = 1_767_960_000.0
HUGE = 10**400 - 1
"""More than any float, and fewer digits than Python's own bound."""

Read = Callable[..., list[Any]]
Line = Callable[..., bytes]


@pytest.mark.parametrize("number", [HUGE, -HUGE, 10**308, 10**22, float("inf"), float("nan"), LATEST * UNITS[-1], -1, 0])
def test_a_number_that_is_no_time_is_none(number: float) -> None:
    assert moment(number) is None


@pytest.mark.parametrize("unit", UNITS)
def test_the_last_time_that_is_one_is_read_in_each_unit(unit: float) -> None:
    assert moment((LATEST - 1) * unit) == pytest.approx(LATEST - 1)


def test_an_event_with_such_a_time_has_none(read: Read) -> None:
    text = json.dumps({"event": "token_rejected", "code": "token_expired", "timestamp": HUGE})
    (event,) = read(text.encode())
    assert isinstance(event, Rejected)
    assert event.at is None


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        pytest.param(HUGE, MAX_SECONDS, id="400 digits"),
        pytest.param(-HUGE, 0.0, id="400 digits below zero"),
        pytest.param(60, 60.0, id="a minute"),
        pytest.param(0.5, 0.5, id="half a second"),
        pytest.param(float("inf"), 0.0, id="no end"),
        pytest.param(float("nan"), 0.0, id="no number"),
        pytest.param(True, 0.0, id="a truth"),
        pytest.param("60", 0.0, id="a text"),
    ],
)
def test_the_seconds_of_a_sum_are_bounded(read: Read, line: Line, written: object, expected: float) -> None:
    (event,) = read(line("token_rejections_summed", not_logged={"token_expired": 3}, seconds=written))
    assert isinstance(event, Summed)
    assert event.seconds == expected


@pytest.mark.parametrize("at", [0, 10, 200, 1000, -4])
def test_a_damaged_archive_is_one_that_cannot_be_read(tmp_path: Path, line: Line, at: int) -> None:
    whole = bytearray(gzip.compress(b"".join(line(fingerprint=f"{number:012x}") for number in range(2000))))
    whole[at : at + 4] = bytes(byte ^ 0xFF for byte in whole[at : at + 4]) if at >= 0 else b""
    if at < 0:
        whole = whole[:at]
    file = tmp_path / "app.log.gz"
    file.write_bytes(whole)
    with pytest.raises(OSError, match=r"."):
        _read_to_the_end(file)


def _read_to_the_end(file: Path) -> None:
    source = FileSource(file)
    try:
        while source.take(0.0) is not None:
            pass
    finally:
        source.close()


# -- anything at all ---------------------------------------------------------------------------------------------------

ODD = (
    *(None, True, 0, -1, 0.5, 60, HUGE, -HUGE, 10**4000, 10**308, 1.7e18, float("inf"), float("nan")),
    *(NOW, NOW - 400, 1000 * NOW, "2026-01-09T12:00:00Z", "0000-00-00", "9999-12-31T23:59:59Z", "1e400", "nan", "\u0662" * 4),
    *("", "token_expired", "unknown_key", "own_code", "a" * 3000, "<b>", "\ud800", "0123456789ab", "https://idp.example/"),
)
LEAVES = st.sampled_from(ODD) | st.integers() | st.floats() | st.text(max_size=12)
ANYTHING = LEAVES | st.lists(LEAVES, max_size=2) | st.dictionaries(st.sampled_from(["token_expired", "own_code", ""]), LEAVES)
MEMBERS = (
    *("code", "issuer", "client", "hint", "docs", "fingerprint", "not_logged", "seconds"),
    *("source", "grant", "store", "kind", "why", "added", *DATED_BY),
)


@st.composite
def events(draw: st.DrawFn) -> dict[str, Any]:
    """An event of ours, mostly by its name, with members that may be anything; or an object that wraps one."""
    event = {"code": "token_expired", "not_logged": {"token_expired": 2}, "timestamp": NOW}
    event |= draw(st.dictionaries(st.sampled_from(MEMBERS), ANYTHING, max_size=4))
    event[draw(st.sampled_from(NAMED_BY))] = draw(st.sampled_from((*REFUSALS, *REFUSALS, *AROUND)) | ANYTHING)
    for _ in range(draw(st.integers(0, 3)) // 2):
        key, more = draw(st.sampled_from(WRAPPED_BY)), draw(st.dictionaries(st.sampled_from(DATED_BY), ANYTHING, max_size=1))
        event = {**more, key: event if draw(st.booleans()) else json.dumps(event)}
    return event


@st.composite
def lines(draw: st.DrawFn) -> bytes:
    """An event as a line; some with a few bytes of it overwritten."""
    line = json.dumps(draw(events())).encode()
    if draw(st.booleans()):
        return line
    at, put = draw(st.integers(0, len(line))), draw(st.binary(max_size=4))
    return line[:at] + put + line[at + len(put) :]


@settings(max_examples=200, deadline=None)
@given(log=st.lists(lines(), min_size=1, max_size=4), is_live=st.booleans(), step=st.none() | st.sampled_from([1, 60]))
def test_no_line_ends_in_an_exception(log: list[bytes], is_live: bool, step: int | None) -> None:
    reader, tally, series = LogReader(clock=lambda: NOW, is_live=is_live), Tally(), Series(step=step, offset_at=offset_at)
    for event in [*reader.feed(b"\n".join(log)), *reader.finish()]:
        tally.add(event)
        series.add(event)
    course = _course(series)
    cause = cause_of(tally, series.offset)
    assert (cause is None) == (tally.total == 0)
    assert json.dumps({**document_of(tally, reader, cause), **course_document(course)})
    counted = {"lines": reader.lines, "unread": reader.unread, "undated": reader.undated}
    if tally.total:
        assert page(summary_of(["a.log"], tally, offset=series.offset, **counted), course).encode()


def _course(series: Series) -> Course | None:
    try:
        step, bars = series.bars()
    except ValueError:  # too many bars of the step that was asked for
        return None
    return course_of(step, bars, series.offset) if bars else None
