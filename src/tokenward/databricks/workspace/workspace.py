"""Workspace and AsyncWorkspace: questions to a Databricks workspace about its callers and itself.

The documented check of a Microsoft Entra ID token ends with the workspace: `unique_name` must be "a user that exists in the
Databricks workspace, unless the user is a contributor on the workspace appliance resource"
(learn.microsoft.com/azure/databricks/dev-tools/troubleshoot-aad-token). Only the workspace can tell, so it is asked, by SCIM `Me`
and with the caller's own token or one exchanged for it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from tokenward import validation
from tokenward.asking.driving import run, run_async
from tokenward.asking.steps import RetryBudget, Steps
from tokenward.databricks.access import AccessToken, Subject, is_bearer
from tokenward.databricks.flights import Landed
from tokenward.databricks.grant import key_of
from tokenward.databricks.hosts import workspace_origin
from tokenward.databricks.single_flight import Clock, LoopSharing, Question, ThreadSharing
from tokenward.databricks.workspace.host_facts import HostMetadata, WorkspaceTenant, metadata_steps, tenant_steps
from tokenward.databricks.workspace.membership import judged
from tokenward.databricks.workspace.scim_me import UnknownUser, User, me_steps
from tokenward.errors import MalformedToken, TokenRejected
from tokenward.identity import Identity
from tokenward.keys.fetch import AsyncHttpxFetch, HttpxFetch
from tokenward.keys.port import AsyncFetch, Fetch

TIMEOUT = 10.0
"""Seconds for a question, retries and pauses included."""
KEEP = 60.0
"""Seconds that an answer to Me serves: as long a user who was removed may still be let in."""
MAX_KEEP = 3600.0
MAX_TIMEOUT = 300.0
REMEMBER = 10_000
"""Answers held by default: less than 1 KB each."""
MAX_REMEMBER = 1_000_000

F = TypeVar("F", bound=Callable[..., object])


class _Workspace:
    """What both are made of."""

    def __init__(self, host: str, keep: float, timeout: float, remember: int) -> None:
        self.origin = workspace_origin("host", host)
        self._budget = RetryBudget()
        self._keep = validation.seconds("keep", keep, most=MAX_KEEP)
        problem, fix = "no question is answered in 0 seconds", "Give more than 0 seconds, or leave it out."
        self._timeout = validation.some_seconds("timeout", timeout, most=MAX_TIMEOUT, problem=problem, fix=fix)
        validation.whole("remember", remember, least=0, most=MAX_REMEMBER)

    def _question(self, token: str | AccessToken) -> tuple[bytes, Question[User]]:
        """The key under which callers share an answer, and the steps to it. Raises MalformedToken."""
        value = token.value if isinstance(token, AccessToken) else token
        if not isinstance(value, str) or not is_bearer(value):
            raise MalformedToken("the token is no text, or holds characters that no bearer token has")
        ends = token.expires_at if isinstance(token, AccessToken) else _end_of(value)
        return key_of("me", self.origin, value), partial(self._dated, value, ends)

    def _dated(self, token: str, ends: float, now: float) -> Steps[Landed[User]]:
        user = yield from me_steps(self.origin, f"Bearer {token}", self._budget)
        return Landed(user, min(now + self._keep, ends))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.origin}>"


class Workspace(_Workspace):
    """Asks a workspace from any number of threads.

    host       of the workspace, as a name or an https URL without a path
    fetch      how requests are made: one function (`keys.port.Fetch`); by default httpx, bounded in time and size
    clock      epoch seconds; `monotonic` seconds that never go back
    timeout    seconds for one question in all
    keep       seconds that an answer to `me` is handed out again, at most until the token's end; 0 asks every time
    remember   how many answers to hold at most

    It makes no request until it is asked. Raises PolicyError for impossible arguments.
    """

    def __init__(
        self,
        host: str,
        *,
        fetch: Fetch | None = None,
        clock: Clock = time.time,
        monotonic: Clock = time.monotonic,
        timeout: float = TIMEOUT,
        keep: float = KEEP,
        remember: int = REMEMBER,
    ) -> None:
        super().__init__(host, keep, timeout, remember)
        self._fetch = HttpxFetch() if fetch is None else validation.fetch(fetch, async_one=False)
        self._sharing: ThreadSharing[User] = ThreadSharing(
            self._fetch, clock=clock, monotonic=monotonic, timeout=self._timeout, remember=remember
        )

    def me(self, token: str | AccessToken) -> User:
        """Whom the workspace takes the bearer of this token for. Callers with the same token share one question.

        Raises UserNotInWorkspace (403), TokenExpired or ExchangeRefused (401) if the workspace refuses the token,
        ExchangeUnavailable (503) if it cannot tell; MalformedToken for what is no token at all.
        """
        return self._sharing.get(*self._question(token))

    def require_user(self, identity: Identity, token: str | AccessToken, *, contributor: bool = False) -> User | None:
        """The documented check: whoever calls is an active user of the workspace.

        identity     of the caller, verified
        token        the caller's own AzureDatabricks token, or one that was exchanged for it
        contributor  the documented exception: you know, by Azure's role assignments, that this caller is a contributor on the
                     workspace's resource. Somebody whom the workspace does not know then passes, and the answer is None.
                     Nothing here looks at Azure's roles

        The workspace must know the bearer by the `unique_name` of the caller's token, an application by its `appid`, and where
        there is neither (federated tokens) by the subject: so a token that was exchanged for somebody else, such as a service
        principal, does not pass. (An Entra v2 token names nobody whom the workspace knows, and does not pass: give the identity
        of the caller's AzureDatabricks token.) Letters' case does not count; of guests, whose names Entra decorates with "#", it
        is only seen that the workspace names a user.

        Raises UserNotInWorkspace, and as `me`.
        """
        excused = validation.boolean("contributor", contributor)
        try:
            user = self.me(token)
        except UnknownUser:
            if excused:
                return None
            raise
        return judged(identity, user)

    def tenant(self) -> WorkspaceTenant:
        """The Entra tenant of an Azure workspace, and its cloud; for a start, and never for a request.

        Raises ExchangeUnavailable, and PolicyError if the host is no Azure Databricks workspace.
        """
        return run(tenant_steps(self.origin), self._fetch, time.monotonic() + self._timeout)

    def metadata(self) -> HostMetadata:
        """What the host says of its OAuth endpoints. Raises ExchangeUnavailable."""
        return run(metadata_steps(self.origin), self._fetch, time.monotonic() + self._timeout)

    def close(self) -> None:
        """Forget every answer, and hold none from now on."""
        self._sharing.forget()


class AsyncWorkspace(_Workspace):
    """The async twin of Workspace, for asyncio and trio; one may serve several loops.

    `fetch` is an async function (`keys.port.AsyncFetch`); the other arguments are Workspace's.
    """

    def __init__(
        self,
        host: str,
        *,
        fetch: AsyncFetch | None = None,
        clock: Clock = time.time,
        monotonic: Clock = time.monotonic,
        timeout: float = TIMEOUT,
        keep: float = KEEP,
        remember: int = REMEMBER,
    ) -> None:
        super().__init__(host, keep, timeout, remember)
        self._fetch = AsyncHttpxFetch() if fetch is None else validation.fetch(fetch, async_one=True)
        self._sharing: LoopSharing[User] = LoopSharing(
            self._fetch, clock=clock, monotonic=monotonic, timeout=self._timeout, remember=remember
        )

    async def me(self, token: str | AccessToken) -> User:
        """As Workspace's. A caller who is cancelled leaves the question to those who wait for it, too."""
        return await self._sharing.get(*self._question(token))

    async def require_user(self, identity: Identity, token: str | AccessToken, *, contributor: bool = False) -> User | None:
        """As Workspace's."""
        excused = validation.boolean("contributor", contributor)
        try:
            user = await self.me(token)
        except UnknownUser:
            if excused:
                return None
            raise
        return judged(identity, user)

    async def tenant(self) -> WorkspaceTenant:
        """As Workspace's."""
        return await run_async(tenant_steps(self.origin), self._fetch, time.monotonic() + self._timeout)

    async def metadata(self) -> HostMetadata:
        """As Workspace's."""
        return await run_async(metadata_steps(self.origin), self._fetch, time.monotonic() + self._timeout)

    def close(self) -> None:
        """As Workspace's."""
        self._sharing.forget()


def _end_of(token: str) -> float:
    """`exp`, not verified, if the token is a JWT that can be read: a personal access token is none."""
    try:
        return Subject.read(token).expires_at
    except TokenRejected:
        return math.inf
