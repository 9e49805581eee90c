"""A key set as an issuer might send it: FetchFailed, or keys that PyJWT reads alike and that only their owner can sign for."""

from __future__ import annotations

import functools
import itertools
import json
from random import Random
from typing import Any

import jwt
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from fuzz.heads import bytes_changed, head_changed
from fuzz.jwks import GOOD, SMALL_ORDER_448, SMALL_ORDER_25519, TYPICAL
from fuzz.message import answer_of, body_of, with_body
from fuzz.targets import Broken, Target, require
from fuzz.targets.failures import require_discretion
from fuzz.texts import ANY, Members, compact, members_of, replaced, without, written
from tokenward.keys.jwk import PRIVATE_MEMBERS, RSA_BITS, RSA_EXPONENTS, Key
from tokenward.keys.keyset import MAX_KEYS, MAX_SAME_KID
from tokenward.keys.loading import Loaded, advance, load
from tokenward.keys.location import JwksUri
from tokenward.keys.port import FetchFailed, FetchRequest
from tokenward.token.algorithms import ALGORITHMS

URL = "https://idp.example/keys"
MESSAGES = tuple(b"message %d" % number for number in range(6))
"""A forged signature under a key of small order holds for one message in eight at least."""
FORGED = (b"", b"\x00" * 64, b"\x00" * 256, b"\x01" + b"\x00" * 63, b"\x00" * 255 + b"\x01", b"\xff" * 132)
"""Signatures that anybody can make."""


def check(data: bytes) -> None:
    """Load it as the drivers do; raises if anything but a set that holds good, or FetchFailed, comes of it."""
    try:
        loaded = _loaded(data)
    except FetchFailed as failure:
        require_discretion(failure, data)
        return
    require(loaded.max_age is None or 0 <= loaded.max_age < 10**10, "max-age is a number of seconds")
    _require_good_set(loaded, json.loads(answer_of(data).body)["keys"])


def _loaded(data: bytes) -> Loaded:
    loading = load(JwksUri(URL), None, mono=0.0, timeout=10.0, no_cache=False)
    request = advance(loading, None)
    require(isinstance(request, FetchRequest) and request.url == URL, "only the configured address is asked")
    result = advance(loading, answer_of(data))
    if isinstance(result, FetchRequest):
        raise Broken("one answer is enough")
    return result


def _require_good_set(loaded: Loaded, listed: list[Any]) -> None:
    keys = loaded.keyset.keys
    require(1 <= len(loaded.keyset) <= len(listed) <= MAX_KEYS, "some keys, and no more than are listed")
    require(len(loaded.keyset) + sum(loaded.keyset.skipped.values()) <= len(listed), "a key is kept, or skipped, once")
    require(
        None not in keys or len({key for found in keys.values() for key in found}) == 1, "only the only key serves without a kid"
    )
    for kid, found in keys.items():
        require(1 <= len(found) <= MAX_SAME_KID, "few keys have one kid")
        for key in found:
            require(kid in (None, key.kid) and (key.kid is None or 1 <= len(key.kid) <= 200), "a key is found by its own kid")
            _require_published(key, listed)
            _require_only_its_owner_signs(key)


def _require_published(key: Key, listed: list[Any]) -> None:
    """Some JWK of the set is this key, by PyJWT's reading, and may be published and used."""
    material = _material(key.public_key)
    sources = [jwk for jwk in listed if isinstance(jwk, dict) and jwk.get("kid") == key.kid and _pyjwt_material(jwk) == material]
    require(bool(sources), "PyJWT reads the same key")
    good = [
        jwk
        for jwk in sources
        if PRIVATE_MEMBERS.isdisjoint(jwk) and jwk.get("use") in (None, "sig") and jwk.get("alg") == key.alg
    ]
    require(bool(good), "its JWK holds nothing private and is for signatures")
    require(bool(key.algorithms) and key.alg in (None, *key.algorithms), "it serves an algorithm, and only the one that it names")


