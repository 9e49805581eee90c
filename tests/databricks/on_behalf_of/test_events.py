"""What a log is told when Entra gives no token on behalf of a caller: the catalogue's word, and the ids for support."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from structlog.testing import capture_logs

from tokenward.acquisition import diagnose, entries
from tokenward.challenge import answer as http_answer
from tokenward.databricks.events import TokenExchangeFailed, log_exchange_event
from tokenward.databricks.on_behalf_of.on_behalf_of import OnBehalfOf
from tokenward.errors import AuthenticationError
from tokenward.keys.port import FetchResponse
from tokenward.redaction import MAX_TEXT
from tokenward.testing import LocalIssuer
from tokenward.testing.entra_token_endpoint import EntraTokenEndpoint

Grants = Callable[..., OnBehalfOf]
Carry = Callable[..., object]

UPSTREAM = ("upstream_error", "upstream_meaning", "who_must_act", "first_step", "retry")


def logged(error: AuthenticationError) -> dict[str, Any]:
    with capture_logs() as events:
        log_exchange_event(TokenExchangeFailed("on_behalf_of login.example", 0.1, error))
    (event,) = events
    return dict(event)


@pytest.mark.parametrize(
    ("number", "capabilities"),
    [
        pytest.param(65001, [], id="a refusal"),
        pytest.param(7000215, [], id="a fault of this service's own"),
        pytest.param(50076, ["cp1"], id="a claims challenge"),
    ],
)
def test_the_event_says_what_it_means_who_must_act_and_what_support_asks_for(
    number: int, capabilities: list[str], issuer: LocalIssuer, endpoint: EntraTokenEndpoint, grant: Grants, carry_out: Carry
) -> None:
    endpoint.refuse(number)
    with pytest.raises(AuthenticationError) as failed:
        carry_out(grant(), issuer.user_token(claims={"xms_cc": capabilities}))
    event, entry = logged(failed.value), entries()[f"AADSTS{number}"]
    first = entry.causes[0]
    assert tuple(event[name] for name in UPSTREAM) == (entry.code, entry.meaning, first.who, first.steps[0], entry.retry)
    assert {"upstream_trace_id", "upstream_correlation_id", "upstream_timestamp"} <= event.keys()
    assert all(len(value) <= MAX_TEXT + 3 for value in event.values() if isinstance(value, str))
    found = diagnose(json.dumps(event))[0]
    assert (found.code, found.trace_id) == (entry.code, event["upstream_trace_id"])
    assert not any(word in repr(http_answer(failed.value)) for word in ("AADSTS", entry.meaning, event["upstream_trace_id"]))


def test_a_number_that_nobody_knows_has_the_page_to_look_at(issuer: LocalIssuer, grant: Grants, carry_out: Carry) -> None:
    body = json.dumps({"error": "invalid_grant", "error_codes": [123456789], "error_description": "canary"}).encode()
    with pytest.raises(AuthenticationError) as failed:
        carry_out(grant(), issuer.user_token(), lambda request: FetchResponse(400, {}, body))
    event = logged(failed.value)
    assert event["upstream_look_up"] == "https://login.microsoftonline.com/error?code=123456789"
    assert event["upstream_error"] == "AADSTS123456789"
    assert "canary" not in repr(event)


def test_what_was_refused_before_anybody_was_asked_has_no_upstream_error(
    issuer: LocalIssuer, grant: Grants, carry_out: Carry
) -> None:
    with pytest.raises(AuthenticationError) as refused:
        carry_out(grant(), issuer.app_token())
    assert not any(name.startswith("upstream") for name in logged(refused.value))
