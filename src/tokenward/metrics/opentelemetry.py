"""For OpenTelemetry: observable instruments of a meter provider."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from weakref import WeakSet

from tokenward.diagnostics import Diagnostics
from tokenward.errors import PolicyError
from tokenward.metrics.instruments import Instrument, instruments_of
from tokenward.metrics.moment import Observed, Watched

try:
    from opentelemetry.metrics import CallbackOptions, MeterProvider, Observation, get_meter_provider
except ModuleNotFoundError as exc:
    missing = "tokenward.metrics.opentelemetry needs opentelemetry-api: install tokenward with the extra opentelemetry"
    raise ImportError(f"{missing}, or pip install 'opentelemetry-api>=1.20'") from exc

_instrumented: WeakSet[MeterProvider] = WeakSet()


def instrument(*observed: Observed, diagnostics: Diagnostics | None = None, meter_provider: MeterProvider | None = None) -> None:
    """Have a meter provider tell how the keys of one or several verifiers are doing; by default the global one.

    observed     the verifiers; where two of them have keys from the same address, counts are added up, and of two ages and
                 their like the worse one is told
    diagnostics  the Diagnostics of the middleware, if rejections are to be told as well

    It exports nothing: that is for the provider's readers, which read here when they collect. Raises PolicyError, also for a
    provider that has these instruments already, because an SDK ignores the second ones without a word.
    """
    watched = Watched(observed, diagnostics)
    provider = get_meter_provider() if meter_provider is None else meter_provider
    if provider in _instrumented:
        raise PolicyError("meter_provider", "it has these instruments already", "Pass all verifiers in one call.")
    meter = provider.get_meter("tokenward")
    for each in instruments_of(watched):
        create = meter.create_observable_counter if each.kind == "counter" else meter.create_observable_gauge
        create(each.name, [_callback(each, watched)], each.unit, each.description)
    _instrumented.add(provider)


def _callback(each: Instrument, watched: Watched) -> Callable[[CallbackOptions], Iterable[Observation]]:
    def observe(_: CallbackOptions) -> Iterable[Observation]:
        points = each.read(watched.now())
        return [Observation(value, dict(zip(each.labels, labels, strict=True))) for labels, value in points.items()]

    return observe
