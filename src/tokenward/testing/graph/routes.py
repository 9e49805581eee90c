"""Which object or list a path of Graph names, which permission it needs, and how lists are cut into pages."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from tokenward.testing.faults import Answer
from tokenward.testing.graph import shapes
from tokenward.testing.graph.directory import Directory
from tokenward.testing.graph.errors import graph_answer, graph_error, not_found
from tokenward.testing.graph.shapes import Object

READ_APPLICATIONS = frozenset(
    {"Application.Read.All", "Application.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"}
)
READ_GRANTS = frozenset({"DelegatedPermissionGrant.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"})
READ_POLICIES = frozenset({"Policy.Read.All", "Policy.ReadWrite.Authorization"})
"""Any of which will do: the tables of permissions on the pages of each method, from the least privileged on."""

_OBJECT = re.compile(
    r"/(?P<set>applications|servicePrincipals)(?:\(appId='(?P<app_id>[^']*)'\)|/(?P<id>[^/]+))"
    r"(?:/(?P<list>appRoleAssignedTo|appRoleAssignments|oauth2PermissionGrants))?"
)
_CLIENT_FILTER = re.compile(r"clientId eq '(?P<id>[^']*)'")
_NAME_FILTER = re.compile(r"servicePrincipalNames/any\((?P<v>\w+):(?P=v) eq '(?P<name>(?:[^']|'')*)'\)")

Found: TypeAlias = Object | list[Object]


@dataclass(frozen=True, slots=True)
class Asked:
    """A GET: its path below /v1.0, and the OData options."""

    path: str
    options: dict[str, str]

    @classmethod
    def read(cls, target: str) -> Asked | None:
        """None for another version of Graph than 1.0."""
        parts = urlsplit(target)
        path = unquote(parts.path)
        return cls(path.removeprefix("/v1.0"), dict(parse_qsl(parts.query))) if path.startswith("/v1.0/") else None

    def permissions(self) -> frozenset[str]:
        """One of them must have been granted."""
        if self.path.lower().endswith("/oauth2permissiongrants"):
            return READ_GRANTS
        return READ_POLICIES if self.path.startswith("/policies/") else READ_APPLICATIONS


def find(asked: Asked, directory: Directory) -> Found | Answer:
    """The object, the list, or Graph's error."""
    if asked.path == "/policies/authorizationPolicy":
        return shapes.authorization_policy(directory.user_consent)
    if asked.path == "/oauth2PermissionGrants":
        wanted = _CLIENT_FILTER.fullmatch(asked.options.get("$filter", ""))
        return [item for item in directory.grants if wanted is None or item["clientId"] == wanted["id"]]
    if asked.path == "/servicePrincipals":
        return _named(asked, directory)
    found = _OBJECT.fullmatch(asked.path)
    if found is None:
        return graph_error(400, f"Resource not found for the segment '{asked.path.split('/')[1]}'.")
    return _object(found, directory)


def _named(asked: Asked, directory: Directory) -> Found | Answer:
    wanted = _NAME_FILTER.fullmatch(asked.options.get("$filter", ""))
    if wanted is None:
        return graph_error(400, "Invalid filter clause.", code="Request_UnsupportedQuery")
    name = wanted["name"].replace("''", "'")
    return [item for item in directory.service_principals if name in _listed(item["servicePrincipalNames"])]


def _object(found: re.Match[str], directory: Directory) -> Found | Answer:
    objects = directory.applications if found["set"] == "applications" else directory.service_principals
    member, value = ("appId", found["app_id"]) if found["app_id"] is not None else ("id", found["id"])
    item = next((item for item in objects if item[member] == value), None)
    if item is None:
        return not_found(value)
    match found["list"]:
        case None:
            return item
        case "oauth2PermissionGrants":
            return [each for each in directory.grants if each["clientId"] == item["id"]]
        case kind:
            side = "resourceId" if kind == "appRoleAssignedTo" else "principalId"
            return [each for each in directory.assignments if each[side] == item["id"]]


def shown(asked: Asked, found: Found, origin: str, page_size: int) -> Answer:
    """The answer: an object, or a page of a list with the address of the next one."""
    names = [name for name in asked.options.get("$select", "").split(",") if name]
    context = f"{origin}/v1.0/$metadata#{asked.path.strip('/')}"
    if isinstance(found, dict):
        return graph_answer(200, {"@odata.context": f"{context}/$entity", **_selected(found, names)})
    begin = int(asked.options.get("$skiptoken") or 0)
    page: Object = {"@odata.context": context}
    if begin + page_size < len(found):
        page["@odata.nextLink"] = next_link(asked, origin, begin + page_size)
    page["value"] = [_selected(item, names) for item in found[begin : begin + page_size]]
    return graph_answer(200, page)


def next_link(asked: Asked, origin: str, begin: int) -> str:
    """Where the list goes on: the same request, from there."""
    options = {**asked.options, "$skiptoken": str(begin)}
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in options.items())
    return f"{origin}/v1.0{asked.path}?{query}"


def _selected(item: Object, names: Sequence[str]) -> Object:
    return {name: item[name] for name in names if name in item} if names else item


def _listed(value: object) -> Sequence[object]:
    return value if isinstance(value, list) else ()
