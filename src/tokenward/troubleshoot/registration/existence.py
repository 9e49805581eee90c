"""Whether the client is there, may be used, and by whom."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from tokenward.finding import Finding
from tokenward.troubleshoot.registration.facts import One, Question, Registration, Several, Unread
from tokenward.troubleshoot.registration.members import Object, flag, guid, text
from tokenward.troubleshoot.registration.words import ENTERPRISE, ENTRA, GRAPH, judged, name_of, steps, unread, waits

NOT_DISABLED = ("NotDisabled",)
"""And null (learn.microsoft.com/graph/api/resources/serviceprincipal)."""
_SP, _SP_PAGE = "service principal", f"{GRAPH}/serviceprincipal"


def existence(registration: Registration, question: Question) -> list[Finding]:
    """Tenant, application, service principal, and whether the latter may be used."""
    found = [] if registration.tenant is None else [_tenant(registration.tenant, question)]
    found += [_application(registration, question), _principal(registration, question)]
    return found + usable(registration.principal, registration.assigned, question.client_id)


def usable(principal: One, assigned: Several, app_id: str, *, prefix: str = "") -> list[Finding]:
    """Enabled, not disabled by Microsoft, and somebody is assigned where that is required; of a client or a resource."""
    if principal is None:
        return []
    if isinstance(principal, Unread):
        see = f"{prefix.strip() or _SP}"
        return [
            waits(f"{prefix}enabled", True, see, _SP_PAGE),
            waits(f"{prefix}assignment", "not required, or somebody is assigned", see, ENTERPRISE),
        ]
    return [_enabled(principal, app_id, prefix), _status(principal, prefix), _assignment(principal, assigned, app_id, prefix)]


def _tenant(tenant: str, question: Question) -> Finding:
    fix = "Get the Graph token in the tenant that is examined: az login --tenant <tenant>. Graph answers for the token's tenant."
    held = tenant == question.tenant
    return judged("tenant", question.tenant, tenant, held, fix, f"{ENTRA}/access-token-claims-reference")


def _application(registration: Registration, question: Question) -> Finding:
    name, expected, source = "application", "registered in this tenant, or in a home tenant of its own", f"{GRAPH}/application"
    application, principal = registration.application, registration.principal
    if isinstance(application, Mapping):
        return judged(name, expected, f"{name_of(application, 'without a name')}, registered here", True, "", source)
    if isinstance(application, Unread):
        return unread(name, expected, application, source)
    if isinstance(principal, Unread):
        return unread(name, expected, principal, source)
    home = None if principal is None else guid(principal, "appOwnerOrganizationId")
    if home is not None and home != question.tenant:
        return judged(name, expected, f"registered in its home tenant {home}", True, "", source)
    fix = steps(
        "Check the client id and the tenant: copy both from the overview page of the app registration.",
        "If the application belongs to another tenant, have an administrator create its service principal here:",
        f"az ad sp create --id {question.client_id}",
    )
    return judged(name, expected, "there is none", False, fix, source)


def _principal(registration: Registration, question: Question) -> Finding:
    expected = "in the tenant's enterprise applications"
    if isinstance(registration.principal, Unread):
        return unread(_SP, expected, registration.principal, _SP_PAGE)
    if registration.principal is not None:
        return judged(_SP, expected, name_of(registration.principal, "without a name"), True, "", _SP_PAGE)
    fix = steps("Sign in once and consent, or have an administrator create it:", f"az ad sp create --id {question.client_id}")
    return judged(_SP, expected, "there is none", False, fix, _SP_PAGE)


def _enabled(principal: Object, app_id: str, prefix: str) -> Finding:
    enabled = flag(principal, "accountEnabled")
    if enabled is None:
        return Finding(f"{prefix}enabled", True, None, None, "Look it up in the portal; the answer does not say.", _SP_PAGE)
    place = "Enterprise applications > the application > Properties > Enabled for users to sign-in: Yes"
    fix = steps(place, f"az ad sp update --id {app_id} --set accountEnabled=true")
    return judged(f"{prefix}enabled", True, enabled, enabled, fix, _SP_PAGE)


def _status(principal: Object, prefix: str) -> Finding:
    status = text(principal, "disabledByMicrosoftStatus")
    held = status is None or status in NOT_DISABLED
    fix = "Nobody in the tenant can change this: open a support ticket with Microsoft."
    return judged(f"{prefix}Microsoft's status", "not disabled", status or "not disabled", held, fix, _SP_PAGE)


def _assignment(principal: Object, assigned: Several, app_id: str, prefix: str) -> Finding:
    name, expected, source = (
        f"{prefix}assignment",
        "not required, or somebody is assigned",
        f"{ENTERPRISE}/assign-user-or-group-access-portal",
    )
    if not flag(principal, "appRoleAssignmentRequired"):
        return judged(name, expected, "not required", True, "", source)
    if isinstance(assigned, Unread):
        return unread(name, expected, assigned, source)
    kinds = Counter(text(item, "principalType") or "unknown" for item in assigned)
    fix = steps(
        "Assign the users or a group: Enterprise applications > the application > Users and groups; or require no assignment:",
        f"az ad sp update --id {app_id} --set appRoleAssignmentRequired=false",
    )
    told = ", ".join(f"{count} x {kind}" for kind, count in sorted(kinds.items())) or "nobody"
    return judged(name, expected, f"required; assigned: {told}", bool(kinds), fix, source)
