"""The console script: ends quietly at Ctrl-C, whenever it comes, and tells a defect without the texts that it may quote."""

from __future__ import annotations

import sys
import traceback

DEFECT = 70
"""EX_SOFTWARE of sysexits.h."""
INTERRUPTED = 130
"""128 + SIGINT, as shells count."""


def run() -> None:
    """Run `tokenward` and exit with its code."""
    try:
        from tokenward.cli.main import main

        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except Exception as exc:  # noqa: BLE001  # Python would end with 1, which is a definite answer here
        _tell_defect(exc)
        sys.exit(DEFECT)


def _tell_defect(exc: Exception) -> None:
    """Where it happened, and not the text of the exception, which may quote anything."""
    if sys.stderr is not None:
        traceback.print_tb(exc.__traceback__, file=sys.stderr)
        print(f"tokenward: a defect of tokenward ({type(exc).__name__}); please report it with the lines above", file=sys.stderr)


if __name__ == "__main__":
    run()
