"""Who is known: users and service principals of the account, and which of them are in the workspace."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from tokenward.testing.workspace.messages import Object

Kind: TypeAlias = Literal["user", "service_principal"]

DEFAULT_USER = "ada@contoso.example"
"""The person in the tokens of the local issuer."""
DEFAULT_SERVICE_PRINCIPAL = "7cb2f8a4-49a7-4147-83db-35cb69e5cede"
"""An application id."""


@dataclass(frozen=True, slots=True)
class Principal:
    """`name` is the user name, or the application id of a service principal; `id` is Databricks' own number, as a string."""

    kind: Kind
    name: str
    id: str
    display_name: str
    in_workspace: bool = True
    active: bool = True
    admin: bool = False

    def scim(self) -> Object:
        """As SCIM `Me` shows it. A service principal's userName is its application id."""
        given, _, family = self.display_name.partition(" ")
        person: Object = {
            "emails": [{"type": "work", "value": self.name, "primary": True}],
            "name": {"givenName": given, "familyName": family},
        }
        groups = ["users", "admins"] if self.admin else ["users"]
        return {
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
            "id": self.id,
            "userName": self.name,
            "displayName": self.display_name,
            "active": self.active,
            **(person if self.kind == "user" else {"applicationId": self.name}),
            "groups": [{"display": name, "type": "direct", "value": str(number)} for number, name in enumerate(groups, 1)],
            "entitlements": [{"value": "workspace-access"}, {"value": "databricks-sql-access"}],
        }


class Directory:
    """The account's principals by name. One who is not in the workspace can still exchange a token there, and do no more."""

    def __init__(self, ids: Iterable[int] | None = None) -> None:
        self._ids = iter(ids if ids is not None else itertools.count(1001))
        self._held: dict[str, Principal] = {}

    def add_user(self, name: str, display_name: str = "", *, in_workspace: bool = True) -> Principal:
        """A user, or the same one anew."""
        shown = display_name or name.partition("@")[0].replace(".", " ").title()
        return self._put(Principal("user", name, self._id_of(name), shown, in_workspace))

    def add_service_principal(self, application_id: str, display_name: str = "", *, in_workspace: bool = True) -> Principal:
        shown = display_name or f"service principal {application_id[:8]}"
        return self._put(Principal("service_principal", application_id, self._id_of(application_id), shown, in_workspace))

    def remove(self, name: str) -> None:
        """Nobody of this name is in the account any more."""
        self._held.pop(name, None)

    def find(self, name: object, kind: Kind | None = None) -> Principal | None:
        """Databricks' user names do not differ by case alone."""
        found = self._held.get(name.lower()) if isinstance(name, str) else None
        return found if found is not None and kind in (None, found.kind) else None

    def admit(self, principal: Principal) -> Principal:
        """Make somebody an administrator of the workspace, as Azure does with contributors on its resource."""
        return self._put(replace(principal, in_workspace=True, admin=True))

    def everybody(self) -> list[Principal]:
        return list(self._held.values())

    def _put(self, principal: Principal) -> Principal:
        self._held[principal.name.lower()] = principal
        return principal

    def _id_of(self, name: str) -> str:
        known = self._held.get(name.lower())
        return known.id if known else str(next(self._ids))
