"""Entra's recorded errors, each with its verdict; and answers that are none."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable

import pytest

from tokenward.challenge import answer as http_answer
from tokenward.databricks.on_behalf_of.aadsts import MAX_CLAIMS_CHARS, Problem, explain, read_problem
from tokenward.databricks.on_behalf_of.entra_answer import EntraRefused, EntraUnavailable
from tokenward.databricks.on_behalf_of.on_behalf_of import OnBehalfOf
from tokenward.diagnostics import event_fields
from tokenward.errors import AuthenticationError, ClaimsChallenge, ExchangeRefused, ExchangeUnavailable
from tokenward.keys.port import Fetch, FetchFailed, FetchRequest, FetchResponse
from tokenward.testing import LocalIssuer
from tokenward.testing.entra_errors import SHAPES
from tokenward.testing.entra_token_endpoint import EntraTokenEndpoint

Grants = Callable[..., OnBehalfOf]
Carry = Callable[..., object]

TRACE, CORRELATION = "b72a68c3-0926-4b8e-bc35-3150069c2800", "73d656cf-54b1-4eb2-b429-26d8165a52d7"
POLIDS = '{"access_token":{"polids":{"essential":true,"values":["9ab03e19-ed42-4168-b6b7-7001fb3e933a"]}}}'
IDS = {"timestamp": "2017-05-01 22:43:20Z", "trace_id": TRACE, "correlation_id": CORRELATION}


def said(text: str, separator: str = "\r\n") -> str:
    ids = (f"Trace ID: {TRACE}", f"Correlation ID: {CORRELATION}", "Timestamp: 2017-05-01 22:43:20Z")
    return separator.join((text, *ids))


def error(name: str, code: int, text: str = "canary of a person", separator: str = "\r\n", **more: object) -> dict[str, object]:
    return {"error": name, "error_description": said(f"AADSTS{code}: {text}", separator), "error_codes": [code], **IDS, **more}


REFUSED = "exchange_refused"
UNAVAILABLE = "exchange_unavailable"
RECORDED = [
    pytest.param(400, error("interaction_required", 50079, claims=POLIDS), REFUSED, 50079, id="50079 v1, as in the OBO page"),
    pytest.param(400, error("interaction_required", 50076), REFUSED, 50076, id="50076 v1 without claims"),
    pytest.param(
        400, error("invalid_grant", 50076, separator=" ", suberror="basic_action", claims=POLIDS), REFUSED, 50076, id="50076 v2"
    ),
    pytest.param(400, error("interaction_required", 50158, claims=POLIDS), REFUSED, 50158, id="50158 v1"),
    pytest.param(
        400, error("interaction_required", 53003, suberror="message_only", claims=POLIDS), REFUSED, 53003, id="53003 v1"
    ),
    pytest.param(
        400, error("invalid_grant", 53003, separator=" ", suberror="message_only", claims=POLIDS), REFUSED, 53003, id="53003 v2"
    ),
    pytest.param(400, error("invalid_grant", 65001, suberror="consent_required"), REFUSED, 65001, id="65001"),
    pytest.param(400, error("invalid_grant", 50105, separator=" "), REFUSED, 50105, id="50105"),
    pytest.param(400, error("invalid_grant", 50173, suberror="bad_token"), REFUSED, 50173, id="50173"),
    pytest.param(400, error("invalid_grant", 50000), REFUSED, 50000, id="50000"),
    pytest.param(400, error("invalid_grant", 240002), REFUSED, 240002, id="240002"),
    pytest.param(400, error("invalid_grant", 50013, "Assertion contains an invalid signature."), REFUSED, 50013, id="50013"),
    pytest.param(
        400,
        {
            "error": "invalid_grant",
            "error_description": said(
                "AADSTS70002: Error validating credentials. AADSTS500133: Assertion is not within its time"
            ),
            "error_codes": [70002, 500133],
            **IDS,
        },
        REFUSED,
        500133,
        id="500133 after the general 70002",
    ),
    pytest.param(
        400,
        {
            "error": "invalid_grant",
            "error_description": said("AADSTS70002: Error. AADSTS50013: Assertion audience does not match"),
        },
        REFUSED,
        50013,
        id="50013 without a list of codes",
    ),
    pytest.param(
        400,
        {
            "error_description": said("AADSTS500131: Assertion audience does not match the Client app"),
            "error": "invalid_grant",
            "error_uri": "https://login.microsoftonline.com/error?code=500131",
        },
        REFUSED,
        500131,
        id="500131 with an error_uri and no codes",
    ),
    pytest.param(400, error("unauthorized_client", 7000114), UNAVAILABLE, 7000114, id="7000114"),
    pytest.param(400, error("unauthorized_client", 700016), UNAVAILABLE, 700016, id="700016"),
    pytest.param(401, error("invalid_client", 7000215, separator=" "), UNAVAILABLE, 7000215, id="7000215"),
    pytest.param(401, error("invalid_client", 7000222), UNAVAILABLE, 7000222, id="7000222"),
    pytest.param(401, error("invalid_client", 700024), UNAVAILABLE, 700024, id="700024"),
    pytest.param(401, error("invalid_client", 700027), UNAVAILABLE, 700027, id="700027"),
    pytest.param(401, error("invalid_client", 700213), UNAVAILABLE, 700213, id="700213"),
    pytest.param(400, error("invalid_resource", 500011), UNAVAILABLE, 500011, id="500011"),
    pytest.param(400, error("invalid_scope", 70011), UNAVAILABLE, 70011, id="70011"),
    pytest.param(400, error("invalid_request", 90002), UNAVAILABLE, 90002, id="90002"),
    pytest.param(400, error("invalid_request", 900144), UNAVAILABLE, 900144, id="900144"),
    pytest.param(
        400, {"error": "unsupported_grant_type", "error_description": said("AADB2C90086: canary")}, UNAVAILABLE, None, id="B2C"
    ),
    pytest.param(400, error("temporarily_unavailable", 50196), UNAVAILABLE, 50196, id="50196"),
    pytest.param(429, error("temporarily_unavailable", 90055), UNAVAILABLE, 90055, id="90055 with 429"),
    pytest.param(503, error("invalid_grant", 90033), UNAVAILABLE, 90033, id="a 503 whatever it says"),
    pytest.param(400, error("quite_new", 1), UNAVAILABLE, 1, id="an error that nobody knows"),
    pytest.param(400, {"error": {"code": 7}}, UNAVAILABLE, None, id="an error that is no string"),
    pytest.param(400, error("quite_new", 50076, claims=POLIDS), REFUSED, 50076, id="claims decide, whatever the error"),
    pytest.param(200, error("invalid_grant", 50013), REFUSED, 50013, id="an error under 200"),
]


def answering(status: int, body: bytes, **headers: str) -> Fetch:
    return lambda request: FetchResponse(status, {name.replace("_", "-"): value for name, value in headers.items()}, body)


@pytest.mark.parametrize(("status", "document", "code", "number"), RECORDED)
def test_a_recorded_error_has_its_verdict_by_its_words_and_its_explanation_by_its_number(
    status: int, document: dict[str, object], code: str, number: int | None, issuer: LocalIssuer, grant: Grants, carry_out: Carry
) -> None:
    with pytest.raises(AuthenticationError) as refused:
        carry_out(grant(), issuer.user_token(), answering(status, json.dumps(document).encode()))
    found = refused.value
    assert isinstance(found, (EntraRefused, EntraUnavailable))
    assert found.code == code
    assert found.problem is not None
    assert found.problem.code == number
    assert (explain(number) or f"code={number}") in found.hint if number is not None else found.hint
    told = json.dumps(event_fields(found), default=str) + repr(found) + str(found.__dict__)
    assert "canary" not in told
    assert POLIDS not in json.dumps(event_fields(found), default=str)
    if "trace_id" in document:
        assert TRACE in told
        assert CORRELATION in told


def test_the_verdict_does_not_depend_on_the_number(issuer: LocalIssuer, grant: Grants, carry_out: Carry) -> None:
    for number in (50013, 7000215, 90033, 123456789):
        with pytest.raises(ExchangeRefused):
            carry_out(grant(), issuer.user_token(), answering(400, json.dumps(error("invalid_grant", number)).encode()))
        with pytest.raises(ExchangeUnavailable):
            carry_out(grant(), issuer.user_token(), answering(400, json.dumps(error("invalid_client", number)).encode()))


# -- claims ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "capabilities",
    [
        pytest.param(["cp1"], id="a list"),
        pytest.param(["CP1"], id="in capitals"),
        pytest.param(["other", "cp1"], id="among others"),
        pytest.param("cp1", id="a string"),
    ],
)
@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_a_client_that_can_handle_them_is_given_entras_claims(
    capabilities: object, version: str, issuer: LocalIssuer, endpoint: EntraTokenEndpoint, grant: Grants, carry_out: Carry
) -> None:
    endpoint.refuse(50076, {"access_token": {"polids": {"essential": True, "values": ["ü>?"]}}})
    with pytest.raises(ClaimsChallenge) as challenged:
        carry_out(grant(version=version), issuer.user_token(claims={"xms_cc": capabilities}))
    assert challenged.value.code == "claims_challenge"
    passed = json.loads(base64.b64decode(challenged.value.claims, validate=True))
    assert passed == {"access_token": {"polids": {"essential": True, "values": ["ü>?"]}}}
    sent = http_answer(challenged.value)
    header = dict(sent.headers)["WWW-Authenticate"]
    assert (sent.status, f'claims="{challenged.value.claims}"' in header) == (401, True)
    assert 'error="insufficient_claims"' in header
    assert "AADSTS50076" in challenged.value.actual  # type: ignore[operator]


@pytest.mark.parametrize(
    "capabilities",
    [
        pytest.param([], id="none"),
        pytest.param(["cp2"], id="others"),
        pytest.param(["cp10"], id="one that begins alike"),
        pytest.param("cp1 cp2", id="a string of several"),
        pytest.param({"cp1": True}, id="an object"),
        pytest.param([["cp1"]], id="a nested list"),
        pytest.param(1, id="a number"),
    ],
)
def test_a_client_that_did_not_say_so_is_refused_without_claims_and_the_log_told_why(
    capabilities: object, issuer: LocalIssuer, endpoint: EntraTokenEndpoint, grant: Grants, carry_out: Carry
) -> None:
    endpoint.refuse(50076)
    with pytest.raises(ExchangeRefused) as refused:
        carry_out(grant(), issuer.user_token(claims={"xms_cc": capabilities}))
    assert refused.value.code == "exchange_refused"
    assert "cp1" in refused.value.hint
    assert "claims=" not in dict(http_answer(refused.value).headers)["WWW-Authenticate"]


@pytest.mark.parametrize(
    "claims",
    [
        pytest.param("not json", id="no JSON"),
        pytest.param("[]", id="a list"),
        pytest.param("{}", id="an empty object"),
        pytest.param({"access_token": {}}, id="an object that is no string"),
        pytest.param(json.dumps({"a": "x" * MAX_CLAIMS_CHARS}), id="too long for a header"),
    ],
)
def test_claims_that_no_client_could_use_are_not_passed_down(
    claims: object, issuer: LocalIssuer, grant: Grants, carry_out: Carry
) -> None:
    document = error("interaction_required", 50076, claims=claims)
    with pytest.raises(ExchangeRefused) as refused:
        carry_out(grant(), issuer.user_token(claims={"xms_cc": ["cp1"]}), answering(400, json.dumps(document).encode()))
    assert refused.value.code == "exchange_refused"


# -- answers that are none ---------------------------------------------------------------------------------------------

GOOD: dict[str, object] = {"token_type": "Bearer", "expires_in": 3599, "scope": "s", "access_token": "opaque-token"}


@pytest.mark.parametrize(
    ("status", "body"),
    [
        pytest.param(200, b"", id="empty"),
        pytest.param(200, b"<html>sign in to the network</html>", id="HTML under 200"),
        pytest.param(400, b"<html>Bad Request</html>", id="HTML under 400"),
        pytest.param(401, b"", id="an empty 401"),
        pytest.param(502, b"<html>", id="a gateway's page"),
        pytest.param(302, b"", id="a redirect"),
        pytest.param(200, b"[1]", id="a list"),
        pytest.param(200, b'{"access_token":', id="half an object"),
        pytest.param(200, json.dumps(GOOD | {"access_token": 7}).encode(), id="a token that is a number"),
        pytest.param(200, json.dumps(GOOD | {"access_token": "a b"}).encode(), id="a token with a space"),
        pytest.param(200, json.dumps(GOOD | {"access_token": "a\r\nX: y"}).encode(), id="a token that would end its header"),
        pytest.param(200, json.dumps(GOOD | {"access_token": "x" * 20_000}).encode(), id="a token too long for a header"),
        pytest.param(200, json.dumps(GOOD | {"token_type": "pop"}).encode(), id="another type of token"),
        pytest.param(200, json.dumps(GOOD | {"expires_in": 0}).encode(), id="no life"),
        pytest.param(200, json.dumps(GOOD | {"expires_in": True}).encode(), id="a life that is a boolean"),
        pytest.param(200, json.dumps(GOOD | {"expires_in": "soon"}).encode(), id="a life in words"),
        pytest.param(201, json.dumps(GOOD).encode(), id="another status"),
    ],
)
def test_an_answer_that_says_nothing_is_no_verdict_on_the_caller(
    status: int, body: bytes, issuer: LocalIssuer, grant: Grants, carry_out: Carry
) -> None:
    with pytest.raises(ExchangeUnavailable) as unavailable:
        carry_out(grant(), issuer.user_token(), answering(status, body))
    assert (unavailable.value.code, unavailable.value.status) == ("exchange_unavailable", 503)
    assert (unavailable.value.retry_after or 0) >= 1


def test_the_callers_own_token_is_never_taken_for_the_new_one(issuer: LocalIssuer, grant: Grants, carry_out: Carry) -> None:
    token = issuer.user_token()
    with pytest.raises(ExchangeUnavailable):
        carry_out(grant(), token, answering(200, json.dumps(GOOD | {"access_token": token}).encode()))


@pytest.mark.parametrize(
    ("outcomes", "calls"),
    [
        pytest.param([(400, {})], 1, id="400 is never asked again"),
        pytest.param([(401, {})], 1, id="nor 401"),
        pytest.param([(500, {})], 1, id="nor 500"),
        pytest.param([(503, {})] * 9, 3, id="503 twice more"),
        pytest.param([(429, {"retry-after": "2"})] * 9, 3, id="429 twice more"),
        pytest.param(["connect"] * 9, 3, id="no connection twice more"),
        pytest.param(["read"] * 9, 1, id="a broken answer is not asked for again"),
    ],
)
def test_a_request_is_repeated_only_where_nothing_was_decided(
    outcomes: list[str | tuple[int, dict[str, str]]], calls: int, issuer: LocalIssuer, grant: Grants, carry_out: Carry
) -> None:
    asked: list[FetchRequest] = []

    def fetch(request: FetchRequest) -> FetchResponse:
        asked.append(request)
        outcome = outcomes[len(asked) - 1]
        if isinstance(outcome, str):
            raise FetchFailed(outcome)  # type: ignore[arg-type]
        return FetchResponse(*outcome, b"")

    with pytest.raises(ExchangeUnavailable):
        carry_out(grant(), issuer.user_token(), fetch)
    assert len(asked) == calls


def test_a_retry_after_reaches_the_caller(issuer: LocalIssuer, grant: Grants, carry_out: Carry) -> None:
    body = json.dumps(error("temporarily_unavailable", 90055)).encode()
    with pytest.raises(ExchangeUnavailable) as unavailable:
        carry_out(grant(), issuer.user_token(), answering(400, body, retry_after="7"))
    assert unavailable.value.retry_after == 7


# -- reading -----------------------------------------------------------------------------------------------------------


def test_only_words_ids_and_numbers_of_an_error_are_kept() -> None:
    document = {
        "error": "evil\nline",
        "suberror": "x" * 65,
        "error_codes": [True, -1, "50013", 50013, 50013, 10**12, *range(1, 40)],
        "trace_id": "not an id",
        "correlation_id": CORRELATION,
        "timestamp": "now",
        "claims": 7,
    }
    problem = read_problem(document)
    assert problem == Problem("unreadable", "unreadable", (50013, 1, 2, 3, 4, 5, 6, 7), None, None, CORRELATION, None)


def test_the_trace_id_may_come_from_the_header() -> None:
    problem = read_problem({"error": "invalid_grant"}, TRACE)
    assert problem is not None
    assert problem.trace_id == TRACE
    assert problem.shown() == ("invalid_grant", f"trace_id={TRACE}")
    assert read_problem({"access_token": "x"}) is None


def test_claims_that_have_no_utf_8_are_not_kept() -> None:
    assert read_problem({"error": "interaction_required", "claims": '{"a":"\ud800"}'}) == Problem("interaction_required")


@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("number", sorted(SHAPES))
def test_the_stand_in_tells_each_of_its_errors_as_entra_does(
    number: int, version: str, issuer: LocalIssuer, endpoint: EntraTokenEndpoint, grant: Grants, carry_out: Carry
) -> None:
    endpoint.refuse(number)
    with pytest.raises(AuthenticationError) as refused:
        carry_out(grant(version=version), issuer.user_token())
    found = refused.value
    assert isinstance(found, (EntraRefused, EntraUnavailable))
    assert found.problem is not None
    assert found.problem.code == number
    assert None not in (found.problem.trace_id, found.problem.correlation_id, found.problem.timestamp)
    shape = SHAPES[number]
    assert found.problem.error == ((shape.v1_error if version == "1.0" else None) or shape.error)
