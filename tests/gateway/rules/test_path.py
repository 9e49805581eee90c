"""The target of a request: one form of it, and nothing that two servers read differently."""

from __future__ import annotations

import pytest

from tokenward.databricks.admission.path import MAX_PATH_BYTES, MAX_QUERY_BYTES, Target, checked_target
from tokenward.databricks.admission.refusals import PathMalformed


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        pytest.param(b"/", "/", id="the root"),
        pytest.param(b"/api/2.0/sql/statements", "/api/2.0/sql/statements", id="a plain path"),
        pytest.param(b"/api/2.0/jobs/", "/api/2.0/jobs/", id="a slash at the end is kept"),
        pytest.param(b"/%61pi/2%2E0/%6Aobs", "/api/2.0/jobs", id="escapes of unreserved characters are decoded"),
        pytest.param(b"/a/b%c3%a9.csv", "/a/b%C3%A9.csv", id="hexadecimal digits become upper case"),
        pytest.param(b"/a/b%20c", "/a/b%20c", id="an escaped space stays escaped"),
        pytest.param(b"/a/%e5%a0%b1%ef%bc%88.txt", "/a/%E5%A0%B1%EF%BC%88.txt", id="Japanese"),
        pytest.param(b"/a/x%3By", "/a/x%3By", id="an escaped semicolon in a name"),
        pytest.param(b"/a/what%3F%23", "/a/what%3F%23", id="an escaped question mark and hash"),
        pytest.param(b"/a/100%25.txt", "/a/100%25.txt", id="an escaped per cent"),
        pytest.param(b"/a/ts=10%253A00", "/a/ts=10%253A00", id="a name that holds an escape, as of Spark's partitions"),
        pytest.param(b"/a/.hidden", "/a/.hidden", id="a hidden file"),
        pytest.param(b"/a/...", "/a/...", id="three dots"),
        pytest.param(b"/a/..b/c..", "/a/..b/c..", id="dots in names"),
        pytest.param(b"/a/!$&'()*+,=:@~-_", "/a/!$&'()*+,=:@~-_", id="all of RFC 3986's that need no escape"),
    ],
)
def test_a_path_is_normalised_once_and_stays_as_it_is_then(raw: bytes, path: str) -> None:
    target = checked_target(raw, b"")
    assert target == Target(path, "")
    assert checked_target(target.path.encode("ascii"), b"") == target


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"*", id="asterisk form"),
        pytest.param(b"api/2.0", id="relative"),
        pytest.param(b"http://evil.example/api", id="absolute form"),
        pytest.param(b"https:/evil.example", id="absolute form with one slash"),
        pytest.param(b"evil.example:443", id="authority form"),
        pytest.param(b"//evil.example/api", id="an authority for a path"),
        pytest.param(b"/api//2.0", id="an empty segment"),
        pytest.param(b"/api/2.0//", id="an empty segment at the end"),
        pytest.param(b"/api/./jobs", id="a dot"),
        pytest.param(b"/api/.", id="a dot at the end"),
        pytest.param(b"/api/../oidc", id="two dots"),
        pytest.param(b"/..", id="two dots alone"),
        pytest.param(b"/api/%2e%2e/oidc", id="escaped dots"),
        pytest.param(b"/api/%2E./oidc", id="an escaped dot and a plain one"),
        pytest.param(b"/api/.%2e", id="a plain dot and an escaped one, at the end"),
        pytest.param(b"/api/..;/oidc", id="dots and a parameter"),
        pytest.param(b"/api/..%3b/oidc", id="dots and an escaped parameter"),
        pytest.param(b"/api/..%3Bx=y/oidc", id="dots and an escaped parameter with a value"),
        pytest.param(b"/api/jobs;x=y", id="a parameter"),
        pytest.param(b"/api%2foidc", id="an escaped slash"),
        pytest.param(b"/api/..%2Foidc", id="dots and an escaped slash"),
        pytest.param(b"/api%5coidc", id="an escaped backslash"),
        pytest.param(b"/api\\..\\oidc", id="a backslash"),
        pytest.param(b"/api#oidc", id="a fragment"),
        pytest.param(b"/api?x", id="a query within the path"),
        pytest.param(b"/api/a b", id="a space"),
        pytest.param(b"/api/a HTTP/1.1\r\nX: y", id="a second request line"),
        pytest.param(b"/api/a\tb", id="a tab"),
        pytest.param(b"/api/a\x00b", id="NUL"),
        pytest.param(b"/api/a%00b", id="escaped NUL"),
        pytest.param(b"/api/a%0d%0ab", id="an escaped line break"),
        pytest.param(b"/api/a%7f", id="escaped DEL"),
        pytest.param(b"/api/a%c2%85", id="a control character in two bytes"),
        pytest.param(b"/api/a\x7f", id="DEL"),
        pytest.param("/api/é".encode(), id="raw UTF-8"),
        pytest.param("/api/é".encode("latin-1"), id="raw latin-1"),
        pytest.param(b"/api/%e9", id="an escape that is not UTF-8"),
        pytest.param(b"/api/%c0%ae%c0%ae/oidc", id="dots in overlong UTF-8"),
        pytest.param(b"/api%c0%afoidc", id="a slash in overlong UTF-8"),
        pytest.param(b"/api%e0%80%afoidc", id="a slash in longer UTF-8"),
        pytest.param(b"/api/%ed%a0%80", id="a surrogate"),
        pytest.param(b"/api/%", id="an escape cut short"),
        pytest.param(b"/api/%2", id="an escape cut short after a digit"),
        pytest.param(b"/api/%zz", id="an escape that is not hexadecimal"),
        pytest.param(b"/api/%u002e%u002e", id="an escape of IIS"),
        pytest.param(b"/api/%%32%65", id="an escape within an escape"),
        pytest.param(b"/api/%+2e", id="a number with a sign"),
        pytest.param(b"/api/%252e%252e/oidc", id="dots escaped twice"),
        pytest.param(b"/api/%25%32%65%25%32%65/oidc", id="dots escaped twice, with each digit escaped"),
        pytest.param(b"/api/%25252e%25252e/oidc", id="dots escaped three times"),
        pytest.param(b"/api%252foidc", id="a slash escaped twice"),
        pytest.param(b"/api%255Coidc", id="a backslash escaped twice"),
        pytest.param(b"/api/a%2500", id="NUL escaped twice"),
        pytest.param(b"/api/a%250a", id="a line break escaped twice"),
        pytest.param(b"/api/..%253b/oidc", id="a semicolon escaped twice"),
        pytest.param(b"/api/a%2525", id="a per cent escaped twice"),
        pytest.param(b"/api/a%253fb", id="a question mark escaped twice"),
        pytest.param(b"/api/a%2523b", id="a hash escaped twice"),
        pytest.param(b"/api/2.0/%2574oken/create", id="a letter escaped twice"),
        pytest.param(b"/api/%25u002e%25u002e", id="an escape of IIS, escaped"),
        pytest.param(b"/api/%25c0%25ae/oidc", id="overlong UTF-8 escaped twice"),
        pytest.param(b"/api/<x>", id="angle brackets"),
        pytest.param(b"/api/{x}", id="braces"),
        pytest.param(b'/api/"x"', id="quotation marks"),
        pytest.param(b"/" + b"a" * MAX_PATH_BYTES, id="too long"),
    ],
)
def test_a_path_that_servers_read_differently_is_refused(raw: bytes) -> None:
    with pytest.raises(PathMalformed) as refused:
        checked_target(raw, b"")
    assert refused.value.code == "path_malformed"
    assert refused.value.reason


