"""`tokenward diagnose` as people and scripts call it: a process, a pipe, a file."""

from __future__ import annotations

import gzip
import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tokenward.acquisition import entries

JWT = "eyJhbGciOiJSUzI1NiIsImtpZCI6ImsxIiwidHlwIjoiSldUIn0.eyJpc3MiOiJodHRwczovL2lkcC5leGFtcGxlLyJ9.c2lnbmF0dXJl"

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def diagnosed(environment: dict[str, str]) -> Run:
    """`diagnosed(*arguments, stdin=...)` runs the command as a process."""

    def run(*arguments: str, stdin: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "tokenward.cli", "diagnose", *arguments]
        done = subprocess.run(
            command, input=stdin, capture_output=True, text=True, env=environment | variables, timeout=60, check=False
        )
        assert "Traceback" not in done.stderr
        return done

    return run


def test_a_code_is_explained_for_people(diagnosed: Run) -> None:
    done = diagnosed("AADSTS50000")
    assert done.returncode == 0
    assert [
        word for word in ("TokenIssuanceError", "1. ", "5. ", "az ad sp show", "tenant admin") if word not in done.stdout
    ] == []
    assert "\x1b" not in done.stdout


def test_what_is_piped_in_is_explained_for_machines(diagnosed: Run) -> None:
    text = f"2026-01-09 ERROR AADSTS65001: no Trace ID: 0a1b2c3d-1111-4222-8333-444455556666 assertion={JWT}"
    done = diagnosed("--json", stdin=text)
    (found,) = json.loads(done.stdout)["diagnoses"]
    assert (done.returncode, found["code"], found["retry"], found["known"]) == (0, "AADSTS65001", "interactive", True)
    assert found["trace_id"] == "0a1b2c3d-1111-4222-8333-444455556666"
    assert "eyJ" not in done.stdout


def test_a_file_is_read(diagnosed: Run, tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    log.write_text("AADSTS50011: x\n" * 3)
    done = diagnosed("--file", str(log), "--json")
    assert [(found["code"], found["count"]) for found in json.loads(done.stdout)["diagnoses"]] == [("AADSTS50011", 3)]


def test_several_codes_are_explained_in_their_order(diagnosed: Run) -> None:
    done = diagnosed("65001", "50011", "--json")
    assert [found["code"] for found in json.loads(done.stdout)["diagnoses"]] == ["AADSTS65001", "AADSTS50011"]


def test_the_answer_comes_first_and_general_words_are_only_named(diagnosed: Run) -> None:
    answer = {"error": "invalid_client", "error_codes": [7000215], "error_description": "AADSTS7000215: no"}
    lines = diagnosed(stdin=json.dumps(answer), COLUMNS="80").stdout.splitlines()
    assert lines[0].startswith("AADSTS7000215")
    assert any("do first" in line and "operator: Make a new secret" in line for line in lines[:6])
    assert lines[-1] == "also in it, and explained by: tokenward diagnose invalid_client"
    assert not any(line.startswith("invalid_client") for line in lines)


def test_of_many_errors_all_are_listed_and_the_most_frequent_are_told_in_full(diagnosed: Run) -> None:
    log = "".join(f"AADSTS{code}: x\n" * count for code, count in ((50011, 1), (65001, 2), (50105, 3), (90002, 4)))
    lines = diagnosed(stdin=log).stdout.splitlines()
    assert lines[0] == "4 errors"
    assert [line.split()[0] for line in lines if line.startswith("  AADSTS")] == [
        "AADSTS90002",
        "AADSTS50105",
        "AADSTS65001",
        "AADSTS50011",
    ]
    assert [line.split()[0] for line in lines if line.startswith("AADSTS")] == ["AADSTS90002", "AADSTS50105", "AADSTS65001"]
    assert lines[-1].endswith("tokenward diagnose AADSTS50011")


def test_a_log_of_many_megabytes_is_looked_at_to_its_end(diagnosed: Run, tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    log.write_text("AADSTS50011: x\n" + "INFO GET /jobs 200 in 12 ms\n" * 200_000 + "AADSTS65001: x\n")
    done = diagnosed("--file", str(log), "--json")
    assert [found["code"] for found in json.loads(done.stdout)["diagnoses"]] == ["AADSTS50011", "AADSTS65001"]


def test_no_line_of_prose_is_wider_than_the_terminal(diagnosed: Run) -> None:
    lines = diagnosed("AADSTS50000", "user_not_in_workspace", COLUMNS="80").stdout.splitlines()
    copied = [line for line in lines if line.startswith("     ") or "https://" in line]
    assert max(len(line) for line in lines if line not in copied) <= 80


def test_an_event_of_tokenwards_own_log_is_explained(diagnosed: Run) -> None:
    event = {
        "event": "token_rejected",
        "code": "audience_not_accepted",
        "docs": "docs/codes.md#audience_not_accepted",
        "seen": JWT,
    }
    done = diagnosed("--json", stdin=json.dumps(event))
    (found,) = json.loads(done.stdout)["diagnoses"]
    assert (found["code"], found["kind"], found["count"]) == ("audience_not_accepted", "tokenward", 1)
    assert any(command.startswith("tokenward explain") for cause in found["causes"] for command in cause["commands"])
    assert "eyJ" not in done.stdout


def test_a_code_of_the_gateway_is_explained(diagnosed: Run) -> None:
    done = diagnosed("path_not_allowed")
    assert done.returncode == 0
    words = (
        "a refusal of the gateway",
        "operator: Add a preset",
        "helps after the cause is gone",
        "source: docs/gateway.md#refusals",
    )
    assert [word for word in words if word not in " ".join(done.stdout.split())] == []


@pytest.mark.parametrize("code", ["AADSTS65001", "path_not_allowed"])
def test_machines_are_told_all_that_the_catalogue_explains(diagnosed: Run, code: str) -> None:
    (found,) = json.loads(diagnosed(code, "--json").stdout)["diagnoses"]
    explained = json.loads(json.dumps(entries()[code].to_json()))
    assert {name: found[name] for name in explained} == explained


def test_an_unknown_code_ends_with_1_and_the_address_to_look_it_up(diagnosed: Run) -> None:
    done = diagnosed("AADSTS1234567")
    assert done.returncode == 1
    assert "https://login.microsoftonline.com/error?code=1234567" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        pytest.param(["all is well"], 1, id="no error in it"),
        pytest.param(["--file", os.devnull], 1, id="an empty file"),
        pytest.param(["--file", "no/such/file"], 2, id="no file"),
        pytest.param(["65001", "--file", os.devnull], 2, id="a text and a file"),
        pytest.param([f"AADSTS65001 {JWT}"], 2, id="a token on the command line"),
    ],
)
def test_what_cannot_be_diagnosed_ends_with_what_to_do_next(diagnosed: Run, arguments: list[str], code: int) -> None:
    done = diagnosed(*arguments)
    assert done.returncode == code
    assert "next:" in done.stderr
    assert "eyJ" not in done.stderr + done.stdout


