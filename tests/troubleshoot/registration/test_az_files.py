"""What the Azure CLI printed serves in place of Graph: the same verdicts, and what is lacking is named with its command."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tokenward.errors import PolicyError
from tokenward.troubleshoot.registration.az_files import AzFile, read_az_files
from tokenward.troubleshoot.registration.examine import findings


def _file(content: object, kind: str | None = None) -> AzFile:
    return AzFile("a.json", json.dumps(content, indent=2).encode(), kind)


def _files(estate: Any) -> dict[str, AzFile]:
    return {
        "app": _file(estate.application),
        "sp": _file(estate.principal),
        "resource": _file(estate.databricks),
        "grants": _file(estate.directory.grants),
    }


def _found(estate: Any, files: Any, now: float) -> dict[str, Any]:
    question = estate.question()
    parts = findings(read_az_files(list(files), question), question, now)
    return {finding.name: finding for listed in parts.values() for finding in listed}


@pytest.mark.parametrize(
    "change", [lambda _: None, lambda e: e.grant.update(scope="x"), lambda e: e.principal.update(accountEnabled=False)]
)
def test_the_verdicts_are_those_of_graph(estate: Any, now: float, change: Any) -> None:
    change(estate)
    told = {name: finding.held for name, finding in _found(estate, _files(estate).values(), now).items()}
    by_graph = {name: finding.held for name, finding in estate.found().items() if name not in ("tenant", "users may consent")}
    assert told == by_graph


@pytest.mark.parametrize(
    ("lacking", "name", "command"),
    [
        pytest.param("app", "application", "az ad app show --id", id="the application"),
        pytest.param("sp", "service principal", "az ad sp show --id", id="the service principal"),
        pytest.param("grants", "permissions consented", "az ad app permission list-grants --id", id="the consents"),
        pytest.param("resource", "resource", "az ad sp show --id 2ff814a6", id="the resource"),
    ],
)
def test_what_no_file_tells_is_open_and_the_command_for_it_named(
    estate: Any, now: float, lacking: str, name: str, command: str
) -> None:
    files = {kind: file for kind, file in _files(estate).items() if kind != lacking}
    finding = _found(estate, files.values(), now)[name]
    assert finding.held is None
    assert command in finding.fix


def test_assignments_have_a_command_of_their_own(estate: Any, now: float) -> None:
    estate.principal["appRoleAssignmentRequired"] = True
    finding = _found(estate, _files(estate).values(), now)["assignment"]
    assert (finding.held, "appRoleAssignedTo" in finding.fix) == (None, True)
    estate.directory.assign("User", "Ada", estate.principal)
    more = [*_files(estate).values(), _file({"value": estate.directory.assignments})]
    assert _found(estate, more, now)["assignment"].held is True


def test_an_empty_list_says_what_there_is_none_of_if_it_has_a_kind(estate: Any, now: float) -> None:
    files = {**_files(estate), "grants": _file([], "grants")}
    assert _found(estate, files.values(), now)["permissions consented"].held is False
    assert _found(estate, {**files, "sp": _file([], "sp")}.values(), now)["service principal"].held is False


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_files_as_powershell_writes_them_are_read(estate: Any, now: float, encoding: str) -> None:
    files = [AzFile("a.json", file.content.decode().encode(encoding)) for file in _files(estate).values()]
    assert {finding.held for finding in _found(estate, files, now).values()} == {True}


@pytest.mark.parametrize(
    "file",
    [
        pytest.param(AzFile("a.json", b""), id="empty"),
        pytest.param(AzFile("a.json", b"ERROR: Resource does not exist"), id="an error's text"),
        pytest.param(AzFile("a.json", b"\xff\xfe\x00"), id="broken text"),
        pytest.param(AzFile("a.json", b"[1, 2]"), id="a list of numbers"),
        pytest.param(AzFile("a.json", b"[]"), id="an empty list of nobody knows what"),
        pytest.param(AzFile("a.json", b'{"something": "else"}'), id="another object"),
        pytest.param(AzFile("a.json", b'{"value": [' + b" " * 5_000_000 + b"]}"), id="too large"),
        pytest.param(AzFile("a.json", b"[" * 100_000), id="too deep"),
    ],
)
def test_what_is_no_answer_of_az_is_refused_and_not_quoted(estate: Any, file: AzFile) -> None:
    with pytest.raises(PolicyError) as caught:
        read_az_files([file], estate.question())
    assert caught.value.field == "az_file"
    assert "Resource does not exist" not in str(caught.value)


def test_too_many_files_are_refused(estate: Any) -> None:
    with pytest.raises(PolicyError, match="more than"):
        read_az_files([_file(estate.application)] * 50, estate.question())
