"""Each prepared incident is solved by the one command of its README, run as it stands; ANSWER.md's first line says how."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

INCIDENTS = Path(__file__).parents[2] / "examples" / "incidents"
NAMES = sorted(path.parent.name for path in INCIDENTS.glob("*/README.md"))
COMMANDS = {"explain", "policy would-accept", "decode", "diagnose", "doctor", "keys", "tail", "report"}
SCREEN = 40
"""Lines that a person sees without scrolling, at the least."""

pytestmark = [
    pytest.mark.skipif(not INCIDENTS.is_dir(), reason="examples/ is not beside these tests"),
    pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed"),
]
each_incident = pytest.mark.parametrize("name", NAMES)

_COMMAND = re.compile(r"^```sh\n(.+?)\n```$", re.MULTILINE | re.DOTALL)
_ANSWER = re.compile(r"Exit code (\d); it prints `(.+?)`; with --json `([^`]+)` is `([^`]+)`\.")
_PRIVATE = re.compile(r'"(d|p|q|dp|dq|qi|k)": "([^"]*)"')
"""RFC 7518 sections 6.2.2, 6.3.2 and 6.4.1."""


@dataclass(frozen=True)
class Answer:
    """The first line of an ANSWER.md."""

    code: int
    text: str
    path: str
    value: str


def command_of(name: str) -> str:
    [command] = _COMMAND.findall((INCIDENTS / name / "README.md").read_text("utf-8"))
    return str(command)


def answer_of(name: str) -> Answer:
    line = (INCIDENTS / name / "ANSWER.md").read_text("utf-8").splitlines()[0]
    found = _ANSWER.fullmatch(line)
    assert found, line
    return Answer(int(found[1]), *found.groups()[1:])


def at(document: Any, path: str) -> str:
    """What jq prints with -r for a path such as .a[0].b."""
    for step in re.findall(r"\w+", path):
        document = document[int(step) if isinstance(document, list) else step]
    return document if isinstance(document, str) else json.dumps(document)


def words(text: str) -> str:
    return " ".join(text.split())


def test_there_are_at_least_ten_and_together_they_use_every_command() -> None:
    used = {command for name in NAMES for command in COMMANDS if f"tokenward {command} " in command_of(name) + " "}
    assert len(NAMES) >= 10
    assert used == COMMANDS


@each_incident
def test_the_one_command_prints_the_answer(name: str, shell: Any, shipped: Path) -> None:
    answer = answer_of(name)
    done = shell(command_of(name), shipped)
    assert (done.returncode, done.stderr) == (answer.code, "")
    assert words(answer.text) in words(done.stdout)


@each_incident
@pytest.mark.parametrize("copy", ["shipped", "remade"])
def test_the_same_command_tells_programs(name: str, copy: str, shell: Any, request: pytest.FixtureRequest) -> None:
    root, answer = request.getfixturevalue(copy), answer_of(name)
    done = shell(f"{command_of(name)} --json", root)
    assert (done.returncode, done.stderr) == (answer.code, "")
    assert at(json.loads(done.stdout), answer.path) == answer.value


@each_incident
def test_the_answer_is_on_the_first_screen_or_the_last(name: str, shell: Any, shipped: Path) -> None:
    lines = shell(command_of(name), shipped).stdout.splitlines()
    screens = {words(" ".join(lines[:SCREEN])), words(" ".join(lines[-SCREEN:]))}
    assert [screen for screen in screens if words(answer_of(name).text) in screen]


@each_incident
def test_no_part_of_a_token_is_printed(name: str, shell: Any, shipped: Path) -> None:
    tokens = [path.read_text("ascii").strip() for path in (shipped / "examples/incidents" / name).glob("token.jwt")]
    printed = shell(command_of(name), shipped).stdout + shell(f"{command_of(name)} --json", shipped).stdout
    assert [part for token in tokens for part in token.split(".") if part in printed] == []


@each_incident
def test_the_story_does_not_tell_the_answer(name: str) -> None:
    answer = answer_of(name)
    assert answer.text not in (INCIDENTS / name / "README.md").read_text("utf-8")


def test_the_table_names_each_incident_with_its_command() -> None:
    text = (INCIDENTS / "README.md").read_text("utf-8")
    rows = re.findall(r"^\| \[(\S+)\]\((\S+)\) \| .+ \| `tokenward (.+)` \|$", text, re.MULTILINE)
    assert [(name, link) for name, link, _ in rows] == [(name, f"{name}/README.md") for name in NAMES]
    assert [name for name, _, command in rows if f"tokenward {command} " not in command_of(name) + " "] == []


@pytest.mark.parametrize("copy", ["shipped", "remade"])
def test_no_file_holds_a_private_key(copy: str, request: pytest.FixtureRequest) -> None:
    """The one that an incident is about is a text that says so; key sets stand in files and, as text, in a federation policy."""
    texts = [path.read_text("utf-8") for path in request.getfixturevalue(copy).rglob("*") if path.suffix in (".json", ".log")]
    sets = [text.replace('\\"', '"') for text in texts if "kty" in text]
    assert len(sets) == 4
    assert [found for text in sets for found in _PRIVATE.findall(text)] == [("d", "bm90IGEgcHJpdmF0ZSBrZXk")]


def test_the_night_makes_a_page(shell: Any, shipped: Path, tmp_path: Path) -> None:
    """What the answer to the last incident says beyond its one command."""
    page = tmp_path / "night.html"
    done = shell(f"{command_of('11-night-of-the-keys')} --html {page}", shipped)
    assert done.returncode == 0, done.stderr
    text = page.read_text("utf-8")
    assert [word for word in ("<svg", "unknown_key", "login.example.com", "Content-Security-Policy") if word not in text] == []
