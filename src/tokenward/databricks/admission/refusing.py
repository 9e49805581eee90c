"""What the gateway answers by itself, marked so that nobody takes it for the upstream's; and what is logged of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tokenward.challenge import POLICY_VIOLATION, Answer
from tokenward.databricks.admission.refusals import (
    ClientTimeout,
    GatewayRefusal,
    RequestMalformed,
    UpgradeNotAllowed,
    answer_of,
    marked,
)
from tokenward.diagnostics import Diagnostics
from tokenward.errors import AuthenticationError
from tokenward.middleware.asgi import deny_websocket
from tokenward.middleware.door import Door

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

ENDING = (RequestMalformed, ClientTimeout)
"""Of what comes after these nobody knows whether it is a request (RFC 9112 section 6.3, RFC 9110 section 15.5.9)."""


class Refusing:
    """Reports refusals, and says what to answer.

    realm        of the challenges
    diagnostics  where refusals are reported

    Raises PolicyError.
    """

    def __init__(self, realm: str | None, diagnostics: Diagnostics | None) -> None:
        self._diagnostics = Diagnostics() if diagnostics is None else diagnostics
        self._door = Door(realm=realm, diagnostics=self._diagnostics)

    def answer(
        self, error: AuthenticationError | GatewayRefusal, *, method: str, path: str, resource_metadata: str | None = None
    ) -> Answer:
        """Report it; the answer, which names the code only to somebody whose token held, or whose request was malformed."""
        if isinstance(error, GatewayRefusal):
            self.report(error, method=method, path=path)
            return marked(answer_of(error), error.code)
        answer = self._door.refuse(error, method=method, path=path, resource_metadata=resource_metadata)
        return marked(answer, error.code if error.signature_held or error.error is None else error.error)

    async def refuse_websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a websocket, as an answer or by closing it."""
        refusal = UpgradeNotAllowed("a websocket")
        answer = self.answer(refusal, method="WEBSOCKET", path=scope["path"])
        await deny_websocket(answer, POLICY_VIOLATION, refusal.public_description, scope, receive, send)

    def report(self, refusal: GatewayRefusal, *, method: str, path: str) -> None:
        """For a refusal that comes too late to be answered."""
        fields = {
            "status": refusal.status,
            "reason": refusal.reason,
            "hint": refusal.hint,
            "expected": refusal.expected,
            "seen": refusal.seen,
            "issuer": refusal.issuer,
            "client": refusal.client,
        }
        self._diagnostics.refused(refusal.code, fields, method=method, path=path)


def ending(answer: Answer, error: Exception, http_version: str) -> Answer:
    """The answer, which says so where the connection has to end with it; HTTP/2 has frames for that, and no such field."""
    if not isinstance(error, ENDING) or http_version not in ("1.0", "1.1"):
        return answer
    return replace(answer, headers=(*answer.headers, ("Connection", "close")))
