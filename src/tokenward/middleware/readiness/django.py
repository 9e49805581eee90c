"""Readiness as a Django view."""

# Django publishes no types of its own.
# mypy: disable-error-code="import-untyped"

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeAlias

from tokenward.errors import PolicyError
from tokenward.middleware.django import response
from tokenward.middleware.readiness.probe import Probe
from tokenward.readiness import Of
from tokenward.verifier import AsyncVerifier, Verifier

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

View: TypeAlias = "Callable[[HttpRequest], HttpResponse | Awaitable[HttpResponse]]"


def readiness(verifier: Verifier | AsyncVerifier, *, of: Of = "all", details: bool = False) -> View:
    """A view: 200 while there are keys to judge tokens with, else 503 and Retry-After.

        path("readyz", readiness(verifier))     # TOKENWARD = {"VERIFIER": verifier, "EXEMPT": ["/readyz"]}

    The arguments are those of the ASGI one; the verifier is the setting's: a Verifier under WSGI, an AsyncVerifier under ASGI.
    It needs no token. Each worker answers for itself. Raises PolicyError; an AsyncVerifier's view does so when it is first asked
    under WSGI.
    """
    from django.core.handlers.wsgi import WSGIRequest  # after tokenward.middleware.django, which says what to do without Django

    probe = Probe(verifier, of=of, details=details)

    def view(request: HttpRequest) -> HttpResponse:
        return response(probe.answer(request.method), request.method)

    async def async_view(request: HttpRequest) -> HttpResponse:
        if isinstance(request, WSGIRequest):  # each of its questions has an event loop of its own, in which no fetch could end
            problem = "it is an AsyncVerifier, and this service runs under WSGI"
            raise PolicyError("verifier", problem, "Give a Verifier, here and to the middleware.")
        return view(request)

    return async_view if isinstance(verifier, AsyncVerifier) else view
