"""Whether a request may go on, by which rule, and under which token: what the gateway and forward-auth ask alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from tokenward import validation
from tokenward.databricks.access import AccessToken
from tokenward.databricks.admission.credentials import Credentials, authorizer_of
from tokenward.databricks.admission.path import Target
from tokenward.databricks.admission.refusals import GatewayRefusal
from tokenward.databricks.admission.rule import Rule
from tokenward.databricks.admission.rules import Rules
from tokenward.errors import AuthenticationError
from tokenward.identity import Identity
from tokenward.token.authorization import bearer_token
from tokenward.verifier import AsyncVerifier


@dataclass(frozen=True, slots=True)
class Admitted:
    """A request that may go on: whose it is, and the token to send on."""

    identity: Identity
    access: AccessToken


class Admission:
    """Judges requests, in this order: the token, then method and path, then whether there are credentials to go on with.

    So a stranger learns nothing of the rules, and no token is exchanged for a request that would not be let through.
    """

    def __init__(self, verifier: AsyncVerifier, credentials: Credentials, rules: Rules, clock: Callable[[], float]) -> None:
        self._verifier = verifier
        self._rules = rules
        self._authorizer = authorizer_of(credentials, validation.clock("clock", clock))

    async def admit(self, values: Sequence[bytes], method: str, target: Target) -> Admitted:
        """The verdict on the Authorization values of a request, its method and its checked target.

        Raises AuthenticationError and GatewayRefusal.
        """
        identity, _ = await self.identify(values, method, target)
        return Admitted(identity, await self.authorize(values, identity))

    async def identify(self, values: Sequence[bytes], method: str, target: Target) -> tuple[Identity, Rule]:
        """The first two questions: who calls, and which rule lets it pass. Raises AuthenticationError and GatewayRefusal."""
        identity = await self._verifier.authenticate(values)
        try:
            return identity, self._rules.match(method, target.path)
        except GatewayRefusal as refusal:
            raise of_known_caller(refusal, identity) from None

    async def authorize(self, values: Sequence[bytes], identity: Identity) -> AccessToken:
        """The third: the token to go on with. Raises AuthenticationError."""
        try:
            return await self._authorizer.access_for(bearer_token(values), identity)
        except AuthenticationError as error:
            error.signature_held = True
            raise of_known_caller(error, identity) from None


R = TypeVar("R", AuthenticationError, GatewayRefusal)


def of_known_caller(error: R, caller: Identity) -> R:
    """The error, with what is known of the caller since the token was verified."""
    error.issuer, error.client = caller.issuer, caller.client_id
    return error
