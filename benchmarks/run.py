"""What a row needs to run: how long, with which peers, and an event loop."""

from __future__ import annotations

import asyncio
import inspect
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from benchmarks.checks import Check, peer_checks, wrong
from benchmarks.peers import PEERS, Call, Peer
from benchmarks.provider import Provider
from benchmarks.report import Row
from benchmarks.timing import Pass, async_pass, bare_pass, shortest, sync_pass
from benchmarks.tokens import Algorithm, Corpus


@dataclass
class Run:
    """One run of the benchmarks. Every check that was made is kept in `checks`."""

    rounds: int = 25
    with_peers: bool = True
    with_load: bool = False
    timing: bool = True
    checks: list[Check] = field(default_factory=list)

    @cached_property
    def loop(self) -> asyncio.AbstractEventLoop:
        return asyncio.new_event_loop()

    @cached_property
    def provider(self) -> Provider:
        return Provider()

    def say(self, text: str) -> None:
        """Progress, apart from the results."""
        print(text, file=sys.stderr, flush=True)

    def check(self, checks: Iterable[Check]) -> None:
        self.checks.extend(checks)

    def ratios(self, corpus: Corpus, passes: dict[str, Pass]) -> dict[str, tuple[float, float]]:
        """Of each pass: the ratio to the bare check of the corpus in the same rounds, and its microseconds."""
        bare = bare_pass(corpus.signer.bare(token) for token in corpus.tokens)
        seconds = shortest({"bare": bare, **passes}, self.rounds)
        return {name: (best / seconds["bare"], best * 1e6) for name, best in seconds.items()}

    def pass_of(self, call: Call, tokens: Iterable[str]) -> Pass:
        if inspect.iscoroutinefunction(call):
            return async_pass(self.loop, call, tokens)
        return sync_pass(call, tokens)

    def peers(self, row: str, algorithm: Algorithm) -> dict[str, Call | str]:
        """The peers that are there and pass their check; for the others, the word that stands in the table."""
        return {peer.name: self._prepared(row, peer, algorithm) for peer in PEERS} if self.with_peers else {}

    def peer_ratios(
        self, calls: dict[str, Call | str], algorithm: Algorithm, tokens: Callable[[Corpus], Iterable[str]]
    ) -> dict[str, Any]:
        """Each peer's ratio, measured beside the bare check of the very tokens that it is given."""
        found: dict[str, float | str] = {}
        for peer in PEERS:
            call = calls.get(peer.name, "-")
            if isinstance(call, str):
                found[peer.name] = call
                continue
            corpus = peer.corpus(algorithm)
            found[peer.name] = self.ratios(corpus, {peer.name: self.pass_of(call, tokens(corpus))})[peer.name][0]
        return found

    def close(self) -> None:
        if "provider" in self.__dict__:
            self.provider.close()
        if "loop" in self.__dict__:
            self.loop.close()

    def _prepared(self, row: str, peer: Peer, algorithm: Algorithm) -> Call | str:
        if algorithm not in peer.algorithms:
            return "-"
        if not peer.installed:
            return "not installed"
        try:
            call = peer.prepare(self.provider, algorithm)
        except Exception as exc:  # noqa: BLE001  # a peer that broke is reported, and the run goes on
            self.say(f"  {peer.name}: {type(exc).__name__}: {exc}")
            return "broken"
        checks = self.loop.run_until_complete(peer_checks(row, peer.name, call, peer.corpus(algorithm)))
        self.check(checks)
        return "wrong verdict" if wrong(checks) else call


Benchmark = Callable[[Run], list[Row]]
"""Makes its checks, and measures if the run asks for it."""
