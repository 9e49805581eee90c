"""HTML that cannot be broken out of: every text is escaped where it becomes markup, and only what was made here is markup."""

from __future__ import annotations

import html


class Markup(str):
    """A text that is markup already."""

    __slots__ = ()


def element(name: str, *children: str | Markup, **attributes: str) -> Markup:
    """An element; children that are no Markup are texts. Of attribute names `_` is `-`, and one at the end is left out."""
    told = "".join(f' {key.rstrip("_").replace("_", "-")}="{html.escape(value)}"' for key, value in attributes.items())
    return Markup(f"<{name}{told}>{joined(*children)}</{name}>")


def joined(*children: str | Markup) -> Markup:
    """Texts and markup in a row."""
    return Markup("".join(child if isinstance(child, Markup) else html.escape(child) for child in children))
