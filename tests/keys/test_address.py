"""Which addresses keys may come from."""

from __future__ import annotations

import pytest

from tokenward.keys.address import MAX_URL_CHARS, is_loopback, is_loopback_url, require_safe_url


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("https://idp.example/keys", id="https"),
        pytest.param("HTTPS://idp.example/keys?p=policy", id="with a query, in capitals"),
        pytest.param("https://idp.example:8443/keys", id="with a port"),
        pytest.param("https://10.0.0.7/keys", id="an address of a private network"),
        pytest.param("https://[2001:db8::1]/keys", id="IPv6"),
        pytest.param("http://localhost:8000/keys", id="http to localhost"),
        pytest.param("http://LOCALHOST/keys", id="http to localhost in capitals"),
        pytest.param("http://127.9.9.9/keys", id="http to 127.0.0.0/8"),
        pytest.param("http://[::1]:8000/keys", id="http to ::1"),
        pytest.param("https://i" + "x" * (MAX_URL_CHARS - 9), id="of the greatest length"),
    ],
)
def test_https_is_safe_and_http_on_this_machine(url: str) -> None:
    require_safe_url(url)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        pytest.param("http://idp.example/keys", "not https", id="plain http"),
        pytest.param("http://localhost.evil.example/", "not https", id="a host that begins like localhost"),
        pytest.param("http://127.0.0.1.evil.example/", "not https", id="a host that begins like an address"),
        pytest.param("http://10.0.0.7/", "not https", id="http to a private network"),
        pytest.param("ftp://localhost/keys", "not https", id="another scheme on this machine"),
        pytest.param("file:///etc/passwd", "not a plain URL", id="a file"),
        pytest.param("//idp.example/keys", "not https", id="no scheme"),
        pytest.param("idp.example/keys", "not a plain URL", id="no host"),
        pytest.param("https://user@idp.example/", "not a plain URL", id="a user"),
        pytest.param("https://user:password@idp.example/", "not a plain URL", id="a user with a password"),
        pytest.param("https://@idp.example/", "not a plain URL", id="an empty user"),
        pytest.param("https://idp.example\\@evil.example/", "not a plain URL", id="a backslash and a user"),
        pytest.param("https://idp.example/keys#fragment", "not a plain URL", id="a fragment"),
        pytest.param("https:///keys", "not a plain URL", id="an empty host"),
        pytest.param("https://idp.example:port/", "not a URL", id="a port that is none"),
        pytest.param("https://idp.example:99999/", "not a URL", id="a port out of range"),
        pytest.param("https://[::1/", "not a URL", id="an open bracket"),
        pytest.param("https://idp.example/ke ys", "not a URL", id="a space"),
        pytest.param("https://idp.example/ke\nys", "not a URL", id="a line break"),
        pytest.param("https://idp.example/ke\x00ys", "not a URL", id="a NUL"),
        pytest.param("https://idp.exämple/", "not a URL", id="outside ASCII"),
        pytest.param("https://i" + "x" * (MAX_URL_CHARS - 8), "not a URL", id="too long"),
        pytest.param("", "not a plain URL", id="empty"),
    ],
)
def test_every_other_address_is_refused(url: str, why: str) -> None:
    with pytest.raises(ValueError, match=f"^{why}"):
        require_safe_url(url)


@pytest.mark.parametrize("url", ["https://localhost/", "http://localhost/", "https://127.0.0.1/", "http://[::1]/"])
def test_this_machine_is_refused_where_another_machine_names_it(url: str) -> None:
    with pytest.raises(ValueError, match=r"^an address of this machine, given by another"):
        require_safe_url(url, loopback=False)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.255.255.254", True),
        ("::1", True),
        ("idp.example", False),
        ("128.0.0.1", False),
        ("::2", False),
        ("", False),
        (None, False),
    ],
)
def test_this_machine_is_known_by_its_names(host: str | None, expected: bool) -> None:
    assert is_loopback(host) is expected


def test_a_url_is_of_this_machine_if_its_host_is() -> None:
    assert is_loopback_url("http://127.0.0.1:8000/x")
    assert not is_loopback_url("https://idp.example/127.0.0.1")
