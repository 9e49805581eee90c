"""LocalGraph: Microsoft Graph in one object, as far as it tells of app registrations. NOT FOR PRODUCTION."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from tokenward.keys.port import FetchFailed, FetchRequest, FetchResponse
from tokenward.testing.claims import DEFAULT_TENANT
from tokenward.testing.faults import Answer, response_to
from tokenward.testing.graph.directory import Directory
from tokenward.testing.graph.errors import graph_error
from tokenward.testing.graph.faults import Fault, Reset
from tokenward.testing.graph.routes import Asked, find, shown
from tokenward.testing.issuer import LocalIssuer
from tokenward.testing.keys import SigningKey
from tokenward.testing.options import LIFETIME

HOME = "https://graph.microsoft.com"


@dataclass(frozen=True, slots=True)
class _Granted:
    permissions: frozenset[str]
    expires_at: float


class LocalGraph:
    """Answers GETs of Graph 1.0 for one tenant, to who holds a token that it gave away itself. Not for production.

    directory  what is registered; change it as you like
    requests   method and target of every request that it saw, in their order
    page_size  objects on a page of a list; Graph's own is 100

    tenant, clock and new_key are LocalIssuer's, which makes the tokens. Any method but GET is answered with 405, and recorded.
    """

    def __init__(
        self,
        tenant: str = DEFAULT_TENANT,
        *,
        page_size: int = 100,
        clock: Callable[[], float] = time.time,
        new_key: Callable[[], SigningKey] = SigningKey.generate,
    ) -> None:
        self.directory = Directory(tenant)
        self.requests: list[str] = []
        self.page_size = page_size
        self.served_at: str | None = None
        self.fault: Fault | None = None
        self._clock = clock
        self._issuer = LocalIssuer(tenant, clock=clock, new_key=new_key)
        self._granted: dict[bytes, _Granted] = {}

    @property
    def origin(self) -> str:
        """Where it is asked: the server's address while served, else Graph's own."""
        return self.served_at or HOME

    def token(self, *permissions: str, tenant: str | None = None, lifetime: float = LIFETIME) -> str:
        """A token for Graph with these application permissions. Nobody else can verify one: its header has a `nonce`."""
        token = self._issuer.app_token(
            "1.0", audience=HOME, roles=permissions, tenant=tenant, lifetime=lifetime, header={"nonce": "stand-in"}
        )
        self._granted[_digest(token)] = _Granted(frozenset(permissions), self._clock() + lifetime)
        return token

    def fail(self, fault: Fault) -> None:
        """Fail in this way from now on."""
        self.recover()
        self.fault = fault

    def recover(self) -> None:
        """Answer properly again."""
        fault, self.fault = self.fault, None
        if fault is not None:
            fault.over.set()

    def answer(self, method: str, target: str, fields: Mapping[str, str]) -> Answer:
        """The answer to a request; names of fields are in lower case."""
        self.requests.append(f"{method} {target}")
        asked = Asked.read(target)
        fault = self.fault
        if fault is not None and asked is not None and fault.concerns(asked.path):
            return fault.spoil(asked, self.origin, lambda: self._proper(method, asked, fields))
        return self._proper(method, asked, fields)

    def fetch(self, request: FetchRequest) -> FetchResponse:
        """The same in process, as a `keys.port.Fetch`. Raises FetchFailed."""
        parts = urlsplit(request.url)
        if f"{parts.scheme}://{parts.netloc}" != self.origin:
            raise FetchFailed("dns", "the host name cannot be resolved")
        fields = {name.lower(): value for name, value in request.headers.items()}
        target = request.url.removeprefix(self.origin)
        try:
            return response_to(request, self.answer(request.method, target, fields))
        except Reset:
            raise FetchFailed("read", "the stand-in was told to fail: reset") from None

    def _proper(self, method: str, asked: Asked | None, fields: Mapping[str, str]) -> Answer:
        if asked is None:
            return graph_error(400, "Invalid version.")
        refused = self._refused(asked, fields.get("authorization", ""))
        if refused is not None:
            return refused
        if method != "GET":
            return graph_error(405)
        found = find(asked, self.directory)
        return found if isinstance(found, Answer) else shown(asked, found, self.origin, self.page_size)

    def _refused(self, asked: Asked, authorization: str) -> Answer | None:
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token:
            return graph_error(401)
        granted = self._granted.get(_digest(token))
        if granted is None:
            return graph_error(401, "Access token validation failure. Invalid audience.")
        if self._clock() >= granted.expires_at:
            return graph_error(401, "Lifetime validation failed, the token is expired.")
        return None if granted.permissions & asked.permissions() else graph_error(403)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
