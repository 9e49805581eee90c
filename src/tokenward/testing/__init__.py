"""A local issuer for tests and demos, in Entra's real shapes. NOT FOR PRODUCTION: it signs whatever it is asked to sign."""

from tokenward.testing.claims import DEFAULT_CALLER, DEFAULT_CLIENT_ID, DEFAULT_TENANT
from tokenward.testing.clock import HandClock
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
    "HandClock",
    "IssuerServer",
    "LocalIssuer",
    "OidcIssuer",
    "SigningKey",
]
