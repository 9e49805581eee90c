"""Whether a federated token is accepted, and as whom: the account's federation policies, enforced with real signature checks.

Rules: docs.databricks.com/aws/en/dev-tools/auth/oauth-federation-policy. A policy of a service principal counts only for a
request that names it by `client_id`, and a policy of the account only for one that names nobody.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tokenward.databricks.federation.policies import FederationPolicy
from tokenward.errors import KeysUnavailable, PolicyError, TokenRejected
from tokenward.identity import Identity
from tokenward.keys.port import Fetch
from tokenward.keys.rhythm import Rhythm
from tokenward.policy import Policy
from tokenward.testing.workspace.shapes import audience_invalid, no_policy
from tokenward.token.compact import Opener
from tokenward.verifier import Verifier

EAGER = Rhythm(
    miss_cooldown=0.0, min_gap=0.01, backoff=0.05, backoff_max_empty=0.05, backoff_max=0.05, removal_grace=0.0, max_wait=5.0
)
"""A test that rotates a key wants it used at once; nobody is protected from anything here."""
NO_CONFIGURATION = "Unable to load valid OpenID configuration for issuer"
"""Recorded when a policy is made; that an exchange says it, too, is assumed."""


class NotFederated(Exception):
    """The token is not accepted. The text is what the endpoint says; `reason` is a code of tokenward's, for whoever tests."""

    def __init__(self, text: str, reason: str) -> None:
        super().__init__(text)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Federated:
    """An accepted token: the value of its subject claim, and until when it is valid."""

    policy: FederationPolicy
    subject: str
    expires_at: float


class Federation:
    """The policies of one account, which may be changed at any time."""

    def __init__(self, account_id: str, fetch: Fetch, clock: Callable[[], float]) -> None:
        self._account_id = account_id
        self._fetch = fetch
        self._clock = clock
        self._held: list[tuple[FederationPolicy, Verifier]] = []
        self._lock = threading.Lock()

    @property
    def policies(self) -> list[FederationPolicy]:
        return [policy for policy, _ in self._held]

    def add(self, given: Mapping[str, object]) -> FederationPolicy:
        """A policy as Databricks' API writes it. Raises PolicyError."""
        policy = FederationPolicy.from_databricks(given, account_id=self._account_id)
        if policy.service_principal_id is None and policy.subject is not None:
            fix = "Leave subject out, or give the service_principal_id that the policy is of."
            raise PolicyError("subject", "it is set, and this is a policy of the account", fix)
        verifier = Verifier(
            Policy([policy.to_issuer()]), clock=self._clock, fetch=self._fetch, rhythm=EAGER, remember=0, observer=None
        )
        with self._lock:
            self._held = [*self._held, (policy, verifier)]
        return policy

    def clear(self) -> None:
        with self._lock:
            ended, self._held = self._held, []
        for _, verifier in ended:
            verifier.close()

    def judge(self, token: str, service_principal_id: str | None) -> Federated:
        """Try every policy of the kind that is asked for. Raises NotFederated."""
        claims = _claims(token)
        reasons: list[NotFederated] = []
        for policy, verifier in self._held:
            if policy.issuer == claims.get("iss") and _concerns(policy, service_principal_id):
                try:
                    return _federated(policy, verifier.verify(token), claims)
                except NotFederated as reason:
                    reasons.append(reason)
                except (TokenRejected, KeysUnavailable) as rejection:
                    reasons.append(_refusal(policy, rejection, claims))
        raise _telling(reasons) or NotFederated(_none(claims), "no_policy")


def _concerns(policy: FederationPolicy, service_principal_id: str | None) -> bool:
    own = policy.service_principal_id
    return (None if own is None else str(own)) == service_principal_id


def _federated(policy: FederationPolicy, identity: Identity, claims: Mapping[str, object]) -> Federated:
    subject = identity.claims.get(policy.subject_claim)
    if not isinstance(subject, str) or (policy.subject is not None and subject != policy.subject):
        raise NotFederated(_none(claims), "subject")
    return Federated(policy, subject, identity.expires_at)


def _refusal(policy: FederationPolicy, rejection: TokenRejected | KeysUnavailable, claims: Mapping[str, object]) -> NotFederated:
    if isinstance(rejection, KeysUnavailable):
        return NotFederated(f"{NO_CONFIGURATION}: {policy.issuer}", rejection.code)
    if rejection.code == "audience_not_accepted":
        seen, accepted = claims.get("aud"), ", ".join(policy.audiences)
        return NotFederated(audience_invalid(seen, policy.issuer, accepted), rejection.code)
    return NotFederated(_none(claims), rejection.code)  # no text for an expired or forged token was seen recorded


def _telling(reasons: list[NotFederated]) -> NotFederated | None:
    """An audience that does not fit says more than a policy that does not."""
    return next((reason for reason in reasons if reason.reason == "audience_not_accepted"), reasons[0] if reasons else None)


def _none(claims: Mapping[str, object]) -> str:
    return no_policy(claims.get("iss"), claims.get("sub"), claims.get("aud"))


def _claims(token: str) -> Mapping[str, object]:
    """The claims, not verified: they only choose among the policies."""
    try:
        return _OPENER.open(token.encode("ascii", "replace")).claims
    except TokenRejected as rejection:
        raise NotFederated(no_policy("", "", ""), rejection.code) from None


_OPENER = Opener()
