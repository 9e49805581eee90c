"""The credential that arrives upstream is the gateway's, and one; no spelling brings another, and none takes it away."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.servers

EVIL = b"Bearer of-an-attacker"
GET = b"GET /api/2.0/asked HTTP/1.1"


def _valid(gate: Any) -> bytes:
    return f"Bearer {gate.token}".encode()


AMBIGUOUS = {
    "two values": lambda valid: [b"Authorization: " + valid, b"Authorization: " + EVIL],
    "two values, the good one last": lambda valid: [b"Authorization: " + EVIL, b"Authorization: " + valid],
    "the same value twice": lambda valid: [b"Authorization: " + valid, b"authorization: " + valid],
    "joined by a comma": lambda valid: [b"Authorization: " + valid + b", " + EVIL],
    "joined by a comma, the good one last": lambda valid: [b"Authorization: " + EVIL + b"," + valid],
    "basic beside bearer": lambda valid: [b"Authorization: Basic dXNlcjpwYXNz", b"Authorization: " + valid],
    "an empty one beside it": lambda valid: [b"Authorization:", b"Authorization: " + valid],
    "folded with a second one": lambda valid: [b"Authorization: " + valid, b" , " + EVIL],
    "a space before the colon": lambda valid: [b"Authorization : " + valid],
    "a NUL behind it": lambda valid: [b"Authorization: " + valid + b"\x00"],
    "a NUL within it": lambda valid: [b"Authorization: " + valid[:20] + b"\x00" + valid[20:]],
    "a bare CR and a field behind it": lambda valid: [b"Authorization: " + valid + b"\rX-Evil: y"],
    "another control character": lambda valid: [b"Authorization: " + valid, b"X-Odd: a\x01b"],
    "a bell": lambda valid: [b"Authorization: " + valid, b"X-Odd: \x07"],
    "a delete": lambda valid: [b"Authorization: " + valid, b"X-Odd: \x7f"],
}


@pytest.mark.parametrize("how", AMBIGUOUS)
def test_a_credential_with_two_readings_is_refused(gate: Any, upstream: Any, how: str) -> None:
    answer = gate.ask(*AMBIGUOUS[how](_valid(gate)), first=GET, bearer=False)
    assert answer.status in (400, 401)
    assert upstream.raw == b""


def test_a_folded_credential_is_at_most_one_credential(gate: Any, upstream: Any, tools: Any) -> None:
    """A server may join the lines (RFC 9112 section 5.2), as h11 does; what goes on is not folded."""
    answer = gate.ask(b"Authorization: Bearer", b" " + _valid(gate)[7:], first=GET, bearer=False)
    assert answer.status == (400 if gate.server == "httptools" else 200)
    assert [request.values(b"authorization") for request in upstream.requests] in ([], [[b"Bearer " + tools.OURS]])


ABSENT = {
    "with an underscore": b"Authorization_: ",
    "another name with an underscore": b"Http_Authorization: ",
    "of a proxy": b"Proxy-Authorization: ",
    "forwarded": b"X-Forwarded-Authorization: ",
    "original": b"X-Original-Authorization: ",
    "a forwarded token": b"X-Forwarded-Access-Token: ",
    "X-Authorization": b"X-Authorization: ",
    "of Databricks' Google": b"X-Databricks-GCP-SA-Access-Token: ",
    "in a cookie": b"Cookie: Authorization=",
}


@pytest.mark.parametrize("how", ABSENT)
def test_no_other_field_is_a_credential(gate: Any, upstream: Any, how: str) -> None:
    answer = gate.ask(ABSENT[how] + _valid(gate), first=GET, bearer=False)
    assert (answer.status, answer.refused) == (401, "missing_token")
    assert upstream.raw == b""


@pytest.mark.parametrize("how", ABSENT)
def test_no_other_credential_goes_on_beside_ours(gate: Any, upstream: Any, tools: Any, how: str) -> None:
    assert gate.ask(ABSENT[how] + EVIL).status == 200
    assert upstream.only.values(b"authorization") == [b"Bearer " + tools.OURS]
    assert b"attacker" not in upstream.raw
    assert gate.token.encode() not in upstream.raw


STRIPPED = [
    b"X-Databricks-Azure-SP-Management-Token", b"X-Databricks-Azure-Workspace-Resource-Id", b"X-Databricks-Workspace-Id",
    b"X-Databricks-Org-Id", b"X-Forwarded-User", b"X-Forwarded-Email", b"X-Forwarded-Preferred-Username", b"X-Forwarded-Groups",
    b"X-Real-Ip", b"X-MS-TOKEN-AAD-ACCESS-TOKEN", b"X-MS-CLIENT-PRINCIPAL", b"X-MS-CLIENT-PRINCIPAL-ID", b"X-Tokenward-Subject",
    b"Tokenward-Refused", b"X-Original-URL", b"X-Rewrite-URL", b"X-HTTP-Method-Override", b"Forwarded", b"X-Auth-Request-User",
    b"Cookie", b"X-ARR-ClientCert", b"X-Client-Cert",
]  # fmt: skip
SPELLINGS: dict[str, Callable[[bytes], bytes]] = {
    "as it is": lambda name: name,
    "in small letters": bytes.lower,
    "in capitals": bytes.upper,
    "with underscores": lambda name: name.replace(b"-", b"_"),
    "with one underscore": lambda name: name.replace(b"-", b"_", 1),
    "with an underscore at the end": lambda name: name + b"_",
}


@pytest.mark.parametrize("how", SPELLINGS)
def test_who_somebody_is_cannot_be_said_in_any_spelling(gate: Any, upstream: Any, how: str) -> None:
    spelled = [SPELLINGS[how](name) for name in STRIPPED]
    assert gate.ask(*(name + b": of-an-attacker" for name in spelled)).status == 200
    assert b"attacker" not in upstream.raw


CONNECTION = {
    "authorization": b"Connection: authorization",
    "in a list": b"Connection: keep-alive, Authorization",
    "among empty items": b"Connection: ,, authorization ,",
    "with tabs": b"Connection:\tauthorization\t",
    "host": b"Connection: host",
    "host and authorization": b"Connection: host, authorization, close",
    "everything": b"Connection: host, authorization, x-kept, content-type, x-request-id",
}


@pytest.mark.parametrize("how", CONNECTION)
def test_connection_cannot_take_away_what_the_gateway_sets(gate: Any, upstream: Any, tools: Any, how: str) -> None:
    [answer, *_] = gate.send(gate.request(CONNECTION[how], b"X-Kept: yes", first=GET))
    assert answer.status == 200
    asked = upstream.requests[0]
    assert asked.values(b"authorization") == [b"Bearer " + tools.OURS]
    assert asked.values(b"host") == [f"127.0.0.1:{upstream.port}".encode()]
    assert asked.values(b"x-kept") == ([] if b"x-kept" in CONNECTION[how] else [b"yes"])
    assert b"connection" not in asked.names


def test_a_name_in_connection_is_removed_in_every_case(gate: Any, upstream: Any) -> None:
    gate.send(gate.request(b"Connection: X-One", b"connection: x-TWO", b"x-one: 1", b"X-Two: 2", b"X-Three: 3", first=GET))
    assert upstream.requests[0].names.isdisjoint({b"x-one", b"x-two"})
    assert upstream.requests[0].values(b"x-three") == [b"3"]
