"""Entries that nobody can read or exchange for one another without the key: AES-256-GCM (NIST SP 800-38D).

The nonces are random, so one key may seal 2**32 entries (section 8.3): 49 days at a thousand exchanges in each second. Whoever
makes so many changes the key in that time.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TypeAlias

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tokenward.databricks.environment import set_in_environment
from tokenward.errors import PolicyError
from tokenward.token.strict import decode_base64url

PathLike: TypeAlias = str | os.PathLike[str]

KEY_BYTES = 32
MAX_KEYS = 4
"""The one that seals, and those of the last changes."""
MAX_FILE_BYTES = 4096
VERSION = b"\x01"
"""The first byte of each entry; it is authenticated with the rest."""
NONCE_BYTES = 12
LEAST_DISTINCT = 12
"""Different bytes in a key. Of 32 random ones 30 differ, and fewer than 12 never; a word or a row of zeros has fewer."""

_FIX = "Make one with: python -c 'import base64, os; print(base64.b64encode(os.urandom(32)).decode())'."
_STANDARD_TO_URL = str.maketrans("+/", "-_")


class SealingKeys:
    """The keys that entries are sealed with: 32 random bytes each, the same in every process.

    The first seals; all of them open. To change a key without losing entries, first add the new one at the end everywhere, then
    put it first everywhere, and take the old one away an hour later. An entry that no key opens is as good as none.

    Raises PolicyError.
    """

    __slots__ = ("_ciphers",)

    def __init__(self, *keys: bytes) -> None:
        if not 1 <= len(keys) <= MAX_KEYS:
            raise PolicyError("key", f"there are {len(keys)} keys, and 1 to {MAX_KEYS} are meant", _FIX)
        for key in keys:
            _require_random(key)
        if len(set(keys)) != len(keys):
            raise PolicyError("key", "the same key is there twice", "Give each key once, first the one that seals.")
        self._ciphers = [AESGCM(key) for key in keys]

    @classmethod
    def from_text(cls, text: str) -> SealingKeys:
        """Keys in base64, either alphabet, with white space or commas in between. Raises PolicyError."""
        return cls(*(_decoded(word) for word in re.split(r"[\s,]+", text.strip())))

    @classmethod
    def from_env(cls, name: str = "TOKENWARD_REDIS_KEY") -> SealingKeys:
        """The keys in an environment variable, read now. Raises PolicyError."""
        return cls.from_text(set_in_environment("key", name, example="TOKENWARD_REDIS_KEY", fix=_FIX))

    @classmethod
    def from_file(cls, path: PathLike) -> SealingKeys:
        """The keys in a file, read now. Raises PolicyError."""
        return cls.from_text(_text_of(path))

    def seal(self, plain: bytes, about: bytes) -> bytes:
        """The entry, bound to what it is about: it opens as nothing else's."""
        nonce = os.urandom(NONCE_BYTES)
        return VERSION + nonce + self._ciphers[0].encrypt(nonce, plain, VERSION + about)

    def open(self, sealed: bytes, about: bytes) -> bytes | None:
        """What was sealed, if one of the keys did it, for just this, and nothing was changed since."""
        if sealed[:1] != VERSION:
            return None
        nonce, rest = sealed[1 : 1 + NONCE_BYTES], sealed[1 + NONCE_BYTES :]
        for cipher in self._ciphers:
            try:
                return cipher.decrypt(nonce, rest, VERSION + about)
            except (InvalidTag, ValueError):  # a nonce that was cut short is a ValueError
                continue
        return None

    def __repr__(self) -> str:
        return f"<SealingKeys {len(self._ciphers)}>"


def sealing_keys(value: object) -> SealingKeys:
    """The keys, from themselves or from the bytes of one. Raises PolicyError."""
    if isinstance(value, SealingKeys):
        return value
    if isinstance(value, bytes):
        return SealingKeys(value)
    fix = "Give SealingKeys.from_env(...), SealingKeys.from_file(...), or the 32 bytes themselves."
    raise PolicyError("key", "it is neither SealingKeys nor bytes", fix)


def _require_random(key: object) -> None:
    if not isinstance(key, bytes):
        raise PolicyError("key", "it is not bytes", "Read text with SealingKeys.from_text, from_env or from_file.")
    if len(key) != KEY_BYTES:
        raise PolicyError("key", f"it has {len(key)} bytes, and AES-256 takes {KEY_BYTES}", _FIX)
    if len(set(key)) < LEAST_DISTINCT:
        raise PolicyError("key", "its bytes repeat themselves, so it is not random", _FIX)


def _decoded(word: str) -> bytes:
    try:
        return decode_base64url(word.rstrip("=").translate(_STANDARD_TO_URL).encode())
    except ValueError:
        raise PolicyError("key", "it is not base64", _FIX) from None


def _text_of(path: PathLike) -> str:
    """A regular file's, and no more of it than keys have; whatever goes wrong, the message must not quote it."""
    fix = "Give the path of a file with the key in base64, which this process may read."
    if not isinstance(path, (str, os.PathLike)) or not os.fspath(path):
        raise PolicyError("key", "it is no path", fix)
    try:
        where = Path(path)
        content = _start_of(where) if where.is_file() else None  # a pipe would hold up the start
    except (OSError, ValueError) as exc:
        raise PolicyError("key", f"the file cannot be read ({type(exc).__name__})", fix) from None
    if content is None:
        raise PolicyError("key", "there is no such file", fix)
    if len(content) > MAX_FILE_BYTES or not content.isascii():
        raise PolicyError("key", "the file holds something else than a few keys in base64", _FIX)
    return content.decode("ascii")


def _start_of(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_FILE_BYTES + 1)
