"""Durations on the command line, written in one way for every option: seconds as a number, or such as 90s, 15m, 2h or 1d."""

from __future__ import annotations

import argparse
import math
import re

from tokenward.redaction import shown

DURATION = "DURATION"
"""What such an option's value is called in the help."""
UNITS = {"": 1, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}

_FORM = re.compile(r"((?:\d{1,15}(?:\.\d{0,15})?|\.\d{1,15})(?:e[+-]?\d{1,2})?) ?(s|m|min|h|d|)", re.ASCII | re.IGNORECASE)


def add_timeout(parser: argparse.ArgumentParser, default: float, about: str) -> None:
    """Add --timeout, whose default is in seconds."""
    help_ = f"{about}; default: %(default)g s"
    parser.add_argument("--timeout", type=seconds_of, default=default, metavar=DURATION, help=help_)


def seconds_of(text: str) -> float:
    """Seconds, 0 included; which of them an option may have is its own matter. Raises ArgumentTypeError."""
    found = _FORM.fullmatch(text.strip())
    seconds = float(found[1]) * UNITS[found[2].lower()] if found else math.nan
    if not math.isfinite(seconds):
        raise argparse.ArgumentTypeError(f"{quoted(text)} is no duration such as 90, 90s, 15m, 2h or 1d")
    return seconds


def seconds_from(text: str, least: float, most: float) -> float:
    """The same within these bounds, which are part of the complaint. Raises ArgumentTypeError."""
    seconds = seconds_of(text)
    if not least <= seconds <= most:
        raise argparse.ArgumentTypeError(f"{quoted(text)} is not between {least:g} and {most:g} seconds")
    return seconds


def quoted(text: str) -> str:
    """What was given, as a complaint may show it."""
    return repr(str(shown(text)))
