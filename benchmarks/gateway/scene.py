"""Everything that stands around a measurement: issuer, workspace, upstreams, and the proxies between."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.gateway import nginx
from benchmarks.gateway.callers import callers, workspace_of
from benchmarks.gateway.environment import JWKS_URI, UPSTREAM, WORKSPACE
from benchmarks.gateway.servers import Server, module, uvicorn
from benchmarks.gateway.servers import nginx as start_nginx
from benchmarks.run import Run
from tokenward.testing.workspace import DatabricksWorkspace, WorkspaceServer


@dataclass
class Scene:
    """Starts what is asked for; all of it ends with the block. `workspace` counts the exchanges."""

    workspace: DatabricksWorkspace
    folder: Path
    _environment: dict[str, str]
    _stack: contextlib.ExitStack = field(repr=False)

    def fast_upstream(self) -> Server:
        """nginx's, or where there is no nginx the streams', which only the checks may do with."""
        return self._stack.enter_context(start_nginx(nginx.upstream())) if nginx.is_installed() else self.stream_upstream()

    def stream_upstream(self) -> Server:
        return self._stack.enter_context(module("benchmarks.gateway.upstream"))

    def app(self, name: str, upstream: Server) -> Server:
        """A factory, such as "apps:exchange", in front of this upstream."""
        return self._stack.enter_context(uvicorn(f"benchmarks.gateway.{name}", self._environment | {UPSTREAM: upstream.url}))

    def nginx(self, configuration: str) -> Server:
        return self._stack.enter_context(start_nginx(configuration))

    def tokens(self, count: int) -> Path:
        """A file with the tokens of so many callers."""
        path = self.folder / f"{count}.tokens"
        path.write_text("".join(f"{token}\n" for token in callers(count)), encoding="ascii")
        return path


@contextlib.contextmanager
def scene(run: Run, count: int) -> Iterator[Scene]:
    """With a workspace that knows so many callers."""
    workspace = workspace_of(count)
    with contextlib.ExitStack() as stack, WorkspaceServer(workspace) as server:
        stack.callback(workspace.close)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="benchmark-")))
        environment = {JWKS_URI: f"{run.provider.url}/RS256/keys", WORKSPACE: server.url}
        yield Scene(workspace, folder, environment, stack)
