"""Parts of addresses that clients, resolvers and parsers have read in different ways."""

from __future__ import annotations

from random import Random

SCHEMES = (
    *("https://", "https://", "https://", "http://", "HTTPS://", "https:/", "https:\\\\", "file://", "//", ""),
    *("https://user@", "ftp://"),
)
HOSTS = (
    *(
        "idp.example",
        "IDP.example",
        "keys.idp.example.",
        "localhost",
        "a.localhost",
        "localhost.",
        "127.0.0.1",
        "127.1",
        "0x7f.1",
    ),
    *(
        "2130706433",
        "0177.0.0.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::]",
        "0.0.0.0",
        "169.254.169.254",
        "[fe80::1%25eth0]",
        "10.0.0.1",
    ),
    *(
        "168.63.129.16",
        "[2002:7f00:1::]",
        "[64:ff9b::7f00:1]",
        "[fd00:ec2::254]",
        "224.0.0.1",
        "255.255.255.255",
        "a b",
        "a\u3002b",
    ),
    *(
        "\uff11\uff12\uff17.0.0.1",
        "xn--a",
        "idp.example@localhost",
        "idp.example\\@localhost",
        "a\x00b",
        "%6cocalhost",
        "\u2488",
        "",
        "a_b",
        "-",
    ),
)
PORTS = ("", "", "", ":443", ":0", ":65536", ":8080", ":", ":x", ":\u0661")
PATHS = ("/keys", "", "/../keys?x=1", "#x", "/k#", "?", "/\\", "/a b", "/\u00e9", "/%00", ";x", "@localhost/", "/" + "k" * 2100)


def address(rng: Random) -> str:
    """One of each part, put together."""
    return "".join(rng.choice(part) for part in (SCHEMES, HOSTS, PORTS, PATHS))
