"""A workspace is examined with what it depends on: against the stand-ins, over real HTTP and HTTPS."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from tokenward import entra
from tokenward.databricks import FederationPolicy
from tokenward.errors import PolicyError
from tokenward.keys.fetch import HttpxFetch
from tokenward.testing import IssuerServer, LocalIssuer
from tokenward.testing.workspace import DatabricksWorkspace, WorkspaceServer
from tokenward.testing.workspace.faults import Fault
from tokenward.troubleshoot.surroundings.clock import Moment
from tokenward.troubleshoot.surroundings.probe import NotSeen, Seen, probe
from tokenward.troubleshoot.surroundings.workspace import MAX_ISSUERS, Means, examine_workspace

OTHER = "11111111-1111-4111-8111-111111111111"


@pytest.fixture
def standin(issuer: LocalIssuer, new_key: Any) -> Iterator[DatabricksWorkspace]:
    workspace = DatabricksWorkspace(entra=issuer, new_key=new_key)
    yield workspace
    workspace.close()


@pytest.fixture
def examine(standin: DatabricksWorkspace, served: IssuerServer) -> Iterator[Callable[..., dict[str, dict[str, Any]]]]:
    """`examine(**options)`: part -> check -> finding."""
    with WorkspaceServer(standin) as server:

        def examined(*, look: Any = probe, clock: Any = time.time, **options: Any) -> dict[str, dict[str, Any]]:
            cloud = replace(entra.PUBLIC, authority=served.url)
            parts = examine_workspace(server.url, Means(HttpxFetch(), look, clock), **{"cloud": cloud, **options})
            return {title.split(" ")[0]: {finding.name: finding for finding in listed} for title, listed in parts.items()}

        yield examined


def _wrong(parts: dict[str, dict[str, Any]]) -> list[tuple[str, str, bool | None]]:
    return [(part, name, f.held) for part, found in parts.items() for name, f in found.items() if f.held is not True]


def test_everything_holds_where_nothing_is_wrong(examine: Any, issuer: LocalIssuer) -> None:
    parts = examine(tenant=issuer.tenant)
    assert _wrong(parts) == []
    assert {"reachable", "tenant", "OAuth metadata", "discovery", "keys"} <= set(parts["Workspace"])
    assert set(parts["Tenant"]) == {"reachable", "clock", "discovery", "keys"}


def test_the_tenant_is_the_workspaces_own(examine: Any, issuer: LocalIssuer) -> None:
    finding = examine(tenant=OTHER)["Workspace"]["tenant"]
    assert (finding.held, finding.seen) == (False, issuer.tenant)
    assert examine()["Workspace"]["tenant"].seen == issuer.tenant


def test_a_host_without_a_tenant_at_entra_is_told(examine: Any, standin: DatabricksWorkspace) -> None:
    standin.faults.set(Fault("status", "/aad/auth", status=404))
    assert examine()["Workspace"]["tenant"].held is False


@pytest.mark.parametrize(
    ("path", "name"),
    [
        pytest.param("/aad/auth", "tenant", id="the tenant"),
        pytest.param("/.well-known/databricks-config", "OAuth metadata", id="the metadata"),
        pytest.param("/oidc/jwks.json", "keys", id="the keys"),
    ],
)
def test_what_cannot_be_asked_is_open_and_the_rest_is_judged(
    examine: Any, standin: DatabricksWorkspace, path: str, name: str
) -> None:
    standin.faults.set(Fault("status", path, status=503))
    found = examine()["Workspace"]
    assert found[name].held is None
    assert found["reachable"].held is True


def test_a_workspace_that_does_not_answer_is_asked_nothing_more(standin: DatabricksWorkspace, free: Any) -> None:
    parts = examine_workspace(f"http://127.0.0.1:{free()}", Means(HttpxFetch(), probe))
    ((name, found),) = [(finding.name, finding.held) for finding in next(iter(parts.values()))]
    assert (name, found, len(parts)) == ("reachable", None, 1)


def test_keys_of_the_tenant_that_cannot_be_reached_are_told(examine: Any, free: Any) -> None:
    parts = examine(cloud=replace(entra.PUBLIC, authority=f"http://127.0.0.1:{free()}"))
    assert parts["Tenant"]["reachable"].held is None


def test_a_clock_that_is_off_is_told(examine: Any) -> None:
    def an_hour_ahead(url: str) -> Seen | NotSeen:
        found = probe(url)
        assert isinstance(found, Seen)
        moment = Moment(found.moment.date, found.moment.sent + 3600, found.moment.received + 3600)
        return replace(found, moment=moment)

    finding = examine(look=an_hour_ahead)["Tenant"]["clock"]
    assert finding.held is False
    assert "ahead" in finding.seen


def test_clocks_that_nobody_tells_are_open_once(examine: Any) -> None:
    def dateless(url: str) -> Seen | NotSeen:
        found = probe(url)
        assert isinstance(found, Seen)
        return replace(found, moment=replace(found.moment, date=None))

    assert _wrong(examine(look=dateless)) == [("Workspace", "clock", None)]


def test_a_certificate_that_ends_soon_is_told(standin: DatabricksWorkspace, served: IssuerServer) -> None:
    """The stand-in's own ends in 2050."""
    with WorkspaceServer(standin, tls=True) as server:
        context = ssl.create_default_context(cafile=server.ca_file)
        means = Means(HttpxFetch(tls=context), lambda url: probe(url, context=context))
        cloud = replace(entra.PUBLIC, authority=served.url)
        now = examine_workspace(server.url, means, cloud=cloud)
        later = examine_workspace(server.url, replace(means, clock=lambda: 2_524_000_000.0), cloud=cloud)
    assert [finding.held for listed in now.values() for finding in listed if finding.name == "tls"] == [True]
    assert [finding.held for listed in later.values() for finding in listed if finding.name == "tls"] == [False]


