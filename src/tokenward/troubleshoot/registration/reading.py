"""Which objects of Graph are read for a question, and in which order: each only if what came before asks for it."""

from __future__ import annotations

from collections.abc import Mapping

from tokenward.asking.steps import Steps
from tokenward.token.strict import decode_base64url, parse_object
from tokenward.troubleshoot.registration.asking import Graph, read_all, read_one
from tokenward.troubleshoot.registration.facts import (
    One,
    Question,
    Registration,
    Resource,
    Several,
    Unread,
    is_granted_to_all,
    wanted_resources,
)
from tokenward.troubleshoot.registration.members import Object, flag, guid, objects
from tokenward.troubleshoot.registration.permissions import names_in_question
from tokenward.validation import GUID

APPLICATIONS = "Application.Read.All"
GRANTS = "Directory.Read.All"
POLICIES = "Policy.Read.All"
"""The least privileged permissions of each read, by the tables of learn.microsoft.com/graph/api."""

_OF_A_RESOURCE = (
    "id,appId,displayName,accountEnabled,disabledByMicrosoftStatus,appRoleAssignmentRequired,servicePrincipalNames,"
    "oauth2PermissionScopes,appRoles"
)
"""Microsoft Graph's own has 400 application roles; the rest of it is left out."""
_NO_ID = Unread("Graph's answer has no id that is a GUID", "Check the address given with --graph.")


def read_registration(graph: Graph, question: Question) -> Steps[Registration]:
    """Everything that the question needs; what could not be read is Unread, and the rest goes on."""
    application = yield from read_one(graph, graph.url(f"applications(appId='{question.client_id}')"), APPLICATIONS)
    principal = yield from read_one(graph, graph.url(f"servicePrincipals(appId='{question.client_id}')"), APPLICATIONS)
    resources = {}
    for name in wanted_resources(question, application):
        resources[name] = yield from _resource(graph, name)
    grants = yield from _grants(graph, principal)
    return Registration(
        tenant_of(graph.token),
        application,
        principal,
        grants=grants,
        assigned=(yield from _assigned(graph, principal)),
        roles=(yield from _roles(graph, application, principal)),
        user_consent=(yield from _user_consent(graph, question, application, grants, resources)),
        resources=resources,
    )


def tenant_of(token: str) -> str | None:
    """`tid` of a token for Graph, if it can be read; it is not verified, and only told to the token's owner."""
    parts = token.encode("ascii", "replace").split(b".")
    try:
        tenant = parse_object(decode_base64url(parts[1])).get("tid") if len(parts) == 3 else None
    except ValueError:
        return None
    return tenant if isinstance(tenant, str) and GUID.fullmatch(tenant) else None


def _resource(graph: Graph, name: str) -> Steps[Resource]:
    if GUID.fullmatch(name):
        principal = yield from read_one(
            graph, graph.url(f"servicePrincipals(appId='{name}')", select=_OF_A_RESOURCE), APPLICATIONS
        )
    else:
        principal = yield from _by_name(graph, name)
    return Resource(principal, (yield from _assigned(graph, principal)))


def _by_name(graph: Graph, name: str) -> Steps[One]:
    """By an identifier URI, which is one of the service principal's names."""
    escaped = name.replace("'", "''")
    condition = f"servicePrincipalNames/any(n:n eq '{escaped}')"
    url = graph.url("servicePrincipals", filter=condition, select=_OF_A_RESOURCE)
    found = yield from read_all(graph, url, APPLICATIONS)
    return found if isinstance(found, Unread) else next(iter(found), None)


def _grants(graph: Graph, principal: One) -> Steps[Several]:
    if not isinstance(principal, Mapping):
        return principal or ()
    identifier = guid(principal, "id")
    if identifier is None:
        return _NO_ID
    return (yield from read_all(graph, graph.url("oauth2PermissionGrants", filter=f"clientId eq '{identifier}'"), GRANTS))


def _assigned(graph: Graph, principal: One) -> Steps[Several]:
    """Who may use the application, where that needs an assignment."""
    if not isinstance(principal, Mapping) or not flag(principal, "appRoleAssignmentRequired"):
        return ()
    return (yield from _list_of(graph, principal, "appRoleAssignedTo"))


def _roles(graph: Graph, application: One, principal: One) -> Steps[Several]:
    """What the client may do in its own name, if it asks for anything of the kind."""
    if not isinstance(application, Mapping) or not isinstance(principal, Mapping):
        return ()
    access = [entry for item in objects(application, "requiredResourceAccess") for entry in objects(item, "resourceAccess")]
    if not any(entry.get("type") == "Role" for entry in access):
        return ()
    return (yield from _list_of(graph, principal, "appRoleAssignments"))


def _list_of(graph: Graph, principal: Object, name: str) -> Steps[Several]:
    identifier = guid(principal, "id")
    if identifier is None:
        return _NO_ID
    return (yield from read_all(graph, graph.url(f"servicePrincipals/{identifier}/{name}"), APPLICATIONS))


def _user_consent(
    graph: Graph, question: Question, application: One, grants: Several, resources: Mapping[str, Resource]
) -> Steps[One]:
    """Only where a permission waits for somebody's consent."""
    for resource in resources.values():
        principal = resource.principal
        if isinstance(principal, Mapping) and not isinstance(grants, Unread):
            names = names_in_question(question, application, principal)
            if not names or not is_granted_to_all(grants, guid(principal, "id"), names):
                return (yield from read_one(graph, graph.url("policies/authorizationPolicy"), POLICIES))
    return None
