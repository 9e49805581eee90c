"""The issuer and the guarded app, each a process of its own, and how to ask them for something."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import httpx

from demo.control import control
from demo.processes import Child, Event
from tokenward.testing.loopback import free_port

START = 30.0
"""Seconds that a process may take to be ready; on an idle machine it takes one."""


class Stage:
    """The issuer and the guarded app, each a process of its own on this machine.

    app       what uvicorn serves, as "module:name"
    on_event  is told of every line in the app's log
    """

    def __init__(self, app: str = "demo.app:app", on_event: Callable[[Event], None] | None = None) -> None:
        self._app_name = app
        self._on_event = on_event
        self._children: list[Child] = []
        self.http = httpx.Client(trust_env=False, timeout=START)

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None) -> None:
        self.http.close()
        for child in self._children:
            child.stop()

    def _start(self) -> None:
        self.start_issuer()
        self.first_kid = str(self.control("state")["signing"])
        port = free_port()  # a listening socket (uvicorn's --fd) would cost 40 ms a request: it gets no TCP_NODELAY
        self.app_url = f"http://127.0.0.1:{port}"
        self.app = self._start_app(port)
        self._await_health()

    def start_issuer(self, port: int = 0) -> None:
        """Start the issuer, with new keys, on a free port or on this one."""
        self.issuer = Child("the local issuer", ["tokenward.testing", "--port", str(port)])
        self._children.append(self.issuer)
        ready = self.issuer.wait_for(lambda event: "url" in event, START)
        if ready is None:
            raise self.issuer.failure("did not start")
        self.issuer_url, self.tenant, self.client_id = ready["url"], ready["tenant"], ready["client_id"]

    def kill_issuer(self) -> None:
        """As a crash would."""
        self.issuer.kill()

    def restart_issuer(self) -> None:
        """Start it at the same address; its old keys died with it."""
        self.start_issuer(urlsplit(self.issuer_url).port or 0)

    def control(self, action: str, **body: object) -> dict[str, Any]:
        """Ask the issuer for something: mint, rotate, fail, recover, state."""
        return control(self.issuer, self.http, self.issuer_url, action, body)

    def mint(self, **body: object) -> str:
        """A token; what it takes is in `tokenward.testing.control`."""
        token: str = self.control("mint", **body)["token"]
        return token

    def key_status(self) -> list[dict[str, Any]]:
        """The app's own view of its keys: the v1 source and the v2 source."""
        try:
            status: list[dict[str, Any]] = self.http.get(f"{self.app_url}/status").json()
        except (httpx.HTTPError, ValueError) as exc:
            raise self.app.failure(f"did not say how its keys are ({type(exc).__name__})") from exc
        return status

    def _start_app(self, port: int) -> Child:
        options = [
            "--host",
            "127.0.0.1",
            "--port",
            str(port),
            "--lifespan",
            "on",
            "--log-level",
            "warning",
            "--timeout-graceful-shutdown",
            "1",
        ]
        environment = {"DEMO_ISSUER": self.issuer_url, "DEMO_TENANT": self.tenant, "DEMO_CLIENT_ID": self.client_id}
        arguments = ["uvicorn", self._app_name, *options]
        app = Child("the app", arguments, environment=environment, on_event=self._on_event)
        self._children.append(app)
        return app

    def _await_health(self) -> None:
        until = time.monotonic() + START
        while time.monotonic() < until and self.app.running:
            try:
                if self.http.get(f"{self.app_url}/health", timeout=1.0).status_code == httpx.codes.OK:
                    return
            except httpx.HTTPError:
                time.sleep(0.02)
        raise self.app.failure("did not start")
