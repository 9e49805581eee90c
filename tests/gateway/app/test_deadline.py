"""The timer of a request: it ends what it stands around, and nothing else."""

from __future__ import annotations

import asyncio
import gc
import weakref

import pytest

from tokenward.databricks.gateway.deadline import Awaited, Deadline, Rounds


@pytest.mark.parametrize(
    ("limit", "late"), [("answer_by", Awaited.ANSWER), ("part_by", Awaited.PART), ("taken_by", Awaited.TAKING)]
)
def test_each_limit_ends_the_block_and_says_which_it_was(limit: str, late: Awaited) -> None:
    async def waits() -> Awaited | None:
        deadline = Deadline(Rounds())
        with pytest.raises(TimeoutError):
            await block(deadline)
        return deadline.late

    async def block(deadline: Deadline) -> None:
        async with deadline:
            setattr(deadline, limit, deadline.after(0.01))
            await asyncio.sleep(60)

    assert asyncio.run(waits()) is late


def test_a_limit_that_is_moved_on_ends_nothing() -> None:
    async def goes_on() -> Awaited | None:
        async with Deadline(Rounds()) as deadline:
            for _ in range(5):
                deadline.answer_by = deadline.after(0.25)
                await asyncio.sleep(0.1)
            return deadline.late

    assert asyncio.run(goes_on()) is None


def test_all_are_ended_at_once() -> None:
    async def all_end() -> list[Awaited | None]:
        rounds, deadlines = Rounds(), []

        async def block() -> None:
            deadlines.append(Deadline(rounds))
            with pytest.raises(TimeoutError):
                async with deadlines[-1]:
                    await asyncio.sleep(60)

        tasks = [asyncio.create_task(block()) for _ in range(3)]
        await asyncio.sleep(0.01)
        rounds.end_all(Awaited.STOP)
        await asyncio.gather(*tasks)
        return [deadline.late for deadline in deadlines]

    assert asyncio.run(all_end()) == [Awaited.STOP] * 3


def test_a_cancellation_by_somebody_else_comes_through() -> None:
    async def cancelled() -> bool:
        async def block() -> None:
            async with Deadline(Rounds()):
                await asyncio.sleep(60)

        task = asyncio.create_task(block())
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return task.cancelled()

    assert asyncio.run(cancelled())


def test_whoever_ends_its_own_block_is_not_cancelled_after_it() -> None:
    async def block() -> None:
        async with Deadline(Rounds()) as deadline:
            deadline.end(Awaited.NOTHING)
            raise ConnectionError

    async def ends_itself() -> str:
        with pytest.raises(ConnectionError):
            await block()
        await asyncio.sleep(0)
        return "still here"

    assert asyncio.run(ends_itself()) == "still here"


def test_a_block_that_is_over_can_no_longer_be_ended() -> None:
    async def over() -> Awaited | None:
        async with Deadline(Rounds()) as deadline:
            pass
        deadline.end(Awaited.NOTHING)
        await asyncio.sleep(0)
        return deadline.late

    assert asyncio.run(over()) is None


def test_no_loop_is_kept_alive() -> None:
    rounds = Rounds()
    loops = []

    async def block() -> None:
        loops.append(weakref.ref(asyncio.get_running_loop()))
        async with Deadline(rounds):
            await asyncio.sleep(0)

    for _ in range(3):
        asyncio.run(block())
    gc.collect()
    assert [loop() for loop in loops] == [None] * 3
