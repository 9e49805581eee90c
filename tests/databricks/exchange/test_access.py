"""Opening the caller's token, and what a repr shows of either token."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable

import pytest

from tokenward.databricks import AccessToken, Subject
from tokenward.errors import ExchangeRefused, TokenRejected
from tokenward.testing import HandClock

Jwt = Callable[..., str]


def test_a_token_is_opened_and_not_verified(jwt: Jwt, wall: HandClock) -> None:
    token = jwt("ada", lifetime=60)
    forged = token[: token.rindex(".")] + ".AAAA"
    for text in (token, token.encode(), forged):
        subject = Subject.read(text)
        assert (subject.algorithm, subject.expires_at, subject.claims["sub"]) == ("ES256", int(wall()) + 60, "ada")
    assert Subject.read(token).token == token


@pytest.mark.parametrize(
    ("token", "code"),
    [
        pytest.param("", "malformed_token", id="nothing"),
        pytest.param("opaque", "malformed_token", id="opaque"),
        pytest.param("a.b.c", "malformed_token", id="three parts of nothing"),
        pytest.param("a.b.c.d.e", "malformed_token", id="encrypted"),
        pytest.param("Bearer a.b.c", "malformed_token", id="a whole header"),
        pytest.param("é", "malformed_token", id="outside ASCII"),
        pytest.param(None, "malformed_token", id="None"),
        pytest.param(bytearray(b"a.b.c"), "malformed_token", id="other bytes"),
        pytest.param("a" * 16385, "token_too_large", id="more than 16 KiB"),
        pytest.param("dapi0123456789abcdef0123456789abcdef", "exchange_refused", id="a personal access token"),
        pytest.param("dapi0123456789abcdef0123456789abcdef-2", "exchange_refused", id="a personal access token of Azure"),
    ],
)
def test_what_is_no_jwt_is_refused(token: str, code: str) -> None:
    with pytest.raises(TokenRejected) as refused:
        Subject.read(token)
    assert refused.value.code == code
    assert "0123456789abcdef" not in repr(vars(refused.value))


@pytest.mark.parametrize(
    ("minting", "code"),
    [
        pytest.param({"claims": {"exp": None}}, "claim_missing", id="no end"),
        pytest.param({"claims": {"exp": "soon"}}, "claim_malformed", id="an end in words"),
        pytest.param({"claims": {"exp": True}}, "claim_malformed", id="an end that is True"),
        pytest.param({"claims": {"exp": 2**60}}, "claim_malformed", id="an end beyond all dates"),
        pytest.param({"algorithm": "none"}, "algorithm_not_allowed", id="unsigned"),
        pytest.param({"algorithm": "HS256"}, "algorithm_not_allowed", id="signed with a secret"),
        pytest.param({"header": {"nonce": "x"}}, "token_type_not_accepted", id="Microsoft Graph's"),
        pytest.param({"header": {"crit": ["b64"]}}, "critical_header_unsupported", id="an extension"),
    ],
)
def test_a_jwt_of_the_wrong_form_is_refused_as_the_walk_refuses_it(jwt: Jwt, minting: dict[str, object], code: str) -> None:
    with pytest.raises(TokenRejected) as refused:
        Subject.read(jwt(**minting))
    assert refused.value.code == code


def test_a_personal_access_token_is_told_apart_for_the_operator() -> None:
    with pytest.raises(ExchangeRefused) as refused:
        Subject.read("dapi0123456789abcdef0123456789abcdef")
    assert refused.value.claim == "personal access token"


def test_no_repr_shows_a_token(jwt: Jwt) -> None:
    token = jwt("ada@example.com")
    subject, access = Subject.read(token), AccessToken("s3cr3t", 0.0, "all-apis", "exchange")
    shown = f"{subject!r} {subject} {access!r} {access} {[access]}"
    assert not any(part in shown for part in (*token.split("."), "s3cr3t", "ada@example.com"))
    assert repr(access) == "<AccessToken source=exchange scope='all-apis'>"


def test_an_access_token_is_a_value() -> None:
    access = AccessToken("a", 1.0, "sql", "exchange")
    assert access == copy.copy(access) == pickle.loads(pickle.dumps(access))
    assert access.authorization == "Bearer a"
    with pytest.raises(AttributeError):
        access.value = "b"  # type: ignore[misc]
