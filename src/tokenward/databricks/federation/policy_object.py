"""One object of Databricks' API -> its members, outer and inner, and the names of those that are not known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

from tokenward import validation
from tokenward.errors import PolicyError

OIDC_FIELDS = ("issuer", "audiences", "subject", "subject_claim", "jwks_uri", "jwks_json")
"""Inside `oidc_policy`. Source: sdk-py service/oauth2.py, OidcFederationPolicy."""
OUTER_FIELDS = ("name", "uid", "policy_id", "description", "create_time", "update_time", "service_principal_id")
"""Beside `oidc_policy`. Source: sdk-py service/oauth2.py, FederationPolicy."""


@runtime_checkable
class SdkObject(Protocol):
    """A FederationPolicy or OidcFederationPolicy of databricks-sdk."""

    def as_dict(self) -> dict[str, object]: ...


def parts_of(obj: Mapping[str, object] | SdkObject) -> tuple[Mapping[str, object], Mapping[str, object], str]:
    """The outer fields, the inner ones, and how the path of an inner one begins; all may lie side by side in one object."""
    document: object = obj.as_dict() if isinstance(obj, SdkObject) else obj
    fix = "Give an object of the federation policies API, such as {'oidc_policy': {'issuer': ...}}."
    outer = _texts_to_values("policy", document, fix)
    if "oidc_policy" in outer:
        return outer, _texts_to_values("oidc_policy", outer["oidc_policy"], fix), "oidc_policy."
    if "issuer" in outer:
        return outer, outer, ""
    raise PolicyError("oidc_policy", "it is not there, and other kinds of policy are not known", fix)


def _texts_to_values(field: str, value: object, fix: str) -> dict[str, object]:
    held = validation.mapping(field, value, "it is not an object", fix)
    if not all(isinstance(name, str) for name in held):
        raise PolicyError(field, "it has a member whose name is not a string", fix)
    return {str(name): member for name, member in held.items()}


def unknown_fields(given: Mapping[str, object], known: Sequence[str], prefix: str) -> list[str]:
    spellings = {_bare(name): name for name in known}
    names = [name for name in given if name not in known]
    for name in names:
        if _bare(name) in spellings:
            raise PolicyError(f"{prefix}{name}", "no field has this spelling", f"Write {spellings[_bare(name)]}.")
    return [f"{prefix}{name}" for name in names]


def _bare(name: str) -> str:
    """`subjectClaim`, `subject-claim` and `audience` are slips for what they look like."""
    return name.lower().replace("_", "").replace("-", "").rstrip("s")
