from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tokenward.keys.keyset import read_keyset
from tokenward.keys.metadata import read_metadata
from tokenward.keys.port import FetchResponse
from tokenward.testing import IssuerServer, LocalIssuer

Get = Callable[[str], FetchResponse]

OTHER = "11111111-2222-3333-4444-555555555555"
V1, V2 = "https://sts.windows.net/%s/", "https://login.microsoftonline.com/%s/v2.0"


def document(response: FetchResponse) -> dict[str, Any]:
    assert response.status == 200
    assert response.headers["content-type"].startswith("application/json")
    decoded: dict[str, Any] = json.loads(response.body)
    return decoded


@pytest.mark.parametrize(
    ("name", "named"),
    [("common", "{tenantid}"), ("organizations", "{tenantid}"), (OTHER, OTHER)],
    ids=["common", "organizations", "a tenant"],
)
@pytest.mark.parametrize(
    ("metadata_path", "keys_path", "iss"),
    [
        pytest.param("/%s/.well-known/openid-configuration", "/%s/discovery/keys", V1, id="v1"),
        pytest.param("/%s/v2.0/.well-known/openid-configuration", "/%s/discovery/v2.0/keys", V2, id="v2"),
    ],
)
def test_discovery_is_at_entras_paths_and_names_the_issuer_or_its_literal_template(
    served: IssuerServer, get: Get, name: str, named: str, metadata_path: str, keys_path: str, iss: str
) -> None:
    found = document(get(metadata_path % name))
    assert found["issuer"] == iss % named
    assert found["jwks_uri"] == served.url + keys_path % name
    assert found["cloud_instance_name"] == "microsoftonline.com"
    assert read_metadata(found, issuers=[iss % named], loopback=True).jwks_uri == found["jwks_uri"]
    assert len(read_keyset(document(get(keys_path % name)))) == 1


def test_v2_keys_are_bound_to_an_issuer_and_a_cloud(get: Get) -> None:
    (common,) = document(get("/common/discovery/v2.0/keys"))["keys"]
    (tenants,) = document(get(f"/{OTHER}/discovery/v2.0/keys"))["keys"]
    assert common["issuer"] == V2 % "{tenantid}"
    assert tenants["issuer"] == V2 % OTHER
    assert common["cloud_instance_name"] == tenants["cloud_instance_name"] == "microsoftonline.com"


def test_v1_keys_are_bound_to_nothing(issuer: LocalIssuer, get: Get) -> None:
    issuer.publish_odd_keys()
    for jwk in document(get("/common/discovery/keys"))["keys"]:
        assert not {"issuer", "cloud_instance_name"} & set(jwk)


def test_no_key_of_entras_names_its_algorithm(issuer: LocalIssuer) -> None:
    for version in ("1.0", "2.0"):
        for jwk in issuer.jwks(version)["keys"]:
            assert "alg" not in jwk


def test_a_key_may_say_its_own_issuer(issuer: LocalIssuer) -> None:
    issuer.keys.append(issuer.signing_key.renamed("personal", issuer="https://elsewhere.example/"))
    keys: Any = issuer.jwks("2.0")["keys"]
    assert (keys[0]["issuer"], keys[1]["issuer"]) == (V2 % "{tenantid}", "https://elsewhere.example/")


def test_what_is_served_is_what_the_methods_return(issuer: LocalIssuer, get: Get) -> None:
    assert document(get("/common/v2.0/.well-known/openid-configuration")) == issuer.metadata()
    assert document(get("/common/.well-known/openid-configuration")) == issuer.metadata("1.0")
    assert document(get(f"/{issuer.tenant}/.well-known/openid-configuration")) == issuer.metadata("1.0", issuer.tenant)
    assert document(get("/common/discovery/v2.0/keys")) == issuer.jwks("2.0")
    assert document(get(f"/{issuer.tenant}/discovery/keys")) == issuer.jwks("1.0", tenant_specific=True)
    assert document(get(f"/{issuer.tenant}/discovery/v2.0/keys")) == issuer.jwks("2.0", tenant_specific=True)


@pytest.mark.parametrize(
    "path",
    ["/", "/consumers-not/discovery/keys", "/common/v2.0/discovery/keys", "/common/discovery/keys/", "/control/state"],
)
def test_other_paths_are_not_found(get: Get, path: str) -> None:
    assert get(path).status == 404
