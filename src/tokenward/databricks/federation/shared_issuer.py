"""Several federation policies of one issuer, as one Issuer and one check.

An account has one policy for each workload of the same provider, and a tokenward Policy finds its rules by `iss`. Joining the
lists alone would let a token take its audience from one policy and its subject from another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from tokenward.databricks.federation.federation_policy import FederationPolicy
from tokenward.errors import ClaimMalformed, PolicyError, TokenRejected
from tokenward.identity import Claims, Identity
from tokenward.issuer import Issuer
from tokenward.token.claims import CLAIM_CHECKS


def joined(policies: Sequence[FederationPolicy]) -> Issuer:
    """What the policies of one issuer have in common. Alone it is too wide: `OneOfSeveral` must judge as well.

    Raises PolicyError where they differ in what an Issuer can have only one of.
    """
    first = policies[0].to_issuer()
    if len(policies) == 1:
        return first
    for policy in policies[1:]:
        _require_same("subject_claim", policy.subject_claim == policies[0].subject_claim, policies[0], policy)
        _require_same("jwks_uri", policy.to_issuer().location == first.location, policies[0], policy)
    audiences = dict.fromkeys(name for policy in policies for name in policy.audiences)
    return replace(first, audiences=tuple(audiences), required_values={})


class OneOfSeveral:
    """A check of a Policy: the claims satisfy one federation policy of their issuer as a whole.

    Issuers with one policy are not looked at, because their Issuer has judged everything.
    """

    def __init__(self, policies: Mapping[str, Sequence[FederationPolicy]]) -> None:
        self._claims = {issuer: shared[0].subject_claim for issuer, shared in policies.items() if len(shared) > 1}
        self._by_subject: dict[tuple[str, str | None], list[Issuer]] = {}
        for issuer in self._claims:
            for policy in policies[issuer]:
                self._by_subject.setdefault((issuer, policy.subject), []).append(policy.to_issuer())

    def __call__(self, identity: Identity) -> None:
        claim = self._claims.get(identity.issuer)
        if claim is None:
            return
        rejection: TokenRejected = ClaimMalformed(f"{claim} is not the subject of any policy", claim=claim)
        for issuer in self._candidates(identity.issuer, identity.claims.get(claim)):
            refused = _judge(issuer, identity.claims)
            if refused is None:
                return
            rejection = refused
        raise rejection

    def _candidates(self, issuer: str, subject: str | None) -> list[Issuer]:
        """Found by subject in one step, however many workloads have a policy; account-wide ones take any subject."""
        own = self._by_subject.get((issuer, subject), []) if subject is not None else []
        return own + self._by_subject.get((issuer, None), [])


def _judge(issuer: Issuer, claims: Claims) -> TokenRejected | None:
    try:
        for _, check in CLAIM_CHECKS:
            check(issuer, claims)
    except TokenRejected as rejection:
        return rejection
    return None


def _require_same(field: str, is_same: bool, one: FederationPolicy, other: FederationPolicy) -> None:
    if not is_same:
        problem = (
            f"{one.label} and {other.label} are policies of {one.issuer} that differ in it (or in the keys that it stands for)"
        )
        raise PolicyError(field, problem, "Make a Policy for each, and let each service believe the one that it is for.")
