"""The table itself: every row has its tests, every test its row, and the docs say what the table says."""

from __future__ import annotations

import re
import runpy
import tomllib
from pathlib import Path

HERE = Path(__file__).parent
ROWS = tomllib.loads((HERE / "rows.toml").read_text("utf-8"))["row"]


TESTS = "".join(path.read_text("utf-8") for path in HERE.glob("test_*.py"))


def test_every_row_has_tests_and_every_test_a_row() -> None:
    named = re.findall(r"^def test_(f\d\d)_", TESTS, re.MULTILINE)
    assert [row["id"] for row in ROWS] == sorted({name.upper() for name in named})


def test_there_are_54_rows_and_each_says_what_goes_wrong_and_what_holds() -> None:
    assert [row["id"] for row in ROWS] == [f"F{number:02}" for number in range(1, 55)]
    assert all(set(row) <= {"id", "fault", "holds", "drivers"} and row["fault"] and row["holds"] for row in ROWS)
    assert {driver for row in ROWS for driver in row.get("drivers", ())} <= {"threads", "asyncio", "trio", "mixed"}


def test_the_docs_hold_the_table() -> None:
    made = runpy.run_path(str(HERE / "document.py"))
    assert made["PAGE"].read_text("utf-8") == made["page"](), "run scripts/matrix --docs"


def test_the_example_of_the_docs_runs() -> None:
    page = runpy.run_path(str(HERE / "document.py"))["BETWEEN"]
    found = re.search(r"```python\n(.*?)```", page, re.DOTALL)
    assert found is not None
    names: dict[str, object] = {}
    exec(found[1], names)  # our own text
    example = names["test_my_service_without_its_issuer"]
    assert callable(example)
    example()
