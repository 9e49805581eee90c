"""An issuer on loopback that publishes what a test says, as a test says."""

from __future__ import annotations

import base64
import datetime
import json
from collections.abc import Callable, Iterator, Mapping

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from tokenward.testing import IssuerServer, OidcIssuer, SigningKey
from tokenward.testing.faults import Answer
from tokenward.testing.loopback import free_port


class Publishing(OidcIssuer):
    """Well behaved until a test changes one of these.

    listed    the JWKs in place of its own
    said      members of the discovery document in place of its own
    sent      headers in place of its own, in both answers; None leaves one out
    body      the body of the JWKS in place of everything
    """

    def __init__(self, url: str, new_key: Callable[[], SigningKey]) -> None:
        super().__init__(url, new_key=new_key)
        self.listed: list[object] | None = None
        self.said: dict[str, object] = {}
        self.sent: dict[str, str | None] = {"cache-control": "public, max-age=3600"}
        self.body: bytes | None = None

    def document(self, path: str) -> Mapping[str, object] | None:
        found = super().document(path)
        if found is not None and "keys" in found and self.listed is not None:
            return {"keys": self.listed}
        return {**found, **self.said} if found is not None and "jwks_uri" in found else found

    def answer(self, path: str) -> Answer:
        found = super().answer(path)
        headers = {name: value for name, value in {**found.headers, **self.sent}.items() if value is not None}
        body = self.body if self.body is not None and path.endswith("/jwks") else found.body
        return Answer(found.status, headers, body)


@pytest.fixture
def publishing(new_key: Callable[[], SigningKey]) -> Iterator[Publishing]:
    """An issuer that is what it says, at its own address."""
    port = free_port()
    issuer = Publishing(f"http://127.0.0.1:{port}/idp/", new_key)
    with IssuerServer(issuer, port):
        yield issuer


@pytest.fixture
def certificate() -> Callable[..., str]:
    """`x5c`'s one entry: a certificate of a key with the days until it begins and ends."""

    def make(key: SigningKey, begins: int, ends: int) -> str:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
        now = datetime.datetime.now(datetime.UTC)
        first, last = (now + datetime.timedelta(days=days) for days in (begins, ends))
        builder = x509.CertificateBuilder(name, name, key.private_key.public_key(), x509.random_serial_number(), first, last)
        return base64.b64encode(builder.sign(key.private_key, hashes.SHA256()).public_bytes(Encoding.DER)).decode()

    return make


@pytest.fixture
def padded_jwks() -> Callable[[OidcIssuer, int], bytes]:
    """The issuer's JWKS in as many bytes as a test wants."""

    def make(issuer: OidcIssuer, size: int) -> bytes:
        body = json.dumps(issuer.jwks()).encode()
        return body + b" " * (size - len(body))

    return make
