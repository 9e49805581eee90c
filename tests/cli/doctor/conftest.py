"""The stand-ins that `tokenward doctor` asks, in this process, and the command as a process of its own."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tokenward.testing import DEFAULT_CLIENT_ID, DEFAULT_TENANT, IssuerServer, LocalIssuer
from tokenward.testing.graph import GraphServer, LocalGraph
from tokenward.testing.workspace import DatabricksWorkspace, WorkspaceServer

Doctor = Callable[..., "subprocess.CompletedProcess[str]"]
EVERYTHING = ("Directory.Read.All", "Policy.Read.All")


class Estate:
    """A client that asks AzureDatabricks for user_impersonation, and may have it; change it as you like."""

    def __init__(self, graph: LocalGraph) -> None:
        self.graph = graph
        self.directory = graph.directory
        self.application: Any
        self.principal: Any
        self.application, self.principal = graph.directory.register(DEFAULT_CLIENT_ID, "contoso client")
        self.directory.request(self.application, self.directory.databricks, ["user_impersonation"])
        self.grant = self.directory.consent(self.principal, self.directory.databricks, ["user_impersonation"])


@pytest.fixture
def estate(new_key: Any) -> Estate:
    return Estate(LocalGraph(new_key=new_key))


@pytest.fixture
def graph_url(estate: Estate) -> Iterator[str]:
    """Where the stand-in Graph listens."""
    with GraphServer(estate.graph) as server:
        yield server.url


@pytest.fixture
def doctor(estate: Estate, graph_url: str, called: Doctor) -> Doctor:
    """`doctor(*arguments, permissions=(...))` asks the stand-in Graph with a token that may read so much; in this process."""
    return _asking(estate.graph, graph_url, called)


@pytest.fixture
def doctor_process(estate: Estate, graph_url: str, tokenward: Doctor) -> Doctor:
    """The same, as a process of its own."""
    return _asking(estate.graph, graph_url, tokenward)


def _asking(graph: LocalGraph, url: str, command: Doctor) -> Doctor:
    client = ["--tenant", DEFAULT_TENANT, "--client-id", DEFAULT_CLIENT_ID, "--graph", url]

    def run(*arguments: str, permissions: tuple[str, ...] = EVERYTHING, **variables: str) -> subprocess.CompletedProcess[str]:
        token = graph.token(*permissions)
        done = command("doctor", *client, "--graph-token-env", "GRAPH", *arguments, **{"GRAPH": token, **variables})
        assert token not in done.stdout + done.stderr
        return done

    return run


@pytest.fixture
def workspace(issuer: LocalIssuer, served: IssuerServer, new_key: Any) -> Iterator[tuple[str, ...]]:
    """The arguments that name a workspace, and where the keys of its tenant are."""
    standin = DatabricksWorkspace(entra=issuer, new_key=new_key)
    with WorkspaceServer(standin) as server:
        yield ("--workspace", server.url, "--authority", served.url)
    standin.close()
