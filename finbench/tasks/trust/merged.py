"""The configurations that lm-eval is about to build for a name: includes, groups, overrides and inline members merged.

A task's own file is not what runs: a group may override any setting of a member, also of a task that comes with finbench,
or write a whole task in its list. What is judged before it runs (consent.py, authoring/lint.py) is what comes out here.
The rules are lm-eval 0.4.13's `_factory.py` and `_yaml_loader.py`; doors.py guards what it builds all the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from finbench.errors import TaskError
from finbench.tasks.yaml_files import Folder, TaskFile

Known = Mapping[str, Folder]  # task or group name -> the folder that has it
_MEMBER_KEYS = frozenset({"task", "group"})


@dataclass(frozen=True, slots=True)
class Setting:
    """A value of the merged configuration, the file that gives it, and the keys that lead to it there."""

    value: Any
    file: TaskFile
    keys: tuple[str, ...]


Settings = Mapping[str, Setting]


@dataclass(frozen=True, slots=True)
class Built:
    """One task as lm-eval would build it; an inline member of a group is called `group::task`."""

    name: str
    settings: Settings

    def value(self, key: str, default: Any = None) -> Any:
        return self.settings[key].value if key in self.settings else default


def effective(file: TaskFile, folder: Folder) -> dict[str, Setting]:
    """The settings of one file with its includes: later includes win, the file itself over all; a cycle is TaskError."""
    return _effective(file, folder, ())


def _effective(file: TaskFile, folder: Folder, above: tuple[TaskFile, ...]) -> dict[str, Setting]:
    if any(file.path == other.path for other in above):
        raise TaskError(f"{file.path}: includes itself through {above[-1].path}; break the cycle")
    merged: dict[str, Setting] = {}
    for include in file.includes:
        if include in folder.parts:
            merged.update(_effective(folder.parts[include], folder, (*above, file)))
    own = {str(key): Setting(value, file, (str(key),)) for key, value in file.config.items() if key != "include"}
    return merged | own


def built(name: str, known: Known) -> Iterator[Built]:
    """Every task that lm-eval would build for a name, in order; names that no folder has come with what a group gives."""
    yield from _build(name, {}, known, ())


def _build(name: str, overrides: Settings, known: Known, above: tuple[str, ...]) -> Iterator[Built]:
    if name not in known:
        yield Built(name, overrides)
        return
    if name in above:
        raise TaskError(f"{known[name].files[name].path}: group {name!r} contains itself; break the cycle")
    folder = known[name]
    file = folder.files[name]
    if file.kind == "group":
        yield from _members(name, effective(file, folder), overrides, known, (*above, name))
    else:
        yield Built(name, {**effective(file, folder), **overrides})


def _members(
    group: str, settings: Settings, overrides: Settings, known: Known, above: tuple[str, ...]
) -> Iterator[Built]:
    """The members of a group, each with the settings that the group and its callers give to all."""
    shared = {key: setting for key, setting in settings.items() if key not in _group_fields()} | dict(overrides)
    listed = settings.get("task")
    if listed is None or not isinstance(listed.value, list):
        return
    for position, member in enumerate(listed.value):
        if isinstance(member, str):
            yield from _build(member, shared, known, above)
        elif isinstance(member, dict):
            yield from _inline(group, member, (listed.file, (*listed.keys, str(position))), shared, known, above)


def _inline(
    group: str,
    member: Mapping[Any, Any],
    where: tuple[TaskFile, tuple[str, ...]],
    shared: Settings,
    known: Known,
    above: tuple[str, ...],
) -> Iterator[Built]:
    """A mapping in a group's list: a known task or group with overrides, or one that is written out there."""
    file, keys = where
    own = {str(key): Setting(value, file, (*keys, str(key))) for key, value in member.items()}
    name = str(member.get("group") or member.get("task"))
    given = {**shared, **{key: setting for key, setting in own.items() if key not in _MEMBER_KEYS}}
    if name in known:
        yield from _build(name, given, known, above)
    elif "group" in member:
        yield from _members(f"{group}::{name}", own, shared, known, above)
    else:
        yield Built(f"{group}::{name}", given)


def _group_fields() -> frozenset[str]:
    from dataclasses import fields

    from lm_eval.config.group import GroupConfig

    return frozenset(field.name for field in fields(GroupConfig))


def sources(name: str, known: Known) -> list[TaskFile]:
    """Every file that a name is built from: its own, those it includes, and the same of all members of a group."""
    found: dict[Any, TaskFile] = {}

    def visit(item: str) -> None:
        if item not in known or known[item].files[item].path in found:
            return
        folder = known[item]
        found.update({file.path: file for file in folder.chain(item)})
        for member in _named(folder.files[item].config.get("task")):
            visit(member)

    visit(name)
    return list(found.values())


def _named(listed: Any) -> Iterator[str]:
    """The names in a group's list, those inside inline groups too."""
    for member in listed if isinstance(listed, list) else [listed]:
        if isinstance(member, dict):
            yield str(member.get("group") or member.get("task"))
            yield from _named(member.get("task"))
        elif isinstance(member, str):
            yield member
