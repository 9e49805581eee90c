"""The tables of a report: codes with what to do, whose rejections they are, and the numbers behind the plot."""

from __future__ import annotations

import re

from tokenward.troubleshoot.logs.chart import OTHERS, Course, legend_letter, row
from tokenward.troubleshoot.logs.markup import Markup, element, joined
from tokenward.troubleshoot.logs.moment import date_text, offset_text, time_text
from tokenward.troubleshoot.logs.summary import Caller, CodeSum, Summary

MOST_CALLERS = 50
"""Rows of issuers and clients; the JSON form has all."""

_LINK = re.compile(r"https://([A-Za-z0-9.-]+)(?:/[A-Za-z0-9._~/-]*)?(?:#[A-Za-z0-9._-]*)?")
"""What may become a link: a plain address, without a user, a port, a query or an escape."""


def codes(summary: Summary, course: Course | None) -> Markup:
    """Each code with its hints, its share and its course."""
    head = _head(
        ("code, and what to do", ""),
        ("count", "number"),
        ("share", "number"),
        ("over time, each on its own scale", "over"),
        ("first and last", ""),
    )
    rows = [_code(code, summary, course) for code in summary.codes]
    return joined(element("h2", "By code"), element("table", head, element("tbody", *rows), class_="cards"))


def _code(code: CodeSum, summary: Summary, course: Course | None) -> Markup:
    over = row(course, code.code) if course is not None and code.code in course.names else Markup("")
    name = element("div", _key(code.code, course), element("strong", element("code", code.code)), class_="name")
    hints = [element("p", hint, class_="small soft") for hint in code.hints]
    docs = [element("p", _docs(code.docs), class_="small soft")] if code.docs else []
    return element(
        "tr",
        element("td", name, *hints, *docs),
        element("td", f"{code.count:,}", class_="number", data_label="count"),
        element("td", f"{100 * code.count / summary.total:.1f} %", class_="number", data_label="share"),
        element("td", over, class_="over"),
        element("td", _seen(code.first, code.last, summary.offset), class_="seen small", data_label="seen"),
    )


def _key(code: str, course: Course | None) -> Markup:
    """The code's letter in the plot, or that of all others; nothing for a code that is not in it."""
    names = [] if course is None else list(course.names)
    name = code if code in names else OTHERS
    return legend_letter(names.index(name)) if name in names else Markup("")


def _docs(address: str) -> Markup:
    if link := _LINK.fullmatch(address):  # whoever writes into the log chose it, so its host is said, too
        return joined(element("a", address, href=address, rel="noreferrer noopener"), f" (at {link[1]})")
    return element("code", address)


def _seen(first: float | None, last: float | None, offset: float) -> Markup:
    if first is None or last is None:
        return Markup("without a time")
    begin, end = date_text(first, offset), date_text(last, offset)
    until = "" if begin == end else f"{end} "
    return joined(f"{begin} {time_text(first, offset)}", Markup("<br>"), f"{until}{time_text(last, offset)}")


def callers(summary: Summary) -> Markup:
    """Each issuer and client, as far as they were logged."""
    head = _head(("issuer", ""), ("client", ""), ("count", "number"), ("tokens", "number"), ("codes", ""))
    rows = [_caller(caller) for caller in summary.callers[:MOST_CALLERS]]
    parts = [element("h2", "By issuer and client"), element("table", head, element("tbody", *rows), class_="cards")]
    if summary.unattributed:
        more = f"{summary.unattributed:,} more were not logged one by one, so it is not known whose they are."
        parts.append(element("p", more, class_="small soft"))
    return joined(*parts)


def _caller(caller: Caller) -> Markup:
    codes = ", ".join(f"{code} ({count:,})" for code, count in caller.codes.items())
    return element(
        "tr",
        element("td", element("code", caller.issuer or "-"), data_label="issuer"),
        element("td", element("code", caller.client or "-"), data_label="client"),
        element("td", f"{caller.count:,}", class_="number", data_label="count"),
        element("td", caller.tokens, class_="number", data_label="tokens"),
        element("td", codes, class_="small"),
    )


def numbers(course: Course) -> Markup:
    """What the plot shows, for those who do not see it, and to be copied."""
    head = _head((f"from ({offset_text(course.offset)})", ""), *((name, "number") for name in course.names))
    rows = []
    for bar in course.bars:
        if bar.counts:
            at = f"{date_text(bar.at, course.offset)} {time_text(bar.at, course.offset)}"
            counts = [element("td", f"{count:,}", class_="number") for count in course.counts(bar)]
            rows.append(element("tr", element("td", at, class_="seen"), *counts))
    table = element("table", head, element("tbody", *rows))
    return element("details", element("summary", "The numbers of the plot"), element("div", table, class_="scroll"))


def _head(*columns: tuple[str, str]) -> Markup:
    cells = [element("th", name, scope="col", **({"class_": style} if style else {})) for name, style in columns]
    return element("thead", element("tr", *cells))
