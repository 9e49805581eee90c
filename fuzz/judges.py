"""Two other libraries, held to the same policy, as judges of what tokenward accepts.

What is set so that the policy is the same: a claim that is null is absent, fractions of a second count, every key that carries
the token's kid is tried, and header members that no verdict depends on may be of any type. The rest is theirs.
"""

from __future__ import annotations

import base64
import json
import math
import warnings
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import jwt
from joserfc import jwt as joserfc_jwt
from joserfc.jwk import import_key
from joserfc.jws import JWSRegistry
from joserfc.registry import HeaderParameter

from fuzz.world import MAX_TOKEN_BYTES, NOW, Believed, Published, believed
from tokenward.identity import Claims

NOT_ITS_KEY = ("NoKey", "InvalidSignatureError", "BadSignatureError")
"""Reasons that say less than what another key's attempt ended in."""
REQUIRED = ["exp", "iss", "aud"]
DECIDES_NOTHING = ("jku", "jwk", "x5u", "x5c", "x5t", "x5t#S256", "cty")
"""Header members that joserfc demands the types of, and that no verdict of anybody depends on."""


class Judge(ABC):
    """One library. It says whose token it is only by trying every issuer that has published a key of the token's kid."""

    name: str

    def __init__(self) -> None:
        self._candidates: dict[str, list[tuple[Believed, Any]]] = {}
        for one in believed():
            for kid, keys in one.by_kid.items():
                self._candidates.setdefault(kid, []).extend((one, self.key_of(key)) for key in keys)

    def judge(self, token: bytes) -> Claims | str:
        """The claims if it accepts, as this library reads them; else the name of what it raised."""
        raised = "NoKey"
        for one, key in self._candidates.get(_kid_of(token) or "", ()):
            try:
                return self.decode(token, one, key)
            except Exception as exc:  # noqa: BLE001  # any way to refuse counts
                raised = type(exc).__name__ if raised in NOT_ITS_KEY else raised
        return raised

    @abstractmethod
    def key_of(self, key: Published) -> Any:
        """The key as this library has it."""

    @abstractmethod
    def decode(self, token: bytes, one: Believed, key: Any) -> Claims:
        """The claims. Raises unless this issuer's policy and this key accept the token."""


def judges() -> tuple[Judge, ...]:
    return _PyJwt(), _Joserfc()


class _StoppedJwt(jwt.PyJWT):
    """PyJWT at NOW. It takes no time from outside, and it cuts the fraction of `exp` where this policy counts it."""

    def _validate_claims(self, payload: dict[str, Any], *arguments: Any, **more: Any) -> None:
        super()._validate_claims(_present(payload), *arguments, **more)

    def _validate_exp(self, payload: dict[str, Any], now: float, leeway: float) -> None:  # noqa: ARG002  # NOW instead
        exp = payload["exp"]
        whole = math.ceil(exp) if isinstance(exp, float) and math.isfinite(exp) else exp
        super()._validate_exp({"exp": whole}, NOW, leeway)

    def _validate_nbf(self, payload: dict[str, Any], now: float, leeway: float) -> None:  # noqa: ARG002  # NOW instead
        super()._validate_nbf(payload, NOW, leeway)

    def _validate_iat(self, payload: dict[str, Any], now: float, leeway: float) -> None:  # noqa: ARG002  # NOW instead
        super()._validate_iat(payload, NOW, leeway)


class _PyJwt(Judge):
    name = "PyJWT"

    def __init__(self) -> None:
        super().__init__()
        self._jwt = _StoppedJwt()

    def key_of(self, key: Published) -> Any:
        made = jwt.PyJWK(key.jwk)
        return made if "alg" in key.jwk else made.key  # else PyJWT takes an RSA key for one of RS256 only

    def decode(self, token: bytes, one: Believed, key: Any) -> Claims:
        claims: Claims = self._jwt.decode(
            token,
            key,
            algorithms=one.algorithms,
            audience=one.audiences,
            issuer=one.issuer,
            leeway=one.leeway,
            options={"require": REQUIRED},
        )
        return claims


class _Joserfc(Judge):
    name = "joserfc"

    def __init__(self) -> None:
        super().__init__()
        self._registries = {one.issuer: _registry(one) for one in believed()}
        self._claims = {one.issuer: _claims_registry(one) for one in believed()}

    def key_of(self, key: Published) -> Any:
        return import_key({**key.jwk})

    def decode(self, token: bytes, one: Believed, key: Any) -> Claims:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it calls the name EdDSA old (RFC 9864)
            decoded = joserfc_jwt.decode(token, key, registry=self._registries[one.issuer])
        self._claims[one.issuer].validate(_present(decoded.claims))
        return decoded.claims


def _registry(one: Believed) -> JWSRegistry:
    anything = {name: HeaderParameter("decides nothing", lambda _: None) for name in DECIDES_NOTHING}
    registry = JWSRegistry(anything, algorithms=list(one.algorithms), strict_check_header=False)
    registry.max_header_length = registry.max_payload_length = MAX_TOKEN_BYTES  # its limits are not ours to match
    return registry


def _claims_registry(one: Believed) -> joserfc_jwt.JWTClaimsRegistry:
    return joserfc_jwt.JWTClaimsRegistry(
        now=NOW,
        leeway=one.leeway,
        iss={"essential": True, "value": one.issuer},
        aud={"essential": True, "values": list(one.audiences)},
        exp={"essential": True},
    )


def _kid_of(token: bytes) -> str | None:
    """The kid as both libraries read it, leniently: they will judge the header themselves, this only finds the keys to try."""
    try:
        kid = json.loads(base64.urlsafe_b64decode(token.partition(b".")[0] + b"=="))["kid"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return kid if isinstance(kid, str) else None


def _present(claims: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in claims.items() if value is not None}
