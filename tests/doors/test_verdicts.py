"""One table of requests and what every front door answers to them."""

from __future__ import annotations

from typing import Any

import pytest

MISSING = "Bearer"
INVALID = 'Bearer error="invalid_token", error_description="The access token is invalid"'
EXPIRED = 'Bearer error="invalid_token", error_description="The access token expired"'
SEVERAL = 'Bearer error="invalid_request", error_description="More than one set of credentials was sent"'
MALFORMED = 'Bearer error="invalid_request", error_description="The Authorization header is malformed"'
SCOPE = 'Bearer error="insufficient_scope", error_description="The access token lacks a required scope", scope="jobs.read"'


def wrong(text: bytes) -> Any:
    return lambda doors: [text]


REFUSED = [
    pytest.param(lambda doors: [], 401, "missing_token", MISSING, id="no header"),
    pytest.param(wrong(b"Basic dXNlcjpwYXNz"), 401, "missing_token", MISSING, id="another scheme"),
    pytest.param(wrong(b"Bearer abc.def"), 401, "malformed_token", INVALID, id="garbage"),
    pytest.param(wrong(b"Bearer"), 400, "invalid_authorization", MALFORMED, id="no token"),
    pytest.param(wrong(b""), 400, "invalid_authorization", MALFORMED, id="an empty header"),
    pytest.param(wrong(b"Bearer two words"), 400, "invalid_authorization", MALFORMED, id="two words"),
    pytest.param(wrong(b"Bearer \xff\xfe\x80"), 400, "invalid_authorization", MALFORMED, id="bytes that are not UTF-8"),
    pytest.param(wrong(b"Bearer a\x00b\x01c"), 400, "invalid_authorization", MALFORMED, id="control bytes"),
    pytest.param(wrong("Bearer \u0142\u00f3d\u017a".encode()), 400, "invalid_authorization", MALFORMED, id="UTF-8"),
    pytest.param(lambda doors: [doors.bearer()] * 2, 400, "multiple_tokens", SEVERAL, id="the header twice"),
    pytest.param(lambda doors: [b"Basic eA==", doors.bearer()], 400, "multiple_tokens", SEVERAL, id="two schemes"),
    pytest.param(lambda doors: [b",".join([doors.bearer()] * 2)], 400, "multiple_tokens", SEVERAL, id="joined with a comma"),
    pytest.param(lambda doors: [b"Basic eA==, " + doors.bearer()], 400, "multiple_tokens", SEVERAL, id="two schemes joined"),
    pytest.param(lambda doors: [doors.bearer(lifetime=-60)], 401, "token_expired", EXPIRED, id="an expired token"),
    pytest.param(
        lambda doors: [doors.bearer(key=doors.issuer.stranger_key())], 401, "signature_invalid", INVALID, id="a forged signature"
    ),
    pytest.param(lambda doors: [doors.bearer(scopes=["other"])], 403, "insufficient_scope", SCOPE, id="a scope too few"),
    pytest.param(wrong(b"Bearer " + b"a" * 20_000), 401, "token_too_large", INVALID, id="a token too large"),
]


@pytest.mark.parametrize(("header", "status", "code", "challenge"), REFUSED)
def test_every_door_gives_the_same_refusal(
    doors: Any, any_door: str, header: Any, status: int, code: str, challenge: str
) -> None:
    guarded = doors.open(any_door)
    assert guarded.ask(doors.bearer()).status == 200  # so that the keys are known
    reply = guarded.ask(*header(doors))
    assert (reply.status, guarded.codes) == (status, [code])
    assert reply.values("www-authenticate") == [challenge]
    assert reply.values("content-type") == ["application/json"]
    assert reply.values("content-length") == [str(len(reply.body))]
    assert reply.values("cache-control") == ["no-store"]
    assert set(reply.seen) == {"error", "error_description"}


def test_a_good_token_puts_identity_and_claims_on_the_request(doors: Any, any_door: str) -> None:
    guarded = doors.open(any_door)
    reply = guarded.ask(doors.bearer())
    assert reply.status == 200
    assert reply.seen["identity"] == {"subject": reply.seen["claims"]["sub"], "kind": "user", "scopes": ["jobs.read"]}
    assert reply.seen["claims"]["tid"] == doors.issuer.tenant
    assert guarded.codes == []


@pytest.mark.parametrize("scheme", [b"Bearer ", b"bearer ", b"BEARER   "])
def test_the_scheme_is_case_insensitive(doors: Any, any_door: str, scheme: bytes) -> None:
    assert doors.open(any_door).ask(scheme + doors.bearer()[7:]).status == 200


