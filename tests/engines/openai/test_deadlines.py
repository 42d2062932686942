"""One timer for many requests: what is late ends with TimeoutError, and nothing else is touched."""

from __future__ import annotations

import asyncio

import pytest

from finbench.engines.openai.deadlines import Deadlines


async def _sleep(seconds: float) -> float:
    await asyncio.sleep(seconds)
    return seconds


def test_only_what_is_late_ends_and_the_rest_is_let_through() -> None:
    async def go() -> None:
        loop = asyncio.get_running_loop()
        deadlines = Deadlines(loop, timeout=0.2)
        now = loop.time()
        ends = await asyncio.gather(
            deadlines.keep(now + 0.2, _sleep(60)),
            deadlines.keep(now + 60, _sleep(0.3)),
            deadlines.keep(now + 0.2, _sleep(0)),
            return_exceptions=True,
        )
        assert isinstance(ends[0], TimeoutError) and ends[1:] == [0.3, 0]
        with pytest.raises(TimeoutError):  # the timer starts again after a time without requests
            await deadlines.keep(loop.time() + 0.05, _sleep(60))

    asyncio.run(asyncio.wait_for(go(), 30))


def test_a_task_that_was_late_once_can_be_late_again_and_can_end_well() -> None:
    async def go() -> None:
        loop = asyncio.get_running_loop()
        deadlines = Deadlines(loop, timeout=0.2)
        for _ in range(3):
            with pytest.raises(TimeoutError):
                await deadlines.keep(loop.time(), _sleep(60))
        assert await deadlines.keep(loop.time() + 60, _sleep(0)) == 0
        current = asyncio.current_task()
        assert current and current.cancelling() == 0

    asyncio.run(asyncio.wait_for(go(), 30))


def test_cancelling_from_outside_stays_a_cancellation() -> None:
    async def go() -> None:
        loop = asyncio.get_running_loop()
        deadlines = Deadlines(loop, timeout=0.2)
        for late in (60.0, 0.0):
            task = loop.create_task(deadlines.keep(loop.time() + late, _sleep(60)))
            await asyncio.sleep(0)
            if late == 0:
                deadlines._look()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(asyncio.wait_for(go(), 30))


def test_errors_of_the_work_pass_through() -> None:
    async def broken() -> None:
        raise ValueError("mine")

    async def go() -> None:
        loop = asyncio.get_running_loop()
        with pytest.raises(ValueError, match="mine"):
            await Deadlines(loop, 1).keep(loop.time() + 60, broken())

    asyncio.run(go())
