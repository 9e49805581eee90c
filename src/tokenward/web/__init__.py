"""The inspector: a page for tokens that may not be pasted into anybody else's."""

from __future__ import annotations

from tokenward.web.inspector import Explainer, inspector

__all__ = ["Explainer", "inspector"]
