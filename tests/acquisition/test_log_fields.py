"""What a log is told of a diagnosis: the meaning, who must act, the first step and support's ids, and no more."""

from __future__ import annotations

from tokenward.acquisition import diagnose
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
