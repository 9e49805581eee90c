"""Federation policies as Databricks keeps them: read from JSON, YAML or the API's lists, and made into a Policy."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence

from tokenward import validation
from tokenward.databricks.federation.federation_policy import FederationPolicy
from tokenward.databricks.federation.policy_object import SdkObject
from tokenward.databricks.federation.policy_text import parsed
from tokenward.databricks.federation.shared_issuer import OneOfSeveral, joined
from tokenward.errors import PolicyError
from tokenward.policy import MAX_TOKEN_BYTES, CustomCheck, Policy

__all__ = ["FederationPolicy", "IncompletePolicies", "policy_of", "read_policies"]

_EXAMPLE = "{'policies': [...]}, as the API answers, or a list of policies, or one"


class IncompletePolicies(UserWarning):
    """The list goes on: the API's answer holds a `next_page_token`, and what follows was not read."""


def read_policies(source: str | bytes | object, *, account_id: str | None = None) -> list[FederationPolicy]:
    """Every policy in a text of JSON or YAML, or in the object that it stands for: the API's list, a list, or one policy.

    It opens no file, and asks for no further page: a list that goes on is read as far as it is there, with the warning
    IncompletePolicies. YAML needs PyYAML. `account_id` is the default audience, where `name` does not tell it.

    Raises PolicyError, whose `field` is the path in the document.
    """
    document = parsed(source) if isinstance(source, (str, bytes)) else source
    is_one, listed = _listed(document)
    return [_read(item, "" if is_one else f"policies[{number}].", account_id) for number, item in enumerate(listed)]


def policy_of(
    policies: Sequence[FederationPolicy], *, max_token_bytes: int = MAX_TOKEN_BYTES, checks: Sequence[CustomCheck] = ()
) -> Policy:
    """A Policy that believes what at least one of these federation policies believes, and nothing else.

    It does not know the principal that Databricks would choose, nor whether it exists. Policies of one issuer must agree in
    their keys and in `subject_claim`. The other arguments are Policy's.

    Raises PolicyError.
    """
    given = _federation_policies(policies)
    by_issuer: dict[str, list[FederationPolicy]] = {}
    for policy in given:
        by_issuer.setdefault(policy.issuer, []).append(policy)
    issuers = [joined(shared) for shared in by_issuer.values()]
    own: list[CustomCheck] = [OneOfSeveral(by_issuer)] if len(issuers) < len(given) else []
    return Policy(issuers, max_token_bytes=max_token_bytes, checks=[*own, *_checks(checks)])


def _checks(value: Sequence[CustomCheck]) -> Sequence[CustomCheck]:
    """What each is, Policy judges."""
    validation.items("checks", value, "[check]", empty=True)
    return value


def _federation_policies(value: object) -> list[FederationPolicy]:
    listed = validation.items("policies", value, "[FederationPolicy('https://idp.example/', audiences=[...])]")
    policies = [item for item in listed if isinstance(item, FederationPolicy)]
    if len(policies) != len(listed):
        raise PolicyError("policies", "it holds something that is not a FederationPolicy", "Read it with read_policies().")
    return policies


def _listed(document: object) -> tuple[bool, Sequence[object]]:
    """Whether the document is one policy, and the policies in it."""
    if isinstance(document, SdkObject):
        return _listed(document.as_dict())
    if not isinstance(document, Mapping):
        return False, validation.items("policies", document, _EXAMPLE, empty=True)
    if "oidc_policy" in document or "issuer" in document:
        return True, [document]
    if document and "policies" not in document and "next_page_token" not in document:
        raise PolicyError("policies", "it is neither a policy nor a list of them", f"Write {_EXAMPLE}.")
    _warn_if_incomplete(document.get("next_page_token"))
    policies = document.get("policies")  # an account without any has an answer without it
    return False, validation.items("policies", () if policies is None else policies, _EXAMPLE, empty=True)


def _warn_if_incomplete(page_token: object) -> None:
    if page_token is not None and not isinstance(page_token, str):
        raise PolicyError("next_page_token", "it is not a string", "Give the API's answer unchanged.")
    if page_token:
        message = "the list of policies goes on (next_page_token); fetch every page, or a policy that matches may be missing"
        warnings.warn(message, IncompletePolicies, stacklevel=4)


def _read(item: object, path: str, account_id: str | None) -> FederationPolicy:
    if not isinstance(item, (Mapping, SdkObject)):
        raise PolicyError(path.rstrip(".") or "policy", "it is not an object", "Write each policy as the API does.")
    try:
        return FederationPolicy.from_databricks(item, account_id=account_id)
    except PolicyError as exc:
        raise PolicyError(f"{path}{exc.field}", exc.problem, exc.fix) from None
