"""What these tests share: an Entra tenant, an API's policy, and a token explained in one call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tokenward import Policy, entra
from tokenward.testing import HandClock, LocalIssuer
from tokenward.troubleshoot.explanation.explain import explain
from tokenward.troubleshoot.explanation.report import Check, Report


class Bench:
    """An issuer, the policy of its API, and tokens explained without a network."""

    def __init__(self, issuer: LocalIssuer, wall: HandClock) -> None:
        self.issuer = issuer
        self.wall = wall

    def policy(self, **options: Any) -> Policy:
        tenants = options.pop("tenants", [self.issuer.tenant])
        return entra.api(self.issuer.client_id, tenants, cloud=self.issuer.cloud, **options)

    def databricks(self) -> Policy:
        return entra.databricks(self.issuer.tenant, cloud=self.issuer.cloud)

    def explain(self, token: str | bytes, policy: Policy | None = None, **options: Any) -> Report:
        given: dict[str, Any] = {"clock": self.wall, "fetch": self.issuer.fetch} | options
        return explain(token, policy or self.policy(), **given)

    def failed(self, report: Report) -> set[str]:
        return {check.finding.name for check in report.failures}

    def check(self, report: Report, name: str) -> Check:
        (found,) = [check for check in report.checks if check.finding.name == name]
        return found


@pytest.fixture
def bench(issuer: LocalIssuer, wall: HandClock) -> Bench:
    return Bench(issuer, wall)


@pytest.fixture
def explained(bench: Bench) -> Callable[..., Report]:
    return bench.explain
