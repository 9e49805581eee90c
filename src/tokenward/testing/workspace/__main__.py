"""`python -m tokenward.testing.workspace [--port N] [--tls] [--policies FILE]`: the stand-in workspace as its own process.

NOT FOR PRODUCTION: it gives tokens to anybody on this machine. It listens on loopback only, and forgets everything at its end.
When it is ready it prints one line of JSON, {"url", "account_id", "workspace_id", "ca_file"}; then it takes control requests:

    curl -d '{"subject": "ada@contoso.example"}' http://127.0.0.1:8500/control/mint
    curl -d '{"mode": "status", "path": "/oidc/v1/token", "status": 429, "retry_after": 2}' http://127.0.0.1:8500/control/fail
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from tokenward.databricks.federation.policies import read_policies
from tokenward.testing.issuer import LocalIssuer
from tokenward.testing.stop_signal import StopSignal
from tokenward.testing.workspace.server import WorkspaceServer
from tokenward.testing.workspace.workspace import DatabricksWorkspace

WARNING = "tokenward stand-in workspace: NOT FOR PRODUCTION. It gives tokens to anybody on this machine."


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM; 0 then, and 2 if the arguments make no sense, or the port or the file cannot be had."""
    options = _parser().parse_args(arguments)
    print(WARNING, file=sys.stderr, flush=True)
    try:
        workspace = DatabricksWorkspace(entra=LocalIssuer())
        if options.policies:
            _replace_policies(workspace, options.policies.read_text("utf-8"))
        server = WorkspaceServer(workspace, options.port, host=options.host, tls=options.tls, control=True).start()
    except (ValueError, OverflowError, OSError) as exc:
        print(f"tokenward stand-in workspace: {exc}", file=sys.stderr)
        return 2
    _serve(server)
    return 0


def _replace_policies(workspace: DatabricksWorkspace, text: str) -> None:
    policies = read_policies(text, account_id=workspace.account_id)
    workspace.federation.clear()
    for policy in policies:
        workspace.federation.add(policy.to_databricks())


def _serve(server: WorkspaceServer) -> None:
    stop = StopSignal()
    workspace = server.workspace
    workspace.mint.jwks()  # keys are made now, so that no request waits for one
    workspace.federated_jwt()
    said = {"url": server.url, "account_id": workspace.account_id, "workspace_id": workspace.workspace_id}
    print(json.dumps({**said, "ca_file": server.ca_file}), flush=True)
    stop.wait()
    server.stop()
    workspace.close()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tokenward.testing.workspace", description=WARNING)
    parser.add_argument("--port", type=int, default=0, help="0, the default, takes any free port")
    parser.add_argument("--host", default="127.0.0.1", help="a loopback address; any other is refused")
    parser.add_argument("--tls", action="store_true", help="serve HTTPS; clients must trust the ca_file that is printed")
    parser.add_argument("--policies", type=Path, metavar="FILE", help="federation policies (JSON or YAML) in place of its own")
    return parser


if __name__ == "__main__":
    sys.exit(main())
