"""A clock that differs is told the same by everything that sees it: as the seconds that this machine is ahead."""

from __future__ import annotations

from email.utils import formatdate

import pytest

from tokenward import entra
from tokenward.keys.port import FetchRequest, FetchResponse
from tokenward.testing import HandClock, LocalIssuer
from tokenward.troubleshoot import explain, keys_of
from tokenward.troubleshoot.surroundings.clock import MAX_SKEW, clock, moment_of


@pytest.mark.parametrize(
    ("ahead", "skew"),
    [
        pytest.param(101.0, 100.0, id="ahead"),
        pytest.param(-100.0, -100.0, id="behind"),
        pytest.param(MAX_SKEW + 1, MAX_SKEW, id="at the bound"),
        pytest.param(0.0, 0.0, id="right"),
    ],
)
def test_explain_keys_and_doctor_tell_one_difference_of_clocks(issuer: LocalIssuer, ahead: float, skew: float) -> None:
    server = 1_800_000_000.0
    wall = HandClock(server + ahead)

    def fetch(request: FetchRequest) -> FetchResponse:
        answer = issuer.fetch(request)
        return FetchResponse(answer.status, {**answer.headers, "date": formatdate(server, usegmt=True)}, answer.body)

    policy = entra.api(issuer.client_id, [issuer.tenant], cloud=issuer.cloud)
    explained = explain(issuer.user_token(now=wall()), policy, clock=wall, fetch=fetch)
    published = keys_of(policy.issuers[0], fetch=fetch, clock=wall)
    (seen,) = clock(moment_of(fetch(FetchRequest(policy.issuers[0].location.name, 10.0)).headers, wall(), wall()))
    assert published.discovery is not None
    assert published.jwks is not None
    told = [explained.clock_skew, explained.to_json()["clock_skew"], published.discovery.skew, published.jwks.skew]
    assert told == [skew] * 4
    assert [seen.held, *("clock" in note for note in explained.notes)] == ([False, True] if abs(skew) > MAX_SKEW else [True])
    assert ("clock_skew" in {caution.name for caution in published.cautions}) is (abs(skew) > MAX_SKEW)
    texts = [str(seen.seen), *explained.notes, *(one.seen for one in published.cautions if one.name == "clock_skew")]
    words = "ahead of" if skew > 0 else "behind"
    assert [text for text in texts if skew and f"machine's clock is {abs(skew):.0f} s {words}" not in text] == []
