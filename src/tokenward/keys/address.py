"""Which addresses keys may come from."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import SplitResult, urlsplit

MAX_URL_CHARS = 2048
"""Longer than any published jwks_uri by a factor of ten."""

_NAME = re.compile(r"[a-z0-9_.-]+")
_IN_BRACKETS = re.compile(r"\[[^\[\]]*\](:[0-9]*)?")  # urlsplit passes over what else stands behind them
_ENDS_IN_A_NUMBER = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)\.?")  # URL Standard section 3.5: then it is no name
_LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
_EACH_MACHINES_OWN = tuple(
    ip_network(block)
    for block in (
        *("0.0.0.0/8", "127.0.0.0/8", "::/8"),  # unspecified, loopback; IPv4 written as IPv6, NAT64
        *("169.254.0.0/16", "fe80::/10"),  # link-local, where clouds tell a machine its secrets
        *("168.63.129.16/32", "fd00:ec2::/32"),  # what Azure and AWS have of that kind elsewhere
        *("224.0.0.0/3", "ff00::/8", "2002::/16"),  # multicast, reserved, broadcast; 6to4 holds any IPv4
    )
)


def require_safe_url(url: str, *, loopback: bool = True) -> None:
    """Raise ValueError unless the URL is https to a plain host, without credentials or fragment; http passes on loopback only.

    With `loopback=False` it was a distant document that gave the URL, and it may not send us to this machine or to what
    only this machine can reach: loopback, link-local (cloud metadata), multicast and reserved addresses are refused.
    Private networks (10.0.0.0/8, 192.168.0.0/16 and the like) stay allowed, because companies run their issuers there.

    It reads the address and resolves nothing: a name that leads to such a place is caught only by its missing certificate.
    """
    parts = _split(url)
    host = parts.hostname
    if not host or parts.username is not None or parts.fragment:
        raise ValueError("not a plain URL (it has no host, or has credentials or a fragment)")
    address = _address(host)
    in_brackets = _IN_BRACKETS.fullmatch(parts.netloc) is not None
    if in_brackets != isinstance(address, IPv6Address) or (address is None and not _is_plain_name(host)):
        raise ValueError("not a URL with a plain host (a name, or an IP address in its usual form)")
    if not loopback and _is_each_machines_own(host, address):
        raise ValueError("an address of this machine or its own link, given by another")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(host)):
        raise ValueError("not https")


def is_loopback(host: str | None) -> bool:
    """Whether the host is this machine by its very name: `localhost`, 127.0.0.0/8 or ::1."""
    address = _address(host or "")
    return host == "localhost" or (address is not None and any(address in block for block in _LOOPBACK))


def is_loopback_url(url: str) -> bool:
    return is_loopback(urlsplit(url).hostname)


def _split(url: str) -> SplitResult:
    if len(url) > MAX_URL_CHARS or not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise ValueError("not a URL")
    try:
        parts = urlsplit(url)
        if parts.port == 0:
            raise ValueError
    except ValueError:
        raise ValueError("not a URL") from None
    return parts


def _address(host: str) -> IPv4Address | IPv6Address | None:
    """None for a name, and for every spelling that some resolvers take for an address and others do not."""
    try:
        return None if "%" in host else ip_address(host)  # a zone, as in fe80::1%eth0, is each machine's own
    except ValueError:
        return None


def _is_plain_name(host: str) -> bool:
    return bool(_NAME.fullmatch(host)) and not _ENDS_IN_A_NUMBER.fullmatch(host)


def _is_each_machines_own(host: str, address: IPv4Address | IPv6Address | None) -> bool:
    if address is not None:
        return any(address in block for block in _EACH_MACHINES_OWN)
    return f".{host}".rstrip(".").endswith(".localhost")  # RFC 6761 section 6.3: every name below it, too
