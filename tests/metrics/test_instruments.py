"""The table of instruments: each reads what it says, sources of one name are one, and names follow both conventions."""

from __future__ import annotations

import re
from typing import get_args

import pytest

from tokenward import errors
from tokenward.keys.counts import FetchOutcome, KeyCounts, Lookup
from tokenward.keys.decision import Why
from tokenward.keys.status import KeyStatus
from tokenward.metrics.instruments import KEYS, REJECTIONS, Instrument
from tokenward.metrics.moment import Moment

BY_NAME = {each.exposed: each for each in (*KEYS, REJECTIONS)}

ONE = KeyStatus(
    source="https://idp.example/keys",
    keys="stale",
    fetch="backoff",
    usable=3,
    kids=("a", "b", "c"),
    age=7200.0,
    serves_for=79200.0,
    failures=2,
    waiting=4,
    counts=KeyCounts(
        lookups={"hit": 10, "unknown": 1},
        fetches={"cold": {"ok": 1}, "refresh": {"timeout": 2, "unchanged": 5}},
        leases_expired=1,
        keys_skipped={"rsa_size": 6},
        sets_changed=1,
    ),
)
OTHER = KeyStatus(
    source=ONE.source,
    keys="fresh",
    fetch="idle",
    usable=2,
    age=60.0,
    serves_for=86340.0,
    waiting=1,
    counts=KeyCounts({"hit": 5}, {"cold": {"ok": 1}}, 0, {}, 1),
)
NEVER = KeyStatus(source="https://new.example/keys", keys="empty", fetch="idle")
AT = ONE.source


@pytest.mark.parametrize(
    ("name", "alone", "together"),
    [
        pytest.param("tokenward_key_age_seconds", 7200, 7200, id="the older age"),
        pytest.param("tokenward_key_expiry_seconds", 79200, 79200, id="the sooner end"),
        pytest.param("tokenward_keys_usable", 3, 2, id="the fewer keys"),
        pytest.param("tokenward_key_fetch_failures", 2, 2, id="the more failures"),
        pytest.param("tokenward_key_waiting", 4, 5, id="all who wait"),
        pytest.param("tokenward_key_leases_expired_total", 1, 1, id="all lost fetches"),
        pytest.param("tokenward_key_set_changes_total", 1, 2, id="all changes"),
    ],
)
def test_of_two_sources_of_one_name_the_worse_is_told_or_the_sum(name: str, alone: float, together: float) -> None:
    read = BY_NAME[name].read
    assert read(Moment((ONE,), {})) == {(AT,): alone}
    assert read(Moment((ONE, OTHER), {})) == read(Moment((OTHER, ONE), {})) == {(AT,): together}


def test_counts_are_told_by_their_words_and_added_up() -> None:
    moment = Moment((ONE, OTHER), {})
    lookups = BY_NAME["tokenward_key_lookups_total"].read(moment)
    assert {words: number for words, number in lookups.items() if number} == {(AT, "hit"): 15, (AT, "unknown"): 1}
    assert {outcome for _, outcome in lookups} == set(get_args(Lookup))
    assert BY_NAME["tokenward_key_fetches_total"].read(moment) == {
        (AT, "cold", "ok"): 2,
        (AT, "refresh", "timeout"): 2,
        (AT, "refresh", "unchanged"): 5,
    }
    assert BY_NAME["tokenward_keys_skipped_total"].read(moment) == {(AT, "private_key_published"): 0, (AT, "rsa_size"): 6}


def test_a_source_that_was_never_fetched_has_no_age_and_no_end() -> None:
    told = {name for name, each in BY_NAME.items() if each is not REJECTIONS and each.read(Moment((NEVER,), {}))}
    assert BY_NAME.keys() - told == {
        "tokenward_key_age_seconds",
        "tokenward_key_expiry_seconds",
        "tokenward_key_fetches_total",
        "tokenward_key_refresh_interval_seconds",
        "tokenward_rejections_total",
    }


def test_every_code_is_there_from_the_beginning_and_others_come_as_they_occur() -> None:
    told = REJECTIONS.read(Moment((), {("token_expired", 401): 7, ("draining", 503): 2}))
    assert {code for code, _ in told} == {*errors.CODES, "draining"}
    assert told["token_expired", "401"] == 7
    assert told["draining", "503"] == 2
    assert told["keys_unavailable", "503"] == 0


@pytest.mark.parametrize("each", [pytest.param(each, id=each.name) for each in (*KEYS, REJECTIONS)])
def test_names_and_labels_are_as_both_conventions_have_them(each: Instrument) -> None:
    assert re.fullmatch(r"tokenward(\.[a-z_]+)+", each.name)
    assert re.fullmatch(r"tokenward(_[a-z]+)+", each.exposed)
    assert each.exposed.endswith("_total") == (each.kind == "counter")
    assert each.exposed.endswith("_seconds") == (each.unit == "s")
    assert each.unit == "s" or re.fullmatch(r"\{[a-z]+\}", each.unit)
    assert set(each.labels) <= {"source", "outcome", "why", "reason", "code", "status"}
    assert each.description.endswith(".")
    assert all(len(words) == len(each.labels) for words in each.read(Moment((ONE,), {})))


def test_the_series_of_a_source_are_bounded_by_closed_words() -> None:
    every = KeyCounts(
        dict.fromkeys(get_args(Lookup), 1),
        {why: dict.fromkeys(_words(FetchOutcome), 1) for why in get_args(Why)},
        1,
        {},
        1,
    )
    status = KeyStatus(source=AT, keys="fresh", fetch="idle", age=1.0, interval=1.0, serves_for=1.0, counts=every)
    moment = Moment((status,), {})
    series = sum(len(each.read(moment)) for each in KEYS)
    assert series == len(get_args(Lookup)) + len(get_args(Why)) * len(_words(FetchOutcome)) + len(KEYS) - 2


def _words(alias: object) -> list[str]:
    """The texts of a union of Literals."""
    parts = get_args(alias)
    return [word for part in parts for word in ([part] if isinstance(part, str) else _words(part))]
