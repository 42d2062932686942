"""Which Python may run when lm-eval loads a task: finbench's own, lm-eval's own, and folders that the user trusts.

lm-eval resolves a `!function` beside the YAML first and then anywhere on the path, and it fetches the code of a metric
that it does not know. `guard` stands at the one place where it does so; `tests/test_security.py` fails when that moves.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from finbench.errors import TaskError
from finbench.records import content_hash
from finbench.tasks.yaml_files import DOORS, Folder, FunctionUse, TaskFile, python_files


@dataclass(frozen=True, slots=True)
class Foreign:
    """Something in a task file that would run Python which does not come with finbench."""

    kind: Literal["function", "class", "metric"]
    name: str
    line: int
    keys: tuple[str, ...] = ()  # where a metric stands in the file; its `line` is not looked up


def guard(trusted: Iterable[Path]) -> None:
    """From now on, let lm-eval run functions of these folders, of its own tasks, and finbench's doors; no others."""
    import lm_eval
    from lm_eval.tasks import _yaml_loader

    original = getattr(_yaml_loader, "_finbench_original", _yaml_loader._import_func_in_yml)
    _yaml_loader._finbench_original = original
    roots = [Path(lm_eval.__file__).parent.resolve(), *(folder.resolve() for folder in trusted)]

    def guarded(target: str, base: Path) -> Any:
        if target.startswith(DOORS):  # before lm-eval looks for a finbench/ beside the YAML
            return getattr(importlib.import_module(DOORS.rstrip(".")), target.removeprefix(DOORS))
        if any(Path(base).resolve().is_relative_to(root) for root in roots):
            return original(target, base)
        raise TaskError(
            f"{base}: a task there runs `!function {target}`, Python that does not come with finbench; "
            "read it, then run again with --trust-task-code"
        )

    _yaml_loader._import_func_in_yml = guarded


def check(leaves: Sequence[str], known: Mapping[str, Folder], shipped: Path, *, trust: bool) -> dict[str, str]:
    """The foreign Python that loading these tasks would run, file -> hash; TaskError with file and line without `trust`."""
    running: dict[str, str] = {}
    for leaf in leaves:
        if leaf not in known or known[leaf].root == shipped:
            continue
        chain = known[leaf].chain(leaf)
        uses = [(file, use) for file in chain for use in uses_of(file)]
        if uses and not trust:
            listed = "\n".join(f"  {file.path}:{use.line}: {use.target}" for file, use in uses)
            raise TaskError(
                f"task {leaf!r} runs Python that does not come with finbench:\n{listed}\n"
                "Read these files, then run again with --trust-task-code."
            )
        if uses:
            running.update({str(path): content_hash(path.read_text("utf-8")) for path in python_files(chain)})
    return running


def uses_of(file: TaskFile) -> list[FunctionUse]:
    """What of a task file would run foreign Python, in words. The file is judged by itself: what others of the task say
    about its scoring does not excuse a metric in it."""
    words = {"function": "!function {}", "class": "class: {}", "metric": "metric {} (its code would be fetched)"}
    found = foreign(file, scored="process_results" in file.config)
    return [FunctionUse(words[use.kind].format(use.name), use.line) for use in found]


def foreign(file: TaskFile, *, scored: bool) -> Iterator[Foreign]:
    """Every `!function`, `class:` and metric of a file that would run Python which does not come with finbench.

    `scored`: the task names its own scoring (`process_results`), so the names of its metrics are only labels.
    """
    for use in file.foreign_functions():
        yield Foreign("function", use.target, use.line)
    if "class" in file.config:
        yield Foreign("class", str(file.config["class"]), 1)
    metrics = file.config.get("metric_list")
    for position, metric in enumerate(metrics if isinstance(metrics, list) and not scored else []):
        if isinstance(metric, Mapping) and not is_local_metric(metric):
            yield Foreign("metric", repr(metric.get("metric")), 1, ("metric_list", str(position)))


def is_local_metric(metric: Mapping[str, Any]) -> bool:
    """Does lm-eval itself have this metric?"""
    from lm_eval.api import metrics as _registers  # noqa: F401 -- fills the registry
    from lm_eval.api.registry import METRIC_REGISTRY

    named = metric.get("metric")
    if not isinstance(named, str) or type(named) is not str:
        return True  # a `!function`, which is counted as one
    return not metric.get("hf_evaluate") and named in METRIC_REGISTRY
