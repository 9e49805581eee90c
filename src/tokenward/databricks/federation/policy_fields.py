"""What each field of a federation policy may be on its own: one judge per field, by Databricks' rules.

Where a rule is also an Issuer's, it is judged by the Issuer that the policy becomes, and not here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TypeAlias

from tokenward import validation
from tokenward.errors import PolicyError
from tokenward.token.strict import parse_unique_object

Judge: TypeAlias = Callable[[str, object], object]

MAX_SERVICE_PRINCIPAL = 2**63 - 1
"""The API's type is int64."""
MAX_JWKS_CHARS = 256 * 1024
"""A set of a hundred keys with certificates is shorter."""

_POLICY_ID = re.compile(r"[a-z0-9/-]+")
_DIGITS = re.compile(r"[0-9]{1,19}")
_NAME = re.compile(r"accounts/(?P<account>[^/]+)(?:/servicePrincipals/(?P<principal>[0-9]+))?/federationPolicies/(?P<policy>.+)")


def resource(name: str | None) -> Mapping[str, str | None]:
    """The account, service principal and policy that a resource name holds; of a form that is not known it says nothing.

    Source: sdk-py service/oauth2.py, FederationPolicy.name.
    """
    found = _NAME.fullmatch(name or "")
    return found.groupdict() if found else {}


def issuer(field: str, value: object) -> str:
    """A plain https URL; Databricks knows no templates. The rest is judged by the Issuer."""
    if not isinstance(value, str) or not value:
        raise PolicyError(field, "it is not a string", "Give the iss of the tokens, such as 'https://idp.example/'.")
    return validation.address(field, value)


def audiences(field: str, value: object) -> tuple[str, ...]:
    """Non-empty strings; none is the same as unset."""
    return validation.texts(field, () if value is None else value, "['databricks']", empty=True)


def service_principal(field: str, value: object) -> int:
    """A positive int64; JSON of protocol buffers may write it as a string of digits."""
    number = int(value) if isinstance(value, str) and _DIGITS.fullmatch(value) else value
    return validation.whole(field, number, least=1, most=MAX_SERVICE_PRINCIPAL)


def policy_id(field: str, value: object) -> str:
    """Source: sdk-py service/oauth2.py, AccountFederationPolicyAPI.create."""
    if not isinstance(value, str) or not _POLICY_ID.fullmatch(value):
        problem = "it holds something other than small letters, digits, hyphens and slashes"
        raise PolicyError(field, problem, "Write it like 'my-policy', or leave it out and let Databricks choose.")
    return value


def account_id(field: str, value: object) -> str:
    """One segment of an address."""
    text = validation.text(field, value, "'00000000-0000-0000-0000-000000000000', from the account console")
    if set(text) & set("/?#% ") or validation.has_placeholder(text):
        raise PolicyError(field, "it is not an account id", "Copy it from the user menu of the account console.")
    return text


def jwks_json(field: str, value: object) -> str:
    """A string that holds a JWKS; an object in its place is what Databricks' API would refuse."""
    if not isinstance(value, str) or not 0 < len(value) <= MAX_JWKS_CHARS:
        problem = (
            "it is not a string" if not isinstance(value, str) else f"it is empty or longer than {MAX_JWKS_CHARS} characters"
        )
        raise PolicyError(field, problem, "Write the JWKS as one string of JSON, such as '{\"keys\": [...]}'.")
    jwks(field, value)
    return value


def jwks(field: str, value: str) -> dict[str, object]:
    """The JWKS that a `jwks_json` holds; whether its keys are of use is judged by the Issuer."""
    try:
        return parse_unique_object(value.encode("utf-8", "surrogatepass"))
    except ValueError as exc:
        raise PolicyError(field, f"it is {exc}", "Write the JWKS as one string of JSON, such as '{\"keys\": [...]}'.") from None


def plain(field: str, value: object) -> str:
    """A plain, non-empty string."""
    return validation.text(field, value, "a string of printable characters, or leave it out")


def anything_written(field: str, value: object) -> str:
    """A string of people's own words."""
    if not isinstance(value, str):
        raise PolicyError(field, "it is not a string", "Write it in quotation marks, or leave it out.")
    return value


def optional(judge: Judge) -> Judge:
    """The same, where None says that the field is not set."""
    return lambda field, value: None if value is None else judge(field, value)


JUDGES: Mapping[str, Judge] = MappingProxyType(
    {
        "issuer": issuer,
        "audiences": audiences,
        "subject": optional(plain),
        "subject_claim": plain,
        "jwks_uri": optional(validation.address),
        "jwks_json": optional(jwks_json),
        "name": optional(plain),
        "uid": optional(plain),
        "policy_id": optional(policy_id),
        "description": optional(anything_written),
        "create_time": optional(plain),
        "update_time": optional(plain),
        "service_principal_id": optional(service_principal),
        "account_id": optional(account_id),
    }
)
"""Every field of a FederationPolicy, in its order."""
