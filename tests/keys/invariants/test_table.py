"""The table itself: every invariant has a test and a fault that it catches, and the docs say what the table says."""

from __future__ import annotations

import re

import pytest

from . import document


def test_there_are_14_invariants_and_each_says_what_holds() -> None:
    assert [row["id"] for row in document.ROWS] == [f"I{number}" for number in range(1, 15)]
    assert all(set(row) == {"id", "holds"} and row["holds"] for row in document.ROWS)


def test_every_invariant_has_a_test_and_a_fault_and_these_have_an_invariant() -> None:
    assert document.gaps(document.MODULES) == set()


@pytest.mark.parametrize("name", [row["id"] for row in document.ROWS])
def test_an_invariant_without_its_tests_or_without_its_faults_is_a_gap(name: str) -> None:
    untested = {module: re.sub(rf"\btest_{name.lower()}_", "test_", text) for module, text in document.MODULES.items()}
    unproved = {module: re.sub(rf'(pytest\.param\(\s*)"{name}",', r"\1", text) for module, text in document.MODULES.items()}
    assert document.gaps(untested) == document.gaps(unproved) == {name}


def test_the_state_machine_has_nine_faults_at_least() -> None:
    faults = document.faults_of({"machine_mutants": document.MODULES["machine_mutants"]})
    assert sum(len(found) for found in faults.values()) >= 9


def test_the_docs_hold_the_table() -> None:
    assert document.PAGE.read_text("utf-8") == document.page(), "run python tests/keys/invariants/document.py"
