"""`python -m fuzz`, from the root of the repository; `scripts/fuzz` makes the environment for it."""

import signal
import sys

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # while it imports, there is nothing to show
    from fuzz.command import main

    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.exit(main())
