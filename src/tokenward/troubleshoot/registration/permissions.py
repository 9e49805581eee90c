"""What a client may ask of a resource: that it is there, exposes permissions, and that the registration asks for them."""

from __future__ import annotations

from collections.abc import Mapping

from tokenward.finding import Finding
from tokenward.troubleshoot.registration.consent import consented, roles
from tokenward.troubleshoot.registration.existence import usable
from tokenward.troubleshoot.registration.facts import One, Question, Registration, Resource, Unread, requested
from tokenward.troubleshoot.registration.members import Object, flag, objects, text
from tokenward.troubleshoot.registration.words import AADSTS50000, ENTRA, GRAPH, few, id_of, judged, name_of, steps, unread, word

_EXPOSE = f"{ENTRA}/quickstart-configure-app-expose-web-apis"
_ADD_A_SCOPE = "In the resource's home tenant: App registrations > the resource > Expose an API > Add a scope."
_THERE, _PAGE = "its service principal is in this tenant", f"{GRAPH}/serviceprincipal"


def permissions(registration: Registration, question: Question, name: str, resource: Resource) -> list[Finding]:
    """The checks of one resource, which the question or the registration names `name`."""
    principal = resource.principal
    if principal is None:
        return [_missing(name)]
    if isinstance(principal, Unread):
        return [unread("resource", _THERE, principal, _PAGE)]
    found = [judged("resource", _THERE, name_of(principal, name), True, "", _PAGE)]
    found += usable(principal, resource.assigned, word(name, "resource"), prefix="resource ")
    if question.scopes or not _asks_for_roles_only(registration.application, principal):
        names = names_in_question(question, registration.application, principal)
        found += [*_exposed(question, principal), _requested(registration, question, principal, names)]
        found += consented(registration, principal, names)
    return found + roles(registration, principal)


def names_in_question(question: Question, application: One, principal: Object) -> frozenset[str]:
    """The scopes that were asked about, else those in the registration, by the names that the resource gives them."""
    if question.wanted or not isinstance(application, Mapping):
        return question.wanted
    ids = requested(application, text(principal, "appId"), "Scope")
    return frozenset(value for identifier, value in _scopes(principal).items() if identifier in ids)


def _scopes(principal: Object) -> dict[str, str]:
    """Delegated permissions that can be asked for: id -> name."""
    listed = [item for item in objects(principal, "oauth2PermissionScopes") if flag(item, "isEnabled") is not False]
    return {text(item, "id") or "": text(item, "value") or "" for item in listed}


def _asks_for_roles_only(application: One, principal: Object) -> bool:
    """An application that acts in its own name needs no delegated permissions."""
    if not isinstance(application, Mapping):
        return False
    app_id = text(principal, "appId")
    return bool(requested(application, app_id, "Role")) and not requested(application, app_id, "Scope")


def _missing(name: str) -> Finding:
    fix = steps(
        "Check the resource. If it is right, sign in to it once in this tenant, or have an administrator create its principal:",
        f"az ad sp create --id {word(name, 'app id')}",
    )
    return judged("resource", _THERE, f"there is none for {name}", False, fix, _PAGE)


def _exposed(question: Question, principal: Object) -> list[Finding]:
    """Root cause 5 of AADSTS50000: a resource with nothing but application permissions cannot be used for a user."""
    exposed = set(_scopes(principal).values())
    seen = few(sorted(exposed)) or "none; only application permissions, if any"
    fix = f"{_ADD_A_SCOPE} Then add it to the client's API permissions, and consent to it."
    found = [judged("permissions exposed", "at least one delegated permission", seen, bool(exposed), fix, AADSTS50000)]
    if question.wanted and exposed:
        fix = f"Ask for one of those that are exposed, or add it. {_ADD_A_SCOPE}"
        found.append(judged("scopes known", few(sorted(question.wanted)), seen, question.wanted <= exposed, fix, _EXPOSE))
    return found


def _requested(registration: Registration, question: Question, principal: Object, names: frozenset[str]) -> Finding:
    name, expected, source = "permissions requested", "in the client's API permissions", f"{GRAPH}/requiredresourceaccess"
    application = registration.application
    if isinstance(application, Unread):
        return unread(name, expected, application, source)
    if application is None:
        told = "not known here: the registration is in its home tenant"
        return Finding(name, expected, told, None, "Examine the client in its home tenant, too.", source)
    ids = requested(application, text(principal, "appId"), "Scope")
    by_name = {value: identifier for identifier, value in _scopes(principal).items()}
    lacking = sorted(value for value in names if by_name.get(value) not in ids)
    seen = few(sorted(names - set(lacking))) or (f"{len(ids)} that the resource does not expose" if ids else "none")
    scope = by_name.get(lacking[0]) if lacking else next(iter(by_name.values()), None)
    fix = _request_fix(question, principal, scope or "")
    return judged(name, expected, seen, bool(names) and not lacking and bool(ids), fix, source)


def _request_fix(question: Question, principal: Object, scope: str) -> str:
    return steps(
        "App registrations > the client > API permissions > Add a permission, and then consent; or:",
        f"az ad app permission add --id {question.client_id} --api {id_of(principal, 'appId', 'resource')}"
        f" --api-permissions {word(scope, 'scope id')}=Scope",
    )
