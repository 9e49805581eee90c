"""What a server's certificate says, in words: until when it lasts, or what is wrong with its chain."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from tokenward.finding import Finding
from tokenward.troubleshoot.surroundings.probe import NotSeen, Seen

SOON = 14 * 86400.0
"""Seconds before the end of a certificate from when somebody should know; most are renewed 30 days before."""
ERRORS: Mapping[int, tuple[str, str]] = MappingProxyType(
    {
        9: ("the certificate is not valid yet", "Check this machine's clock first, then the server's certificate."),
        10: ("the certificate has expired", "Check this machine's clock first, then have the server's certificate renewed."),
        18: ("the certificate is signed by itself", "Have the server use a certificate of a known authority."),
        19: (
            "the chain ends in an authority that is not trusted here",
            "A proxy that inspects TLS? Trust its authority: SSL_CERT_FILE=its.pem",
        ),
        20: (
            "the chain is incomplete, or its authority is not trusted here",
            "Have the server send its intermediate certificates; trust an authority of your own by SSL_CERT_FILE=its.pem",
        ),
        21: ("the chain is incomplete: only the leaf was sent", "Have the server send its intermediate certificates."),
        62: ("the certificate is of another host name", "Check the host name; a proxy may answer in the server's place."),
        64: ("the certificate is of another IP address", "Ask for the server by its name."),
    }
)
"""OpenSSL's numbers (docs.openssl.org/master/man1/openssl-verification-options and x509_vfy.h), in words, and what to do."""

_SOURCE = "RFC 9110 section 4.3.4"


def reachable(found: Seen | NotSeen, host: str) -> Finding:
    """Whether there is an answer at all. Where there is none nothing is said of the server: it could not be asked."""
    expected = f"{host} answers"
    if isinstance(found, Seen):
        return Finding("reachable", expected, True, True, "", _SOURCE)
    if found.kind == "certificate" or found.kind.startswith("TLS"):
        return Finding("reachable", expected, "it answers, but see tls", True, "", _SOURCE)
    fix = "Check the name, the network, the firewall and the proxy (HTTPS_PROXY), and try again."
    return Finding("reachable", expected, found.kind, None, fix, _SOURCE)


def tls(found: Seen | NotSeen, now: float) -> list[Finding]:
    """The certificate, by the authorities that the verifier trusts. Nothing for plain http, or where nobody answered."""
    expected = f"a trusted certificate that lasts {SOON / 86400:.0f} days or more"
    if isinstance(found, NotSeen):
        return _failed(found, expected)
    if found.certificate_ends is None:
        return []
    days = (found.certificate_ends - now) / 86400
    held = found.certificate_ends > now + SOON
    return [
        Finding(
            "tls", expected, f"ends in {days:.0f} days", held, "" if held else "Have the server's certificate renewed.", _SOURCE
        )
    ]


def _failed(found: NotSeen, expected: str) -> list[Finding]:
    if found.tls is not None:
        unknown = (f"not accepted (OpenSSL's error {found.tls})", "Look at it: openssl s_client -connect <host>:443")
        seen, fix = ERRORS.get(found.tls, unknown)
        return [Finding("tls", expected, seen, False, fix, _SOURCE)]
    if found.kind.startswith("TLS"):
        fix = "Look at it: openssl s_client -connect <host>:443; a server of plain http, or an old protocol?"
        return [Finding("tls", expected, found.kind, False, fix, _SOURCE)]
    return []
