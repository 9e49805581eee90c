"""Two issuers, what each has published, one policy that believes both, and how their tokens are signed.

What is published is told here a second time, apart from tokenward's reading: which keys verify, and for which algorithms.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import Any

from fuzz.keys import JWK, PrivateKey, b64, ec_key, ed_key, jwk_of, rsa_key
from tokenward import Issuer, Policy, Verifier
from tokenward.keys.port import FetchFailed, FetchRequest, FetchResponse
from tokenward.testing.signing import SIGNERS

NOW = 1_800_000_000
"""The time at which everything is judged, by everybody: seconds since the epoch."""
MAX_TOKEN_BYTES = 16 * 1024
_OWN = {"RSA": "RS256", "EC": "ES256", "OKP": "EdDSA"}


@dataclass(frozen=True)
class Published:
    """One key of a set. `algorithms` is what it may verify; none for a key that is there to be refused."""

    private: PrivateKey
    algorithms: tuple[str, ...]
    jwk: JWK


@dataclass(frozen=True)
class Believed:
    """One issuer, and the policy for it: `leeway` in seconds."""

    issuer: str
    audiences: tuple[str, ...]
    algorithms: tuple[str, ...]
    leeway: int
    published: tuple[Published, ...]
    by_kid: dict[str, list[Published]] = field(init=False)

    def __post_init__(self) -> None:
        table: dict[str, list[Published]] = {}
        for key in self.published:
            if key.algorithms:
                table.setdefault(key.jwk["kid"], []).append(key)
        object.__setattr__(self, "by_kid", table)

    @property
    def jwks(self) -> dict[str, list[JWK]]:
        return {"keys": [key.jwk for key in self.published]}


def _rsa(kid: str, *algorithms: str, **members: object) -> Published:
    key = rsa_key("rsa")
    return Published(key, algorithms, jwk_of(key, kid=kid, **members))


def _ec(name: str, kid: str, *algorithms: str, **members: object) -> Published:
    key = ec_key(name)
    return Published(key, algorithms, jwk_of(key, kid=kid, **members))


def _ed(name: str, kid: str, *algorithms: str, **members: object) -> Published:
    key = ed_key(name)
    return Published(key, algorithms, jwk_of(key, kid=kid, **members))


@functools.cache
def believed() -> tuple[Believed, ...]:
    """One with every algorithm and odd keys beside the good ones; one with leeway, and another key under a kid of the first."""
    first = (
        _rsa("rsa", "RS256", "PS256", use="sig"),
        _rsa("ps", "PS256", alg="PS256"),
        _ec("ec", "ec", "ES256", use="sig", key_ops=["verify"]),
        _ed("ed", "ed", "EdDSA", use="sig", alg="EdDSA"),
        _ec("twice 1", "twice", "ES256"),
        _ec("twice 2", "twice", "ES256"),
        _ec("enc", "enc", use="enc"),
        _ed("ops", "ops", key_ops=["sign"]),
        _ed("private", "private", d="AA"),
    )
    second = (_ec("other ec", "ec", "ES256"), _ed("other ed", "other", "EdDSA"))
    return (
        Believed("https://idp.example/", ("api://jobs",), ("RS256", "PS256", "ES256", "EdDSA"), 0, first),
        Believed("https://other.example", ("api://jobs", "jobs"), ("ES256", "EdDSA"), 30, second),
    )


def policy(**where: Any) -> Policy:
    """The policy; `where` the keys are, if not in it."""
    return Policy(
        [
            Issuer(
                one.issuer,
                audiences=one.audiences,
                algorithms=one.algorithms,
                leeway=one.leeway,
                **(where or {"jwks": one.jwks}),
            )
            for one in believed()
        ],
        max_token_bytes=MAX_TOKEN_BYTES,
    )


def verifier(*, remember: int = 4096) -> Verifier:
    """With the keys in hand."""
    return Verifier(policy(), clock=lambda: NOW, monotonic=lambda: 0.0, remember=remember)


def verifier_without_keys() -> Verifier:
    """Its issuers cannot be asked: every good token ends in `keys_unavailable`."""
    unreachable = policy(jwks_uri="https://idp.example/keys")
    return Verifier(unreachable, clock=lambda: NOW, monotonic=lambda: 0.0, fetch=_unreachable, observer=None)


def sign(signed: bytes, algorithm: str, key: PrivateKey) -> bytes:
    """The signature; where the key knows no such algorithm, that of the key's own."""
    try:
        return SIGNERS[algorithm](key, signed)
    except (KeyError, TypeError):
        return SIGNERS[_OWN[jwk_of(key)["kty"]]](key, signed)


def joined(header: bytes, claims: bytes, algorithm: str, key: PrivateKey) -> bytes:
    """A token of these very texts, signed."""
    signed = f"{b64(header)}.{b64(claims)}".encode("ascii")
    return signed + b"." + b64(sign(signed, algorithm, key)).encode("ascii")


def _unreachable(_: FetchRequest) -> FetchResponse:
    raise FetchFailed("connect", "no network here")
