"""Grading in a process of its own, so that the one that talks to the engine keeps talking.

Grading costs a fifth of a millisecond a reply and more, nearly as much as asking for it. The process beside reads documents and
replies as lines of JSON, answers with one verdict a line in the same order, and ends when its input ends, however the run
dies. Should it die first, what it owes is graded here, and everything after it too.
"""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Generic, TypeVar

from finbench.records import Document, Grade, Response
from finbench.runs import scoring
from finbench.runs.store import Store, Stored
from finbench.serialize import grade_from, grade_json, packed, response_from, response_json, value_from
from finbench.tasks.documents import document_from_row

MANY = 1_000  # samples from which a process of its own repays its start
MOST = 16  # processes: more than one that reads and writes the store can feed
WINDOW = 512  # replies of a run that may wait for their verdict, in memory
SHARE = 64  # the same for each process of a crew
CHUNK = 1 << 16  # bytes, what a pipe holds
NICE = 10  # what asks, and what answers where that is this machine, go first: a late verdict holds nothing up

Key = TypeVar("Key")


class Grader(Generic[Key]):
    """`scoring.grade` beside this process: `submit` replies, `graded` yields what has come back, `rest` what is left.

    `opened` is scoring.grade's. For documents whose rows were written for finbench; the scoring that a task
    brings along needs the task and stays where the task is.
    """

    def __init__(self, opened: bool, window: int = WINDOW) -> None:
        self._opened, self._window = opened, window
        self._owed: deque[tuple[Key, Document, Sequence[Response]]] = deque()
        self._out = bytearray()
        self._in = b""
        self._process = _start(opened)
        self._alive, self._ready = True, False
        assert self._process.stdin and self._process.stdout
        self._to, self._from = self._process.stdin.fileno(), self._process.stdout.fileno()
        os.set_blocking(self._to, False)
        os.set_blocking(self._from, False)
        self._poll = select.poll()

    def ready(self) -> bool:
        """Has the process finished its imports (a third of a second)? What is submitted before waits for that."""
        if self._alive and not self._ready:
            self._exchange(wait=False)
        return self._ready

    def submit(self, key: Key, document: Document, row: str, responses: Sequence[Response]) -> None:
        """Hand over the replies to a document with its row as JSON; waits while more than `window` verdicts are owed."""
        self._owed.append((key, document, responses))
        said = "\t".join(map(response_json, responses))  # JSON texts: no tab, no line break
        self._out += f"{packed(document.task)}\t{row}\t{said}\n".encode()
        self._exchange(wait=False)
        while self._alive and len(self._owed) - self._in.count(b"\n") > self._window:
            self._exchange(wait=True)

    def graded(self) -> Iterator[tuple[Key, Sequence[Response], Grade]]:
        """Key, replies and verdict of what has come back, in the order of `submit`."""
        *lines, self._in = self._in.split(b"\n")
        for line in lines:
            key, _, responses = self._owed.popleft()
            yield key, responses, grade_from(line)
        while self._owed and not self._alive:
            key, document, responses = self._owed.popleft()
            yield key, responses, scoring.grade(document, responses, opened=self._opened)

    def rest(self) -> Iterator[tuple[Key, Sequence[Response], Grade]]:
        """What is still owed, once it has come."""
        while self._owed:
            if self._alive and b"\n" not in self._in:
                self._exchange(wait=True)
            yield from self.graded()

    def close(self) -> None:
        """End the process; harmless when called again."""
        self._alive = False
        self._process.terminate()
        self._process.communicate()

    def _exchange(self, *, wait: bool) -> None:
        """Move what the pipes take and give; with `wait`, not before one of them does."""
        if wait:
            self._poll.register(self._from, select.POLLIN)
            self._poll.register(self._to, select.POLLOUT if self._out else 0)
            self._poll.poll()
        try:
            if self._out:
                with contextlib.suppress(BlockingIOError):
                    del self._out[: os.write(self._to, self._out[:CHUNK])]
            with contextlib.suppress(BlockingIOError):
                said = os.read(self._from, CHUNK)
                self._alive = self._alive and bool(said)
                self._in += said if self._ready else said[1:]  # the first byte says that it is there
                self._ready = self._ready or bool(said)
        except BrokenPipeError:
            self._alive = False


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def regrade(store: Store, task: str, *, opened: bool = False) -> int:
    """Grade every stored reply of a task again, many on all cores; the number of verdicts that changed.

    A verdict has changed when right or wrong, its reason or the extracted answer has; what else it says (its certainty,
    which verdicts of earlier versions lack) is written anew either way. Tasks that lm-eval's own code scored keep
    their verdicts. `opened` as in score.grade.
    """
    changed = 0

    def keep(stored: Stored, verdict: Grade) -> None:
        nonlocal changed
        before = stored.grade
        changed += before is None or _said(before) != _said(verdict)
        store.set_grade(task, stored.position, stored.repeat, verdict)

    crew: list[Grader[Stored]] = []
    if cores() > 1 and store.count().get(task, 0) >= MANY:
        crew = [Grader(opened, SHARE) for _ in range(min(MOST, cores()))]
    try:
        for number, stored in enumerate(store.scan(task)):
            document = scoring.stored_document(task, stored)
            if not stored.responses or document.answer.kind == "lm_eval":
                continue
            if not crew:
                keep(stored, scoring.grade(document, stored.responses, opened=opened))
                continue
            grader = crew[number % len(crew)]
            grader.submit(stored, document, stored.row, stored.responses)
            for earlier, _, verdict in grader.graded():
                keep(earlier, verdict)
        for grader in crew:
            for earlier, _, verdict in grader.rest():
                keep(earlier, verdict)
    finally:
        for grader in crew:
            grader.close()
    store.flush()
    return changed


def _said(verdict: Grade) -> tuple[bool, str, str | None]:
    """What a verdict says of a reply."""
    return verdict.correct, verdict.reason, verdict.extracted


def _start(opened: bool) -> subprocess.Popen[bytes]:
    root = str(Path(__file__).parents[2])
    known = os.environ.get("PYTHONPATH")
    return subprocess.Popen(
        [sys.executable, "-P", "-m", __name__, *(["opened"] if opened else [])],  # -P: nothing from the current folder
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{known}" if known else root},
        start_new_session=True,  # Ctrl-C is for the run, which still wants the verdicts
    )


def serve(lines: BinaryIO, out: BinaryIO, *, opened: bool) -> None:
    """Say that the process is there, with one byte; then grade line by line until the input ends."""
    out.write(b"\n")
    out.flush()
    os.nice(NICE)
    for line in lines:
        if not line.endswith(b"\n"):  # the run was killed while it wrote this
            return
        task, row, *replies = line.decode().split("\t")
        document = document_from_row(value_from(row), value_from(task))
        verdict = scoring.grade(document, list(map(response_from, replies)), opened=opened)
        out.write(grade_json(verdict).encode() + b"\n")
        out.flush()


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):
        serve(sys.stdin.buffer, sys.stdout.buffer, opened="opened" in sys.argv[1:])
