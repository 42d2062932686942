"""Staying below a provider's requests and tokens per minute.

Requests are spaced evenly instead of sent in bursts, so that no minute, wherever it begins, holds more than the limit.
Tokens are estimated when a request is sent and corrected when the server says what it used.
"""

from __future__ import annotations

import asyncio

from finbench.errors import UsageError

FIRST_GUESS = 512  # output tokens of a reply before any has been seen


class Pace:
    """Hands out moments so that at most `per_minute` units pass in any minute.

    >>> pace = Pace(60)
    >>> [pace.reserve(1, now=0.0), pace.reserve(1, now=0.0), pace.reserve(1, now=10.0)]
    [0.0, 1.0, 0.0]
    """

    def __init__(self, per_minute: float) -> None:
        if per_minute <= 0:
            raise UsageError(f"a limit per minute must be positive, got {per_minute:g}; leave it out for no limit")
        self._step = 60.0 / per_minute
        self._free = 0.0  # when the next unit may pass

    def reserve(self, amount: float, now: float) -> float:
        """Seconds to wait before sending something of this size."""
        start = max(self._free, now)
        self._free = start + amount * self._step
        return start - now

    def correct(self, amount: float) -> None:
        """Charges (or, below zero, gives back) what an estimate missed."""
        self._free += amount * self._step


class Limits:
    """Requests and tokens per minute together; either may be None."""

    def __init__(self, rpm: float | None = None, tpm: float | None = None) -> None:
        self._requests = Pace(rpm) if rpm else None
        self._tokens = Pace(tpm) if tpm else None
        self._outputs = 0  # replies seen
        self._output_tokens = 0

    def estimate(self, prompt_bytes: int, max_tokens: int) -> float:
        """Tokens that a request will probably use: four bytes a token in, the mean of the replies so far out."""
        mean = self._output_tokens / self._outputs if self._outputs else FIRST_GUESS
        return prompt_bytes / 4 + min(max_tokens, mean)

    async def wait(self, tokens: float) -> None:
        """Returns when a request of so many estimated tokens may be sent."""
        now = asyncio.get_running_loop().time()
        wait = self._requests.reserve(1, now) if self._requests else 0.0
        if self._tokens:
            wait = max(wait, self._tokens.reserve(tokens, now))
        if wait > 0:
            await asyncio.sleep(wait)

    def used(self, estimate: float, prompt_tokens: int | None, output_tokens: int | None) -> None:
        """Tells what a request of that estimate really used."""
        if prompt_tokens is None or output_tokens is None:
            return
        self._outputs += 1
        self._output_tokens += output_tokens
        if self._tokens:
            self._tokens.correct(prompt_tokens + output_tokens - estimate)
