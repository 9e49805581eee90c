"""Mutated tokens: most are near to good ones, and most are signed anew, so that what lies behind the signature is reached.

Everything is drawn from one `Random`, so that a seed says what is tried; only PSS salts and ECDSA nonces are drawn elsewhere.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable
from random import Random
from typing import TypeAlias

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from fuzz.changes import CHANGES, spliced
from fuzz.drafts import Draft, draft
from fuzz.keys import b64
from fuzz.texts import ANY, compact, members_of, replaced, without, written
from fuzz.world import NOW, believed, joined
from tokenward.testing.signing import SIGNERS

CLAIM_NAMES = (
    *("iss", "aud", "exp", "nbf", "iat", "sub", "jti", "tid", "azp", "appid", "client_id", "cid", "scp", "scope", "roles", "ver"),
    *("idtyp", "typ", "token_use", "nonce", "at_hash", "c_hash", "events", "custom"),
)
HEADER_NAMES = (
    *("alg", "kid", "typ", "crit", "b64", "nonce", "jwk", "jku", "x5c", "x5u", "x5t", "x5t#S256", "cty", "zip", "enc"),
    *("custom",),
)
KIDS = (
    *("rsa", "ps", "ec", "ed", "twice", "enc", "ops", "private", "other", "RSA", "ec ", "ec\x00", "\u0435c", "", "../ec"),
    *("none",),
)
ALGORITHMS = (
    *("RS256", "PS256", "ES256", "EdDSA", "RS384", "RS512", "PS384", "ES384", "ES256K", "HS256", "HS512", "none", "None", "nOnE"),
    *("", "es256", "ES256 ", "Ed25519", "RSA-OAEP", "dir"),
)
OFFSETS = (-(10**6), -3600, -31, -30, -29, -1, 0, 1, 29, 30, 31, 3600, 10**6)
"""Seconds from NOW: the edges of both issuers' leeway and what is far from them."""
_FAMILIES = {"RSA": ("RS", "PS"), "EC": ("ES",), "OKP": ("Ed",)}
_OWN = {"RSA": "RS256", "EC": "ES256", "OKP": "EdDSA"}
Kind: TypeAlias = Callable[[Draft, Random], bytes | tuple[bytes, ...]]
"""Most make one token; where one must be seen after another, both."""


def make(rng: Random) -> tuple[str, tuple[bytes, ...]]:
    """One mutated token or a row of them, and the name of its kind."""
    (kind,) = rng.choices(list(KINDS), list(KINDS.values()))
    made = kind(draft(rng), rng)
    return kind.__name__, (made,) if isinstance(made, bytes) else made


def good(drafted: Draft, rng: Random) -> bytes:  # noqa: ARG001  # as all kinds
    """Unchanged: a judge or a verifier that refuses everything is seen by these."""
    return drafted.token()


def text_changed(drafted: Draft, rng: Random) -> bytes:
    token = drafted.token()
    if rng.random() < 0.1:
        return spliced(token, draft(rng).token(), rng)
    return rng.choice(CHANGES)(token, rng)


def claim_changed(drafted: Draft, rng: Random) -> bytes:
    """One or two claims of another type or value, or missing."""
    claims = drafted.claims
    for _ in range(rng.choice([1, 1, 1, 2])):
        name = rng.choice(CLAIM_NAMES[: 8 if rng.random() < 0.7 else None])
        claims = without(claims, name) if rng.random() < 0.15 else replaced(claims, name, rng.choice(ANY))
    return drafted.token(claims=compact(claims))


def times_changed(drafted: Draft, rng: Random) -> bytes:
    """exp, nbf and iat around the edges, whole or not, in every form of a number."""
    claims = drafted.claims
    for name in rng.sample(["exp", "nbf", "iat"], rng.choice([1, 1, 2, 3])):
        claims = replaced(claims, name, _date(rng))
    return drafted.token(claims=compact(claims))


def audience_changed(drafted: Draft, rng: Random) -> bytes:
    names = ["api://jobs", "jobs", "other", "", "api://jobs/", "API://JOBS", " api://jobs", "api://jobs\x00", "*", None, 1, True]
    chosen = rng.sample(names, rng.randrange(4))
    value = json.dumps(chosen if rng.random() < 0.8 else " ".join(map(str, chosen)))
    return drafted.token(claims=compact(replaced(drafted.claims, "aud", value)))


def issuer_changed(drafted: Draft, rng: Random) -> bytes:
    """A token in another issuer's name, or in nobody's."""
    other = rng.choice(
        [*(one.issuer for one in believed()), "https://idp.example", "https://other.example/", "", "https://IDP.example/"]
    )
    return drafted.token(claims=compact(replaced(drafted.claims, "iss", json.dumps(other))))


def header_changed(drafted: Draft, rng: Random) -> bytes:
    header = drafted.header
    for _ in range(rng.choice([1, 1, 2])):
        name = rng.choice(HEADER_NAMES)
        header = without(header, name) if rng.random() < 0.15 else replaced(header, name, _header_value(name, drafted, rng))
    return drafted.token(header=compact(header))


def seen_and_changed(drafted: Draft, rng: Random) -> tuple[bytes, ...]:
    """A good token, which is then remembered, and another text of it."""
    token = drafted.token()
    return token, rng.choice(CHANGES)(token, rng)


