"""A local issuer for tests and demos, in Entra's real shapes. NOT FOR PRODUCTION: it signs whatever it is asked to sign.

A pytest fixture for your own tests (copy it; it needs no plugin), with an issuer that is asked over real HTTP as Entra would be:

    import pytest
    from tokenward import Verifier, entra
    from tokenward.testing import IssuerServer, LocalIssuer

    @pytest.fixture
    def issuer():
        issuer = LocalIssuer()
        with IssuerServer(issuer):
            yield issuer

    def test_a_caller_of_my_api(issuer):
        policy = entra.api(issuer.client_id, [issuer.tenant], cloud=issuer.cloud)  # give it to your middleware
        identity = Verifier(policy).verify(issuer.user_token(scopes=["jobs.read"]))
        assert identity.scopes == {"jobs.read"}
        issuer.rotate()  # and issuer.fail("status", status=503), issuer.recover(), issuer.app_token(), ...

Without a network: `Verifier(policy, fetch=issuer.fetch)`, `AsyncVerifier(policy, fetch=issuer.async_fetch)`. An issuer that
replaces another one, with its keys: `LocalIssuer(keys=issuer.keys)`. As a process: `python -m tokenward.testing --help`.

An issuer that resets, drips, lies or redirects: `with FaultServer(issuer) as server: server.next(faults.reset_after(100))`; each
way to fail is one function of `testing.faults`, and `docs/faults.md` says what the verifiers do when they meet it.

Beside it: `testing.workspace`, a stand-in for a Databricks workspace, and `testing.entra_server`, Entra's token endpoint.
"""

from tokenward.testing import faults
from tokenward.testing.claims import DEFAULT_CALLER, DEFAULT_CLIENT_ID, DEFAULT_TENANT
from tokenward.testing.clock import HandClock
from tokenward.testing.fault_server import FaultServer
from tokenward.testing.issuer import LocalIssuer
from tokenward.testing.keys import SigningKey
from tokenward.testing.oidc import OidcIssuer
from tokenward.testing.server import IssuerServer
from tokenward.testing.tokens import ABSENT

__all__ = [
    "ABSENT",
    "DEFAULT_CALLER",
    "DEFAULT_CLIENT_ID",
    "DEFAULT_TENANT",
    "FaultServer",
    "HandClock",
    "IssuerServer",
    "LocalIssuer",
    "OidcIssuer",
    "SigningKey",
    "faults",
]
