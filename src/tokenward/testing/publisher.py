"""What every local issuer does: hold keys, publish them, sign with them, and fail when told to."""

from __future__ import annotations

import json
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import urlsplit

from tokenward.keys.port import FetchFailed, FetchRequest, FetchResponse
from tokenward.testing.faults import JSON, SLOW, Answer, Fault, Mode, of_mode, response_to
from tokenward.testing.keys import JWK, SigningKey
from tokenward.testing.odd_keys import OddKey, odd_keys
from tokenward.testing.tokens import compact, overridden


class Publisher(ABC):
    """Keys that sign, published in process (`fetch`, `async_fetch`) or by an `IssuerServer`. Keys are made when first used.

    home      where it says it is while it is not served
    clock     epoch seconds, for the times in tokens
    new_key   makes its keys; by default each is new, which costs a tenth of a second for RSA
    keys      keys that it has already, such as `other.keys` of an issuer whose place it takes; the last one signs
    requests  the addresses that were asked, in process and over HTTP
    on_keys   is told the published keys after each rotation
    """

    header_type = "JWT"
    other_cloud = "microsoftonline.us"
    """A cloud that is not this issuer's, for an odd key."""

    def __init__(
        self,
        home: str,
        *,
        clock: Callable[[], float] = time.time,
        new_key: Callable[[], SigningKey] = SigningKey.generate,
        keys: Sequence[SigningKey] = (),
    ) -> None:
        self.home = home
        self.clock = clock
        self.requests: list[str] = []
        self.fault: Fault | None = None
        self.on_fault: Callable[[Fault | None], None] | None = None
        self.on_keys: Callable[[Sequence[SigningKey]], None] | None = None
        self.served_at: str | None = None
        self._new_key = new_key
        self._keys = list(keys)
        self._odd_keys: list[OddKey] = []
        self._signing_key = self._keys[-1] if self._keys else None
        self._stranger: SigningKey | None = None
        self._lock = threading.Lock()

    # -- keys ----------------------------------------------------------------------------------------------------------

    @property
    def keys(self) -> list[SigningKey]:
        """The published keys; change the list to publish others."""
        with self._lock:
            if self._signing_key is None:
                self._signing_key = self._new_key()
                self._keys.append(self._signing_key)
        return self._keys

    @property
    def signing_key(self) -> SigningKey:
        """The key that signs unless another is given. It may be set, to a key that is published or not."""
        return self._signing_key or self.keys[0]

    @signing_key.setter
    def signing_key(self, key: SigningKey) -> None:
        self._signing_key = key

    def rotate(self, *, keep_old: bool = True) -> SigningKey:
        """Publish a new key, which signs from now on; without `keep_old` the key that signed so far is withdrawn."""
        old, new = self.signing_key, self._new_key()
        self.keys[:] = [*(key for key in self.keys if keep_old or key is not old), new]
        self._signing_key = new
        if self.on_keys is not None:
            self.on_keys(self.keys)
        return new

    def stranger_key(self) -> SigningKey:
        """A key that is not published, under the kid of the one that signs: for forgeries."""
        if self._stranger is None or self._stranger.kid != self.signing_key.kid:
            self._stranger = self._new_key().renamed(self.signing_key.kid)
        return self._stranger

    def publish_odd_keys(self) -> dict[str, SigningKey]:
        """Publish keys that real issuers have published and other verifiers broke on; those that can sign, by name."""
        self._odd_keys = self._odd_keys or odd_keys(self._new_key, self.other_cloud)
        return {odd.name: odd.key for odd in self._odd_keys if odd.key is not None}

    def published(self) -> list[JWK]:
        """The JWKs of all keys: odd ones first, since a verifier that stops at them finds nothing."""
        return [*(odd.jwk() for odd in self._odd_keys), *(key.jwk() for key in list(self.keys))]

    def mint(
        self,
        claims: Mapping[str, object] | bytes,
        *,
        header: Mapping[str, object] | bytes | None = None,
        key: SigningKey | None = None,
        algorithm: str | None = None,
    ) -> str:
        """Sign anything. Claims are taken as they are, without those that are ABSENT; bytes are the literal JSON text.

        header     overrides of the header; an `alg` here changes what the token says, not how it is signed
        key        the key to sign with, by default `signing_key`
        algorithm  how to sign; "none", and HS256 (with the public PEM as secret) make the classic attacks
        """
        signer = key or self.signing_key
        way = algorithm or signer.algorithm
        if not isinstance(header, bytes):
            header = overridden({"typ": self.header_type, "alg": way, "kid": signer.kid}, header)
        return compact(header, claims if isinstance(claims, bytes) else overridden(claims, None), signer, way)

    # -- faults --------------------------------------------------------------------------------------------------------

    def fail(self, mode: Mode, *, seconds: float = SLOW, status: int = 503, retry_after: int | None = None) -> None:
        """Fail from now on, in one way at a time.

        "status" answers `status`, with Retry-After if `retry_after` is given; "slow" answers after `seconds`; "reset" breaks
        the connection; "html", "empty" ({"keys":[]}), "garbage", "redirect" and "too_large" answer so; "down" refuses
        connections.

        Raises ValueError for another mode, and for numbers that mean nothing; OSError if an outage ends and the port is taken.
        """
        self._set_fault(of_mode(mode, seconds, status, retry_after))

    def recover(self) -> None:
        """Answer properly again; slow answers that are under way are given at once."""
        self._set_fault(None)

    def _set_fault(self, fault: Fault | None) -> None:
        over, self.fault = self.fault, fault
        if over is not None:
            over.end()
        if self.on_fault is not None:
            self.on_fault(fault)

    # -- answers -------------------------------------------------------------------------------------------------------

    @property
    def origin(self) -> str:
        """Where it is asked: the server's address while served, else `home`."""
        return self.served_at or self.home

    @abstractmethod
    def document(self, path: str) -> Mapping[str, object] | None:
        """The document at this path, or None."""

    def answer(self, path: str) -> Answer:
        """What a GET of this path is answered when it is answered, the fault included."""
        fault, found = self.fault, self.right_answer(path)
        return fault.spoil(found) if fault else found

    def right_answer(self, path: str) -> Answer:
        """What a GET of this path is answered while nothing is wrong."""
        document = self.document(path)
        if document is None:
            return Answer(404, JSON, b'{"error":"not_found"}')
        return Answer(200, {**JSON, "cache-control": "max-age=86400, private"}, json.dumps(document).encode())

    def fetch(self, request: FetchRequest) -> FetchResponse:
        """The key port (`tokenward.keys.port.Fetch`) without a network. Raises FetchFailed as a client would."""
        parts = urlsplit(request.url)
        if f"{parts.scheme}://{parts.netloc}" not in (self.origin, self.home):
            raise FetchFailed("dns", "not the local issuer's address")
        self.requests.append(request.url)
        if self.fault is not None:
            self.fault.raise_in_process(request)
        return response_to(request, self.answer(parts.path))

    async def async_fetch(self, request: FetchRequest) -> FetchResponse:
        """The same as `tokenward.keys.port.AsyncFetch`. It never pauses."""
        return self.fetch(request)

    def now(self, given: float | None) -> int:
        """A time for a token: the given one, or the clock's."""
        return int(self.clock() if given is None else given)
