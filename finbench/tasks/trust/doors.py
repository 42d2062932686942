"""The doors by which lm-eval takes in code, rows and templates while it builds a task, and who may pass.

consent.py reads the task files and asks; what lm-eval then builds is judged here once more, on the very values that it
hands to each door, so that nothing depends on our having merged a configuration as lm-eval does (0.4.13):

    _yaml_loader._import_func_in_yml   a `!function`: Python beside the YAML, or anywhere on the path
    api.task.get_metric                a metric that is none of lm-eval's: `evaluate.load` fetches and runs its code
    ConfigurableTask.download          `datasets.load_dataset`, or the task's own loader with what the YAML tells it
    api.task.get_prompt                a YAML of prompts, anywhere
    _factory.TaskFactory               which file, or which group above it, gives which setting
    ConfigurableTask.__init__          whose templates are rendered in this process (templates.py)

`class:` and filters take functions of the first door or names that lm-eval registered itself. Outside `guard` the doors
let everything through: lm-eval used by others in this process is theirs. tests/attacks/test_task_code.py fails when one of
these moves.
"""

from __future__ import annotations

import importlib
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from finbench.errors import TaskError
from finbench.tasks import templates
from finbench.tasks.trust import consent
from finbench.tasks.yaml_files import DOORS

METRIC_SETTINGS = frozenset({"metric_list", "process_results", "output_type"})
DATA_SETTINGS = frozenset({*consent.DATA_KEYS, "custom_dataset", "metadata"})


@dataclass(frozen=True, slots=True)
class Guard:
    """Who may pass. `roots` are the include folders; `readable` the task files in them that finbench has read."""

    shipped: Path
    roots: tuple[Path, ...] = ()
    readable: Collection[Path] = frozenset()
    code: bool = False  # Python of the include folders may run
    data: bool = False  # their tasks may read what lies elsewhere
    told: Mapping[str, Any] = field(default_factory=dict)  # the metadata that finbench gives to every task

    def is_ours(self, path: Path) -> bool:
        """Does a file come with finbench or lm-eval?"""
        import lm_eval

        return any(path.is_relative_to(root.resolve()) for root in (self.shipped, Path(lm_eval.__file__).parent))

    def root_of(self, path: Path) -> Path:
        """The include folder of a file; its own folder where there is none."""
        holding = [root.resolve() for root in self.roots if path.is_relative_to(root.resolve())]
        return max(holding, key=lambda root: len(root.parts), default=path.parent)


@dataclass(frozen=True, slots=True)
class GivenBy:
    """Where the settings of the task under construction come from: `file` is the stranger's, `keys` are what it gives."""

    file: Path | None = None  # None: all of it is ours
    keys: frozenset[str] | None = None  # None: everything
    source: Path | None = None  # the YAML that lm-eval takes the task from

    def gives(self, keys: Collection[str]) -> bool:
        """Does a stranger give one of these settings?"""
        return self.file is not None and (self.keys is None or not self.keys.isdisjoint(keys))


OURS = GivenBy()
_guarding: ContextVar[Guard | None] = ContextVar("guard", default=None)
_origin: ContextVar[GivenBy] = ContextVar("origin", default=OURS)


@contextmanager
def guard(present: Guard) -> Iterator[None]:
    """Let only what `present` allows pass into the tasks that lm-eval builds meanwhile."""
    _install()
    templates.install()
    token = _guarding.set(present)
    try:
        yield
    finally:
        _guarding.reset(token)


@contextmanager
def _from(origin: GivenBy) -> Iterator[GivenBy]:
    token = _origin.set(origin)
    try:
        yield origin
    finally:
        _origin.reset(token)


def _origin_of(here: Guard, path: Path | None, above: GivenBy, overrides: Mapping[str, Any] | None) -> GivenBy:
    """The origin of what is built from a file, below a group of `above`, with overrides from there."""
    file = path.resolve() if path is not None else None
    if file is not None and not here.is_ours(file):
        if file not in here.readable:
            raise TaskError(f"{file}: cannot be read as a task file; `finbench tasks list --include` says why")
        return GivenBy(file, None, file)
    if above.file is not None:
        return GivenBy(above.file, frozenset(overrides or ()) - {"task"}, file or above.file)
    return GivenBy(None, None, file)


def _install() -> None:
    """Put the doors in place of lm-eval's own; harmless when called again."""
    from lm_eval.api import task as api
    from lm_eval.tasks import _factory, _yaml_loader

    if getattr(_yaml_loader, "_finbench_doors", False):
        return
    _yaml_loader._finbench_doors = True  # type: ignore[attr-defined]
    _guard_yaml(_yaml_loader)
    _guard_factory(_factory.TaskFactory)
    _guard_task(api)


