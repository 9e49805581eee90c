"""Explanations for people under pressure: why no token was given, and what to change."""

from __future__ import annotations

from tokenward.troubleshoot.acquisition.catalogue import Cause, Entry
from tokenward.troubleshoot.acquisition.diagnose import Diagnosis, diagnose

__all__ = ["Cause", "Diagnosis", "Entry", "diagnose"]
