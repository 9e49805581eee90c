"""What a log is told of a diagnosis: the meaning, who must act, the first step and support's ids, and no more."""

from __future__ import annotations

import pytest

from tokenward.acquisition import diagnose, entries
from tokenward.acquisition.diagnosis import of_code

TRACE = "0a1b2c3d-1111-4222-8333-444455556666"


def test_a_known_error_is_told_with_its_first_step_and_ids() -> None:
    (found,) = diagnose(f"AADSTS7000215: canary Trace ID: {TRACE} Timestamp: 2026-01-09 02:02:12Z")
    assert found.log_fields() == {
        "upstream_error": "AADSTS7000215",
        "upstream_meaning": "The client secret is not one of this application's.",
        "who_must_act": "operator",
        "likely_cause": "The secret's ID was copied instead of its value.",
        "first_step": "Make a new secret and copy its value, or use a certificate.",
        "retry": "after_fix",
        "upstream_trace_id": TRACE,
        "upstream_timestamp": "2026-01-09 02:02:12Z",
    }


def test_an_unknown_error_is_told_with_the_page_to_look_at() -> None:
    address = "https://login.microsoftonline.com/error?code=1234567"
    assert of_code("AADSTS1234567").log_fields() == {"upstream_error": "AADSTS1234567", "upstream_look_up": address}


GENERAL = [
    pytest.param("AADSTS50000", id="causes of different people, and the text does not say which"),
    pytest.param("AADSTS650056", id="a registration that does not fit in one of several ways"),
    pytest.param("AADSTS500011", id="a resource that is missing, or misspelt"),
    pytest.param("databricks_audience_invalid", id="two places that may be wrong"),
    pytest.param("AADSTS70002", id="the number in front of a more exact one"),
    pytest.param("invalid_grant", id="a general word of OAuth"),
    pytest.param("exchange_refused", id="what follows from another error"),
]


@pytest.mark.parametrize("code", GENERAL)
def test_of_a_general_error_nobody_is_told_to_act_as_it_would_be_a_guess(code: str) -> None:
    entry = entries()[code]
    assert of_code(code).log_fields() == {"upstream_error": code, "upstream_meaning": entry.meaning, "retry": entry.retry}


@pytest.mark.parametrize("code", ["AADSTS65001", "AADSTS700027", "AADSTS50076", "databricks_token_invalid"])
def test_of_any_other_the_first_cause_is_told(code: str) -> None:
    first = entries()[code].causes[0]
    told = of_code(code).log_fields()
    assert (told["who_must_act"], told["likely_cause"], told["first_step"]) == (first.who, first.cause, first.steps[0])
