"""Everything that a stand-in workspace consists of, and how it is furnished at first."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import TypedDict

from tokenward import validation
from tokenward.keys.fetch import HttpxFetch
from tokenward.keys.port import FetchRequest, FetchResponse
from tokenward.testing.issuer import LocalIssuer
from tokenward.testing.keys import SigningKey
from tokenward.testing.oidc import OidcIssuer
from tokenward.testing.publisher import Publisher
from tokenward.testing.workspace.discovery import Discovery
from tokenward.testing.workspace.faults import Faults
from tokenward.testing.workspace.federation import Federation
from tokenward.testing.workspace.gate import Gate
from tokenward.testing.workspace.issuing import Mint
from tokenward.testing.workspace.jobs import Jobs
from tokenward.testing.workspace.messages import Object
from tokenward.testing.workspace.people import DEFAULT_SERVICE_PRINCIPAL, DEFAULT_USER, Directory
from tokenward.testing.workspace.serving import Serving
from tokenward.testing.workspace.sql import Statements
from tokenward.testing.workspace.token_endpoint import TokenEndpoint
from tokenward.testing.workspace.volumes import Volumes

DEFAULT_WORKSPACE_ID = "7405605123456789"
DEFAULT_HOME = f"https://adb-{DEFAULT_WORKSPACE_ID}.9.azuredatabricks.net"
DEFAULT_ACCOUNT_ID = "d4e1f0a2-6b37-4c58-9a1d-0f2e3c4b5a69"
DEFAULT_IDP = "https://idp.example/contoso"
WORKLOAD = "repo:contoso/jobs:ref:refs/heads/main"
"""The subject of tokens that the default service principal's policy accepts."""


class Parts(TypedDict, total=False):
    """The arguments that `DatabricksWorkspace` takes besides its home, and passes on."""

    account_id: str
    workspace_id: str
    entra: LocalIssuer | None
    issuers: Iterable[Publisher]
    clock: Callable[[], float]
    monotonic: Callable[[], float]
    new_key: Callable[[], SigningKey]


class Estate:
    """The parts of a workspace and its account; `DatabricksWorkspace` says what the arguments are.

    directory      who is known
    federation     the policies, and what they accept
    mint, tokens   its own tokens, and the endpoint that gives them away
    gate           who may call APIs
    faults         what goes wrong
    """

    def __init__(
        self,
        home: str,
        *,
        account_id: str = DEFAULT_ACCOUNT_ID,
        workspace_id: str = DEFAULT_WORKSPACE_ID,
        entra: LocalIssuer | None = None,
        issuers: Iterable[Publisher] = (),
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        new_key: Callable[[], SigningKey] = SigningKey.generate,
    ) -> None:
        self.home = validation.address("home", home)
        self.account_id, self.workspace_id = account_id, workspace_id
        self.clock = clock
        self.served_at: str | None = None
        self.idp = OidcIssuer(DEFAULT_IDP, clock=clock, new_key=new_key)
        self.tenant = entra or LocalIssuer(clock=clock, new_key=new_key)
        self.issuers: list[Publisher] = [self.idp, self.tenant, *issuers]
        self.directory = Directory()
        self.mint = Mint(workspace_id, account_id, lambda: self.origin, clock, new_key)
        self.federation = Federation(account_id, self._fetch_keys, clock)
        self.tokens = TokenEndpoint(self.federation, self.directory, self.mint, clock)
        self.resource_id = f"/subscriptions/{account_id}/resourceGroups/data/providers/Microsoft.Databricks/workspaces/contoso"
        self.gate = Gate(self.directory, self.mint, clock, entra, self.resource_id)
        self.faults = Faults(monotonic)
        self.statements, self.serving, self.volumes, self.jobs = Statements(), Serving(clock), Volumes(), Jobs(clock)
        self._network = HttpxFetch()
        self._furnish()

    def _furnish(self) -> None:
        self.directory.add_user(DEFAULT_USER, "Ada Example")
        principal = self.directory.add_service_principal(DEFAULT_SERVICE_PRINCIPAL, "jobs of contoso")
        self.federation.add({"policy_id": "contoso-people", "oidc_policy": {"issuer": DEFAULT_IDP}})
        workload: Object = {"issuer": DEFAULT_IDP, "subject": WORKLOAD}
        self.federation.add({"policy_id": "contoso-jobs", "service_principal_id": int(principal.id), "oidc_policy": workload})

    @property
    def origin(self) -> str:
        """Where it is asked: the server's address while served, else `home`."""
        return self.served_at or self.home

    def discovery(self) -> Discovery:
        """What it says of itself to anybody."""
        return Discovery(self.origin, self.account_id, self.workspace_id, self.tenant.tenant, self.tenant.home)

    def close(self) -> None:
        """Remove its files, and stop what runs behind it."""
        self.faults.clear()
        self.serving.stop()
        self.federation.clear()
        self.volumes.close()

    def _fetch_keys(self, request: FetchRequest) -> FetchResponse:
        """Keys of a local issuer in process; of anybody else over the network."""
        for issuer in self.issuers:
            if request.url.startswith((f"{issuer.origin}/", f"{issuer.home}/")):
                return issuer.fetch(request)
        return self._network(request)
