"""Answers that are compressed although nobody asked for it."""

from __future__ import annotations

import gzip
import zlib
from dataclasses import replace
from typing import Literal

from tokenward.testing.faults.answer import Answer
from tokenward.testing.faults.fault import Fault

_BLOCK = 1024 * 1024


def compressed(encoding: Literal["gzip", "deflate"] = "gzip", *, cut: int = 0) -> Fault:
    """The right answer in this encoding; `cut` leaves out so many bytes of its end."""

    def _spoil(answer: Answer) -> Answer:
        packed = gzip.compress(answer.body) if encoding == "gzip" else zlib.compress(answer.body)
        return _encoded(answer, encoding, packed[: len(packed) - cut])

    return Fault("compressed", spoil=_spoil)


def bomb(mebibytes: int = 16) -> Fault:
    """A body that is a thousandth of what it becomes: so many mebibytes of white space."""
    packer = zlib.compressobj(9, wbits=31)
    packed = b"".join([packer.compress(b" " * _BLOCK) for _ in range(mebibytes)] + [packer.flush()])
    return Fault("bomb", spoil=lambda answer: _encoded(answer, "gzip", packed))


def mislabelled(encoding: str = "br") -> Fault:
    """The right answer, said to be in an encoding that it is not in."""
    return Fault("mislabelled", spoil=lambda answer: _encoded(answer, encoding, answer.body))


def _encoded(answer: Answer, encoding: str, body: bytes) -> Answer:
    return replace(answer, headers={**answer.headers, "content-encoding": encoding}, body=body)
