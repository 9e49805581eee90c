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
        pytest.param("https://192.168.1.7:8443/keys", id="another private network"),
        pytest.param("https://[fd12:3456::7]/keys", id="a private network of IPv6"),
        pytest.param("https://[2001:db8::1]/keys", id="IPv6"),
        pytest.param("https://idp.example./keys", id="a name with its root"),
        pytest.param("https://keys_1.idp.example/", id="a name with an underscore"),
        pytest.param("https://1.idp.example/", id="a name that begins with a number"),
        pytest.param("https://cafe/keys", id="a name of hexadecimal letters"),
        pytest.param("https://localhost.idp.example/", id="a name that begins like localhost"),
        pytest.param("https://notlocalhost/", id="a name that ends like localhost"),
        pytest.param("http://localhost:8000/keys", id="http to localhost"),
        pytest.param("http://LOCALHOST/keys", id="http to localhost in capitals"),
        pytest.param("http://127.9.9.9/keys", id="http to 127.0.0.0/8"),
        pytest.param("http://[::1]:8000/keys", id="http to ::1"),
        pytest.param("https://i" + "x" * (MAX_URL_CHARS - 9), id="of the greatest length"),
    ],
)
def test_https_is_safe_and_http_on_this_machine(url: str) -> None:
    require_safe_url(url)


ODD_HOSTS = [
    pytest.param("127.1", id="an address of two numbers"),
    pytest.param("10.1", id="the same of a private network"),
    pytest.param("2130706433", id="a decimal number"),
    pytest.param("0x7f000001", id="a hexadecimal number"),
    pytest.param("0X7F000001", id="a hexadecimal number in capitals"),
    pytest.param("0x", id="an empty hexadecimal number"),
    pytest.param("0177.0.0.1", id="an octal number"),
    pytest.param("127.0.0.01", id="a leading zero"),
    pytest.param("0x7f.0.0.1", id="a hexadecimal part"),
    pytest.param("127.0.0.1.", id="an address with a root"),
    pytest.param("127.0.0.1.1", id="five numbers"),
    pytest.param("256.0.0.1", id="a number out of range"),
    pytest.param("idp.example.1", id="a name that ends in a number"),
    pytest.param("0", id="0"),
    pytest.param("%31%32%37.0.0.1", id="percent-encoded"),
    pytest.param("local%68ost", id="a percent-encoded letter"),
    pytest.param("[fe80::1%25eth0]", id="an address with a zone"),
    pytest.param("[::1%1]", id="this machine with a zone"),
    pytest.param("[v1.localhost]", id="an address of the future"),
    pytest.param("idp;example", id="a sign that no name has"),
]


@pytest.mark.parametrize("loopback", [True, False], ids=["in the configuration", "from a distant document"])
@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("host", ODD_HOSTS)
def test_a_host_that_resolvers_read_differently_is_refused(host: str, scheme: str, loopback: bool) -> None:
    with pytest.raises(ValueError, match=r"^not a URL"):
        require_safe_url(f"{scheme}://{host}/keys", loopback=loopback)


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
        pytest.param("https://idp.example\\@evil.example/", "not a URL", id="a backslash and a user"),
        pytest.param("https://idp.example/keys#fragment", "not a plain URL", id="a fragment"),
        pytest.param("https:///keys", "not a plain URL", id="an empty host"),
        pytest.param("https://idp.example:port/", "not a URL", id="a port that is none"),
        pytest.param("https://idp.example:99999/", "not a URL", id="a port out of range"),
        pytest.param("https://idp.example:0/", "not a URL", id="port 0"),
        pytest.param("https://idp.example\\keys", "not a URL", id="a backslash for a slash"),
        pytest.param("https:\\\\idp.example/", "not a URL", id="backslashes for slashes"),
        pytest.param("http://0.0.0.0/", "not https", id="http to every address of this machine"),
        pytest.param("http://[::]/", "not https", id="http to the same in IPv6"),
        pytest.param("http://[::ffff:127.0.0.1]/", "not https", id="http to this machine in another form"),
        pytest.param("http://localhost./", "not https", id="http to localhost with its root"),
        pytest.param("http://app.localhost/", "not https", id="http to a name below localhost"),
        pytest.param("http://169.254.169.254/", "not https", id="http to a link-local address"),
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


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(
    "host",
    [
        pytest.param("localhost", id="localhost"),
        pytest.param("LocalHost", id="localhost in capitals"),
        pytest.param("localhost.", id="localhost with its root"),
        pytest.param("app.localhost", id="a name below localhost"),
        pytest.param("a.b.localhost.", id="a name far below localhost, with its root"),
        pytest.param("127.0.0.1", id="127.0.0.1"),
        pytest.param("127.9.9.9", id="127.0.0.0/8"),
        pytest.param("[::1]", id="::1"),
        pytest.param("[0:0:0:0:0:0:0:1]", id="::1 in full"),
        pytest.param("[::ffff:127.0.0.1]", id="IPv4 in IPv6"),
        pytest.param("[::ffff:7f00:1]", id="IPv4 in IPv6, in hexadecimal"),
        pytest.param("[::127.0.0.1]", id="IPv4 in IPv6 as it once was"),
        pytest.param("[64:ff9b::7f00:1]", id="IPv4 through NAT64"),
        pytest.param("[2002:7f00:1::]", id="IPv4 through 6to4"),
        pytest.param("0.0.0.0", id="every address of this machine"),
        pytest.param("0.1.2.3", id="this network"),
        pytest.param("[::]", id="the same in IPv6"),
        pytest.param("169.254.169.254", id="cloud metadata"),
        pytest.param("[fe80::1]", id="link-local IPv6"),
        pytest.param("168.63.129.16", id="Azure's own"),
        pytest.param("[fd00:ec2::254]", id="cloud metadata of IPv6"),
        pytest.param("224.0.0.1", id="multicast"),
        pytest.param("[ff02::1]", id="multicast of IPv6"),
        pytest.param("240.0.0.1", id="reserved"),
        pytest.param("255.255.255.255", id="broadcast"),
    ],
)
def test_a_distant_document_may_not_name_what_is_each_machines_own(host: str, scheme: str) -> None:
    with pytest.raises(ValueError, match=r"^an address of this machine or its own link, given by another"):
        require_safe_url(f"{scheme}://{host}/keys", loopback=False)


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("https://idp.example/keys", id="a name"),
        pytest.param("https://10.0.0.7/keys", id="a private network"),
        pytest.param("https://192.168.1.7/keys", id="another private network"),
        pytest.param("https://172.16.0.1/keys", id="a third private network"),
        pytest.param("https://100.64.0.1/keys", id="a provider's network"),
        pytest.param("https://[fd12:3456::7]/keys", id="a private network of IPv6"),
        pytest.param("https://[2001:db8::1]/keys", id="IPv6"),
        pytest.param("https://notlocalhost/", id="a name that ends like localhost"),
    ],
)
def test_a_distant_document_may_name_any_other_machine(url: str) -> None:
    require_safe_url(url, loopback=False)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.255.255.254", True),
        ("::1", True),
        ("::ffff:127.0.0.1", False),
        ("::1%1", False),
        ("127.1", False),
        ("localhost.", False),
        ("app.localhost", False),
        ("0.0.0.0", False),
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
