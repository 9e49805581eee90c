"""The collector of prometheus_client: registered once and described without being read; and packages that are missing."""

from __future__ import annotations

import subprocess
import sys

import pytest
from prometheus_client import CollectorRegistry

from tokenward import PolicyError, Verifier, entra
from tokenward.diagnostics import Diagnostics
from tokenward.keys.status import KeyStatus
from tokenward.metrics.instruments import KEYS, REJECTIONS
from tokenward.metrics.prometheus import KeysCollector
from tokenward.testing import LocalIssuer


@pytest.fixture
def verifier() -> Verifier:
    return Verifier(entra.databricks("72f988bf-86f1-41af-91ab-2d7cd011db47"))


def test_a_registry_takes_one_collector_and_refuses_a_second(verifier: Verifier) -> None:
    registry = CollectorRegistry()
    registry.register(KeysCollector(verifier))
    with pytest.raises(ValueError, match="tokenward_key_lookups"):
        registry.register(KeysCollector(verifier))


def test_to_be_registered_asks_nobody() -> None:
    class Untouched:
        def status(self) -> list[KeyStatus]:
            raise AssertionError("read before it was scraped")

    CollectorRegistry(auto_describe=True).register(KeysCollector(Untouched()))


def test_without_diagnostics_no_rejections_are_told(verifier: Verifier) -> None:
    def names(collector: KeysCollector) -> set[str]:
        return {family.name for family in collector.collect()}

    without, with_them = names(KeysCollector(verifier)), names(KeysCollector(verifier, diagnostics=Diagnostics()))
    assert with_them - without == {REJECTIONS.exposed.removesuffix("_total")}
    assert without == {each.exposed.removesuffix("_total") for each in KEYS}


def test_several_verifiers_are_one_collector(verifier: Verifier) -> None:
    other = Verifier(entra.databricks("9f1c2b7e-3a4d-4c5e-8f60-718293a4b5c6", versions=["1.0"]))
    sources = {sample.labels["source"] for family in KeysCollector(verifier, other).collect() for sample in family.samples}
    assert sources == {status.source for each in (verifier, other) for status in each.status()}


def test_the_same_verifier_twice_counts_once(issuer: LocalIssuer) -> None:
    verifier = Verifier(entra.api(issuer.client_id, [issuer.tenant], cloud=issuer.cloud), fetch=issuer.fetch)
    verifier.close()
    verifier.verify(issuer.user_token())
    registry = CollectorRegistry()
    registry.register(KeysCollector(verifier, verifier))
    (source,) = (status.source for status in verifier.status() if status.usable)
    assert registry.get_sample_value("tokenward_key_lookups_total", {"source": source, "outcome": "miss_waited"}) == 1


@pytest.mark.parametrize(
    ("observed", "diagnostics", "field"),
    [
        pytest.param([], None, "observed", id="nothing to observe"),
        pytest.param([entra.databricks("72f988bf-86f1-41af-91ab-2d7cd011db47")], None, "observed", id="a policy"),
        pytest.param([object()], None, "observed", id="something without a status"),
        pytest.param(None, "log", "diagnostics", id="diagnostics that are none"),
    ],
)
def test_what_cannot_be_watched_is_refused(verifier: Verifier, observed: list[object], diagnostics: object, field: str) -> None:
    watched = [verifier] if observed is None else observed
    with pytest.raises(PolicyError) as caught:
        KeysCollector(*watched, diagnostics=diagnostics)  # type: ignore[arg-type]
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("module", "package", "installed"),
    [
        pytest.param("prometheus", "prometheus_client", "prometheus-client", id="prometheus_client"),
        pytest.param("opentelemetry", "opentelemetry", "opentelemetry-api", id="opentelemetry"),
    ],
)
def test_a_missing_package_is_named_with_what_installs_it(module: str, package: str, installed: str) -> None:
    program = f"import sys; sys.modules['{package}'] = None; import tokenward.metrics.{module}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    last = done.stderr.splitlines()[-1]
    assert last.startswith("ImportError")
    assert f"extra {module}" in last
    assert f"pip install '{installed}>=" in last


def test_no_adapter_is_imported_unasked() -> None:
    program = "import sys, tokenward.metrics.instruments; print({'prometheus_client', 'opentelemetry'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "set()"
