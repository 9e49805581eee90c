"""What random traces have found, each told once more without luck."""

from __future__ import annotations

import pytest

from tokenward.keys.keyset import read_keyset
from tokenward.keys.loading import Loaded

from .explorer import Rules
from .traffic import Traffic
from .world import Kind, World


@pytest.mark.parametrize("kind", ["threads", "asyncio", "trio"])
def test_i3_a_fetch_whose_time_ran_out_before_it_began_is_not_made(monkeypatch: pytest.MonkeyPatch, kind: Kind) -> None:
    """A process that was suspended would make it beside the next one."""
    traffic = Traffic(kind, Rules(), monkeypatch, 0)
    world, document = traffic.world, traffic.issuer.document()

    async def suspended(_world: World) -> None:
        lease = world.source.tick()
        assert lease is not None
        world.source.finish(lease, Loaded(read_keyset(document), None, None))
        traffic.ask_junk()  # its fetch begins `min_gap` after the last one
        await world.settle()
        world.stage.pass_time(world.source.rhythm.lease + 5)
        await world.settle()

    world.run(suspended)
    assert world.flights == []
    assert world.source.status().counts.leases_expired == 1
