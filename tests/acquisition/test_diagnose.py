"""Errors are found in whatever a person has at hand, and nothing else of it comes out again."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenward.acquisition import diagnose
from tokenward.acquisition.diagnose import MAX_DIAGNOSES, diagnose_all

TRACE = "0a1b2c3d-1111-4222-8333-444455556666"
CORRELATION = "1a1b2c3d-1111-4222-8333-444455556666"
TIME = "2026-01-09 02:02:12Z"
OTHER = "9a1b2c3d-1111-4222-8333-444455556666"
TEXT = f"AADSTS500133: Assertion is over.\r\nTrace ID: {TRACE}\r\nCorrelation ID: {CORRELATION}\r\nTimestamp: {TIME}"
ONE_LINE = f"AADSTS500133: Assertion is over. Trace ID: {TRACE} Correlation ID: {CORRELATION} Timestamp: {TIME}"
ANSWER: dict[str, object] = {
    "error": "invalid_grant",
    "error_description": TEXT,
    "error_codes": [500133],
    "timestamp": TIME,
    "trace_id": TRACE,
    "correlation_id": CORRELATION,
    "suberror": "bad_token",
}
JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJl"


def codes(text: str | bytes | Mapping[str, object]) -> list[str]:
    return [diagnosis.code for diagnosis in diagnose(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("AADSTS65001", ["AADSTS65001"], id="a code"),
        pytest.param(" aadsts65001: text", ["AADSTS65001"], id="in lower case"),
        pytest.param("65001", ["AADSTS65001"], id="its number alone"),
        pytest.param("50011\nAADSTS65001\n50000", ["AADSTS50011", "AADSTS65001", "AADSTS50000"], id="one per line, in order"),
        pytest.param(b"\xff AADSTS65001", ["AADSTS65001"], id="bytes that are no UTF-8"),
        pytest.param("https://login.microsoftonline.com/error?code=65001", ["AADSTS65001"], id="the look-up address"),
        pytest.param("x-ms-clitelem: 1,500133,0,,", ["AADSTS500133"], id="the telemetry header"),
        pytest.param('"error_codes":[70002, 70000]', ["AADSTS70000", "AADSTS70002"], id="a list, whose general code is last"),
        pytest.param(r"{\"error_codes\":[65001]}", ["AADSTS65001"], id="JSON within JSON"),
        pytest.param("invalid_grant", ["invalid_grant"], id="an OAuth error"),
        pytest.param("Error=INVALID_CLIENT&x=1", ["invalid_client"], id="an OAuth error in a form"),
        pytest.param(
            "The user or administrator has not consented to use the application with ID <client-id>.",
            ["AADSTS65001"],
            id="the text about consent without its code",
        ),
        pytest.param(
            "The reply URL specified in the request does not match the reply URLs configured for the application: 'x'",
            ["AADSTS50011"],
            id="the text about reply URLs without its code",
        ),
        pytest.param(
            '{"error":"invalid_grant","error_description":"Failed to process token: TOKEN_INVALID (Ensure a valid ...)"}',
            ["databricks_token_invalid", "invalid_grant"],
            id="no federation policy",
        ),
        pytest.param(
            '{"error_code":403,"message":"Invalid access token."}', ["databricks_invalid_access_token"], id="a refused PAT"
        ),
        pytest.param(
            {"error_code": 403, "message": "Invalid access token."}, ["databricks_invalid_access_token"], id="as object"
        ),
        pytest.param("AADSTS7000215", ["AADSTS7000215"], id="a code that begins as another"),
        pytest.param("AADSTS700021: x", ["AADSTS700021"], id="a code that others begin with"),
        pytest.param("AADSTS 65001 or aadsts-50011", ["AADSTS65001", "AADSTS50011"], id="with a blank or a hyphen"),
        pytest.param("AADSTS50000.1", ["AADSTS50000"], id="with a number behind it"),
        pytest.param("error code: 50011", ["AADSTS50011"], id="as an error code"),
        pytest.param('{"sErrorCode":"50105"}', ["AADSTS50105"], id="in the script of Entra's page"),
        pytest.param("error code: 10054", [], id="another system's error code"),
        pytest.param("AADB2C90118: forgot", ["AADB2C90118"], id="a code of B2C"),
        pytest.param("Error 403 User not authorized.", ["databricks_user_not_authorized"], id="a user that a workspace lacks"),
        pytest.param(
            "ValueError: default auth: cannot configure default credentials, please check https://docs.databricks.com/",
            ["databricks_sdk_no_credentials"],
            id="Databricks' SDK without credentials",
        ),
        pytest.param(
            "DefaultAzureCredential failed to retrieve a token from the included credentials.",
            ["azure_identity_no_credential"],
            id="azure-identity without a credential",
        ),
        pytest.param(
            "CredentialUnavailableError: ManagedIdentityCredential authentication unavailable, no response",
            ["azure_identity_managed_identity_unavailable"],
            id="no managed identity",
        ),
        pytest.param(
            "ValueError: Unable to get authority configuration for https://login.microsoftonline.com/x.",
            ["msal_no_authority_configuration"],
            id="MSAL without the authority's metadata",
        ),
        pytest.param("IDX10501: Signature validation failed.", ["IDX10501"], id="a key that .NET has not"),
        pytest.param("IDX10214: Audience validation failed.", ["IDX10214"], id="an audience that .NET refuses"),
        pytest.param(
            '{"error":"invalid_grant","error_description":"Token exchange failed: no federation policy found"}',
            ["databricks_token_invalid", "invalid_grant"],
            id="no federation policy, in other words",
        ),
        pytest.param(b"A\0A\0D\0S\0T\0S\0006\0005\0000\0000\0001\0", ["AADSTS65001"], id="UTF-16, as PowerShell writes"),
        pytest.param("audience_not_accepted", ["audience_not_accepted"], id="a code of tokenward"),
        pytest.param(
            '{"code": "exchange_refused", "seen": ["invalid_grant", "AADSTS65001"], "docs": "docs/codes.md#exchange_refused"}',
            ["AADSTS65001", "exchange_refused", "invalid_grant"],
            id="tokenward's event, in which what Entra said comes first",
        ),
        pytest.param(
            "code=unknown_key\n" + "code=token_expired\n" * 2, ["token_expired", "unknown_key"], id="the most frequent first"
        ),
        pytest.param("path_not_allowed", ["path_not_allowed"], id="a code of the gateway"),
        pytest.param("draining", ["draining"], id="a code of one word, alone"),
        pytest.param("the gateway is draining", [], id="its word in a sentence"),
        pytest.param(
            '{"event": "request_refused", "code": "draining", "docs": "https://wiki.example/#draining"}',
            ["draining"],
            id="in JSON",
        ),
        pytest.param("request_refused code=draining status=503", ["draining"], id="in a line for people"),
        pytest.param("HTTP/1.1 503\ntokenward-refused: draining\n", ["draining"], id="in an answer's headers"),
        pytest.param("insufficient_claims", ["insufficient_claims"], id="the error of a claims challenge"),
        pytest.param(
            'HTTP/1.1 401\nWWW-Authenticate: Bearer error="insufficient_claims", claims="eyJhY2Nlc3NfdG9rZW4iOnt9fQ=="',
            ["insufficient_claims"],
            id="a claims challenge",
        ),
        pytest.param(
            "Error 403 Token is expiring within 30 seconds. (token expired)",
            ["databricks_token_expiring"],
            id="a token that is about to end",
        ),
        pytest.param(
            {"error_code": 403, "message": "Token is expiring within 30 seconds. (token expired)"},
            ["databricks_token_expiring"],
            id="the same as object",
        ),
        pytest.param("DEBUG Token is expiring within 30 seconds, renewing it", [], id="a client that watches its token"),
        pytest.param(
            "Expected aud claim to be: 2ff814a6-3304-4ab8-85cb-cd0e6f879c1d, but was: https://management.core.windows.net/.",
            ["databricks_wrong_audience"],
            id="another audience, without the class of the exception",
        ),
        pytest.param(
            "IncorrectClaimException: Expected aud claim to be: api://orders, but was: x.",
            [],
            id="an audience of another service",
        ),
        pytest.param("io.jsonwebtoken.ExpiredJwtException: JWT expired", ["databricks_expired_jwt"], id="Java's exception"),
        pytest.param(
            "POST https://example.cloud.databricks.com/ai-gateway/codex/v1 -> 401 Invalid Token",
            ["databricks_ai_gateway_token"],
            id="a token that the AI gateway refuses",
        ),
        pytest.param("Databricks AI Gateway: Invalid Token", ["databricks_ai_gateway_token"], id="the same by its name"),
        pytest.param("databricks: SyntaxError: invalid token '<'", [], id="a token of a language, beside Databricks' name"),
        pytest.param("AI Gateway of another cloud: Invalid Token", [], id="another vendor's gateway"),
        pytest.param(
            {"error_code": 401, "message": "Invalid credentials"}, ["databricks_invalid_credentials"], id="wrong credentials"
        ),
        pytest.param("Invalid credentials", [], id="wrong credentials of anything"),
        pytest.param(
            {
                "error": "unsupported_grant_type",
                "error_description": "AADB2C90086: The supplied grant_type [urn:ietf:params:oauth:grant-type:jwt-bearer] is not.",
            },
            ["AADB2C90086", "unsupported_grant_type"],
            id="on behalf of a user, at B2C",
        ),
        pytest.param(
            '429 with body: {"error":"invalid_request","error_description":"Temporarily throttled, too many requests"}',
            ["managed_identity_throttled", "invalid_request"],
            id="a managed identity that asks too often",
        ),
        pytest.param("HTTP 429 Too Many Requests", ["http_429"], id="too many requests"),
        pytest.param("429 Client Error: Too Many Requests for url: https://x", ["http_429"], id="the same from a client"),
        pytest.param("HTTP/2 429\nretry-after: 3", ["http_429"], id="the same without its words"),
        pytest.param("HTTP/1.1 200\ncontent-length: 429", [], id="the number for something else"),
        pytest.param("Token is expired", [], id="a text that others use too"),
        pytest.param("invalid_grants my-invalid_grant", [], id="other words"),
        pytest.param("took 65001 ms", [], id="a number in a sentence"),
        pytest.param("", [], id="nothing"),
        pytest.param({}, [], id="an empty object"),
    ],
)
def test_errors_are_found_in_whatever_is_given(text: str | bytes | Mapping[str, object], expected: list[str]) -> None:
    assert codes(text) == expected


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(TEXT, id="a text of lines"),
        pytest.param(ONE_LINE, id="a text in one line"),
        pytest.param(json.dumps({"error_description": ONE_LINE}), id="an answer"),
        pytest.param(json.dumps({"error_description": TEXT}, indent=2), id="an answer in lines"),
        pytest.param(json.dumps({"log": json.dumps(ANSWER)}), id="an answer in a log event"),
        pytest.param(f"2026-01-09 ERROR {json.dumps(ANSWER, indent=2)}\n2026-01-09 INFO done", id="an answer in a log"),
        pytest.param(ANSWER, id="an object"),
        pytest.param({"outer": [{"inner": ANSWER}]}, id="an object in an object"),
        pytest.param(
            f"error_description=AADSTS500133%3a+no%0d%0aTrace+ID%3a+{TRACE}%0d%0aCorrelation+ID%3a+{CORRELATION}"
            f"%0d%0aTimestamp%3a+{TIME.replace(' ', '+').replace(':', '%3a')}&state=x",
            id="the address of a redirect",
        ),
        pytest.param(
            f"AADSTS500133: no\n\nTroubleshooting details\nRequest Id: {TRACE}\nCorrelation Id: {CORRELATION}\n"
            f"Timestamp: {TIME}\nMessage: AADSTS500133: no",
            id="the text of Entra's page",
        ),
        pytest.param(
            f"<div>AADSTS500133: no</div><td>Request Id:</td>\n  <td>{TRACE}</td><td>Correlation Id:</td><td>{CORRELATION}</td>"
            f"<td>Timestamp:</td><td>{TIME}</td>",
            id="the source of Entra's page",
        ),
    ],
)
def test_what_support_asks_for_is_kept(answer: str | Mapping[str, object]) -> None:
    found = diagnose(answer)[0]
    assert (found.code, found.trace_id, found.correlation_id, found.timestamp) == ("AADSTS500133", TRACE, CORRELATION, TIME)


def test_each_error_of_a_log_is_counted_and_has_the_ids_of_its_own_last_message() -> None:
    first, other = "2026-01-09 WARN AADSTS65001: no\n", f"2026-01-09 WARN {ONE_LINE}\n"
    last = f"2026-01-09 WARN AADSTS65001: no Trace ID: {OTHER}\n"
    found = {diagnosis.code: diagnosis for diagnosis in diagnose((first + other) * 3 + last + first)}
    assert (found["AADSTS65001"].count, found["AADSTS500133"].count) == (5, 3)
    assert (found["AADSTS65001"].trace_id, found["AADSTS500133"].trace_id) == (OTHER, TRACE)


def test_a_log_that_comes_in_pieces_is_counted_as_one() -> None:
    pieces: list[str | bytes] = [f"WARN {ONE_LINE}\n" * 3, b"INFO nothing\n", f"WARN AADSTS500133: no\nWARN {ONE_LINE}\n"]
    (found,) = diagnose_all(pieces)
    assert (found.code, found.count, found.trace_id) == ("AADSTS500133", 5, TRACE)


def test_ids_that_may_be_anothers_are_not_taken_for_its_own() -> None:
    (found,) = diagnose(f"AADSTS65001: no\nINFO Trace ID: {TRACE}\nINFO Trace ID: {OTHER}")
    assert found.trace_id is None


@pytest.mark.parametrize("code", ["9002325", "9002326", "75011", "7000014", "AADB2C90118"])
def test_codes_of_browsers_devices_saml_and_b2c_are_known(code: str) -> None:
    (found,) = diagnose(code)
    assert found.entry is not None


CLIENT = "2a1b2c3d-1111-4222-8333-444455556666"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(f"AADSTS65001: not consented to use the application with ID '{CLIENT}' named 'x'.", id="an application"),
        pytest.param(f"AADSTS65001: Application with identifier '{CLIENT}' Trace ID: {TRACE}", id="an identifier"),
        pytest.param(f"AADSTS65001: The app '{CLIENT}' ...", id="an app"),
        pytest.param(f"https://login.example/authorize?client_id={CLIENT}&x=1\nAADSTS65001: no", id="an address"),
        pytest.param({"error_description": f"AADSTS65001: application with ID {CLIENT.upper()}."}, id="in capitals"),
    ],
)
def test_the_client_that_the_text_names_is_in_the_commands(text: str | Mapping[str, object]) -> None:
    entry = diagnose(text)[0].entry
    assert entry is not None
    assert f"--client-id {CLIENT} " in str(entry.tell)
    commands = " ".join(command for cause in entry.causes for command in cause.commands)
    assert f"az ad app permission admin-consent --id {CLIENT}" in commands
    assert "CLIENT_ID" not in commands


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(f"AADSTS65001: application with ID '{CLIENT}' client_id={OTHER}", id="two"),
        pytest.param("AADSTS65001: application with ID 'x; rm' ", id="no GUID"),
        pytest.param(f"AADSTS65001: application with ID '{CLIENT}-evil'", id="more than a GUID"),
        pytest.param(f"AADSTS65001: Trace ID: {TRACE}", id="none"),
        pytest.param(f"audience_not_accepted client_id={CLIENT}", id="a code whose commands are about the API"),
    ],
)
def test_no_client_is_guessed(text: str) -> None:
    entry = diagnose(text)[0].entry
    assert entry is not None
    assert CLIENT not in repr(entry)


@pytest.mark.parametrize(
    "event",
    [
        pytest.param('{"event": "token_rejections_summed", "not_logged": {"token_expired": 2890, "unknown_key": 3}}', id="JSON"),
        pytest.param("token_rejections_summed not_logged={'token_expired': 2890, 'unknown_key': 3} seconds=60", id="a line"),
    ],
)
def test_refusals_that_an_event_sums_up_are_counted(event: str) -> None:
    found = {each.code: each.count for each in diagnose("WARN code=token_expired\n" * 10 + event + "\n")}
    assert found == {"token_expired": 2900, "unknown_key": 3}


def test_an_unknown_code_says_so_and_has_the_address_to_look_it_up() -> None:
    (found,) = diagnose("AADSTS1234567: something new")
    assert found.entry is None
    assert found.look_up == "https://login.microsoftonline.com/error?code=1234567"


def test_a_known_code_has_its_entry_and_microsofts_address() -> None:
    (found,) = diagnose("50000")
    assert found.entry is not None
    assert len(found.entry.causes) >= 5
    assert found.look_up.endswith("/error?code=50000")


def test_nothing_secret_of_the_text_comes_out_again() -> None:
    text = (
        f"AADSTS7000215 client_secret=hunter2~Q8 assertion={JWT} token=dapi0123456789abcdef user=ann@example.org trace_id={JWT}"
    )
    for given_ in (text, text.encode(), {"error_description": text, JWT: [text], "error_codes": [7000215, JWT]}):
        said = repr(diagnose(given_))
        assert "AADSTS7000215" in said
        assert not re.search(r"hunter2|eyJ|dapi0|ann@", said)


CYCLE: dict[str, Any] = {"error": "invalid_grant"}
CYCLE["again"] = [CYCLE, CYCLE]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("\n" * 2**21, id="empty lines"),
        pytest.param("AADSTS50011 " * 200_000, id="one code"),
        pytest.param("".join(f"AADSTS{number} " for number in range(10_000, 90_000)), id="many codes"),
        pytest.param("error_codes: [" * 100_000, id="lists without an end"),
        pytest.param("AADSTS50011\n" + "trace id: " * 100_000, id="ids that do not come"),
        pytest.param("AADSTS" + "1" * 2**20, id="a long number"),
        pytest.param({"error_codes": [10**400, -1, True, "65001", None] * 10_000}, id="numbers that are no codes"),
        pytest.param(CYCLE, id="an object in itself"),
        pytest.param({"x" * 2**20: ["AADSTS65001"] * 100_000}, id="a broad object"),
    ],
)
def test_hostile_input_is_bounded(text: str | Mapping[str, object]) -> None:
    began = time.process_time()
    found = diagnose(text)
    assert time.process_time() - began < 10
    assert len(found) <= MAX_DIAGNOSES
    assert all(len(str(asdict(each)["code"])) < 64 for each in found if each.entry is None)


_PIECES = st.sampled_from(
    ["AADSTS", "65001", "error_codes: [", "70002]", "Trace ID: ", TRACE, "\r\n", '"', "\\", "invalid_grant", "\n ", "Timestamp: "]
)
_TEXTS = st.one_of(st.text(), st.lists(st.one_of(_PIECES, st.text(max_size=3))).map("".join))
_VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), _TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(_TEXTS, inner, max_size=4)),
    max_leaves=12,
)
_NAMES = st.one_of(st.sampled_from([*ANSWER, "error_code", "message"]), _TEXTS)


@given(st.one_of(_TEXTS, st.binary(), st.dictionaries(_NAMES, _VALUES, max_size=6)))
def test_it_raises_nothing_and_says_only_codes_ids_and_times(text: str | bytes | dict[str, object]) -> None:
    for found in diagnose(text):
        assert found.entry is not None or re.fullmatch(r"AAD(STS|B2C)[0-9]{1,9}", found.code)
        assert found.count >= 1
        assert all(re.fullmatch(r"[0-9A-Fa-f-]{36}", each) for each in (found.trace_id, found.correlation_id) if each)
        assert found.timestamp is None or re.fullmatch(r"[0-9 TZ:.-]{20,28}", found.timestamp)
