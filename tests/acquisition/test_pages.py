"""The pages of the catalogue are those that it makes, and lead from a log's address to the section of its code."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tokenward.acquisition.catalogue import entries
from tokenward.acquisition.pages import IN_FULL, codes_page, errors_page
from tokenward.databricks.admission import refusals
from tokenward.errors import CODES

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize(
    ("argument", "name"), [pytest.param("codes", "codes.md", id="codes"), pytest.param("errors", "acquisition.md", id="errors")]
)
def test_a_page_is_what_its_command_writes(argument: str, name: str) -> None:
    command = [sys.executable, "-m", "tokenward.acquisition", argument]
    ran = subprocess.run(command, capture_output=True, check=True, timeout=60)
    assert ran.stdout.decode() == (DOCS / name).read_text("utf-8")


def test_the_command_says_how_it_is_called() -> None:
    ran = subprocess.run([sys.executable, "-m", "tokenward.acquisition"], capture_output=True, text=True, check=False, timeout=60)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "codes or errors" in ran.stderr


def test_each_code_has_one_section_whose_address_is_its_name() -> None:
    assert re.findall(r"^## (.+)$", codes_page(), re.MULTILINE) == [*CODES, *refusals.CODES]


def test_each_section_says_what_the_caller_is_answered_and_what_the_log_hints() -> None:
    sections = dict(re.findall(r"^## (\w+)$(.*?)(?=^## |\Z)", codes_page(), re.MULTILINE | re.DOTALL))
    for code, error in CODES.items():
        assert f"HTTP {error.status}" in sections[code]
        assert (error.error is None) == ("error=" not in sections[code].split("- Hint:")[0])
        assert "- Hint: " in sections[code]
        assert "1. **" in sections[code]


def test_each_code_of_the_gateway_is_listed_and_leads_to_where_it_is_described() -> None:
    of_gateway = codes_page().split("\n# The gateway's codes\n")[1]
    listed = re.findall(r"^\| \[`(\w+)`\]\(#\1\) \| (\d+) \|", of_gateway, re.MULTILINE)
    assert listed == [(code, str(refusal.status)) for code, refusal in refusals.CODES.items()]
    assert of_gateway.count("[docs/gateway.md#refusals](gateway.md#refusals)") == len(refusals.CODES)
    assert "\n### Refusals\n" in (DOCS / "gateway.md").read_text("utf-8")
    assert all(f"- Answered with HTTP {refusal.status}\n" in of_gateway for refusal in refusals.CODES.values())


def test_every_error_of_others_is_in_a_table_and_three_are_told_in_full() -> None:
    page = errors_page()
    listed = re.findall(r"^\| `([^`]+)` \|", page, re.MULTILINE)
    assert sorted(listed) == sorted(entry.code for entry in entries().values() if entry.kind not in ("tokenward", "gateway"))
    assert all(f"## {code}\n" in page for code in IN_FULL)
    assert not re.search(r"^\|[^|]*(\|[^|]*){1,3}\|$", page, re.MULTILINE), "every row has five cells"
