"""What is known of a token's signature: from the keys in a policy itself, or from a verifier that was asked once."""

from __future__ import annotations

from dataclasses import dataclass
from inspect import iscoroutinefunction
from typing import Protocol

from tokenward.databricks.federation.sight import Case
from tokenward.errors import AuthenticationError, PolicyError, TokenRejected
from tokenward.identity import Identity
from tokenward.keys.location import Location, Static
from tokenward.policy import Policy, Route
from tokenward.token.algorithms import ALGORITHMS
from tokenward.token.compact import Compact
from tokenward.token.signature import check_signature

_NOT_JUDGED = "not judged"


class Verifies(Protocol):
    """A Verifier, or whatever judges as one."""

    policy: Policy

    def verify(self, token: str | bytes) -> Identity: ...


@dataclass(frozen=True, slots=True, repr=False)
class SignatureWord:
    """A verifier's verdict on the whole token, of which only what concerns the signature is used."""

    policy: Policy | None = None
    rejection: AuthenticationError | None = None

    def on(self, case: Case, compact: Compact) -> tuple[bool | None, str, AuthenticationError | None]:
        """Whether the signature holds by this policy's keys, what to say of it, and the rejection if there is one."""
        location = case.policy.to_issuer().location
        if isinstance(location, Static):
            return _by_keys_in_hand(location, case, compact)
        if self.policy is None or not _has_keys_of(self.policy, case, location):
            return None, _NOT_JUDGED, None
        return self._verdict()

    def _verdict(self) -> tuple[bool | None, str, AuthenticationError | None]:
        rejection = self.rejection
        if rejection is None or rejection.signature_held:
            return True, "held", None
        if rejection.code in ("unknown_key", "key_not_for_issuer", "signature_invalid"):
            return False, rejection.reason, rejection
        return None, f"{_NOT_JUDGED}: {rejection.reason}", rejection


def signature_word(verifier: Verifies | None, token: bytes) -> SignatureWord:
    """Ask the verifier, if there is one. Raises PolicyError for an async one."""
    if verifier is None:
        return SignatureWord()
    if not hasattr(verifier, "verify") or iscoroutinefunction(verifier.verify):
        raise PolicyError("verifier", "it is not a Verifier", "Pass tokenward.Verifier(policy_of(policies)).")
    try:
        verifier.verify(token)
    except AuthenticationError as rejection:
        return SignatureWord(verifier.policy, rejection.with_traceback(None))
    return SignatureWord(verifier.policy)


def _has_keys_of(policy: Policy, case: Case, location: Location) -> bool:
    route = policy.route(case.policy.issuer)
    return route is not None and route.issuer.location == location and case.claims.get("iss") == case.policy.issuer


def _by_keys_in_hand(location: Static, case: Case, compact: Compact) -> tuple[bool | None, str, AuthenticationError | None]:
    """The policy's own keys need no fetch, and so no verifier."""
    if case.claims.get("iss") != case.policy.issuer or case.header.alg not in ALGORITHMS:
        return None, _NOT_JUDGED, None
    keys = location.keyset.keys.get(case.header.kid, ())
    try:
        check_signature(compact, keys, Route(case.policy.to_issuer(), None), case.whole, None)
    except TokenRejected as rejection:
        return False, rejection.reason, rejection.with_traceback(None)
    return True, "held", None
