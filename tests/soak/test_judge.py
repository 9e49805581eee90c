"""How the soak judges a run: each promise is missed by what breaks it, and by nothing else."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable

import pytest

from benchmarks.soak.judge import promises_of, rows_of
from benchmarks.soak.record import Record
from benchmarks.soak.report import judged, table, told
from benchmarks.soak.stats import quantile, rss_mb
from benchmarks.soak.verdicts import Seen, is_right, turned_away

SECONDS = 120.0
QUIET, FLOOD = 0, 2


def _record() -> Record:
    """A run in which all went well."""
    record = Record("async", SECONDS, ended=SECONDS, doors=[(-5.0, "up")], memory=[(0.0, 60.0), (SECONDS, 62.0)])
    for span in record.spans:
        record.latencies[span.number] = [1000] * 100
        record.counts[span.number] = Counter({Seen("k", True, False, "accepted"): 100})
        record.sent[span.number] = (100, 0.1)
        record.began.append(span.start + 1)
        record.issuer_asked(span.start + 1.1)
    return record


def _missed(record: Record) -> list[str]:
    return [each.text.partition(":")[0] for each in promises_of(record, rows_of(record)) if not each.held]


def _wrong_verdict(record: Record) -> None:
    record.counts[FLOOD][Seen("r", False, False, "accepted")] += 1
    record.sent[FLOOD] = (101, 0.1)


def _no_verdict(record: Record) -> None:
    record.sent[FLOOD] = (101, 0.1)


def _wait(record: Record) -> None:
    record.counts[FLOOD][Seen("k", True, True, "accepted")] += 1
    record.sent[FLOOD] = (101, 0.1)


def _fetches(record: Record) -> None:
    record.began += [30.0, 31.0, 32.0, 33.0, 34.0, 35.0, 36.0]


def _unaccounted_fetches(record: Record) -> None:
    record.issuer_asked(50.0)


def _slow_in_the_flood(record: Record) -> None:
    record.latencies[FLOOD] = [1000] * 98 + [1201] * 2


def _memory(record: Record) -> None:
    record.memory[-1] = (SECONDS, 65.1)


FETCHES = "fetches beyond what the rhythm allows"
BREAKERS = [
    pytest.param(_wrong_verdict, "wrong verdicts", id="a random kid is accepted"),
    pytest.param(_no_verdict, "requests without a verdict", id="a request is lost"),
    pytest.param(_wait, "waits with a usable key", id="a known caller waits"),
    pytest.param(_fetches, FETCHES, id="too many fetches begin"),
    pytest.param(_unaccounted_fetches, FETCHES, id="the issuer sees more than the verifier owns up to"),
    pytest.param(_slow_in_the_flood, "p99 of known callers in floods and outages", id="p99 is above 1.2 of the quiet one"),
    pytest.param(_memory, "memory from start to end", id="memory grows by more than 5 MB"),
]


def test_a_good_run_misses_no_promise() -> None:
    assert _missed(_record()) == []


@pytest.mark.parametrize(("breaks", "missed"), BREAKERS)
def test_what_breaks_a_promise_misses_it_and_no_other(breaks: Callable[[Record], None], missed: str) -> None:
    record = _record()
    breaks(record)
    assert _missed(record) == [missed]


def test_only_times_and_memory_are_no_facts() -> None:
    promises = promises_of(_record(), rows_of(_record()))
    assert [each.text.split()[0] for each in promises if not each.is_fact] == ["p99", "memory"]


RIGHT = [
    pytest.param(Seen("k", True, False, "accepted"), True, id="a known caller gets in"),
    pytest.param(Seen("k", True, False, "keys_unavailable"), False, id="a known caller with a usable key gets 503"),
    pytest.param(Seen("k", True, False, "unknown_key"), False, id="a known caller with a usable key gets 401"),
    pytest.param(Seen("k", False, True, "keys_unavailable"), True, id="a new key is not in hand yet"),
    pytest.param(Seen("k", True, False, "accepted_as_another"), False, id="a known caller is taken for another"),
    pytest.param(Seen("s", False, False, "audience_not_accepted"), True, id="a stray is refused for its audience"),
    pytest.param(Seen("s", False, False, "keys_unavailable"), False, id="a stray causes a search for keys"),
    pytest.param(Seen("r", False, True, "unknown_key"), True, id="a random kid is unknown"),
    pytest.param(Seen("r", False, False, "keys_unavailable"), True, id="nobody can say whether a random kid is known"),
    pytest.param(Seen("r", False, False, "accepted"), False, id="a random kid gets in"),
    pytest.param(Seen("r", False, False, "RuntimeError"), False, id="an exception escapes"),
    pytest.param(Seen("f", True, False, "signature_invalid"), True, id="a forgery is refused"),
    pytest.param(Seen("f", True, False, "accepted"), False, id="a forgery gets in"),
]


@pytest.mark.parametrize(("seen", "right"), RIGHT)
def test_a_verdict_is_wrong_if_the_keys_in_hand_excuse_it_not(seen: Seen, right: bool) -> None:
    assert is_right(seen) == right


def test_callers_turned_away_are_counted_and_are_no_wrong_verdicts() -> None:
    record = _record()
    record.counts[1] = Counter({Seen("k", False, False, "keys_unavailable"): 3, Seen("k", True, False, "accepted"): 97})
    assert turned_away(record.counts[1]) == 3
    assert _missed(record) == []


def test_a_failed_fetch_while_the_issuer_is_up_may_be_tried_again() -> None:
    record = _record()
    before = rows_of(record)[FLOOD].most
    record.failed.append(record.spans[FLOOD].start + 1)
    assert rows_of(record)[FLOOD].most == before + 1


def test_a_run_that_was_broken_off_shows_the_phases_that_had_begun() -> None:
    record = _record()
    record.ended = 20.0
    assert [(row.phase, row.seconds) for row in rows_of(record)] == [("quiet", 14.0), ("rotation", 6.0)]


def test_a_run_that_was_broken_off_in_the_warm_up_has_an_empty_table() -> None:
    record = Record("async", SECONDS)
    assert table(rows_of(record)).count("\n") == 1
    assert "held" in judged(promises_of(record, rows_of(record)))


def test_the_document_for_machines_holds_no_numbers_that_json_has_not() -> None:
    record = _record()
    record.latencies.clear()
    rows = rows_of(record)
    text = json.dumps(told([record], rows, promises_of(record, rows), {}))
    assert "NaN" not in text
    assert len(json.loads(text)["phases"]) == 8


@pytest.mark.parametrize(
    ("part", "value"),
    [pytest.param(0.5, 50, id="p50"), pytest.param(0.99, 99, id="p99"), pytest.param(0.999, 100, id="p99.9")],
)
def test_a_quantile_is_the_smallest_value_that_enough_do_not_exceed(part: float, value: int) -> None:
    assert quantile(list(range(100, 0, -1)), part) == value
    assert math.isnan(quantile([], part))


def test_memory_is_that_of_a_living_process(root: object) -> None:
    import os

    own = rss_mb(os.getpid())
    assert own is not None
    assert 5 < own < 10_000
    assert rss_mb(2**22 + 1) is None
