"""wrk with many callers, and what came of it."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

SCRIPT = Path(__file__).with_name("callers.lua")
CONNECTIONS = 32
INSTALL = "wrk is not installed; on Debian: apt-get install wrk"


@dataclass(frozen=True)
class Measured:
    """One run: requests, requests per second, and milliseconds from request to whole answer."""

    requests: int
    rate: float
    p50: float
    p99: float


def is_installed() -> bool:
    return shutil.which("wrk") is not None


def wrk(url: str, tokens: Path, seconds: float, connections: int = CONNECTIONS) -> Measured:
    """`tokens` is a file with one token a line, sent in turn. Raises RuntimeError if a single answer was not 2xx."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds:.0f}s", "-s", str(SCRIPT), url, "--", str(tokens)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # found on PATH, as the user installed it
    found = json.loads(done.stdout.splitlines()[-1])
    if found["not_2xx"] or found["broken"] or not found["requests"]:
        raise RuntimeError(f"wrk met errors at {url}:\n{done.stdout}")
    return Measured(found["requests"], found["requests"] / found["us"] * 1e6, found["p50"] / 1e3, found["p99"] / 1e3)
