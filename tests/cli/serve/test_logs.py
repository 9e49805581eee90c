"""The log of a server: one JSON document for each line, and no token in any of them, whoever wrote it."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from tokenward.cli.serve.logs import configure_logs

TOKEN = "eyJhbGciOiJSUzI1NiIsImtpZCI6ImsxIiwidHlwIjoiSldUIn0"


@pytest.fixture(autouse=True)
def _restored(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As a new process finds its loggers: a uvicorn without access log that ran in this one has cut its logger off."""
    root, access = logging.getLogger(), logging.getLogger("uvicorn.access")
    for name, value in (("propagate", True), ("level", logging.NOTSET), ("handlers", []), ("disabled", False)):
        monkeypatch.setattr(access, name, value)
    kept = (root.handlers[:], root.level, logging.getLogger("uvicorn").level)
    yield
    structlog.reset_defaults()
    root.handlers[:] = kept[0]
    root.setLevel(kept[1])
    logging.getLogger("uvicorn").setLevel(kept[2])


def _lines(capsys: pytest.CaptureFixture[str]) -> list[Any]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_what_is_no_terminal_gets_json_with_the_same_members_first(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(None, access_log=False)
    structlog.get_logger("tokenward").warning("own", code="a")
    logging.getLogger("uvicorn.error").info("theirs")
    logging.getLogger("httpx").info("a request of ours")
    own, theirs = _lines(capsys)
    assert list(own)[:4] == list(theirs)[:4] == ["timestamp", "level", "pid", "event"]
    assert (own["event"], own["code"], theirs["event"]) == ("own", "a", "theirs")


def test_an_exception_says_where_and_quotes_no_token(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("json", access_log=False)
    for log in (structlog.get_logger("tokenward"), logging.getLogger("uvicorn.error")):
        try:
            raise ValueError(TOKEN)
        except ValueError:
            log.exception("failed")
    for line in _lines(capsys):
        assert line["exception"][-1] == "ValueError: <token>"
        assert "test_logs.py" in line["exception"][1]
        assert TOKEN not in json.dumps(line)


def test_lines_of_others_are_masked(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("json", access_log=False)
    logging.getLogger("aiohttp").warning("cannot send %s", TOKEN)
    assert _lines(capsys)[0]["event"] == "cannot send <token>"


@pytest.mark.parametrize("wanted", [True, False])
def test_requests_are_told_on_demand_without_their_query(capsys: pytest.CaptureFixture[str], wanted: bool) -> None:
    configure_logs("json", access_log=wanted)
    logging.getLogger("uvicorn.access").info('%s - "%s %s HTTP/%s" %d', "a:1", "GET", f"/{TOKEN}?{TOKEN}", "1.1", 200)
    lines = [{name: line[name] for name in ("event", "method", "path", "answered", "client")} for line in _lines(capsys)]
    told = {"event": "request", "method": "GET", "path": "/<token>", "answered": 200, "client": "a:1"}
    assert lines == ([told] if wanted else [])


def test_people_get_lines_of_text(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("console", access_log=False)
    try:
        raise ValueError(TOKEN)
    except ValueError:
        structlog.get_logger("tokenward").exception("failed", code="a")
    said = capsys.readouterr().err
    assert "code=a" in said
    assert said.splitlines()[-1] == "ValueError: <token>"
