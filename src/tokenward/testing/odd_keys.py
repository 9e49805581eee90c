"""Published keys on which verifiers have broken: each is of a kind that a real issuer has served.

Sources: a recorded dump of Entra's common keys (other clouds' keys and the personal accounts' key among them), and issue
threads of PyJWT, Authlib and FastMCP about encryption keys, secrets, elliptic curves and post-quantum keys in a set.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tokenward.testing.keys import JWK, SigningKey

PERSONAL_ACCOUNTS = "9188040d-6c67-4c5b-b112-36a304b66dad"
"""The tenant of personal Microsoft accounts (learn.microsoft.com/entra/identity-platform/access-token-claims-reference)."""


@dataclass(frozen=True, slots=True)
class OddKey:
    """One odd key: with a private part if a token can be signed with it, else its JWK alone."""

    name: str
    key: SigningKey | None = None
    members: Mapping[str, object] | None = None

    def jwk(self) -> JWK:
        return self.key.jwk() if self.key else dict(self.members or {})


def odd_keys(new_key: Callable[[], SigningKey], other_cloud: str) -> list[OddKey]:
    """One key of every odd kind; `other_cloud` is the name of a cloud that is not the issuer's."""
    return [
        OddKey("encryption", new_key().renamed("odd-encryption", use="enc")),
        OddKey("secret", members={"kty": "oct", "use": "sig", "kid": "odd-secret", "k": "bm90LWEtc2VjcmV0"}),
        OddKey("elliptic", SigningKey.generate("ES256", "odd-elliptic")),
        OddKey("post_quantum", members={"kty": "AKP", "alg": "ML-DSA-44", "use": "sig", "kid": "odd-akp", "pub": "AAEC" * 437}),
        OddKey("malformed", members={"kty": "RSA", "use": "sig", "kid": "odd-malformed", "n": "not base64url!", "e": "AQAB"}),
        OddKey("small", SigningKey.generate("RS256", "odd-small", size=1024)),
        OddKey("personal", new_key().renamed("odd-personal", issuer=_issuer(PERSONAL_ACCOUNTS))),
        OddKey("other_cloud", new_key().renamed("odd-other-cloud", cloud_instance_name=other_cloud)),
    ]


def _issuer(tenant: str) -> str:
    return f"https://login.microsoftonline.com/{tenant}/v2.0"
