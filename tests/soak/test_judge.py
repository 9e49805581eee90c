"""How the soak judges a run: each promise is missed by what breaks it, and by nothing else."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable

import pytest

from benchmarks.soak.judge import Promise, promises_of, rows_of
from benchmarks.soak.moments import moments_between
from benchmarks.soak.plan import PHASES, ROTATION, spans
from benchmarks.soak.record import Record
from benchmarks.soak.report import judged, table, told
from benchmarks.soak.stats import quantile, rss_mb
from benchmarks.soak.verdicts import Seen, is_right, turned_away

SECONDS = 120.0
NUMBER = 600
"""Requests of each phase: enough to compare it, though some are left out."""
WARM_UP, QUIET, FLOOD, QUIET_AGAIN, DEAD, SILENT = -1, 0, 2, 3, 4, 6


def _record() -> Record:
    """A run in which all went well."""
    record = Record("async", SECONDS, ended=SECONDS, doors=[(-5.0, "up")], memory=[(0.0, 60.0), (SECONDS, 62.0)])
    for span in record.spans:
        record.latencies[span.number] = _spread(span.number, [1000] * NUMBER)
        record.counts[span.number] = Counter({Seen("k", True, False, "accepted"): NUMBER})
        record.sent[span.number] = (NUMBER, 0.1)
        record.began.append(span.start + 1)
        record.issuer_asked(span.start + 1.1)
    record.rotated = record.spans[ROTATION].start + 0.1
    return record


def _spread(phase: int, latencies: list[int]) -> list[tuple[int, list[int]]]:
    """One after the other, over all of the phase."""
    moments = sorted(_moments(phase))[1:-1]
    return [(moments[number * len(moments) // len(latencies)], [latency]) for number, latency in enumerate(latencies)]


def _moments(phase: int) -> set[int]:
    span = spans(SECONDS)[phase]
    return set(moments_between(span.start, span.end))


def _missed(record: Record) -> list[str]:
    return [each.text.partition(":")[0] for each in promises_of(record, rows_of(record)) if each.held is False]


def _latency_promise(record: Record) -> Promise:
    return next(each for each in promises_of(record, rows_of(record)) if each.text.startswith("p99"))


def _wrong_verdict(record: Record) -> None:
    record.counts[FLOOD][Seen("r", False, False, "accepted")] += 1
    record.sent[FLOOD] = (NUMBER + 1, 0.1)


def _no_verdict(record: Record) -> None:
    record.sent[FLOOD] = (NUMBER + 1, 0.1)


def _wait(record: Record) -> None:
    record.counts[FLOOD][Seen("k", True, True, "accepted")] += 1
    record.sent[FLOOD] = (NUMBER + 1, 0.1)


def _fetches(record: Record) -> None:
    record.began += [30.0, 31.0, 32.0, 33.0, 34.0, 35.0, 36.0]


def _unaccounted_fetches(record: Record) -> None:
    record.issuer_asked(50.0)


def _slow_in_the_flood(record: Record) -> None:
    record.latencies[FLOOD] = _spread(FLOOD, [1201] * NUMBER)


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


def test_what_came_while_the_machine_was_away_is_in_no_latency_but_in_the_counts_and_in_p99_all() -> None:
    record = _record()
    record.latencies[FLOOD] = _spread(FLOOD, [1000] * (NUMBER - 9) + [1201] * 9)
    record.away = {moment for moment, _ in record.latencies[FLOOD][-9:]}
    row = rows_of(record)[FLOOD]
    assert (row.p99, row.ratio.value, row.p99_all) == (1.0, 1.0, 1.201)
    assert row.left_out == pytest.approx(9 / NUMBER)
    assert row.requests == NUMBER
    assert _missed(record) == []


def test_a_verdict_is_wrong_although_the_machine_was_away() -> None:
    record = _record()
    _wrong_verdict(record)
    record.away = _moments(FLOOD)
    assert _missed(record) == ["wrong verdicts"]


NOT_MEASURED = [
    pytest.param(
        _moments(FLOOD), 17, "1.00 x (1.00 to 1.00), 2 of 4 not measured", id="hardly anything is left of a judged phase"
    ),
    pytest.param(
        _moments(QUIET) | _moments(QUIET_AGAIN),
        18,
        "2 of 4 not measured",
        id="hardly anything is left of the quiet phases beside it",
    ),
    pytest.param(set(range(6500)), 100, "no phase measured", id="hardly anything is left"),
]


@pytest.mark.parametrize(("away", "part", "words"), NOT_MEASURED)
def test_nobody_is_sure_of_latency_if_the_machine_was_away(away: set[int], part: int, words: str) -> None:
    record = _record()
    record.away = away
    promise = _latency_promise(record)
    assert promise.held is None
    assert judged([promise]).startswith("not sure  async")
    assert words in promise.found
    assert f"the machine was away for {part} % of the time" in promise.found


def test_nobody_is_sure_of_a_phase_that_one_bad_second_made_slow() -> None:
    record = _record()
    record.latencies[FLOOD] = _spread(FLOOD, [1000] * (NUMBER - 20) + [5000] * 20)
    ratio = rows_of(record)[FLOOD].ratio
    assert (ratio.value, ratio.low, ratio.high) == (5.0, 1.0, 5.0)
    assert _latency_promise(record).held is None


def test_a_phase_of_which_too_little_is_left_has_no_ratio() -> None:
    record = _record()
    record.away = _moments(FLOOD)
    row = rows_of(record)[FLOOD]
    assert not row.ratio.is_known
    assert row.p99_all == 1.0


@pytest.mark.parametrize(("kept", "measured"), [pytest.param(500, True, id="enough"), pytest.param(499, False, id="too few")])
def test_500_requests_of_a_phase_must_be_kept_to_compare_it(kept: int, measured: bool) -> None:
    record = _record()
    record.latencies[FLOOD] = _spread(FLOOD, [1000] * kept)
    row = rows_of(record)[FLOOD]
    assert row.p99 == 1.0
    assert row.ratio.is_known == measured


def test_a_slow_phase_misses_the_promise_though_another_was_not_measured() -> None:
    record = _record()
    _slow_in_the_flood(record)
    record.away = _moments(DEAD)
    assert not rows_of(record)[DEAD].ratio.is_known
    assert _latency_promise(record).held is False


def test_a_phase_is_compared_with_the_quiet_ones_beside_it() -> None:
    record = _record()
    record.latencies[QUIET_AGAIN] = _spread(QUIET_AGAIN, [1100] * NUMBER)
    rows = rows_of(record)
    assert [rows[phase].ratio.value for phase in (FLOOD, DEAD, SILENT)] == pytest.approx([1 / 1.1, 1 / 1.1, 1])
    assert "quiet against quiet: 1.10" in _latency_promise(record).found


def test_the_processor_s_share_is_that_of_the_phase() -> None:
    record = _record()
    start = record.spans[FLOOD].start
    record.cpu = [(start - 1, 0.0), (start + 1, 10.0), (start + 11, 14.0), (start + 23, 30.0)]
    assert rows_of(record)[FLOOD].cpu == pytest.approx(0.4)
    assert math.isnan(rows_of(record)[QUIET].cpu)


RIGHT = [
    pytest.param(Seen("k", True, False, "accepted"), True, id="a known caller gets in"),
    pytest.param(Seen("k", True, False, "keys_unavailable"), False, id="a known caller with a usable key gets 503"),
    pytest.param(Seen("k", True, False, "unknown_key"), False, id="a known caller with a usable key gets 401"),
    pytest.param(Seen("k", False, True, "keys_unavailable"), True, id="a new key is not in hand yet, and its caller gets 503"),
    pytest.param(Seen("k", False, True, "unknown_key"), False, id="a new key that a search would have found is unknown"),
    pytest.param(Seen("k", True, False, "accepted_as_another"), False, id="a known caller is taken for another"),
    pytest.param(Seen("s", False, False, "audience_not_accepted"), True, id="a stray is refused for its audience"),
    pytest.param(Seen("s", False, False, "keys_unavailable"), False, id="a stray causes a search for keys"),
    pytest.param(Seen("r", False, True, "unknown_key"), True, id="a random kid is unknown"),
    pytest.param(Seen("r", False, False, "keys_unavailable"), True, id="nobody can say whether a random kid is known"),
    pytest.param(Seen("r", False, False, "accepted"), False, id="a random kid gets in"),
    pytest.param(Seen("r", False, False, "RuntimeError"), False, id="an exception escapes"),
    pytest.param(Seen("f", True, False, "signature_invalid"), True, id="a forgery is refused"),
    pytest.param(Seen("f", True, False, "accepted"), False, id="a forgery gets in"),
    pytest.param(Seen("f", False, False, "keys_unavailable"), True, id="a forgery's key is not in hand yet"),
    pytest.param(Seen("f", False, False, "unknown_key"), False, id="a forgery's key that a search would have found is unknown"),
]


@pytest.mark.parametrize(("seen", "right"), RIGHT)
def test_a_verdict_is_wrong_if_the_keys_in_hand_excuse_it_not(seen: Seen, right: bool) -> None:
    assert is_right(seen, findable=True) == right


@pytest.mark.parametrize("kind", [pytest.param("k", id="a known caller"), pytest.param("f", id="a forgery")])
def test_a_new_key_may_be_unknown_once_a_flood_has_used_up_the_searches_but_not_if_it_is_in_hand(kind: str) -> None:
    assert is_right(Seen(kind, False, False, "unknown_key"), findable=False)
    assert not is_right(Seen(kind, True, False, "unknown_key"), findable=False)


def _no_key_is_searched(record: Record, phase: int) -> None:
    """As if a verifier said of every key that is not in hand that it is unknown."""
    record.counts[phase] = Counter({Seen("k", False, False, "unknown_key"): 3, Seen("k", True, False, "accepted"): NUMBER - 3})
    record.sent[phase] = (NUMBER, 0.1)


@pytest.mark.parametrize("phase", [pytest.param(WARM_UP, id="warm-up"), QUIET, ROTATION], ids=lambda each: PHASES[each].name)
def test_a_verifier_that_searches_no_key_gives_wrong_verdicts_before_any_flood(phase: int) -> None:
    record = _record()
    _no_key_is_searched(record, phase)
    assert _missed(record) == ["wrong verdicts"]
    assert [row.wrong for row in rows_of(record) if row.wrong] == ([] if phase == WARM_UP else [3])


@pytest.mark.parametrize("phase", range(FLOOD, len(PHASES)), ids=lambda each: PHASES[each].name)
def test_from_the_first_flood_on_a_key_that_is_not_in_hand_may_be_unknown(phase: int) -> None:
    record = _record()
    _no_key_is_searched(record, phase)
    assert _missed(record) == []


@pytest.mark.parametrize(
    ("late", "missed"),
    [pytest.param(0.0, ["wrong verdicts"], id="just in time"), pytest.param(0.1, [], id="after its first caller")],
)
def test_a_key_may_be_unknown_that_the_issuer_had_not_published_when_it_was_brought(late: float, missed: list[str]) -> None:
    record = _record()
    record.rotated = record.spans[ROTATION].middle + late
    _no_key_is_searched(record, ROTATION)
    assert _missed(record) == missed


def test_callers_turned_away_are_counted_and_are_no_wrong_verdicts() -> None:
    record = _record()
    record.counts[1] = Counter({Seen("k", False, False, "keys_unavailable"): 3, Seen("k", True, False, "accepted"): NUMBER - 3})
    assert turned_away(record.counts[1]) == 3
    assert _missed(record) == []


def test_a_failed_fetch_while_the_issuer_is_up_may_be_tried_again() -> None:
    record = _record()
    before = rows_of(record)[FLOOD].most
    record.failed.append(record.spans[FLOOD].start + 1)
    assert rows_of(record)[FLOOD].most == before + 1


def test_a_run_that_was_broken_off_shows_the_phases_that_had_begun() -> None:
    record = _record()
    record.ended = 18.0
    assert [(row.phase, row.seconds) for row in rows_of(record)] == [("quiet", 10.0), ("rotation", 8.0)]


def _broken_off_in_the_warm_up() -> Record:
    counts = {WARM_UP: Counter({Seen("k", True, False, "accepted"): NUMBER})}
    return Record("async", SECONDS, counts=counts, memory=[(-4.0, 60.0), (-3.5, 60.1)])


def test_a_run_that_was_broken_off_in_the_warm_up_has_an_empty_table_and_holds_nothing() -> None:
    record = _broken_off_in_the_warm_up()
    promises = promises_of(record, rows_of(record))
    assert table(rows_of(record)).count("\n") == 1
    assert [each.held for each in promises] == [None] * 6
    assert all(line.startswith("not sure") for line in judged(promises).splitlines())


def test_a_wrong_verdict_in_the_warm_up_is_wrong_though_the_run_was_broken_off_in_it() -> None:
    record = _broken_off_in_the_warm_up()
    _no_key_is_searched(record, WARM_UP)
    assert _missed(record) == ["wrong verdicts"]


def test_the_document_for_machines_holds_no_numbers_that_json_has_not() -> None:
    record = _record()
    record.latencies.clear()
    rows = rows_of(record)
    text = json.dumps(told([record], rows, promises_of(record, rows), {}, interrupted=False))
    assert "NaN" not in text
    assert len(json.loads(text)["phases"]) == 9


@pytest.mark.parametrize("interrupted", [True, False], ids=["broken off", "whole"])
def test_the_document_for_machines_says_whether_the_run_was_broken_off(interrupted: bool) -> None:
    assert told([_record()], [], [], {}, interrupted=interrupted)["interrupted"] is interrupted


def test_the_document_for_machines_knows_no_infinity() -> None:
    assert "Infinity" not in json.dumps(told([Record("async", SECONDS)], [], [], {}, interrupted=True))


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
