"""The forward-auth app as these tests run it under uvicorn: from environment variables, with a log of every verdict it was asked
for, because a verdict that nginx had in its cache is one that is not asked for."""

from __future__ import annotations

import json
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from tokenward import AsyncVerifier, Policy, entra
from tokenward.databricks import Exchange, policy_of, read_policies
from tokenward.databricks.admission.credentials import PassThrough
from tokenward.databricks.forward_auth.forward_auth import ForwardAuth
from tokenward.keys.rhythm import Rhythm

QUICK = Rhythm(miss_cooldown=0.05, miss_cooldown_max=1.0, min_gap=0.05)
"""A key that nobody has seen is fetched at once: tests rotate keys more often than issuers do."""


def make() -> Any:
    """Callers of the local issuer as they are; or those of the stand-in workspace, exchanged there."""
    host = os.environ.get("EXCHANGE_AT")
    policy = _of_issuer() if host is None else _of_workspace()
    verifier = AsyncVerifier(policy, rhythm=QUICK)
    credentials = PassThrough() if host is None else Exchange(host)
    app = ForwardAuth(verifier=verifier, credentials=credentials, allow=["all", "me"], source="nginx", warm_up=1.0)
    return Logged(app, Path(os.environ["VERDICT_LOG"]))


def _of_issuer() -> Policy:
    cloud = replace(entra.PUBLIC, authority=os.environ["ISSUER"])
    return entra.databricks(os.environ["TENANT"], cloud=cloud)


def _of_workspace() -> Policy:
    policies = read_policies(Path(os.environ["POLICIES"]).read_bytes(), account_id=os.environ["ACCOUNT_ID"])
    return policy_of([policy for policy in policies if policy.is_account_wide])


class Logged:
    """Appends a line of JSON for each verdict; two processes may write to one file, as lines are short."""

    def __init__(self, app: Any, log: Path) -> None:
        self._app = app
        self._log = log

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def logged(message: Any) -> None:
            if message["type"] == "http.response.start":
                self._write(scope, message)
            await send(message)

        is_verdict = scope["type"] == "http" and scope["path"].startswith("/verdict")
        await self._app(scope, receive, logged if is_verdict else send)

    def _write(self, scope: Any, message: Any) -> None:
        asked = [[name.decode("latin-1"), value.decode("latin-1")] for name, value in scope["headers"]]
        answered = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in message["headers"]}
        line = {"at": time.time(), "from": scope["client"][1], "asked": asked, "status": message["status"], "answered": answered}
        with self._log.open("a") as log:
            log.write(json.dumps(line) + "\n")
