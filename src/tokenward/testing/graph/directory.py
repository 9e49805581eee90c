"""What is registered in the stand-in's tenant: applications, service principals, consents, assignments. Change it as you like."""

from __future__ import annotations

from collections.abc import Sequence

from tokenward.entra import DATABRICKS_RESOURCE
from tokenward.testing.graph import shapes
from tokenward.testing.graph.shapes import Object

LEGACY_USER_CONSENT = "ManagePermissionGrantsForSelf.microsoft-user-default-legacy"
"""Users may consent to whatever needs no administrator (learn.microsoft.com/graph/api/resources/authorizationpolicy)."""
DATABRICKS_SCOPE = "739272be-e143-11e8-9f32-f2801f1b9fd1"
"""The id of AzureDatabricks' user_impersonation, as third parties' registrations have it."""


class Directory:
    """The tenant's objects, in Graph's own shapes; each method returns the object, whose members may be changed."""

    def __init__(self, tenant: str) -> None:
        self.tenant = tenant
        self.applications: list[Object] = []
        self.service_principals: list[Object] = []
        self.grants: list[Object] = []
        self.assignments: list[Object] = []
        self.user_consent: list[str] = [LEGACY_USER_CONSENT]
        self.databricks = self.enterprise_application(DATABRICKS_RESOURCE, "AzureDatabricks", home_tenant=shapes.identifier())
        scope = {**shapes.delegated_permission("user_impersonation"), "id": DATABRICKS_SCOPE}
        self.databricks["oauth2PermissionScopes"] = [scope]

    def register(self, app_id: str, name: str) -> tuple[Object, Object]:
        """An application of this tenant, and its service principal."""
        self.applications.append(shapes.application(app_id, name))
        return self.applications[-1], self.enterprise_application(app_id, name)

    def enterprise_application(self, app_id: str, name: str, home_tenant: str | None = None) -> Object:
        """A service principal alone, as of an application that another tenant has registered."""
        self.service_principals.append(shapes.service_principal(app_id, name, home_tenant or self.tenant))
        return self.service_principals[-1]

    def request(self, application: Object, resource: Object, scopes: Sequence[str] = (), roles: Sequence[str] = ()) -> None:
        """Have the application's registration ask for permissions of a resource, which must expose them."""
        wanted = [{"id": _id_of(resource, "oauth2PermissionScopes", name), "type": "Scope"} for name in scopes]
        wanted += [{"id": _id_of(resource, "appRoles", name), "type": "Role"} for name in roles]
        listed = application["requiredResourceAccess"]
        if isinstance(listed, list):
            listed.append({"resourceAppId": resource["appId"], "resourceAccess": wanted})

    def consent(self, client: Object, resource: Object, scopes: Sequence[str], *, user: str | None = None) -> Object:
        """An administrator's consent, or that of one user (by object id)."""
        self.grants.append(shapes.grant(str(client["id"]), str(resource["id"]), scopes, user))
        return self.grants[-1]

    def assign(self, kind: str, name: str, resource: Object) -> Object:
        """Somebody to an application: "User", "Group" or "ServicePrincipal"."""
        self.assignments.append(shapes.assignment(kind, {"id": shapes.identifier(), "displayName": name}, resource))
        return self.assignments[-1]

    def allow(self, client: Object, resource: Object, role: str) -> Object:
        """An administrator's consent to an application permission."""
        role_id = _id_of(resource, "appRoles", role)
        self.assignments.append(shapes.assignment("ServicePrincipal", client, resource, role_id))
        return self.assignments[-1]


def _id_of(resource: Object, member: str, value: str) -> str:
    listed = resource[member]
    for exposed in listed if isinstance(listed, list) else ():
        if exposed["value"] == value:
            return str(exposed["id"])
    raise ValueError(f"{resource['displayName']} exposes no {value}")
