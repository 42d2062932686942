"""The conductor: requests -> engine -> store -> grade -> result files, in that order."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from finbench.engines.choose import choose, create
from finbench.errors import EngineError
from finbench.records import Grade, Request, Response
from finbench.runs import files, judge, manifest, scoring
from finbench.runs.grading_process import MANY, Grader, cores
from finbench.runs.pending import Choice, Feed, Underway
from finbench.runs.plan import Plan, Settings, begin, plan
from finbench.runs.store import Store, wall_clock
from finbench.tasks import load
from finbench.tasks.task import Task

MAX_COUNTED = 50_000  # requests whose lengths are checked before the run; takes about a millisecond each

__all__ = ["Outcome", "Plan", "Settings", "begin", "execute", "plan"]


class Listener(Protocol):
    """What a run reports on its way; `cli.progress.Progress` is the one that people see."""

    def stage(self, text: str) -> None: ...

    def reply(self, task: str, verdict: Grade | None, response: Response) -> None: ...


class Silent:
    """A listener that says nothing."""

    def stage(self, text: str) -> None:
        """Ignored."""

    def reply(self, task: str, verdict: Grade | None, response: Response) -> None:
        """Ignored."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A finished or interrupted run."""

    folder: Path
    document: dict[str, Any]  # the `--json` document
    status: str  # complete | partial | interrupted
    signal: int | None = None  # the signal that interrupted it
    seconds: float = 0.0


def execute(planned: Plan, listener: Listener | None = None) -> Outcome:
    """Ask what is missing, grade each reply as it comes, write the result files.

    Raises StoreError and EngineError; all replies until then are kept. A first Ctrl-C or SIGTERM lets the replies
    under way come in and ends the run as "interrupted"; a second one stops at once.
    """
    listener = listener or Silent()
    started = time.monotonic()
    with Store(planned.folder, planned.identity) as store:
        store.set_meta("created", store.meta("created") or wall_clock())
        settings = planned.settings
        feed = Feed(planned.tasks, store, planned.asking, Choice(settings.limit, settings.seed, settings.repeats))
        described: dict[str, Any] = store.meta("engine") or {}
        with _interruptible(feed) as interrupted:
            asked = _ask(planned, feed, store, listener)
            described = asked or described
            store.set_meta("engine", described)
            if settings.judge and not interrupted:
                _judge(planned, store, listener, interrupted)
        store.flush()
        if not (asked or settings.judge or interrupted) and (document := manifest.finished(planned)):
            return Outcome(planned.folder, document, "complete", None, round(time.monotonic() - started, 2))
        listener.stage("summary")
        return _finish(planned, store, feed, described, started, interrupted)


def _ask(planned: Plan, feed: Feed, store: Store, listener: Listener) -> dict[str, Any]:
    """Send everything that is missing through the engine; what the engine says of itself, {} when it was not needed."""
    if not feed.begin():
        return {}
    settings = planned.settings
    listener.stage(f"engine {planned.engine}")
    with (
        closing(_Desk(planned, feed, store, listener)) as desk,
        closing(
            create(
                planned.engine,
                settings.model,
                engine=settings.engine,
                base_urls=settings.base_urls,
                common={
                    "max_concurrency": settings.max_concurrency,
                    "revision": settings.revision,
                    "chat": settings.chat,
                    "seed": settings.seed,
                },
                options=settings.engine_options,
            )
        ) as engine,
    ):
        if hasattr(engine, "prepare"):
            engine.prepare({task.name: _documents(task, settings) for task in planned.tasks})
        if hasattr(engine, "check_lengths"):
            _check_lengths(planned, engine.check_lengths, listener)
        if hasattr(engine, "resume"):
            engine.resume(store.meta("engine") or {})
        _tell(engine, listener)
        listener.stage("asking")
        told = False
        for response in engine.stream(feed):
            desk.take(response)
            if not told:  # a run that is killed later on still knows whom it asked
                store.set_meta("engine", dict(engine.describe()))
                told = True
        return dict(engine.describe())


def _tell(engine: Any, listener: Listener) -> None:
    """What an engine has to say before it is asked, and its state from now on, for listeners that show one."""
    for note in engine.notes() if hasattr(engine, "notes") else ():
        listener.stage(note)
    if hasattr(engine, "state") and hasattr(listener, "watch"):
        listener.watch(engine.state)


def _check_lengths(planned: Plan, check: Callable[[Iterator[Request]], Iterator[Any]], listener: Listener) -> None:
    """Say before the run which prompts do not fit the context; with `--long-prompts error` that is the end of it.

    Very large runs are not counted ahead: there each prompt that does not fit is a failed sample, and listed.
    """
    if sum(planned.wanted.values()) > MAX_COUNTED:
        return
    settings = planned.settings
    names: dict[str, str] = {}

    def requests() -> Iterator[Request]:
        for task in planned.tasks:
            for _, document in task.documents(settings.limit, settings.seed):
                for request in task.requests(document, "", planned.asking[task.name]):
                    names[request.id] = f"{task.name} {document.id}"
                    yield request
                    del names[request.id]

    found = [(names[long.request_id], long.tokens, long.limit) for long in check(requests())]
    if not found:
        return
    policy = settings.engine_options.get("long_prompts", "error")
    listed = "\n".join(f"  {name}: {tokens:,} tokens, {limit:,} fit" for name, tokens, limit in found[:10])
    text = f"{len(found):,} prompts are too long for the context:\n{listed}" + ("\n  ..." if len(found) > 10 else "")
    if policy == "error":
        raise EngineError(f"{text}\nGive a larger --max-model-len, or --long-prompts skip or truncate-left.")
    listener.stage(f"{text}\n{policy}")


