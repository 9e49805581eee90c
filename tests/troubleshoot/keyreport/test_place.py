"""What a person names is found where a policy would find it, or refused with what to write instead."""

from __future__ import annotations

from typing import Any

import pytest

from tokenward import Issuer, PolicyError
from tokenward.troubleshoot.keyreport.place import place_of
from tokenward.troubleshoot.keyreport.report import keys_of

TENANT = "72f988bf-86f1-41af-91ab-2d7cd011db47"
COMMON = "https://login.microsoftonline.com/common/v2.0/.well-known/openid-configuration"
TEMPLATE = "https://login.microsoftonline.com/{tenantid}/v2.0"


@pytest.mark.parametrize(
    ("named", "issuer", "address"),
    [
        pytest.param("https://idp.example/", None, "https://idp.example/.well-known/openid-configuration", id="any issuer"),
        pytest.param(TEMPLATE, None, COMMON, id="Entra's template"),
        pytest.param("https://login.microsoftonline.com/common/v2.0", TEMPLATE, COMMON, id="Entra's common"),
        pytest.param(
            f"https://login.microsoftonline.us/{TENANT}/v2.0",
            None,
            f"https://login.microsoftonline.us/{TENANT}/v2.0/.well-known/openid-configuration",
            id="a tenant of the US government's cloud",
        ),
        pytest.param(
            f"https://sts.windows.net/{TENANT}/",
            None,
            f"https://login.microsoftonline.com/{TENANT}/.well-known/openid-configuration",
            id="a v1 issuer, whose document is elsewhere",
        ),
        pytest.param(
            Issuer("https://idp.example/", audiences=["a"], discovery_url="https://meta.example/d"),
            "https://idp.example/",
            "https://meta.example/d",
            id="an issuer of a policy",
        ),
    ],
)
def test_an_issuer_is_found_where_a_policy_would_find_it(named: Any, issuer: str | None, address: str) -> None:
    place = place_of(named)
    assert (place.issuer, place.location.name) == (issuer or named, address)


def test_an_address_of_a_document_is_believed_as_to_the_issuer_and_that_is_told(publishing: Any) -> None:
    publishing.said["issuer"] = "https://elsewhere.example/"
    report = keys_of(publishing.discovery_url)
    assert (report.verdict, report.issuer) == ("usable", "https://elsewhere.example/")
    assert "issuer_elsewhere" in {caution.name for caution in report.cautions}


def test_keys_at_an_address_need_no_discovery(publishing: Any) -> None:
    report = keys_of(None, jwks_uri=publishing.jwks_uri)
    assert (report.verdict, report.discovery, len(report.keys)) == ("usable", None, 1)


@pytest.mark.parametrize(
    ("issuer", "jwks_uri"),
    [
        pytest.param("http://idp.example/", None, id="http beyond this machine"),
        pytest.param("idp.example", None, id="no URL"),
        pytest.param("", None, id="nothing"),
        pytest.param(None, None, id="None"),
        pytest.param("https://idp.example/{tenantid}/", None, id="a template without a known document"),
        pytest.param("http://idp.example/.well-known/openid-configuration", None, id="a document over http"),
        pytest.param(None, "http://idp.example/keys", id="keys over http"),
        pytest.param(7, None, id="a number"),
    ],
)
def test_what_is_no_place_is_refused_with_what_to_write(issuer: Any, jwks_uri: str | None) -> None:
    with pytest.raises(PolicyError) as caught:
        place_of(issuer, jwks_uri)
    assert caught.value.fix


def test_keys_that_are_given_in_the_configuration_are_not_looked_for(publishing: Any) -> None:
    with pytest.raises(PolicyError, match="configuration"):
        place_of(Issuer("https://idp.example/", audiences=["a"], jwks=publishing.jwks()))
