"""One JWK: what is imported, and the word for why another is not."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenward.keys.jwk import SMALL_PRIMES, Key, UnusableKey, read_jwk
from tokenward.testing import SigningKey
from tokenward.token.algorithms import ALGORITHMS

Jwk = dict[str, object]
Encode = Callable[[int | bytes], str]

ML_DSA = {"kty": "AKP", "alg": "ML-DSA-65", "pub": "AAAA", "kid": "pq"}
X25519 = {"kty": "OKP", "crv": "X25519", "x": "A" * 43}


def reason(jwk: object) -> str:
    with pytest.raises(UnusableKey) as caught:
        read_jwk(jwk)
    return caught.value.reason


def odd(bits: int) -> int:
    """The first number of so many bits that has no small factor."""
    return next(n for n in itertools.count((1 << (bits - 1)) | 1, 2) if math.gcd(n, SMALL_PRIMES) == 1)


def test_a_minimal_rsa_key_is_imported_with_what_its_publisher_said(rsa_jwk: Jwk, rsa_numbers: rsa.RSAPrivateNumbers) -> None:
    key = read_jwk(rsa_jwk | {"alg": "RS256", "issuer": "https://idp.example/{tenantid}", "cloud_instance_name": "one.example"})
    assert (key.kid, key.kty, key.curve, key.alg) == ("rsa", "RSA", None, "RS256")
    assert (key.issuer, key.cloud_instance_name) == ("https://idp.example/{tenantid}", "one.example")
    assert isinstance(key.public_key, rsa.RSAPublicKey)
    assert key.public_key.public_numbers() == rsa_numbers.public_numbers


@pytest.mark.parametrize(
    ("crv", "algorithm"), [("P-256", "ES256"), ("P-384", "ES384"), ("P-521", "ES512")], ids=["P-256", "P-384", "P-521"]
)
def test_an_ec_key_serves_the_algorithm_of_its_curve_only(ec_jwk: Callable[[str], Jwk], crv: str, algorithm: str) -> None:
    key = read_jwk(ec_jwk(crv))
    assert key.curve == crv
    assert [name for name, row in ALGORITHMS.items() if key.serves(row)] == [algorithm]


def test_an_rsa_key_without_alg_serves_every_rsa_algorithm_and_with_alg_that_one(rsa_jwk: Jwk) -> None:
    def served(jwk: Jwk) -> list[str]:
        return [name for name, row in ALGORITHMS.items() if read_jwk(jwk).serves(row)]

    assert served(rsa_jwk) == ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]
    assert served(rsa_jwk | {"alg": "PS256"}) == ["PS256"]


def test_an_okp_key_serves_eddsa(okp_jwk: Callable[..., Jwk]) -> None:
    key = read_jwk(okp_jwk())
    assert [name for name, row in ALGORITHMS.items() if key.serves(row)] == ["EdDSA"]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"use": None, "key_ops": None, "alg": None}, id="null members"),
        pytest.param({"key_ops": ["verify"]}, id="key_ops verify"),
        pytest.param({"key_ops": ["sign", "verify"]}, id="key_ops sign and verify"),
        pytest.param({"kid": None}, id="no kid"),
        pytest.param({"kid": "k" * 200}, id="a kid of 200 characters"),
        pytest.param({"x5c": ["not a certificate"], "x5t": 5, "exp": "soon"}, id="members that are not ours"),
    ],
)
def test_what_does_not_forbid_the_use_of_a_key_is_no_reason_to_skip_it(rsa_jwk: Jwk, change: Jwk) -> None:
    assert isinstance(read_jwk(rsa_jwk | change), Key)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param({"kty": None}, "unknown_kty", id="kty missing"),
        pytest.param({"kty": "rsa"}, "unknown_kty", id="kty in lower case"),
        pytest.param({"kty": 1}, "kty_malformed", id="kty a number"),
        pytest.param({"kty": ["RSA"]}, "kty_malformed", id="kty a list"),
        pytest.param({"kid": 7}, "kid_malformed", id="kid a number"),
        pytest.param({"kid": ""}, "kid_malformed", id="kid empty"),
        pytest.param({"kid": "k" * 201}, "kid_malformed", id="kid too long"),
        pytest.param({"use": "enc"}, "not_for_signatures", id="use enc"),
        pytest.param({"use": "SIG"}, "not_for_signatures", id="use in capitals"),
        pytest.param({"use": ["sig"]}, "use_malformed", id="use a list"),
        pytest.param({"key_ops": []}, "not_for_verification", id="key_ops empty"),
        pytest.param({"key_ops": ["sign"]}, "not_for_verification", id="key_ops sign"),
        pytest.param({"key_ops": "verify"}, "not_for_verification", id="key_ops a string"),
        pytest.param({"alg": "RSA-OAEP"}, "alg_not_supported", id="alg for encryption"),
        pytest.param({"alg": "HS256"}, "alg_not_supported", id="alg symmetric"),
        pytest.param({"alg": "none"}, "alg_not_supported", id="alg none"),
        pytest.param({"alg": "ES256"}, "alg_not_supported", id="alg of another kty"),
        pytest.param({"alg": {"RS256": 1}}, "alg_malformed", id="alg an object"),
        pytest.param({"issuer": 5}, "issuer_malformed", id="issuer a number"),
        pytest.param({"cloud_instance_name": []}, "cloud_instance_name_malformed", id="cloud a list"),
        pytest.param({"n": None}, "member_missing", id="n missing"),
        pytest.param({"e": None}, "member_missing", id="e missing"),
        pytest.param({"n": 5}, "n_malformed", id="n a number"),
        pytest.param({"n": ""}, "key_malformed", id="n empty"),
        pytest.param({"n": "AQ"}, "key_malformed", id="n is 1"),
        pytest.param({"n": "A" * 16_385}, "n_malformed", id="n of 16 KiB"),
        pytest.param({"e": "AQ"}, "key_malformed", id="e is 1"),
        pytest.param({"e": "AA"}, "key_malformed", id="e is 0"),
        pytest.param({"e": "AQAA"}, "key_malformed", id="e is even"),
        pytest.param({"e": "gAAAAQ"}, "rsa_exponent", id="e above 2^31"),
        pytest.param({"e": "AQAAAAAAAAAB"}, "rsa_exponent", id="e huge"),
    ],
)
def test_an_unusable_rsa_key_is_refused_with_a_reason(rsa_jwk: Jwk, change: Jwk, expected: str) -> None:
    assert reason(rsa_jwk | change) == expected


@pytest.mark.parametrize(
    ("signs", "alg"), [("ES256", "ES384"), ("ES384", "ES256"), ("ES512", "ES384"), ("ES256", "EdDSA")], ids=lambda name: name
)
def test_a_key_for_an_algorithm_of_another_curve_is_refused_as_it_could_verify_nothing(signs: str, alg: str) -> None:
    assert reason(SigningKey.generate(signs, "k", alg=alg).jwk()) == "alg_not_supported"


@pytest.mark.parametrize(
    ("bits", "usable"),
    [(1024, False), (2047, False), (2048, True), (4096, True), (8192, True), (8193, False), (16384, False)],
)
def test_rsa_keys_have_2048_to_8192_bits(rsa_jwk: Jwk, base64url: Encode, bits: int, usable: bool) -> None:
    jwk = rsa_jwk | {"n": base64url(odd(bits))}
    if usable:
        assert isinstance(read_jwk(jwk), Key)
    else:
        assert reason(jwk) == "rsa_size"


@pytest.mark.parametrize("exponent", [3, 17, 65537, 2**31 - 1])
def test_odd_exponents_from_3_to_below_2_to_the_31_are_usable(rsa_jwk: Jwk, base64url: Encode, exponent: int) -> None:
    assert isinstance(read_jwk(rsa_jwk | {"e": base64url(exponent)}), Key)


@pytest.mark.parametrize(
    ("jwk", "expected"),
    [
        pytest.param(None, "not_an_object", id="null"),
        pytest.param("key", "not_an_object", id="a string"),
        pytest.param([["kty", "RSA"]], "not_an_object", id="pairs"),
        pytest.param({"kty": "oct", "k": "c2VjcmV0"}, "unknown_kty", id="a symmetric key"),
        pytest.param(ML_DSA, "unknown_kty", id="a post-quantum key"),
        pytest.param(X25519, "curve_not_supported", id="a key agreement curve"),
        pytest.param({"kty": "OKP", "x": "A" * 43}, "curve_not_supported", id="OKP without crv"),
        pytest.param({"kty": "OKP", "crv": 25519, "x": "A" * 43}, "crv_malformed", id="crv a number"),
        pytest.param({"kty": "OKP", "crv": "P-256", "x": "A" * 43}, "curve_not_supported", id="OKP with an EC curve"),
        pytest.param({"kty": "OKP", "crv": "Ed25519", "x": "A" * 42}, "key_malformed", id="Ed25519 too short"),
        pytest.param({"kty": "EC", "crv": "P-256", "x": "A" * 43, "y": "A" * 43}, "key_malformed", id="a point off the curve"),
        pytest.param({"kty": "EC", "crv": "P-256", "x": "A" * 43}, "member_missing", id="EC without y"),
        pytest.param({"kty": "EC", "crv": "p-256", "x": "A" * 43, "y": "A" * 43}, "curve_not_supported", id="crv misspelt"),
    ],
)
def test_what_is_no_key_of_ours_is_refused_with_a_reason(jwk: object, expected: str) -> None:
    assert reason(jwk) == expected


def test_an_ec_key_of_an_unlisted_curve_is_refused(ec_jwk: Callable[[str], Jwk]) -> None:
    assert reason(ec_jwk("secp256k1")) == "curve_not_supported"


def test_an_ec_key_that_names_another_curve_is_refused(ec_jwk: Callable[[str], Jwk]) -> None:
    assert reason(ec_jwk("P-384") | {"crv": "P-256"}) == "key_malformed"


@pytest.mark.parametrize(
    "modulus",
    [
        pytest.param(2**2048 - 1, id="256 times 0xFF"),
        pytest.param(int.from_bytes(b"\x81" * 256), id="256 times 0x81"),
        pytest.param(3**1293, id="a power of 3"),
        pytest.param(2**2048 - 2, id="even"),
    ],
)
def test_a_modulus_that_anybody_can_factor_is_no_key(rsa_jwk: Jwk, base64url: Encode, modulus: int) -> None:
    assert reason(rsa_jwk | {"n": base64url(modulus)}) == "rsa_modulus"


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda n: n + "=", id="padding"),
        pytest.param(lambda n: n + "==", id="more padding"),
        pytest.param(lambda n: n[:4] + "\n" + n[4:], id="a line break"),
        pytest.param(lambda n: " " + n, id="a space"),
        pytest.param(lambda n: n[:4] + "+" + n[5:], id="the standard alphabet's plus"),
        pytest.param(lambda n: n[:4] + "/" + n[5:], id="the standard alphabet's slash"),
        pytest.param(lambda n: n[:-1] + chr(ord(n[-1]) + 1), id="spare bits set"),
        pytest.param(lambda n: n[:4] + "é" + n[5:], id="outside ASCII"),
        pytest.param(lambda n: n + "A" * ((1 - len(n)) % 4), id="a length that cannot be"),
    ],
)
@pytest.mark.parametrize("member", ["n", "e"])
def test_base64url_in_a_jwk_is_strict(rsa_jwk: Jwk, base64url: Encode, member: str, spoil: Callable[[str], str]) -> None:
    good = rsa_jwk | {"n": base64url(odd(2056)), "e": base64url(0x01000001)}
    assert isinstance(read_jwk(good), Key)
    assert reason(good | {member: spoil(str(good[member]))}) == "key_malformed"


def test_a_published_private_key_is_skipped_and_nothing_repeats_its_value(
    rsa_jwk: Jwk, rsa_numbers: rsa.RSAPrivateNumbers, base64url: Encode
) -> None:
    secret = base64url(rsa_numbers.d)
    with pytest.raises(UnusableKey) as caught:
        read_jwk(rsa_jwk | {"d": secret})
    assert caught.value.reason == "private_key_published"
    seen = [repr(caught.value), str(caught.value), repr(caught.value.__cause__), repr(caught.value.__context__)]
    assert not any(secret in text for text in seen)


@pytest.mark.parametrize("member", ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"])
def test_every_private_member_marks_a_published_private_key(rsa_jwk: Jwk, member: str) -> None:
    assert reason(rsa_jwk | {member: None}) == "private_key_published"


def test_a_refused_key_leaves_no_trace_of_its_members(rsa_jwk: Jwk) -> None:
    marker = "SECRETSECRETSECRET"
    with pytest.raises(UnusableKey) as caught:
        read_jwk(rsa_jwk | {"n": marker})
    assert marker not in repr(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_the_repr_of_a_key_names_its_type_only(rsa_jwk: Jwk) -> None:
    assert repr(read_jwk(rsa_jwk)) == "<Key kty=RSA>"


def test_keys_are_equal_if_material_and_conditions_are(rsa_jwk: Jwk, okp_jwk: Callable[..., Jwk]) -> None:
    key = read_jwk(rsa_jwk)
    assert key == read_jwk(rsa_jwk)
    assert hash(key) == hash(read_jwk(rsa_jwk))
    assert key != read_jwk(okp_jwk())
    assert key != "rsa"
    for change in ({"kid": "b"}, {"alg": "RS256"}, {"issuer": "https://b.example"}, {"cloud_instance_name": "b"}):
        assert key != read_jwk(rsa_jwk | change)


@pytest.mark.parametrize("crv", [pytest.param("Ed448", id="Ed448")])
def test_ed448_is_usable_too(base64url: Encode, crv: str) -> None:
    from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey

    x = Ed448PrivateKey.generate().public_key().public_bytes_raw()
    assert read_jwk({"kty": "OKP", "crv": crv, "x": base64url(x)}).curve == crv


MEMBERS = ["kty", "kid", "use", "key_ops", "alg", "crv", "x", "y", "n", "e", "d", "k", "issuer", "cloud_instance_name"]
WORDS = ["RSA", "EC", "OKP", "oct", "sig", "enc", "verify", "RS256", "ES256", "EdDSA", "P-256", "P-521", "Ed25519", "Ed448"]
TEXTS = st.sampled_from(WORDS) | st.text(max_size=8) | st.text("AQgwZz_-", min_size=42, max_size=88)
REASONS = {f"{member}_malformed" for member in (*MEMBERS, "key")} | {
    "not_an_object",
    "unknown_kty",
    "private_key_published",
    "not_for_signatures",
    "not_for_verification",
    "curve_not_supported",
    "alg_not_supported",
    "member_missing",
    "rsa_size",
    "rsa_exponent",
}
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=4,
)


@settings(max_examples=250, deadline=None, derandomize=True)
@given(st.dictionaries(st.sampled_from(MEMBERS), TEXTS | VALUES, min_size=1) | VALUES)
def test_whatever_the_jwk_it_is_a_key_or_unusable(jwk: object) -> None:
    try:
        assert isinstance(read_jwk(jwk), Key)
    except UnusableKey as unusable:
        said = unusable.reason
    else:
        return
    assert said in REASONS
