"""What the tests of the numbers share: each adapter as a reader of the same numbers, and a service that runs."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import httpx
import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from tokenward.diagnostics import Diagnostics
from tokenward.metrics.instruments import KEYS, REJECTIONS
from tokenward.metrics.moment import Observed
from tokenward.metrics.opentelemetry import instrument
from tokenward.metrics.prometheus import KeysCollector

SOON = 30.0
"""Seconds within which what must happen happens, on a machine with much else to do."""

Series: TypeAlias = "tuple[str, frozenset[tuple[str, str]]]"


@dataclass(frozen=True)
class Numbers:
    """What was exposed, by its name in Prometheus and its labels."""

    found: Mapping[Series, float]

    def __call__(self, name: str, **labels: str) -> float | None:
        """The sum of all series of this name that have these labels; None if there is none."""
        fit = [value for (found, its), value in self.found.items() if found == name and labels.items() <= dict(its).items()]
        return sum(fit) if fit else None

    def label_values(self, label: str) -> set[str]:
        return {value for _, its in self.found for name, value in its if name == label}

    @property
    def names(self) -> set[str]:
        return {name for name, _ in self.found}


Watch: TypeAlias = Callable[..., Callable[[], Numbers]]


def numbers_in(text: str) -> Numbers:
    """Of an exposition, as Prometheus itself reads it."""
    families = text_string_to_metric_families(text)
    return Numbers({(one.name, frozenset(one.labels.items())): one.value for family in families for one in family.samples})


def _by_prometheus(*observed: Observed, diagnostics: Diagnostics | None = None) -> Callable[[], Numbers]:
    registry = CollectorRegistry()
    registry.register(KeysCollector(*observed, diagnostics=diagnostics))
    return lambda: numbers_in(generate_latest(registry).decode())


def _by_opentelemetry(*observed: Observed, diagnostics: Diagnostics | None = None) -> Callable[[], Numbers]:
    reader = InMemoryMetricReader()
    instrument(*observed, diagnostics=diagnostics, meter_provider=MeterProvider([reader], shutdown_on_exit=False))
    exposed = {each.name: each.exposed for each in (*KEYS, REJECTIONS)}

    def read() -> Numbers:
        found: dict[Series, float] = {}
        data: Any = reader.get_metrics_data()
        for metric in data.resource_metrics[0].scope_metrics[0].metrics:
            for point in metric.data.data_points:
                found[exposed[metric.name], frozenset(point.attributes.items())] = point.value
        return Numbers(found)

    return read


ADAPTERS: Mapping[str, Watch] = {"prometheus": _by_prometheus, "opentelemetry": _by_opentelemetry}


@pytest.fixture(params=ADAPTERS)
def watch(request: pytest.FixtureRequest) -> Watch:
    """`watch(verifier, diagnostics=...)` gives a function that reads the numbers, by each adapter."""
    return ADAPTERS[request.param]


@pytest.fixture
def exposition() -> Callable[[str], Numbers]:
    """Reads what a `/metrics` answered."""
    return numbers_in


@pytest.fixture(scope="session")
def eventually() -> Callable[[Callable[[], bool]], None]:
    """Wait until something that happens in another thread or process has happened."""

    def wait(happened: Callable[[], bool]) -> None:
        until = time.monotonic() + SOON
        while not happened():
            assert time.monotonic() < until, "it did not happen"
            time.sleep(0.05)

    return wait


@pytest.fixture(scope="session")
def running() -> Callable[..., contextlib.AbstractContextManager[subprocess.Popen[bytes]]]:
    """A process and its children, in a session of their own so that none of them is left behind."""

    @contextlib.contextmanager
    def run(command: list[str], **options: Any) -> Iterator[subprocess.Popen[bytes]]:
        process = subprocess.Popen(command, start_new_session=True, **options)
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(SOON)

    return run


@pytest.fixture
def http() -> Iterator[httpx.Client]:
    """A client that knows no proxy, and makes a new connection for each request, which another worker may take."""
    limits = httpx.Limits(max_keepalive_connections=0)
    with httpx.Client(trust_env=False, timeout=SOON, limits=limits) as client:
        yield client
