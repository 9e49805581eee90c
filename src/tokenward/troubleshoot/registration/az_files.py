"""What the Azure CLI printed, in place of Graph's answers: of `az ad app`, `az ad sp` and `az rest`.

Source: learn.microsoft.com/cli/azure/ad, whose answers since version 2.37 are Graph's own objects.
"""

from __future__ import annotations

import codecs
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from tokenward.errors import PolicyError
from tokenward.token.strict import parse_unique_object
from tokenward.troubleshoot.registration.asking import MAX_ANSWER_BYTES, MAX_ANSWER_PARTS
from tokenward.troubleshoot.registration.facts import (
    One,
    Question,
    Registration,
    Resource,
    Several,
    Unread,
    wanted_resources,
)
from tokenward.troubleshoot.registration.members import Object, flag, text, texts
from tokenward.troubleshoot.registration.words import steps, word

MAX_FILES = 20
"""One of each kind for the client, and one for each resource."""
KINDS = ("app", "sp", "grants", "assigned", "roles", "consent")
"""What a file may be said to hold: the names in front of its path. Only an empty list needs one."""

_EXAMPLE = "Give what `az ad app show`, `az ad sp show` or `az ad app permission list-grants` printed, as JSON."


@dataclass(frozen=True, slots=True)
class AzFile:
    """A file: what to call it, its bytes, and its kind if that was said."""

    name: str
    content: bytes
    kind: str | None = None


def read_az_files(files: Sequence[AzFile], question: Question) -> Registration:
    """What the files tell; for the rest, which file would. Raises PolicyError, which quotes nothing of a file."""
    if len(files) > MAX_FILES:
        raise PolicyError("az_file", f"there are more than {MAX_FILES} files", "Give those of one client.")
    found: dict[str, list[Object]] = {}
    empty: set[str] = set()
    for file in files:
        for kind, items in _sorted_by_kind(file).items():
            found.setdefault(kind, []).extend(items)
            empty |= set() if items else {kind}
    application = _one(found, "app", question.client_id, empty)
    principal = _one(found, "sp", question.client_id, empty)
    names = wanted_resources(question, application)
    return Registration(
        None,
        application,
        principal,
        grants=_list(found, "grants", question.client_id),
        assigned=_assigned(principal, found, question.client_id),
        roles=_list(found, "roles", question.client_id),
        user_consent=next(iter(found.get("consent", [])), None),
        resources={name: _resource(name, found) for name in names},
    )


def _sorted_by_kind(file: AzFile) -> dict[str, list[Object]]:
    items = _items(file)
    if file.kind is not None:
        return {file.kind: items}
    if not items:
        fix = f"Say of what it is the list, as KIND=FILE; KIND is one of {', '.join(KINDS)}."
        raise PolicyError("az_file", f"{file.name} is an empty list", fix)
    kinds: dict[str, list[Object]] = {}
    for item in items:
        kinds.setdefault(_kind(item, file.name), []).append(item)
    return kinds


def _kind(item: Object, name: str) -> str:
    """By members that only this kind of object has."""
    marks = {
        "app": "requiredResourceAccess",
        "sp": "servicePrincipalNames",
        "grants": "consentType",
        "consent": "defaultUserRolePermissions",
    }
    for kind, mark in marks.items():
        if mark in item:
            return kind
    if "appRoleId" in item:
        return "roles" if item.get("principalType") == "ServicePrincipal" else "assigned"
    raise PolicyError("az_file", f"{name} holds something that is not known here", _EXAMPLE)


def _items(file: AzFile) -> list[Object]:
    document = _parsed(file)
    listed = document.get("value") if isinstance(document.get("value"), list) and "appId" not in document else [document]
    items = [item for item in listed if isinstance(item, Mapping)] if isinstance(listed, list) else []
    if isinstance(listed, list) and len(items) != len(listed):
        raise PolicyError("az_file", f"{file.name} is a list of something else than objects", _EXAMPLE)
    return items


def _parsed(file: AzFile) -> dict[str, object]:
    """An object, or a list as the `value` of one. PowerShell writes UTF-16 where its output goes into a file."""
    if len(file.content) > MAX_ANSWER_BYTES:
        raise PolicyError("az_file", f"{file.name} is larger than {MAX_ANSWER_BYTES} bytes", _EXAMPLE)
    content = file.content.removeprefix(codecs.BOM_UTF8)
    try:
        if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            content = content.decode("utf-16").encode("utf-8")
        if not content.strip():
            raise PolicyError("az_file", f"{file.name} is empty", f"az writes its errors elsewhere; run it again. {_EXAMPLE}")
        if content.lstrip().startswith(b"["):
            content = b'{"value":' + content + b"}"
        return parse_unique_object(content, most=MAX_ANSWER_PARTS)
    except ValueError as exc:
        if isinstance(exc, PolicyError):
            raise
        reason = "not text" if isinstance(exc, UnicodeError) else str(exc)
        raise PolicyError("az_file", f"{file.name} is {reason}", _EXAMPLE) from None


def _one(found: Mapping[str, list[Object]], kind: str, name: str, empty: Collection[str] = ()) -> One:
    """The application or service principal; None only by a list that was empty, because a file of another one says nothing."""
    for item in found.get(kind, []):
        if (text(item, "appId") or "").lower() == name or name in texts(item, "servicePrincipalNames"):
            return item
    return None if kind in empty else _lacking(kind, name)


def _resource(name: str, found: Mapping[str, list[Object]]) -> Resource:
    principal = _one(found, "sp", name)
    return Resource(principal, _assigned(principal, found, name))


def _assigned(principal: One, found: Mapping[str, list[Object]], app_id: str) -> Several:
    """Assignments to this application, of users, groups and applications alike."""
    if not isinstance(principal, Mapping) or not flag(principal, "appRoleAssignmentRequired"):
        return ()
    if "assigned" not in found and "roles" not in found:
        return _lacking("assigned", app_id)
    listed = [*found.get("assigned", []), *found.get("roles", [])]
    return [item for item in listed if text(item, "resourceId") == text(principal, "id")]


def _list(found: Mapping[str, list[Object]], kind: str, app_id: str) -> Several:
    return found[kind] if kind in found else _lacking(kind, app_id)


def _lacking(kind: str, app_id: str) -> Unread:
    """What would tell; a resource may be an address, which `az ad sp show` takes, too."""
    path, of = "https://graph.microsoft.com/v1.0/servicePrincipals", word(app_id, "resource")
    commands = {
        "app": f"az ad app show --id {of} > app.json",
        "sp": f"az ad sp show --id {of} > sp.json",
        "grants": f"az ad app permission list-grants --id {of} > grants.json",
        "assigned": f"az rest --method get --url \"{path}(appId='{of}')/appRoleAssignedTo\" > assigned.json",
        "roles": f"az rest --method get --url \"{path}(appId='{of}')/appRoleAssignments\" > roles.json",
    }
    return Unread("no file tells", steps("Run this, and add the file with --az-file:", commands[kind]))
