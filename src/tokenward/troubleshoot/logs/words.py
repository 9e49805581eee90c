"""A group, an event around it and what could not be read, in the few words of a table or a line."""

from __future__ import annotations

from tokenward.troubleshoot.logs.group import MAX_TOKENS, Group, Nearby
from tokenward.troubleshoot.logs.lines import MAX_LINE
from tokenward.troubleshoot.logs.moment import offset_text, time_text

SUMMED = "not logged one by one (token_rejections_summed)"
OTHERS = "other issuers, clients and hints"


def of_group(group: Group) -> list[str]:
    """Whose rejections they are, a line for each thing that is known."""
    if group.kind != "logged":
        return [SUMMED if group.kind == "summed" else OTHERS]
    client = [] if group.client is None else [f"client {group.client}"]
    return [*client, *([] if group.issuer is None else [f"issuer {group.issuer}"])]


def of_tokens(group: Group) -> str:
    """How many different tokens; "-" where no fingerprint was logged."""
    if not group.tokens:
        return "-"
    return f"{len(group.tokens)}{'+' if len(group.tokens) >= MAX_TOKENS else ''}"


def of_nearby(nearby: Nearby) -> str:
    """An event around it: its name, how often, of what, and why."""
    times = f" {nearby.count:,} times" if nearby.count > 1 else ""
    of = f" {nearby.of}" if nearby.of else ""
    return f"{nearby.name}{times}{of}{f' ({nearby.why})' if nearby.why else ''}"


def of_unread(lines: int) -> str:
    """That so many lines are missing in what was counted, and why."""
    of = f"{lines:,} line{'' if lines == 1 else 's'}"
    names = "it names" if lines == 1 else "each names"
    why = f"{names} an event of tokenward but holds none in JSON, or is longer than {MAX_LINE // 1024} KiB"
    return f"{of} could not be read: {why}."


def new_group(group: Group, offset: float) -> str:
    """A line that says that something began."""
    at = "-" if group.first is None else f"{time_text(group.first, offset)} {offset_text(offset)}"
    return "  ".join([at, group.code, *of_group(group), *([group.hint] if group.hint else [])])
