"""From settings to a plan: tasks, profile, engine, run folder, and what is still to be asked. No model is touched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from finbench.engines.choose import EngineChoice, NoEngine, choose
from finbench.engines.vllm import read_ahead
from finbench.errors import UsageError
from finbench.records import Sampling, content_hash
from finbench.runs import profiles
from finbench.runs.store import held
from finbench.sanitize import redacted_setting, slug
from finbench.tasks.load import Selection, load, protocol_names
from finbench.tasks.task import Asking, Task

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
    prices: Path | None = None
    output: Path | None = None
    reports: Path = Path("reports")
    trust_task_code: bool = False
    trust_task_data: bool = False
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
    def sampled(self) -> tuple[str, ...]:
        """The tasks that run on sample rows."""
        every = tuple(task.name for task in self.tasks) + tuple(self.selection.groups)
        return every if self.settings.data == "sample" else self.selection.sampled

    @property
    def is_full(self) -> bool:
        """Are all rows of all tasks asked, and none of them a sample row? Only then there is an average."""
        return not self.sampled and self.settings.limit is None

    @property
    def opened(self) -> bool:
        """Does the model's chat template open the thinking?"""
        return self.profile.thinking is not None and self.profile.thinking.opened


def begin(settings: Settings) -> None:
    """Have the disk read the model's weights, where this machine holds them, while `plan` loads the tasks."""
    engine, _ = choose(settings.model, settings.engine, base_urls=settings.base_urls, options=settings.engine_options)
    if engine in read_ahead.LOCAL:
        read_ahead.read_ahead(settings.model, settings.revision)


def plan(settings: Settings, *, dry: bool = False) -> Plan:
    """Load tasks and profile, find the run folder, count what is there. No model is touched.

    A `dry` plan needs no engine on this machine: it stands for one with vLLM, and says what is missing here.
    """
    if settings.protocol not in PROTOCOLS:
        raise UsageError(f"--protocol {settings.protocol}: unknown; choose {' or '.join(PROTOCOLS)}")
    if settings.repeats < 1 or (settings.limit is not None and settings.limit < 1):
        raise UsageError("--repeats and --limit take numbers from 1 on")
    profile = profiles.find(settings.profile or settings.model, exact=settings.profile is not None)
    names = protocol_names(settings.tasks or (settings.protocol,), settings.protocol)
    selection = load(
        names,
        include=settings.include,
        data=settings.data,
        settings=settings.task_settings,
        trust=settings.trust_task_code,
        trust_data=settings.trust_task_data,
    )
    engine, why = _engine(settings, dry)
    asking = {task.name: _asking(task, settings, profile) for task in selection.tasks}
    identity = _identity(settings, profile, engine, selection, asking)
    folder = settings.output or settings.reports / slug(settings.model) / _run_name(settings, identity)
    sizes = {task.name: len(task) for task in selection.tasks}
    repeats = {task.name: task.repeats(settings.repeats) for task in selection.tasks}
    wanted = {name: min(size, settings.limit or size) * repeats[name] for name, size in sizes.items()}
    return Plan(settings, profile, engine, why, selection, asking, folder, sizes, wanted, held(folder), identity)


def _engine(settings: Settings, dry: bool) -> EngineChoice:
    try:
        return choose(settings.model, settings.engine, base_urls=settings.base_urls, options=settings.engine_options)
    except NoEngine as missing:
        if not dry:
            raise
        return EngineChoice("local_vllm", f"MISSING, {missing}")


def _asking(task: Task, settings: Settings, profile: profiles.Profile) -> Asking:
    """The paper's protocol is fixed by its tasks; otherwise the model profile decodes. Flags win over both."""
    fixed = settings.protocol == "paper"
    overrides = {**({} if fixed else profile.sampling), **settings.sampling}
    system = settings.system if settings.system is not None else ("" if fixed else profile.system)
    return Asking(settings.model, settings.revision, system, settings.chat, tuple(sorted(overrides.items())))


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
        "sampling": {name: _sampling(selection, name, how).stated() for name, how in asking.items()},
        "task_settings": redacted_setting("", settings.task_settings),  # another key is the same run
        "lm_eval": metadata.version("lm-eval"),
        **({"trusted_code": dict(selection.consent)} if selection.consent else {}),
    }


def _sampling(selection: Selection, name: str, asking: Asking) -> Sampling:
    task = next(task for task in selection.tasks if task.name == name)
    return task.sampling(asking.overrides)


def _data_name(data: str | None) -> str:
    """The data source in the identity: content is checked document by document, so a folder may move."""
    return "sample" if data == "sample" else "found"


def _run_name(settings: Settings, identity: Mapping[str, Any]) -> str:
    named = "-".join(settings.tasks) if settings.tasks else "all"
    return f"{settings.protocol}-{slug(named)[:40]}-{content_hash(identity)[:8]}"
