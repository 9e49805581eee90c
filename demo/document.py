"""The outcome for machines: one JSON document."""

from __future__ import annotations

import json
from collections.abc import Sequence

from demo.chapters import Chapter, Check
from demo.credentials import Exchanged
from demo.exchange import Row
from demo.gateway import Passed
from demo.load import Phase
from demo.run import Outcome


def document(outcome: Outcome) -> str:
    """The document of `--json`; times are in milliseconds unless they are named seconds."""
    whole = {
        "requests": [_row(row) for row in outcome.rows],
        "chapters": [_chapter(chapter) for chapter in outcome.chapters],
        "exchanges": {
            "requests": [_exchanged(row) for row in outcome.credentials.rows],
            "checks": _checks(outcome.credentials.checks),
            "seconds": round(outcome.credentials.seconds, 1),
        },
        "gateway": {
            "requests": [_passed(row) for row in outcome.gateway.rows],
            "checks": _checks(outcome.gateway.checks),
            "seconds": round(outcome.gateway.seconds, 1),
        },
        "summary": {
            "ok": not outcome.unexpected,
            "requests": outcome.requests,
            "refused": outcome.refused,
            "unexpected": len(outcome.unexpected),
            "differences": outcome.unexpected,
            "waits_by_known_callers": outcome.known_waits,
            "known_callers": {chapter.name: _phase(chapter.callers) for chapter in outcome.chapters},
            "seconds": round(outcome.seconds, 1),
        },
    }
    return json.dumps(whole, indent=2)


def failure(text: str) -> str:
    """The document where there was no outcome."""
    return json.dumps({"summary": {"ok": False, "error": text}}, indent=2)


def _row(row: Row) -> dict[str, object]:
    expected, seen = row.expected, row.seen
    return {
        "name": row.name,
        "ok": not row.differences(),
        "expected": {"status": expected.status, "code": expected.code, "challenge": expected.challenge},
        "seen": {"status": seen.status, "code": seen.code, "challenge": seen.challenge, "retry_after": seen.retry_after},
        "reason": seen.reason,
        "hint": seen.hint,
        "milliseconds": round(seen.milliseconds, 2),
    }


def _chapter(chapter: Chapter) -> dict[str, object]:
    return {
        "name": chapter.name,
        "title": chapter.title,
        "requests": [_row(row) for row in chapter.rows],
        "checks": _checks(chapter.all_checks()),
        "known_callers": {**_phase(chapter.callers), "waits": chapter.waits},
    }


def _checks(checks: Sequence[Check]) -> list[dict[str, object]]:
    return [{"name": check.name, "ok": check.holds, "seen": check.seen} for check in checks]


def _exchanged(row: Exchanged) -> dict[str, object]:
    expected = row.expected
    return {
        "name": expected.name,
        "client_id": expected.client_id,
        "ok": not row.differences(),
        "expected": {"status": expected.status, "code": expected.code, "asked": expected.asked},
        "seen": {"status": row.status, "code": row.code, "asked": row.asked},
        "answer": row.answer,
        "hint": row.hint,
        "milliseconds": round(row.milliseconds, 2),
    }


def _passed(row: Passed) -> dict[str, object]:
    expected = row.expected
    return {
        "name": expected.name,
        "ok": not row.differences(),
        "expected": {"status": expected.status, "mark": expected.mark, "code": expected.code},
        "seen": {"status": row.status, "mark": row.mark, "code": row.code},
        "says": row.says,
        "hint": row.hint,
        "milliseconds": round(row.milliseconds, 2),
    }


def _phase(phase: Phase) -> dict[str, object]:
    return {
        "requests": phase.requests,
        "errors": phase.errors,
        "p50_ms": round(phase.percentile(50), 2),
        "p99_ms": round(phase.percentile(99), 2),
    }
