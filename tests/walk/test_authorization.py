"""Authorization values -> one token, or which rejection (RFC 6750 section 2.1, RFC 9110 section 11)."""

from __future__ import annotations

from typing import Any

import pytest

from tokenward import AuthenticationError
from tokenward.token.authorization import MAX_AUTHORIZATION_BYTES, bearer_token


@pytest.mark.parametrize(
    ("value", "token"),
    [
        pytest.param("Bearer abc.def.ghi", b"abc.def.ghi", id="as usual"),
        pytest.param(b"Bearer abc.def.ghi", b"abc.def.ghi", id="bytes"),
        pytest.param("bearer abc", b"abc", id="lower case scheme"),
        pytest.param("BEARER abc", b"abc", id="upper case scheme"),
        pytest.param("Bearer   abc", b"abc", id="several spaces"),
        pytest.param("  Bearer abc \t", b"abc", id="optional white space around"),
        pytest.param("Bearer abc+/~==", b"abc+/~==", id="the whole b64token alphabet"),
    ],
)
def test_one_bearer_token_is_taken_from_the_header(value: str | bytes, token: bytes) -> None:
    assert bearer_token([value]) == token


@pytest.mark.parametrize(
    ("values", "code"),
    [
        pytest.param([], "missing_token", id="no header"),
        pytest.param(["Basic dXNlcjpwYXNz"], "missing_token", id="basic"),
        pytest.param(["Negotiate oYG3MIG0oAMKAQ"], "missing_token", id="negotiate"),
        pytest.param(["Bearerabc"], "missing_token", id="another scheme that begins alike"),
        pytest.param([""], "invalid_authorization", id="empty"),
        pytest.param([b""], "invalid_authorization", id="empty bytes"),
        pytest.param([" \t "], "invalid_authorization", id="only white space"),
        pytest.param(["Bearer"], "invalid_authorization", id="scheme alone"),
        pytest.param(["Bearer  "], "invalid_authorization", id="scheme and spaces"),
        pytest.param(["Bearer abc def"], "invalid_authorization", id="a space in the token"),
        pytest.param(["Bearer abc\tdef"], "invalid_authorization", id="a tab in the token"),
        pytest.param(["Bearer \tabc"], "invalid_authorization", id="a tab before the token"),
        pytest.param(["Bearer\tabc"], "invalid_authorization", id="a tab in place of the space"),
        pytest.param(["Bearer: abc"], "invalid_authorization", id="a colon after the scheme"),
        pytest.param(['Bearer "abc"'], "invalid_authorization", id="quotes"),
        pytest.param(["Bearer abc\r\nX: y"], "invalid_authorization", id="line break"),
        pytest.param(["Bearer abc\x00"], "invalid_authorization", id="NUL"),
        pytest.param([b"Bearer \x01\x02\x7f"], "invalid_authorization", id="control bytes"),
        pytest.param(["Bearer \u20ac"], "invalid_authorization", id="text outside latin-1"),
        pytest.param(["Bearer \ud800"], "invalid_authorization", id="a lone surrogate"),
        pytest.param(["Bearer \xe9"], "invalid_authorization", id="latin-1 but not ASCII"),
        pytest.param([b"Bearer \xff\xfe"], "invalid_authorization", id="bytes outside ASCII"),
        pytest.param(["Bearer abc", "Bearer abc"], "multiple_tokens", id="two equal headers"),
        pytest.param(["Bearer abc", "Basic def"], "multiple_tokens", id="two schemes in two headers"),
        pytest.param(["Basic abc", "Basic def"], "multiple_tokens", id="two headers without a bearer token"),
        pytest.param(["", ""], "multiple_tokens", id="two empty headers"),
        pytest.param(["Bearer abc, Bearer def"], "multiple_tokens", id="joined by a comma"),
        pytest.param(["Bearer abc,def"], "multiple_tokens", id="two tokens joined"),
        pytest.param(["Basic abc, Bearer def"], "multiple_tokens", id="basic joined with bearer"),
        pytest.param(["Digest a=b,bearer def"], "multiple_tokens", id="digest joined with bearer"),
    ],
)
def test_whatever_is_not_one_bearer_token_is_refused(desk: Any, values: list[str | bytes], code: str) -> None:
    assert desk.rejection(lambda: desk.verifier().authenticate(values)).code == code


def test_a_token_of_good_characters_that_is_no_jwt_is_malformed_and_not_a_wrong_header(desk: Any) -> None:
    assert desk.rejection(lambda: desk.verifier().authenticate(["Bearer dapi0123456789abcdef"])).code == "malformed_token"


def test_a_good_token_passes_as_text_and_as_bytes(desk: Any) -> None:
    token, verifier = desk.token(), desk.verifier()
    assert verifier.authenticate([f"Bearer {token}"]).subject == "caller-1"
    assert verifier.authenticate([f"Bearer {token}".encode()]).subject == "caller-1"


def test_a_very_long_header_of_another_scheme_is_not_read_to_its_end() -> None:
    with pytest.raises(AuthenticationError) as caught:
        bearer_token(["x" * MAX_AUTHORIZATION_BYTES + ", Bearer abc"])
    assert caught.value.code == "missing_token"
