"""A registration examined: every check of it in parts, and which of AADSTS50000's five root causes they speak of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

from tokenward.finding import Finding
from tokenward.troubleshoot.registration.addresses import addresses
from tokenward.troubleshoot.registration.credentials import credentials
from tokenward.troubleshoot.registration.existence import existence
from tokenward.troubleshoot.registration.facts import Question, Registration
from tokenward.troubleshoot.registration.members import text
from tokenward.troubleshoot.registration.permissions import permissions

Parts: TypeAlias = dict[str, list[Finding]]
"""Findings by what they are about, in the order in which a person would look."""

CODES: Mapping[str, str] = MappingProxyType(
    {
        "application": "AADSTS700016",
        "service principal": "AADSTS7000229",
        "enabled": "AADSTS7000112",
        "Microsoft's status": "AADSTS7000112",
        "assignment": "AADSTS50105",
        "signing keys of the application": "AADSTS50000",
        "signing keys of the service principal": "AADSTS50000",
        "redirect URI": "AADSTS50011",
        "client secrets": "AADSTS7000222",
        "certificates": "AADSTS700027",
        "resource": "AADSTS500011",
        "resource enabled": "AADSTS50001",
        "resource assignment": "AADSTS50105",
        "permissions exposed": "AADSTS50000",
        "scopes known": "AADSTS70011",
        "permissions requested": "AADSTS650057",
        "permissions consented": "AADSTS65001",
        "users may consent": "AADSTS90094",
        "application permissions consented": "AADSTS65001",
    }
)
"""What Entra says where the check fails; by learn.microsoft.com/entra/identity-platform/reference-error-codes."""
CAUSES: Mapping[str, int] = MappingProxyType(
    {
        "service principal": 3,
        "permissions consented": 3,
        "users may consent": 3,
        "signing keys of the application": 4,
        "signing keys of the service principal": 4,
        "permissions exposed": 5,
    }
)
"""The root cause of AADSTS50000 that a check is of."""


@dataclass(frozen=True, slots=True)
class RootCause:
    """One of the five: whether it is ruled out (True), at hand (False) or open (None), and what to do where nothing is judged."""

    number: int
    cause: str
    held: bool | None
    checks: tuple[str, ...]
    fix: str = ""


_TEXTS = {
    1: "the user's password is expired, invalid or out of sync, or the session was revoked",
    2: "a parameter of the request is missing or invalid, such as client_id on behalf of a user",
    3: "consent: the client is not in the tenant, or the user may not consent",
    4: "a symmetric signing key is on the application or the service principal",
    5: "the resource exposes no delegated permission",
}
_ELSEWHERE = {
    1: "No registration shows it. Sign in interactively, reset the password, and check the sync of a hybrid directory.",
    2: "No registration shows it. Compare the request's parameters; on behalf of a user, client_id is the middle tier's own.",
}
_DECISIVE = {3: "permissions consented", 4: "signing keys of the application", 5: "permissions exposed"}
"""The check without which a root cause is not ruled out."""
_NO_RESOURCE = "No delegated permission was looked at: name the resource and what a sign-in asks for, such as --scope .default."
_NOT_LOOKED_AT = {3: _NO_RESOURCE, 4: "The registration is in its home tenant: examine it there, too.", 5: _NO_RESOURCE}


def findings(registration: Registration, question: Question, now: float) -> Parts:
    """Every check. `now` is in seconds since the epoch; nothing is fetched, and nothing raised."""
    parts = {
        "Client": existence(registration, question),
        "Keys and secrets": credentials(registration, question, now),
        "Addresses and tokens": addresses(registration, question),
    }
    for name, resource in registration.resources.items():
        told = text(resource.principal, "displayName") if isinstance(resource.principal, Mapping) else None
        parts[f"Permissions for {told or name}"] = permissions(registration, question, name, resource)
    return {title: found for title, found in parts.items() if found}


def root_causes(parts: Parts) -> list[RootCause]:
    """The five root causes of AADSTS50000, by what was found."""
    return [_root_cause(number, parts) for number in _TEXTS]


def _root_cause(number: int, parts: Parts) -> RootCause:
    if number in _ELSEWHERE:
        return RootCause(number, _TEXTS[number], None, (), _ELSEWHERE[number])
    found = [finding for listed in parts.values() for finding in listed if CAUSES.get(finding.name) == number]
    names = tuple(dict.fromkeys(finding.name for finding in found))
    complete = _DECISIVE[number] in names
    held: bool | None = True
    if any(finding.held is False for finding in found):
        held = False
    elif not complete or any(finding.held is None for finding in found):
        held = None
    return RootCause(number, _TEXTS[number], held, names, "" if complete else _NOT_LOOKED_AT[number])
