"""A stand-in for a Databricks workspace and its account, for tests and demos. NOT FOR PRODUCTION: it gives tokens to anybody.

    import httpx
    from tokenward.testing.workspace import WorkspaceServer

    def test_my_service():
        with WorkspaceServer() as server:
            jwt = server.workspace.federated_jwt("ada@contoso.example")
            form = {"grant_type": "urn:ietf:params:oauth:grant-type:token-exchange", "subject_token": jwt,
                    "subject_token_type": "urn:ietf:params:oauth:token-type:jwt", "scope": "all-apis"}
            token = httpx.post(f"{server.url}/oidc/v1/token", data=form).json()["access_token"]

It enforces federation policies with real signature checks, and answers SCIM Me, SQL statements, serving endpoints, files in
volumes and jobs; `Fault` and `limit` make it fail. Without a network: `DatabricksWorkspace().fetch` is a
`tokenward.keys.port.Fetch`. As a process of its own: `python -m tokenward.testing.workspace --help`. Where it does what
Databricks was not seen to do, the place says so.
"""

from tokenward.testing.workspace.estate import DEFAULT_ACCOUNT_ID, DEFAULT_WORKSPACE_ID, WORKLOAD
from tokenward.testing.workspace.faults import Fault
from tokenward.testing.workspace.messages import Reply, Request
from tokenward.testing.workspace.people import DEFAULT_SERVICE_PRINCIPAL, DEFAULT_USER, Principal
from tokenward.testing.workspace.server import WorkspaceServer
from tokenward.testing.workspace.workspace import DatabricksWorkspace

__all__ = [
    "DEFAULT_ACCOUNT_ID",
    "DEFAULT_SERVICE_PRINCIPAL",
    "DEFAULT_USER",
    "DEFAULT_WORKSPACE_ID",
    "WORKLOAD",
    "DatabricksWorkspace",
    "Fault",
    "Principal",
    "Reply",
    "Request",
    "WorkspaceServer",
]
