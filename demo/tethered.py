"""`python -m demo.tethered MODULE ARGUMENTS...`: `python -m MODULE ARGUMENTS...`, which ends when its parent does.

The parent holds the other end of this process's standard input. However the parent ends, SIGKILL included, the system closes
that end, and no server is left behind.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading
import time

GRACE = 3.0
"""Seconds to end in good order after the parent has gone."""


def _end_with_parent() -> None:
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE)
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_end_with_parent, daemon=True).start()
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
