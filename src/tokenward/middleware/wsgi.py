"""The WSGI front door (PEP 3333): Flask, Bottle, Pyramid, Falcon, or an app by hand, under any server."""

from __future__ import annotations

import sys
from http.client import responses
from typing import TYPE_CHECKING, Any, Protocol

from tokenward.errors import AuthenticationError
from tokenward.middleware.door import Door, Exempt, require_app, verifier_for
from tokenward.verifier import Verifier

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from tokenward.challenge import Answer
    from tokenward.diagnostics import Diagnostics
    from tokenward.identity import Identity
    from tokenward.policy import Policy

IDENTITY = "tokenward.identity"
CLAIMS = "tokenward.claims"
"""The environ's keys; the values are None where no token was needed."""


class _Start(Protocol):
    def __call__(self, status: str, headers: list[tuple[str, str]], /) -> object: ...


class BearerMiddleware:
    """Guards a WSGI app: every request has a verified identity, or is answered here.

    `environ["tokenward.identity"]` and `environ["tokenward.claims"]` hold the caller; both are None where no token was
    needed. Give either `policy`, or a `verifier` of your own (to share its keys with another front door); the other options
    are Door's, and so is what happens when code of your own raises. `exempt` paths are PATH_INFO, which does not hold
    SCRIPT_NAME.

    An AuthenticationError that the app raises when it is called, such as `errors.InsufficientRole()`, is reported and answered
    in the same way; what it raises later, while it is iterated, comes through.

    It does not check what a caller may do beyond the policy, and makes no request until the first token:
    `application.verifier.warm_up()` fetches keys ahead, and with `required=True` fails a start without them. Apache's mod_wsgi
    hides the header unless `WSGIPassAuthorization On` is set.

    Raises PolicyError.
    """

    def __init__(
        self,
        application: WSGIApplication,
        *,
        policy: Policy | None = None,
        verifier: Verifier | None = None,
        exempt: Exempt = (),
        optional: bool = False,
        realm: str | None = None,
        allow_preflight: bool = False,
        diagnostics: Diagnostics | None = None,
    ) -> None:
        require_app("application", application)
        self.application = application
        self.verifier = verifier_for(Verifier, policy, verifier)
        self._door = Door(exempt=exempt, optional=optional, realm=realm, allow_preflight=allow_preflight, diagnostics=diagnostics)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        try:
            identity = self._identify(environ)
        except AuthenticationError as error:
            return self._refuse(error, environ, start_response)
        environ[IDENTITY] = identity
        environ[CLAIMS] = identity.claims if identity else None
        try:
            return self.application(environ, start_response)
        except AuthenticationError as error:
            raised = sys.exc_info()  # PEP 3333: so that a start_response that the app made is taken back
            return self._refuse(
                self._door.of_app(error, identity), environ, lambda status, headers: start_response(status, headers, raised)
            )

    def _identify(self, environ: WSGIEnvironment) -> Identity | None:
        if not self._door.needs_token(environ, _path, is_preflight):
            return None
        try:
            return self.verifier.authenticate(authorization_values(environ))
        except AuthenticationError as error:
            self._door.tolerate(error)
            return None

    def _refuse(self, error: AuthenticationError, environ: WSGIEnvironment, start_response: _Start) -> list[bytes]:
        method = environ["REQUEST_METHOD"]
        path = _text(environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", ""))
        return send_answer(self._door.refuse(error, method=method, path=path), method, start_response)


def send_answer(answer: Answer, method: str, start_response: _Start) -> list[bytes]:
    """Send a whole answer."""
    start_response(f"{answer.status} {responses.get(answer.status, 'Refused')}", list(answer.headers))
    return [answer.body_for(method)]


def authorization_values(environ: Mapping[str, Any]) -> list[str]:
    """The Authorization header of an environ, or of Django's `request.META`; servers join several with commas."""
    value = environ.get("HTTP_AUTHORIZATION")
    return [] if value is None else [value]


def is_preflight(environ: Mapping[str, Any]) -> bool:
    """Whether a browser asks what it may send (Fetch standard, section 3.2.2); it sends no credentials then."""
    asked = {"HTTP_ORIGIN", "HTTP_ACCESS_CONTROL_REQUEST_METHOD"} <= environ.keys()
    return asked and environ["REQUEST_METHOD"] == "OPTIONS" and "HTTP_AUTHORIZATION" not in environ


def _path(environ: Mapping[str, Any]) -> str:
    return _text(environ.get("PATH_INFO", ""))


def _text(path: str) -> str:
    """The path as its sender meant it: WSGI holds UTF-8 bytes as latin-1 (PEP 3333). Other bytes become surrogates."""
    return path.encode("latin-1", "replace").decode("utf-8", "surrogateescape")
