"""The refusals of the gateway: a closed set of codes, an answer that teaches a stranger nothing, and the mark."""

from __future__ import annotations

import json

import pytest

from tokenward.challenge import Answer
from tokenward.databricks.admission.refusals import (
    CODES,
    GatewayRefusal,
    MethodNotAllowed,
    RequestMalformed,
    answer_of,
    marked,
)

STATUSES = {
    "request_malformed": 400,
    "path_malformed": 400,
    "path_not_allowed": 403,
    "method_not_allowed": 405,
    "client_timeout": 408,
    "too_many_requests": 429,
    "fields_too_large": 431,
    "upgrade_not_allowed": 501,
    "upstream_unavailable": 502,
    "private_link_required": 502,
    "draining": 503,
    "gateway_busy": 503,
    "upstream_timeout": 504,
}


def test_the_codes_are_a_closed_set() -> None:
    assert {code: kind.status for code, kind in CODES.items()} == STATUSES


@pytest.mark.parametrize("code", sorted(STATUSES))
def test_an_answer_names_the_code_and_nothing_of_what_was_seen(code: str) -> None:
    refusal = CODES[code]("a reason", expected="some-expectation", seen="some-secret")
    answer = answer_of(refusal)
    assert answer.status == STATUSES[code]
    assert json.loads(answer.body) == {"error": code, "error_description": refusal.public_description}
    headers = dict(answer.headers)
    assert headers["Cache-Control"] == "no-store"
    assert headers["Content-Length"] == str(len(answer.body))
    assert "WWW-Authenticate" not in headers
    assert "secret" not in f"{answer} {refusal} {refusal!r}"
    assert "expectation" not in f"{answer} {refusal} {refusal!r}"


@pytest.mark.parametrize("kind", CODES.values(), ids=CODES)
def test_every_refusal_has_a_hint_and_a_sentence(kind: type[GatewayRefusal]) -> None:
    assert kind.hint.endswith((".", "?"))
    assert kind.public_description
    assert str(kind()) == kind.code
    assert str(kind("why")) == f"{kind.code}: why"


def test_a_refusal_may_have_a_hint_of_its_own() -> None:
    own, usual = RequestMalformed("why", hint="Do this."), RequestMalformed("why")
    assert (own.hint, usual.hint) == ("Do this.", RequestMalformed.hint)
    assert "Do this" not in f"{own} {answer_of(own)}"


def test_what_was_seen_is_cut_and_escaped_for_the_log() -> None:
    refusal = CODES["path_not_allowed"](seen=b"\x1b[31m\n" + b"x" * 5000)
    assert isinstance(refusal.seen, str)
    assert len(refusal.seen) < 300
    assert refusal.seen.isprintable()


def test_a_refused_method_is_answered_with_those_that_there_are() -> None:
    assert ("Allow", "GET, POST") in answer_of(MethodNotAllowed(allow=("GET", "POST"))).headers
    assert ("Allow", "") in answer_of(MethodNotAllowed()).headers


@pytest.mark.parametrize("code", sorted(CODES))
def test_retry_after_is_told_where_waiting_helps(code: str) -> None:
    sent = dict(answer_of(CODES[code]()).headers).get("Retry-After")
    assert sent == ("1" if code in ("draining", "gateway_busy", "too_many_requests") else None)


def test_a_mark_is_there_once() -> None:
    answer = marked(marked(Answer(401, (("Content-Type", "x"), ("tokenward-refused", "old")), b"body"), "first"), "invalid_token")
    assert answer == Answer(401, (("Content-Type", "x"), ("Tokenward-Refused", "invalid_token")), b"body")
