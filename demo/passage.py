"""The requests through the gateway, and what each must come to.

Codes and statuses are written out here and not taken from tokenward, so that the demo can find it wrong.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import httpx

from demo.federated import minted, same_jwt, tampered
from demo.workspace import StandIn

Headers: TypeAlias = dict[str, str]
Call: TypeAlias = Callable[[httpx.Client, Headers], tuple[int, str | None, str]]
"""Makes its requests with these headers: the status, the gateway's mark or None, and what is worth saying of the answer."""
MARK = "Tokenward-Refused"
MIB = 1024 * 1024
FILE = "/api/2.0/fs/files/Volumes/main/default/demo/eight-mib.bin"
STATEMENTS, SERVING, ME = "/api/2.0/sql/statements", "/serving-endpoints/echo/invocations", "/api/2.0/preview/scim/v2/Me"
QUESTION = "every word of this answer is an event of its own"


@dataclass(frozen=True)
class Passage:
    """One request through the gateway, and the verdict it must get.

    make    the caller's JWT; None sends no token
    mark    what the gateway must say of its refusal; None where the answer must be the workspace's own
    code    of the event in the gateway's log; None where there must be none
    """

    name: str
    make: Callable[[StandIn], str] | None
    call: Call
    status: int = 200
    mark: str | None = None
    code: str | None = None


# -- requests ----------------------------------------------------------------------------------------------------------


def _answer(response: httpx.Response, says: str) -> tuple[int, str | None, str]:
    return response.status_code, response.headers.get(MARK), says


def who(http: httpx.Client, headers: Headers) -> tuple[int, str | None, str]:
    """SCIM Me: as whom does the workspace know the exchanged token?"""
    response = http.get(ME, headers=headers)
    return _answer(response, f"the workspace sees {response.json().get('userName')}" if response.is_success else "")


def statement(http: httpx.Client, headers: Headers) -> tuple[int, str | None, str]:
    response = http.post(STATEMENTS, headers=headers, json={"statement": "SELECT 1", "warehouse_id": "0123456789abcdef"})
    return _answer(response, f"statement {response.json()['status']['state']}" if response.is_success else response.text[:100])


def stream(http: httpx.Client, headers: Headers) -> tuple[int, str | None, str]:
    """Server-sent events, each as it comes."""
    body = {"stream": True, "messages": [{"role": "user", "content": QUESTION}]}
    words, times, began = [], [], time.perf_counter()
    with http.stream("POST", SERVING, headers=headers, json=body) as response:
        for line in response.iter_lines():
            if line.startswith("data: {"):
                words.append(json.loads(line[6:])["choices"][0]["delta"]["content"])
                times.append((time.perf_counter() - began) * 1000)
    if "".join(words) != QUESTION:
        return _answer(response, "the stream came garbled")
    return _answer(response, f"{len(words)} events, the first after {times[0]:.0f} ms, the last after {times[-1]:.0f} ms")


def file(http: httpx.Client, headers: Headers) -> tuple[int, str | None, str]:
    """8 MiB there in chunks, and back."""
    sent = hashlib.sha256()

    def _parts() -> object:
        for number in range(8):
            part = bytes((number,)) * MIB
            sent.update(part)
            yield part

    response = http.put(FILE, headers=headers, content=_parts())  # type: ignore[arg-type]  # a generator of bytes
    if not response.is_success:
        return _answer(response, response.text[:100])
    came = hashlib.sha256()
    with http.stream("GET", FILE, headers=headers) as response:
        for chunk in response.iter_raw():
            came.update(chunk)
    return _answer(response, "8 MiB there and back, the same" if came.digest() == sent.digest() else "the file came back changed")


def get(path: str) -> Call:
    """Of this path, to the letter."""

    def _get(http: httpx.Client, headers: Headers) -> tuple[int, str | None, str]:
        url = http.base_url.copy_with(raw_path=path.encode())
        response = http.get(url, headers=headers)
        return _answer(response, "")

    return _get


# -- what they must come to --------------------------------------------------------------------------------------------


def passages() -> list[Passage]:
    """The table, the good ones first."""
    good = same_jwt()
    return [
        Passage("Who am I", good, who),
        Passage("SQL statement", good, statement),
        Passage("Event stream", good, stream),
        Passage("File, both ways", good, file),
        Passage("No token", None, who, 401, "missing_token", "missing_token"),
        Passage("Tampered subject", tampered, who, 401, "invalid_token", "signature_invalid"),
        Passage("Unknown user", minted(subject="nobody@contoso.example"), who, 401, "exchange_refused", "exchange_refused"),
        Passage("Path not allowed", good, get("/api/2.0/clusters/list"), 403, "path_not_allowed", "path_not_allowed"),
        Passage("Path in disguise", good, get("/api/2.0/sql/%2e%2e/clusters/list"), 400, "path_malformed", "path_malformed"),
    ]


WORKSPACE_DOWN = Passage("Workspace down", minted(), who, 503, "exchange_unavailable", "exchange_unavailable")
