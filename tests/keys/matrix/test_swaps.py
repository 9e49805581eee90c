"""Lookups while the set changes under them."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tokenward.keys.keyset import read_keyset
from tokenward.keys.loading import Loaded
from tokenward.testing import SigningKey

Rig = Any  # of this folder's conftest
OpenRig = Callable[..., Rig]
READERS = 32
LOOKUPS = 1_000_000
SWAPS = 1_000


@pytest.fixture
def hectic() -> Iterator[None]:
    """Threads that take turns a hundred times as often as usual."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(usual / 100)
    yield
    sys.setswitchinterval(usual)


def test_f52_every_lookup_during_a_thousand_changes_sees_one_whole_set(
    open_rig: OpenRig, hectic: None, ed25519: Callable[[], SigningKey]
) -> None:
    rig = open_rig()
    rig.warm()
    sets = [read_keyset({"keys": [ed25519().renamed(kid).jwk() for kid in ("a", "b")]}) for _ in range(2)]
    known = {id(keys) for each in sets for keys in each.keys.values()}
    wrong: list[object] = []
    swap(rig, sets[1])
    ready = threading.Barrier(READERS + 1)

    def read() -> None:
        ready.wait()
        for number in range(LOOKUPS // READERS):
            kid = "ab"[number % 2]
            keys = rig.source.in_hand(kid, rig.wall())
            if keys is None:  # this thread was paused for many seconds of that clock: then the source is asked, as by the walk
                keys = rig.source.decide(kid).keys
            if keys[0].kid != kid or id(keys) not in known:
                wrong.append(keys)

    readers = [threading.Thread(target=read) for _ in range(READERS)]
    for reader in readers:
        reader.start()
    ready.wait()
    for number in range(SWAPS):
        swap(rig, sets[number % 2])
    for reader in readers:
        reader.join(60)
    assert wrong == []


def swap(rig: Rig, keyset: Any) -> None:
    """One fetch, but for the network; a second passes, as between any two."""
    rig.mono.advance(1)
    lease = rig.source.force()
    assert lease is not None
    rig.source.finish(lease, Loaded(keyset, None, None))


def test_f52_a_lookup_of_a_known_kid_takes_no_lock(open_rig: OpenRig) -> None:
    rig = open_rig()
    rig.warm()
    with rig.source._lock:
        assert rig.source.in_hand(rig.kid, rig.wall())
