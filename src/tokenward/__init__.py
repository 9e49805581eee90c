"""tokenward: bearer tokens for Python web services, verified, explained, and never waiting for the identity provider."""

import importlib
import typing

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

_HOMES = {
    "AsyncVerifier": "verifier",
    "AuthenticationError": "errors",
    "Identity": "identity",
    "Issuer": "issuer",
    "KeysUnavailable": "errors",
    "Policy": "policy",
    "PolicyError": "errors",
    "TokenRejected": "errors",
    "Verifier": "verifier",
}


def __getattr__(name: str) -> object:
    """Imported when it is used first (PEP 562): the command line and tools that need one part do not wait for the others."""
    if name == "entra":
        return importlib.import_module("tokenward.entra")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"tokenward.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
