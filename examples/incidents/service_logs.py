"""Logs of two nights, written by tokenward's own Diagnostics behind its own Verifier, whose clocks are wound by hand."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import structlog

from tokenward import AuthenticationError, Issuer, Policy, Verifier, entra
from tokenward.diagnostics import Diagnostics
from tokenward.testing import HandClock, LocalIssuer, OidcIssuer

EVENING = datetime.fromisoformat("2026-03-10T22:00:00Z").timestamp()
RETRIES = 3000
HOUR = 3600


class Service:
    """An API that refuses, and whose log is kept."""

    def __init__(self, policy: Policy, **options: Any) -> None:
        self.clock = HandClock(EVENING)
        self.log = io.StringIO()
        self.verifier = Verifier(policy, clock=self.clock, monotonic=self.clock, observer=None, **options)
        logger: Any = structlog.wrap_logger(
            structlog.WriteLogger(self.log),
            processors=[structlog.stdlib.add_log_level, self._stamped, structlog.processors.JSONRenderer()],
            wrapper_class=structlog.BoundLogger,
        )
        self.diagnostics = Diagnostics(logger=logger, monotonic=self.clock)

    def call(self, token: str) -> None:
        try:
            self.verifier.verify(token)
        except AuthenticationError as rejection:
            self.diagnostics.rejected(rejection, method="GET", path="/orders")

    def _stamped(self, logger: object, method: str, event: Any) -> Any:  # noqa: ARG002  # structlog's form
        return {"timestamp": datetime.fromtimestamp(self.clock(), UTC).isoformat().replace("+00:00", "Z"), **event}


@contextmanager
def _service(policy: Policy, **options: Any) -> Iterator[Service]:
    service = Service(policy, **options)
    try:
        yield service
        service.diagnostics.flush()
    finally:
        service.verifier.close()


def retry_storm(issuer: LocalIssuer, client: str) -> str:
    """Two hours of ordinary mishaps; then one client sends a token that has ended, five times a second, for ten minutes."""
    with _service(entra.api(issuer.client_id, [issuer.tenant]), fetch=issuer.fetch) as service:
        issuer.clock = service.clock
        for minute in range(120):
            service.call(issuer.user_token())
            _mishap(service, issuer, minute)
            service.clock.advance(60)
        stuck = issuer.user_token(lifetime=-1, claims={"azp": client})
        for number in range(RETRIES):
            service.call(stuck)
            if number % 300 == 0:
                service.call(issuer.user_token())
                _mishap(service, issuer, number // 300)
            service.clock.advance(0.2)
    return service.log.getvalue()


def _mishap(service: Service, issuer: LocalIssuer, minute: int) -> None:
    """What every service refuses on every day."""
    if minute % 4 == 0:
        service.call(issuer.user_token(lifetime=-30))
    if minute % 6 == 1:
        service.call(issuer.app_token(audience="api://billing"))
    if minute % 10 == 3:
        service.call("not-a-token")


def night_of_the_keys(issuer: OidcIssuer) -> str:
    """Eight hours of an API whose keys are given in its configuration; the issuer rotates after four."""
    audience = "https://orders.example.com/"
    policy = Policy([Issuer(issuer.issuer, audiences=[audience], jwks=issuer.jwks())])
    with _service(policy) as service:
        issuer.clock = service.clock
        for minute in range(8 * 60):
            if minute == 4 * 60:
                issuer.rotate(keep_old=False)
            if minute % 2 == 0:
                service.call(issuer.access_token(audience))
            if minute % 25 == 0:
                service.call(issuer.access_token(audience, lifetime=-30))
            if minute % 40 == 7:
                service.call(issuer.access_token("https://billing.example.com/"))
            service.clock.advance(60)
    return service.log.getvalue()
