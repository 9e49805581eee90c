"""The address of a workspace, as it is written in configuration."""

from __future__ import annotations

from urllib.parse import urlsplit

from tokenward import validation
from tokenward.errors import PolicyError

_EXAMPLE = "'adb-1234567890123456.7.azuredatabricks.net'"


def workspace_origin(field: str, value: object) -> str:
    """The scheme and host of a workspace, without a slash; http only on this machine. Raises PolicyError."""
    text = validation.text(field, value, _EXAMPLE)
    url = validation.address(field, text if "://" in text else f"https://{text}")
    parts = urlsplit(url)
    if parts.path not in ("", "/") or parts.query or url.endswith("?"):
        raise PolicyError(field, "it has a path or a query", f"Write it like {_EXAMPLE}.")
    return f"{parts.scheme}://{parts.netloc.lower()}"
