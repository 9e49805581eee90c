"""An Entra tenant and an OIDC issuer over real HTTP, and the configuration of a gateway that believes the first."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tokenward.testing import IssuerServer, LocalIssuer, OidcIssuer, SigningKey


@pytest.fixture(scope="session")
def signing_key() -> SigningKey:
    return SigningKey.generate("RS256")


@pytest.fixture
def entra_issuer(signing_key: SigningKey) -> Iterator[LocalIssuer]:
    issuer = LocalIssuer(keys=[signing_key])
    with IssuerServer(issuer):
        yield issuer


@pytest.fixture
def gateway_toml(entra_issuer: LocalIssuer, tmp_path: Path) -> str:
    """Its [policy], beside what explain has no use for."""
    path = tmp_path / "gateway.toml"
    path.write_text(
        f"""\
[gateway]
upstream = "adb-1234567890123456.7.azuredatabricks.net"
allow = ["sql"]

[policy]
kind = "api"
client_id = "{entra_issuer.client_id}"
tenants = ["{entra_issuer.tenant}"]
authority = "{entra_issuer.origin}"
"""
    )
    return str(path)


@pytest.fixture
def oidc_issuer(signing_key: SigningKey) -> Iterator[OidcIssuer]:
    """An issuer that is at home on this machine, as a private one is in its network."""
    server = IssuerServer(OidcIssuer("http://127.0.0.1/", keys=[signing_key]))
    with server:
        pass  # for a port, which it keeps
    issuer = OidcIssuer(server.url, keys=[signing_key])
    with IssuerServer(issuer, int(server.url.rpartition(":")[2])):
        yield issuer


@pytest.fixture
def federation_json(oidc_issuer: OidcIssuer, tmp_path: Path) -> str:
    path = tmp_path / "policy.json"
    policy = {"issuer": oidc_issuer.issuer, "audiences": ["databricks"], "subject_claim": "sub"}
    path.write_text(json.dumps({"policies": [{"oidc_policy": policy}]}))
    return str(path)
