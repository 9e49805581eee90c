"""How the stand-in for Entra's token endpoint knows an application: by its secrets, certificates and federated credentials.

Signatures are checked with PyJWT, so that what tokenward signs is judged by somebody else.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tokenward.testing.entra_errors import EntraError
from tokenward.testing.publisher import Publisher

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
EXCHANGE_AUDIENCE = "api://AzureADTokenExchange"
UNCHECKED = {"verify_exp": False, "verify_nbf": False, "verify_iat": False, "verify_aud": False}
"""The times are judged by the issuer's clock, and not by PyJWT's."""


@dataclass(frozen=True, slots=True)
class FederatedTrust:
    """One federated identity credential: whose tokens, about whom, for which audience. All three compare to the letter."""

    issuer: str
    subject: str
    signer: Publisher
    audience: str = EXCHANGE_AUDIENCE


@dataclass(slots=True)
class Application:
    """The confidential client, and everything by which Entra knows it."""

    client_id: str
    secrets: set[str] = field(default_factory=set)
    expired_secrets: set[str] = field(default_factory=set)
    certificates: list[x509.Certificate] = field(default_factory=list)
    trusts: list[FederatedTrust] = field(default_factory=list)

    def authenticate(self, form: Mapping[str, str], endpoints: Sequence[str], now: float) -> str:
        """How the client proved itself: "secret", "certificate" or "federated". Raises EntraError."""
        if form.get("client_assertion"):
            if form.get("client_assertion_type") != ASSERTION_TYPE:
                raise EntraError(900144)
            return self._by_assertion(form["client_assertion"], endpoints, now)
        secret = form.get("client_secret")
        if not secret:
            raise EntraError(7000218)
        if secret not in self.secrets:
            raise EntraError(7000222 if secret in self.expired_secrets else 7000215)
        return "secret"

    def _by_assertion(self, assertion: str, endpoints: Sequence[str], now: float) -> str:
        header, claims = opened(assertion)
        if "x5t#S256" not in header and "x5t" not in header:
            self._check_federated(assertion, header, claims, now)
            return "federated"
        _verified(assertion, self._named_by(header), header)
        if (claims.get("iss"), claims.get("sub")) != (self.client_id, self.client_id):
            raise EntraError(700021)
        if claims.get("aud") not in endpoints or not claims.get("jti"):
            raise EntraError(50027)
        _in_time(claims, now)
        return "certificate"

    def _named_by(self, header: Mapping[str, Any]) -> bytes:
        """The certificate by its thumbprint; MSAL leaves the padding on, and Entra does not mind."""
        algorithm, sha256, sha1 = header.get("alg"), *(str(header.get(name, "")).rstrip("=") for name in ("x5t#S256", "x5t"))
        for certificate in self.certificates:
            if sha256 == thumbprint(certificate, hashes.SHA256()) and algorithm in ("PS256", "RS256"):
                return _pem(certificate)
            if sha1 == thumbprint(certificate, hashes.SHA1()) and algorithm == "RS256":  # noqa: S303
                return _pem(certificate)
        raise EntraError(700027)

    def _check_federated(self, assertion: str, header: Mapping[str, Any], claims: Mapping[str, Any], now: float) -> None:
        trusts = [trust for trust in self.trusts if trust.issuer == claims.get("iss")]
        if not trusts:
            raise EntraError(700211)
        if not any(claims.get("aud") in (trust.audience, [trust.audience]) for trust in trusts):
            raise EntraError(700212)
        found = [trust for trust in trusts if trust.subject == claims.get("sub")]
        if not found:
            raise EntraError(700213)
        _verified(assertion, public_pem(found[0].signer, header), header)
        _in_time(claims, now)


def opened(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims, unverified. Raises EntraError."""
    try:
        return jwt.get_unverified_header(token), jwt.decode(token, options={"verify_signature": False})
    except jwt.InvalidTokenError:
        raise EntraError(50027) from None


def public_pem(signer: Publisher, header: Mapping[str, Any]) -> bytes | None:
    """The public key that a token names, of those that its issuer publishes."""
    return next((key.public_pem() for key in signer.keys if key.kid == header.get("kid")), None)


def holds(token: str, pem: bytes | None, algorithms: Sequence[str]) -> bool:
    """Whether the signature is this key's."""
    try:
        jwt.decode(token, pem or b"", algorithms=list(algorithms), options=UNCHECKED)  # type: ignore[arg-type]  # PyJWT's own type
    except (jwt.InvalidTokenError, jwt.InvalidKeyError):
        return False
    return pem is not None


def thumbprint(certificate: x509.Certificate, algorithm: hashes.HashAlgorithm) -> str:
    """Of the certificate's DER, as `x5t` and `x5t#S256` have it (RFC 7515 sections 4.1.7 and 4.1.8)."""
    return base64.urlsafe_b64encode(certificate.fingerprint(algorithm)).rstrip(b"=").decode()


def _verified(assertion: str, pem: bytes | None, header: Mapping[str, Any]) -> None:
    if not holds(assertion, pem, [str(header.get("alg"))] if header.get("alg") in ("RS256", "PS256", "ES256") else []):
        raise EntraError(700027)


def _in_time(claims: Mapping[str, Any], now: float) -> None:
    """Entra allows clients five minutes of skew on what they sign themselves."""
    if not claims.get("nbf", claims.get("iat", now)) - 300 <= now < claims.get("exp", 0):
        raise EntraError(700024)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
