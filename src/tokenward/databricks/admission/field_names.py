"""What becomes of a header field, by its name: which ones end here, and why.

A name is judged once, and its fate is remembered.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import IntEnum

from tokenward.databricks.admission.refusals import MARK


class Fate(IntEnum):
    """What becomes of a field. Those above REMOVED are judged by themselves, and only LENGTH of them goes on."""

    KEPT = 0
    REMOVED = 1
    FRAMING = 2
    """It says where the message ends, for whom it is, or what its connection becomes."""
    CONNECTION = 3
    """It names others that end here."""
    LENGTH = 4
    INVALID = 5
    """Its name is none."""


HOP_BY_HOP = frozenset(b"keep-alive proxy-connection te trailer http2-settings".split())
"""RFC 9110 section 7.6.1 and RFC 7540 section 3.2.1: of one connection, and not of the next; beside Connection and FRAMING."""

FRAMING = frozenset(b"transfer-encoding host expect upgrade".split())
"""Two servers that read one of these differently see two different requests (RFC 9112 section 11.2)."""

IDENTITY_FIELDS = frozenset(
    (
        # Replaced by the gateway's own, as Host is.
        b"authorization "
        # Another credential beside it, which the upstream could prefer. Databricks' pages take a cookie for a login.
        b"cookie cookie2 authentication x-authorization x-auth-token x-access-token x-api-key api-key x-goog-api-key "
        # Who the caller is, as other proxies say it (learn.microsoft.com, databricks-apps/http-headers; oauth2-proxy; RFC 9440).
        b"x-real-ip x-user x-user-id x-username x-email x-remote-user x-remote-email x-remote-groups remote-user remote-email "
        b"remote-groups remote-name x-webauth-user x-client-cert client-cert client-cert-chain x-ssl-cert ssl-client-cert "
        # Where the caller is.
        b"forwarded forwarded-for via true-client-ip cf-connecting-ip cf-connecting-ipv6 fastly-client-ip x-client-ip client-ip "
        b"x-cluster-client-ip x-proxyuser-ip x-originating-ip x-remote-ip x-remote-addr x-host x-http-host-override "
        # Another method or path than the one that was judged (Symfony and Zend read the second kind, IIS the third).
        b"x-http-method x-http-method-override x-method-override x-method x-override-url x-rewrite-url x-rewrite-uri x-url"
    ).split()
)
"""Fields that say who calls, from where, or what is really meant. What was verified is in the gateway's Authorization alone."""

IDENTITY_PREFIXES = (
    # Databricks' own. With X-Databricks-Azure-SP-Management-Token and -Azure-Workspace-Resource-Id a Contributor of the Azure
    # resource enters as an admin of the workspace; -GCP-SA-Access-Token is its like; -Workspace-Id and -Org-Id choose the
    # workspace (databricks-sdk-py: azure.py, credentials_provider.py, mixins/workspace.py). What new ones mean is not known.
    b"x-databricks-",
    # Written by proxies (X-Forwarded-User, -Email, -Access-Token, -Host, -Client-Cert ...), and believed behind them.
    b"x-forwarded",
    b"x-forwarder-",
    b"x-original-",
    b"x-auth-request-",
    b"proxy-",
    # Written by the front doors of clouds.
    b"x-ms-token-",
    b"x-ms-client-principal",
    b"x-ms-azure-",
    b"x-azure-",
    b"x-arr-",
    b"x-amzn-oidc-",
    b"x-amzn-mtls-",
    b"x-goog-authenticated-user-",
    b"x-goog-iap-",
    b"x-appengine-",
    b"cf-access-",
    b"x-client-cert-",
    b"x-ssl-client-",
    b"ssl-client-",
    # Envoy's controls of itself, which stands in front of Databricks' APIs (x-databricks-apiproxy-response-code-details).
    b"x-envoy-",
    # Ours.
    b"x-tokenward-",
    b"tokenward-",
)

NOT_RETURNED = frozenset(
    (
        # A cookie of the upstream's host would be one of the gateway's host, for all who use it in one browser.
        b"set-cookie set-cookie2 "
        # They speak of the upstream's host, and a browser would take them for the gateway's: where else to connect to, how, and
        # what to forget (RFC 7838, RFC 6797, W3C Clear Site Data and Reporting); and where to log in (RFC 9110 section 11.7).
        b"alt-svc strict-transport-security public-key-pins public-key-pins-report-only expect-ct clear-site-data nel report-to "
        b"reporting-endpoints proxy-authenticate proxy-authentication-info " + MARK.lower().encode()
    ).split()
)
"""Fields of an answer that end here, beside those of the connection."""

NOT_RETURNED_PREFIXES = (b"tokenward-", b"x-tokenward-")

MAX_REMEMBERED = 1024
"""Names; a request has a hundred at most, and those that are sent in earnest are a few dozen."""
MAX_REMEMBERED_BYTES = 64

_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]+")  # RFC 9110 section 5.6.2, in lower case
_PLAIN = re.compile(rb"[a-z0-9-]+")


class Fates(dict[bytes, Fate]):
    """Name, in whatever case -> fate. It is judged when it is first seen; only so many are remembered, and only short ones."""

    def __init__(self, judge: Callable[[bytes], Fate]) -> None:
        super().__init__()
        self._judge = judge

    def __missing__(self, name: bytes) -> Fate:
        fate = self._judge(name.lower())
        if len(self) < MAX_REMEMBERED and len(name) <= MAX_REMEMBERED_BYTES:
            self[name] = fate
        return fate


def of_request(name: bytes) -> Fate:
    """What becomes of a request's field.

    A name of anything but letters, digits and hyphens is removed, as nginx does (ignore_invalid_headers, underscores_in_headers):
    a server that makes variables of names takes `x_databricks_...` for `X-Databricks-...`.
    """
    fate = _of_any(name)
    if fate is not Fate.KEPT:
        return fate
    removed = name in IDENTITY_FIELDS or name.startswith(IDENTITY_PREFIXES) or not _PLAIN.fullmatch(name)
    return Fate.REMOVED if removed else Fate.KEPT


def of_answer(name: bytes) -> Fate:
    """What becomes of an answer's field. What ends here does so with underscores, too: see `of_request`."""
    fate = _of_any(name)
    if fate is Fate.INVALID or (fate is Fate.FRAMING and name != b"transfer-encoding"):
        return Fate.REMOVED
    if fate is not Fate.KEPT:
        return fate
    plain = name.replace(b"_", b"-")
    return Fate.REMOVED if plain in NOT_RETURNED or plain.startswith(NOT_RETURNED_PREFIXES) else Fate.KEPT


def _of_any(name: bytes) -> Fate:
    """What becomes of a field in either direction, if that is not to go on."""
    if not _TOKEN.fullmatch(name):
        return Fate.INVALID
    if name == b"content-length":
        return Fate.LENGTH
    if name == b"connection":
        return Fate.CONNECTION
    if name in FRAMING:
        return Fate.FRAMING
    return Fate.REMOVED if name in HOP_BY_HOP else Fate.KEPT


OF_REQUEST = Fates(of_request)
OF_ANSWER = Fates(of_answer)
