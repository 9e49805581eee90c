"""The instruments of OpenTelemetry: kinds and units by the real SDK, and in Prometheus the names that the other adapter has."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, Sum
from prometheus_client import CollectorRegistry, generate_latest

from tokenward import PolicyError, Verifier, entra
from tokenward.diagnostics import Diagnostics
from tokenward.metrics.instruments import KEYS, REJECTIONS
from tokenward.metrics.opentelemetry import instrument
from tokenward.metrics.prometheus import KeysCollector
from tokenward.testing import LocalIssuer

TENANT = "72f988bf-86f1-41af-91ab-2d7cd011db47"


@pytest.fixture
def verifier(issuer: LocalIssuer) -> Verifier:
    """One that has keys, so that every instrument has something to tell."""
    made = Verifier(entra.api(issuer.client_id, [issuer.tenant], cloud=issuer.cloud), fetch=issuer.fetch)
    made.verify(issuer.user_token("2.0"))
    made.verify(issuer.user_token("1.0"))
    made.close()
    return made


def test_kinds_units_and_descriptions_are_those_of_the_table(verifier: Verifier) -> None:
    reader = InMemoryMetricReader()
    instrument(verifier, diagnostics=Diagnostics(), meter_provider=MeterProvider([reader], shutdown_on_exit=False))
    data: Any = reader.get_metrics_data()
    (scope,) = data.resource_metrics[0].scope_metrics
    told = {metric.name: metric for metric in scope.metrics}
    assert scope.scope.name == "tokenward"
    assert list(told) == [each.name for each in (*KEYS, REJECTIONS)]
    for each in (*KEYS, REJECTIONS):
        metric = told[each.name]
        assert (metric.unit, metric.description) == (each.unit, each.description)
        assert isinstance(metric.data, Sum) == (each.kind == "counter")
        if isinstance(metric.data, Sum):
            assert metric.data.is_monotonic


def test_behind_opentelemetrys_prometheus_exporter_names_and_labels_are_the_same(
    verifier: Verifier, exposition: Callable[[str], Any]
) -> None:
    diagnostics, own, theirs = Diagnostics(), CollectorRegistry(), CollectorRegistry()
    own.register(KeysCollector(verifier, diagnostics=diagnostics))
    reader = PrometheusMetricReader(disable_target_info=True, scope_info_enabled=False, registry=theirs)
    provider = MeterProvider([reader], shutdown_on_exit=False)
    instrument(verifier, diagnostics=diagnostics, meter_provider=provider)
    here, there = (exposition(generate_latest(registry).decode()).found for registry in (own, theirs))
    passing = ("tokenward_key_age_seconds", "tokenward_key_expiry_seconds")
    assert here.keys() == there.keys()
    assert {key: value for key, value in here.items() if key[0] not in passing} == {
        key: value for key, value in there.items() if key[0] not in passing
    }
    provider.shutdown()


def test_a_provider_takes_the_instruments_once_since_an_sdk_would_ignore_the_second_ones(verifier: Verifier) -> None:
    provider = MeterProvider([InMemoryMetricReader()], shutdown_on_exit=False)
    instrument(verifier, meter_provider=provider)
    with pytest.raises(PolicyError) as caught:
        instrument(verifier, meter_provider=provider)
    assert caught.value.field == "meter_provider"


def test_the_global_provider_may_be_set_later() -> None:
    program = f"""
from opentelemetry.metrics import set_meter_provider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from tokenward import Verifier, entra
from tokenward.metrics.opentelemetry import instrument

instrument(Verifier(entra.databricks("{TENANT}")))
reader = InMemoryMetricReader()
set_meter_provider(MeterProvider([reader]))
print(reader.get_metrics_data().resource_metrics[0].scope_metrics[0].metrics[0].name)
"""
    command = [sys.executable, "-W", "error", "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout.strip(), done.stderr) == ("tokenward.key.lookups", "")
