"""Signing keys in a file, so that an issuer that dies and returns has the same ones. NOT FOR PRODUCTION: nothing is encrypted."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from tokenward.testing.keys import SigningKey

OWNER_ONLY = 0o600
WARNING = "private keys of the tokenward local issuer, for tests only; NOT FOR PRODUCTION"


def read_keys(path: Path) -> list[SigningKey]:
    """The keys in a file that `write_keys` wrote; none if there is no such file.

    Raises ValueError if others than its owner may read it or it holds something else; OSError if it cannot be read.
    """
    try:
        with path.open(encoding="utf-8") as file:
            if os.name == "posix" and stat.S_IMODE(os.fstat(file.fileno()).st_mode) & ~OWNER_ONLY:
                raise ValueError(f"{path} holds private keys, and others may read it: chmod 600 it")
            text = file.read()
    except FileNotFoundError:
        return []
    try:
        return [_key(described) for described in json.loads(text)["keys"]]
    except (ValueError, KeyError, TypeError) as exc:
        raise ValueError(f"{path} is not a file of keys that the local issuer wrote") from exc


def write_keys(path: Path, keys: Sequence[SigningKey]) -> None:
    """Write the keys for their owner alone, all or nothing: whoever is killed in between leaves the old file. Raises OSError."""
    text = json.dumps({"warning": WARNING, "keys": [_described(key) for key in keys]}, indent=2)
    new = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY), "w", encoding="utf-8") as file:
            file.write(text)
        new.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            new.unlink()
        raise


def _described(key: SigningKey) -> dict[str, object]:
    return {
        "algorithm": key.algorithm,
        "kid": key.kid,
        "private_key": key.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode("ascii"),
        "certificate": base64.b64encode(key.certificate).decode("ascii"),
        "members": dict(key.members),
    }


def _key(described: Mapping[str, object]) -> SigningKey:
    private_key = load_pem_private_key(str(described["private_key"]).encode("ascii"), None)
    members = described["members"]
    if not isinstance(members, dict):
        raise TypeError("members is not an object")
    key = SigningKey(str(described["algorithm"]), private_key, str(described["kid"]), **members)  # type: ignore[arg-type]
    key.certificate = base64.b64decode(str(described["certificate"]), validate=True)  # the one that it was known by
    return key