def key_confused(drafted: Draft, rng: Random) -> bytes:
    """One key's signature under the name of another key or algorithm."""
    alg, kid = rng.choice(ALGORITHMS), rng.choice([rng.choice(KIDS), drafted.key.jwk["kid"]])
    members = replaced(replaced(drafted.header, "alg", json.dumps(rng.choice([alg, drafted.algorithm]))), "kid", json.dumps(kid))
    return drafted.token(header=compact(members), claimed=rng.choice([alg, drafted.algorithm]))


def algorithm_changed(drafted: Draft, rng: Random) -> bytes:
    """A signature that truly is of the algorithm it names, which the issuer's or the key's rules may not allow."""
    key = rng.choice([key for key in drafted.one.published if key.algorithms])
    fitting = [name for name in SIGNERS if name[:2] in _FAMILIES[key.jwk["kty"]]]
    alg = rng.choice([name for name in fitting if rng.random() < 0.5 or name in drafted.one.algorithms])
    header = members_of({"alg": alg, "kid": key.jwk["kid"]})
    return joined(compact(header), compact(drafted.claims), alg, key.private)


def key_not_for_it(drafted: Draft, rng: Random) -> bytes:
    """Truly signed with a key that is published and must not serve: of the other issuer, for encryption, for signing alone."""
    key = rng.choice([key for one in believed() for key in one.published if drafted.one is not one or not key.algorithms])
    algorithm = _OWN[key.jwk["kty"]]
    header = members_of({"alg": algorithm, "kid": key.jwk["kid"]})
    return joined(compact(header), compact(drafted.claims), algorithm, key.private)


def without_signature(drafted: Draft, rng: Random) -> bytes:
    """alg none in all spellings, and HMAC with what everybody knows: the public key, or nothing."""
    alg = rng.choice(["none", "None", "NONE", "nOnE", "HS256", "HS256", "HS384", "", drafted.algorithm])
    header = compact(replaced(drafted.header, "alg", json.dumps(alg)))
    signed = f"{b64(header)}.{b64(compact(drafted.claims))}"
    signature = _hmac(drafted, signed, rng) if alg.startswith("HS") else rng.choice([b"", b"\x00", b"none"])
    return f"{signed}.{b64(signature)}".encode("ascii")


def text_of_claims(drafted: Draft, rng: Random) -> bytes:
    return drafted.token(claims=written(drafted.claims, rng))


def text_of_header(drafted: Draft, rng: Random) -> bytes:
    return drafted.token(header=written(drafted.header, rng))


def everything_changed(drafted: Draft, rng: Random) -> bytes:
    """A changed claim, a changed header, another text of both."""
    claims = replaced(drafted.claims, rng.choice(CLAIM_NAMES), rng.choice(ANY))
    name = rng.choice(HEADER_NAMES[2:])
    header = replaced(drafted.header, name, _header_value(name, drafted, rng))
    return drafted.token(written(header, rng), written(claims, rng))


KINDS: dict[Kind, int] = {
    good: 4,
    text_changed: 20,
    seen_and_changed: 3,
    claim_changed: 16,
    times_changed: 13,
    audience_changed: 7,
    issuer_changed: 3,
    header_changed: 11,
    key_confused: 5,
    algorithm_changed: 3,
    key_not_for_it: 1,
    without_signature: 2,
    text_of_claims: 5,
    text_of_header: 5,
    everything_changed: 2,
}
"""Every kind, and how many of a hundred tokens are of it. A new one is a function and a line here."""


def _date(rng: Random) -> str:
    at = NOW + rng.choice(OFFSETS)
    forms = (f"{at}", f"{at}", f"{at}", f"{at}.5", f"{at}.000001", f"{at - 1}.999999", f"{at}.0", f"{at}e0", f"{at / 1e9:.9f}e9")
    odd = (f'"{at}"', f"[{at}]", f"{at}e300", f"-{at}", "null", "true", "false", "NaN", "1e999")
    return rng.choice(forms if rng.random() < 0.85 else odd)


def _header_value(name: str, drafted: Draft, rng: Random) -> str:
    """Half of the time what is typical of this member, else anything."""
    if rng.random() < 0.4:
        return rng.choice(ANY)
    typical: dict[str, tuple[object, ...]] = {
        "alg": ALGORITHMS,
        "kid": (*KIDS, "k" * 200, "k" * 201),
        "typ": ("JWT", "jwt", "at+jwt", "AT+JWT", "application/jwt", "JWE", "dpop+jwt", "logout+jwt", "id_token", ""),
        "crit": (["exp"], ["b64"], [], [""], ["kid"], "b64"),
        "b64": (True, False),
        "jwk": (drafted.key.jwk,),
        "jku": ("https://evil.example/keys", "file:///etc/passwd"),
        "x5u": ("https://evil.example/chain",),
        "x5c": (["AAAA"],),
        "zip": ("DEF",),
        "enc": ("A128GCM",),
    }
    return json.dumps(rng.choice(typical.get(name, ("text", None, 1))))


def _hmac(drafted: Draft, signed: str, rng: Random) -> bytes:
    public = drafted.key.private.public_key()
    known = (
        public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        json.dumps(drafted.key.jwk).encode(),
        b"",
    )
    return hmac.new(rng.choice(known), signed.encode(), hashlib.sha256).digest()
