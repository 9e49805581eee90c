"""Which standard a row of the verifiers' tables comes from, in one form: "RFC nnnn section n"."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

SOURCES: Mapping[str, str] = MappingProxyType(
    {
        "form": "RFC 7515 section 7.1",
        "extensions": "RFC 7515 section 4.1.11",
        "asymmetric": "RFC 8725 section 3.1",
        "issuer": "RFC 7519 section 4.1.1",
        "algorithm": "RFC 8725 section 3.1",
        "type": "RFC 8725 section 3.11",
        "dates": "RFC 7519 section 2",
        "names": "RFC 7519 section 4.1",
        "permissions": "RFC 8693 section 4.2",
        "access token": "RFC 8725 section 3.11",
        "required": "RFC 7519 section 4.1",
        "audience": "RFC 7519 section 4.1.3",
        "exp": "RFC 7519 section 4.1.4",
        "nbf": "RFC 7519 section 4.1.5",
        "iat": "RFC 7519 section 4.1.6",
        "scopes": "RFC 6750 section 3.1",
        "roles": "RFC 9068 section 2.2.3.1",
        "signature": "RFC 7515 section 5.2",
    }
)
"""Rows that are not here are this project's own, or an identity provider's."""


def source_of(row: str) -> str:
    """The standard; empty where there is none."""
    return SOURCES.get(row, "")
