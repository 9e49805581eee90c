"""Explanations for people under pressure: why a token was refused, why none was given, and what to change."""

from __future__ import annotations

from tokenward.acquisition import Cause, Diagnosis, Entry, diagnose, entries
from tokenward.finding import Finding
from tokenward.troubleshoot.explanation.explain import explain
from tokenward.troubleshoot.explanation.report import Check, Report
from tokenward.troubleshoot.explanation.what import What
from tokenward.troubleshoot.glossary import Term, meaning_of
from tokenward.troubleshoot.keyreport.report import KeyReport, keys_of
from tokenward.troubleshoot.registration.az_files import AzFile
from tokenward.troubleshoot.registration.examination import examine_registration
from tokenward.troubleshoot.registration.examine import Parts, RootCause, root_causes
from tokenward.troubleshoot.registration.facts import Question
from tokenward.troubleshoot.surroundings.workspace import Means, examine_workspace

__all__ = [
    "AzFile",
    "Cause",
    "Check",
    "Diagnosis",
    "Entry",
    "Finding",
    "KeyReport",
    "Means",
    "Parts",
    "Question",
    "Report",
    "RootCause",
    "Term",
    "What",
    "diagnose",
    "entries",
    "examine_registration",
    "examine_workspace",
    "explain",
    "keys_of",
    "meaning_of",
    "root_causes",
]
