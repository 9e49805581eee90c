"""The report as one HTML file: nothing is loaded and nothing runs, and its policy (CSP) says so to the browser, too."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256
from importlib.resources import files

from tokenward.troubleshoot.logs.cause import Cause
from tokenward.troubleshoot.logs.chart import Course, at_text, chart, peak_text
from tokenward.troubleshoot.logs.markup import Markup, element, joined
from tokenward.troubleshoot.logs.moment import offset_text, span_text, time_text
from tokenward.troubleshoot.logs.summary import Summary
from tokenward.troubleshoot.logs.tables import callers, codes, numbers
from tokenward.troubleshoot.logs.words import of_nearby, of_unread

_STYLE = files("tokenward.troubleshoot.logs").joinpath("style.css").read_text("utf-8")


def page(summary: Summary, course: Course | None) -> str:
    """The document. `course` is None if no rejection has a time."""
    title = f"Rejections: {', '.join(summary.names)}"
    head = element(
        "head",
        Markup('<meta charset="utf-8">'),
        Markup(f'<meta http-equiv="Content-Security-Policy" content="{_policy()}">'),
        Markup('<meta name="viewport" content="width=device-width, initial-scale=1">'),
        Markup('<meta name="referrer" content="no-referrer">'),
        element("title", title),
        element("style", Markup(_STYLE)),
    )
    main = element("main", *_sections(summary, course))
    return f'<!doctype html>\n<html lang="en">{head}{element("body", main)}</html>\n'


def _policy() -> str:
    digest = b64encode(sha256(_STYLE.encode()).digest()).decode("ascii")
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def _sections(summary: Summary, course: Course | None) -> Iterator[Markup]:
    yield _header(summary)
    if summary.cause is not None:
        yield _cause(summary.cause, course)
    yield _figures(summary, course)
    if course is not None:
        yield _chart(course)
    yield codes(summary, course)
    yield callers(summary)
    yield from _around(summary)
    if course is not None:
        yield numbers(course)
    yield _footer(summary)


def _header(summary: Summary) -> Markup:
    told = "no rejection has a time"
    if summary.begin is not None and summary.end is not None:
        begin, end = (at_text(at, summary.offset) for at in (summary.begin, summary.end))
        told = f"{begin.removesuffix(offset_text(summary.offset)).rstrip()} to {end}"
    return element(
        "header", element("h1", "Rejected requests"), element("p", f"{', '.join(summary.names)}: {told}", class_="soft")
    )


def _cause(cause: Cause, course: Course | None) -> Markup:
    parts = [element("h2", "Most likely cause at the end of the log"), element("p", cause.sentence, class_="lead")]
    if cause.hint:
        parts.append(element("p", cause.hint))
    parts.append(element("p", "Next: ", element("code", cause.next)))
    if course is not None:
        parts.append(element("p", peak_text(course), class_="soft"))
    return element("section", *parts, class_="cause")


def _figures(summary: Summary, course: Course | None) -> Markup:
    cells = [_figure("rejections", f"{summary.total:,}", ""), _figure("codes", str(len(summary.codes)), "")]
    if course is not None:
        peak = course.peak()
        at = f"in {span_text(course.step)} from {time_text(peak.at, course.offset)}"
        cells.append(_figure("the most", f"{sum(peak.counts.values()):,}", at))
    cells.append(_figure("in the last minutes", f"{summary.per_minute:,.1f}", "a minute"))
    return element("dl", *cells, class_="figures")


def _figure(name: str, value: str, more: str) -> Markup:
    return element("div", element("dt", name), element("dd", value, *([element("span", more)] if more else [])))


def _chart(course: Course) -> Markup:
    of_bars = f"Each bar is {span_text(course.step)}; times are in {offset_text(course.offset)}."
    caption = f"{of_bars} Codes are stacked in the order of the table below, A at the bottom."
    return joined(element("h2", "Over time"), element("figure", chart(course), element("figcaption", caption)))


def _around(summary: Summary) -> Iterator[Markup]:
    if summary.nearby:
        items = []
        for event in summary.nearby:
            at = "" if event.last is None else f"{at_text(event.last, summary.offset)}: "
            items.append(element("li", f"{at}{of_nearby(event)}{f'. {event.hint}' if event.hint else ''}"))
        yield joined(element("h2", "Around it"), element("ul", *items))


def _footer(summary: Summary) -> Markup:
    told = [
        f"Made by tokenward from {summary.lines:,} lines.",
        "Issuers are the tokens' own words, unless a client is named with them: then the signature held.",
        "Sums of a flood (token_rejections_summed) are spread evenly over the time that they are of.",
    ]
    if summary.unread:
        told.append(of_unread(summary.unread))
    if summary.undated:
        told.append(f"{summary.undated:,} events have no time, and are not in the plot.")
    return element("footer", " ".join(told))
