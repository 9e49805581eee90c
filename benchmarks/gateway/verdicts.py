"""Whether what is measured does its work: the right body with the right Authorization, and no stranger."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Literal

import httpx

from benchmarks.checks import Check
from benchmarks.gateway.callers import caller, expired, name_of, subject_of, tampered
from benchmarks.gateway.nginx import ECHO
from benchmarks.gateway.servers import Server

Arrives = Literal["as sent", "exchanged"]
GUARDED = "tokenward"
"""The subject of checks that this project answers for."""


def checks_of(row: str, name: str, server: Server, arrives: Arrives, *, guarded: bool) -> list[Check]:
    """Two callers by turns, twice, so that remembered tokens are judged, too; then those who must not pass."""
    subject = GUARDED if guarded else name
    with client() as asking:
        found = [_caller(row, subject, f"{name}: caller {number}", asking, server, number, arrives) for number in (0, 1, 0, 1)]
        for given, token in _STRANGERS.items() if guarded else ():
            answer = asking.get(f"{server.url}{ECHO}", headers={} if token is None else bearer(token()))
            challenged = "with a challenge" if answer.headers.get("www-authenticate", "").startswith("Bearer") else "without"
            found.append(Check(row, subject, f"{name}: {given}", "401 with a challenge", f"{answer.status_code} {challenged}"))
    return found


@contextlib.contextmanager
def client() -> Iterator[httpx.Client]:
    """Goes straight to this machine, whatever proxy the environment names."""
    with httpx.Client(trust_env=False, timeout=30) as made:
        yield made


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def who_arrived(answer: httpx.Response, number: int) -> str:
    """What the upstream said of the Authorization it got: "as sent", "exchanged", or what is wrong."""
    if answer.status_code != 200:
        return f"{answer.status_code}"
    scheme, _, token = answer.text.partition(" ")
    if scheme != "Bearer" or token.count(".") != 2 or subject_of(token) != name_of(number):
        return "another Authorization"
    return "as sent" if token == caller(number) else "exchanged"


def _caller(row: str, subject: str, given: str, asking: httpx.Client, server: Server, number: int, arrives: Arrives) -> Check:
    answer = asking.get(f"{server.url}{ECHO}", headers=bearer(caller(number)))
    return Check(row, subject, given, arrives, who_arrived(answer, number))


_STRANGERS = {"a tampered token": tampered, "an expired token": expired, "no token": None}
