"""The issuer, as a process that can be killed: `python -m benchmarks.soak.issuer`, started and steered by the conductor.

It prints one line when it is ready, and one for each request that arrives, at once, so that killing it loses no count. It reads
commands, one a line: `publish 0 2` (which of its keys are in the set), `listen`, `silent`, `answer`. Until it is told to listen
it is not there for anybody, and to begin costs next to nothing then. It ends when nobody can command it.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.soak.plan import ISSUER
from tokenward.testing import FaultServer, LocalIssuer, SigningKey, faults
from tokenward.testing.keyfile import read_keys


class _Told(list[str]):
    """The list of requests that every local issuer keeps, which here tells of each as well."""

    def append(self, url: str) -> None:
        super().append(url)
        sys.stdout.write(f"asked {time.monotonic()}\n")
        sys.stdout.flush()


def main() -> int:
    options = _options()
    keys = read_keys(options.keys)
    issuer = LocalIssuer.oidc(ISSUER, keys=keys)
    issuer.requests = _Told()
    server = FaultServer(issuer, options.port)
    print("ready", flush=True)
    for line in sys.stdin:
        _obey(line.split(), server, keys)
        print("done", flush=True)
    server.stop()
    return 0


def _obey(words: list[str], server: FaultServer, keys: list[SigningKey]) -> None:
    match words:
        case ["publish", *numbers]:
            server.issuer.keys[:] = _chosen(keys, numbers)
        case ["listen"]:
            server.start()
        case ["silent"]:
            server.always(faults.held())
        case ["answer"]:
            server.recover()
        case _:
            raise ValueError(f"no such command: {' '.join(words)}")


def _chosen(keys: list[SigningKey], numbers: Sequence[str]) -> list[SigningKey]:
    return [keys[int(number)] for number in numbers]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--keys", type=Path, required=True, help="the file of its keys")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
