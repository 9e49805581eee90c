"""Whether a request may go on, to where, and under which token: the one verdict of the gateway and of forward-auth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tokenward import validation
from tokenward.databricks.access import AccessToken
from tokenward.databricks.gateway.credentials import Credentials, authorizer_of
from tokenward.databricks.gateway.path import Target
from tokenward.databricks.gateway.rules import Rule, Rules
from tokenward.errors import AuthenticationError
from tokenward.identity import Identity
from tokenward.token.authorization import bearer_token
from tokenward.verifier import AsyncVerifier


@dataclass(frozen=True, slots=True)
class Admitted:
    """A request that may go on: whose it is, the token to send on, and the rule that lets it pass."""

    identity: Identity
    access: AccessToken
    rule: Rule


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
        identity = await self._verifier.authenticate(values)
        rule = self._rules.match(method, target.path)
        try:
            access = await self._authorizer.access_for(bearer_token(values), identity)
        except AuthenticationError as error:
            raise _of_known_caller(error, identity) from None
        return Admitted(identity, access, rule)


def _of_known_caller(error: AuthenticationError, caller: Identity) -> AuthenticationError:
    """The error, with what is known of the caller since the token was verified."""
    error.signature_held = True
    error.issuer, error.client = caller.issuer, caller.client_id
    return error
