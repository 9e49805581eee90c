"""The published examples: RFC 7515 appendix A, RFC 8037 appendix A.4, RFC 7520 section 4.

Their payloads are no claims of a policy's issuer (some are no claims at all), so the signature's own function judges them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature

from tokenward import AuthenticationError
from tokenward.keys.jwk import read_jwk
from tokenward.token.algorithms import ALGORITHMS
from tokenward.token.compact import Opener
from tokenward.token.header import read_header
from tokenward.token.strict import decode_base64url

VECTORS: dict[str, dict[str, Any]] = json.loads((Path(__file__).parent / "vectors.json").read_text("ascii"))
SIGNED = [pytest.param(vector, id=name) for name, vector in VECTORS["compact"].items()]
REFUSED = [pytest.param(vector, id=name) for name, vector in VECTORS["refused"].items()]


def parts(vector: dict[str, Any]) -> tuple[Any, bytes, bytes]:
    signed, _, signature = vector["token"].encode().rpartition(b".")
    return read_header(signed.split(b".")[0]), decode_base64url(signature), signed


@pytest.mark.parametrize("vector", SIGNED)
def test_a_published_signature_holds(vector: dict[str, Any]) -> None:
    header, signature, signed = parts(vector)
    key = read_jwk(vector["jwk"])
    assert key.serves(ALGORITHMS[header.alg])
    ALGORITHMS[header.alg].check(key.public_key, signature, signed)


@pytest.mark.parametrize("vector", SIGNED)
@pytest.mark.parametrize("place", [0, 5, -1])
def test_a_changed_byte_of_a_published_signature_does_not_hold(vector: dict[str, Any], place: int) -> None:
    header, signature, signed = parts(vector)
    changed = bytearray(signature)
    changed[place] ^= 1
    with pytest.raises(InvalidSignature):
        ALGORITHMS[header.alg].check(read_jwk(vector["jwk"]).public_key, bytes(changed), signed)


@pytest.mark.parametrize("vector", SIGNED)
def test_a_published_signature_does_not_hold_over_another_text(vector: dict[str, Any]) -> None:
    header, signature, signed = parts(vector)
    with pytest.raises(InvalidSignature):
        ALGORITHMS[header.alg].check(read_jwk(vector["jwk"]).public_key, signature, signed + b"A")


@pytest.mark.parametrize("name", ["RFC 7515 A.2", "RFC 7515 A.3"])
def test_the_published_claims_are_read(name: str) -> None:
    compact = Opener().open(VECTORS["compact"][name]["token"].encode())
    assert compact.claims == {"iss": "joe", "exp": 1300819380, "http://example.com/is_root": True}


@pytest.mark.parametrize("vector", REFUSED)
def test_published_tokens_that_prove_nothing_are_refused(bench: Any, vector: dict[str, str]) -> None:
    with pytest.raises(AuthenticationError) as caught:
        bench.verifier.verify(vector["token"])
    assert caught.value.code == vector["code"]
