"""A client of a tenant, in the stand-in Graph, and its examination."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from tokenward.asking.driving import run as carry_out
from tokenward.finding import Finding
from tokenward.testing import DEFAULT_CLIENT_ID, DEFAULT_TENANT, SigningKey
from tokenward.testing.graph import LocalGraph
from tokenward.troubleshoot.registration.asking import Graph
from tokenward.troubleshoot.registration.examine import Parts, findings
from tokenward.troubleshoot.registration.facts import Question, Registration
from tokenward.troubleshoot.registration.reading import read_registration

NOW = 1_800_000_000.0
"""15 January 2027."""
EVERYTHING = ("Directory.Read.All", "Policy.Read.All")


class Estate:
    """A client that asks AzureDatabricks for user_impersonation, and may have it; change it as you like."""

    def __init__(self, graph: LocalGraph) -> None:
        self.graph = graph
        self.directory = graph.directory
        self.databricks: Any = graph.directory.databricks
        self.application: Any
        self.principal: Any
        self.application, self.principal = graph.directory.register(DEFAULT_CLIENT_ID, "contoso client")
        self.directory.request(self.application, self.databricks, ["user_impersonation"])
        self.grant = self.directory.consent(self.principal, self.databricks, ["user_impersonation"])

    def read(self, *permissions: str, tenant: str | None = None, **asked: Any) -> Registration:
        """By Graph, in process."""
        token = self.graph.token(*(permissions or EVERYTHING), tenant=tenant)
        steps = read_registration(Graph(self.graph.origin, token), self.question(**asked))
        return carry_out(steps, self.graph.fetch, time.monotonic() + 60, sleep=lambda _: None)

    def question(self, **asked: Any) -> Question:
        return Question(DEFAULT_TENANT, DEFAULT_CLIENT_ID, **asked)

    def parts(self, *permissions: str, tenant: str | None = None, **asked: Any) -> Parts:
        return findings(self.read(*permissions, tenant=tenant, **asked), self.question(**asked), NOW)

    def found(self, *permissions: str, tenant: str | None = None, **asked: Any) -> dict[str, Finding]:
        """All findings by their names."""
        parts = self.parts(*permissions, tenant=tenant, **asked)
        return {finding.name: finding for listed in parts.values() for finding in listed}


@pytest.fixture
def graph(new_key: Callable[[], SigningKey]) -> LocalGraph:
    return LocalGraph(new_key=new_key)


@pytest.fixture
def estate(graph: LocalGraph) -> Estate:
    return Estate(graph)


@pytest.fixture
def now() -> float:
    return NOW
