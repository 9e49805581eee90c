"""The HTML report: one file that loads and runs nothing, whatever a log holds, and that says in words what it draws."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Iterable
from hashlib import sha256
from html.parser import HTMLParser
from typing import Any

import pytest

from tokenward.troubleshoot.logs import Series, Tally
from tokenward.troubleshoot.logs.chart import course_of, nice
from tokenward.troubleshoot.logs.markup import Markup, element
from tokenward.troubleshoot.logs.page import page
from tokenward.troubleshoot.logs.summary import summary_of

NOW = 1_767_960_000.0
VOID = {"meta", "br"}
HOSTILE = [
    pytest.param("<script>alert(1)</script>", id="a script"),
    pytest.param("\"><img src=x onerror='alert(1)'>", id="out of an attribute"),
    pytest.param("</style><style>@import 'https://x'</style>", id="a style"),
    pytest.param("</title></svg><iframe src=javascript:alert(1)>", id="out of the drawing"),
    pytest.param("\x1b]8;;https://x\x07<b>&amp;", id="escapes"),
]

Line = Callable[..., bytes]
Read = Callable[..., list[Any]]
Made = Callable[..., str]


@pytest.fixture
def made(read: Read) -> Made:
    """`made(lines, name=...)`: the page of these lines."""

    def page_of(lines: Iterable[bytes], name: str = "app.log") -> str:
        tally, series = Tally(), Series(step=None, offset_at=lambda at: 3600.0)
        for event in read(*lines):
            tally.add(event)
            series.add(event)
        step, bars = series.bars()
        summary = summary_of([name], tally, lines=9, unread=1, undated=2, offset=series.offset)
        return page(summary, course_of(step, bars, series.offset) if bars else None)

    return page_of


class _Elements(HTMLParser):
    """The elements of a page with their attributes; each must be closed where it was opened."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("member", ["issuer", "client", "hint", "docs", "name", "source"])
def test_no_text_of_a_log_becomes_markup(made: Made, line: Line, text: str, member: str) -> None:
    plain = _Elements(made([line(**{member: "plain"}), line("keys_refresh_failed", source="plain")], "app.log"))
    lines = [line(**{member: text}), line("keys_refresh_failed", source=text if member == "source" else "plain")]
    hostile = _Elements(made(lines, text if member == "name" else "app.log"))
    assert [tag for tag, _ in hostile.found] == [tag for tag, _ in plain.found]
    assert [set(attributes) for _, attributes in hostile.found] == [set(attributes) for _, attributes in plain.found]


def test_nothing_is_loaded_and_nothing_runs(made: Made, line: Line) -> None:
    text = made([line(code=code, docs="docs/codes.md#x") for code in ("token_expired", "unknown_key")])
    elements = _Elements(text)
    assert {tag for tag, _ in elements.found} & {
        "script",
        "link",
        "img",
        "iframe",
        "object",
        "base",
        "form",
        "image",
        "use",
    } == set()
    names = {name for _, attributes in elements.found for name in attributes}
    assert {name for name in names if name.startswith("on")} | names & {"style", "src", "srcset", "xlink:href", "href"} == set()
    assert "url(" not in text
    assert "@import" not in text


def test_the_policy_allows_this_style_and_nothing_else(made: Made, line: Line) -> None:
    text = made([line()])
    style = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    digest = b64encode(sha256(style[0].encode()).digest()).decode()
    policy = next(a["content"] for tag, a in _Elements(text).found if a.get("http-equiv") == "Content-Security-Policy")
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    assert text.index("Content-Security-Policy") < text.index("<style>")


@pytest.mark.parametrize(
    ("address", "is_link"),
    [
        pytest.param("https://docs.example/codes.html#token_expired", True, id="https"),
        pytest.param("docs/codes.md#token_expired", False, id="a path"),
        pytest.param("javascript:alert(1)", False, id="a script"),
        pytest.param("https://user:pass@docs.example/", False, id="with a user"),
        pytest.param("http://docs.example/", False, id="in the clear"),
    ],
)
def test_only_a_plain_https_address_becomes_a_link(made: Made, line: Line, address: str, is_link: bool) -> None:
    elements = _Elements(made([line(docs=address)]))
    assert [attributes.get("href") for tag, attributes in elements.found if tag == "a"] == ([address] if is_link else [])
    assert address in elements.texts
    assert (" (at docs.example)" in elements.texts) == is_link, "the host is said beside the link"


def test_the_drawing_is_told_in_words_and_in_numbers(made: Made, line: Line) -> None:
    lines = [line(at=NOW + 30 * number, code="token_expired" if number % 3 else "unknown_key") for number in range(90)]
    elements = _Elements(made(lines))
    told = next(text for text in elements.texts if "in steps of" in text)
    assert told.startswith("90 rejections from 2026-01-09 13:00:00 UTC+01:00 to ")
    assert "By code: 60 token_expired, 30 unknown_key." in told
    drawing = next(attributes for tag, attributes in elements.found if attributes.get("role") == "img")
    ids = {attributes.get("id") for _, attributes in elements.found}
    assert set(str(drawing["aria-labelledby"]).split()) <= ids
    numbers = [int(text) for text in elements.texts[elements.texts.index("The numbers of the plot") :] if text.isdecimal()]
    assert sum(numbers) == 90


def test_what_was_not_counted_is_told_at_the_end(made: Made, line: Line) -> None:
    told = " ".join(_Elements(made([line()])).texts)
    assert "1 line could not be read: it names an event" in told
    assert "2 events have no time" in told


def test_bars_are_as_high_as_their_counts(made: Made, line: Line) -> None:
    text = made([line(at=NOW)] * 4 + [line(at=NOW + 1)] * 2)
    plot = text[text.index('class="plot"') : text.index("</figure>")]
    heights = [float(height) for height in re.findall(r'height="([\d.]+)" class="s0"', plot)]
    assert heights == [240.0, 120.0]


def test_without_any_time_there_is_a_page_without_a_plot(made: Made, line: Line) -> None:
    elements = _Elements(made([line(at=None)]))
    assert "no rejection has a time" in " ".join(elements.texts)
    assert "Over time" not in elements.texts


@pytest.mark.parametrize(
    ("most", "top"), [(1, 1), (3, 4), (10, 10), (11, 20), (41, 50), (51, 80), (83, 100), (10**9, 10**9)], ids=str
)
def test_scales_end_at_round_numbers(most: int, top: int) -> None:
    assert nice(most) == top


def test_texts_are_escaped_in_elements_and_attributes() -> None:
    assert element("a", "<&>", Markup("<br>"), title='"x"') == '<a title="&quot;x&quot;">&lt;&amp;&gt;<br></a>'
