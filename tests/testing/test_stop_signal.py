"""A stand-in ends when it is told, at whatever moment that is."""

from __future__ import annotations

import subprocess
import sys

import pytest

BEFORE = """
import os, signal
from tokenward.testing.stop_signal import StopSignal
stop = StopSignal()
os.kill(os.getpid(), signal.{name})
stop.wait()
"""
MEANWHILE = """
import os, signal, sys, threading
from tokenward.testing.stop_signal import StopSignal
stop = StopSignal()
tell = lambda *_: os.kill(os.getpid(), signal.{name})
threading.Timer(0.2, tell).start()
sys.setprofile(lambda frame, event, _: tell() if event == "call" and frame.f_code is threading.Condition.wait.__code__ else None)
stop.wait()
"""
"""A signal at the moment at which threading.Condition.wait is entered, and holds the lock that Event.set would take."""


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
@pytest.mark.parametrize("program", [BEFORE, MEANWHILE], ids=["before it waits", "while it waits"])
def test_a_signal_ends_the_waiting_whenever_it_comes(name: str, program: str) -> None:
    done = subprocess.run([sys.executable, "-W", "error", "-c", program.format(name=name)], timeout=30, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
