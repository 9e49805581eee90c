"""Every step of the walk but the pause for keys, shared by both verifiers.

* recall: seen before, its key still current, its time not over? (memory)
* admit: one token, opened; the rules it falls under (token.compact, token.admission)
* keys: the only place where the walk can pause, which is the verifiers' (keys)
* conclude: signature, claims, caller (token.signature, token.claims)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar, assert_never

from tokenward.errors import AuthenticationError, ClientNotAllowed, KeysUnavailable, MalformedToken, TokenRejected, TokenTooLarge
from tokenward.identity import Identity, client_of
from tokenward.keys.freshness import Unavailable, Unknown, Use
from tokenward.keys.jwk import Key
from tokenward.keys.source import Clock, Source
from tokenward.memory import Memory, Remembered, digest_of
from tokenward.policy import Policy, Route
from tokenward.token.admission import admit, note_origin
from tokenward.token.claims import TOKEN_CHECKS, caller_checks_of, identity_of, lifetime
from tokenward.token.compact import Compact, Opener
from tokenward.token.signature import check_signature

E = TypeVar("E", bound=AuthenticationError)


@dataclass(slots=True, repr=False)
class Pending:
    """A token that was admitted, and needs its keys. Still unverified."""

    compact: Compact
    route: Route
    source: Source
    digest: bytes


class Walk:
    """The steps for one policy. `sources` are the policy's keys, by issuer."""

    def __init__(self, policy: Policy, sources: Mapping[str, Source], memory: Memory, clock: Clock) -> None:
        self._policy = policy
        self._sources = sources
        self._memory = memory
        self._clock = clock
        self._opener = Opener()
        self._caller_checks = {issuer.issuer: caller_checks_of(issuer) for issuer in policy.issuers}

    def begin(self, token: bytes) -> Identity | Pending:
        """Recall the token, or admit it. Raises TokenRejected."""
        if len(token) > self._policy.max_token_bytes:
            raise TokenTooLarge("longer than the policy allows", expected=self._policy.max_token_bytes, actual=len(token))
        if b"." not in token:
            raise MalformedToken("not three parts joined by dots")
        digest = digest_of(token)
        identity = self._memory.recall(digest, self._clock())
        if identity is not None:
            if self._policy.checks:
                self._run_custom_checks(identity)
            return identity
        compact = self._opener.open(token)
        route = admit(compact, self._policy)
        return Pending(compact, route, self._sources[route.issuer.issuer], digest)

    def keys_in_hand(self, pending: Pending) -> tuple[Key, ...] | None:
        """The keys for the token if they need no decision, which is nearly always."""
        return pending.source.in_hand(pending.compact.header.kid, self._clock())

    def require_worth_a_fetch(self, pending: Pending) -> None:
        """Raise TokenRejected if the claims could not pass anyway: a stray token must not cost the issuer a request."""
        try:
            self._judge(pending)
        except TokenRejected as rejection:
            raise _explained(rejection, pending, False) from None

    def keys_of(self, pending: Pending, decision: Use | Unknown | Unavailable) -> tuple[Key, ...]:
        """What a driver came back with; no keys means that there are none, for sure. Raises KeysUnavailable."""
        match decision:
            case Use(keys):
                return keys
            case Unknown():
                return ()
            case Unavailable(retry_after):
                raise _explained(KeysUnavailable("the issuer's keys cannot be had now", retry_after=retry_after), pending, False)
            case _:
                assert_never(decision)

    def conclude(self, pending: Pending, keys: Sequence[Key]) -> Identity:
        """Check the signature, then the claims, then the caller, and remember the token. Raises TokenRejected."""
        signature_held = False
        try:
            key = check_signature(pending.compact, keys, pending.route, self._policy, pending.source.cloud_instance_name)
            signature_held = True
            self._judge(pending)
            identity = self._welcome(pending)
        except TokenRejected as rejection:
            raise _explained(rejection, pending, signature_held) from None
        self._remember(pending, key, identity)
        return identity

    def _judge(self, pending: Pending) -> None:
        issuer, claims, now = pending.route.issuer, pending.compact.claims, self._clock()
        for check in TOKEN_CHECKS:
            check(issuer, claims, now)

    def _welcome(self, pending: Pending) -> Identity:
        issuer = pending.route.issuer
        identity = identity_of(issuer, pending.compact.claims)
        for check in self._caller_checks[issuer.issuer]:
            check(issuer, identity)
        if self._policy.checks:
            self._run_custom_checks(identity)
        return identity

    def _run_custom_checks(self, identity: Identity) -> None:
        """The policy's own checks, which also see every token that was remembered."""
        for check in self._policy.checks:
            try:
                if check(identity) is not None:  # False must not pass for a refusal
                    raise ClientNotAllowed("a check of the policy returned something; it must raise to refuse, and return None")
            except TokenRejected as rejection:
                rejection.signature_held, rejection.issuer = True, identity.issuer
                if type(rejection) is TokenRejected or not hasattr(rejection, "code"):
                    raise ClientNotAllowed(rejection.reason, issuer=identity.issuer) from None
                raise

    def _remember(self, pending: Pending, key: Key, identity: Identity) -> None:
        compact = pending.compact
        self._opener.remember_header(compact)
        if self._memory.wants(compact.claims_json):
            opens, closes = lifetime(pending.route.issuer, compact.claims)
            kept = identity.with_claims({})
            cloud = pending.source.cloud_instance_name
            entry = Remembered(pending.source, compact.header.kid, key, opens, closes, compact.claims_json, kept, cloud)
            self._memory.remember(pending.digest, entry)


def _explained(error: E, pending: Pending, signature_held: bool) -> E:
    """Add what the operator's log needs: what the token says of itself, and how old the keys are that judged it."""
    note_origin(error, pending.compact)
    error.key_age = pending.source.age()
    error.signature_held = signature_held
    if signature_held:
        client: object = client_of(pending.compact.claims)
        error.client = client if isinstance(client, str) else None
    return error
