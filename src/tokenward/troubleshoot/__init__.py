"""Explanations for people under pressure: why a token was refused, why none was given, and what to change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tokenward import lazily

if TYPE_CHECKING:
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

if not TYPE_CHECKING:  # which would make a type checker take any name for one of these
    __getattr__, __dir__ = lazily.from_homes(
        __name__,
        {
            "AzFile": "tokenward.troubleshoot.registration.az_files",
            "Cause": "tokenward.acquisition",
            "Check": "tokenward.troubleshoot.explanation.report",
            "Diagnosis": "tokenward.acquisition",
            "Entry": "tokenward.acquisition",
            "Finding": "tokenward.finding",
            "KeyReport": "tokenward.troubleshoot.keyreport.report",
            "Means": "tokenward.troubleshoot.surroundings.workspace",
            "Parts": "tokenward.troubleshoot.registration.examine",
            "Question": "tokenward.troubleshoot.registration.facts",
            "Report": "tokenward.troubleshoot.explanation.report",
            "RootCause": "tokenward.troubleshoot.registration.examine",
            "Term": "tokenward.troubleshoot.glossary",
            "What": "tokenward.troubleshoot.explanation.what",
            "diagnose": "tokenward.acquisition",
            "entries": "tokenward.acquisition",
            "examine_registration": "tokenward.troubleshoot.registration.examination",
            "examine_workspace": "tokenward.troubleshoot.surroundings.workspace",
            "explain": "tokenward.troubleshoot.explanation.explain",
            "keys_of": "tokenward.troubleshoot.keyreport.report",
            "meaning_of": "tokenward.troubleshoot.glossary",
            "root_causes": "tokenward.troubleshoot.registration.examine",
        },
    )
