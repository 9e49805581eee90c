"""What an Exchange asks, how it reads every answer that was recorded or can be thought of, and which hosts it refuses."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from tokenward.asking.steps import Pause
from tokenward.challenge import answer as http_answer
from tokenward.databricks import AccessToken, Exchange, Subject
from tokenward.databricks.exchange import read_answer
from tokenward.diagnostics import event_fields
from tokenward.errors import AuthenticationError, ExchangeRefused, ExchangeUnavailable, PolicyError, TokenExpired
from tokenward.keys.port import FetchFailed, FetchRequest, FetchResponse
from tokenward.testing import HandClock, SigningKey

Jwt = Callable[..., str]
HOST = "adb-1234567890123456.7.azuredatabricks.net"
ACCOUNT = "0b5f3a4c-8d3e-4a36-9d53-3f3d0f8c1f2a"
CLIENT = "7cb2f8a4-49a7-4147-83db-35cb69e5cede"
GOOD = {"access_token": "eyJraWQ.a.b", "scope": "all-apis", "token_type": "Bearer", "expires_in": 3600}
HTML = b"<html><head><title>Error 400</title></head><body><pre>io.jsonwebtoken.IncorrectClaimException</pre></body></html>"


@pytest.fixture
def subject(jwt: Jwt) -> Subject:
    return Subject.read(jwt("ada@example.com"))


@pytest.fixture
def read(subject: Subject, wall: HandClock) -> Callable[[FetchResponse | FetchFailed], AccessToken]:
    return lambda answered: read_answer(answered, subject, wall(), scope="all-apis")


def response(body: object, status: int = 200, **headers: str) -> FetchResponse:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return FetchResponse(status, {name.replace("_", "-"): value for name, value in headers.items()}, content)


def jwt_of(**claims: object) -> str:
    parts: tuple[dict[str, object], ...] = ({"alg": "RS256"}, claims, {})
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts)


# -- before the call ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ["PS256", "RS384", "ES384", "EdDSA"])
def test_a_token_that_databricks_cannot_read_is_refused_before_the_call(jwt: Jwt, wall: HandClock, algorithm: str) -> None:
    subject = Subject.read(jwt(key=SigningKey.generate(algorithm.replace("PS256", "RS256")), algorithm=algorithm))
    with pytest.raises(ExchangeRefused) as refused:
        Exchange(HOST).steps(subject, wall()).send(None)
    assert (refused.value.claim, refused.value.expected, refused.value.actual) == ("alg", ["RS256", "ES256"], algorithm)


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_the_documented_algorithms_are_sent(jwt: Jwt, wall: HandClock, algorithm: str) -> None:
    subject = Subject.read(jwt(key=SigningKey.generate(algorithm)))
    request = Exchange(HOST).steps(subject, wall()).send(None)
    assert isinstance(request, FetchRequest)
    assert (request.method, request.url) == ("POST", f"https://{HOST}/oidc/v1/token")
    assert subject.token not in repr(request)


def test_a_token_that_is_over_is_not_sent(subject: Subject) -> None:
    """Nor one that ends in 30 seconds or less: Databricks would refuse it, and what it would be exchanged for."""
    for left in (30, 1, 0, -1):
        with pytest.raises(TokenExpired) as expired:
            Exchange(HOST).steps(subject, subject.expires_at - left).send(None)
        assert expired.value.algorithm == subject.algorithm
    assert Exchange(HOST).steps(subject, subject.expires_at - 31).send(None)


# -- good answers ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "life"),
    [
        pytest.param({}, 3600, id="as documented"),
        pytest.param({"expires_in": 600}, 600, id="shorter than the caller's token"),
        pytest.param({"expires_in": "600"}, 600, id="seconds as a string"),
        pytest.param({"expires_in": 600.5}, 600.5, id="a fraction"),
        pytest.param({"expires_in": 86400}, 3600, id="longer than the caller's token"),
        pytest.param({"expires_in": 10**200}, 3600, id="no time that anyone lives"),
        pytest.param({"expires_in": None}, 3600, id="null"),
        pytest.param({"access_token": jwt_of(exp=0.0)}, None, id="a token that ended in 1970"),
        pytest.param({"access_token": jwt_of(exp=10**400)}, 3600, id="a token of an absurd end"),
        pytest.param({"access_token": jwt_of(exp="soon")}, 3600, id="a token whose end is no date"),
        pytest.param({"access_token": jwt_of(exp=True)}, 3600, id="a token whose end is True"),
        pytest.param({"access_token": "a.b.c"}, 3600, id="a token that only looks like a JWT"),
        pytest.param({"access_token": "opaque"}, 3600, id="an opaque token"),
        pytest.param({"token_type": "bearer", "issued_token_type": "x", "refresh_token": "y"}, 3600, id="more members"),
    ],
)
def test_a_token_lives_until_the_earliest_of_all_that_is_said(
    read: Callable[..., AccessToken], wall: HandClock, changes: dict[str, Any], life: float | None
) -> None:
    if life is None:
        with pytest.raises(ExchangeUnavailable):
            read(response(GOOD | changes))
        return
    assert read(response(GOOD | changes)).expires_at == pytest.approx(wall() + life, abs=0.01)


def test_the_end_that_the_new_token_itself_names_counts(read: Callable[..., AccessToken], wall: HandClock) -> None:
    assert read(response(GOOD | {"access_token": jwt_of(exp=wall() + 50)})).expires_at == wall() + 50


def test_the_scope_is_the_granted_one_or_else_the_one_asked_for(read: Callable[..., AccessToken]) -> None:
    assert read(response(GOOD | {"scope": "sql"})).scope == "sql"
    assert read(response({name: value for name, value in GOOD.items() if name != "scope"})).scope == "all-apis"


# -- answers that are none ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(HTML, id="HTML"),
        pytest.param([GOOD], id="a list"),
        pytest.param(b'{"access_token":"a","access_token":"b","token_type":"Bearer"}', id="two tokens"),
        pytest.param({"token_type": "Bearer"}, id="no token"),
        pytest.param(GOOD | {"access_token": None}, id="a token that is null"),
        pytest.param(GOOD | {"access_token": ""}, id="a token that is empty"),
        pytest.param(GOOD | {"access_token": 5}, id="a token that is a number"),
        pytest.param(GOOD | {"access_token": "a\r\nX-Admin: 1"}, id="a token that breaks out of a header"),
        pytest.param(GOOD | {"access_token": "a b"}, id="a token with a space"),
        pytest.param(GOOD | {"access_token": "é"}, id="a token outside ASCII"),
        pytest.param(GOOD | {"access_token": "a" * 16385}, id="a token of more than 16 KiB"),
        pytest.param(GOOD | {"token_type": "mac"}, id="a token of another type"),
        pytest.param({"access_token": "a"}, id="no type"),
        pytest.param(GOOD | {"token_type": ["Bearer"]}, id="a type that is a list"),
        pytest.param(GOOD | {"expires_in": 0}, id="no life"),
        pytest.param(GOOD | {"expires_in": -1}, id="less than no life"),
        pytest.param(GOOD | {"expires_in": True}, id="a life that is True"),
        pytest.param(GOOD | {"expires_in": "soon"}, id="a life in words"),
        pytest.param(GOOD | {"expires_in": [3600]}, id="a life that is a list"),
        pytest.param(b'{"access_token":"a","token_type":"Bearer","expires_in":NaN}', id="NaN"),
        pytest.param(GOOD | {"scope": ["sql"]}, id="a scope that is a list"),
        pytest.param(GOOD | {"scope": "a\nb"}, id="a scope of two lines"),
        pytest.param({"error": "invalid_grant", "error_description": "no"}, id="an error under 200"),
    ],
)
def test_a_200_without_a_token_is_unavailable_and_no_refusal(read: Callable[..., AccessToken], body: object) -> None:
    with pytest.raises(ExchangeUnavailable) as unavailable:
        read(response(body))
    assert unavailable.value.code == "exchange_unavailable"


def test_the_callers_own_token_is_refused_as_an_answer(read: Callable[..., AccessToken], subject: Subject) -> None:
    with pytest.raises(ExchangeUnavailable) as refused:
        read(response(GOOD | {"access_token": subject.token}))
    assert refused.value.reason == "the answer is the caller's own token"
    assert subject.token not in repr(vars(refused.value))


@pytest.mark.parametrize(
    ("answered", "retry_after", "seen"),
    [
        pytest.param(response({}, 429, retry_after="7"), 7, "HTTP 429", id="rate limit"),
        pytest.param(response({}, 429), 1, "HTTP 429", id="rate limit without a time"),
        pytest.param(response(HTML, 400), 1, "HTTP 400", id="a page of a proxy's on the way"),
        pytest.param(response(HTML, 401), 1, "HTTP 401", id="a login page"),
        pytest.param(response([1], 400), 1, "HTTP 400", id="a list"),
        pytest.param(response({"error": "temporarily_unavailable"}, 400), 1, "HTTP 400", id="not now"),
        pytest.param(
            response({"error": "invalid_request", "error_description": "Temporarily throttled, too many requests"}, 400),
            1,
            "HTTP 400",
            id="throttled",
        ),
        pytest.param(response({}, 429, retry_after="Wed, 21 Oct 2026 07:28:00 GMT"), 1, "HTTP 429", id="a date"),
        pytest.param(response({}, 503, retry_after="99999999"), 3600, "HTTP 503", id="down for months"),
        pytest.param(response(b"", 500), 1, "HTTP 500", id="500"),
        pytest.param(response(HTML, 502), 1, "HTTP 502", id="a gateway's page"),
        pytest.param(response(HTML, 403), 1, "HTTP 403", id="a proxy's page"),
        pytest.param(response({"error_code": "ENDPOINT_NOT_FOUND"}, 404), 1, "HTTP 404", id="another host"),
        pytest.param(
            response(b"", 302, location="/login.html?error=private-link-validation-error"), 1, "HTTP 302", id="redirect"
        ),
        pytest.param(response(GOOD, 201), 1, "HTTP 201", id="201"),
        pytest.param(FetchFailed("connect", "refused"), 1, "connect: refused", id="nothing listens"),
        pytest.param(FetchFailed("timeout", retry_after=5.0), 5, "timeout", id="no answer in time"),
        pytest.param(FetchFailed("tls"), 1, "tls", id="a wrong certificate"),
    ],
)
def test_what_says_nothing_of_the_token_is_unavailable_with_a_time_to_come_back(
    read: Callable[..., AccessToken], answered: FetchResponse | FetchFailed, retry_after: float, seen: str
) -> None:
    with pytest.raises(ExchangeUnavailable) as unavailable:
        read(answered)
    assert (unavailable.value.retry_after, unavailable.value.actual) == (retry_after, seen)


# -- refusals, in recorded shapes --------------------------------------------------------------------------------------

NO_POLICY = (
    "Failed to process token: TOKEN_INVALID (Ensure a valid federation policy has been configured). Valid federation policy"
    " for provided token: {issuer: 'https://idp.example/', subject: 'ada@example.com', audience: 'databricks'}"
)
REFUSALS = [
    pytest.param(
        400, {"error": "invalid_grant", "error_description": NO_POLICY}, "no federation policy fits the token", id="policy"
    ),
    pytest.param(
        400,
        {"error": "invalid_grant", "error_description": "TOKEN_AUDIENCE_INVALID (Token audience 'x' invalid) accepted: 'acc'"},
        "the federation policy wants another audience",
        id="audience",
    ),
    pytest.param(
        400,
        {"error": "invalid_request", "error_description": "Invalid service principal id"},
        "Databricks does not know the service principal of client_id",
        id="service principal",
    ),
    pytest.param(
        400,
        {"errorCode": "invalid_grant", "errorSummary": NO_POLICY},
        "no federation policy fits the token",
        id="the other pair of members",
    ),
    pytest.param(
        401, {"error_code": 401, "message": "Invalid credentials"}, "Databricks did not accept the credentials", id="credentials"
    ),
    pytest.param(401, b"", "Databricks refused the token", id="a user who is not provisioned, without a word"),
    pytest.param(400, {"error": None, "error_description": ["x"]}, "Databricks refused the token", id="members of other types"),
    pytest.param(403, {"error_code": "PERMISSION_DENIED", "message": "no"}, "Databricks refused the token", id="403 in JSON"),
]


@pytest.mark.parametrize(("status", "body", "reason"), REFUSALS)
def test_a_verdict_on_the_token_is_a_refusal(read: Callable[..., AccessToken], status: int, body: object, reason: str) -> None:
    with pytest.raises(ExchangeRefused) as refused:
        read(response(body, status))
    assert (refused.value.code, refused.value.status, refused.value.reason) == ("exchange_refused", 401, reason)


def test_what_databricks_says_is_for_the_log_without_the_person_and_never_for_the_caller(
    read: Callable[..., AccessToken],
) -> None:
    with pytest.raises(ExchangeRefused) as refused:
        read(response({"error": "invalid_grant", "error_description": NO_POLICY}, 400))
    error = refused.value
    seen = " ".join(str(item) for item in event_fields(error)["seen"])  # type: ignore[attr-defined]
    assert seen.startswith("HTTP 400 invalid_grant Failed to process token: TOKEN_INVALID")
    assert "issuer: 'https://idp.example/'" in seen
    assert "audience: 'databricks'" in seen
    assert "subject: '<sub>'" in seen
    assert "ada@example.com" not in repr(event_fields(error)) + repr(vars(error))
    for held in (False, True):
        error.signature_held = held
        sent = repr(http_answer(error))
        assert not any(word in sent for word in ("idp.example", "databricks'", "TOKEN_INVALID", "policy"))
    assert event_fields(error)["issuer"] == "https://idp.example/"


def test_a_token_that_is_quoted_back_is_in_no_error(read: Callable[..., AccessToken], subject: Subject) -> None:
    for text in (f"bad token {subject.token}", f"bad {subject.token.split('.')[1]}", subject.token):
        with pytest.raises(ExchangeRefused) as refused:
            read(response({"error": subject.token, "error_description": text}, 400))
        shown = repr(vars(refused.value)) + repr(event_fields(refused.value)) + str(refused.value) + repr(refused.value)
        assert not any(part in shown for part in subject.token.split("."))


def test_a_refusal_of_many_megabytes_is_cut(read: Callable[..., AccessToken]) -> None:
    with pytest.raises(ExchangeRefused) as refused:
        read(response({"error": "e" * 5000, "error_description": "word " * 20000}, 400))
    assert len(repr(refused.value.actual)) < 2500


# -- steps -------------------------------------------------------------------------------------------------------------


def test_no_refusal_is_asked_twice(subject: Subject, wall: HandClock) -> None:
    for status in (400, 401, 403, 404, 500, 502):
        steps = Exchange(HOST).steps(subject, wall())
        assert isinstance(steps.send(None), FetchRequest)
        with pytest.raises(AuthenticationError):
            steps.send(response({"error": "x"}, status))


def test_a_moment_of_429_is_paused_for_and_asked_again(subject: Subject, wall: HandClock) -> None:
    steps = Exchange(HOST).steps(subject, wall())
    request = steps.send(None)
    pause = steps.send(response({}, 429, retry_after="3"))
    assert isinstance(pause, Pause)
    assert 3 < pause.seconds <= 3.25
    assert steps.send(None) == request
    with pytest.raises(StopIteration) as done:
        steps.send(response(GOOD))
    assert done.value.value.value == GOOD["access_token"]


# -- keys --------------------------------------------------------------------------------------------------------------


def test_the_key_is_another_for_everything_that_the_token_depends_on(jwt: Jwt) -> None:
    subjects = [Subject.read(jwt("ada")), Subject.read(jwt("bob"))]
    grants = [
        Exchange(HOST),
        Exchange("other.azuredatabricks.net"),
        Exchange(HOST, client_id=CLIENT),
        Exchange(HOST, scope="sql"),
        Exchange(HOST, account_id=ACCOUNT),
        Exchange(HOST, account_id=CLIENT),
    ]
    keys = {grant.key(subject) for grant in grants for subject in subjects}
    assert len(keys) == len(grants) * len(subjects)
    assert {len(key) for key in keys} == {32}
    assert Exchange(f"https://{HOST.upper()}/").key(subjects[0]) == grants[0].key(subjects[0])


# -- configuration -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "url"),
    [
        pytest.param(HOST, f"https://{HOST}/oidc/v1/token", id="a name"),
        pytest.param(f"https://{HOST}/", f"https://{HOST}/oidc/v1/token", id="an address"),
        pytest.param(f"{HOST}:8443", f"https://{HOST}:8443/oidc/v1/token", id="a port"),
        pytest.param("http://127.0.0.1:8080", "http://127.0.0.1:8080/oidc/v1/token", id="http on this machine"),
    ],
)
def test_a_workspace_is_a_name_or_an_address(host: str, url: str) -> None:
    assert Exchange(host).url == url


def test_an_account_has_an_endpoint_of_its_own() -> None:
    grant = Exchange("accounts.azuredatabricks.net", account_id=ACCOUNT.upper())
    assert grant.url == f"https://accounts.azuredatabricks.net/oidc/accounts/{ACCOUNT}/v1/token"
    assert grant.name == "exchange at accounts.azuredatabricks.net"


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        pytest.param({"host": ""}, "host", id="nothing"),
        pytest.param({"host": None}, "host", id="None"),
        pytest.param({"host": f"http://{HOST}"}, "host", id="http"),
        pytest.param({"host": f"ftp://{HOST}"}, "host", id="ftp"),
        pytest.param({"host": f"{HOST}/oidc"}, "host", id="a path"),
        pytest.param({"host": f"https://{HOST}/?o=1"}, "host", id="a query"),
        pytest.param({"host": f"https://{HOST}/?"}, "host", id="an empty query"),
        pytest.param({"host": f"https://{HOST}/#x"}, "host", id="a fragment"),
        pytest.param({"host": f"https://me:secret@{HOST}"}, "host", id="credentials"),
        pytest.param({"host": "<databricks-workspace-host>"}, "host", id="a placeholder"),
        pytest.param({"host": "adb 1.azuredatabricks.net"}, "host", id="a space"),
        pytest.param({"host": f"{HOST}\r\nX: 1"}, "host", id="two lines"),
        pytest.param({"host": "accounts.azuredatabricks.net"}, "account_id", id="an account's host without the account"),
        pytest.param({"account_id": "my-account"}, "account_id", id="an account that is no GUID"),
        pytest.param({"client_id": ""}, "client_id", id="a client that is empty"),
        pytest.param({"client_id": "ada@example.com"}, "client_id", id="a user for a client"),
        pytest.param({"scope": ""}, "scope", id="no scope"),
        pytest.param({"scope": "sql  files"}, "scope", id="two spaces"),
        pytest.param({"scope": 'sql"'}, "scope", id="a quotation mark"),
        pytest.param({"scope": ["sql"]}, "scope", id="a list of scopes"),
    ],
)
def test_what_could_never_work_or_would_be_unsafe_is_refused_at_construction(arguments: dict[str, Any], name: str) -> None:
    with pytest.raises(PolicyError) as refused:
        Exchange(**{"host": HOST, **arguments})
    assert refused.value.field == name


def test_nobody_changes_a_grant_afterwards() -> None:
    with pytest.raises(AttributeError):
        Exchange(HOST).client_id = CLIENT  # type: ignore[misc]


def test_what_the_endpoint_repeats_of_the_token_or_its_bearer_is_not_told(subject: Subject, wall: HandClock) -> None:
    words = f"no policy for {subject.token} of ADA@example.com"
    with pytest.raises(ExchangeRefused) as refused:
        read_answer(response({"error": "invalid_grant", "error_description": words}, 400), subject, wall(), scope="all-apis")
    told = repr(vars(refused.value))
    assert subject.token not in told
    assert "ada@" not in told.lower()


def test_a_scope_that_is_a_token_is_no_scope(read: Callable[..., AccessToken], subject: Subject) -> None:
    with pytest.raises(ExchangeUnavailable) as refused:
        read(response(GOOD | {"scope": subject.token}))
    assert subject.token not in repr(vars(refused.value))