@pytest.mark.parametrize(
    "query",
    [
        pytest.param(b"", id="none"),
        pytest.param(b"a=b&c=%2e%2e%2f%00", id="escapes of any kind"),
        pytest.param(b"path=/../x;y?z\\//", id="what a path may not hold"),
        pytest.param(b"a[]={\"x\":'y'}|^`<>", id="printable ASCII"),
        pytest.param(b"100%", id="no escape"),
        pytest.param(b"a" * MAX_QUERY_BYTES, id="the longest"),
    ],
)
def test_a_query_goes_on_as_it_came(query: bytes) -> None:
    assert checked_target(b"/a", query).query.encode("ascii") == query


@pytest.mark.parametrize(
    "query",
    [
        pytest.param(b"a=b HTTP/1.1", id="a space, which ends the target of a request line"),
        pytest.param(b"a=b\r\nX: y", id="a line break"),
        pytest.param(b"a\x00", id="NUL"),
        pytest.param(b"a\t", id="a tab"),
        pytest.param(b"a\x7f", id="DEL"),
        pytest.param(b"a#b", id="a fragment"),
        pytest.param("é".encode(), id="raw UTF-8"),
        pytest.param(b"a" * (MAX_QUERY_BYTES + 1), id="too long"),
    ],
)
def test_a_query_that_would_end_early_is_refused(query: bytes) -> None:
    with pytest.raises(PathMalformed) as refused:
        checked_target(b"/a", query)
    assert refused.value.code == "path_malformed"


