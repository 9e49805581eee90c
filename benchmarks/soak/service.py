"""The service that is measured, as a process: `python -m benchmarks.soak.service`, started by the conductor.

Requests come in by standard input, one a line, as from any socket; what became of them goes out by standard output, ten times a
second. What lies between is a verifier, with whatever makes a web service of it: an event loop with a task for each request, or
a pool of threads. Latency ends when the verdict is there.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

from benchmarks.quiet import silence_loggers
from benchmarks.soak.ledger import Ledger
from benchmarks.soak.plan import AUDIENCE, ISSUER, rhythm
from tokenward import AsyncVerifier, AuthenticationError, Issuer, Policy, Verifier
from tokenward.keys.events import KeyEvent

TELL_EVERY = 0.1
"""Seconds. Telling takes the service's own time, about 0.1 ms each; seldom and all at once it would be felt by those who wait."""
LINE_BYTES = 1 << 16


class AsyncService:
    """An event loop, in which each request is a task."""

    def __init__(self, policy: Policy, seconds: float) -> None:
        self._verifier = AsyncVerifier(policy, rhythm=rhythm(seconds), observer=self._changed)
        self._ledger = Ledger(self._verifier)
        self._tasks: set[asyncio.Task[None]] = set()

    def run(self) -> None:
        asyncio.run(self._run())

    async def _run(self) -> None:
        async with self._verifier.running():
            _say({"ready": True})
            telling = asyncio.create_task(self._tell())
            reader = asyncio.StreamReader(LINE_BYTES)
            await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
            async for line in reader:
                task = asyncio.create_task(self._serve(line))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            await asyncio.gather(*self._tasks)
            telling.cancel()
        _say(self._ledger.told())

    async def _serve(self, line: bytes) -> None:
        request = self._ledger.opened(line)
        try:
            verdict = request.verdict_on(await self._verifier.verify(request.token))
        except AuthenticationError as error:
            verdict = error.code
        except Exception as exc:  # noqa: BLE001  # nothing else may escape, and what does is counted
            verdict = type(exc).__name__
        self._ledger.closed(request, verdict)

    async def _tell(self) -> None:
        while True:
            await asyncio.sleep(TELL_EVERY)
            _say(self._ledger.told())

    def _changed(self, event: KeyEvent) -> None:
        self._ledger.keys_changed(event)


class ThreadService:
    """One thread that takes requests in, and a pool of `threads` in which each is served: gunicorn's gthread, or a2wsgi."""

    def __init__(self, policy: Policy, seconds: float, threads: int) -> None:
        self._verifier = Verifier(policy, rhythm=rhythm(seconds), observer=self._changed)
        self._ledger = Ledger(self._verifier)
        self._threads = threads

    def run(self) -> None:
        self._verifier.warm_up()
        _say({"ready": True})
        over = threading.Event()
        telling = threading.Thread(target=self._tell, args=(over,))
        telling.start()
        with ThreadPoolExecutor(self._threads) as pool:
            for line in sys.stdin.buffer:
                pool.submit(self._serve, line)
        over.set()
        telling.join()
        self._verifier.close()
        _say(self._ledger.told())

    def _serve(self, line: bytes) -> None:
        request = self._ledger.opened(line)
        try:
            verdict = request.verdict_on(self._verifier.verify(request.token))
        except AuthenticationError as error:
            verdict = error.code
        except Exception as exc:  # noqa: BLE001  # as above
            verdict = type(exc).__name__
        self._ledger.closed(request, verdict)

    def _tell(self, over: threading.Event) -> None:
        while not over.wait(TELL_EVERY):
            _say(self._ledger.told())

    def _changed(self, event: KeyEvent) -> None:
        self._ledger.keys_changed(event)


def main() -> int:
    options = _options()
    silence_loggers()
    policy = Policy([Issuer(ISSUER, audiences=[AUDIENCE], algorithms=["ES256"], jwks_uri=options.jwks_uri)])
    if options.driver == "async":
        AsyncService(policy, options.seconds).run()
    else:
        ThreadService(policy, options.seconds, options.threads).run()
    return 0


def _say(what: object) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--driver", choices=["async", "threads"], required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--jwks-uri", required=True)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
