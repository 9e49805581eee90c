from __future__ import annotations

import base64
import hashlib

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from tokenward.keys.jwk import read_jwk
from tokenward.testing import SigningKey
from tokenward.testing.signing import SIGNERS
from tokenward.token.algorithms import ALGORITHMS
from tokenward.token.strict import decode_base64url


@pytest.fixture(scope="module")
def rsa_key() -> SigningKey:
    return SigningKey.generate("RS256")


def number(text: object) -> int:
    return int.from_bytes(decode_base64url(str(text).encode()), "big")


def certificate_of(jwk: dict[str, object]) -> bytes:
    chain = jwk["x5c"]
    assert isinstance(chain, list)
    return base64.b64decode(chain[0], validate=True)


def test_a_jwk_has_the_members_of_entras_and_no_alg(rsa_key: SigningKey) -> None:
    assert set(rsa_key.jwk()) == {"kty", "use", "kid", "x5t", "n", "e", "x5c"}
    assert rsa_key.jwk()["use"] == "sig"


def test_the_certificate_in_x5c_is_of_the_key_in_n_and_e(rsa_key: SigningKey) -> None:
    jwk = rsa_key.jwk()
    certificate = x509.load_der_x509_certificate(certificate_of(jwk))
    public = certificate.public_key()
    assert isinstance(public, RSAPublicKey)
    assert (public.public_numbers().n, public.public_numbers().e) == (number(jwk["n"]), number(jwk["e"]))
    certificate.verify_directly_issued_by(certificate)


def test_the_kid_is_the_sha1_thumbprint_of_the_certificate(rsa_key: SigningKey) -> None:
    jwk = rsa_key.jwk()
    digest = hashlib.sha1(certificate_of(jwk), usedforsecurity=False).digest()
    assert decode_base64url(rsa_key.kid.encode()) == digest
    assert jwk["kid"] == jwk["x5t"] == rsa_key.kid


@pytest.mark.parametrize("algorithm", sorted(SIGNERS))
def test_what_a_key_signs_its_published_jwk_verifies(algorithm: str) -> None:
    key = SigningKey.generate(algorithm)
    published = read_jwk(key.jwk())
    row = ALGORITHMS[algorithm]
    assert published.serves(row)
    row.check(published.public_key, key.sign(b"signed bytes"), b"signed bytes")
    with pytest.raises(InvalidSignature):
        row.check(published.public_key, key.sign(b"signed bytes"), b"other bytes")


def test_every_algorithm_that_can_be_checked_can_be_signed() -> None:
    assert set(SIGNERS) == set(ALGORITHMS)


@pytest.mark.parametrize("algorithm", ["HS256", "none", "RS1", ""])
def test_no_key_is_made_for_other_algorithms(algorithm: str) -> None:
    with pytest.raises(ValueError, match="no key can be made"):
        SigningKey.generate(algorithm)


@pytest.mark.parametrize(("made_for", "asked"), [("RS256", "ES256"), ("ES256", "PS256"), ("ES256", "EdDSA"), ("EdDSA", "RS256")])
def test_a_key_does_not_sign_by_an_algorithm_of_another_type(made_for: str, asked: str) -> None:
    with pytest.raises(TypeError, match="another type"):
        SigningKey.generate(made_for).sign(b"", asked)


def test_a_renamed_key_signs_the_same_and_keeps_what_was_not_changed(rsa_key: SigningKey) -> None:
    renamed = rsa_key.renamed(alg="RS256")
    assert renamed.kid == rsa_key.kid
    assert renamed.jwk()["alg"] == "RS256"
    assert renamed.jwk()["n"] == rsa_key.jwk()["n"]
    assert rsa_key.renamed("other").jwk()["kid"] == "other"


def test_a_repr_shows_nothing_secret(rsa_key: SigningKey) -> None:
    assert repr(rsa_key) == f"<SigningKey RS256 kid={rsa_key.kid}>"
