"""What a workspace says of itself: its tenant in every cloud, and its metadata."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tokenward import entra
from tokenward.errors import AuthenticationError, PolicyError
from tokenward.keys.port import FetchResponse
from tokenward.testing import DEFAULT_TENANT
from tokenward.testing.workspace import DatabricksWorkspace, Fault

AskerOf = Callable[..., Any]
HOST = "adb-1.2.azuredatabricks.net"


def _redirect(location: str, status: int = 302) -> Callable[..., FetchResponse]:
    return lambda _: FetchResponse(status, {"location": location}, b"")


def test_the_tenant_is_in_the_address_that_people_are_sent_to(asker: Any) -> None:
    found = asker.tenant()
    assert (found.id, found.cloud) == (DEFAULT_TENANT, entra.PUBLIC)
    assert entra.databricks(found.id, cloud=found.cloud).issuers


@pytest.mark.parametrize(
    ("host", "cloud"),
    [
        ("login.microsoftonline.com", entra.PUBLIC),
        ("login.windows.net", entra.PUBLIC),
        ("login.microsoftonline.us", entra.US_GOV),
        ("login.usgovcloudapi.net", entra.US_GOV),
        ("login.partner.microsoftonline.cn", entra.CHINA),
        ("login.chinacloudapi.cn", entra.CHINA),
    ],
)
@pytest.mark.parametrize("status", [301, 302, 303, 307])
def test_every_cloud_is_known_by_its_host(asker_of: AskerOf, host: str, cloud: entra.Cloud, status: int) -> None:
    location = f"https://{host}/{DEFAULT_TENANT.upper()}/oauth2/authorize?client_id=2ff814a6&x=y"
    found = asker_of(HOST, fetch=_redirect(location, status)).tenant()
    assert (found.id, found.cloud) == (DEFAULT_TENANT, cloud)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(_redirect(f"https://login.example/{DEFAULT_TENANT}/oauth2/authorize"), id="another host"),
        pytest.param(
            _redirect(f"https://login.microsoftonline.com.evil.example/{DEFAULT_TENANT}/"), id="a host that begins alike"
        ),
        pytest.param(_redirect(f"https://x@login.microsoftonline.com/{DEFAULT_TENANT}/"), id="credentials in the address"),
        pytest.param(_redirect(f"http://login.microsoftonline.com/{DEFAULT_TENANT}/"), id="http"),
        pytest.param(_redirect("https://login.microsoftonline.com/common/oauth2/authorize"), id="no tenant"),
        pytest.param(_redirect("https://login.microsoftonline.com"), id="no path"),
        pytest.param(_redirect("/login.html"), id="its own page, as on AWS"),
        pytest.param(_redirect(""), id="nowhere"),
        pytest.param(lambda _: FetchResponse(302, {}, b""), id="without an address"),
        pytest.param(lambda _: FetchResponse(200, {}, b"<html>"), id="a page"),
        pytest.param(lambda _: FetchResponse(404, {}, b""), id="nothing there"),
    ],
)
def test_a_host_that_leads_to_no_tenant_is_no_azure_workspace(asker_of: AskerOf, answer: Callable[..., FetchResponse]) -> None:
    with pytest.raises(PolicyError) as error:
        asker_of(HOST, fetch=answer).tenant()
    assert error.value.field == "host"


@pytest.mark.parametrize(
    "fault", [Fault("status", status=500), Fault("status", status=429, retry_after=99), Fault("reset"), Fault("html")]
)
def test_a_workspace_that_does_not_answer_is_unavailable(asker: Any, standin: DatabricksWorkspace, fault: Fault) -> None:
    standin.fail(fault)
    for ask in (asker.tenant, asker.metadata):
        with pytest.raises(AuthenticationError) as refused:
            ask()
        assert refused.value.code == "exchange_unavailable"


def test_the_metadata_is_read(asker: Any, standin: DatabricksWorkspace) -> None:
    found = asker.metadata()
    assert found.oidc_endpoint == f"{standin.origin}/oidc"
    assert (found.account_id, found.workspace_id, found.cloud) == (standin.account_id, standin.workspace_id, "Azure")
    assert found.audiences == (f"{standin.origin}/oidc/v1/token",)


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        pytest.param({"oidc_endpoint": "https://a.example/oidc/"}, ("https://a.example/oidc", None, ()), id="nothing else"),
        pytest.param(
            {"oidc_endpoint": "https://a.example/oidc/accounts/{account_id}", "account_id": 7},
            ("https://a.example/oidc/accounts/{account_id}", None, ()),
            id="a placeholder, and a number for a text",
        ),
        pytest.param(
            {"oidc_endpoint": "https://a.example/oidc", "token_federation_default_oidc_audiences": ["a", 1]},
            ("https://a.example/oidc", None, ("a",)),
            id="an audience that is none",
        ),
    ],
)
def test_odd_metadata_is_read_as_far_as_it_goes(asker_of: AskerOf, members: object, expected: tuple[object, ...]) -> None:
    found = asker_of(HOST, fetch=lambda _: FetchResponse(200, {}, json.dumps(members).encode())).metadata()
    assert (found.oidc_endpoint, found.account_id, found.audiences) == expected


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"{}",
        b'{"oidc_endpoint": 1}',
        b'{"oidc_endpoint": "http://a.example"}',
        b'{"oidc_endpoint": "file:///x"}',
    ],
)
def test_metadata_without_an_endpoint_to_call_is_none(asker_of: AskerOf, body: bytes) -> None:
    with pytest.raises(AuthenticationError) as refused:
        asker_of(HOST, fetch=lambda _: FetchResponse(200, {}, body)).metadata()
    assert refused.value.code == "exchange_unavailable"
