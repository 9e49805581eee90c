"""Whatever a stranger sends for a path: it is refused, or it has one meaning however often somebody decodes it."""

from __future__ import annotations

import posixpath
from urllib.parse import unquote, unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenward.databricks.admission.path import Target, checked_target
from tokenward.databricks.admission.refusals import PathMalformed, PathNotAllowed
from tokenward.databricks.admission.rule import METHODS, Rule
from tokenward.databricks.admission.rules import Rules

PARTS = [
    *(b"/", b"//", b".", b"..", b"%2e", b"%2E", b"%2f", b"%5c", b"\\", b";", b"%3b", b"#", b"?", b" ", b"%20", b"\x00", b"%00"),
    *(b"%", b"%25", b"%252e", b"%252f", b"%25252e", b"25", b"2e", b"%32", b"%65", b"%36", b"%u002e", b"\xc3\xa9", b"%c3%a9"),
    *(
        b"%c0%ae",
        b"%e9",
        b"%0a",
        b"%0d%0a",
        b"\r\n",
        b"a",
        b"api",
        b"2.0",
        b"token",
        b"%74oken",
        b"http:",
        b"@",
        b":",
        b"*",
        b"~",
    ),
]
TRICKS = st.lists(st.sampled_from(PARTS), max_size=12).map(b"".join)
GOALS = [
    "/api/../oidc",
    "/api/./x",
    "/api//x",
    "/api/..;/x",
    "/api/a\\b",
    "/api/a\x00",
    "/api/x/../../../oidc/v1/token",
    "/api/a\n",
]


@st.composite
def _disguised(draw: st.DrawFn, goals: st.SearchStrategy[str]) -> bytes:
    """Something that a stranger wants, each of its characters escaped up to three times, in digits of either case."""
    text = ""
    for character in draw(goals):
        for _ in range(draw(st.integers(0, 3)) if draw(st.booleans()) else 0):
            character = "".join(f"%{byte:{draw(st.sampled_from(['02x', '02X']))}}" for byte in character.encode())
        text += character
    return text.encode()


PATHS = st.one_of(
    _disguised(st.sampled_from(GOALS)),
    TRICKS.map(lambda rest: b"/" + rest),
    TRICKS,
    st.binary(max_size=40).map(lambda rest: b"/" + rest),
)
NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/\\%"), min_size=1, max_size=10)
TOKEN_MAKERS = Rules([Rule("api", METHODS, "/api/**", no_credentials=True)])


def _target(raw: bytes, query: bytes = b"") -> Target | None:
    try:
        return checked_target(raw, query)
    except PathMalformed:
        return None


def _segments(path: bytes) -> list[bytes]:
    return path.split(b"/")[1:]


@given(PATHS)
def test_judging_twice_changes_nothing(raw: bytes) -> None:
    target = _target(raw)
    if target is not None:
        assert checked_target(target.path.encode("ascii"), target.query.encode("ascii")) == target


@given(PATHS)
def test_normalising_does_not_change_what_is_meant(raw: bytes) -> None:
    target = _target(raw)
    if target is not None:
        assert unquote_to_bytes(target.path) == unquote_to_bytes(raw)


@given(PATHS)
def test_an_accepted_path_has_the_same_segments_decoded_never_once_or_twice(raw: bytes) -> None:
    target = _target(raw)
    if target is None:
        return
    plain = target.path.encode("ascii")
    once = unquote_to_bytes(plain)
    twice = unquote_to_bytes(once)
    assert len(_segments(plain)) == len(_segments(once)) == len(_segments(twice))
    for decoded in (plain, once, twice):
        for segment in _segments(decoded):
            assert segment.partition(b";")[0] not in (b".", b"..")
        assert b"\\" not in decoded
        assert not any(byte < 0x20 or byte == 0x7F for byte in decoded)
        assert all(segment for segment in _segments(decoded)[:-1])


@given(PATHS)
def test_an_accepted_path_stays_below_where_it_begins_however_it_is_resolved(raw: bytes) -> None:
    target = _target(b"/api" + raw)
    if target is None or target.path.split("/")[1] != "api":
        return
    for text in (target.path, unquote(target.path), unquote(unquote(target.path))):
        assert posixpath.normpath(text).split("/")[1] == "api"


@given(PATHS, st.binary(max_size=30))
def test_a_target_never_ends_a_request_line(raw: bytes, query: bytes) -> None:
    target = _target(raw, query)
    if target is not None:
        text = str(target)
        assert text.isascii()
        assert text.isprintable()
        assert " " not in text
        assert "#" not in text
        assert text.startswith("/")
        assert not text.startswith("//")


@given(
    st.lists(NAMES.filter(lambda name: name not in (".", "..") and not name.startswith((".;", "..;"))), min_size=1, max_size=4)
)
def test_every_name_that_is_escaped_once_passes_and_arrives(names: list[str]) -> None:
    raw = "/" + "/".join("".join(f"%{byte:02x}" for byte in name.encode()) for name in names)
    assert unquote(checked_target(raw.encode("ascii"), b"").path) == "/" + "/".join(names)


@given(_disguised(st.sampled_from(["/api/2.0/token/create", "/api/2.0/TOKEN", "/api/2.1/Token/", "/api/2.0/x/../token/list"])))
def test_no_spelling_reaches_what_a_rule_leaves_out(raw: bytes) -> None:
    target = _target(raw)
    if target is not None:
        with pytest.raises(PathNotAllowed):
            TOKEN_MAKERS.match("POST", target.path)


@given(_disguised(st.sampled_from(["/api/2.0/token/create", "/api/2.0/TOKEN"])))
def test_a_path_that_is_escaped_once_at_most_is_matched_as_it_is_meant(raw: bytes) -> None:
    target = _target(raw)
    if target is not None:
        assert target.path == unquote(raw.decode())


@given(PATHS, st.text("/gw%.", max_size=6))
def test_below_a_mount_point_nothing_passes_that_would_not_pass_alone(raw: bytes, root: str) -> None:
    try:
        target = checked_target(raw, b"", root)
    except PathMalformed:
        return
    assert checked_target(target.path.encode("ascii"), b"") == target
