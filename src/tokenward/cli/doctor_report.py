"""What `tokenward doctor` prints: a table for each part, what to change, and the answer last, where it is seen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tokenward.cli.cells import COLUMNS
from tokenward.cli.colours import judged
from tokenward.cli.output import print_line, print_table, print_text
from tokenward.finding import VERDICTS, Finding
from tokenward.redaction import shown
from tokenward.troubleshoot.registration.examine import CAUSES, CODES, Parts, RootCause, root_causes

SEEN_FROM_HERE = "Databricks fetches the keys of issuers from its own network: this says only what is reachable from here."

_NEXT = {
    True: "Nothing to change here. If no token is given all the same: tokenward diagnose; if one is refused: tokenward explain.",
    False: "Change what is said above, and run this again; consents and policies take a minute or two to count.",
    None: "Nothing is seen to be wrong, but not everything could be asked: see above what would tell.",
}


def answer_of(parts: Parts) -> bool | None:
    """False if a check fails, None if only some could not be made, else True."""
    held = [finding.held for found in parts.values() for finding in found]
    return False if False in held else None if None in held else True


def document(parts: Parts, *, is_registration: bool) -> dict[str, object]:
    """The JSON: the same checks as in the tables, all of them."""
    answer = answer_of(parts)
    listed = [{"part": title, "checks": [_check(finding) for finding in found]} for title, found in parts.items()]
    causes = [_cause(cause) for cause in root_causes(parts)] if is_registration else []
    return {"verdict": VERDICTS[answer], "parts": listed, "root_causes": causes, "next": _NEXT[answer]}


def print_report(parts: Parts, *, is_registration: bool, all_checks: bool) -> None:
    """For people: parts in which everything holds are one line, unless all checks are wanted."""
    for title, found in parts.items():
        _print_part(title, found, all_checks=all_checks)
    if is_registration:
        _print_causes(root_causes(parts), all_checks=all_checks)
    _print_changes(parts)
    if any(title.startswith("Federation policy") for title in parts):
        print_text(f"Note: {SEEN_FROM_HERE}")
    answer = answer_of(parts)
    print_text(_counted(parts), {True: "bold green", False: "bold red", None: "bold yellow"}[answer])
    print_text(f"Next: {_NEXT[answer]}")


def _check(finding: Finding) -> dict[str, object]:
    cause, code = CAUSES.get(finding.name), CODES.get(finding.name)
    return finding.to_json(seen=shown(finding.seen), code=code if finding.held is False else None, root_cause=cause)


def _cause(cause: RootCause) -> dict[str, object]:
    told: dict[str, object] = {"number": cause.number, "cause": cause.cause, "verdict": VERDICTS[cause.held]}
    return {**told, "checks": list(cause.checks), "fix": cause.fix}


def _print_part(title: str, found: Sequence[Finding], *, all_checks: bool) -> None:
    checks = [finding for finding in found if all_checks or finding.held is not True]
    if checks:
        print_table(str(shown(title)), COLUMNS, [(f.name, f.expected, shown(f.seen), judged(f.held)) for f in checks])
    else:
        print_text(f"{shown(title)}: {'the only check holds' if len(found) == 1 else f'all {len(found)} checks hold'}")


def _print_causes(causes: Sequence[RootCause], *, all_checks: bool) -> None:
    """A table only where one of them is at hand or open, beside those that no registration shows."""
    if not all_checks and all(cause.held for cause in causes if cause.checks):
        judged_here = ", ".join(str(cause.number) for cause in causes if cause.checks)
        print_text(f"Of the root causes of AADSTS50000, these are ruled out: {judged_here} (--all prints all five)")
        return
    rows = [(cause.number, cause.cause, ", ".join(cause.checks) or cause.fix, judged(cause.held)) for cause in causes]
    print_table("The five root causes of AADSTS50000", ("", "cause", "judged by", "ruled out"), rows)


def _print_changes(parts: Parts) -> None:
    """Each fix once, with the checks that it is for."""
    by_fix: dict[tuple[str, str], list[Finding]] = {}
    for title, found in parts.items():
        for finding in found:
            if finding.fix and finding.held is not True:
                by_fix.setdefault((title, finding.fix), []).append(finding)
    if by_fix:
        print_line("")
        print_line("What to change", "bold")
    for number, ((title, fix), found) in enumerate(by_fix.items(), 1):
        print_text(f"{number}. {shown(title)}: {', '.join(dict.fromkeys(_named(finding) for finding in found))}")
        first, *others = fix.split("\n")
        print_text(f"   {first}")
        for line in others:  # commands are copied, and so not wrapped
            print_line(f"   {line}")
        for source in dict.fromkeys(finding.source for finding in found if finding.source):
            print_line(f"   {source}")
    if by_fix:
        print_line("")


def _named(finding: Finding) -> str:
    """The check, with Entra's code for it and the root cause that it is."""
    marks = list(_marks(finding))
    return f"{finding.name} ({', '.join(marks)})" if marks else finding.name


def _marks(finding: Finding) -> Iterator[str]:
    if finding.held is False and finding.name in CODES:
        yield CODES[finding.name]
    if finding.held is False and finding.name in CAUSES:
        yield f"root cause {CAUSES[finding.name]}"


def _counted(parts: Parts) -> str:
    held = [finding.held for found in parts.values() for finding in found]
    total = f"{len(held)} check{'s' if len(held) != 1 else ''}"
    return f"{total}: {held.count(True)} ok, {held.count(False)} failed, {held.count(None)} open."
