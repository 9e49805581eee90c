"""Strict base64url and strict JSON: one reading for every text, or none."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenward.token.strict import MAX_DEPTH, decode_base64url, parse_object, parse_unique_object

Parse = Callable[[bytes], dict[str, object]]


@given(st.binary(max_size=200))
def test_what_was_encoded_decodes_to_the_same_bytes(data: bytes) -> None:
    assert decode_base64url(base64.urlsafe_b64encode(data).rstrip(b"=")) == data


@given(st.text(alphabet="ABCDwxyz0189-_+/= \n", max_size=40))
def test_no_two_texts_decode_to_the_same_bytes(text: str) -> None:
    try:
        data = decode_base64url(text.encode())
    except ValueError:
        return
    assert base64.urlsafe_b64encode(data).rstrip(b"=") == text.encode()


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"YQ==", id="padding"),
        pytest.param(b"YWI=", id="one padding character"),
        pytest.param(b"YQ=", id="wrong padding"),
        pytest.param(b"Y", id="a single character"),
        pytest.param(b"YWJjZ", id="one character over"),
        pytest.param(b"YR", id="spare bits of two characters"),
        pytest.param(b"YWJ", id="spare bits of three characters"),
        pytest.param(b"YWL", id="other spare bits of three characters"),
        pytest.param(b"a+b/", id="the standard alphabet"),
        pytest.param(b"YWJj\n", id="trailing line feed"),
        pytest.param(b"YW Jj", id="a space inside"),
        pytest.param(b" YWJj", id="a space in front"),
        pytest.param(b"YWJj\r\nYWJj", id="a line break inside"),
        pytest.param(b"YW.j", id="a dot"),
        pytest.param(b"YW!j", id="an exclamation mark"),
        pytest.param(b"YWJ\x00", id="NUL"),
        pytest.param(b"YW\xc3\xa9", id="bytes outside ASCII"),
    ],
)
def test_base64url_has_one_form_only(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"^not base64url$"):
        decode_base64url(text)


def test_nesting_and_parts_are_bounded_each_on_its_own() -> None:
    deepest = b'{"a":' + b"[" * (MAX_DEPTH - 1) + b"]" * (MAX_DEPTH - 1) + b"}"
    assert parse_object(deepest)
    with pytest.raises(ValueError, match="nested too deep"):
        parse_object(b'{"a":[' + deepest[5:-1] + b"]}")
    space = b" " * 2048
    with pytest.raises(ValueError, match="too many parts"):
        parse_object(b'{"a":[0,0,0]}' + space, most=3)
    assert parse_object(b'{"a":[0,0,0]}' + space, most=4) == {"a": [0, 0, 0]}
    assert parse_object(b'{"a":[0,0,0]}', most=3) == {"a": [0, 0, 0]}, "what is short is read whatever it is made of"
    extreme = b'{"a":[' + b"0," * 1100 + b"1e-300]}"
    with pytest.raises(ValueError, match="too many parts"):
        parse_object(extreme)
    assert parse_object(extreme.replace(b"1e-300", b'"1e-300"'))


@pytest.mark.parametrize("parse", [parse_object, parse_unique_object])
@pytest.mark.parametrize(
    "document",
    [
        pytest.param(b'{"a":NaN}', id="NaN"),
        pytest.param(b'{"a":Infinity}', id="Infinity"),
        pytest.param(b'{"a":-Infinity}', id="minus Infinity"),
        pytest.param(b'{"a":1e999}', id="overflow to Infinity"),
        pytest.param(b'{"a":-1e999}', id="overflow to minus Infinity"),
        pytest.param(b'{"a":[{"b":1e999}]}', id="overflow deep inside"),
        pytest.param(b"\xef\xbb\xbf{}", id="byte order mark"),
        pytest.param("{}".encode("utf-16"), id="UTF-16"),
        pytest.param("{}".encode("utf-32-be"), id="UTF-32"),
        pytest.param(b'{"a":"\\ud800"}', id="a lone high surrogate"),
        pytest.param(b'{"a":"\\udc00\\ud800"}', id="surrogates in the wrong order"),
        pytest.param(b'{"\\udfff":1}', id="a lone surrogate in a name"),
        pytest.param(b'{"a":"\xed\xa0\x80"}', id="a surrogate in UTF-8"),
        pytest.param(b'{"a":"\xff"}', id="invalid UTF-8"),
        pytest.param(b'{"a":"\xc0\x80"}', id="overlong UTF-8"),
        pytest.param(b'{"a":' + b"[" * 1024 + b"]" * 1024 + b"}", id="too deep"),
        pytest.param(b"[" * 100_000, id="far too deep"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b'"text"', id="a string"),
        pytest.param(b"1", id="a number"),
        pytest.param(b"null", id="null"),
        pytest.param(b"", id="nothing"),
        pytest.param(b"{}{}", id="two objects"),
        pytest.param(b"{} x", id="text behind"),
        pytest.param(b"{'a':1}", id="single quotes"),
        pytest.param(b'{"a":1,}', id="trailing comma"),
        pytest.param(b'{"a":01}', id="leading zero"),
        pytest.param(b'{"a":+1}', id="plus sign"),
        pytest.param(b'{"a":.5}', id="no digit before the point"),
        pytest.param(b'{"a":0x10}', id="hexadecimal"),
        pytest.param(b'{"a":"\n"}', id="a raw control character"),
        pytest.param(b"// x\n{}", id="comment"),
        pytest.param(b"\x00", id="NUL"),
    ],
)
def test_only_strict_json_objects_are_read(parse: Parse, document: bytes) -> None:
    with pytest.raises(ValueError, match=r"^(not JSON|not a JSON object|nested too deep|made of too many parts)$"):
        parse(document)


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(b'{"alg":"RS256","alg":"none"}', id="at the top"),
        pytest.param(b'{"a":{"b":1,"b":2}}', id="one level down"),
        pytest.param(b'{"a":[[{"b":1,"b":1}]]}', id="inside lists"),
        pytest.param(b'{"alg":1,"\\u0061lg":2}', id="written with an escape"),
        pytest.param(b'{"a":1, "b":2, "a":1}', id="equal values"),
        pytest.param(b'{"":1,"":2}', id="empty names"),
        pytest.param(b'{"a":' * 50 + b'{"b":1,"b":2}' + b"}" * 50, id="fifty levels down"),
    ],
)
def test_a_member_named_twice_is_refused_where_names_must_be_unique(document: bytes) -> None:
    assert parse_object(document)
    with pytest.raises(ValueError, match="named twice"):
        parse_unique_object(document)


def test_of_claims_named_twice_the_last_counts() -> None:
    assert parse_object(b'{"exp":1,"exp":2}') == {"exp": 2}


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(b' { "a" : [ 1 , 2.50 , 1e2 , -0 ] }\r\n', id="white space and other ways to write numbers"),
        pytest.param(b'{"a":"\\u00e9\\/\\ud83d\\ude00"}', id="escapes"),
        pytest.param(b'{"a":"\\u0000"}', id="an escaped NUL"),
        pytest.param(b'{"a":99999999999999999999999}', id="a large integer"),
        pytest.param(b'{"a":' + b"[" * 50 + b"]" * 50 + b"}", id="fifty levels"),
        pytest.param(b"{}", id="empty"),
    ],
)
def test_unique_names_are_found_unique_however_they_are_written(document: bytes) -> None:
    assert parse_unique_object(document) == json.loads(document)


@given(
    st.dictionaries(st.text(max_size=5), st.recursive(st.floats() | st.integers() | st.text(max_size=5), st.lists, max_leaves=5))
)
def test_what_is_read_is_what_the_standard_library_reads(value: dict[str, object]) -> None:
    document = json.dumps(value).encode()
    try:
        parsed = parse_object(document)
    except ValueError:
        assert _has_what_is_refused(document)
        return
    assert json.loads(json.dumps(parsed), parse_int=float) == json.loads(document, parse_int=float)


def _has_what_is_refused(document: bytes) -> bool:
    text = json.dumps(json.loads(document), ensure_ascii=False)
    surrogates = any("\ud800" <= character <= "\udfff" for character in text)
    return surrogates or any(not math.isfinite(number) for number in _numbers(json.loads(document)))


def _numbers(value: object) -> list[float]:
    if isinstance(value, dict):
        return [number for item in value.values() for number in _numbers(item)]
    if isinstance(value, list):
        return [number for item in value for number in _numbers(item)]
    return [float(value)] if isinstance(value, (int, float)) else []
