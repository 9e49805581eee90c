"""What is counted together, what is kept apart, and that no log makes it grow without end."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from tokenward.troubleshoot.logs import Series, Tally
from tokenward.troubleshoot.logs.chart import course_of
from tokenward.troubleshoot.logs.group import MAX_TOKENS
from tokenward.troubleshoot.logs.series import MAX_BARS, MAX_STEPS, totals
from tokenward.troubleshoot.logs.tally import MAX_GROUPS, MAX_NEARBY
from tokenward.troubleshoot.logs.window import spread

NOW = 1_767_960_000.0

Counted = Callable[[Iterable[bytes]], Tally]
Line = Callable[..., bytes]
Read = Callable[..., list[Any]]


@pytest.mark.parametrize("differs", ["code", "issuer", "client", "hint"])
def test_rejections_are_grouped_by_code_issuer_client_and_hint(counted: Counted, line: Line, differs: str) -> None:
    same = {"code": "unknown_key", "issuer": "https://a/", "client": "c", "hint": "h", "kid": "1"}
    other = {**same, differs: "token_expired"}
    groups = counted([line(**same), line(**{**same, "kid": "2"}), line(**other)]).groups()
    assert [group.count for group in groups] == [2, 1]


def test_one_token_again_looks_unlike_many_tokens(counted: Counted, line: Line) -> None:
    one = counted(line(fingerprint="0123456789ab") for _ in range(500)).groups()[0]
    many = counted(line(fingerprint=f"{number:012x}") for number in range(500)).groups()[0]
    none = counted(line() for _ in range(5)).groups()[0]
    assert [len(group.tokens) for group in (one, many, none)] == [1, MAX_TOKENS, 0]


def test_sums_are_counted_under_their_code_beside_what_was_logged(counted: Counted, line: Line) -> None:
    summed = line("token_rejections_summed", not_logged={"token_expired": 27, "unknown_key": 2}, seconds=60)
    tally = counted([line(issuer="https://a/"), summed])
    assert tally.total == 30
    found = {(group.code, group.kind): group.count for group in tally.groups()}
    assert found == {("token_expired", "summed"): 27, ("unknown_key", "summed"): 2, ("token_expired", "logged"): 1}


@pytest.mark.parametrize("count", [1, 7, 60, 1000, 10**9], ids=str)
@pytest.mark.parametrize("seconds", [0.0, 0.5, 60.0, 86400.0], ids=str)
def test_a_sum_is_spread_over_its_time_and_stays_the_same(count: int, seconds: float) -> None:
    parts = list(spread(count, NOW, seconds, 10.0))
    assert sum(part for _, part in parts) == count
    assert all(NOW - seconds <= at <= NOW for at, _ in parts)
    assert len(parts) <= 360


def test_a_strangers_issuers_push_out_neither_the_large_groups_nor_other_codes(counted: Counted, line: Line) -> None:
    def flood() -> Iterable[bytes]:
        for number in range(3000):
            yield line(code="issuer_not_trusted", issuer=f"https://{number}.example/", at=NOW + number)
            if number % 20 == 0:
                yield line(code="issuer_not_trusted", issuer="https://real.example/", at=NOW + number)
        yield line(code="audience_not_accepted", issuer="https://real.example/", at=NOW + 3000)

    tally = counted(flood())
    groups = tally.groups()
    assert sum(group.count for group in groups) == tally.total == 3151
    assert len([group for group in groups if group.kind == "logged"]) == MAX_GROUPS + 1
    real = {group.code: group.count for group in groups if group.issuer == "https://real.example/"}
    assert real == {"issuer_not_trusted": 150, "audience_not_accepted": 1}
    assert len([group for group in groups if group.kind == "others"]) == 1


def test_events_around_are_bounded_and_the_latest_come_first(counted: Counted, line: Line) -> None:
    failures = [line("keys_refresh_failed", source=f"https://{n}/", kind="dns", hint="h", at=NOW + n) for n in range(200)]
    nearby = counted([*failures, *failures[-1:]]).nearby()
    assert (len(nearby), nearby[0].of, nearby[0].count) == (MAX_NEARBY, "https://199/", 2)


def test_the_rate_is_of_the_last_minutes(counted: Counted, line: Line) -> None:
    early = [line(at=NOW - 3600 + second) for second in range(100)]
    late = [line(at=NOW - 299 + 10 * number, issuer="https://late/") for number in range(30)]
    tally = counted([*early, *late])
    rates = {group.issuer: tally.per_minute(group) for group in tally.groups()}
    assert rates == {None: 0.0, "https://late/": 6.0}


def test_a_group_knows_when_its_present_run_began(counted: Counted, line: Line) -> None:
    (group,) = counted(line(at=NOW + at) for at in (-9000, -8990, -200, -100, 0)).groups()
    assert (group.first, group.since, group.last) == (NOW - 9000, NOW - 200, NOW)


def test_lines_in_another_order_are_counted_all_the_same(counted: Counted, line: Line) -> None:
    times = [NOW - 250, NOW, NOW - 100, NOW - 9000]
    tally = counted(line(at=at) for at in times)
    (group,) = tally.groups()
    assert (tally.oldest, tally.newest, group.count, group.lately(NOW)) == (NOW - 9000, NOW, 4, 3)


# -- over time ---------------------------------------------------------------------------------------------------------


def _series(read: Read, lines: Iterable[bytes], step: int | None = None, offset: float = 0.0) -> Series:
    series = Series(step=step, offset_at=lambda at: offset)
    for event in read(*lines):
        series.add(event)
    return series


@pytest.mark.parametrize(
    ("span", "step"),
    [(40, 1), (200, 5), (1700, 60), (3600 * 3, 300), (86400, 3600), (86400 * 30, 86400), (86400 * 3000, 86400 * 28 * 4)],
    ids=str,
)
def test_the_step_follows_the_span_and_nothing_is_lost(read: Read, line: Line, span: int, step: int) -> None:
    count = 600
    series = _series(read, (line(at=NOW - span + span * number / count) for number in range(count)))
    found, bars = series.bars()
    assert totals(bars) == {"token_expired": count}
    assert len(bars) <= MAX_BARS
    assert found == step


def test_more_steps_than_are_kept_are_made_coarser_and_nothing_is_lost(read: Read, line: Line) -> None:
    series = _series(read, (line(at=NOW + 7 * number) for number in range(MAX_STEPS + 1)))
    assert totals(series.bars()[1]) == {"token_expired": MAX_STEPS + 1}


def test_bars_of_a_day_begin_at_local_midnight(read: Read, line: Line) -> None:
    series = _series(read, (line(at=NOW - 86400 * number) for number in range(5)), step=86400, offset=3600.0)
    _, bars = series.bars()
    assert [(bar.at + 3600) % 86400 for bar in bars] == [0.0] * 5


def test_steps_without_anything_are_bars_too(read: Read, line: Line) -> None:
    _, bars = _series(read, [line(at=NOW), line(at=NOW + 300)], step=60).bars()
    assert [sum(bar.counts.values()) for bar in bars] == [1, 0, 0, 0, 0, 1]


@pytest.mark.parametrize("span", [600, 100_000], ids=str)
def test_a_step_that_is_too_small_is_refused_with_one_that_would_do(read: Read, line: Line, span: int) -> None:
    lines = [line(at=NOW - span + span * number / 6000) for number in range(6001)]
    with pytest.raises(ValueError, match=r"\d+") as refused:
        _series(read, lines, step=1).bars()
    least = refused.value.args[0]
    step, bars = _series(read, lines, step=least).bars()
    assert (step, len(bars) <= 500, totals(bars)) == (least, True, {"token_expired": 6001})


def test_a_plot_names_the_largest_codes_and_sums_the_others(read: Read, line: Line) -> None:
    codes = [
        "token_expired",
        "unknown_key",
        "missing_token",
        "claim_missing",
        "malformed_token",
        "signature_invalid",
        "own_a",
        "own_b",
    ]
    lines = [line(code=code) for rank, code in enumerate(codes) for _ in range(10 - rank)]
    series = _series(read, lines)
    course = course_of(*series.bars(), 0.0)
    assert course.names == [*codes[:6], "all others"]
    assert course.counts(course.bars[0]) == [10, 9, 8, 7, 6, 5, 7]


def test_what_has_no_time_is_in_no_bar(read: Read, line: Line) -> None:
    assert _series(read, [line(at=None)]).bars() == (1, [])
