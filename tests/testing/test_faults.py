"""Each fault, as the real fetchers and the real reading of keys see it: the same in process and over HTTP."""

from __future__ import annotations

import pytest

from tokenward.keys.loading import Loaded, load
from tokenward.keys.location import JwksUri
from tokenward.keys.port import Fetch, FetchFailed
from tokenward.testing import LocalIssuer
from tokenward.testing.faults import MODES

FAILURES = {
    "status": "status",
    "slow": "timeout",
    "reset": "read",
    "html": "not_json",
    "empty": "no_keys",
    "garbage": "not_json",
    "redirect": "redirect",
    "too_large": "too_large",
    "down": "connect",
}


def loaded(issuer: LocalIssuer, fetch: Fetch, timeout: float = 5.0) -> Loaded:
    """The issuer's keys, by one GET. Raises FetchFailed."""
    url = f"{issuer.origin}/common/discovery/v2.0/keys"
    loading = load(JwksUri(url), None, mono=0.0, timeout=timeout, no_cache=False)
    try:
        loading.send(fetch(next(loading)))
    except StopIteration as done:
        result: Loaded = done.value
        return result
    pytest.fail("a JWKS at a fixed address takes one request")


def failure(issuer: LocalIssuer, fetch: Fetch, timeout: float = 5.0) -> FetchFailed:
    with pytest.raises(FetchFailed) as raised:
        loaded(issuer, fetch, timeout)
    return raised.value


def test_every_fault_has_its_row_here() -> None:
    assert set(FAILURES) == set(MODES)


@pytest.mark.parametrize(("mode", "kind"), FAILURES.items(), ids=FAILURES)
def test_a_fault_fails_a_fetch_in_its_own_way_until_recovery(issuer: LocalIssuer, fetch: Fetch, mode: str, kind: str) -> None:
    assert len(loaded(issuer, fetch).keyset) == 1
    issuer.fail(mode)  # type: ignore[arg-type]
    assert failure(issuer, fetch, timeout=0.3 if mode == "slow" else 5.0).kind == kind
    issuer.recover()
    assert len(loaded(issuer, fetch).keyset) == 1


def test_a_failing_status_and_its_retry_after_are_as_told(issuer: LocalIssuer, fetch: Fetch) -> None:
    issuer.fail("status", status=429, retry_after=17)
    failed = failure(issuer, fetch)
    assert (failed.status, failed.retry_after) == (429, 17.0)
    issuer.fail("status")
    failed = failure(issuer, fetch)
    assert (failed.status, failed.retry_after) == (503, None)


def test_a_slow_answer_within_the_time_limit_is_a_good_one(issuer: LocalIssuer, fetch: Fetch) -> None:
    issuer.fail("slow", seconds=0.05)
    assert len(loaded(issuer, fetch, timeout=5.0).keyset) == 1


def test_one_fault_replaces_the_other(issuer: LocalIssuer, fetch: Fetch) -> None:
    issuer.fail("down")
    issuer.fail("html")
    assert failure(issuer, fetch).kind == "not_json"


def test_a_fault_spoils_discovery_too(issuer: LocalIssuer) -> None:
    issuer.fail("html")
    answer = issuer.answer("/common/.well-known/openid-configuration")
    assert answer.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param({"mode": "explode"}, id="unknown mode"),
        pytest.param({"mode": []}, id="mode that is no string"),
        pytest.param({"mode": "slow", "seconds": -1}, id="negative delay"),
        pytest.param({"mode": "slow", "seconds": "2"}, id="delay that is no number"),
        pytest.param({"mode": "status", "status": 99}, id="status below 200"),
        pytest.param({"mode": "status", "retry_after": -1}, id="negative retry"),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused_and_changes_nothing(issuer: LocalIssuer, wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # each has its own text
        issuer.fail(**wrong)  # type: ignore[arg-type]
    assert issuer.fault is None
