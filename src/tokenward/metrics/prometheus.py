"""For Prometheus: a collector for a registry of prometheus_client."""

from __future__ import annotations

from collections.abc import Iterable

from tokenward.diagnostics import Diagnostics
from tokenward.metrics.instruments import Instrument, Points, instruments_of
from tokenward.metrics.moment import Observed, Watched

try:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
    from prometheus_client.metrics_core import Metric
    from prometheus_client.registry import Collector
except ModuleNotFoundError as exc:
    missing = "tokenward.metrics.prometheus needs prometheus_client: install tokenward with the extra prometheus"
    raise ImportError(f"{missing}, or pip install 'prometheus-client>=0.20'") from exc


class KeysCollector(Collector):
    """Tells Prometheus how the keys of one or several verifiers are doing: `REGISTRY.register(KeysCollector(verifier))`.

    observed     the verifiers; where two of them have keys from the same address, counts are added up, and of two ages and
                 their like the worse one is told
    diagnostics  the Diagnostics of the middleware, if rejections are to be told as well

    It reads when it is scraped, and only this process: prometheus_client's multiprocess mode does not know collectors. One
    registry takes one of these, with all verifiers in it. Raises PolicyError.
    """

    def __init__(self, *observed: Observed, diagnostics: Diagnostics | None = None) -> None:
        self._watched = Watched(observed, diagnostics)
        self._instruments = instruments_of(self._watched)

    def describe(self) -> Iterable[Metric]:
        """The names alone, by which a registry refuses a second one."""
        return [_family(instrument, {}) for instrument in self._instruments]

    def collect(self) -> Iterable[Metric]:
        """The numbers, all of one moment."""
        moment = self._watched.now()
        return [_family(instrument, instrument.read(moment)) for instrument in self._instruments]


def _family(instrument: Instrument, points: Points) -> Metric:
    kind = CounterMetricFamily if instrument.kind == "counter" else GaugeMetricFamily
    family = kind(instrument.exposed, instrument.description, labels=instrument.labels)
    for labels, value in points.items():
        family.add_metric(labels, value)
    return family
