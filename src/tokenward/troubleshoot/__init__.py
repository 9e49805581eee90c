"""Explanations for people under pressure: why a token was refused, why none was given, and what to change."""

from __future__ import annotations

from tokenward.acquisition import Cause, Diagnosis, Entry, diagnose, entries
from tokenward.troubleshoot.explanation.explain import explain
from tokenward.troubleshoot.explanation.report import Check, Report
from tokenward.troubleshoot.explanation.what import What
from tokenward.troubleshoot.glossary import Term, meaning_of
from tokenward.troubleshoot.keyreport.report import KeyReport, keys_of

__all__ = [
    "Cause",
    "Check",
    "Diagnosis",
    "Entry",
    "KeyReport",
    "Report",
    "Term",
    "What",
    "diagnose",
    "entries",
    "explain",
    "keys_of",
    "meaning_of",
]
