"""What to do next when a look brought no usable keys, by the verifier's own word for why."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, TypeAlias

from tokenward.keys.port import FetchFailed

Verdict: TypeAlias = Literal["usable", "refused", "unreachable"]

_NOT_ASKED = ("timeout", "dns", "tls", "connect", "read", "not_started", "other")
"""Kinds of failure in which the issuer gave no answer that could be judged."""
_TRY_AGAIN = "Try again; where it stays so, ask whoever runs the issuer."

NEXT: Mapping[str, str] = MappingProxyType(
    {
        "timeout": "Check the route from this machine: proxy (HTTPS_PROXY), firewall, DNS. Then try again.",
        "dns": "Check the spelling of the issuer and this machine's name resolution; a proxy is taken from HTTPS_PROXY.",
        "tls": "Check the certificate and this machine's clock; a private authority is named by SSL_CERT_FILE.",
        "read": "The connection broke: check the network, the firewall and the proxy (HTTPS_PROXY). Then try again.",
        "connect": "Check the address, the firewall and the proxy (HTTPS_PROXY), and whether the issuer is up.",
        "status": "Check the address: is it the iss of the tokens, to the letter? Entra's has the tenant id in it.",
        "redirect": "Give the address that it redirects to, if it is the issuer's own.",
        "too_large": "Ask whoever runs the issuer to withdraw old keys; is it the right address?",
        "encoding": "Have the server send the document without Content-Encoding.",
        "not_json": "Check the address; where it is right, a proxy or a login page may answer in the issuer's place.",
        "metadata": "Compare the expected issuer with the one in the document; the policy must name the one that tokens carry.",
        "no_keys": "Ask whoever runs the issuer to publish a usable signing key.",
    }
)


def verdict_of(failure: FetchFailed | None, *, any_usable: bool) -> Verdict:
    """Whether a verifier has keys; "unreachable" if the issuer could not be asked."""
    if failure is None:
        return "usable" if any_usable else "refused"
    away = failure.status is not None and (failure.status >= 500 or failure.status == 429)
    return "unreachable" if away or failure.kind in _NOT_ASKED else "refused"


def next_step(failure: FetchFailed | None, verdict: Verdict) -> str:
    """One sentence or two; empty if there is nothing to do."""
    if failure is None:
        return "" if verdict == "usable" else NEXT["no_keys"]
    return _TRY_AGAIN if failure.kind == "status" and verdict == "unreachable" else NEXT.get(failure.kind, _TRY_AGAIN)