# -- federation policies -----------------------------------------------------------------------------------------------


def test_issuers_of_federation_policies_are_looked_at_once(examine: Any, standin: DatabricksWorkspace, new_key: Any) -> None:
    oidc = LocalIssuer.oidc("https://idp.example", new_key=new_key)
    with IssuerServer(oidc):
        keys = oidc.jwks_uri
        policies = [FederationPolicy("https://idp.example", audiences=[name], jwks_uri=keys) for name in ("a", "b")]
        parts = examine(policies=policies)
        assert _wrong(parts) == []
        assert len([part for part in parts if part == "Federation"]) == 1
        assert [request for request in oidc.requests if request == keys] == [keys] * 2, "the probe, and the keys"


def test_an_issuer_that_nobody_can_load_is_told(examine: Any, free: Any) -> None:
    policy = FederationPolicy(f"https://127.0.0.1:{free()}", audiences=["a"])
    assert _wrong(examine(policies=[policy])) == [("Federation", "discovery", None)]


def test_keys_in_a_policy_need_no_network(examine: Any, new_key: Any) -> None:
    oidc = LocalIssuer.oidc("https://idp.example", new_key=new_key)
    policy = FederationPolicy("https://idp.example", audiences=["a"], jwks_json=json.dumps(oidc.jwks()))
    assert _wrong(examine(policies=[policy])) == []
    assert oidc.requests == []


def test_too_many_issuers_are_refused(examine: Any) -> None:
    policies = [FederationPolicy(f"https://idp{number}.example", audiences=["a"]) for number in range(MAX_ISSUERS + 1)]
    with pytest.raises(PolicyError):
        examine(policies=policies)


@pytest.mark.parametrize("host", ["http://workspace.example", "https://a.example/path", ""])
def test_what_is_no_workspace_is_refused(host: str) -> None:
    with pytest.raises(PolicyError):
        examine_workspace(host, Means(HttpxFetch(), probe))


def test_the_network_and_the_clock_are_what_it_is_looked_with_by_default(
    standin: DatabricksWorkspace, served: IssuerServer, issuer: LocalIssuer
) -> None:
    with WorkspaceServer(standin) as server:
        parts = examine_workspace(server.url, tenant=issuer.tenant, cloud=replace(entra.PUBLIC, authority=served.url))
    assert {finding.held for listed in parts.values() for finding in listed} == {True}
    assert [title.split(" ")[0] for title in parts] == ["Workspace", "Tenant"]
