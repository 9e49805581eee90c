"""The documents hang together: every page is in the index, and every link leads to a page, a file and a heading that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]
_LINK = re.compile(r"\]\(([^)\s]+)\)|src=\"([^\"]+)\"")
_FENCED = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def _links(page: Path) -> set[str]:
    found = _LINK.findall(_FENCED.sub("", page.read_text("utf-8")))
    return {one or other for one, other in found if not (one or other).startswith(("http://", "https://"))}


def _anchors(page: Path) -> set[str]:
    """As GitHub makes them: lower case, no punctuation but hyphens and underscores, blanks as hyphens."""
    headings = _HEADING.findall(_FENCED.sub("", page.read_text("utf-8")))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_page_is_in_the_index_once_with_a_line_of_its_own() -> None:
    listed = re.findall(r"^\| \[([a-z-]+\.md)\]\(\1\) \| \S.+ \|$", (DOCS / "README.md").read_text("utf-8"), re.MULTILINE)
    assert sorted(listed) == sorted(page.name for page in DOCS.glob("*.md") if page.name != "README.md")


@pytest.mark.parametrize("page", [pytest.param(page, id=page.relative_to(ROOT).as_posix()) for page in PAGES])
def test_every_link_leads_somewhere(page: Path) -> None:
    lost = []
    for link in sorted(_links(page)):
        path, _, anchor = link.partition("#")
        place = (page.parent / path).resolve() if path else page
        if not place.exists() or (anchor and anchor not in _anchors(place)):
            lost.append(link)
    assert lost == []
