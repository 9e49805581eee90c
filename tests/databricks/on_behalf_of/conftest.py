"""A tenant with a token endpoint, a certificate for the application, and how a grant is carried out without a network."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tokenward.asking.driving import run
from tokenward.databricks.access import AccessToken, Subject
from tokenward.databricks.on_behalf_of.client_auth import ClientCredential, ClientSecret
from tokenward.databricks.on_behalf_of.on_behalf_of import OnBehalfOf
from tokenward.keys.port import Fetch
from tokenward.testing import HandClock, LocalIssuer
from tokenward.testing.entra_server import EntraServer
from tokenward.testing.entra_token_endpoint import DEFAULT_SECRET, EntraTokenEndpoint


@dataclass
class PemPair:
    """A key and its certificate, for `localhost`, in PEM: also what a TLS server needs."""

    private_key: RSAPrivateKey
    certificate: x509.Certificate

    @property
    def certificate_pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    def key_pem(self, password: str | None = None) -> bytes:
        protection = NoEncryption() if password is None else BestAvailableEncryption(password.encode())
        return self.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, protection)

    def write(self, path: Path) -> Path:
        path.write_bytes(self.key_pem() + self.certificate_pem)
        return path


def make_pair(bits: int = 2048) -> PemPair:
    key = generate_private_key(65537, bits)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    start, end = datetime(2020, 1, 1, tzinfo=UTC), datetime(2050, 1, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), start, end)
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    return PemPair(key, builder.sign(key, hashes.SHA256()))


@pytest.fixture(scope="session")
def pair() -> PemPair:
    return make_pair()


@pytest.fixture(scope="session")
def other_pair() -> PemPair:
    return make_pair()


@pytest.fixture(scope="session")
def small_pair() -> PemPair:
    return make_pair(1024)


@pytest.fixture
def endpoint(issuer: LocalIssuer) -> EntraTokenEndpoint:
    return EntraTokenEndpoint(issuer)


@pytest.fixture
def server(endpoint: EntraTokenEndpoint) -> Iterator[EntraServer]:
    """The same endpoint over HTTP on loopback."""
    with EntraServer(endpoint) as served:
        yield served


Grants = Callable[..., OnBehalfOf]


@pytest.fixture
def grant(issuer: LocalIssuer) -> Grants:
    """`grant(**options)`: this tenant's OnBehalfOf, by default with the right secret."""

    def _grant(credential: ClientCredential | None = None, **options: object) -> OnBehalfOf:
        arguments = {"tenant": issuer.tenant, "client_id": issuer.client_id, "cloud": issuer.cloud, **options}
        return OnBehalfOf(credential=credential or ClientSecret(DEFAULT_SECRET), **arguments)  # type: ignore[arg-type]

    return _grant


Carry = Callable[..., AccessToken]


@pytest.fixture
def carry_out(endpoint: EntraTokenEndpoint, wall: HandClock) -> Carry:
    """`carry_out(grant, token)`: the steps in process, without pauses."""

    def _carry_out(grant: OnBehalfOf, token: str, fetch: Fetch | None = None) -> AccessToken:
        steps = grant.steps(Subject.read(token), wall())
        return run(steps, fetch or endpoint.fetch, time.monotonic() + 10, sleep=lambda _: None)

    return _carry_out
