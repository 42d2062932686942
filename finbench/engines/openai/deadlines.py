"""Time limits of many requests on one timer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

Result = TypeVar("Result")


class Deadlines:
    """`asyncio.timeout_at` for requests that come by the thousand a second.

    That sets a timer for each, a seventh of all that a request costs; here one timer looks at all of them, every
    twentieth of `timeout` (seconds) and at least every second, so a limit holds with that much delay.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, timeout: float) -> None:
        self._loop, self._every = loop, min(1.0, timeout / 20)
        self._due: dict[asyncio.Task[object], float] = {}
        self._late: set[asyncio.Task[object]] = set()
        self._timer: asyncio.TimerHandle | None = None

    async def keep(self, when: float, work: Awaitable[Result]) -> Result:
        """What `work` gives; TimeoutError when it has not by `when`, in the loop's time."""
        task = asyncio.current_task()
        assert task is not None
        self._due[task] = when
        self._timer = self._timer or self._loop.call_later(self._every, self._look)
        try:
            return await work
        except asyncio.CancelledError:
            if task in self._late and task.uncancel() == 0:  # nobody else wants it cancelled
                raise TimeoutError from None
            raise
        finally:
            del self._due[task]
            self._late.discard(task)

    def _look(self) -> None:
        now = self._loop.time()
        for task in [task for task, when in self._due.items() if when <= now and task not in self._late]:
            self._late.add(task)
            task.cancel()
        self._timer = self._loop.call_later(self._every, self._look) if self._due else None
