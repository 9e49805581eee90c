"""What every readiness address has in common: what it may be asked, and that asking makes keys come."""

from __future__ import annotations

from typing import cast, get_args

from tokenward import validation
from tokenward.challenge import Answer
from tokenward.errors import PolicyError
from tokenward.readiness import METHOD_NOT_ALLOWED, METHODS, Of, readiness
from tokenward.verifier import AsyncVerifier, Verifier


class Probe:
    """Answers GET and HEAD with what `tokenward.readiness` says of a verifier's keys, and anything else with 405.

    Each question also begins the fetches that are due, and waits for none: where nothing warms the keys ahead, nobody else
    might ever ask for them, because requests come only to who is ready. How often it is asked does not matter to the issuer.

    Raises PolicyError.
    """

    def __init__(self, verifier: Verifier | AsyncVerifier, *, of: Of = "all", details: bool = False) -> None:
        if not isinstance(verifier, (Verifier, AsyncVerifier)):
            problem = "it is neither a Verifier nor an AsyncVerifier"
            raise PolicyError("verifier", problem, "Give the one that the middleware has: its attribute `verifier`.")
        self._verifier = verifier
        self._of: Of = cast("Of", validation.choices("of", [of], get_args(Of))[0])
        self._details = validation.boolean("details", details)

    def answer(self, method: str | None) -> Answer:
        if method not in METHODS:
            return METHOD_NOT_ALLOWED
        self._verifier.fetch_due()
        return readiness(self._verifier.status(), of=self._of, details=self._details)
