"""The peers: each as its own documents show it, doing the same checks as far as it can (signature, iss, aud, exp, nbf).

A peer that is not installed, or that breaks while it is set up, is reported so; nothing is made up in its place. A call
returns for a token that it accepts, and raises for one that it refuses.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from benchmarks.provider import Provider
from benchmarks.report import version
from benchmarks.tokens import CLIENT, TENANT, V2_ISSUER, Algorithm, Corpus, entra_corpus, es256_corpus, rfc9068_corpus

Call: TypeAlias = Callable[[str], Any]
"""Sync or async."""

REQUIRED = ["exp", "nbf", "iss", "aud", "sub"]


@dataclass(frozen=True)
class Peer:
    """One column: how it is called in the table, the distribution it comes from, and how it is set up."""

    name: str
    distribution: str
    prepare: Callable[[Provider, Algorithm], Call]
    algorithms: tuple[Algorithm, ...] = ("RS256", "ES256")

    @property
    def installed(self) -> bool:
        return version(self.distribution) is not None

    def corpus(self, algorithm: Algorithm) -> Corpus:
        """The tokens that it is measured with: Entra's, unless it insists on RFC 9068's claims."""
        if self.distribution == "Authlib":
            return rfc9068_corpus(algorithm)
        return entra_corpus() if algorithm == "RS256" else es256_corpus()


class RefusedError(Exception):
    """A peer's refusal, where it would return None."""


def pyjwt(_provider: Provider, algorithm: Algorithm) -> Call:
    """`jwt.decode` with the key in hand."""
    jwt = importlib.import_module("jwt")
    corpus = entra_corpus() if algorithm == "RS256" else es256_corpus()
    key = jwt.PyJWK(corpus.signer.jwk(), algorithm).key
    options = {"require": REQUIRED}

    def call(token: str) -> Any:
        return jwt.decode(token, key, algorithms=[algorithm], audience=CLIENT, issuer=V2_ISSUER, options=options)

    return call


def pyjwk_client(provider: Provider, algorithm: Algorithm) -> Call:
    """As its documentation shows it: the key by the token's kid, then decode."""
    jwt = importlib.import_module("jwt")
    client = jwt.PyJWKClient(f"{provider.url}/{algorithm}/keys")
    options = {"require": REQUIRED}

    def call(token: str) -> Any:
        key = client.get_signing_key_from_jwt(token)
        return jwt.decode(token, key, algorithms=[algorithm], audience=CLIENT, issuer=V2_ISSUER, options=options)

    call.client = client  # type: ignore[attr-defined]  # for the row that makes its keys old
    return call


def joserfc(_provider: Provider, algorithm: Algorithm) -> Call:
    """A key set and a claims registry, both made once."""
    jwt, jwk = importlib.import_module("joserfc.jwt"), importlib.import_module("joserfc.jwk")
    corpus = entra_corpus() if algorithm == "RS256" else es256_corpus()
    keys = jwk.KeySet.import_key_set(corpus.jwks)
    essential = {name: {"essential": True} for name in ("exp", "nbf", "sub")}
    registry = jwt.JWTClaimsRegistry(
        iss={"essential": True, "value": V2_ISSUER}, aud={"essential": True, "value": CLIENT}, **essential
    )

    def call(token: str) -> None:
        registry.validate(jwt.decode(token, keys, algorithms=[algorithm]).claims)

    return call


def authlib(_provider: Provider, algorithm: Algorithm) -> Call:
    """Its RFC 9068 validator, with the set made once (its documents show a dict, which it would import for each request)."""
    rfc9068, jwk = importlib.import_module("authlib.oauth2.rfc9068"), importlib.import_module("joserfc.jwk")
    keys = jwk.KeySet.import_key_set(rfc9068_corpus(algorithm).jwks)

    class Validator(rfc9068.JWTBearerTokenValidator):  # type: ignore[misc, name-defined]
        def get_jwks(self) -> Any:
            return keys

    validator = Validator(issuer=V2_ISSUER, resource_server=CLIENT)

    def call(token: str) -> None:
        validator.validate_token(validator.authenticate_token(token), None, None)

    return call


def fastmcp(provider: Provider, algorithm: Algorithm) -> Call:
    """JWTVerifier over a JWKS address."""
    os.environ.setdefault("FASTMCP_LOG_ENABLED", "false")  # else it writes each refusal to the terminal
    module = importlib.import_module("fastmcp.server.auth.providers.jwt")
    verifier = module.JWTVerifier(
        jwks_uri=f"{provider.url}/{algorithm}/keys", issuer=V2_ISSUER, audience=CLIENT, algorithm=algorithm
    )

    async def call(token: str) -> None:
        if await verifier.verify_token(token) is None:
            raise RefusedError

    call.verifier = verifier  # type: ignore[attr-defined]  # for the row that makes its keys old
    return call


def azure_scheme(provider: Provider) -> Any:
    """fastapi-azure-auth's dependency for one tenant, its metadata fetched from loopback."""
    module = importlib.import_module("fastapi_azure_auth")
    scheme = module.SingleTenantAzureAuthorizationCodeBearer(
        app_client_id=CLIENT, tenant_id=TENANT, scopes={"jobs.read": "read"}, allow_guest_users=True
    )
    scheme.openid_config.config_url = f"{provider.url}/.well-known/openid-configuration"
    return scheme


def fastapi_azure_auth(provider: Provider, _algorithm: Algorithm) -> Call:
    """The dependency called with a request, as FastAPI calls it."""
    scheme = azure_scheme(provider)
    scopes = importlib.import_module("fastapi.security").SecurityScopes(["jobs.read"])
    request = importlib.import_module("starlette.requests").Request

    async def call(token: str) -> Any:
        headers = [(b"authorization", b"Bearer " + token.encode())]
        scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": headers}
        return await scheme(request(scope), scopes)

    call.scheme = scheme  # type: ignore[attr-defined]  # for the row that makes its keys old
    return call


PEERS = (
    Peer("PyJWT", "PyJWT", pyjwt),
    Peer("PyJWKClient", "PyJWT", pyjwk_client),
    Peer("joserfc", "joserfc", joserfc),
    Peer("Authlib", "Authlib", authlib),
    Peer("FastMCP", "fastmcp", fastmcp),
    Peer("fastapi-azure-auth", "fastapi-azure-auth", fastapi_azure_auth, ("RS256",)),
)
AUTHENTICATION_MIDDLEWARE = "AuthMiddleware"
"""Starlette's AuthenticationMiddleware with a PyJWKClient behind it: a column of the middleware rows only."""
COLUMNS = (*(peer.name for peer in PEERS), AUTHENTICATION_MIDDLEWARE)
