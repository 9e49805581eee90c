"""Arguments that are written down once still behave as if each method wrote them out."""

from __future__ import annotations

from typing import Any

import pytest

from tokenward.testing import LocalIssuer, OidcIssuer

ENTRAS = ("user_token", "guest_token", "app_token", "id_token", "databricks_token")


@pytest.mark.parametrize("method", ENTRAS)
@pytest.mark.parametrize("argument", ["colour", "Lifetime", "subject"])
def test_an_unknown_argument_is_a_type_error_that_names_it(issuer: LocalIssuer, method: str, argument: str) -> None:
    with pytest.raises(TypeError, match=argument):
        getattr(issuer, method)(**{argument: 1})


@pytest.mark.parametrize("argument", ["colour", "tenant"])
def test_an_issuer_that_is_not_entras_knows_no_tenant(argument: str) -> None:
    with pytest.raises(TypeError, match=argument):
        LocalIssuer.oidc().access_token(**{argument: "x"})  # type: ignore[arg-type]


def test_a_databricks_token_has_one_audience_only(issuer: LocalIssuer) -> None:
    with pytest.raises(TypeError, match="audience"):
        issuer.databricks_token(audience="api://other")  # type: ignore[call-arg]


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda **options: LocalIssuer(**options), id="an Entra issuer"),
        pytest.param(lambda **options: LocalIssuer.oidc(**options), id="made by oidc"),
        pytest.param(lambda **options: OidcIssuer("https://idp.example/", **options), id="an OIDC issuer"),
    ],
)
def test_an_issuer_is_not_made_of_unknown_arguments(make: Any) -> None:
    with pytest.raises(TypeError, match="colour"):
        make(colour=1)


def test_every_shared_argument_reaches_the_token(issuer: LocalIssuer, opened: Any) -> None:
    other = "11111111-2222-3333-4444-555555555555"
    key = issuer.stranger_key().renamed("theirs")
    for method in ENTRAS:
        token = getattr(issuer, method)(
            tenant=other, now=1000, lifetime=60, claims={"extra": 1}, header={"typ": "x"}, key=key, algorithm="PS256"
        )
        header, claims = opened(token)
        assert (claims["tid"], claims["iat"], claims["exp"], claims["extra"]) == (other, 1000, 1060, 1)
        assert (header["typ"], header["kid"], header["alg"]) == ("x", "theirs", "PS256")
