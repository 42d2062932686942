"""Which settings of two runs differ, so that a difference of scores is not read as one of models alone."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from finbench.errors import run_files
from finbench.sanitize import shown

# Said elsewhere (model, protocol), or of the rows and not of how they were asked: what does not align is counted.
LEFT_OUT = ("model", "protocol", "data", "sampled")
ABSENT = "not set"


def differing(first: Path, second: Path) -> tuple[tuple[str, str, str], ...]:
    """(setting, its value in the first run, in the second) for each that differs, by name; tasks that agree are one.

    Raises StoreError for a run.json that cannot be read.
    """
    one, two = _settings(first), _settings(second)
    return tuple(
        (shown(name), shown(one.get(name, ABSENT)), shown(two.get(name, ABSENT)))
        for name in sorted({*one, *two})
        if one.get(name, ABSENT) != two.get(name, ABSENT)
    )


def _settings(folder: Path) -> dict[str, str]:
    """The settings of a run as its manifest has them, with the version of finbench beside them."""
    with run_files(folder / "run.json"):
        manifest = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        versions = manifest.get("versions") or {}
        return dict(_flat({**(manifest.get("settings") or {}), "finbench": versions.get("finbench", ABSENT)}))


def _flat(settings: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Names and values as text; what every task has alike stands under one name ("sampling.temperature")."""
    for name, value in settings.items():
        if name in LEFT_OUT:
            continue
        if name in ("sampling", "tasks") and isinstance(value, Mapping):
            yield from _by_task(name, value)
        else:
            yield name, _text(value)


def _by_task(name: str, tasks: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What the tasks say of one setting: one value where they agree, else one for each task."""
    fields = sorted({field for one in tasks.values() for field in one})
    for field in fields:
        values = {task: _text(one.get(field)) for task, one in tasks.items()}
        if name == "sampling" and len(set(values.values())) == 1:
            yield f"sampling.{field}", next(iter(values.values()))
        else:
            yield from ((f"{name}.{task}.{field}", value) for task, value in values.items())


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
    return (text or "none")[:200]
