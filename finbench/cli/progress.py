"""What a terminal shows while a run asks: a line for each task, then all of them together; plain lines elsewhere."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from finbench.cli.console import console, grouped
from finbench.records import UNREADABLE_REASONS, Grade, Response
from finbench.sanitize import shown

if TYPE_CHECKING:
    from finbench.runs.plan import Plan

PLAIN_INTERVAL = 30.0  # seconds between progress lines where there is no terminal
LIVE_INTERVAL = 0.25
WAITING = 2.0  # seconds without a reply before a terminal says so
# Below this many replies a line counts instead of estimating: the normal interval is then wider than 22 points to a side,
# and its formula, which needs about ten right and ten wrong ones, says nothing (Brown, Cai and DasGupta 2001).
ESTIMATE_FROM = 20


class Progress:
    """Live lines on a terminal's standard error; one plain line every half minute elsewhere."""

    def __init__(self, plan: Plan, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._lines = {
            name: _Line(sum(plan.wanted[m] for m in members), sum(plan.held.get(m, 0) for m in members))
            for name, members in grouped(plan)
        }
        self._owner = {member: name for name, members in grouped(plan) for member in members}
        self._started = self._shown = time.monotonic()
        self._stage = ""
        self._state: Callable[[], str] = str  # what the engine says of itself while it is waited for
        self._over = threading.Event()
        self._tokens = 0
        live = sys.stderr.isatty() and os.environ.get("TERM") != "dumb" and not os.environ.get("CI")
        self._live: Any = None
        if live and not quiet:
            from rich.live import Live

            self._live = Live(console=console(sys.stderr), auto_refresh=False, transient=True)

    def __enter__(self) -> Progress:
        if self._live:
            self._live.start()
        if not self._quiet:
            threading.Thread(target=self._beat, name="finbench-heartbeat", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._live:
            self._live.stop()

    def stage(self, text: str) -> None:
        """A new part of the run."""
        self._stage = text
        if text != "asking":
            self._say(f"{text} ...")

    def watch(self, state: Callable[[], str]) -> None:
        """`state` tells in a line what the engine is at; it is asked from another thread while no reply comes."""
        self._state = state

    def _beat(self) -> None:
        """Signs of life while the run waits: how long, for what, and what the engine says of it."""
        since = self._shown
        while not self._over.wait(1.0 if self._live else PLAIN_INTERVAL):
            waited = time.monotonic() - self._shown
            if self._shown == since and waited >= (WAITING if self._live else PLAIN_INTERVAL):
                state = self._state()
                words = f"{self._stage or 'starting'}, {_duration(waited)} without a reply"
                self._say(f"{words}: {state}" if state else words)
            since = self._shown

    def reply(self, task: str, verdict: Grade | None, response: Response) -> None:
        """One more reply is graded and kept."""
        line = self._lines.setdefault(self._owner.get(task, task), _Line(0, 0))
        line.count(verdict, response)
        self._tokens += response.output_tokens or 0
        now = time.monotonic()
        if now - self._shown < (LIVE_INTERVAL if self._live else PLAIN_INTERVAL) and not line.finished():
            return
        self._shown = now
        self._draw(now - self._started)

    def _draw(self, seconds: float) -> None:
        started = {name: line for name, line in self._lines.items() if line.done}
        if self._live:
            from rich.text import Text

            texts = [line.text(name) for name, line in started.items()]
            self._live.update(Text("\n".join([*texts, self._pace(seconds)])), refresh=True)
        elif not self._quiet:
            fresh = {name: line for name, line in started.items() if not line.told}
            for name, line in fresh.items():
                print(line.text(name), file=sys.stderr)
                line.told = line.finished()
            if fresh and (pace := self._pace(seconds)):
                print(pace, file=sys.stderr)

    def _pace(self, seconds: float) -> str:
        """How long all tasks together still take at the pace so far, and the tokens of a second; empty when done."""
        left = sum(line.wanted - line.held - line.done for line in self._lines.values())
        done = sum(line.done for line in self._lines.values())
        if left <= 0 or not done or not seconds:
            return ""
        rate = f", {speed(self._tokens / seconds)}" if self._tokens else ""
        return f"{left:,} to go, about {_duration(left * seconds / done)}{rate}"

    def _say(self, text: str) -> None:
        if self._quiet:
            return
        if self._live:
            from rich.text import Text

            self._live.update(Text(shown(text)), refresh=True)
        else:
            print(shown(text), file=sys.stderr)


class _Line:
    """The counts of one task or group."""

    def __init__(self, wanted: int, held: int) -> None:
        self.wanted, self.held = wanted, held
        self.done = self.graded = self.right = self.unreadable = self.failed = self.retries = 0
        self.told = False  # its last line stands in the log of a run without a terminal

    def count(self, verdict: Grade | None, response: Response) -> None:
        self.done += 1
        self.retries += response.attempts - 1
        self.failed += response.finish == "error"
        if verdict:
            self.graded += 1
            self.right += verdict.correct
            self.unreadable += verdict.reason in UNREADABLE_REASONS and verdict.reason != "error"

    def finished(self) -> bool:
        return self.held + self.done == self.wanted

    def text(self, name: str) -> str:
        total = self.held + self.done
        share = 100 * total / self.wanted if self.wanted else 100.0
        counted = ((self.unreadable, "unreadable"), (self.failed, "failed"), (self.retries, "retries"))
        notes = [f"{count:,} {what}" for count, what in counted if count]
        return f"{shown(name):<24} {total:>7,}/{self.wanted:,} {share:5.1f}%  {self.score()}" + (
            f"  [{', '.join(notes)}]" if notes else ""
        )

    def score(self) -> str:
        """The share right with half of its interval, from ESTIMATE_FROM verdicts on; before, the count alone."""
        n = self.graded  # replies that are scored together have one verdict
        if n < ESTIMATE_FROM:
            return f"{self.right} of {n} right"
        share = self.right / n
        half = 196 * (max(share * (1 - share), 0.25 / n) / n) ** 0.5
        return f"right {100 * share:.1f} ±{half:.1f}"


def speed(tokens: float) -> str:
    """Tokens of a second in words.

    >>> speed(1.04), speed(0.96), speed(1234.5)
    ('1.0 tokens/s', '1.0 tokens/s', '1,234 tokens/s')
    """
    return f"{tokens:,.1f} tokens/s" if tokens < 10 else f"{tokens:,.0f} tokens/s"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(max(seconds, 0)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02}m" if hours else f"{minutes}m{rest:02}s"
