"""docs/inside.md, where a new thing belongs: the files, folders and tables that it names exist, and the folders are in order."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "inside.md").read_text("utf-8")
INSIDE = ROOT / "src" / "tokenward"
HOUSE = (ROOT / "tests" / "test_house.py").read_text("utf-8")

ROWS = [line for line in TEXT.splitlines() if line.startswith("| ")][1:]
_FILE = re.compile(r"`([\w./-]+\.(?:py|json|md|toml))`")
_IN_FILE = re.compile(r"`([A-Za-z_]+)` (?:of|in) `([\w./]+\.py)`")


def _place(name: str) -> Path:
    """A name alone is beside the one before it in its row, or below the package."""
    return next((base / name for base in (INSIDE, ROOT) if (base / name).is_file()), INSIDE / name)


@pytest.mark.parametrize("row", [pytest.param(row, id=row.split("|")[1].strip()) for row in ROWS])
def test_what_a_row_names_exists(row: str) -> None:
    names = _FILE.findall(row)
    folders = {Path(name).parent for name in names}
    lost = [name for name in names if not _place(name).is_file() and not any((INSIDE / in_ / name).is_file() for in_ in folders)]
    assert lost == []
    assert [name for name in names if name.startswith("tests/")], "no test notices"
    for table, file in _IN_FILE.findall(row):
        assert re.search(rf"^(?:def |class )?{table}\b", _place(file).read_text("utf-8"), re.MULTILINE), f"{table} in {file}"


def test_the_folders_are_named_in_the_order_of_the_floors() -> None:
    floors = re.findall(r'"(\w+)"', re.findall(r"^ABOVE = \((.*)\)$", HOUSE, re.MULTILINE)[0])
    told = TEXT[TEXT.index("from the ground up, are the folders") :].split(". ", 1)[0]
    assert re.findall(r"`(\w+)`", told) == floors
