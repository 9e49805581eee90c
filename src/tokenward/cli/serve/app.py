"""The app of a server process, made from settings: in the first process to judge them, and in each worker to run."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Mapping
from types import MappingProxyType

from tokenward.cli.serve.credentials import credentials_from
from tokenward.cli.serve.guarding import require_guarded, require_private
from tokenward.cli.serve.logs import configure_logs
from tokenward.cli.serve.policies import policy_from
from tokenward.cli.serve.redis import shared_from
from tokenward.cli.serve.rules import allow_from
from tokenward.cli.serve.server import server_from
from tokenward.cli.serve.settings import Settings
from tokenward.cli.serve.stopping import Drainable, Stopping
from tokenward.databricks.forward_auth.forward_auth import ForwardAuth
from tokenward.databricks.gateway.aiohttp_mover import AiohttpMover
from tokenward.databricks.gateway.gateway import Gateway
from tokenward.databricks.shared.shared_tokens import SharedTokens

GATEWAY = "gateway"
FORWARD_AUTH = "forward-auth"
SETTINGS = "TOKENWARD_WORKER"
"""The environment variable by which a worker process gets the settings that its parent judged: JSON, without secrets."""
LAST_DRAIN = 1.0
"""Seconds at the very end; what is under way had its time before that."""
YOUNG = 50_000
"""New objects before Python looks for cycles among them: a hundred requests' worth or more, and a request leaves none behind."""


def gateway_from(settings: Settings, shared: SharedTokens | None = None) -> Gateway:
    """The gateway that the settings describe. Raises CommandFailed."""
    section = settings["gateway"]
    upstream = section.need("upstream", "the workspace, such as adb-1234567890123456.7.azuredatabricks.net")
    policy, credentials = policy_from(settings["policy"]), credentials_from(settings, shared)
    require_guarded(settings, policy)
    options = section.given("public_url", "authorization_servers", "max_concurrent", "client_idle", "realm", "warm_up")
    allow = allow_from(section)
    with section.judging():
        mover = AiohttpMover(upstream, **section.given("connections"))
        return Gateway(policy, upstream, credentials=credentials, allow=allow, mover=mover, drain=LAST_DRAIN, **options)


def forward_auth_from(settings: Settings, shared: SharedTokens | None = None) -> ForwardAuth:
    """The verdicts for another proxy that the settings describe. Raises CommandFailed."""
    section, own = settings["gateway"], settings["forward_auth"]
    policy, credentials = policy_from(settings["policy"]), credentials_from(settings, shared)
    require_guarded(settings, policy)
    options = section.given("realm", "warm_up")
    allow = allow_from(section)
    with own.judging():
        return ForwardAuth(policy, credentials=credentials, allow=allow, **options, **own.given("source", "max_age", "prefix"))


MAKERS: Mapping[str, Callable[[Settings, SharedTokens | None], Drainable]] = MappingProxyType(
    {GATEWAY: gateway_from, FORWARD_AUTH: forward_auth_from}
)
"""Each command's app."""


def dumped(command: str, settings: Settings) -> str:
    """What SETTINGS holds."""
    return f"{command} {settings.dumped()}"


def worker() -> Stopping:
    """The app of this process, for the web server, which calls it in each worker. Raises CommandFailed."""
    command, _, text = os.environ[SETTINGS].partition(" ")
    settings = Settings.loaded(text)
    server = server_from(settings["server"])
    configure_logs(server.log, access_log=server.access_log)
    app = made(command, settings)
    _look_for_cycles_less()
    return app


def _look_for_cycles_less() -> None:
    """What is loaded by now stays, and is not looked through again and again: that cost the gateway a tenth of each request."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG)


def made(command: str, settings: Settings) -> Stopping:
    """The app that the settings describe; secrets are read, and nothing is asked of any network. Raises CommandFailed."""
    server, shared = server_from(settings["server"]), shared_from(settings["redis"])
    app = MAKERS[command](settings, shared)
    if command == FORWARD_AUTH:
        require_private(settings["credentials"], server.host)
    return Stopping(app, shared, notice=server.notice, graceful=server.graceful)