def _guard_yaml(module: Any) -> None:
    importing = module._import_func_in_yml

    def door_function(target: str, base: Path) -> Any:
        here = _guarding.get()
        if here is None:
            return importing(target, base)
        if target.startswith(DOORS):  # before lm-eval looks for a finbench/ beside the YAML
            return getattr(importlib.import_module(DOORS.rstrip(".")), target.removeprefix(DOORS))
        place = Path(base).resolve()
        trusted = here.code and any(place.is_relative_to(root.resolve()) for root in here.roots)
        if not trusted and not here.is_ours(place):
            raise TaskError(
                f"{base}: a task there runs `!function {target}`, Python that does not come with finbench; "
                "read it, then run again with --trust-task-code"
            )
        return importing(target, base)

    module._import_func_in_yml = door_function


def _guard_factory(factory: Any) -> None:
    """Follow which file gives which setting. A stranger's group makes all that it writes in its list the stranger's."""
    build, build_task = factory.build, factory._build_task

    def door_build(self: Any, entry: Any, *, overrides: Any = None, registry: Any) -> Any:
        here = _guarding.get()
        if here is None:
            return build(self, entry, overrides=overrides, registry=registry)
        made = _origin_of(here, entry.yaml_path, _origin.get(), overrides)
        with _from(GivenBy(made.file, None, made.source) if made.file else OURS):
            return build(self, entry, overrides=overrides, registry=registry)

    def door_build_task(self: Any, entry: Any, overrides: Any) -> Any:
        here = _guarding.get()
        if here is None:
            return build_task(self, entry, overrides)
        with _from(_origin_of(here, entry.yaml_path, _origin.get(), overrides)):
            return build_task(self, entry, overrides)

    factory.build, factory._build_task = door_build, door_build_task


def _guard_task(api: Any) -> None:
    metric, prompt = api.get_metric, api.get_prompt
    begin, download = api.ConfigurableTask.__init__, api.ConfigurableTask.download

    def door_begin(self: Any, *args: Any, config: Any = None, **kwargs: Any) -> None:
        here, origin = _guarding.get(), _origin.get()
        if isinstance(config, dict):
            config = _told(config, origin, here.told) if here else config
            templates.allow_in_process(value for key, value in config.items() if not origin.gives((key,)))
        begin(self, *args, config=config, **kwargs)

    def door_metric(name: Any, fetched: bool = False) -> Any:
        here, origin = _guarding.get(), _origin.get()
        if here and origin.gives(METRIC_SETTINGS) and not here.code and not consent.is_local_metric(name, fetched):
            raise TaskError(
                f"{origin.file}: metric {name!r} is none of lm-eval's: its code would be fetched and run; "
                "read it, then run again with --trust-task-code"
            )
        return metric(name, fetched)

    def door_prompt(named: Any, *rest: Any) -> Any:
        here, origin = _guarding.get(), _origin.get()
        if here and origin.gives(("use_prompt",)):
            _within(here, origin, None, None, named)
        return prompt(named, *rest)

    def door_download(self: Any, dataset_kwargs: Any = None, **kwargs: Any) -> None:
        here, origin = _guarding.get(), _origin.get()
        if here and origin.gives(DATA_SETTINGS):
            own = callable(self.config.custom_dataset)
            given = consent.reserved(dataset_kwargs) if own else dataset_kwargs
            _within(here, origin, None if own else self.config.dataset_path, given, None)
        download(self, dataset_kwargs, **kwargs)

    api.get_metric, api.get_prompt = door_metric, door_prompt
    api.ConfigurableTask.__init__, api.ConfigurableTask.download = door_begin, door_download


def _told(config: dict[str, Any], origin: GivenBy, told: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration with what only finbench may say in the metadata: where the rows are, which file the task is."""
    metadata = config.get("metadata")
    if not origin.gives(("metadata",)) or not isinstance(metadata, dict):
        return config
    kept = {key: value for key, value in metadata.items() if key not in consent.OURS_ALONE}
    return {**config, "metadata": {**kept, **told, "config_source": str(origin.source or "inline")}}


def _within(here: Guard, origin: GivenBy, path: Any, kwargs: Any, prompt: Any) -> None:
    """TaskError where rows or prompts of a stranger's task lie outside its folder, without consent."""
    assert origin.file is not None
    if here.data:
        return
    for _, text in consent.outside(path, kwargs, prompt, here.root_of(origin.file)):
        raise TaskError(f"{origin.file}: {text}; look at it, then run again with --trust-task-data")
