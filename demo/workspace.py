"""The stand-in workspace as a process of its own, and how to ask it for something."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

import httpx

from demo.control import control
from demo.processes import Child
from demo.stage import START

TOKEN_ENDPOINT = "POST /oidc/v1/token"  # noqa: S105  # a path


class StandIn:
    """A Databricks workspace and its account on this machine, in a `with` block."""

    def __enter__(self) -> Self:
        self.http = httpx.Client(trust_env=False, timeout=START)
        self.process = Child("the stand-in workspace", ["tokenward.testing.workspace"])
        try:
            ready = self.process.wait_for(lambda event: "url" in event, START)
            if ready is None:
                raise self.process.failure("did not start")
            self.url, self.account_id = ready["url"], ready["account_id"]
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None) -> None:
        self.http.close()
        self.process.stop()

    def control(self, action: str, **body: object) -> dict[str, Any]:
        """Ask for something: mint, fail, recover, state, policies; see `tokenward.testing.workspace.control`."""
        return control(self.process, self.http, self.url, action, body, reads=("state", "policies"))

    def mint(self, **body: object) -> str:
        """A token of the identity provider that the account trusts."""
        token: str = self.control("mint", **body)["token"]
        return token

    def exchanges(self) -> int:
        """How often its token endpoint was asked."""
        asked: int = self.control("state")["counts"].get(TOKEN_ENDPOINT, 0)
        return asked

    def kill(self) -> None:
        """As a crash would."""
        self.process.kill()
