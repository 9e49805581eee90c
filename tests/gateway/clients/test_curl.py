"""curl: what an operator types first, and the only one here that really waits for 100 Continue."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

CURL = shutil.which("curl")

pytestmark = [
    pytest.mark.servers,
    pytest.mark.skipif(CURL is None, reason="curl is not installed: apt-get install curl (Debian), brew install curl (macOS)"),
]

ME = "/api/2.0/preview/scim/v2/Me"
FILE = "/api/2.0/fs/files/Volumes/main/default/data/curl.bin?overwrite=true"
ECHO = "/serving-endpoints/echo/invocations"
QUESTION = '{"messages": [{"role": "user", "content": "one two"}], "stream": true}'
DATA = os.urandom(1 << 20) * 3
BOTH = pytest.mark.parametrize("kind", ["pass", "exchange"])
WITH_HTTP2 = pytest.mark.parametrize("server", ["hypercorn", "granian"])


@pytest.fixture
def curl(estate: Any) -> Any:
    """`curl(gate, path, *arguments)`: what curl wrote, and what it said."""

    def run(gate: Any, path: str, *arguments: str, kind: str = "pass", token: str | None = None, given: bytes = b"") -> Any:
        bearer = f"Authorization: Bearer {token or estate.token(kind)}"
        common = [
            "--silent",
            "--show-error",
            "--noproxy",
            "*",
            "--max-time",
            "30",
            "--cacert",
            estate.ca_file,
            "--header",
            bearer,
        ]
        command = [str(CURL), *common, *arguments, gate.url(kind) + path]
        return subprocess.run(command, input=given, capture_output=True, check=False, timeout=60)

    return run


@pytest.fixture
def file(tmp_path: Path) -> str:
    (tmp_path / "data").write_bytes(DATA)
    return str(tmp_path / "data")


@BOTH
def test_a_file_goes_up_with_its_length_after_100_continue(gate: Any, estate: Any, curl: Any, file: str, kind: str) -> None:
    up = curl(gate, FILE, "--verbose", "--http1.1", "--header", "Expect: 100-continue", "--upload-file", file, kind=kind)
    assert b"< HTTP/1.1 100 Continue" in up.stderr
    assert b"< HTTP/1.1 204" in up.stderr
    sent = next(request for request in reversed(estate.standin.requests) if request.method == "PUT")
    assert sent.headers["content-length"] == str(len(DATA))
    assert curl(gate, FILE, kind=kind).stdout == DATA
    assert estate.has_arrived(kind)


@BOTH
def test_a_file_from_a_pipe_goes_up_in_chunks(gate: Any, estate: Any, curl: Any, kind: str) -> None:
    up = curl(gate, FILE, "--write-out", "%{http_code}", "--upload-file", "-", kind=kind, given=DATA)
    assert up.stdout == b"204", up.stderr
    sent = next(request for request in reversed(estate.standin.requests) if request.method == "PUT")
    assert (sent.headers.get("transfer-encoding"), sent.headers.get("content-length")) == ("chunked", None)
    assert curl(gate, FILE, kind=kind).stdout == DATA


def test_a_refused_upload_is_not_sent(gate: Any, estate: Any, curl: Any, file: str) -> None:
    arguments = (
        "--http1.1",
        "--header",
        "Expect: 100-continue",
        "--upload-file",
        file,
        "--write-out",
        "%{http_code} %{size_upload}",
    )
    refused = curl(gate, FILE, *arguments, "--output", os.devnull, "--expect100-timeout", "20", token="nonsense")
    assert refused.stdout == b"401 0", refused.stderr
    assert not estate.tokens_seen()


@BOTH
def test_events_come_unbuffered(gate: Any, estate: Any, curl: Any, kind: str) -> None:
    came = curl(gate, ECHO, "--no-buffer", "--header", "Content-Type: application/json", "--data", QUESTION, kind=kind)
    assert came.stdout.count(b"data: ") == 3
    assert came.stdout.endswith(b"data: [DONE]\n\n")


def test_an_answer_that_was_cut_short_is_an_error(gate: Any, estate: Any, curl: Any) -> None:
    """18 is CURLE_PARTIAL_FILE, 56 CURLE_RECV_ERROR: libcurl-errors(3)."""

    def mood(handler: Any) -> None:
        handler.begin(("transfer-encoding", "chunked"))
        handler.chunk(b"half")
        handler.close_connection = True

    estate.moody.moods["/api/2.0/odd"] = mood
    cut = curl(gate, "/api/2.0/odd", "--header", "Host: moody.example")
    assert (cut.returncode, cut.stdout) in [(18, b"half"), (56, b"half")]


@BOTH
@WITH_HTTP2
def test_http2_with_prior_knowledge_moves_files_and_events(
    gates: Any, estate: Any, curl: Any, file: str, server: str, kind: str
) -> None:
    gate = gates(server)
    version = ("--http2-prior-knowledge", "--write-out", "%{http_version} %{http_code}")
    if server == "granian":  # hypercorn may drop the connection; see UPLOADS in test_servers
        assert curl(gate, FILE, *version, "--upload-file", file, kind=kind).stdout == b"2 204"
    assert curl(gate, FILE, *version, "--upload-file", "-", kind=kind, given=DATA).stdout == b"2 204"
    assert curl(gate, FILE, "--http2-prior-knowledge", kind=kind).stdout == DATA
    events = curl(
        gate, ECHO, *version, "--no-buffer", "--header", "Content-Type: application/json", "--data", QUESTION, kind=kind
    )
    assert events.stdout.endswith(b"data: [DONE]\n\n2 200")
    assert estate.has_arrived(kind)


@WITH_HTTP2
def test_an_offer_of_http2_on_plain_http_may_be_passed_over(gates: Any, estate: Any, curl: Any, server: str) -> None:
    """curl --http2 sends Upgrade: h2c with its first request; either version is fine, and the headers of it end here."""
    came = curl(gates(server), ME, "--http2", "--write-out", "%{http_code}")
    assert came.stdout.endswith(b"200"), came.stderr
    sent = next(request for request in reversed(estate.standin.requests) if request.path == ME)
    assert {"upgrade", "http2-settings"} & sent.headers.keys() == set()


def test_the_offer_is_passed_over_by_uvicorn_too(gate: Any, estate: Any, curl: Any) -> None:
    assert curl(gate, ME, "--http2", "--write-out", "%{http_code}").stdout.endswith(b"200")
    sent = next(request for request in reversed(estate.standin.requests) if request.path == ME)
    assert {"upgrade", "http2-settings"} & sent.headers.keys() == set()
