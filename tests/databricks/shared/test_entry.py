"""What an entry must be, to be handed out: a token that was got for this caller and is good for longer than 40 seconds."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tokenward.databricks.access import AccessToken, Subject
from tokenward.databricks.shared.entry import entry_of, read_entry
from tokenward.testing import HandClock

Jwt = Callable[..., str]


@pytest.fixture
def subject(jwt: Jwt) -> Subject:
    return Subject.read(jwt(lifetime=600))


def test_a_token_comes_back_as_it_was(subject: Subject, wall: HandClock) -> None:
    access = AccessToken("a.b-c", subject.expires_at - 0.5, "sql all-apis", "exchange")
    assert read_entry(entry_of(access), subject, wall()) == access


def test_its_end_is_judged_when_it_is_read(subject: Subject) -> None:
    entry = entry_of(AccessToken("a.b-c", subject.expires_at, "", "exchange"))
    assert read_entry(entry, subject, subject.expires_at - 40.001) is not None
    assert read_entry(entry, subject, subject.expires_at - 40) is None


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"value": None}, id="no token"),
        pytest.param({"value": "two words"}, id="no bearer token"),
        pytest.param({"value": "a\r\nX-Evil: 1"}, id="a header of its own"),
        pytest.param({"value": "x" * 17_000}, id="longer than any token"),
        pytest.param({"expires_at": "2100"}, id="a date in words"),
        pytest.param({"expires_at": True}, id="a switch for a date"),
        pytest.param({"expires_at": 10**12}, id="later than the caller's own token"),
        pytest.param({"scope": 1}, id="no scope"),
        pytest.param({"source": None}, id="no source"),
        pytest.param({"source": "x" * 65}, id="a long source"),
    ],
)
def test_what_is_no_token_is_none(subject: Subject, wall: HandClock, change: dict[str, object]) -> None:
    members = {"value": "a.b-c", "expires_at": subject.expires_at, "scope": "all-apis", "source": "exchange"}
    assert read_entry(json.dumps(members).encode(), subject, wall()) is not None
    assert read_entry(json.dumps(members | change).encode(), subject, wall()) is None


def test_the_callers_own_token_is_never_handed_out(subject: Subject, wall: HandClock) -> None:
    assert read_entry(entry_of(AccessToken(subject.token, subject.expires_at, "", "exchange")), subject, wall()) is None


@pytest.mark.parametrize("plain", [b"", b"[]", b"{", b'{"value":NaN}', b"\xff", b'{"value":"a","value":"b"}'], ids=repr)
def test_what_is_no_object_is_none(subject: Subject, wall: HandClock, plain: bytes) -> None:
    assert read_entry(plain, subject, wall()) is None
