from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tokenward import AsyncVerifier, Identity, Issuer, Policy, PolicyError, TokenRejected, Verifier
from tokenward.testing import HandClock, IssuerServer, LocalIssuer, OidcIssuer, SigningKey

AUDIENCE = "https://api.example/"


@pytest.fixture(params=["https://idp.example/", "https://idp.example", "https://idp.example/realms/jobs"])
def idp(request: pytest.FixtureRequest, wall: HandClock, new_key: Callable[[], SigningKey]) -> OidcIssuer:
    return LocalIssuer.oidc(request.param, clock=wall, new_key=new_key)


def verified(policy: Policy, token: str, wall: HandClock, **options: Any) -> Identity:
    verifier = Verifier(policy, clock=wall, observer=None, **options)
    try:
        return verifier.verify(token)
    finally:
        verifier.close()


def test_its_tokens_verify_in_process_by_plain_discovery(idp: OidcIssuer, wall: HandClock) -> None:
    identity = verified(Policy([Issuer(idp.issuer, audiences=[AUDIENCE])]), idp.access_token(), wall, fetch=idp.fetch)
    assert (identity.issuer, identity.scopes) == (idp.issuer, frozenset({"jobs.read"}))
    assert idp.requests == [idp.discovery_url, idp.jwks_uri]


def test_its_tokens_verify_over_http(idp: OidcIssuer, wall: HandClock) -> None:
    with IssuerServer(idp) as server:
        assert idp.discovery_url.startswith(server.url)
        policy = Policy([Issuer(idp.issuer, audiences=[AUDIENCE], discovery_url=idp.discovery_url)])
        assert verified(policy, idp.access_token(), wall).issuer == idp.issuer
        assert idp.requests == [idp.discovery_url, idp.jwks_uri]


def test_its_tokens_verify_in_an_event_loop(
    idp: OidcIssuer, wall: HandClock, run: Callable[[Callable[[], Awaitable[Identity]]], Identity]
) -> None:
    policy = Policy([Issuer(idp.issuer, audiences=[AUDIENCE])])
    verifier = AsyncVerifier(policy, clock=wall, fetch=idp.async_fetch, observer=None)

    async def _verify() -> Identity:
        return await verifier.verify(idp.access_token())

    assert run(_verify).client_id == "s6BhdRkqt3"


def test_its_tokens_are_those_of_rfc_9068(idp: OidcIssuer, opened: Callable[[str], Any]) -> None:
    header, claims = opened(idp.access_token())
    assert header == {"typ": "at+jwt", "alg": "RS256", "kid": idp.signing_key.kid}
    assert set(claims) == {"iss", "exp", "aud", "sub", "client_id", "iat", "jti", "scope"}


@pytest.mark.parametrize("algorithm", ["PS384", "ES256", "ES512", "EdDSA"])
def test_it_signs_with_any_key_and_names_its_algorithm(algorithm: str, wall: HandClock) -> None:
    idp = LocalIssuer.oidc(clock=wall, new_key=lambda: SigningKey.generate(algorithm))
    assert [jwk["alg"] for jwk in idp.jwks()["keys"]] == [algorithm]
    policy = Policy([Issuer(idp.issuer, audiences=[AUDIENCE], algorithms=[algorithm])])
    assert verified(policy, idp.access_token(), wall, fetch=idp.fetch).issuer == idp.issuer


def test_claims_and_audiences_can_be_replaced(idp: OidcIssuer, wall: HandClock) -> None:
    policy = Policy([Issuer(idp.issuer, audiences=[AUDIENCE])])
    both = idp.access_token(["https://other.example/", AUDIENCE], claims={"sub": "s6BhdRkqt3"})
    assert verified(policy, both, wall, fetch=idp.fetch).kind == "app"
    with pytest.raises(TokenRejected) as raised:
        verified(policy, idp.access_token("https://other.example/"), wall, fetch=idp.fetch)
    assert raised.value.code == "audience_not_accepted"


def test_an_issuer_that_no_policy_could_name_is_refused() -> None:
    with pytest.raises(PolicyError):
        LocalIssuer.oidc("http://idp.example/")
