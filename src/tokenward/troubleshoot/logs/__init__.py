"""From log lines to answers: rejections counted by cause, their course over time, and the most likely cause in words."""

from __future__ import annotations

from tokenward.troubleshoot.logs.cause import Cause, cause_of
from tokenward.troubleshoot.logs.event import Around, LogEvent, Rejected, Summed
from tokenward.troubleshoot.logs.group import Group, Nearby
from tokenward.troubleshoot.logs.reader import LogReader
from tokenward.troubleshoot.logs.series import Bar, Series
from tokenward.troubleshoot.logs.tally import Tally

__all__ = [
    "Around",
    "Bar",
    "Cause",
    "Group",
    "LogEvent",
    "LogReader",
    "Nearby",
    "Rejected",
    "Series",
    "Summed",
    "Tally",
    "cause_of",
]
