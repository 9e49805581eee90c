"""tokenward as the rows use it: its public surface, with the options that a service would write."""

from __future__ import annotations

import time
from collections.abc import Callable

from benchmarks.provider import InProcess
from benchmarks.tokens import CLIENT, TENANT, Corpus
from tokenward import AsyncVerifier, Issuer, Policy, Verifier, entra
from tokenward.errors import AuthenticationError

Clock = Callable[[], float]


def entra_policy() -> Policy:
    """An API of one's own: v1 and v2 tokens of one tenant, kinds of caller judged, one scope required."""
    return entra.api(client_id=CLIENT, tenants=[TENANT], required_scopes=["jobs.read"])


def static_policy(corpus: Corpus) -> Policy:
    """Any OIDC issuer, its keys given in the configuration."""
    issuer = Issuer(
        corpus.issuer,
        audiences=[corpus.audience],
        algorithms=[corpus.signer.algorithm],
        jwks=corpus.jwks,
        required_claims=["exp", "nbf", "tid", "sub"],
        required_values={"ver": "2.0"},
        required_scopes=["jobs.read"],
    )
    return Policy([issuer])


def verifier(policy: Policy, *, remember: int, clock: Clock | None = None) -> Verifier:
    """With its keys in hand. Fetched keys come in-process, through the same port as from the network."""
    made = Verifier(policy, fetch=InProcess().fetch, remember=remember, observer=None, clock=clock or time.time)
    made.warm_up()
    return made


def async_verifier(policy: Policy, *, remember: int) -> AsyncVerifier:
    return AsyncVerifier(policy, fetch=InProcess().fetch_async, remember=remember, observer=None)


def verdict(made: Verifier, token: str) -> str:
    """ "accepted", or the rejection's code; any other exception is a defect, and ends the run."""
    try:
        made.verify(token)
    except AuthenticationError as error:
        return error.code
    return "accepted"
