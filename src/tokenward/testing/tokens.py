"""Claims and a header -> a compact JWS, good or as bad as a test needs (RFC 7515 section 7.1)."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from enum import Enum
from typing import Final

from tokenward.testing.keys import SigningKey, base64url


class _Absent(Enum):
    ABSENT = "ABSENT"


ABSENT: Final = _Absent.ABSENT
"""As the value of a claim or header member: leave this member out. None is JSON null, which is something else."""

_HMACS = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}


def compact(header: Mapping[str, object] | bytes, claims: Mapping[str, object] | bytes, key: SigningKey, algorithm: str) -> str:
    """Sign a header and claims as they are; bytes are taken as the literal JSON text, however broken.

    `algorithm` decides how it is signed, whatever the header says. "none" gives an empty signature. HS256, HS384 and HS512
    take the key's *public* PEM as their secret: the algorithm confusion of RFC 8725 section 2.1.

    Raises KeyError for other names, TypeError for a key of another type than the algorithm's.
    """
    signed = f"{base64url(_json(header))}.{base64url(_json(claims))}"
    return f"{signed}.{base64url(_signature(signed.encode(), key, algorithm))}"


def overridden(members: Mapping[str, object], overrides: Mapping[str, object] | None) -> dict[str, object]:
    """The members with the overrides laid over them, and without those that are ABSENT."""
    merged = {**members, **(overrides or {})}
    return {name: value for name, value in merged.items() if value is not ABSENT}


def _json(value: Mapping[str, object] | bytes) -> bytes:
    if isinstance(value, bytes):
        return value
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")


def _signature(signed: bytes, key: SigningKey, algorithm: str) -> bytes:
    if algorithm == "none":
        return b""
    if algorithm in _HMACS:
        return hmac.new(key.public_pem(), signed, _HMACS[algorithm]).digest()
    return key.sign(signed, algorithm)
