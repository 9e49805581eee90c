"""What Entra's token endpoint says when it refuses: its error object, read with suspicion, and what its numbers mean.

Programs decide by `error`, `suberror` and `claims` only: Microsoft changes codes and texts at any time. The numbers (AADSTS...)
explain, and are for the log. Source: learn.microsoft.com/entra/identity-platform/reference-error-codes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from tokenward.token.strict import parse_object

MAX_CODES = 8
"""Entra names one or two; more than a handful is none of its answers."""
MAX_CLAIMS_CHARS = 2048
"""Of the JSON that a claims challenge passes down; recorded ones have 80 to 200, and a header line must hold its base64."""

_WORD = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_GUID = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ")
_NUMBER = re.compile(r"AADSTS(\d{1,9})\b")


@dataclass(frozen=True, slots=True)
class Problem:
    """An error of Entra's token endpoint, without its text: that quotes names of people and applications.

    error, suberror  what to decide by; "unreadable" in place of anything that is not a plain word
    codes            AADSTS numbers, in Entra's order; it may name several
    claims           what the user must satisfy, as the JSON text that Entra sent; never logged
    trace_id,        what Microsoft's support asks for
      correlation_id, timestamp
    """

    error: str
    suberror: str | None = None
    codes: tuple[int, ...] = ()
    claims: str | None = None
    trace_id: str | None = None
    correlation_id: str | None = None
    timestamp: str | None = None

    @property
    def code(self) -> int | None:
        """The number that says most: the last, since Entra puts the general one (70002) first."""
        return self.codes[-1] if self.codes else None

    def shown(self) -> tuple[str, ...]:
        """What a log may show of it, and support will ask for."""
        names = ("trace_id", "correlation_id", "timestamp")
        said = [self.error, *([self.suberror] if self.suberror else []), *(f"AADSTS{code}" for code in self.codes)]
        return (*said, *(f"{name}={value}" for name in names if (value := getattr(self, name)) is not None))


def read_problem(document: Mapping[str, object], request_id: str | None = None) -> Problem | None:
    """The error in an answer's JSON object, or None if there is none.

    request_id  the header x-ms-request-id, which is the trace id where the object names none
    """
    error = document.get("error")
    if error is None:
        return None
    return Problem(
        _word(error) or "unreadable",
        None if document.get("suberror") in (None, "") else _word(document["suberror"]) or "unreadable",
        _codes(document.get("error_codes"), document.get("error_description")),
        _claims(document.get("claims")),
        _matching(_GUID, document.get("trace_id")) or _matching(_GUID, request_id),
        _matching(_GUID, document.get("correlation_id")),
        _matching(_TIME, document.get("timestamp")),
    )


def explain(code: int) -> str | None:
    """What an AADSTS number means when a user's token is exchanged, and what to do; None for those not known here."""
    return _EXPLAINED.get(code)


def look_up(code: int) -> str:
    """Microsoft's own page about a number."""
    return f"https://login.microsoftonline.com/error?code={code}"


def _word(value: object) -> str | None:
    return _matching(_WORD, value)


def _matching(pattern: re.Pattern[str], value: object) -> str | None:
    return value if isinstance(value, str) and pattern.fullmatch(value) else None


def _codes(listed: object, description: object) -> tuple[int, ...]:
    """The list if there is one, else the numbers in the text, of which v1 answers have one or two."""
    if isinstance(listed, list) and listed:
        numbers = [code for code in listed if type(code) is int and 0 < code < 10**9]
    else:
        numbers = [int(found) for found in _NUMBER.findall(description[:4096])] if isinstance(description, str) else []
    return tuple(dict.fromkeys(numbers))[:MAX_CODES]


def _claims(value: object) -> str | None:
    """A JSON object in a string, to be passed down as it is; anything else would be passed to a client that cannot use it."""
    if not isinstance(value, str) or len(value) > MAX_CLAIMS_CHARS:
        return None
    try:
        return value if parse_object(value.encode()) else None
    except ValueError:  # also for lone surrogates, which have no UTF-8
        return None


_SIGN_IN = "The user must sign in again at the calling application"
_RENEW = "Give this service a valid client secret"
_FEDERATED = "Compare the application's federated credential with the token, to the letter"

_EXPLAINED: dict[int, str] = {
    50000: (
        "Entra could not issue a token (TokenIssuanceError). In this flow look for a client_id that is not this service's own, a "
        "symmetric signing key on the application, or a resource without a consented delegated permission."
    ),
    50013: (
        "The caller's token failed Entra's checks (InvalidAssertion): usually a Microsoft Graph token, one of another tenant, or "
        "one signed with an application's own key. The client must ask for a token for this service."
    ),
    500131: "The caller's token is for another application. The client must ask for this service's own scope (api://...).",
    500133: "The caller's token has expired or is not valid yet; Entra allows no skew. The client must renew it.",
    240002: "The client sent an ID token. It must send the access token that it got for this service.",
    7000113: "Applications cannot be acted for, only users. Let the application get its own Databricks token.",
    7000114: "Applications cannot be acted for, only users. Let the application get its own Databricks token.",
    65001: (
        "Nobody consented that this service calls Azure Databricks for the user. An admin consents to AzureDatabricks "
        "user_impersonation for it; knownClientApplications lets the client's own consent cover it."
    ),
    50105: "The user is not assigned to the enterprise application, which requires assignment. Assign the user or a group.",
    50076: f"Multi-factor authentication is needed. {_SIGN_IN}.",
    50079: f"The user must enrol in multi-factor authentication. {_SIGN_IN}.",
    50158: f"A further condition is not met (terms of use, another provider's MFA). {_SIGN_IN}.",
    50173: f"The user's sessions were revoked, often by a new password. {_SIGN_IN}.",
    53003: "Conditional access forbids it. Look up the sign-in in Entra's log for the policy, by the correlation id.",
    90002: "There is no such tenant in this cloud. Check the tenant id and the cloud.",
    500011: (
        "AzureDatabricks is not known in the tenant, or the scope is misspelt. An admin can create its service principal: "
        "az ad sp create --id 2ff814a6-3304-4ab8-85cb-cd0e6f879c1d."
    ),
    700016: "This service's client_id is not an application of the tenant. Check client_id and tenant.",
    7000215: f"{_RENEW}: the value of the secret, not its ID.",
    7000222: f"{_RENEW}, or better a certificate: the secret has expired.",
    700021: "The client assertion is not for this client_id: its iss and sub must both be it.",
    700024: "The client assertion is out of its time. Check this machine's clock, or renew the federated token.",
    700027: "Entra could not verify the client assertion. Upload this certificate to the application, or use the one there.",
    700211: f"No federated credential has this issuer. {_FEDERATED} (a trailing slash counts).",
    700212: f"No federated credential has this audience. {_FEDERATED} (usually api://AzureADTokenExchange).",
    700213: f"No federated credential has this subject. {_FEDERATED} (case counts).",
}
"""The numbers that this flow is known to meet, and no more."""