def _require_only_its_owner_signs(key: Key) -> None:
    if isinstance(key.public_key, RSAPublicKey):
        numbers = key.public_key.public_numbers()
        require(key.public_key.key_size in RSA_BITS and numbers.e in RSA_EXPONENTS, "an RSA key is of a bounded size")
        require(numbers.n % 2 == 1 and numbers.e % 2 == 1, "an RSA key's numbers are odd")
    require(not _is_forged(key), "nobody can forge")


@functools.lru_cache(maxsize=4096)  # by what the key is, and what it serves
def _is_forged(key: Key) -> bool:
    """Whether a signature that anybody can make holds for some message."""
    forged: tuple[bytes, ...] = FORGED
    messages = MESSAGES[:1]
    if key.kty == "OKP":
        points, zeros = (SMALL_ORDER_25519, 32) if key.curve == "Ed25519" else (SMALL_ORDER_448, 57)
        forged, messages = (*FORGED, *(point + b"\x00" * zeros for point in points)), MESSAGES
    return any(_holds(key, *said) for said in itertools.product(sorted(key.algorithms), forged, messages))


def _holds(key: Key, name: str, signature: bytes, signed: bytes) -> bool:
    try:
        ALGORITHMS[name].check(key.public_key, signature, signed)
    except InvalidSignature:
        return False
    return True


def _pyjwt_material(jwk: dict[str, Any]) -> bytes | None:
    algorithm = "EdDSA" if jwk.get("kty") == "OKP" else None  # which PyJWT guesses of Ed25519 alone
    try:
        return _material(jwt.PyJWK({name: value for name, value in jwk.items() if name != "alg"}, algorithm).key)
    except (jwt.PyJWTError, ValueError, TypeError, AttributeError, KeyError):
        return None


def _material(key: Any) -> bytes:
    made: bytes = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return made


# -- changes -------------------------------------------------------------------------------------------------------------


def change(data: bytes, rng: Random) -> bytes:
    way = rng.randrange(10)
    if way == 0:
        return head_changed(data, rng)
    if way == 1:
        return bytes_changed(data, rng)
    try:
        document = json.loads(body_of(data))
        keys = [members_of(jwk) for jwk in document["keys"]]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return with_body(data, _document(_good_keys(rng)))
    return with_body(data, _document(_changed(keys, rng), rng))


def _changed(keys: list[Members], rng: Random) -> list[Members]:
    if not keys or rng.random() < 0.15:
        return keys + _good_keys(rng)
    at = rng.randrange(len(keys))
    if rng.random() < 0.15:
        return [*keys[:at], *keys[at + 1 :]] if rng.random() < 0.5 else [*keys, keys[at]]
    name = rng.choice([*TYPICAL, *(name for name, _ in keys[at])])
    if rng.random() < 0.1:
        return [*keys[:at], without(keys[at], name), *keys[at + 1 :]]
    value = rng.choice(TYPICAL.get(name, ANY) if rng.random() < 0.8 else ANY)
    return [*keys[:at], replaced(keys[at], name, value), *keys[at + 1 :]]


def _good_keys(rng: Random) -> list[Members]:
    return [members_of(jwk) for jwk in rng.sample(GOOD, rng.choice([1, 1, 2, 3]))]


def _document(keys: list[Members], rng: Random | None = None) -> bytes:
    listed = b",".join(written(jwk, rng) if rng and rng.random() < 0.05 else compact(jwk) for jwk in keys)
    if rng and rng.random() < 0.1:
        return written([("keys", f"[{listed.decode('latin-1')}]")], rng)
    return b'{"keys":[' + listed + b"]}"


def seeds() -> dict[str, bytes]:
    bodies = {f"key-{jwk['kid']}": b"200\ncache-control: max-age=3600\n\n" + _document([members_of(jwk)]) for jwk in GOOD}
    return bodies | {
        "all": _document([members_of(jwk) for jwk in GOOD]),
        "empty": b'{"keys":[]}',
        "null": b"null",
        "html": b"200\ncontent-type: text/html\n\n<html>",
        "redirect": b"302\nlocation: https://login.example/?next=/\n\n",
        "busy": b"503\nretry-after: 120\n\n",
    }


TARGET = Target("jwks", check, change, 12_000)
