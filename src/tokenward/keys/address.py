"""Which addresses keys may come from."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

MAX_URL_CHARS = 2048
"""Longer than any published jwks_uri by a factor of ten."""


def require_safe_url(url: str, *, loopback: bool = True) -> None:
    """Raise ValueError unless the URL is https without credentials or fragment; http passes on this machine only.

    With `loopback=False` this machine is refused altogether: a distant document may not send us here.
    """
    if len(url) > MAX_URL_CHARS or not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError("not a URL")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError("not a URL") from None
    if not host or parts.username is not None or parts.fragment:
        raise ValueError("not a plain URL (it has no host, or has credentials or a fragment)")
    if is_loopback(host) and not loopback:
        raise ValueError("an address of this machine, given by another")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(host)):
        raise ValueError("not https")


def is_loopback(host: str | None) -> bool:
    """Whether the host is this machine by its very name: `localhost`, 127.0.0.0/8 or ::1."""
    if host == "localhost":
        return True
    try:
        return ip_address(host or "").is_loopback
    except ValueError:
        return False


def is_loopback_url(url: str) -> bool:
    return is_loopback(urlsplit(url).hostname)
