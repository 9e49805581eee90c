"""What becomes of a header field, by its name: which ones end here, and why. In a list of what to remove, each line has its reason.

A name is judged once, and its fate is remembered.
"""

from __future__ import annotations

import re
from enum import IntEnum

from tokenward.databricks.gateway.refusals import MARK


class Fate(IntEnum):
    """What the gateway does with a field of a request."""

    KEPT = 0
    REMOVED = 1
    FRAMING = 2
    """It says where the request ends, or what is made of its connection; it is judged by itself."""


HOP_BY_HOP = frozenset(
    b"connection keep-alive proxy-connection te trailer transfer-encoding upgrade http2-settings".split()
)
"""RFC 9110 section 7.6.1 and RFC 7540 section 3.2.1: of one connection, and not of the next. Proxy-* is removed with them."""

FRAMING = frozenset(b"content-length transfer-encoding host expect upgrade connection".split())
"""Two servers that read one of these differently see two different requests (RFC 9112 section 11.2)."""

IDENTITY_FIELDS = frozenset(
    (
        # Replaced by the gateway's own.
        b"authorization host "
        # Another credential beside it, which the upstream could prefer. Databricks' pages take a cookie for a login.
        b"cookie cookie2 authentication x-authorization x-auth-token x-access-token x-api-key api-key x-goog-api-key "
        # Who the caller is, as other proxies say it (learn.microsoft.com, databricks-apps/http-headers; oauth2-proxy; RFC 9440).
        b"x-real-ip x-user x-user-id x-username x-email x-remote-user x-remote-email x-remote-groups remote-user remote-email "
        b"remote-groups remote-name x-webauth-user x-client-cert client-cert client-cert-chain x-ssl-cert ssl-client-cert "
        # Where the caller is.
        b"forwarded forwarded-for via true-client-ip cf-connecting-ip cf-connecting-ipv6 fastly-client-ip x-client-ip client-ip "
        b"x-cluster-client-ip x-proxyuser-ip x-originating-ip x-remote-ip x-remote-addr x-host x-http-host-override "
        # Another method or path than the one that was judged (Symfony and Zend read the second kind, IIS the third).
        b"x-http-method x-http-method-override x-method-override x-method x-override-url x-rewrite-url x-rewrite-uri x-url "
        # The answer to it was given by the server in front of the gateway; the next hop would wait for another (RFC 9110 10.1.1).
        b"expect"
    ).split()
)
"""Fields that say who calls, from where, or what is really meant. What the gateway verified is in its Authorization, and nowhere else."""

IDENTITY_PREFIXES = (
    # Databricks' own. With X-Databricks-Azure-SP-Management-Token and -Azure-Workspace-Resource-Id a Contributor of the Azure resource
    # enters as an admin of the workspace; -GCP-SA-Access-Token is its like; -Workspace-Id and -Org-Id choose the workspace
    # (databricks-sdk-py: azure.py, credentials_provider.py, mixins/workspace.py). What a new one will mean is not known.
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
        # what to forget (RFC 7838, RFC 6797, W3C Clear Site Data and Reporting).
        b"alt-svc strict-transport-security public-key-pins public-key-pins-report-only expect-ct clear-site-data nel report-to "
        b"reporting-endpoints " + MARK.lower().encode()
    ).split()
)
"""Fields of an answer that end here, beside those of the connection."""

NOT_RETURNED_PREFIXES = (b"tokenward-", b"x-tokenward-", b"proxy-")

MAX_REMEMBERED = 1024
"""Names; a request has a hundred at most, and those that are sent in earnest are a few dozen."""
MAX_REMEMBERED_BYTES = 64

_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]+")  # RFC 9110 section 5.6.2, in lower case
_PLAIN = re.compile(rb"[a-z0-9][a-z0-9-]*")

_fates: dict[bytes, Fate] = {}


def fate_of(name: bytes) -> Fate:
    """What becomes of a request's field of this name, in whatever case; ValueError if it is no name.

    A name of anything but letters, digits and hyphens is removed, as nginx does (ignore_invalid_headers, underscores_in_headers): a
    server that makes variables of names takes `x_databricks_...` for `X-Databricks-...`.
    """
    fate = _fates.get(name)
    if fate is None:
        fate = _judged(name.lower())
        if len(_fates) < MAX_REMEMBERED and len(name) <= MAX_REMEMBERED_BYTES:
            _fates[name] = fate
    return fate


def is_returned(name: bytes) -> bool:
    """Whether an answer's field of this name, in lower case, goes on to the caller."""
    if not _TOKEN.fullmatch(name) or name in HOP_BY_HOP or name in NOT_RETURNED:
        return False
    return not name.startswith(NOT_RETURNED_PREFIXES) or name == b"proxy-status"


def _judged(name: bytes) -> Fate:
    if not _TOKEN.fullmatch(name):
        raise ValueError("not a field name")
    if name in FRAMING:
        return Fate.FRAMING
    if name in HOP_BY_HOP or name in IDENTITY_FIELDS or name.startswith(IDENTITY_PREFIXES) or not _PLAIN.fullmatch(name):
        return Fate.REMOVED
    return Fate.KEPT
