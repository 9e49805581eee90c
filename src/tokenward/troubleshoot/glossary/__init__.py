"""What the members of a token mean, in words, with the source of each."""

from __future__ import annotations

from tokenward.troubleshoot.glossary.terms import Glossary, Term, glossary, meaning_of, value_name

__all__ = ["Glossary", "Term", "glossary", "meaning_of", "value_name"]