def _documents(task: Task, settings: Settings) -> Callable[[], Iterator[Any]]:
    return lambda: (document for _, document in task.documents(settings.limit, settings.seed))


class _Desk:
    """Where replies come in: each is graded, kept and reported, and what waited for it is released."""

    def __init__(self, planned: Plan, feed: Feed, store: Store, listener: Listener) -> None:
        self._feed, self._store, self._listener = feed, store, listener
        self._opened = planned.opened
        left = sum(planned.wanted.values()) - sum(planned.held.values())
        many = left >= MANY and cores() > 1
        self._grader: Grader[Underway] | None = Grader(planned.opened) if many else None

    def take(self, response: Response) -> None:
        """Grade and keep one reply, here or beside; EngineError for a reply to nothing that was asked."""
        found = self._feed.take(response)
        if found is None:
            raise EngineError(f"the engine replied to {response.request_id!r}, which was not asked or already answered")
        together = self._feed.complete(found, response)
        document = found.request.document
        alone = found.request.kind == "generate" and document.answer.kind != "lm_eval" and not found.task.own_history
        if together and alone and self._grader and self._grader.ready():
            self._store.hold(found.position, found.request, response)
            self._grader.submit(found, document, found.row, together)
            for earlier, said, graded in self._grader.graded():
                self._keep(earlier, said[-1], graded)
            return
        verdict = scoring.grade(document, together, found.task, opened=self._opened) if together else None
        self._keep(found, response, verdict)

    def close(self) -> None:
        """Keep what is still being graded."""
        if self._grader is None:
            return
        try:
            for earlier, said, graded in self._grader.rest():
                self._keep(earlier, said[-1], graded)
        finally:
            self._grader.close()

    def _keep(self, found: Underway, response: Response, verdict: Grade | None) -> None:
        request = found.request
        alone = found.together == 1
        self._store.append(found.position, request, response, verdict if alone else None)
        if verdict and not alone:
            self._store.set_grade(request.document.task, found.position, found.first, verdict)
        if verdict or request.kind == "generate":
            self._listener.reply(request.document.task, verdict, response)
        if verdict and found.task.own_history:
            self._feed.release(found.task, request.document, verdict.extracted)


def _judge(planned: Plan, store: Store, listener: Listener, interrupted: list[int]) -> None:
    """Ask the judge about every stored reply that it has not judged yet."""
    settings = planned.settings
    assert settings.judge is not None
    name, _ = choose(settings.judge, base_urls=settings.judge_base_urls)
    listener.stage(f"judge {settings.judge}")
    open_questions = judge.Questions(store, [task.name for task in planned.tasks], settings.judge)
    first = next(open_questions, None)
    if first is None:
        return
    common = {"max_concurrency": settings.max_concurrency}
    with closing(create(name, settings.judge, base_urls=settings.judge_base_urls, common=common)) as engine:
        _tell(engine, listener)
        for response in engine.stream(_judging(first, open_questions, interrupted)):
            verdict = open_questions.keep(response)
            listener.reply("judge", None, replace(response, text=verdict))


def _judging(first: Any, questions: Iterator[Any], interrupted: list[int]) -> Iterator[Any]:
    yield first
    for question in questions:
        if interrupted:
            return
        yield question


@contextmanager
def _interruptible(feed: Feed) -> Iterator[list[int]]:
    """Ctrl-C and SIGTERM stop the feed first and the process second; outside the main thread nothing is changed."""
    received: list[int] = []

    def handle(number: int, _: object) -> None:
        if received:
            raise KeyboardInterrupt
        received.append(number)
        feed.stop()
        print("\nstopping: waiting for the replies under way; once more to stop at once", file=sys.stderr)

    watched = [signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
    try:
        before = {number: signal.signal(number, handle) for number in watched}
    except ValueError:  # not the main thread
        yield received
        return
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _finish(
    planned: Plan, store: Store, feed: Feed, engine: Mapping[str, Any], started: float, interrupted: Sequence[int]
) -> Outcome:
    """Summarize what the store holds and write the files of the run."""
    settings = planned.settings
    infos = [manifest.task_info(task) for task in planned.tasks]
    loaded = {task.name: task for task in planned.tasks}
    suite = load.suite(settings.protocol) if planned.is_full else ()
    summary = files.summarize(
        store,
        planned.folder,
        infos,
        planned.selection.groups,
        suite,
        loaded,
        planned.selection.rules,
        opened=planned.opened,
    )
    status = "interrupted" if interrupted else manifest.status(summary)
    seconds = round(time.monotonic() - started, 2)
    document = manifest.document(
        planned.folder, settings.model, settings.protocol, summary, planned.sampled, engine.get("notes") or ()
    )
    facts = {
        "created": store.meta("created"),
        "finished": wall_clock(),
        "status": status,
        "suite": list(suite),
        "counted": manifest.counted(summary),
        "data_hashes": feed.data_hashes,
        "ids": {task.name: store.ids(task.name) for task in planned.tasks if task.metadata.get("drawn")},
        "timings": {"seconds": seconds, "kept": feed.kept},
        "tokens": manifest.token_totals(summary),
        "cost": manifest.cost(settings, manifest.token_totals(summary)),
    }
    manifest.write(planned.folder, manifest.of_run(planned, engine, facts), document, infos, planned.sizes)
    return Outcome(planned.folder, document, status, interrupted[0] if interrupted else None, seconds)
