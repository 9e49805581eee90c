"""Every step of the walk but the pause for keys, shared by both verifiers.

* begin: seen before, its key still current, its time not over? (memory) Else opened, its header judged (token.compact,
  token.header), and the issuer's rules found (token.admission)
* keys in hand: nearly always (keys). Else claims and time are judged, unproved, to see whether a fetch is worth while, and the
  walk pauses: the only place where it can, and the verifiers' own
* conclude: signature, claims, time, caller (token.signature, token.claims, token.lifetime, token.caller)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar, assert_never

from tokenward.errors import (
    AuthenticationError,
    ClientNotAllowed,
    KeysUnavailable,
    MalformedToken,
    TokenRejected,
    TokenTooLarge,
    with_code,
)
from tokenward.identity import Identity, client_of
from tokenward.keys.decision import Answer, Unavailable, Unknown, Use
from tokenward.keys.jwk import Key
from tokenward.keys.source import Clock, KeySource, Source
from tokenward.memory import NO_CLAIMS, Memory, Remembered, digest_of
from tokenward.policy import Policy, Route
from tokenward.redaction import fingerprint
from tokenward.token.admission import admit, note_origin
from tokenward.token.caller import caller_checks_of, identity_of
from tokenward.token.claims import CLAIM_CHECKS
from tokenward.token.compact import Compact, Opener
from tokenward.token.lifetime import check_window
from tokenward.token.signature import check_signature

E = TypeVar("E", bound=AuthenticationError)

_CLAIM_CHECKS = tuple(row.check for row in CLAIM_CHECKS)


@dataclass(slots=True, repr=False)
class Pending:
    """A token that was admitted, and needs its keys. Still unverified."""

    compact: Compact
    route: Route
    source: Source
    digest: bytes


@dataclass(frozen=True, slots=True)
class Search:
    """The keys must be asked for: the walk pauses here, and goes on with what the driver of the source finds."""

    source: KeySource
    kid: str | None


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
        """Recall the token, or open and admit it. Raises TokenRejected."""
        if len(token) > self._policy.max_token_bytes:
            raise TokenTooLarge("longer than the policy allows", expected=self._policy.max_token_bytes, actual=len(token))
        if b"." not in token:
            raise MalformedToken("not three parts joined by dots")
        digest = digest_of(token)
        remembered = self._memory.recall(digest, self._clock())
        if remembered is not None:
            return self._welcome_again(remembered, digest)
        try:
            compact = self._opener.open(token)
            route = admit(compact, self._policy)
        except MalformedToken:  # may be anything, even a password with dots: it gets no fingerprint
            raise
        except TokenRejected as rejection:
            rejection.fingerprint = fingerprint(digest)
            raise
        return Pending(compact, route, self._sources[route.issuer.issuer], digest)

    def keys_in_hand(self, pending: Pending) -> Sequence[Key] | Search:
        """The keys for the token if they need no decision, which is nearly always.

        Raises TokenRejected rather than search for a token that could not pass anyway: a stray token must not cost the
        issuer a request.
        """
        source, kid = pending.source, pending.compact.header.kid
        keys = source.in_hand(kid, self._clock())
        if keys is not None:
            return keys
        if not isinstance(source, KeySource):  # keys from the configuration: what is not there will not come
            return ()
        try:
            self._judge(pending)
        except TokenRejected as rejection:
            _explained(rejection, pending)
            raise
        return Search(source, kid)

    def keys_found(self, pending: Pending, decision: Answer) -> Sequence[Key]:
        """What a driver came back with; no keys means that there are none, for sure. Raises KeysUnavailable."""
        match decision:
            case Use(keys):
                return keys
            case Unknown():
                return ()
            case Unavailable(retry_after):
                raise _explained(KeysUnavailable("the issuer's keys cannot be had now", retry_after=retry_after), pending)
            case _:
                assert_never(decision)

    def conclude(self, pending: Pending, keys: Sequence[Key]) -> Identity:
        """Check the signature, then the claims, then the caller, and remember the token. Raises TokenRejected."""
        signature_held = False
        try:
            key = check_signature(pending.compact, keys, pending.route, self._policy, pending.source.cloud_instance_name)
            signature_held = True
            times = self._judge(pending)
            identity = self._identity(pending)
            kept = identity.with_claims(NO_CLAIMS)  # before checks of the user's own, which may write to theirs
            self._run_own_checks(identity)
        except AuthenticationError as rejection:
            rejection.signature_held = signature_held
            _explained(rejection, pending)
            raise
        self._remember(pending, key, kept, times)
        return identity

    def _judge(self, pending: Pending) -> tuple[float, float]:
        """The window in which the token is valid, if its claims are good. Raises TokenRejected."""
        issuer, claims = pending.route.issuer, pending.compact.claims
        for check in _CLAIM_CHECKS:
            check(issuer, claims)
        return check_window(issuer, claims, self._clock())

    def _identity(self, pending: Pending) -> Identity:
        issuer = pending.route.issuer
        identity = identity_of(issuer, pending.compact.claims)
        for check in self._caller_checks[issuer.issuer]:
            check(issuer, identity)
        return identity

    def _welcome_again(self, remembered: Remembered, digest: bytes) -> Identity:
        identity = remembered.identity_afresh()
        try:
            self._run_own_checks(identity)
        except AuthenticationError as rejection:
            header = remembered.header
            rejection.kid, rejection.algorithm, rejection.issuer = header.kid, header.alg, identity.issuer
            rejection.client, rejection.key_age, rejection.signature_held = identity.client_id, remembered.source.age(), True
            rejection.fingerprint = fingerprint(digest)
            raise
        return identity

    def _run_own_checks(self, identity: Identity) -> None:
        """The policy's own checks, which also see every token that was remembered. What else they raise comes through."""
        for check in self._policy.checks:
            try:
                verdict: object = check(identity)
            except AuthenticationError as rejection:
                coded = with_code(rejection)
                if coded is rejection:
                    raise
                raise coded from rejection
            if verdict is not None:  # False must not pass for a refusal
                reason = "a check of the policy returned something; it must raise to refuse, and return None"
                raise ClientNotAllowed(reason, claim="check")

    def _remember(self, pending: Pending, key: Key, kept: Identity, times: tuple[float, float]) -> None:
        compact, source = pending.compact, pending.source
        self._opener.remember_header(compact)
        if self._memory.is_on:
            entry = Remembered(source, compact.header, key, *times, compact.claims_json, kept, source.cloud_instance_name)
            self._memory.remember(pending.digest, entry)


def _explained(error: E, pending: Pending) -> E:
    """Add what the operator's log needs: which token it was, what it says of itself, and how old the keys are that judged it."""
    note_origin(error, pending.compact)
    error.fingerprint = fingerprint(pending.digest)
    error.key_age = pending.source.age()
    if error.signature_held:
        client: object = client_of(pending.compact.claims)
        error.client = client if isinstance(client, str) else None
    return error
