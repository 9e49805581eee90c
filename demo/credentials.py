"""Databricks credentials: federated tokens are exchanged at the stand-in workspace, each verdict against what was expected."""

from __future__ import annotations

import textwrap
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache, partial

from demo.chapters import Check
from demo.federated import PRINCIPAL, WORKSPACE_DOWN, WRONG_AUDIENCE, Exchange, exchanges
from demo.workspace import StandIn
from tokenward import databricks
from tokenward.databricks import AccessToken, TokenSource, Workspace
from tokenward.errors import AuthenticationError

CALLERS = 100
LONG = 130
"""Characters of an answer in the report for people; the whole is in the JSON document."""
SLOW = 0.4
"""Seconds that the endpoint takes while all callers ask at once, so that they are there before it has answered."""


@dataclass(frozen=True)
class Exchanged:
    """One exchange with what was expected of it and what was seen; `asked` is how often the endpoint was."""

    expected: Exchange
    status: int
    code: str | None
    answer: str
    hint: str
    asked: int | None
    milliseconds: float

    def differences(self) -> list[str]:
        """What is not as expected, in words."""
        pairs = [(part, getattr(self.expected, part), getattr(self, part)) for part in ("status", "code", "asked")]
        found = [f"{part}: expected {expected}, seen {seen}" for part, expected, seen in pairs if expected != seen]
        if self.expected.says not in self.answer:
            found.append(f"answer: expected {self.expected.says}, seen {self.answer}")
        return found if self.code is None or self.hint else [*found, "hint: nothing is explained"]

    @property
    def explanation(self) -> str:
        """What the operator reads: why, how the endpoint's answer begins, and what to do."""
        return f"{textwrap.shorten(self.answer, LONG, placeholder=' ...')} {self.hint}".strip()


@dataclass
class Credentials:
    """Everything that was seen of exchanges."""

    rows: list[Exchanged] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    seconds: float = 0.0

    def require(self, name: str, see: Callable[[], tuple[bool, str]]) -> None:
        """See whether it is so; a token that is refused here, where all are good, is a difference like any other."""
        try:
            holds, seen = see()
        except AuthenticationError as error:
            holds, seen = False, str(error)
        self.checks.append(Check(name, holds, seen))

    @property
    def unexpected(self) -> list[str]:
        rows = [f"{row.expected.name}: {difference}" for row in self.rows for difference in row.differences()]
        return rows + [f"exchange: {check.name}: {check.seen}" for check in self.checks if not check.holds]


def credentials() -> Credentials:
    """Start the stand-in, ask for every exchange, and stop it. Raises DemoError if it cannot be done."""
    began, told = time.monotonic(), Credentials()
    with StandIn() as standin:
        source = cache(partial(_source, standin.url))
        told.rows = [_exchanged(standin, exchange, source) for exchange in exchanges()]
        told.require("Whose tokens they are", partial(_who_they_are, standin, source))
        told.require(f"{CALLERS} callers, one JWT", partial(_one_for_all, standin))
        told.require("would_accept says it before", partial(_told_beforehand, standin))
        told.rows.append(_after_a_crash(standin, source))
    told.seconds = time.monotonic() - began
    return told


Source = Callable[[str | None], TokenSource]


def _source(url: str, client_id: str | None) -> TokenSource:
    """As a service would have one for its whole life."""
    return TokenSource(databricks.Exchange(url, client_id=client_id), observer=None)


def _exchanged(standin: StandIn, exchange: Exchange, source: Source) -> Exchanged:
    jwt, before = exchange.make(standin), standin.exchanges()
    return _judged(exchange, source(exchange.client_id), jwt, lambda: standin.exchanges() - before)


def _after_a_crash(standin: StandIn, source: Source) -> Exchanged:
    jwt = WORKSPACE_DOWN.make(standin)
    standin.kill()
    return _judged(WORKSPACE_DOWN, source(None), jwt, lambda: None)


def _judged(exchange: Exchange, source: TokenSource, jwt: str, asked: Callable[[], int | None]) -> Exchanged:
    began = time.perf_counter()
    try:
        token: AccessToken | AuthenticationError = source.token_for(jwt)
    except AuthenticationError as error:
        token = error
    milliseconds = (time.perf_counter() - began) * 1000
    if isinstance(token, AccessToken):
        left = f"a token for {token.scope}, {token.expires_at - time.time():.0f} s"
        return Exchanged(exchange, 200, None, left, "", asked(), milliseconds)
    return Exchanged(exchange, token.status, token.code, _answer(token), token.hint, asked(), milliseconds)


def _answer(error: AuthenticationError) -> str:
    parts = error.actual if isinstance(error.actual, list) else []
    return f"{error.reason}: {' '.join(map(str, parts))}." if parts else f"{error.reason}."


def _who_they_are(standin: StandIn, source: Source) -> tuple[bool, str]:
    """What the tokens are good for: the workspace is asked whose they are (SCIM Me)."""
    good = [exchange for exchange in exchanges() if exchange.code is None and exchange.asked]
    workspace = Workspace(standin.url)
    names = [workspace.me(source(exchange.client_id).token_for(exchange.make(standin))).user_name for exchange in good]
    return names == ["ada@contoso.example", PRINCIPAL], " and ".join(names)


def _one_for_all(standin: StandIn) -> tuple[bool, str]:
    jwt, source, before = standin.mint(), _source(standin.url, None), standin.exchanges()
    standin.control("fail", mode="slow", path="/oidc", seconds=SLOW)
    with ThreadPoolExecutor(CALLERS) as pool:
        tokens = {token.value for token in pool.map(source.token_for, [jwt] * CALLERS)}
    standin.control("recover")
    asked = standin.exchanges() - before
    return asked == len(tokens) == 1, f"exchanges {asked}, tokens {len(tokens)}"


def _told_beforehand(standin: StandIn) -> tuple[bool, str]:
    """What `would_accept` says of a token that was refused, without asking Databricks."""
    policies = databricks.read_policies(standin.control("policies"), account_id=standin.account_id)
    verdict = databricks.would_accept(WRONG_AUDIENCE(standin), policies, now=time.time())[0]
    said = "; ".join(f"{finding.name}: {finding.fix}" for finding in verdict.failures)
    failed = [finding.name for finding in verdict.failures]
    return failed == ["audience"] and not verdict.is_match, said or "it would be accepted"
