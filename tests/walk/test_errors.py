"""The closed set of verdicts: the tree as drawn, the codes as promised, and nothing of a request in any text."""

from __future__ import annotations

import re

import pytest

from tokenward import errors
from tokenward.errors import CODES, UNVERIFIED_DESCRIPTION, AuthenticationError, PolicyError, ServiceUnavailable, TokenRejected

PROMISED = {
    "missing_token": (401, None),
    "invalid_authorization": (400, "invalid_request"),
    "multiple_tokens": (400, "invalid_request"),
    "token_too_large": (401, "invalid_token"),
    "malformed_token": (401, "invalid_token"),
    "algorithm_not_allowed": (401, "invalid_token"),
    "token_type_not_accepted": (401, "invalid_token"),
    "critical_header_unsupported": (401, "invalid_token"),
    "issuer_not_trusted": (401, "invalid_token"),
    "tenant_not_allowed": (401, "invalid_token"),
    "audience_not_accepted": (401, "invalid_token"),
    "unknown_key": (401, "invalid_token"),
    "key_not_for_issuer": (401, "invalid_token"),
    "signature_invalid": (401, "invalid_token"),
    "token_expired": (401, "invalid_token"),
    "token_not_yet_valid": (401, "invalid_token"),
    "claim_missing": (401, "invalid_token"),
    "claim_malformed": (401, "invalid_token"),
    "caller_kind_not_allowed": (403, "insufficient_scope"),
    "client_not_allowed": (403, "insufficient_scope"),
    "guest_not_allowed": (403, "insufficient_scope"),
    "insufficient_scope": (403, "insufficient_scope"),
    "insufficient_role": (403, "insufficient_scope"),
    "user_not_in_workspace": (403, "insufficient_scope"),
    "claims_challenge": (401, "insufficient_claims"),
    "keys_unavailable": (503, None),
    "exchange_refused": (401, "invalid_token"),
    "exchange_unavailable": (503, None),
}


def test_the_codes_are_the_promised_ones_with_their_status_and_oauth_error() -> None:
    assert {code: (cls.status, cls.error) for code, cls in CODES.items()} == PROMISED


def test_the_tree_is_as_drawn() -> None:
    drawn: dict[str, tuple[str | None, str]] = {}
    above: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        found = re.fullmatch(r"([│├└─ ]*)([A-Z]\w+)(?: +(.*))?", line)
        if found is None or not (found[1] or found[2] == "AuthenticationError"):
            continue
        depth = len(found[1]) // 4
        above[depth:] = [found[2]]
        drawn[found[2]] = (above[depth - 1] if depth else None, found[3] or "")
    real = {cls.__name__: cls for cls in _everything_below(AuthenticationError)}
    assert set(drawn) == set(real)
    for name, (parent, text) in drawn.items():
        assert parent == (None if parent is None else real[name].__bases__[0].__name__)
        if not real[name].__subclasses__():
            assert text == real[name].code


def _everything_below(cls: type[AuthenticationError]) -> list[type[AuthenticationError]]:
    return [
        cls,
        *(found for below in cls.__subclasses__() if below.__module__ == errors.__name__ for found in _everything_below(below)),
    ]


def test_what_we_cannot_tell_is_never_the_callers_fault() -> None:
    for cls in CODES.values():
        assert issubclass(cls, TokenRejected) != issubclass(cls, ServiceUnavailable)
        assert (cls.status == 503) == issubclass(cls, ServiceUnavailable)


@pytest.mark.parametrize("code", sorted(CODES))
def test_every_error_has_a_text_of_its_own_that_holds_nothing_of_the_request(code: str) -> None:
    error = CODES[code]()
    assert str(error) == code
    assert error.description.isascii()
    assert '"' not in error.description
    assert "\\" not in error.description
    if code == "claims_challenge":
        return
    full = CODES[code](
        "our sentence", claim="sub", expected="canary", actual="canary", issuer="canary", kid="canary", algorithm="canary"
    )
    assert str(full) == f"{code}: our sentence"
    assert "canary" not in repr(full)
    assert "canary" not in repr(full.args)
    assert repr(full) == f"<{type(full).__name__} {code}: our sentence>"


@pytest.mark.parametrize("code", sorted(CODES))
def test_a_caller_reads_details_only_once_the_signature_held(code: str) -> None:
    error = CODES[code]()
    before = error.public_description
    error.signature_held = True
    assert error.public_description == error.description
    assert before == (UNVERIFIED_DESCRIPTION if error.error == "invalid_token" else error.description)


def test_a_policy_error_says_field_problem_and_fix() -> None:
    error = PolicyError("leeway", "it is negative", "Give 0.")
    assert (str(error), error.field, error.problem, error.fix) == (
        "leeway: it is negative. Give 0.",
        "leeway",
        "it is negative",
        "Give 0.",
    )
    assert isinstance(error, ValueError)
    assert not isinstance(error, AuthenticationError)
