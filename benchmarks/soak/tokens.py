"""The tokens of the callers: good ones, and junk of the same size, whether or not it floods."""

from __future__ import annotations

import json
import random
import secrets
import time
from collections.abc import Iterator, Sequence
from itertools import cycle

from benchmarks.soak.plan import AUDIENCE, ISSUER, Junk
from benchmarks.soak.wire import FORGED, KNOWN_CALLER, RANDOM, STRAY, Call, Kind
from tokenward.testing import LocalIssuer, SigningKey
from tokenward.testing.keys import base64url

REGULARS = 256
"""Callers whose tokens are remembered, for each key; Entra's tokens live for an hour or more, so most requests are theirs."""
LIFETIME = 2 * 3600
FORGERIES = 0.02
"""The part of the junk that has a key's true name and a false signature."""
FOREIGN = "https://another.example/"[: len(AUDIENCE)].ljust(len(AUDIENCE), "x")
"""An audience as long as ours, so that strays are as long as the flood."""


class Tokens:
    """Made in the caller's process, one at a time; ES256, because it signs in 30 us, RS256 in 1 ms."""

    def __init__(self, keys: Sequence[SigningKey], noise: random.Random) -> None:
        self._issuer = LocalIssuer.oidc(ISSUER, keys=keys)
        self._keys = keys
        self._noise = noise
        self._number = 0
        self._regulars = [cycle([self._new(key) for _ in range(REGULARS)]) for key in range(len(keys))]
        self._claims = {STRAY: self._claims_for(FOREIGN), RANDOM: self._claims_for(AUDIENCE)}

    def first_sight(self, key: int) -> Call:
        """A token that nobody has seen."""
        return self._new(key)

    def known(self, key: int) -> Call:
        """Of a known caller: in turn one that was seen before, and a new one."""
        return next(self._regulars[key]) if self._noise.random() < 0.5 else self._new(key)

    def junk(self, kind: Junk, key: int) -> Call:
        """To be refused: for somebody else, or with a key that nobody has, or now and then with a false signature."""
        if self._noise.random() < FORGERIES:
            return self._forged(key)
        what: Kind = RANDOM if kind == "random" else STRAY
        header = _segment({"typ": "at+jwt", "alg": "ES256", "kid": secrets.token_urlsafe(20)})
        return Call(what, "-", "-", f"{header}.{self._claims[what]}.{_noise_as_signature()}")

    def _forged(self, key: int) -> Call:
        good = self._new(key)
        return Call(FORGED, good.kid, "-", f"{good.token.rpartition('.')[0]}.{_noise_as_signature()}")

    def _new(self, key: int) -> Call:
        self._number += 1
        subject = f"caller-{self._number}"
        token = self._issuer.access_token(AUDIENCE, subject=subject, key=self._keys[key], lifetime=LIFETIME)
        return Call(KNOWN_CALLER, self._keys[key].kid, subject, token)

    def _claims_for(self, audience: str) -> str:
        now = int(time.time())
        claims = {"iss": ISSUER, "aud": audience, "sub": "nobody", "client_id": "nobody", "iat": now, "exp": now + LIFETIME}
        return _segment({**claims, "jti": secrets.token_urlsafe(16), "scope": "jobs.read"})


def arrivals(start: float, end: float, rate: float, noise: random.Random) -> Iterator[float]:
    """Moments at random, `rate` in a second on average, as independent callers make them."""
    moment = start
    while (moment := moment + noise.expovariate(rate)) < end:
        yield moment


def _segment(value: dict[str, object]) -> str:
    return base64url(json.dumps(value, separators=(",", ":")).encode())


def _noise_as_signature() -> str:
    return base64url(secrets.token_bytes(64))
