"""axe finds nothing in light and dark, wide and narrow, empty and filled; and nothing is wider than the window."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from typing import Any

import pytest

from tokenward.entra import DATABRICKS_RESOURCE
from tokenward.testing import LocalIssuer

pytestmark = pytest.mark.servers

SIZES = {"wide": {"width": 1180, "height": 900}, "phone": {"width": 360, "height": 740}}
WIDTHS = (360, 590, 320)
"""A phone; 1180 columns at 200 % zoom; and 1280 at 400 %, as WCAG 2.2 section 1.4.10 has it."""
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
FOUND = """async (tags) => (await axe.run(document, { runOnly: { type: 'tag', values: tags } })).violations
  .flatMap((rule) => rule.nodes.map((node) => `${rule.id}: ${node.target} ${node.failureSummary}`))"""


@pytest.fixture(scope="module")
def axe() -> str:
    """axe-core's own text (its licence is MPL 2.0), from the Python package that carries it."""
    pytest.importorskip("axe_playwright_python", reason="pip install axe-playwright-python")
    return files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8")


def _violations(watched: Any, axe: str) -> list[str]:
    """It is brought in by the debugger, which the page's policy does not concern."""
    session = watched.context.new_cdp_session(watched.page)
    session.send("Runtime.evaluate", {"expression": axe})
    found: list[str] = watched.page.evaluate(FOUND, RULES)
    return found


def _empty(watched: Any, tenant: LocalIssuer) -> None:
    """Nothing was pasted."""


def _accepted(watched: Any, tenant: LocalIssuer) -> None:
    watched.paste("#token", tenant.user_token("1.0"))
    assert watched.verdict() == "Accepted"


def _refused(watched: Any, tenant: LocalIssuer) -> None:
    watched.paste("#token", tenant.guest_token("1.0", audience=DATABRICKS_RESOURCE))
    assert watched.verdict() == "Refused"
    for summary in watched.page.locator("#result summary").all():
        if summary.is_visible():
            summary.click()


def _compared(watched: Any, tenant: LocalIssuer) -> None:
    watched.page.get_by_role("tab", name="Compare").click()
    watched.paste("#first", tenant.user_token("1.0"))
    watched.paste("#second", tenant.user_token("2.0", scopes=["jobs.read"]))
    watched.page.wait_for_selector(".diff")


def _looked_up(watched: Any, tenant: LocalIssuer) -> None:
    watched.page.get_by_role("tab", name="Look up", exact=True).click()
    watched.paste("#error", "AADSTS50000 AADSTS99999999 invalid_grant")
    watched.page.wait_for_selector(".causes")


STATES = [
    pytest.param(_empty, id="empty"),
    pytest.param(_accepted, id="accepted"),
    pytest.param(_refused, id="refused"),
    pytest.param(_compared, id="compared"),
    pytest.param(_looked_up, id="looked-up"),
]


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("size", [pytest.param("wide", id="wide"), pytest.param("phone", id="phone")])
def test_axe_finds_nothing(
    opening: Any, site: Any, tenant: LocalIssuer, axe: str, kept: Callable[..., None], size: str, state: Callable[..., None]
) -> None:
    watched = opening(f"{site.url}/", viewport=SIZES[size], reduced_motion="reduce")
    state(watched, tenant)
    for scheme in ("light", "dark"):
        watched.page.emulate_media(color_scheme=scheme)
        kept(watched, f"{state.__name__.strip('_')}-{scheme}-{size}")
        assert _violations(watched, axe) == []


def test_axe_would_find_something(inspected: Any, axe: str) -> None:
    inspected.page.evaluate("() => { document.body.append(document.createElement('img')); }")
    assert any(found.startswith("image-alt") for found in _violations(inspected, axe))


@pytest.mark.parametrize("state", STATES)
def test_nothing_is_wider_than_the_window(inspected: Any, tenant: LocalIssuer, state: Callable[..., None]) -> None:
    state(inspected, tenant)
    wide = {}
    for width in WIDTHS:
        inspected.page.set_viewport_size({"width": width, "height": 700})
        wide[width] = inspected.page.evaluate("() => document.documentElement.scrollWidth") - width
    assert max(wide.values()) <= 0, wide


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"forced_colors": "active"}, id="forced colours"),
        pytest.param({"reduced_motion": "reduce"}, id="reduced motion"),
    ],
)
def test_what_the_system_asks_for_is_respected(
    opening: Any, site: Any, tenant: LocalIssuer, kept: Callable[..., None], options: dict[str, str]
) -> None:
    watched = opening(f"{site.url}/", **options)
    _refused(watched, tenant)
    kept(watched, "-".join(options.values()) + "-" + next(iter(options)))
    durations = watched.page.evaluate(
        "() => [...document.querySelectorAll('*')].map((one) => getComputedStyle(one).transitionDuration)"
    )
    assert (set(durations) == {"0s"}) == ("reduced_motion" in options)
    stroke, text = watched.page.evaluate(
        "() => [getComputedStyle(document.querySelector('.mark .sign')).stroke, getComputedStyle(document.body).color]"
    )
    assert (stroke == text) == ("forced_colors" in options)


def test_a_verdict_is_told_by_shape_and_word_too(inspected: Any, tenant: LocalIssuer) -> None:
    told = {}
    for name, token in {"good": tenant.user_token(), "bad": tenant.user_token(audience="api://other")}.items():
        inspected.paste("#token", token)
        told[name] = (inspected.verdict(), inspected.page.locator("#result .verdict .shape").get_attribute("d"))
    assert told["good"][0] != told["bad"][0]
    assert told["good"][1] != told["bad"][1]
