"""tokenward: bearer tokens for Python web services, verified, explained, and never waiting for the identity provider."""

import typing

from tokenward import lazily

if typing.TYPE_CHECKING:
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

if not typing.TYPE_CHECKING:  # which would make a type checker take any name for one of these
    __getattr__, __dir__ = lazily.from_homes(
        __name__,
        {
            "AsyncVerifier": "tokenward.verifier",
            "AuthenticationError": "tokenward.errors",
            "Identity": "tokenward.identity",
            "Issuer": "tokenward.issuer",
            "KeysUnavailable": "tokenward.errors",
            "Policy": "tokenward.policy",
            "PolicyError": "tokenward.errors",
            "TokenRejected": "tokenward.errors",
            "Verifier": "tokenward.verifier",
            "entra": "tokenward.entra",
        },
    )
