"""One published key as a line of the report. Whether it is usable is the verifier's word: `read_jwk` and `read_keyset`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tokenward.issuer_name import tenant_of
from tokenward.keys.jwk import MAX_MEMBER_CHARS, Key, UnusableKey, read_jwk
from tokenward.keys.keyset import MAX_KEYS, KeySet, read_keyset
from tokenward.policy import Policy
from tokenward.redaction import shown
from tokenward.token.signature import may_speak
from tokenward.token.strict import decode_base64url
from tokenward.troubleshoot.keyreport.certificate import Certificate, certificate_of
from tokenward.troubleshoot.keyreport.why import why

FINGERPRINT_DIGITS = 12
"""Of a public key's SHA-256, in hexadecimal: enough to see that the key under a kid is another one."""


@dataclass(frozen=True, slots=True)
class KeyRow:
    """What is published of one key; texts are escaped, bounded and without secrets.

    bits         of an RSA modulus
    certificate_ends  epoch seconds, of the first certificate
    issuer, cloud     Entra's binding of the key to a tenant and a cloud
    reason       why a verifier leaves it out, in a word; empty where it is usable
    serves       the algorithms of the tokens that it can check
    fingerprint  of the public key; None where it could not be read
    """

    kid: str | None
    kty: str | None
    alg: str | None
    use: str | None
    key_ops: tuple[str, ...] | None
    curve: str | None
    bits: int | None
    certificate_ends: float | None
    issuer: str | None
    cloud: str | None
    reason: str
    serves: tuple[str, ...]
    fingerprint: str | None

    @property
    def usable(self) -> bool:
        return not self.reason

    @property
    def size(self) -> str | None:
        """The size of an RSA key, the curve of another."""
        return self.curve if self.bits is None else str(self.bits)

    @property
    def why(self) -> str:
        return why(self.reason)


@dataclass(frozen=True, slots=True)
class Judged:
    """A published key with everything that the checks of `key_cautions` look at. It holds the JWK, so it is not for printing."""

    row: KeyRow
    jwk: Mapping[str, object]
    key: Key | None
    certificate: Certificate | None
    certificate_problem: str

    def __repr__(self) -> str:
        return f"<Judged {self.row!r}>"


def judge_keys(
    document: Mapping[str, object], *, issuer: str | None, cloud: str | None, policy: Policy | None
) -> tuple[Judged, ...]:
    """Every key of a JWKS, in its order, and MAX_KEYS at most.

    issuer  the `iss` of the tokens or a template of it; None judges no binding
    cloud   Entra's name of the cloud; None judges none
    policy  that the issuer is of; None judges no binding
    """
    listed = document.get("keys")
    if not isinstance(listed, list):
        return ()
    try:
        keyset: KeySet | None = read_keyset(document)
    except ValueError:
        keyset = None
    return tuple(_judged(jwk, keyset, issuer, cloud, policy) for jwk in listed[:MAX_KEYS])


def _judged(jwk: object, keyset: KeySet | None, issuer: str | None, cloud: str | None, policy: Policy | None) -> Judged:
    key: Key | None = None
    try:
        key = read_jwk(jwk)
        reason = _left_out(key, keyset) or _bound_elsewhere(key, issuer, cloud, policy)
    except UnusableKey as exc:
        reason = exc.reason
    members = jwk if isinstance(jwk, Mapping) else {}
    certificate, problem = _certificate(members)
    return Judged(_row(members, key, reason, certificate), members, key, certificate, problem)


def _left_out(key: Key, keyset: KeySet | None) -> str:
    if keyset is None:
        return "set_refused"
    if key in keyset.keys.get(key.kid, ()):
        return ""
    return "kid_missing" if key.kid is None else "kid_repeated"


def _bound_elsewhere(key: Key, issuer: str | None, cloud: str | None, policy: Policy | None) -> str:
    """By `token.signature`, for a token of this issuer; a template judges no tenant."""
    if None not in (key.cloud_instance_name, cloud) and key.cloud_instance_name != cloud:
        return "another_cloud"
    route = policy.route(issuer) if policy is not None and issuer is not None else None
    if policy is None or issuer is None or route is None:
        return ""
    return "" if may_speak(key, {"iss": issuer, "tid": tenant_of(issuer)}, route, policy, cloud) else "bound_elsewhere"


def _certificate(jwk: Mapping[str, object]) -> tuple[Certificate | None, str]:
    try:
        return certificate_of(jwk), ""
    except ValueError as exc:
        return None, str(exc)


def _row(jwk: Mapping[str, object], key: Key | None, reason: str, certificate: Certificate | None) -> KeyRow:
    return KeyRow(
        kid=_told(jwk.get("kid")),
        kty=_told(jwk.get("kty")),
        alg=_told(jwk.get("alg")),
        use=_told(jwk.get("use")),
        key_ops=_operations(jwk.get("key_ops")),
        curve=_told(jwk.get("crv")),
        bits=_bits(jwk),
        certificate_ends=certificate.ends if certificate else None,
        issuer=_told(jwk.get("issuer")),
        cloud=_told(jwk.get("cloud_instance_name")),
        reason=reason,
        serves=tuple(sorted(key.algorithms)) if key and not reason else (),
        fingerprint=key.fingerprint.hex()[:FINGERPRINT_DIGITS] if key else None,
    )


def _told(value: object) -> str | None:
    return None if value is None else str(shown(value))


def _operations(value: object) -> tuple[str, ...] | None:
    safe = shown(value) if isinstance(value, list) else None
    return tuple(map(str, safe)) if isinstance(safe, Sequence) and not isinstance(safe, str) else None


def _bits(jwk: Mapping[str, object]) -> int | None:
    """Of a modulus that a verifier may have refused for this very size."""
    modulus = jwk.get("n")
    if jwk.get("kty") != "RSA" or not isinstance(modulus, str) or not modulus.isascii() or len(modulus) > MAX_MEMBER_CHARS:
        return None
    try:
        return int.from_bytes(decode_base64url(modulus.encode()), "big").bit_length()
    except ValueError:
        return None
