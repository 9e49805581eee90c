"""What the contract tests share: three keys, one policy, and two other libraries as judges."""

from __future__ import annotations

import base64
import json
import time
import warnings
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from joserfc import jwt as joserfc_jwt
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from tokenward import Issuer, Policy, Verifier
from tokenward.keys.port import FetchFailed, FetchRequest, FetchResponse

ISSUER = "https://idp.example/"
AUDIENCE = "api://jobs"
ALGORITHMS = ["RS256", "PS256", "ES256", "EdDSA"]
NOW = int(time.time())
"""The judges cannot be given a time, so everybody lives now; tests keep minutes away from every edge."""


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


class Bench:
    """Keys, signing, our verdict and the judges' verdict about the same token."""

    issuer = ISSUER
    audience = AUDIENCE
    now = NOW
    algorithms = tuple(ALGORITHMS)
    b64 = staticmethod(b64)

    def __init__(self) -> None:
        self.private: dict[str, Any] = {
            "rsa": rsa.generate_private_key(65537, 2048),
            "ec": ec.generate_private_key(ec.SECP256R1()),
            "ed": ed25519.Ed25519PrivateKey.generate(),
        }
        self.public = {kid: key.public_key() for kid, key in self.private.items()}
        self.jwks = {"keys": [self._jwk(kid) for kid in self.private]}
        self.verifier = Verifier(self._policy(jwks=self.jwks), clock=lambda: NOW, remember=0)
        self.remembering = Verifier(self._policy(jwks=self.jwks), clock=lambda: NOW)
        self.without_keys = Verifier(
            self._policy(jwks_uri="https://idp.example/keys"), clock=lambda: NOW, fetch=_down, observer=None
        )
        self._keyset = KeySet.import_key_set(self.jwks)  # type: ignore[arg-type]
        self._registry = JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False)
        self._registry.max_header_length = 16 * 1024  # its limits are not ours to match
        self._registry.max_payload_length = 16 * 1024
        self._claims = joserfc_jwt.JWTClaimsRegistry(
            now=NOW,
            iss={"essential": True, "value": ISSUER},
            aud={"essential": True, "value": AUDIENCE},
            exp={"essential": True},
        )

    def claims(self, **changes: Any) -> dict[str, Any]:
        members = {"iss": ISSUER, "aud": AUDIENCE, "sub": "caller", "exp": NOW + 36000, "nbf": NOW - 3600, "iat": NOW - 3600}
        return {name: value for name, value in (members | changes).items() if value is not ...}

    def sign(self, header: dict[str, Any] | bytes, claims: dict[str, Any] | bytes, kid: str = "ed") -> str:
        """Sign these very bytes with the key `kid`, whatever the header says."""
        texts = [part if isinstance(part, bytes) else json.dumps(part).encode() for part in (header, claims)]
        signed = ".".join(b64(text) for text in texts).encode()
        algorithm = {"rsa": "RS256", "ec": "ES256", "ed": "EdDSA"}[kid]
        signature: bytes = jwt.get_algorithm_by_name(algorithm).sign(signed, self.private[kid])
        return f"{signed.decode()}.{b64(signature)}"

    def refusals(self, token: str | bytes) -> list[str]:
        """The judges who refuse, with their reasons; empty if both accept."""
        refusals = []
        for judge in (self._pyjwt, self._joserfc):
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # joserfc calls the name EdDSA old (RFC 9864)
                    judge(token)
            except Exception as exc:  # noqa: BLE001  # any way to refuse counts
                refusals.append(f"{judge.__name__}: {type(exc).__name__}: {exc}")
        return refusals

    def _pyjwt(self, token: str | bytes) -> None:
        kid = jwt.get_unverified_header(token)["kid"]
        options: Any = {"require": ["exp", "iss", "aud"]}
        jwt.decode(token, self.public[kid], algorithms=ALGORITHMS, audience=AUDIENCE, issuer=ISSUER, options=options)

    def _joserfc(self, token: str | bytes) -> None:
        text = token if isinstance(token, str) else token.decode("ascii")
        decoded = joserfc_jwt.decode(text, self._keyset, registry=self._registry)
        self._claims.validate(decoded.claims)

    def _jwk(self, kid: str) -> dict[str, Any]:
        maker: Any = {"rsa": RSAAlgorithm, "ec": ECAlgorithm, "ed": OKPAlgorithm}[kid]
        made: dict[str, Any] = json.loads(maker.to_jwk(self.public[kid]))
        made.pop("key_ops", None)
        return made | {"kid": kid, "use": "sig"}

    def _policy(self, **where: Any) -> Policy:
        return Policy([Issuer(ISSUER, audiences=[AUDIENCE], algorithms=ALGORITHMS, **where)])


def _down(request: FetchRequest) -> FetchResponse:
    raise FetchFailed("connect", "this test has no network")


@pytest.fixture(scope="session")
def bench() -> Bench:
    made = Bench()
    for kid, algorithm in (("rsa", "RS256"), ("ec", "ES256"), ("ed", "EdDSA")):
        token = made.sign({"alg": algorithm, "kid": kid}, made.claims(), kid)
        assert made.refusals(token) == []  # judges who refuse everything would prove nothing
    return made
