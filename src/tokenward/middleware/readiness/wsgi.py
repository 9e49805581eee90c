"""Readiness as a WSGI app."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tokenward.errors import PolicyError
from tokenward.middleware.readiness.probe import Probe
from tokenward.middleware.wsgi import send_answer
from tokenward.readiness import Of
from tokenward.verifier import Verifier

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse, WSGIEnvironment


class Readiness:
    """200 while there are keys to judge tokens with, else 503 and Retry-After.

        ready = Readiness(guarded.verifier)

        def application(environ, start_response):
            return (ready if environ["PATH_INFO"] == "/readyz" else guarded)(environ, start_response)

    The arguments are those of the ASGI one. It answers at any path, and needs no token. Each worker answers for itself.
    Raises PolicyError.
    """

    def __init__(self, verifier: Verifier, *, of: Of = "all", details: bool = False) -> None:
        if not isinstance(verifier, Verifier):
            raise PolicyError("verifier", "it is not a Verifier", "Under WSGI there is no event loop for another kind.")
        self._probe = Probe(verifier, of=of, details=details)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        method = environ["REQUEST_METHOD"]
        return send_answer(self._probe.answer(method), method, start_response)
