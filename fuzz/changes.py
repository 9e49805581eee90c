"""Changes of a token's text: what becomes of it on the way, and what is done to it by whoever cannot sign."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import TypeAlias

from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from fuzz.keys import ED25519_ORDER, P256_ORDER, b64
from tokenward.token.strict import decode_base64url

Change: TypeAlias = Callable[[bytes, Random], bytes]
"""(a good token, chance) -> another text."""

ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
ODD = (b".", b"=", b"==", b"+", b"/", b" ", b"\n", b"\r\n", b"\t", b"\x00", b"\xc3\xa9", b"%3D", b",", b"~", b"\x7f", b"\xff")


def any_byte(token: bytes, rng: Random) -> bytes:
    place = rng.randrange(len(token))
    return token[:place] + bytes([rng.randrange(256)]) + token[place + 1 :]


def other_character(token: bytes, rng: Random) -> bytes:
    place = rng.randrange(len(token))
    return token[:place] + bytes([rng.choice(ALPHABET)]) + token[place + 1 :]


def removed(token: bytes, rng: Random) -> bytes:
    place = rng.randrange(len(token))
    return token[:place] + token[place + rng.choice([1, 1, 2, 4]) :]


def added(token: bytes, rng: Random) -> bytes:
    place = rng.choice([rng.randrange(len(token) + 1), len(token), 0])
    return token[:place] + rng.choice([*ODD, bytes([rng.choice(ALPHABET)])]) + token[place:]


def cut(token: bytes, rng: Random) -> bytes:
    return token[: rng.randrange(len(token))]


def segment_ends_differently(token: bytes, rng: Random) -> bytes:
    """Spare bits of the last character, padding, white space: other texts for the same bytes."""
    parts = token.split(b".")
    place = rng.randrange(len(parts))
    if rng.random() < 0.5:
        parts[place] = parts[place][:-1] + bytes([rng.choice(ALPHABET)])
    else:
        parts[place] += rng.choice([*ODD, b"=" * (-len(parts[place]) % 4), b"A"])
    return b".".join(parts)


def segments_moved(token: bytes, rng: Random) -> bytes:
    parts = token.split(b".") + rng.choice([[], [b""], [b"", b""], [b"e30"]])
    rng.shuffle(parts)
    return b".".join(parts)


def other_alphabet(token: bytes, rng: Random) -> bytes:
    """The alphabet of plain base64."""
    return token.translate(bytes.maketrans(b"-_", b"+/")) if rng.random() < 0.5 else token.replace(b"-", b"+", 1)


def other_case(token: bytes, rng: Random) -> bytes:
    place = rng.randrange(len(token))
    return token[:place] + token[place : place + 1].swapcase() + token[place + 1 :]


def signature_written_differently(token: bytes, rng: Random) -> bytes:
    """Another text of the same signature, or a trivial one: longer, shorter, in DER, beyond the group's order."""
    signed, _, text = token.rpartition(b".")
    return signed + b"." + b64(_rewritten(decode_base64url(text), rng)).encode("ascii")


def _rewritten(signature: bytes, rng: Random) -> bytes:
    half = len(signature) // 2
    first, second = signature[:half], signature[half:]
    texts = [
        b"",
        b"\x00" * len(signature),
        b"\x00" + signature,
        signature + b"\x00",
        signature[1:],
        signature[::-1],
        second + first,
        encode_dss_signature(int.from_bytes(first, "big"), int.from_bytes(second, "big")),
        b"\x00" + first + b"\x00" + second,
        b"\x01" + b"\x00" * 63,
        bytes([signature[0] ^ 1]) + signature[1:] if signature else b"\x00",
    ]
    return rng.choice([*texts, *(_beyond_the_order(first, second) if len(signature) == 64 else ())])


def _beyond_the_order(first: bytes, second: bytes) -> tuple[bytes, ...]:
    """The same number modulo the group's order, and its negative, which ECDSA cannot tell from it."""
    big, little = int.from_bytes(second, "big"), int.from_bytes(second, "little")
    numbers = [number.to_bytes(32, "big") for number in (big + P256_ORDER, -big % P256_ORDER) if number < 2**256]
    return tuple(first + number for number in (*numbers, (little + ED25519_ORDER).to_bytes(33, "little")[:32]))


def spliced(token: bytes, other: bytes, rng: Random) -> bytes:
    """Segments of two good tokens."""
    pairs = zip(token.split(b"."), other.split(b"."), strict=True)
    return b".".join(rng.choice(pair) for pair in pairs)


CHANGES: tuple[Change, ...] = (
    any_byte,
    other_character,
    removed,
    added,
    cut,
    segment_ends_differently,
    segment_ends_differently,
    segments_moved,
    other_alphabet,
    other_case,
    signature_written_differently,
)
