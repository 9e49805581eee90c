"""Lines and tables of a given width: nothing is cut, no word is broken where it fits, and no line is wider than it must be."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from tokenward.cli.colours import Styled
from tokenward.cli.layout import folded, longest_word, width_of, wrapped
from tokenward.cli.tables import FOLDED, table_lines

WORDS = st.text(alphabet="abc-/.\u4e2d\u0301`", min_size=1, max_size=30)
TEXTS = st.lists(WORDS, max_size=12).map(" ".join)
TABLES = st.integers(1, 4).flatmap(lambda n: st.lists(st.lists(TEXTS, min_size=n, max_size=n), min_size=1, max_size=4))


@given(TEXTS, st.integers(20, 100))
@settings(max_examples=150, deadline=None)
def test_a_wrapped_text_has_the_same_words(text: str, width: int) -> None:
    lines = wrapped(text, width)
    assert " ".join(lines).split() == text.split()
    assert all(width_of(line) <= width or len(line.split()) == 1 or "`" in line for line in lines)


@given(TEXTS, st.integers(4, 60))
@settings(max_examples=150, deadline=None)
def test_a_folded_text_fits_and_lacks_nothing(text: str, width: int) -> None:
    lines = folded(text, width)
    assert "".join("".join(lines).split()) == "".join(text.split())
    assert max(map(width_of, lines)) <= width


@given(TABLES, st.integers(20, 200))
@settings(max_examples=150, deadline=None)
def test_a_table_shows_everything_within_its_width(rows: list[list[str]], width: int) -> None:
    cells = [[Styled(text) for text in row] for row in rows]
    lines = ["".join(part.text for part in line).rstrip() for line in table_lines(None, cells, width)]
    assert sorted("".join(lines).replace(" ", "")) == sorted("".join(text for row in rows for text in row).replace(" ", ""))
    if width >= max(longest_word(text) for row in rows for text in row) + 8 and not any("`" in line for line in lines):
        assert max(map(width_of, lines)) <= width


COLUMNS = [Styled(name) for name in ("check", "expected", "seen", "verdict")]
GUID = "72f988bf-86f1-41af-91ab-2d7cd011db47"
ROW = [Styled("tid"), Styled(GUID), Styled(GUID[::-1]), Styled("\u2713 ok")]


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        pytest.param(200, [f"  tid    {GUID}  {GUID[::-1]}  \u2713 ok"], id="side by side"),
        pytest.param(
            80,
            [
                "  tid    72f988bf-86f1-41af-91ab-        74bd110dc7d2-ba19-fa14-1f68-    \u2713 ok",
                "         2d7cd011db47                    fb889f27",
            ],
            id="folded behind a hyphen",
        ),
        pytest.param(
            40,
            ["  tid", "    expected:", f"      {GUID}", "    seen:", f"      {GUID[::-1]}", "    verdict: \u2713 ok"],
            id="stacked",
        ),
    ],
)
def test_a_table_that_has_no_room_is_folded_and_then_stacked(width: int, expected: list[str]) -> None:
    lines = ["".join(part.text for part in line).rstrip() for line in table_lines(COLUMNS, [ROW], width)]
    assert lines[-len(expected) :] == expected
    assert len(GUID) / 2 < FOLDED


def test_fields_are_never_folded() -> None:
    lines = ["".join(part.text for part in line) for line in table_lines(None, [[Styled("id"), Styled(GUID)]], 30)]
    assert [line.strip() for line in lines] == ["id", GUID]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("- one two three four", ["- one two", "  three", "  four"], id="an item of a list"),
        pytest.param("12. one two three", ["12. one", "    two", "    three"], id="a numbered item"),
        pytest.param("  one two three", ["  one two", "  three"], id="an indented paragraph"),
        pytest.param("run `az ad app show` now", ["run", "`az ad app show`", "now"], id="a command, which is copied"),
    ],
)
def test_a_paragraph_keeps_its_form(text: str, expected: list[str]) -> None:
    assert wrapped(text, 9) == expected
