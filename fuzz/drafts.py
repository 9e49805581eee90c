"""Good tokens before they are signed: what is then changed, and signed anew."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from fuzz.texts import Members, compact, members_of
from fuzz.world import NOW, Believed, Published, believed, joined

CHEAP, DEAR = 9, 1
"""How often a key that signs fast is taken for once that an RSA key is, which takes twenty times as long."""


@dataclass(frozen=True)
class Draft:
    """A token before it is signed: whose, with which key, and its two documents in raw members."""

    one: Believed
    key: Published
    algorithm: str
    header: Members
    claims: Members

    def token(self, header: bytes | None = None, claims: bytes | None = None, *, claimed: str | None = None) -> bytes:
        texts = compact(self.header) if header is None else header, compact(self.claims) if claims is None else claims
        return joined(*texts, self.algorithm if claimed is None else claimed, self.key.private)


def draft(rng: Random) -> Draft:
    """A good token of either issuer, not yet signed, with some of the claims that real ones have."""
    one = rng.choice(believed())
    usable = [key for key in one.published if key.algorithms]
    weights = [DEAR if key.jwk["kty"] == "RSA" else CHEAP for key in usable]
    (key,) = rng.choices(usable, weights)
    algorithm = rng.choice(key.algorithms)
    header: dict[str, object] = {"alg": algorithm, "kid": key.jwk["kid"]}
    if rng.random() < 0.7:
        header["typ"] = rng.choice(["JWT", "JWT", "at+jwt", "application/at+jwt"])
    return Draft(one, key, algorithm, members_of(header), members_of(_good_claims(one, rng)))


def _good_claims(one: Believed, rng: Random) -> dict[str, object]:
    claims: dict[str, object] = {"iss": one.issuer, "aud": rng.choice(one.audiences), "exp": NOW + 3600}
    more = {"nbf": NOW - 60, "iat": NOW - 60, "sub": "caller", "jti": "1", "azp": "app", "scp": "read write", "roles": ["Admin"]}
    return claims | {name: value for name, value in more.items() if rng.random() < 0.6}
