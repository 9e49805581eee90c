"""Keys, certificates and secrets of a client: of the wrong kind, expired, or about to. Key material is never read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tokenward.finding import Finding
from tokenward.troubleshoot.registration.facts import One, Question, Registration, Unread
from tokenward.troubleshoot.registration.members import Object, objects, seconds, text
from tokenward.troubleshoot.registration.words import AADSTS50000, GRAPH, MAX_NAMED, few, id_of, judged, steps, unread

SOON = 30 * 86400.0
"""Seconds before the end of a credential from when it should be renewed: people take holidays."""

_KEYS, _SECRETS = "keyCredentials", "passwordCredentials"


def credentials(registration: Registration, question: Question, now: float) -> list[Finding]:
    """Symmetric signing keys on both objects, and how long the client's own credentials last. `now` in epoch seconds."""
    both = (registration.application, registration.principal)
    return [
        *_signing_keys(registration.application, "application", "app", question),
        *_signing_keys(registration.principal, "service principal", "sp", question),
        *_lasting("client secrets", _SECRETS, both, question, now),
        *_lasting("certificates", _KEYS, both, question, now),
    ]


_PLACES = {
    "app": "In the portal: App registrations > the application > Manifest > keyCredentials, type Symmetric and usage Sign.",
    "sp": "It is on the service principal, which the application's manifest does not show.",
}


def _signing_keys(holder: One, whose: str, command: str, question: Question) -> list[Finding]:
    """Root cause 4 of AADSTS50000: with such a key, tokens for the application would have to be signed symmetrically."""
    name, expected = f"signing keys of the {whose}", "no symmetric one"
    if holder is None:
        return []
    if isinstance(holder, Unread):
        return [unread(name, expected, holder, AADSTS50000)]
    wrong = [key for key in objects(holder, _KEYS) if _is(key, "type", "symmetric") and _is(key, "usage", "sign")]
    if not wrong:
        return [judged(name, expected, "none", True, "", AADSTS50000)]
    ids = [id_of(key, "keyId", "keyId") for key in wrong]
    fix = steps(
        f"Remove it; if a signing key is needed, use a certificate. {_PLACES[command]}",
        *(f"az ad {command} credential delete --id {question.client_id} --key-id {key_id} --cert" for key_id in ids[:MAX_NAMED]),
    )
    return [judged(name, expected, f"symmetric, for signing: {few(ids)}", False, fix, AADSTS50000)]


def _lasting(name: str, member: str, holders: Sequence[One], question: Question, now: float) -> list[Finding]:
    """One that is valid must last a while; expired ones beside it are told, in case the client still uses one."""
    source, expected = f"{GRAPH}/{member.removesuffix('s').lower()}", f"none ends within {SOON / 86400:.0f} days"
    lost = next((holder for holder in holders if isinstance(holder, Unread)), None)
    if lost is not None:
        return [unread(name, expected, lost, source)]
    listed = [
        item for holder in holders if isinstance(holder, Mapping) for item in objects(holder, member) if _authenticates(item)
    ]
    ends = [(seconds(item, "endDateTime"), item) for item in listed]
    if any(end is None for end, _ in ends):
        return [Finding(name, expected, "one with no end that can be read", None, "Look it up in the portal.", source)]
    dated = [(end, item) for end, item in ends if end is not None]
    expired = [_told(item) for end, item in dated if end <= now]
    ending = [_told(item) for end, item in dated if now < end <= now + SOON]
    valid = len(listed) - len(expired)
    held = not ending and (valid > 0 or not expired)
    seen = _seen(valid, expired, ending)
    return [judged(name, expected, seen, held, _renew(member, question), source)]


def _authenticates(item: Object) -> bool:
    """Whether the client proves itself by it: any secret, and certificates by which Entra verifies (not those of SAML)."""
    return "usage" not in item or (_is(item, "usage", "verify") and not _is(item, "type", "symmetric"))


def _seen(valid: int, expired: list[str], ending: list[str]) -> str:
    parts = [f"{valid} valid" if valid or expired else "none"]
    parts += [f"ending soon: {few(ending)}"] if ending else []
    parts += [f"expired: {few(expired)}"] if expired else []
    return "; ".join(parts)


def _told(item: Object) -> str:
    """By its id, of which no secret can be learnt, and its day."""
    return f"{id_of(item, 'keyId', 'keyId')} ({(text(item, 'endDateTime') or '')[:10]})"


def _renew(member: str, question: Question) -> str:
    client = question.client_id
    if member == _KEYS:
        how = f"az ad app credential reset --id {client} --append --cert @new.pem"
    else:
        how = f"az ad app credential reset --id {client} --append"
    return steps("Add a new one beside the old (a secret is printed once), give it to the client, and delete the old one:", how)


def _is(item: Object, name: str, value: str) -> bool:
    return (text(item, name) or "").lower() == value
