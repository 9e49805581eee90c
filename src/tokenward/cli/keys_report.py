"""What `tokenward keys` prints: the documents, the keys, what breaks verifiers, and the verdict last, where it is seen."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType

from tokenward.cli.output import date, print_fields, print_line, print_table, print_text
from tokenward.issuer_name import tenant_of
from tokenward.troubleshoot.keyreport.caution import Caution
from tokenward.troubleshoot.keyreport.key_row import KeyRow
from tokenward.troubleshoot.keyreport.report import DocumentFacts, KeyReport
from tokenward.troubleshoot.surroundings.clock import in_words

MAX_ROWS = 100
"""Of the table; --json has them all. Entra's shared documents have about 20."""
STYLES = MappingProxyType({"critical": "bold red", "warning": "yellow", "note": ""})


def print_report(report: KeyReport) -> None:
    """The documents, the keys, the cautions, and the verdict at the end, where it is seen."""
    print_fields(report.issuer or "issuer not named", _fields(report))
    _print_keys(report.keys, report.issuer)
    for caution in report.cautions:
        _print_caution(caution)
    print_line("")
    print_text(_conclusion(report))


def _fields(report: KeyReport) -> dict[str, object]:
    refresh = report.refresh_after
    bindings = {row.issuer for row in report.keys}
    shared = next(iter(bindings)) if len(bindings) == 1 else None
    return {
        "discovery": _document(report.discovery),
        "keys": _document(report.jwks),
        "keys bound to": shared,
        "refreshed": None if refresh is None else f"every {refresh:.0f} s by tokenward, +- a tenth; {_wish(report)}",
    }


def _wish(report: KeyReport) -> str:
    return "the server says nothing of it" if report.max_age is None else f"the server says max-age {report.max_age:.0f} s"


def _document(facts: DocumentFacts | None) -> str | None:
    if facts is None:
        return None
    skew = "" if not facts.skew else f"; {in_words(facts.skew, 'the server')}"
    if facts.status is None and not facts.problem:
        return f"{facts.url}\na file of {facts.size} bytes"
    came = facts.problem or f"HTTP {facts.status}, {facts.size} bytes, {facts.seconds:.2f} s{skew}"
    return f"{facts.url}\n{came}"


def _print_keys(rows: Sequence[KeyRow], issuer: str | None) -> None:
    """The columns in which some key says something; a binding that all share stands above."""
    if not rows:
        return
    told = [_cells(row, issuer) for row in rows[:MAX_ROWS]]
    same = len({row.issuer for row in rows}) == 1
    names = [name for name in told[0] if any(cells[name] for cells in told) and not (same and name == "bound to")]
    shown = [[cells[name] or None for name in names] for cells in told]
    print_table(f"{len(rows)} key{'s' if len(rows) != 1 else ''}", names, shown)
    if len(rows) > MAX_ROWS:
        print_line(f"... and {len(rows) - MAX_ROWS} more; --json has them all")


def _cells(row: KeyRow, issuer: str | None) -> dict[str, str]:
    cells = {
        "kid": row.kid,
        "usable": "yes" if row.usable else f"no: {row.why}",
        "kty": row.kty,
        "alg": row.alg,
        "use": row.use,
        "key_ops": ", ".join(row.key_ops or ()),
        "size": row.size,
        "x5c until": None if row.certificate_ends is None else date(row.certificate_ends)[:10],
        "bound to": None if row.issuer is None else _binding(row.issuer, issuer),
    }
    return {name: value or "" for name, value in cells.items()}


def _binding(bound: str, issuer: str | None) -> str:
    """Entra's issuers are long, and differ in the tenant only."""
    if bound == issuer:
        return "this issuer"
    return f"tenant {tenant}" if (tenant := tenant_of(bound)) else bound


def _print_caution(caution: Caution) -> None:
    print_line("")
    print_text(f"{caution.weight}: {caution.problem}", STYLES[caution.weight])
    told = {"seen": caution.seen, "kid": ", ".join(caution.kids), "tokenward": caution.tokenward, "others": caution.others}
    for name, text in {**told, "fix": caution.fix, "source": caution.source}.items():
        if text:
            print_text(f"  {name}: {text}")


def _conclusion(report: KeyReport) -> str:
    if report.verdict == "usable":
        usable = sum(row.usable for row in report.keys)
        return f"A verifier can use {usable} of {len(report.keys)} keys; {_tally(report.cautions)}"
    why = report.failure or "none of the keys is usable"
    word = "The issuer could not be asked" if report.verdict == "unreachable" else "A verifier has no key"
    return f"{word} ({why}). Next: {report.next}"


def _tally(cautions: Sequence[Caution]) -> str:
    critical = next((caution.problem for caution in cautions if caution.weight == "critical"), None)
    if critical is not None:
        return f"critical: {critical}"
    grave = sum(caution.weight != "note" for caution in cautions)
    return (
        f"{grave} thing{'s' if grave != 1 else ''} that may break verifiers."
        if grave
        else "nothing that breaks verifiers was seen."
    )
