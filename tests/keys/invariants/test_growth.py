"""I7 over a whole verifier: tokens that it refuses leave nothing behind in sources, drivers, memory or diagnostics."""

from __future__ import annotations

import asyncio
import gc
import json
import random
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from types import BuiltinFunctionType, CodeType, FrameType, FunctionType, ModuleType
from typing import Any, cast

import pytest
from structlog.testing import CapturingLogger

from tokenward import AsyncVerifier, Verifier, entra
from tokenward.diagnostics import Diagnostics
from tokenward.errors import AuthenticationError
from tokenward.keys.source import KeySource
from tokenward.memory import Memory
from tokenward.testing import HandClock, LocalIssuer

FEW, MANY = 100, 600
JUNK = "junk-"
AT_MOST = 60
"""More items than after the first few: some new words in counts, but nothing for each of hundreds of tokens."""
NOT_OURS = (ModuleType, type, FunctionType, BuiltinFunctionType, CodeType, FrameType, HandClock, CapturingLogger)

pytestmark = pytest.mark.no_cover
Patch = pytest.MonkeyPatch


class Crowd:
    """A verifier, and strangers with tokens that it refuses."""

    def __init__(self, kind: str, issuer: LocalIssuer, mono: HandClock, wall: HandClock) -> None:
        self.rng = random.Random(7)
        self.mono = mono
        policy = entra.api(issuer.client_id, [issuer.tenant], cloud=issuer.cloud)
        clocks: Any = {"clock": wall, "monotonic": mono, "observer": None}
        self.blocking = Verifier(policy, fetch=issuer.fetch, **clocks) if kind == "threads" else None
        self.waiting = AsyncVerifier(policy, fetch=issuer.async_fetch, **clocks)
        self.diagnostics = Diagnostics(logger=CapturingLogger(), monotonic=mono)
        self.good = issuer.user_token()

    async def send(self, number: int) -> None:
        """One good token, then these bad ones over some minutes."""
        await self.verify(self.good)
        for _ in range(number):
            self.mono.advance(self.rng.choice([0.0, 0.1, 2.0]))
            with pytest.raises(AuthenticationError) as refused:
                await self.verify(self.junk())
            self.diagnostics.rejected(refused.value, method="GET", path=f"/{JUNK}{self.rng.random()}")

    async def verify(self, token: str) -> None:
        if self.blocking is not None:
            self.blocking.verify(token)
        else:
            await self.waiting.verify(token)

    def junk(self) -> str:
        """Another kid, another signature, other claims, or nothing like a token."""
        header, claims, signature = self.good.split(".")
        word = f"{JUNK}{self.rng.random()}"
        other = part({"alg": "RS256", "typ": "JWT", "kid": word})
        bad = part({"iss": word, "aud": word, "exp": 2**32})
        forged = part({"junk": word})
        return self.rng.choice(
            [f"{other}.{claims}.{signature}", f"{header}.{claims}.{forged}", f"{header}.{bad}.{signature}", f"{word}.{word}"]
        )

    def kept(self) -> Iterator[object]:
        """Everything that the verifier and its diagnostics hold on to."""
        seen: set[int] = set()
        found: list[object] = [self.blocking or self.waiting, self.diagnostics]
        while found:
            one = found.pop()
            if id(one) in seen or isinstance(one, NOT_OURS) or type(one).__module__.startswith("tokenward.testing"):
                continue
            seen.add(id(one))
            yield one
            found.extend(gc.get_referents(one))

    def size(self) -> int:
        return sum(len(cast("list[object]", one)) for one in self.kept() if isinstance(one, (dict, list, set, tuple)))

    def words(self) -> set[str]:
        """What came with a token, and is still there."""
        return {one for one in self.kept() if isinstance(one, str) and JUNK in one}


def part(content: dict[str, object]) -> str:
    return urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


@pytest.fixture(params=["threads", "asyncio"])
def crowd(request: pytest.FixtureRequest, issuer: LocalIssuer, mono: HandClock, wall: HandClock) -> Crowd:
    return Crowd(request.param, issuer, mono, wall)


async def _left_behind(crowd: Crowd) -> tuple[int, set[str]]:
    """How many items more are kept after many tokens than after a few, and which words of theirs."""
    await crowd.send(FEW)
    before = crowd.size()
    await crowd.send(MANY)
    return crowd.size() - before, crowd.words()


def left_behind(crowd: Crowd) -> tuple[int, set[str]]:
    """On a loop, or in a thread without one, where nothing is awaited."""
    if crowd.blocking is None:
        return asyncio.run(_left_behind(crowd))
    try:
        _left_behind(crowd).send(None)
    except StopIteration as done:
        found: tuple[int, set[str]] = done.value
        return found
    raise AssertionError("a blocking verifier awaits")


@pytest.fixture
def issuer(wall: HandClock) -> LocalIssuer:
    return LocalIssuer(clock=wall)


def test_i7_hundreds_of_refused_tokens_leave_nothing_behind(crowd: Crowd) -> None:
    more, words = left_behind(crowd)
    assert more < AT_MOST
    assert words == set()


# -- what would grow ---------------------------------------------------------------------------------------------------


def sources_remember_unknown_kids(patch: Patch) -> None:
    decide = KeySource.decide

    def mutant(self: KeySource, kid: str | None) -> Any:
        self.__dict__.setdefault("unknown", {})[kid] = True
        return decide(self, kid)

    patch.setattr(KeySource, "decide", mutant)


def refused_tokens_are_remembered(patch: Patch) -> None:
    recall = Memory.recall

    def mutant(self: Memory, digest: bytes, now: float) -> Any:
        self.__dict__.setdefault("refused", set()).add(digest)
        return recall(self, digest, now)

    patch.setattr(Memory, "recall", mutant)


def diagnostics_count_kids(patch: Patch) -> None:
    rejected = Diagnostics.rejected

    def mutant(self: Diagnostics, error: AuthenticationError, *, method: str, path: str) -> None:
        self.__dict__.setdefault("by_kid", {})[error.kid] = True
        rejected(self, error, method=method, path=path)

    patch.setattr(Diagnostics, "rejected", mutant)


@pytest.mark.parametrize(
    ("rule", "mutant"),
    [
        pytest.param("I7", sources_remember_unknown_kids, id="sources remember the kids that they do not know"),
        pytest.param("I7", refused_tokens_are_remembered, id="refused tokens are remembered"),
        pytest.param("I7", diagnostics_count_kids, id="diagnostics count by kid"),
    ],
)
def test_the_count_catches_what_breaks_the_rule(
    crowd: Crowd, monkeypatch: Patch, rule: str, mutant: Callable[[Patch], None]
) -> None:
    mutant(monkeypatch)
    more, _ = left_behind(crowd)
    assert more >= AT_MOST
