"""No connection at all. These are for a server as a whole: give them to `always`, or to `issuer.fail`."""

from __future__ import annotations

from tokenward.testing.faults.fault import Fault


def down() -> Fault:
    """Connections are refused, because nothing listens."""
    return Fault("down", door="down", fails="connect")


def black_hole() -> Fault:
    """Connections are neither accepted nor refused, as behind a firewall that drops packets."""
    return Fault("black hole", door="black hole", fails="timeout")