@pytest.mark.parametrize(
    ("content", "code"),
    [
        pytest.param(gzip.compress(b"AADSTS65001: x\n" * 100), 2, id="a compressed log"),
        pytest.param(random.Random(7).randbytes(2**17), 1, id="anything at all"),
    ],
)
def test_a_file_that_is_no_text_ends_with_what_to_do_next(diagnosed: Run, tmp_path: Path, content: bytes, code: int) -> None:
    file = tmp_path / "file"
    file.write_bytes(content)
    done = diagnosed("--file", str(file))
    assert done.returncode == code
    assert "next:" in done.stderr


def test_the_first_screen_names_the_command_that_tells_which_cause(diagnosed: Run) -> None:
    client = "2a1b2c3d-1111-4222-8333-444455556666"
    lines = diagnosed(stdin=f"AADSTS65001: the application with ID '{client}'", COLUMNS="80").stdout.splitlines()
    place = lines.index("to tell which cause:")
    assert place < 16
    assert lines[place + 1].strip().startswith(f"tokenward doctor --tenant TENANT_ID --client-id {client} ")
    assert lines[place + 2].startswith("1. ")


@pytest.mark.parametrize(
    ("stdin", "code", "word"),
    [
        pytest.param("", "no_text", "no text", id="nothing"),
        pytest.param(" \n", "no_text", "no text", id="blanks"),
        pytest.param(JWT + "\n", "token_given", "tokenward explain", id="a token"),
        pytest.param(f"Authorization: Bearer {JWT}", "token_given", "tokenward explain", id="a token as it is sent"),
        pytest.param("all is well", "nothing_found", "no error in it", id="another text"),
    ],
)
def test_what_holds_no_error_is_called_what_it_is(diagnosed: Run, stdin: str, code: str, word: str) -> None:
    done = diagnosed(stdin=stdin)
    assert (done.returncode, word in done.stderr, "eyJ" in done.stderr) == (1, True, False)
    assert json.loads(diagnosed("--json", stdin=stdin).stdout)["error"] == code


def test_help_fits_80_columns(diagnosed: Run) -> None:
    done = diagnosed("--help", COLUMNS="80")
    assert done.returncode == 0
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "examples:" in done.stdout
