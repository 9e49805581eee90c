"""docs/metrics.md: its table is the table of instruments, its words are all there are, and its programs run."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import fields
from inspect import signature
from pathlib import Path
from typing import get_args

import pytest

from tokenward.keys.counts import Lookup
from tokenward.keys.decision import Why
from tokenward.keys.events import KeyEvent
from tokenward.keys.port import FailureKind
from tokenward.metrics.instruments import KEYS, REJECTIONS, Instrument
from tokenward.metrics.opentelemetry import instrument
from tokenward.metrics.prometheus import KeysCollector

PAGE = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text("utf-8")
PROGRAMS = re.findall(r"^```python\n(from .*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def row(each: Instrument) -> str:
    labels = ", ".join(f"`{label}`" for label in each.labels)
    return f"| `{each.exposed}` | `{each.name}` | {each.kind} | `{each.unit}` | {labels} | {each.description} |"


def test_the_table_is_that_of_the_instruments() -> None:
    assert re.findall(r"^\| `tokenward_.*$", PAGE, re.MULTILINE) == [row(each) for each in (*KEYS, REJECTIONS)]


@pytest.mark.parametrize(
    ("begin", "words"),
    [
        pytest.param("- `outcome` of a lookup", get_args(Lookup), id="outcomes of a lookup"),
        pytest.param(
            "- `why` of a fetch",
            (*get_args(Why), "ok", "unchanged", "late", *get_args(FailureKind)),
            id="whys and outcomes of a fetch",
        ),
    ],
)
def test_the_words_that_are_listed_are_all_there_are(begin: str, words: tuple[str, ...]) -> None:
    item = PAGE[PAGE.index(begin) + len(begin) :].split("\n- ")[0]
    assert [word for word in re.findall(r"`(\w+)`", item) if word != "outcome"] == list(words)


@pytest.mark.parametrize("number", range(2), ids=["prometheus", "opentelemetry"])
def test_the_programs_of_the_page_run_as_they_stand_and_tell_numbers(number: int) -> None:
    ends = (
        "from prometheus_client import generate_latest\nprint(generate_latest().decode())",
        "provider.force_flush()\nprovider.shutdown()",
    )
    begin = "app = lambda scope, receive, send: None\n"
    program = begin + PROGRAMS[number].replace("start_http_server(9464)", 'start_http_server(0, addr="127.0.0.1")') + ends[number]
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr == ""
    assert ("tokenward_rejections_total{" if number == 0 else '"tokenward.rejections"') in done.stdout


def test_the_adapters_are_made_as_promised() -> None:
    assert list(signature(KeysCollector).parameters) == ["observed", "diagnostics"]
    assert list(signature(instrument).parameters) == ["observed", "diagnostics", "meter_provider"]


def test_the_page_tells_every_event_and_its_fields() -> None:
    rows = re.findall(r"^\| `(Keys\w+)` \| (.*?) \|", PAGE, re.MULTILINE)
    told = {name: re.findall(r"`(\w+)`", named) for name, named in rows}
    assert told == {event.__name__: [field.name for field in fields(event)] for event in get_args(KeyEvent)}


def test_the_observer_of_the_page_is_told_of_a_failure() -> None:
    ends = """
from tokenward.keys.port import FetchFailed
from tokenward import verifier as module

class Down:
    def __call__(self, request):
        raise FetchFailed("dns")

module.HttpxFetch = Down
"""
    program = ends + PROGRAMS[2] + "verifier.warm_up(timeout=0.5)\nverifier.close()\nprint(sorted({kind for _, kind in failed}))"
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.endswith("['dns']\n")
    assert "keys_refresh_failed" in done.stdout
