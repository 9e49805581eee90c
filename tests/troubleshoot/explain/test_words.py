"""What a report says is said one way: dates beside numbers, sources in one form, a fix for each failure that keys has, too."""

from __future__ import annotations

import re
from typing import Any, get_args

import pytest

from tokenward.judging.source import SOURCES
from tokenward.keys.port import FailureKind, FetchFailed
from tokenward.token.admission import ISSUER_CHECKS
from tokenward.token.caller import CALLER_CHECKS
from tokenward.token.claims import CLAIM_CHECKS
from tokenward.token.header import HEADER_CHECKS
from tokenward.token.lifetime import TIME_CHECKS
from tokenward.troubleshoot.explanation import sources
from tokenward.troubleshoot.keyreport.next_step import next_step, verdict_of

FORM = re.compile(r"https://\S+|RFC \d{4} section \d+(\.\d+)*")
ROWS = {row.name for rows in (HEADER_CHECKS, ISSUER_CHECKS, CLAIM_CHECKS, TIME_CHECKS, CALLER_CHECKS) for row in rows}


@pytest.mark.parametrize(
    ("name", "word"),
    [
        pytest.param("exp", "after", id="exp"),
        pytest.param("nbf", "not after", id="nbf"),
        pytest.param("iat", "not after", id="iat"),
    ],
)
def test_the_date_stands_beside_the_number_of_an_expected_time_and_a_seen_one_stays_a_number(
    bench: Any, name: str, word: str
) -> None:
    report = bench.explain(bench.issuer.user_token(now=1_800_000_000.0), now=1_800_000_000.0)
    told = bench.check(report, name).to_json()
    assert told["expected"] == f"{word} 1800000000 (2027-01-15 08:00:00 UTC)"
    assert isinstance(told["seen"], (int, float))


def test_a_time_without_a_date_is_a_number_alone(bench: Any) -> None:
    report = bench.explain(bench.issuer.user_token(), now=2.0**52)
    assert bench.check(report, "exp").finding.expected == f"after {2**52}"


@pytest.mark.parametrize(
    "source", sorted({*SOURCES.values(), *(value for name, value in vars(sources).items() if name.isupper())})
)
def test_sources_are_whole_addresses_or_sections_of_an_rfc(source: str) -> None:
    assert FORM.fullmatch(source)


def test_every_source_is_of_a_row_that_there_is() -> None:
    assert SOURCES.keys() - ROWS == {"form", "issuer", "signature"}


@pytest.mark.parametrize("kind", get_args(FailureKind))
def test_keys_that_cannot_be_had_have_the_fix_that_keys_has(bench: Any, kind: FailureKind) -> None:
    def fetch(request: object) -> Any:
        raise FetchFailed(kind)

    fix = bench.check(bench.explain(bench.issuer.user_token(), fetch=fetch), "signature").finding.fix
    failure = FetchFailed(kind)
    assert fix.startswith(next_step(failure, verdict_of(failure, any_usable=False)))
