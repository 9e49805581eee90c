"""Why no token was given or accepted: what Entra, OAuth, Databricks and tokenward answer, looked up in a catalogue."""

from __future__ import annotations

from tokenward.acquisition.catalogue import Cause, Entry, entries
from tokenward.acquisition.diagnose import diagnose
from tokenward.acquisition.diagnosis import Diagnosis

__all__ = ["Cause", "Diagnosis", "Entry", "diagnose", "entries"]