def test_a_realm_is_part_of_every_challenge(doors: Any, any_door: str) -> None:
    guarded = doors.open(any_door, realm="jobs")
    assert guarded.ask().values("www-authenticate") == ['Bearer realm="jobs"']


def test_without_keys_the_answer_is_503_and_when_to_come_back(doors: Any, any_door: str) -> None:
    doors.issuer.fail("status", status=500)
    guarded = doors.open(any_door)
    reply = guarded.ask(doors.bearer())
    assert (reply.status, guarded.codes) == (503, ["keys_unavailable"])
    assert int(reply.values("retry-after")[0]) >= 1
    assert reply.values("www-authenticate") == []


def test_a_refused_head_has_headers_and_no_body(doors: Any, any_door: str) -> None:
    guarded = doors.open(any_door)
    reply = guarded.ask(method="HEAD")
    assert (reply.status, reply.body) == (401, b"")
    assert int(reply.values("content-length")[0]) == len(guarded.ask().body)
    assert guarded.ask(doors.bearer(), method="HEAD").status == 200


def test_a_rejection_is_logged_with_its_request_and_without_the_token(doors: Any, any_door: str) -> None:
    guarded = doors.open(any_door)
    token = doors.bearer(lifetime=-60)
    guarded.ask(token, path="/jobs/7", method="HEAD")
    [event] = guarded.events
    assert (event["event"], event["method"], event["path"]) == ("token_rejected", "HEAD", "/jobs/7")
    assert event["hint"]
    assert token.decode()[7:] not in repr(event)


def test_an_expired_token_is_not_explained_before_its_signature_held(doors: Any, any_door: str) -> None:
    guarded = doors.open(any_door)
    assert guarded.ask(doors.bearer(lifetime=-60)).values("www-authenticate") == [INVALID]
    assert doors.issuer.requests == []


def test_keys_are_fetched_once_for_many_requests(doors: Any, any_door: str) -> None:
    guarded = doors.open(any_door)
    first = guarded.ask(doors.bearer())
    asked = list(doors.issuer.requests)
    assert first.status == 200
    assert asked
    assert [guarded.ask(doors.bearer()).status for _ in range(3)] == [200] * 3
    assert doors.issuer.requests == asked


OUTAGE = [
    pytest.param({}, 503, id="a token that would pass"),
    pytest.param({"key": "stranger"}, 503, id="one by a key that nobody can ask for"),
    pytest.param({"audience": "api://another"}, 401, id="another audience"),
    pytest.param({"lifetime": -60}, 401, id="expired"),
]


@pytest.mark.parametrize(("minted", "status"), OUTAGE)
def test_during_an_outage_only_a_token_whose_claims_would_pass_is_answered_503(
    doors: Any, any_door: str, minted: Any, status: int
) -> None:
    """So 503 tells which claims are accepted (SECURITY.md says so), and a stray token costs the issuer nothing."""
    doors.issuer.fail("status", status=500)
    if "key" in minted:
        minted = {"key": doors.issuer.stranger_key()}
    reply = doors.open(any_door).ask(doors.bearer(**minted))
    assert reply.status == status
    assert reply.values("www-authenticate") == ([INVALID] if status == 401 else [])
    assert bool(doors.issuer.requests) == (status == 503)


UNPROVED = [
    pytest.param(lambda doors: doors.bearer(lifetime=-60), id="expired"),
    pytest.param(lambda doors: doors.bearer(audience="api://another"), id="another audience"),
    pytest.param(lambda doors: doors.bearer(claims={"iss": "https://evil.example/"}), id="another issuer"),
    pytest.param(lambda doors: doors.bearer(scopes=[]), id="a scope too few"),
    pytest.param(lambda doors: doors.bearer(), id="nothing else is wrong"),
]


@pytest.mark.parametrize("token", UNPROVED)
def test_until_the_signature_held_every_refusal_is_the_same_answer_to_the_byte(doors: Any, any_door: str, token: Any) -> None:
    """With another key's signature, and the issuer's keys in hand."""
    guarded = doors.open(any_door)
    assert guarded.ask(doors.bearer()).status == 200
    forged = token(doors).rpartition(b".")[0] + b"." + doors.bearer(claims={"other": 1}).rpartition(b".")[2]
    reply, garbage = guarded.ask(forged), guarded.ask(b"Bearer garbage")
    assert (reply.status, reply.headers, reply.body) == (garbage.status, garbage.headers, garbage.body)
    assert reply.values("www-authenticate") == [INVALID]
