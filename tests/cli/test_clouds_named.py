"""Every cloud that has a name is in each table that says something of clouds."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from tokenward import entra, hints
from tokenward.cli.serve.policies import policy_from
from tokenward.cli.serve.settings import Section, Setting
from tokenward.clouds import NAMED
from tokenward.databricks.workspace.host_facts import CLOUDS
from tokenward.testing.__main__ import _parser
from tokenward.troubleshoot.explanation import recognition
from tokenward.troubleshoot.explanation.entra_claims import CLOUD_OF_HOST
from tokenward.troubleshoot.keyreport.place import place_of
from tokenward.troubleshoot.registration.graph_address import GRAPHS

TENANT = "72f988bf-86f1-41af-91ab-2d7cd011db47"
CLOUD = pytest.mark.parametrize(("name", "cloud"), NAMED.items(), ids=list(NAMED))


def _host(address: str) -> str:
    return urlsplit(address).hostname or ""


def test_the_clouds_of_the_library_have_names() -> None:
    assert {id(cloud) for cloud in NAMED.values()} == {
        id(cloud) for cloud in vars(entra).values() if isinstance(cloud, entra.Cloud)
    }


def test_tables_by_name_have_every_name_and_no_other() -> None:
    assert list(GRAPHS) == list(NAMED)
    assert list(recognition._CLOUDS) == list(NAMED)
    assert set(CLOUD_OF_HOST.values()) == set(NAMED)


@CLOUD
def test_the_hosts_of_its_issuers_tell_the_cloud(name: str, cloud: entra.Cloud) -> None:
    assert CLOUD_OF_HOST[_host(cloud.v2_issuer)] == name
    assert CLOUD_OF_HOST[_host(cloud.authority)] == name
    first = CLOUD_OF_HOST[_host(cloud.v1_issuer)]
    assert first == name or cloud.v1_issuer == NAMED[first].v1_issuer  # US Gov is said to have the public cloud's


@CLOUD
def test_the_host_that_signs_in_tells_the_cloud(name: str, cloud: entra.Cloud) -> None:
    assert CLOUDS[_host(cloud.authority)] is NAMED[name]


def test_no_host_signs_in_to_a_cloud_without_a_name() -> None:
    assert {id(cloud) for cloud in CLOUDS.values()} == {id(cloud) for cloud in NAMED.values()}


def test_the_hint_on_versions_knows_the_hosts_of_every_cloud() -> None:
    pairs = {(_host(cloud.v1_issuer), _host(cloud.v2_issuer)) for cloud in NAMED.values()}
    assert pairs == hints._HOSTS_OF_VERSIONS


@CLOUD
def test_the_settings_know_the_cloud(name: str, cloud: entra.Cloud) -> None:
    held = {"kind": "databricks", "tenant": TENANT, "cloud": name}
    policy = policy_from(Section("policy", {field: Setting(value, "test") for field, value in held.items()}, None))
    issuers = [issuer.issuer for issuer in policy.issuers]
    assert issuers == [cloud.v1_issuer, cloud.v2_issuer]


@CLOUD
def test_the_local_issuer_may_be_of_the_cloud(name: str, cloud: entra.Cloud) -> None:
    assert NAMED[_parser().parse_args(["--cloud", name]).cloud] is cloud


@CLOUD
def test_keys_are_looked_for_at_the_clouds_authority(name: str, cloud: entra.Cloud) -> None:
    assert _host(cloud.authority) in str(place_of(cloud.v2_issuer.replace("{tenantid}", TENANT)).location), name
