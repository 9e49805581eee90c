"""Who consented to what a client asks for: an administrator, users for themselves, or nobody."""

from __future__ import annotations

from collections.abc import Mapping

from tokenward.finding import Finding
from tokenward.troubleshoot.registration.facts import Registration, Unread, granted, requested
from tokenward.troubleshoot.registration.members import Object, guid, member, objects, text, texts
from tokenward.troubleshoot.registration.words import ENTERPRISE, ENTRA, few, id_of, judged, steps, unread, waits, word

_CONSENT = f"{ENTRA}/permissions-consent-overview"
_PLACE = "App registrations > the client > API permissions > Grant admin consent"


def consented(registration: Registration, principal: Object, names: frozenset[str]) -> list[Finding]:
    """Root cause 3 of AADSTS50000, and AADSTS65001. Without `names`, any consent will do."""
    name, expected = "permissions consented", "by an administrator for everybody, or by each user"
    if isinstance(registration.principal, Unread):
        return [waits(name, expected, "service principal", _CONSENT)]
    if isinstance(registration.grants, Unread):
        return [unread(name, expected, registration.grants, _CONSENT)]
    resource_id = guid(principal, "id")
    by_admin = granted(registration.grants, resource_id, "AllPrincipals")
    by_users = granted(registration.grants, resource_id, "Principal")
    asked = names or by_admin or by_users
    if asked and asked <= by_admin:
        return [judged(name, expected, "by an administrator", True, "", _CONSENT)]
    held = bool(asked) and asked <= by_admin | by_users
    lacking = few(sorted(asked - by_admin - by_users)) or "any permission"
    seen = "by some users, for themselves" if held else f"nobody consented to {lacking}"
    fix = _consent_fix(registration, principal, names)
    return [judged(name, expected, seen, held, fix, _CONSENT), *_users_may(registration)]


def _consent_fix(registration: Registration, principal: Object, names: frozenset[str]) -> str:
    known = (found for found in (registration.principal, registration.application) if isinstance(found, Mapping))
    client = next((id_of(found, "appId", "client") for found in known), "<client>")
    scope, api = word(min(names, default=""), "scope"), id_of(principal, "appId", "resource")
    return steps(
        f"A user consents by getting a token interactively once; an administrator for everybody: {_PLACE}, or one of",
        f"az ad app permission admin-consent --id {client}",
        f"az ad app permission grant --id {client} --api {api} --scope {scope}",
        "If the resource is a middle tier: name the client in its knownClientApplications or preAuthorizedApplications.",
    )


def _users_may(registration: Registration) -> list[Finding]:
    """The second requirement of root cause 3: users have the ability to consent."""
    name, expected, source = "users may consent", "by the tenant's user consent settings", f"{ENTERPRISE}/configure-user-consent"
    policy = registration.user_consent
    if policy is None:
        return []
    if isinstance(policy, Unread):
        return [unread(name, expected, policy, source)]
    assigned = texts(member(policy, "defaultUserRolePermissions"), "permissionGrantPoliciesAssigned")
    own = [item for item in assigned if item.startswith("ManagePermissionGrantsForSelf.")]
    fix = "Have an administrator consent for all users, or allow it: Enterprise applications > Consent and permissions."
    return [judged(name, expected, few(own) or "users may not consent", bool(own), fix, source)]


def roles(registration: Registration, principal: Object) -> list[Finding]:
    """Permissions for the application itself, where it asks for any."""
    application = registration.application
    if not isinstance(application, Mapping):
        return []
    wanted = requested(application, text(principal, "appId"), "Role")
    if not wanted:
        return []
    name, expected = "application permissions consented", "by an administrator"
    if isinstance(registration.roles, Unread):
        return [unread(name, expected, registration.roles, _CONSENT)]
    resource_id = guid(principal, "id")
    has = {text(item, "appRoleId") for item in registration.roles if text(item, "resourceId") == resource_id}
    lacking = [text(item, "value") or "" for item in objects(principal, "appRoles") if text(item, "id") in wanted - has]
    held = wanted <= has
    client = id_of(application, "appId", "client")
    fix = steps(f"An administrator: {_PLACE}, or", f"az ad app permission admin-consent --id {client}")
    seen = "all of them" if held else f"not: {few(lacking) or 'permissions that the resource no longer has'}"
    return [judged(name, expected, seen, held, fix, _CONSENT)]
