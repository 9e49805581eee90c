"""Every step of the walk but the pause for keys, shared by both verifiers.

    recall   seen before, its key still current, its time not over?    memory
    admit    one token, opened; the rules it falls under               token.compact, token.admission
    keys     the only place where the walk can pause: the verifiers'   keys
    settle   signature, claims, caller                                 token.signature, token.claims
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar, assert_never

from tokenward.errors import AuthenticationError, KeysUnavailable, TokenRejected, TokenTooLarge
from tokenward.identity import Identity
from tokenward.keys.freshness import Unavailable, Unknown, Use
from tokenward.keys.jwk import Key
from tokenward.keys.source import Clock, Source
from tokenward.memory import Memory, Remembered, digest_of
from tokenward.policy import Policy
from tokenward.token.admission import Admitted, about, admit
from tokenward.token.claims import CALLER_CHECKS, TOKEN_CHECKS, identity_of
from tokenward.token.compact import Opener
from tokenward.token.signature import check_signature


E = TypeVar("E", bound=AuthenticationError)


@dataclass(slots=True)
class Pending:
    """A token that was admitted and waits for its keys."""

    admitted: Admitted
    source: Source
    digest: bytes

    @property
    def kid(self) -> str | None:
        return self.admitted.compact.header.kid


class Walk:
    """The steps for one policy. `sources` are the policy's keys, by issuer."""

    def __init__(self, policy: Policy, sources: dict[str, Source], memory: Memory, clock: Clock) -> None:
        self._policy = policy
        self._sources = sources
        self._memory = memory
        self._clock = clock
        self._opener = Opener()

    def begin(self, token: bytes) -> Identity | Pending:
        """Recall the token, or admit it. Raises TokenRejected."""
        if len(token) > self._policy.max_token_bytes:
            raise TokenTooLarge("longer than the policy allows", expected=self._policy.max_token_bytes, actual=len(token))
        digest = digest_of(token)
        identity = self._memory.recall(digest, self._clock())
        if identity is not None:
            self._run_custom_checks(identity)
            return identity
        admitted = admit(token, self._policy, self._opener)
        return Pending(admitted, self._sources[admitted.route.issuer.issuer], digest)

    def settled_keys(self, pending: Pending) -> tuple[Key, ...] | None:
        """The keys for the token if they need no decision, which is nearly always."""
        return pending.source.settled(pending.kid, self._clock())

    def require_worth_a_fetch(self, pending: Pending) -> None:
        """Raise TokenRejected if the claims could not pass anyway: a stray token must not cost the issuer a request."""
        try:
            self._judge(pending.admitted)
        except TokenRejected as rejection:
            raise _explained(rejection, pending, False) from None

    def found_keys(self, pending: Pending, decision: Use | Unknown | Unavailable) -> tuple[Key, ...]:
        """What a driver came back with; no keys means that there are none, for sure. Raises KeysUnavailable."""
        match decision:
            case Use(keys):
                return keys
            case Unknown():
                return ()
            case Unavailable(retry_after):
                error = KeysUnavailable("the issuer's keys cannot be had now", retry_after=retry_after)
                raise _explained(error, pending, False)
            case _:
                assert_never(decision)

    def settle(self, pending: Pending, keys: Sequence[Key]) -> Identity:
        """Check the signature, then the claims, then the caller, and remember the token. Raises TokenRejected."""
        admitted, signature_held = pending.admitted, False
        try:
            key = check_signature(admitted, keys, self._policy, pending.source.cloud_instance_name)
            signature_held = True
            self._judge(admitted)
            identity = self._welcome(admitted)
        except TokenRejected as rejection:
            raise _explained(rejection, pending, signature_held) from None
        self._remember(pending, key, identity)
        return identity

    def _judge(self, admitted: Admitted) -> None:
        now = self._clock()
        for check in TOKEN_CHECKS:
            check(admitted.route.issuer, admitted.compact.claims, now)

    def _welcome(self, admitted: Admitted) -> Identity:
        identity = identity_of(admitted.route, admitted.compact.claims)
        for check in CALLER_CHECKS:
            check(admitted.route.issuer, identity)
        self._run_custom_checks(identity)
        return identity

    def _run_custom_checks(self, identity: Identity) -> None:
        """The policy's own checks, which also see every token that was remembered."""
        for check in self._policy.checks:
            try:
                check(identity)
            except TokenRejected as rejection:
                rejection.signature_held, rejection.issuer = True, identity.issuer
                raise

    def _remember(self, pending: Pending, key: Key, identity: Identity) -> None:
        compact, leeway = pending.admitted.compact, pending.admitted.route.issuer.leeway
        self._opener.remember_header(compact)
        starts = [compact.claims[name] for name in ("nbf", "iat") if compact.claims.get(name) is not None]
        opens = max(starts, default=float("-inf")) - leeway
        closes = identity.expires_at + leeway
        kept = Remembered(pending.source, pending.kid, key, opens, closes, compact.claims_json, identity.with_claims({}))
        self._memory.remember(pending.digest, kept)


def _explained(error: E, pending: Pending, signature_held: bool) -> E:
    """Add what the operator's log needs: what the token says of itself, and how old the keys are that judged it."""
    about(error, pending.admitted.compact)
    error.key_age = pending.source.age()
    error.signature_held = signature_held
    return error
