"""What was counted, as a JSON document: times in seconds since the epoch, texts cut and escaped."""

from __future__ import annotations

from tokenward.troubleshoot.logs.cause import Cause
from tokenward.troubleshoot.logs.chart import Course
from tokenward.troubleshoot.logs.group import MAX_TOKENS, Group, Nearby
from tokenward.troubleshoot.logs.reader import LogReader
from tokenward.troubleshoot.logs.tally import Tally


def document_of(tally: Tally, reader: LogReader, cause: Cause | None) -> dict[str, object]:
    """The document that `tokenward tail --json` prints, and the front of that of `tokenward report --json`."""
    return {
        "lines": reader.lines,
        "unread": reader.unread,
        "undated": reader.undated,
        "from": tally.oldest,
        "to": tally.newest,
        "rejections": tally.total,
        "cause": _cause(cause),
        "groups": [_group(group, tally) for group in tally.groups()],
        "around": [_nearby(nearby) for nearby in tally.nearby()],
    }


def _group(group: Group, tally: Tally) -> dict[str, object]:
    whose = {"code": group.code, "issuer": group.issuer, "client": group.client, "hint": group.hint, "docs": group.docs}
    counted = {"kind": group.kind, "count": group.count, "per_minute": round(tally.per_minute(group), 2)}
    tokens = {"tokens": len(group.tokens), "tokens_or_more": len(group.tokens) >= MAX_TOKENS}
    return {**whose, **counted, **tokens, "first": group.first, "last": group.last}


def _nearby(nearby: Nearby) -> dict[str, object]:
    said = {"event": nearby.name, "of": nearby.of, "why": nearby.why, "hint": nearby.hint}
    return {**said, "count": nearby.count, "first": nearby.first, "last": nearby.last}


def _cause(cause: Cause | None) -> dict[str, object] | None:
    if cause is None:
        return None
    said = {"code": cause.code, "sentence": cause.sentence, "hint": cause.hint, "next": cause.next}
    return {**said, "since": cause.since, "share": round(cause.share, 4), "among": cause.among}


def course_document(course: Course | None) -> dict[str, object]:
    """The counts over time; None for the seconds of a bar if no rejection has a time."""
    if course is None:
        return {"bucket": None, "utc_offset": None, "buckets": []}
    buckets = [{"at": bar.at, "counts": bar.counts} for bar in course.bars if bar.counts]
    return {"bucket": course.step, "utc_offset": course.offset, "buckets": buckets}
