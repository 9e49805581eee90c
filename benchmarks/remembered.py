"""What 4,096 remembered tokens weigh, measured in a process of their own, by two scales.

Run as `python -m benchmarks.remembered tracemalloc|resident`, it prints one JSON object: the bytes that the memory took, by
Python's own allocator trace or by the process's resident set, and how many tokens were really remembered.
"""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

from benchmarks.checks import Check, codes_of, the_three
from benchmarks.report import Row
from benchmarks.run import Run
from benchmarks.subject import entra_policy, verdict, verifier
from benchmarks.tokens import entra_corpus, mint, rsa_signers, v2_user
from tokenward.memory import Remembered

NAME = "4,096 remembered tokens"
BUDGET_MB = 12.0
TOKENS = 4096
CHECKED = 256
"""As many as the correctness half remembers: signing 4,096 tokens takes seconds."""


def remembered_tokens(run: Run) -> list[Row]:
    made = verifier(entra_policy(), remember=TOKENS)
    run.check(codes_of(NAME, lambda token: verdict(made, token), the_three(entra_corpus())))
    count = TOKENS if run.timing else CHECKED
    weighed = {scale: _in_a_process(scale, count) for scale in ("tracemalloc", "resident")}
    run.check(
        Check(NAME, "tokenward", scale, f"{count} remembered", f"{found['count']} remembered") for scale, found in weighed.items()
    )
    if not run.timing:
        return []
    megabytes = {scale: found["bytes"] / 1e6 for scale, found in weighed.items()}
    note = f"tracemalloc {megabytes['tracemalloc']:.2f} MB, resident set {megabytes['resident']:.2f} MB; the larger counts"
    return [Row(NAME, max(megabytes.values()), BUDGET_MB, unit="MB", details=megabytes, note=note)]


def _in_a_process(scale: str, count: int) -> dict[str, int]:
    command = [sys.executable, "-m", "benchmarks.remembered", scale, str(count)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)  # our own module
    found: dict[str, int] = json.loads(done.stdout)
    return found


def _weigh(scale: str, count: int) -> dict[str, int]:
    """Signing and verifying leave their own marks on the heap, so both happen before the first weighing, too."""
    made, warm = verifier(entra_policy(), remember=count), verifier(entra_policy(), remember=0)
    for token in _fresh(count // 4):
        warm.verify(token)
    if scale == "tracemalloc":
        tracemalloc.start()
    before = _weight(scale)
    for token in _fresh(count):
        made.verify(token)
    del token
    return {"bytes": _weight(scale) - before, "count": sum(isinstance(found, Remembered) for found in gc.get_objects())}


def _fresh(count: int) -> Iterator[str]:
    """Tokens that nothing but the memory could keep alive."""
    now, signer = int(time.time()), rsa_signers()[0]
    return (mint(signer, v2_user(number, now)) for number in range(count))


def _weight(scale: str) -> int:
    gc.collect()
    if scale == "tracemalloc":
        return tracemalloc.get_traced_memory()[0]
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmRSS:")[1].split()[0]) * 1024


if __name__ == "__main__":
    print(json.dumps(_weigh(sys.argv[1], int(sys.argv[2]))))
