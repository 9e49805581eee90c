"""What is asked of a registration, and what is known of it: read, known to be missing, or not read and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from tokenward import validation
from tokenward.entra import DATABRICKS_RESOURCE
from tokenward.errors import PolicyError
from tokenward.troubleshoot.registration.members import Object, objects, text

DATABRICKS = "databricks"
MAX_RESOURCES = 10
"""Resources whose permissions are looked at; registrations that ask for more are rare, and each costs a request or two."""
MAX_SCOPES = 50
"""Scopes of one request; addresses end at about 2,000 characters long before."""


@dataclass(frozen=True, slots=True)
class Unread:
    """Something that could not be read, why, and what would tell."""

    why: str
    fix: str


One: TypeAlias = Object | Unread | None
"""None where it does not exist."""
Several: TypeAlias = Sequence[Object] | Unread


@dataclass(frozen=True, slots=True)
class Question:
    """Which client is examined, in which tenant, and what it wants.

    tenant, client_id  GUIDs
    resource           an application id, an identifier URI, or "databricks"; None takes those that the registration asks for
    scopes             delegated permissions that it asks for, alone or behind the resource ("api://.../jobs.read"); ".default"
                         stands for those in the registration
    redirect_uri       one that it sends; None checks only the forms of those that are registered

    Raises PolicyError.
    """

    tenant: str
    client_id: str
    resource: str | None = None
    scopes: Sequence[str] = ()
    redirect_uri: str | None = None

    def __post_init__(self) -> None:
        fix = "Copy the Application (client) ID from the overview page of the app registration."
        object.__setattr__(self, "tenant", validation.tenant("tenant", self.tenant))
        object.__setattr__(self, "client_id", validation.guid("client_id", self.client_id, fix))
        scopes = validation.texts("scope", self.scopes, "['user_impersonation']", empty=True)
        if len(scopes) > MAX_SCOPES:
            raise PolicyError("scope", f"there are more than {MAX_SCOPES}", "Name those of one request.")
        object.__setattr__(self, "resource", _resource(self.resource, scopes))
        object.__setattr__(self, "scopes", tuple(name.rpartition("/")[2] for name in scopes))
        if self.redirect_uri is not None:
            validation.text("redirect_uri", self.redirect_uri, "'https://app.example/signin'")

    @property
    def wanted(self) -> frozenset[str]:
        """The names of scopes that were given; none if the registration's own count."""
        return frozenset(self.scopes) - {".default"}


def _resource(given: str | None, scopes: Sequence[str]) -> str | None:
    """What was given, or what stands in front of the scopes, which must be one resource (AADSTS700022)."""
    if given is not None:
        plain = validation.text("resource", given, "an application id, an api:// address, or databricks")
        return (
            DATABRICKS_RESOURCE if plain == DATABRICKS else plain.lower() if validation.GUID.fullmatch(plain.lower()) else plain
        )
    named = {prefix for prefix, slash, _ in (name.rpartition("/") for name in scopes) if slash}
    if len(named) > 1:
        raise PolicyError("scope", "the scopes are of several resources", "Ask for those of one resource at a time.")
    if scopes and not named:
        raise PolicyError("scope", "it does not say of which resource", "Give the resource, too, such as with --resource.")
    return _resource(named.pop(), ()) if named else None


@dataclass(frozen=True, slots=True)
class Resource:
    """An API that the client wants: its service principal, and who is assigned to it where that is required."""

    principal: One
    assigned: Several = ()


@dataclass(frozen=True, slots=True)
class Registration:
    """Everything that was read, by Graph or from files.

    tenant        whose directory answered; None if that is not known
    application   the registration
    principal     the client's service principal
    grants        consents to delegated permissions (oauth2PermissionGrants) of the client
    assigned      who is assigned to the client, where that is required
    roles         app roles that the client has, where it asks for any
    user_consent  the tenant's authorizationPolicy, where it matters
    resources     by application id, or as the question names them
    """

    tenant: str | None
    application: One
    principal: One
    grants: Several = ()
    assigned: Several = ()
    roles: Several = ()
    user_consent: One = None
    resources: Mapping[str, Resource] = field(default_factory=dict)


def wanted_resources(question: Question, application: One) -> list[str]:
    """The resource that was asked for, else those in the registration, in their order."""
    if question.resource is not None:
        return [question.resource]
    listed = objects(application, "requiredResourceAccess") if isinstance(application, Mapping) else []
    names = [text(item, "resourceAppId") or "" for item in listed]
    return [name.lower() for name in dict.fromkeys(names) if validation.GUID.fullmatch(name.lower())][:MAX_RESOURCES]


def requested(application: Object, app_id: str | None, kind: str) -> frozenset[str]:
    """Ids of the permissions of a resource that the registration asks for; `kind` is "Scope" or "Role"."""
    entries = [item for item in objects(application, "requiredResourceAccess") if (text(item, "resourceAppId") or "") == app_id]
    access = [entry for item in entries for entry in objects(item, "resourceAccess")]
    return frozenset(text(entry, "id") or "" for entry in access if entry.get("type") == kind)


def is_granted_to_all(grants: Several, resource_id: str | None, names: frozenset[str]) -> bool:
    """Whether an administrator consented for everybody."""
    return names <= granted(grants, resource_id, "AllPrincipals")


def granted(grants: Several, resource_id: str | None, kind: str) -> frozenset[str]:
    """The scopes of a resource in all consents of a kind, "AllPrincipals" or "Principal"."""
    if isinstance(grants, Unread) or resource_id is None:
        return frozenset()
    of_kind = [item for item in grants if text(item, "resourceId") == resource_id and text(item, "consentType") == kind]
    return frozenset(name for item in of_kind for name in (text(item, "scope") or "").split())
