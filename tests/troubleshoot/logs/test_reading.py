"""Whatever wrapped the events, they are found with their time; whatever else is in a log costs nothing and breaks nothing."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any, get_args

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenward.keylog import log_key_event
from tokenward.keys.events import KeyEvent, KeysAwaited, KeysRefreshed, KeysRefreshFailed, KeysSeeded
from tokenward.troubleshoot.logs import Around, LogReader, Rejected, Summed
from tokenward.troubleshoot.logs.event import MAX_COUNT, OTHER_CODES
from tokenward.troubleshoot.logs.lines import MAX_LINE, Lines
from tokenward.troubleshoot.logs.moment import moment, offset_at, offset_text, span_text
from tokenward.troubleshoot.logs.reader import MAX_OWN_CODES

NOW = 1_767_960_000.0
STAMP = "2026-01-09T12:00:00Z"
INNER = '{"event": "token_rejected", "code": "token_expired", "timestamp": "2026-01-09T12:00:00Z"}'
UNDATED = '{"event": "token_rejected", "code": "token_expired"}'
JWT = "eyJhbGciOiJSUzI1NiIsImtpZCI6ImsxIiwidHlwIjoiSldUIn0.eyJpc3MiOiJodHRwczovL2lkcC5leGFtcGxlLyJ9.c2lnbmF0dXJl"

Read = Callable[..., list[Any]]
Line = Callable[..., bytes]

WRITTEN = [
    pytest.param(INNER, id="structlog's JSONRenderer"),
    pytest.param(
        '{"message": "token_rejected", "code": "token_expired", "asctime": "2026-01-09T12:00:00Z"}', id="python-json-logger"
    ),
    pytest.param('{"msg": "token_rejected", "code": "token_expired", "ts": 1767960000}', id="a renamed event, epoch seconds"),
    pytest.param('{"event": "token_rejected", "code": "token_expired", "time": 1767960000000}', id="epoch milliseconds"),
    pytest.param('{"event": "token_rejected", "code": "token_expired", "ts": "1767960000.0"}', id="epoch seconds as text"),
    pytest.param(json.dumps({"log": INNER + "\n", "stream": "stderr", "time": "2026-01-09T12:00:05.123456789Z"}), id="Docker"),
    pytest.param(json.dumps({"log": UNDATED, "time": "2026-01-09T12:00:00.000000000Z"}), id="Docker's own time"),
    pytest.param(f"2026-01-09T12:00:00.000000000Z stderr F {UNDATED}", id="CRI"),
    pytest.param(f"web-1  | {INNER}", id="docker compose"),
    pytest.param(f"Jan  9 12:00:00 host app[12]: {INNER}", id="syslog"),
    pytest.param(f"INFO {{not json}} {INNER}", id="braces before it"),
    pytest.param(f"{INNER}\x1b[0m \r", id="something behind it"),
    pytest.param(json.dumps({"@timestamp": STAMP, "message": UNDATED, "host": {"name": "a"}}), id="ECS"),
    pytest.param(json.dumps({"timestamp": STAMP, "jsonPayload": json.loads(UNDATED)}), id="Google Cloud"),
    pytest.param(json.dumps({"TimeGenerated": STAMP, "LogMessage": UNDATED}), id="Azure Monitor"),
    pytest.param(json.dumps({"log": json.dumps({"message": INNER})}), id="two wrappers"),
    pytest.param('{"event": "token_rejected", "code": "token_expired", "time": "2026-01-09T13:00:00+01:00"}', id="an offset"),
    pytest.param("\ufeff" + INNER, id="a byte order mark"),
]


@pytest.mark.parametrize("text", WRITTEN)
def test_an_event_is_found_with_its_time_however_it_was_written(read: Read, text: str) -> None:
    (event,) = read(text.encode())
    assert isinstance(event, Rejected)
    assert (event.code, event.at) == ("token_expired", NOW)


NOTHING = [
    pytest.param(b"", id="nothing"),
    pytest.param(b"\n\n\n", id="empty lines"),
    pytest.param(b'{"event": "request", "path": "/"}', id="another event"),
    pytest.param(b'{"event": "token_rejected"}', id="no code"),
    pytest.param(b'{"event": "token_rejected", "code": 1}', id="a code that is no text"),
    pytest.param(b'{"event": "token_rejected", "code": "<script>"}', id="a code that is none"),
    pytest.param(b'{"event": "token_rejections_summed", "not_logged": []}', id="a sum that is none"),
    pytest.param(b'{"event": ["token_rejected"], "code": "token_expired"}', id="an event that is a list"),
    pytest.param(b'{"path": "/token_rejected", "event": "request"}', id="a stranger's path that names an event"),
    pytest.param(b"2026-01-09 [warning] token_rejected code=token_expired", id="a console's line"),
    pytest.param(b'{"event": "token_rejected", "code": "token_exp', id="cut off"),
    pytest.param(b"token_rejected " + b'{"a":' * 10_000, id="deep objects"),
    pytest.param(b"token_rejected " + b"[" * 50_000, id="deep lists"),
    pytest.param(b'{"log": "' + b'{\\"log\\": ' * 50 + b'token_rejected"}', id="wrappers without end"),
    pytest.param(b"\xff\xfe\x00token_rejected\x00", id="no text"),
    pytest.param(b'{"event": "token_rejected", "code": "a", "x": ' + b"9" * 5000 + b"}", id="a number without end"),
    pytest.param(b"[" + b'{"event": "token_rejected"}' * 3 + b"]", id="objects in a list"),
]


@pytest.mark.parametrize("text", NOTHING)
def test_what_is_no_event_is_none(read: Read, text: bytes) -> None:
    assert read(text) == []


def test_what_names_an_event_but_is_no_json_is_counted() -> None:
    reader = LogReader(clock=lambda: NOW)
    assert list(reader.feed(b"[warning] token_rejected code=a\nall is well\n")) == []
    assert (reader.lines, reader.no_json, reader.unread) == (2, 1, 1)


def test_a_line_that_is_too_long_is_left_out_and_the_next_one_is_read(line: Line) -> None:
    reader = LogReader(clock=lambda: NOW)
    long = line(hint="x" * (2 * MAX_LINE))
    events = [event for start in range(0, len(long), 1000) for event in reader.feed(long[start : start + 1000])]
    assert (events, reader.no_json, reader.unread) == ([], 0, 1)
    assert len(list(reader.feed(line()))) == 1


@given(st.lists(st.binary(max_size=40), max_size=8), st.data())
def test_lines_do_not_depend_on_how_the_bytes_come(parts: list[bytes], data: st.DataObject) -> None:
    whole, cut, pieces = b"\n".join(parts), Lines(), []
    while whole:
        size = data.draw(st.integers(1, len(whole)))
        pieces += list(cut.feed(whole[:size]))
        whole = whole[size:]
    expected = b"\n".join(parts).split(b"\n")
    assert [*pieces, *cut.finish()] == (expected if expected[-1] else expected[:-1])


@settings(max_examples=200)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
        max_leaves=8,
    ),
    st.sampled_from(
        ["code", "issuer", "hint", "docs", "fingerprint", "not_logged", "seconds", "timestamp", "source", "kind", "event"]
    ),
    st.sampled_from(["token_rejected", "token_rejections_summed", "keys_refresh_failed", "request_refused"]),
)
def test_no_value_of_any_member_breaks_the_reading(value: object, member: str, name: str) -> None:
    event = {"event": name, "code": "token_expired", "not_logged": {"a": 1}, member: value}
    reader = LogReader(clock=lambda: NOW)
    assert len(list(reader.feed(json.dumps(event).encode() + b"\n"))) <= 1


# -- what is kept of an event ------------------------------------------------------------------------------------------


def test_texts_are_cut_escaped_and_masked(read: Read, line: Line) -> None:
    (event,) = read(
        line(issuer=f"https://x/\x1b[31m{JWT}\n", client="c" * 1000, hint="a\u202eb", docs="\x07", fingerprint="a1b2c3d4e5f6")
    )
    said = f"{event.issuer}{event.client}{event.hint}{event.docs}"
    assert said.isascii()
    assert said.isprintable()
    assert "eyJ" not in said
    assert len(event.client) <= 203
    assert event.fingerprint == 0xA1B2C3D4E5F6


def test_sums_keep_whole_numbers_of_codes_only(read: Read, line: Line) -> None:
    held = {
        "token_expired": 12,
        "missing_token": -3,
        "unknown_key": True,
        "malformed_token": 10**30,
        "<b>": 4,
        "claim_missing": "7",
    }
    (event,) = read(line("token_rejections_summed", not_logged=held, seconds=60.0))
    assert isinstance(event, Summed)
    assert (event.counts, event.seconds) == ({"token_expired": 12, "malformed_token": MAX_COUNT}, 60.0)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        pytest.param(
            {"event": "keys_refresh_failed", "source": "https://a", "kind": "dns", "hint": "h"}, ("https://a", "dns"), id="keys"
        ),
        pytest.param(
            {"event": "token_exchange_failed", "grant": "g", "code": "exchange_refused"}, ("g", "exchange_refused"), id="exchange"
        ),
        pytest.param({"event": "shared_tokens_lost", "store": "redis", "why": "timeout"}, ("redis", "timeout"), id="the store"),
        pytest.param({"event": "keys_seeded", "source": "https://a", "keys": 2, "key_age": 60.0}, ("https://a", ""), id="a seed"),
        pytest.param(
            {"event": "keys_seed_ignored", "source": "https://a", "reason": "it is from the future"},
            ("https://a", "it is from the future"),
            id="a seed that was ignored",
        ),
        pytest.param(
            {"event": "keys_refreshed", "source": "https://a", "why": "miss", "added": 1}, ("https://a", "miss"), id="new keys"
        ),
        pytest.param(
            {"event": "keys_refreshed", "source": "https://a", "why": "due", "added": 0, "removed": 0}, None, id="the same keys"
        ),
    ],
)
def test_what_happened_around_is_kept_if_it_changed_something(read: Read, line: Line, fields: Any, told: Any) -> None:
    found = [(event.of, event.why) for event in read(line(**fields)) if isinstance(event, Around)]
    assert found == ([] if told is None else [told])


KEY_EVENTS: list[KeyEvent] = [
    KeysRefreshed("https://a", "tick", 0.1, 1, 1, 0, {"private_key_published": 1}),
    KeysRefreshFailed("https://a", "tick", "dns", "no such host", 1, 5.0, None, usable=False),
    KeysAwaited("https://a", 10.0),
    KeysSeeded("https://a", 1, 60.0, None),
    KeysSeeded("https://a", 0, None, "it is from the future"),
]


def test_every_event_of_keys_that_is_logged_is_read(read: Read, line: Line) -> None:
    assert {type(event) for event in KEY_EVENTS} == set(get_args(KeyEvent))
    with structlog.testing.capture_logs() as logged:
        for event in KEY_EVENTS:
            log_key_event(event)
    names = [entry.pop("event") for entry in logged]
    found = read(*(line(name, **entry) for name, entry in zip(names, logged, strict=True)))
    assert [(event.name, event.of) for event in found] == [(name, "https://a") for name in names]
    assert len(set(names)) == 6


# -- choice ------------------------------------------------------------------------------------------------------------


def test_only_the_codes_that_were_asked_for_are_read_also_of_sums(read: Read, line: Line) -> None:
    lines = [line(code="token_expired"), line(code="unknown_key")]
    lines.append(line("token_rejections_summed", not_logged={"token_expired": 3, "unknown_key": 4}, seconds=60))
    rejected, summed = read(*lines, codes=["unknown_key"])
    assert (rejected.code, summed.counts) == ("unknown_key", {"unknown_key": 4})


def test_what_is_older_or_has_no_time_is_left_out_on_demand(read: Read, line: Line) -> None:
    lines = [line(at=NOW - 100, code="a"), line(at=NOW - 10, code="b"), line(at=None, code="c")]
    assert [event.code for event in read(*lines, since=NOW - 50)] == ["b"]
    assert [event.code for event in read(*lines)] == ["a", "b", "c"]


LEFT_OUT = [
    pytest.param({}, 0, id="nothing asked"),
    pytest.param({"codes": ["token_expired", "unknown_key"]}, 0, id="all codes asked for"),
    pytest.param({"codes": ["unknown_key"]}, 4, id="one code, which is a part of a sum"),
    pytest.param({"codes": ["token_expird"]}, 8, id="a code that is not there"),
    pytest.param({"since": NOW - 50}, 1, id="the old one"),
]


@pytest.mark.parametrize(("asked", "count"), LEFT_OUT)
def test_the_rejections_that_are_left_out_are_counted_also_those_of_sums(line: Line, asked: Any, count: int) -> None:
    lines = [line(at=NOW - 100), line("keys_refresh_failed", at=NOW - 100)]
    lines.append(line("token_rejections_summed", not_logged={"token_expired": 3, "unknown_key": 4}, seconds=60))
    reader = LogReader(clock=lambda: NOW, **asked)
    list(reader.feed(b"".join(lines)))
    assert reader.left_out == count


def test_an_event_without_a_believable_time_has_none_or_that_of_a_live_reading(read: Read, line: Line) -> None:
    lines = [line(at=None), line(at=NOW + 2 * 86400), line(at=0.0)]
    assert [event.at for event in read(*lines)] == [None, None, None]
    assert [event.at for event in read(*lines, is_live=True)] == [NOW, NOW, NOW]


def test_codes_that_nobody_knows_are_one_when_there_are_many_and_hide_no_known_one(read: Read, line: Line) -> None:
    lines = [line(code=f"own_{number}") for number in range(100)]
    codes = {event.code for event in read(*lines, line(code="signature_invalid"), line(code="path_not_allowed"))}
    assert len(codes) == MAX_OWN_CODES + 3
    assert {OTHER_CODES, "signature_invalid", "path_not_allowed"} <= codes


# -- times -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [None, True, "", "yesterday", "12:00:00", -1, 0, 1e300, float("nan"), float("inf"), [], {}, "9" * 41, "2026-13-01T00:00:00Z"],
    ids=repr,
)
def test_what_is_no_time_is_none(value: object) -> None:
    assert moment(value) is None


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-09 12:00:00Z",
        "2026-01-09T12:00:00,000+00:00",
        "2026/01/09 12:00:00+00:00",
        "20260109T120000Z",
        "2026-01-09T12:00:00.000000000Z",
    ],
)
def test_forms_of_iso_8601_are_read(text: str) -> None:
    assert moment(text) == NOW


def test_a_time_without_an_offset_is_local(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    try:
        assert moment("2026-01-09 17:30:00,000") == NOW
        assert offset_text(offset_at(NOW)) == "UTC+05:30"
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    ("offset", "text"), [(0.0, "UTC"), (3600.0, "UTC+01:00"), (-12600.0, "UTC-03:30"), (50400.0, "UTC+14:00")], ids=str
)
def test_offsets_are_told_in_hours_and_minutes(offset: float, text: str) -> None:
    assert offset_text(offset) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(1, "1 s"), (90, "90 s"), (300, "5 min"), (14400, "4 h"), (604800, "7 d")], ids=str
)
def test_spans_are_told_in_the_largest_unit_without_a_rest(seconds: float, text: str) -> None:
    assert span_text(seconds) == text
