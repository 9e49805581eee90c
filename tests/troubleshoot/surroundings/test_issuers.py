"""An issuer's discovery document and keys are judged as the verifier loads them, against a real issuer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from tokenward.keys.fetch import HttpxFetch
from tokenward.keys.location import Discovery, JwksUri
from tokenward.keys.port import FetchFailed, FetchRequest, FetchResponse
from tokenward.testing import IssuerServer, LocalIssuer, OidcIssuer
from tokenward.troubleshoot.surroundings.issuers import usable

RS256 = ("RS256",)


@pytest.fixture
def oidc(new_key: Any) -> Iterator[OidcIssuer]:
    issuer = LocalIssuer.oidc("https://idp.example/tenant", new_key=new_key)
    with IssuerServer(issuer):
        yield issuer


def _at(issuer: OidcIssuer) -> Discovery:
    return Discovery(issuer.discovery_url, frozenset({issuer.issuer}))


def _held(findings: Any) -> dict[str, bool | None]:
    return {finding.name: finding.held for finding in findings}


def test_a_good_issuer_is_usable(oidc: OidcIssuer) -> None:
    found = usable(_at(oidc), RS256, HttpxFetch())
    assert _held(found) == {"discovery": True, "keys": True}
    assert found[1].seen == "1 of 1 keys"


def test_an_address_of_keys_needs_no_discovery(oidc: OidcIssuer) -> None:
    assert _held(usable(JwksUri(oidc.jwks_uri), RS256, HttpxFetch())) == {"keys": True}
    assert len(oidc.requests) == 1


def test_keys_must_serve_the_algorithms(oidc: OidcIssuer) -> None:
    found = usable(_at(oidc), ("ES256",), HttpxFetch())
    assert _held(found) == {"discovery": True, "keys": False}
    assert (found[1].seen, "ES256" in found[1].fix) == ("0 of 1 keys", True)


def test_a_document_of_another_issuer_is_of_no_use(oidc: OidcIssuer) -> None:
    found = usable(replace(_at(oidc), issuers=frozenset({f"{oidc.issuer}/"})), RS256, HttpxFetch())
    assert _held(found) == {"discovery": False}
    assert "last slash" in found[0].fix


@pytest.mark.parametrize(
    ("mode", "options", "held"),
    [
        pytest.param("status", {"status": 404}, False, id="not found"),
        pytest.param("status", {"status": 503}, None, id="failing"),
        pytest.param("status", {"status": 429}, None, id="throttled"),
        pytest.param("html", {}, False, id="a proxy's page"),
        pytest.param("garbage", {}, False, id="half an object"),
        pytest.param("redirect", {}, False, id="a redirect"),
        pytest.param("too_large", {}, False, id="too large"),
        pytest.param("reset", {}, None, id="a broken connection"),
    ],
)
def test_what_may_pass_is_open_and_the_rest_is_wrong(oidc: OidcIssuer, mode: Any, options: Any, held: bool | None) -> None:
    oidc.fail(mode, **options)
    (finding,) = usable(_at(oidc), RS256, HttpxFetch())
    assert (finding.name, finding.held) == ("discovery", held)
    assert finding.fix


def test_keys_that_fail_after_a_good_discovery_are_told_apart(oidc: OidcIssuer) -> None:
    fetch = HttpxFetch()

    def failing(request: FetchRequest) -> FetchResponse:
        if request.url == oidc.jwks_uri:
            raise FetchFailed("connect", "ConnectError")
        return fetch(request)

    found = usable(_at(oidc), RS256, failing)
    assert _held(found) == {"discovery": True, "keys": None}
    assert oidc.jwks_uri in str(found[1].seen)


@pytest.mark.parametrize(
    ("kind", "words"), [pytest.param("dns", "host name", id="no such name"), pytest.param("connect", "firewall", id="refused")]
)
def test_an_issuer_that_could_not_be_asked_is_not_blamed_and_what_to_check_is_said(
    oidc: OidcIssuer, kind: Any, words: str
) -> None:
    def failing(_: FetchRequest) -> FetchResponse:
        raise FetchFailed(kind, "ConnectError")

    (finding,) = usable(_at(oidc), RS256, failing)
    assert (finding.name, finding.held, words in finding.fix) == ("discovery", None, True)


def test_an_empty_set_of_keys_is_of_no_use(oidc: OidcIssuer) -> None:
    oidc.fail("empty")
    assert _held(usable(JwksUri(oidc.jwks_uri), RS256, HttpxFetch())) == {"keys": False}


def test_whatever_a_fetch_raises_is_a_finding(oidc: OidcIssuer) -> None:
    def broken(_: FetchRequest) -> FetchResponse:
        raise RuntimeError("eyJ-secret")

    (finding,) = usable(_at(oidc), RS256, broken)
    assert finding.held is None
    assert "secret" not in str(finding.seen)
