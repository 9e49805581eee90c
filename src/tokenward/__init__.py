"""tokenward: bearer tokens for Python web services, verified, explained, and never waiting for the identity provider."""

from tokenward import entra
from tokenward.errors import AuthenticationError, KeysUnavailable, PolicyError, TokenRejected
from tokenward.identity import Identity
from tokenward.issuer import Issuer
from tokenward.policy import Policy
from tokenward.verifier import AsyncVerifier, Verifier

__version__ = "0.1.0"

__all__ = [
    "AsyncVerifier",
    "AuthenticationError",
    "Identity",
    "Issuer",
    "KeysUnavailable",
    "Policy",
    "PolicyError",
    "TokenRejected",
    "Verifier",
    "entra",
]
