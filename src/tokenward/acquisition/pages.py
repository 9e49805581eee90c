"""The catalogue as Markdown pages: one of tokenward's own codes, one of what others answer.

They are written by `python -m tokenward.acquisition codes > docs/codes.md` and
`python -m tokenward.acquisition errors > docs/acquisition.md`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tokenward.acquisition.catalogue import Entry, entries
from tokenward.errors import CODES

IN_FULL = ("AADSTS50000", "AADSTS65001", "AADSTS50011")
FAMILIES = (
    ("aadsts", "Entra"),
    ("b2c", "Azure AD B2C"),
    ("oauth", "OAuth"),
    ("suberror", "Classes of Entra's errors (suberror)"),
    ("databricks", "Databricks"),
    ("library", "Libraries (Databricks' SDKs, azure-identity, MSAL, Microsoft.IdentityModel) and managed identities"),
)

_CODES = """\
# tokenward's codes

Every refusal of a token has one of these codes: in the log (`code` of `token_rejected`, whose `docs` leads here), in
`AuthenticationError.code`, and in `tokenward explain`. What [the gateway](gateway.md) refuses for another reason has one
of the codes [at the end](#the-gateways-codes): in the log (`code` of `request_refused`, with `docs` too) and in the answer's
`Tokenward-Refused`; what servers answer in its place (`internal_error`, `verdict_unavailable`) is
[there](gateway.md#refusals). `tokenward diagnose CODE` prints the same section, and takes a log line, too. The *hint*
is the one of a plain case; an event may have a closer one. Capitals in commands are placeholders.

This page is made from the catalogue: `python -m tokenward.acquisition codes > docs/codes.md`."""

_GATEWAY = "# The gateway's codes"

_ERRORS = """\
# Why no token was given

What Entra, other authorization servers and Databricks answer in place of a token. `tokenward diagnose` explains each in
full (causes in order, who must act, steps, commands), finds them in an exception's text, a log or a web page, and names
the ids that support asks for; `tokenward.acquisition.diagnose(text)` is the same for programs. Programs should decide
by `error`, `suberror` and `claims` only: Microsoft changes its codes and texts at any time.

*Mark*: verified means that the meaning was read in the vendor's document or seen in a recorded answer, inferred that
others say so or that it was concluded. Causes and steps are advice. A code that is not here:
`https://login.microsoftonline.com/error?code=NUMBER`.

This page is made from the catalogue: `python -m tokenward.acquisition errors > docs/acquisition.md`."""


def codes_page() -> str:
    """The page of tokenward's own codes; the address of a section is `#` and the code."""
    told = entries()
    gateways = [entry for entry in told.values() if entry.kind == "gateway"]
    of_tokens = _contents((told[code], CODES[code].status) for code in CODES)
    of_gateway = _contents((entry, entry.status) for entry in gateways)
    sections = (_section(told[code], _answered(code)) for code in CODES)
    more = (_section(entry, f"HTTP {entry.status}") for entry in gateways)
    return _page([_CODES, of_tokens, *sections, _GATEWAY, of_gateway, *more])


def errors_page() -> str:
    """The page of what others answer: some in full, and all in a table for each family."""
    told = entries()
    tables = (_table(name, (entry for entry in told.values() if entry.kind == kind)) for kind, name in FAMILIES)
    return _page([_ERRORS, *(_section(told[code]) for code in IN_FULL), *tables])


def _contents(listed: Iterable[tuple[Entry, int | None]]) -> str:
    rows = [f"| [`{entry.code}`](#{entry.code}) | {status} | {_escaped(entry.meaning)} |" for entry, status in listed]
    return "\n".join(["| code | HTTP | meaning |", "|---|---|---|", *rows])


def _page(parts: Iterable[str]) -> str:
    return "\n\n".join(parts) + "\n"


def _answered(code: str) -> str:
    error = CODES[code]
    return f"HTTP {error.status}" + (f' and `error="{error.error}"`' if error.error else "")


def _section(entry: Entry, answered: str = "") -> str:
    return "\n".join([f"## {entry.code}", "", *_facts(entry, answered), "", *_causes(entry)]).rstrip()


def _facts(entry: Entry, answered: str) -> Iterator[str]:
    yield _escaped(f"{entry.meaning} Trying again {entry.trying_again}.")
    yield ""
    if answered:
        yield f"- Answered with {answered}"
    yield f"- Hint: {_escaped(entry.hint)}"
    if entry.tell:
        yield f"- To tell which cause: `{entry.tell}`"
    yield f"- Source: {_linked(entry.source)} ({entry.mark})"


def _linked(source: str) -> str:
    """A page of this project's own lies beside the one that is made."""
    page = source.removeprefix("docs/")
    return f"<{source}>" if page == source else f"[{source}]({page})"


def _causes(entry: Entry) -> Iterator[str]:
    for number, cause in enumerate(entry.causes, 1):
        yield f"{number}. **{_escaped(cause.cause)}** ({cause.who})"
        yield from (f"   - {_escaped(step)}" for step in cause.steps)
        if cause.commands:
            yield from ("", "   ```text", *(f"   {command}" for command in cause.commands), "   ```", "")


def _table(name: str, listed: Iterable[Entry]) -> str:
    rows = [
        f"| `{entry.code}` | {_escaped(entry.meaning)} | {_first(entry)} | {entry.retry} | {entry.mark} |" for entry in listed
    ]
    return "\n".join([f"## {name}", "", "| code | meaning | do first | try again | mark |", "|---|---|---|---|---|", *rows])


def _first(entry: Entry) -> str:
    cause = entry.causes[0]
    return f"{cause.who}: {_escaped(cause.steps[0])}"


def _escaped(text: str) -> str:
    return text.replace("<", "&lt;").replace("*", "\\*")
