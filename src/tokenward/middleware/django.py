"""The Django front door: one middleware for WSGI and for ASGI, configured by the setting TOKENWARD."""

# Django publishes no types of its own.
# mypy: disable-error-code="import-untyped"

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from tokenward.challenge import Answer
from tokenward.errors import AuthenticationError, PolicyError
from tokenward.middleware.door import Door, verifier_for
from tokenward.middleware.wsgi import authorization_values, is_preflight
from tokenward.verifier import AsyncVerifier, Verifier

try:
    from asgiref.sync import iscoroutinefunction, markcoroutinefunction
    from django.conf import settings
    from django.core.exceptions import ImproperlyConfigured
    from django.http import HttpRequest, HttpResponse
    from django.utils.module_loading import import_string
except ModuleNotFoundError as exc:
    raise ImportError("tokenward.middleware.django needs Django: install tokenward with the extra django") from exc

if TYPE_CHECKING:
    from tokenward.identity import Identity

SETTING = "TOKENWARD"
KEYS = ("POLICY", "VERIFIER", "EXEMPT", "OPTIONAL", "REALM", "ALLOW_PREFLIGHT", "DIAGNOSTICS")
OBJECTS = ("POLICY", "VERIFIER", "DIAGNOSTICS")
"""Keys whose value may also be the dotted path of an object."""

V = TypeVar("V", Verifier, AsyncVerifier)

GetResponse: TypeAlias = Callable[[HttpRequest], Any]


class BearerMiddleware:
    """Guards a Django site: every request has a verified identity, or is answered here.

    `request.identity` and `request.claims` hold the caller; both are None where no token was needed. The setting is

        TOKENWARD = {
            "POLICY": entra.databricks(tenant=...),
            "VERIFIER": None,                        # instead of POLICY: one of your own, such as in tests
            "EXEMPT": ["/health", "/public/*"],      # this and the rest may be left out: they are the options of Door
            "OPTIONAL": False,
            "REALM": None,
            "ALLOW_PREFLIGHT": False,
            "DIAGNOSTICS": None,
        }

    POLICY, VERIFIER and DIAGNOSTICS may also be given as dotted paths, such as "project.auth.policy". A VERIFIER is a Verifier
    under WSGI and an AsyncVerifier under ASGI (or a Verifier, if some
    middleware below is sync-only). What happens when code of your own raises is Door's.

    An AuthenticationError that a view raises, such as `errors.InsufficientRole()`, is reported and answered in the same way.

    Put it into MIDDLEWARE below SecurityMiddleware and any CORS middleware. Under ASGI it verifies in the event loop and blocks
    nothing; if middleware below it is sync-only, Django runs both in a thread. It does not sign anybody in (`request.user` is not
    touched), and views that are called with tokens need Django's `csrf_exempt` where CsrfViewMiddleware is in use.

    Raises ImproperlyConfigured when Django starts.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        self._answer: GetResponse
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)
            async_verifier, self._door = _configured(AsyncVerifier)
            self._answer = partial(self._answer_async, async_verifier)
        else:
            verifier, self._door = _configured(Verifier)
            self._answer = partial(self._answer_sync, verifier)

    def __call__(self, request: HttpRequest) -> HttpResponse | Awaitable[HttpResponse]:
        return self._answer(request)

    def _answer_sync(self, verifier: Verifier, request: HttpRequest) -> HttpResponse:
        try:
            identity = self._identify(verifier, request) if self._needs_token(request) else None
        except AuthenticationError as error:
            return self._refused(error, request)
        return self.get_response(_with_identity(request, identity))

    async def _answer_async(self, verifier: AsyncVerifier, request: HttpRequest) -> HttpResponse:
        try:
            identity = await self._identify_async(verifier, request) if self._needs_token(request) else None
        except AuthenticationError as error:
            return self._refused(error, request)
        return await self.get_response(_with_identity(request, identity))

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Django's hook for what a view raises: an AuthenticationError is reported and answered as the middleware's own are."""
        if not isinstance(exception, AuthenticationError):
            return None
        return self._refused(self._door.of_app(exception, getattr(request, "identity", None)), request)

    def _identify(self, verifier: Verifier, request: HttpRequest) -> Identity | None:
        try:
            return verifier.authenticate(authorization_values(request.META))
        except AuthenticationError as error:
            self._door.tolerate(error)
            return None

    async def _identify_async(self, verifier: AsyncVerifier, request: HttpRequest) -> Identity | None:
        try:
            return await verifier.authenticate(authorization_values(request.META))
        except AuthenticationError as error:
            self._door.tolerate(error)
            return None

    def _needs_token(self, request: HttpRequest) -> bool:
        return self._door.needs_token(request, lambda asked: asked.path_info, lambda asked: is_preflight(asked.META))

    def _refused(self, error: AuthenticationError, request: HttpRequest) -> HttpResponse:
        return response(self._door.refuse(error, method=request.method or "", path=request.path), request.method)


def response(answer: Answer, method: str | None) -> HttpResponse:
    """An answer as Django sends it."""
    made: Any = HttpResponse(answer.body_for(method), status=answer.status, headers=dict(answer.headers))
    # Or Django logs each of them once more, and mails each 503 to ADMINS with the request's headers (django.utils.log).
    made._has_been_logged = True  # noqa: SLF001
    return made


def _with_identity(request: Any, identity: Identity | None) -> Any:
    """The request with two attributes more, of which Django's own type does not know."""
    request.identity = identity
    request.claims = identity.claims if identity else None
    return request


def _configured(kind: type[V]) -> tuple[V, Door]:
    options = {key.lower(): _imported(key, value) if key in OBJECTS else value for key, value in _setting().items()}
    try:
        return verifier_for(kind, options.pop("policy", None), options.pop("verifier", None)), Door(**options)
    except PolicyError as error:
        raise ImproperlyConfigured(f"{SETTING}[{error.field.upper()!r}]: {error.problem}. {error.fix}") from error


def _setting() -> Mapping[str, Any]:
    """TOKENWARD, with known keys only: a misspelt one would leave its option at the default without a word."""
    given = getattr(settings, SETTING, None)
    example = f"Write {SETTING} = {{'POLICY': entra.databricks(tenant=...)}} in the settings"
    if not isinstance(given, Mapping):
        raise ImproperlyConfigured(f"{SETTING}: it is {'not set' if given is None else 'not a dict'}. {example}.")
    unknown = [key for key in given if key not in KEYS]
    if unknown:
        raise ImproperlyConfigured(f"{SETTING}[{unknown[0]!r}]: there is no such key. The keys are {', '.join(KEYS)}.")
    if given.get("POLICY") is None and given.get("VERIFIER") is None:
        raise ImproperlyConfigured(f"{SETTING}['POLICY']: it is missing. {example}, or give the dotted path of a Policy.")
    return given


def _imported(key: str, given: Any) -> Any:
    """What is given, or what is at its dotted path, to be judged like an object that is given."""
    if not isinstance(given, str):
        return given
    try:
        return import_string(given)
    except ImportError as error:
        fix = f"Give the object itself, or its dotted path, such as 'project.auth.{key.lower()}'."
        raise ImproperlyConfigured(f"{SETTING}[{key!r}]: {given!r} cannot be imported ({error}). {fix}") from error
