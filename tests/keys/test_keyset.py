"""A JWKS document: which keys of it serve, and when the whole of it is refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenward.keys.jwk import read_jwk
from tokenward.keys.keyset import MAX_KEYS, KeySet, read_keyset

Jwk = dict[str, object]
MakeJwk = Callable[..., Jwk]

ENC = {"kty": "RSA", "kid": "enc", "use": "enc", "n": "AQ", "e": "AQAB"}
OCT = {"kty": "oct", "kid": "oct", "k": "c2VjcmV0"}
SMALL_RSA = {"kty": "RSA", "kid": "small", "n": "_" * 170 + "8", "e": "AQAB"}
ML_DSA = {"kty": "AKP", "kid": "pq", "alg": "ML-DSA-65", "pub": "AAAA"}


def refusal(document: dict[str, object]) -> str:
    with pytest.raises(ValueError, match=r"^(keys is not a list|no usable key)") as caught:
        read_keyset(document)
    return str(caught.value)


@pytest.mark.parametrize(
    "document",
    [
        pytest.param({}, id="no keys member"),
        pytest.param({"keys": []}, id="an empty list"),
        pytest.param({"keys": {}}, id="an object"),
        pytest.param({"keys": None}, id="null"),
        pytest.param({"keys": "a"}, id="a string"),
        pytest.param({"keys": 1}, id="a number"),
        pytest.param({"Keys": [OCT]}, id="a capital letter"),
    ],
)
def test_a_document_without_a_list_of_keys_is_refused(document: Jwk) -> None:
    assert refusal(document) == "keys is not a list of 1 to 1000 keys"


def test_a_thousand_keys_are_read_and_one_more_is_refused(okp_jwk: MakeJwk) -> None:
    listed = [okp_jwk(f"k{number}") for number in range(MAX_KEYS + 1)]
    assert len(read_keyset({"keys": listed[:MAX_KEYS]})) == MAX_KEYS
    assert refusal({"keys": listed}) == "keys is not a list of 1 to 1000 keys"


@pytest.mark.parametrize(
    ("listed", "reasons"),
    [
        pytest.param([ENC], "not_for_signatures", id="encryption keys only"),
        pytest.param([OCT], "unknown_kty", id="symmetric keys only"),
        pytest.param([SMALL_RSA], "rsa_size", id="1024-bit keys only"),
        pytest.param([ML_DSA], "unknown_kty", id="post-quantum keys only"),
        pytest.param([None, 5, "x", []], "not_an_object", id="no objects at all"),
        pytest.param([ENC, OCT], "not_for_signatures, unknown_kty", id="a mixture"),
    ],
)
def test_a_set_without_a_usable_key_is_refused_with_the_reasons(listed: list[object], reasons: str) -> None:
    assert refusal({"keys": listed}) == f"no usable key ({reasons})"


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        pytest.param(ENC, "not_for_signatures", id="for encryption"),
        pytest.param(OCT, "unknown_kty", id="symmetric"),
        pytest.param(ML_DSA, "unknown_kty", id="post-quantum"),
        pytest.param(SMALL_RSA, "rsa_size", id="too small"),
        pytest.param(None, "not_an_object", id="null"),
        pytest.param({"kty": "RSA", "kid": "b", "n": "?", "e": "AQAB"}, "key_malformed", id="a bad n"),
        pytest.param({"kty": "RSA", "kid": "b", "n": "AQAB"}, "member_missing", id="e missing"),
        pytest.param({"kty": "OKP", "kid": 7, "crv": "Ed25519", "x": "B" * 42 + "A"}, "kid_malformed", id="kid a number"),
        pytest.param({"kty": "EC", "kid": "b", "crv": "Ed25519", "x": "A", "y": "A"}, "curve_not_supported", id="crv mismatch"),
        pytest.param(
            {"kty": "OKP", "kid": "b", "crv": "Ed25519", "x": "A" * 43, "d": "A"}, "private_key_published", id="private"
        ),
    ],
)
def test_a_bad_key_is_skipped_and_counted_and_the_others_serve(okp_jwk: MakeJwk, bad: object, reason: str) -> None:
    keyset = read_keyset({"keys": [okp_jwk("a"), bad, okp_jwk("c"), bad]})
    assert {kid for kid in keyset.keys if kid} == {"a", "c"}
    assert keyset.skipped == {reason: 2}


def test_keys_of_every_usable_type_serve_side_by_side(okp_jwk: MakeJwk, rsa_jwk: Jwk, ec_jwk: Callable[[str], Jwk]) -> None:
    keyset = read_keyset({"keys": [okp_jwk("ed"), rsa_jwk, ec_jwk("P-256"), ML_DSA, OCT]})
    assert set(keyset.keys) == {"ed", "rsa", "P-256"}
    assert len(keyset) == 3
    assert keyset.skipped == {"unknown_kty": 2}


def test_the_same_key_listed_twice_is_one_key(okp_jwk: MakeJwk) -> None:
    keyset = read_keyset({"keys": [okp_jwk("a"), okp_jwk("a"), okp_jwk("b")]})
    assert len(keyset.keys["a"]) == 1
    assert keyset.skipped == {}


def test_the_same_kid_with_other_material_keeps_both_in_their_order(okp_jwk: MakeJwk) -> None:
    listed = [okp_jwk("a", "1"), okp_jwk("a", "2")]
    keyset = read_keyset({"keys": listed})
    assert keyset.keys == {"a": (read_jwk(listed[0]), read_jwk(listed[1]))}
    assert len(keyset) == 2


def test_the_same_material_bound_to_two_issuers_stays_two_keys(okp_jwk: MakeJwk) -> None:
    listed = [okp_jwk("a", issuer="https://one.example"), okp_jwk("a", issuer="https://two.example")]
    assert [key.issuer for key in read_keyset({"keys": listed}).keys["a"]] == ["https://one.example", "https://two.example"]


def test_a_hundred_keys_under_one_kid_are_four_candidates(okp_jwk: MakeJwk) -> None:
    keyset = read_keyset({"keys": [okp_jwk("a", str(number)) for number in range(100)]})
    assert len(keyset.keys["a"]) == len(keyset) == 4
    assert keyset.skipped == {"kid_repeated": 96}


def test_the_only_key_of_a_set_serves_tokens_without_kid(okp_jwk: MakeJwk) -> None:
    keyset = read_keyset({"keys": [okp_jwk("a"), ENC]})
    assert keyset.keys[None] == keyset.keys["a"]
    assert len(keyset) == 1


def test_the_only_key_may_have_no_kid_itself(okp_jwk: MakeJwk) -> None:
    keyset = read_keyset({"keys": [okp_jwk(None)]})
    assert list(keyset.keys) == [None]
    assert len(keyset) == 1


def test_one_of_several_keys_serves_no_token_without_kid(okp_jwk: MakeJwk) -> None:
    assert None not in read_keyset({"keys": [okp_jwk("a"), okp_jwk("b")]}).keys


def test_a_key_without_kid_among_others_is_skipped(okp_jwk: MakeJwk) -> None:
    keyset = read_keyset({"keys": [okp_jwk("a"), okp_jwk(None)]})
    assert set(keyset.keys) == {"a"}
    assert keyset.skipped == {"kid_missing": 1}


def test_several_keys_that_all_lack_a_kid_are_no_usable_set(okp_jwk: MakeJwk) -> None:
    assert refusal({"keys": [okp_jwk(None, "1"), okp_jwk(None, "2")]}) == "no usable key (kid_missing)"


def test_a_published_private_key_appears_in_no_text(okp_jwk: MakeJwk) -> None:
    secret = "U0VDUkVULVNFQ1JFVC1TRUNSRVQ"  # made up
    keyset = read_keyset({"keys": [okp_jwk("a"), okp_jwk("b", d=secret)]})
    assert secret not in repr(keyset)
    assert secret not in refusal({"keys": [okp_jwk("b", d=secret)]})


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(["RSA", "EC", "OKP", "AQAB"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["keys", "kty", "kid", "n", "e", "x", "y", "crv"]) | st.text(max_size=4), inner, max_size=5
        )
    ),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.fixed_dictionaries({}, optional={"keys": st.lists(VALUES, max_size=4) | VALUES}))
def test_whatever_the_document_it_is_a_set_or_a_value_error(document: dict[str, object]) -> None:
    try:
        assert isinstance(read_keyset(document), KeySet)
    except ValueError as refused:
        said = str(refused)
    else:
        return
    assert said.startswith(("keys is not", "no usable key"))
