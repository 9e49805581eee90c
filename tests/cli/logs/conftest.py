"""The log of a real guarded app that has an incident, and the commands as processes."""

from __future__ import annotations

import asyncio
import io
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from tokenward import AsyncVerifier, entra
from tokenward.diagnostics import Diagnostics
from tokenward.keylog import log_key_event
from tokenward.middleware.asgi import BearerMiddleware
from tokenward.testing import HandClock, LocalIssuer

SCRIPT = """\
import sys
from tokenward.cli.main import main
sys.exit(main())"""
START = 1_767_956_400.0
"""2026-01-09 11:00:00 UTC."""
MINUTES = 30
BROKEN_AT = 18
"""Minutes after the start at which one client begins to send tokens for another API."""

Run = Callable[..., "subprocess.CompletedProcess[str]"]


class GuardedApp:
    """An app behind the middleware, whose clock is wound by hand and whose log is kept."""

    def __init__(self, **options: Any) -> None:
        self.log = io.StringIO()
        self.clock = HandClock(START)
        self.issuer = LocalIssuer(clock=self.clock)
        logger: Any = structlog.wrap_logger(
            structlog.WriteLogger(self.log),
            processors=[structlog.stdlib.add_log_level, self._stamped, structlog.processors.JSONRenderer()],
            wrapper_class=structlog.BoundLogger,
        )
        self.diagnostics = Diagnostics(logger=logger, monotonic=self.clock, **options)
        policy = entra.api(client_id=self.issuer.client_id, tenants=[self.issuer.tenant], required_scopes=["access_as_user"])
        verifier = AsyncVerifier(
            policy,
            clock=self.clock,
            monotonic=self.clock,
            fetch=self.issuer.async_fetch,
            observer=lambda event: log_key_event(event, logger),
        )
        guard = Middleware(BearerMiddleware, verifier=verifier, diagnostics=self.diagnostics)
        route = Route("/jobs", lambda request: PlainTextResponse("done"))
        self._client = httpx.AsyncClient(transport=httpx.ASGITransport(Starlette(routes=[route], middleware=[guard])))

    def _stamped(self, logger: object, method: str, event: Any) -> Any:
        """As structlog's TimeStamper("iso") does, by this clock."""
        return {"timestamp": datetime.fromtimestamp(self.clock(), UTC).isoformat().replace("+00:00", "Z"), **event}

    async def call(self, token: str | None) -> int:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return (await self._client.get("http://app.example/jobs", headers=headers)).status_code


async def _incident(app: GuardedApp) -> None:
    """A trickle of strangers and expired tokens; then one client asks for the wrong audience, and does so ever more often."""
    issuer = app.issuer
    stale = issuer.user_token(lifetime=60)
    statuses = set()
    for minute in range(MINUTES):
        statuses.add(await app.call(issuer.user_token()))
        if minute % 3 == 0:
            statuses.add(await app.call(None))
        if minute % 5 == 2:
            statuses.add(await app.call(stale))
        if minute in (20, 21):
            statuses.add(await app.call(issuer.user_token(scopes=["read"])))
        if minute >= BROKEN_AT:
            for _ in range(3 * (minute - BROKEN_AT) + 4):
                statuses.add(await app.call(issuer.user_token(audience="api://billing")))
                app.clock.advance(1)
        app.clock.advance(60 - (app.clock() - START) % 60)
    app.diagnostics.flush()
    assert statuses == {200, 401, 403}


@pytest.fixture(scope="session")
def incident() -> str:
    """Half an hour of a real app's log, one JSON object in each line."""
    app = GuardedApp()
    asyncio.run(_incident(app))
    return app.log.getvalue()


@pytest.fixture
def incident_log(incident: str, tmp_path: Path) -> Path:
    path = tmp_path / "app.log"
    path.write_text(incident)
    return path


@pytest.fixture
def logs(environment: dict[str, str]) -> Run:
    """`logs("tail", ..., stdin=..., NAME=value)` runs a command as a process, with times in UTC."""

    def run(
        *arguments: str, stdin: str | bytes = "", cwd: str | None = None, script: str = SCRIPT, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        given = stdin.encode() if isinstance(stdin, str) else stdin
        done = subprocess.run(
            [sys.executable, "-c", script, *arguments],
            cwd=cwd,
            input=given,
            capture_output=True,
            env={**environment, "TZ": "UTC", **variables},
            timeout=60,
            check=False,
        )
        assert b"Traceback" not in done.stderr, done.stderr.decode()
        return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())

    return run