def test_the_longest_path_passes() -> None:
    longest = b"/" + b"a" * (MAX_PATH_BYTES - 1)
    assert len(checked_target(longest, b"").path) == MAX_PATH_BYTES


@pytest.mark.parametrize(
    ("raw", "root", "path"),
    [
        pytest.param(b"/gw/api/x", "/gw", "/api/x", id="cut off"),
        pytest.param(b"/gw/api/x", "/gw/", "/api/x", id="a slash at the end of the mount point is not its"),
        pytest.param(b"/gw", "/gw", "/", id="the mount point itself"),
        pytest.param(b"/gw/", "/gw", "/", id="the mount point and a slash"),
        pytest.param(b"/gw/gw/x", "/gw", "/gw/x", id="cut off once"),
        pytest.param(b"/gwx/api", "/gw", "/gwx/api", id="not in the middle of a segment"),
        pytest.param(b"/api/x", "/gw", "/api/x", id="a server that does not put it in front"),
        pytest.param(b"/g%77/api/x", "/gw", "/gw/api/x", id="another spelling of it is not cut off"),
        pytest.param(b"/GW/api/x", "/gw", "/GW/api/x", id="another case of it is not cut off"),
        pytest.param(b"/api/x", "", "/api/x", id="no mount point"),
        pytest.param(b"/api/x", "/", "/api/x", id="the root as mount point"),
        pytest.param(b"/g%C3%A9/x", "/gé", "/g%C3%A9/x", id="a mount point that must be escaped is not cut off"),
    ],
)
def test_the_mount_point_is_cut_off_where_the_path_begins_with_exactly_it(raw: bytes, root: str, path: str) -> None:
    assert checked_target(raw, b"", root).path == path


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"/gw//evil.example/x", id="an authority behind it"),
        pytest.param(b"/gw/../x", id="dots behind it"),
        pytest.param(b"/gw;/x", id="a parameter on it"),
        pytest.param(b"/gw\\x", id="a backslash behind it"),
    ],
)
def test_what_is_below_a_mount_point_is_judged_like_any_path(raw: bytes) -> None:
    with pytest.raises(PathMalformed) as refused:
        checked_target(raw, b"", "/gw")
    assert refused.value.code == "path_malformed"


def test_a_target_reads_as_in_a_request_line() -> None:
    assert str(checked_target(b"/a%7eb", b"x=%20")) == "/a~b?x=%20"
    assert str(checked_target(b"/a", b"")) == "/a"


@pytest.mark.parametrize("raw", [b"/api/%2e%2e/secret-name", b"/secret-name;x", b"/secret-name\x00", b"secret-name"])
def test_a_refusal_does_not_repeat_the_path(raw: bytes) -> None:
    with pytest.raises(PathMalformed) as refused:
        checked_target(raw, b"")
    assert "secret" not in f"{refused.value} {refused.value!r} {refused.value.expected} {refused.value.public_description}"
