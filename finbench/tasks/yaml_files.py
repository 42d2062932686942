"""Task folders read as text: what they define, what Python they would run, and what is wrong with them.

Nothing of a folder is imported here. lm-eval skips a YAML that it cannot parse without a word, and runs the Python
beside it when the task is loaded; so finbench reads the files first, reports the broken ones with their line, and asks
for consent before foreign Python runs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from finbench.errors import FinbenchError, TaskError

MAX_BYTES = 2_000_000
MAX_ALIASES = 64  # a "billion laughs" file needs many; lm-eval's own tasks use fewer than ten
MAX_DEPTH = 40
MAX_VALUES = 100_000  # settings of one file; lm-eval's longest task has some hundred
DOORS = "finbench.lm_eval."  # functions that finbench itself brings: no consent needed


@contextmanager
def in_words(where: object) -> Iterator[None]:
    """Around what settings of a stranger reach: any failure becomes a TaskError that names the file or the task.

    lm-eval and finbench take settings for what they should be in a hundred places; that one of them is a list where a
    number belongs is found out there, and is the file's fault. `--debug` shows the traceback.
    """
    try:
        yield
    except FinbenchError:
        raise
    except Exception as err:
        raise TaskError(f"{where}: a setting cannot be used ({type(err).__name__}: {err})") from err


@dataclass(frozen=True, slots=True)
class FunctionUse:
    """A `!function` in a task file: its target, as written, and the line it stands on."""

    target: str
    line: int


@dataclass(frozen=True, slots=True)
class TaskFile:
    """One YAML of a task folder: a task, a group, or a part that others include."""

    path: Path
    name: str  # "" for a part
    kind: str  # task | group | part
    config: dict[str, Any] = field(compare=False)
    functions: tuple[FunctionUse, ...] = ()
    includes: tuple[Path, ...] = ()

    def foreign_functions(self) -> list[FunctionUse]:
        """The uses that would run Python which is not finbench's own."""
        return [use for use in self.functions if not use.target.startswith(DOORS)]

    def lines(self) -> dict[tuple[str, ...], int]:
        """The line of every key of the file, by its path of keys; list items count as "0", "1", ..."""
        return dict(_key_lines(self.path, self.path.stat().st_mtime_ns))


@lru_cache(maxsize=64)
def _key_lines(path: Path, _changed: int) -> tuple[tuple[tuple[str, ...], int], ...]:
    found: list[tuple[tuple[str, ...], int]] = []

    def visit(node: yaml.Node | None, above: tuple[str, ...]) -> None:
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                here = (*above, str(getattr(key, "value", "")))
                found.append((here, key.start_mark.line + 1))
                visit(value, here)
        elif isinstance(node, yaml.SequenceNode):
            for position, value in enumerate(node.value):
                here = (*above, str(position))
                found.append((here, value.start_mark.line + 1))
                visit(value, here)

    visit(yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader), ())  # composing builds no objects
    return tuple(found)


class YamlLoader(yaml.CSafeLoader if hasattr(yaml, "CSafeLoader") else yaml.SafeLoader):  # type: ignore[misc]
    """YAML without Python objects; `!function` is kept as text and counted."""


class _Function(str):
    """The target of a `!function` tag."""


def _keep_function(loader: Any, node: Any) -> _Function:
    return _Function(loader.construct_scalar(node))


YamlLoader.add_constructor("!function", _keep_function)


def read(path: Path, root: Path) -> TaskFile:
    """One task file; `includes` have to stay below `root`.

    Raises TaskError with file and line for anything that is not a plain, bounded YAML mapping.
    """
    if path.stat().st_size > MAX_BYTES:
        raise TaskError(f"{path}: larger than {MAX_BYTES:,} bytes; a task file holds settings, put rows beside it")
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as err:
        raise TaskError(f"{path}: not UTF-8 at byte {err.start}; save the file as UTF-8") from err
    try:
        functions = tuple(_functions(text, path))
        config = yaml.load(text, Loader=YamlLoader)  # noqa: S506 -- a SafeLoader with one text-only tag
    except yaml.YAMLError as err:
        mark = getattr(err, "problem_mark", None)
        where = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
        raise TaskError(f"{where}: {getattr(err, 'problem', None) or err}; mend the YAML there") from err
    except TaskError:
        raise
    except (
        Exception
    ) as err:  # PyYAML's constructors fail in many ways: `!!timestamp x`, `!!bool x`, `{[]: 1}`, 2024-99-99
        raise TaskError(f"{path}: cannot be read as YAML ({type(err).__name__}: {err}); mend it") from err
    if not isinstance(config, dict):
        raise TaskError(f"{path}: holds {type(config).__name__}, expected a mapping with `task:` or `group:`")
    includes = tuple(_includes(config, path, root))
    if "group" in config:
        return TaskFile(path, _name(config, "group", path), "group", config, functions, includes)
    if "task" in config:
        return TaskFile(path, _name(config, "task", path), "task", config, functions, includes)
    return TaskFile(path, "", "part", config, functions, includes)


def _name(config: dict[str, Any], key: str, path: Path) -> str:
    name = config[key]
    if not isinstance(name, str) or not name:
        raise TaskError(f"{path}: `{key}` is {name!r}, expected a name")
    return name


def _functions(text: str, path: Path) -> Iterator[FunctionUse]:
    """The `!function` uses of a text, while its aliases, its nesting and its size with all aliases written out are counted."""
    aliases = 0
    above: list[tuple[str | None, int]] = []  # anchor and size of the collections that are open
    sizes: dict[str | None, int] = {}  # anchor -> values below it
    for event in yaml.parse(text, Loader=YamlLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            above.append((event.anchor, 1))
            if len(above) > MAX_DEPTH:
                raise TaskError(f"{path}:{_line(event)}: nested deeper than {MAX_DEPTH} levels")
            continue
        if isinstance(event, yaml.AliasEvent):
            aliases += 1
            if aliases > MAX_ALIASES or any(event.anchor == anchor for anchor, _ in above):
                what = f"more than {MAX_ALIASES} aliases" if aliases > MAX_ALIASES else "an alias that holds itself"
                raise TaskError(f"{path}:{_line(event)}: {what}; write the values out")
            size = sizes.get(event.anchor, 1)
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, size = above.pop()
            sizes[anchor] = size
        elif isinstance(event, yaml.ScalarEvent):
            size = 1
            if event.tag == "!function":
                yield FunctionUse(event.value, _line(event))
        else:
            continue
        if size > MAX_VALUES:
            raise TaskError(f"{path}:{_line(event)}: over {MAX_VALUES:,} values, aliases written out")
        if above:
            above[-1] = (above[-1][0], above[-1][1] + size)


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


def _includes(config: dict[str, Any], path: Path, root: Path) -> Iterator[Path]:
    named = config.get("include", [])
    for item in named if isinstance(named, list) else [named]:
        if not isinstance(item, str):
            raise TaskError(f"{path}: `include` holds {item!r}, expected a file name")
        target = (path.parent / item).resolve()
        if not target.is_relative_to(root.resolve()):
            raise TaskError(f"{path}: `include: {item}` leaves the task folder {root}; copy the file into it")
        if not target.is_file():
            raise TaskError(f"{path}: `include: {item}` does not exist ({target})")
        yield target


@dataclass(frozen=True, slots=True)
class Folder:
    """All task files below one folder; `broken` maps the unreadable ones to what is wrong with them."""

    root: Path
    files: dict[str, TaskFile]  # by task or group name
    parts: dict[Path, TaskFile]  # by path: every readable file, included parts too
    broken: dict[Path, str]

    def chain(self, name: str) -> list[TaskFile]:
        """The file of `name` and all files that it includes, directly or not; a cycle raises TaskError."""
        chain: list[TaskFile] = []

        def visit(file: TaskFile, above: tuple[Path, ...]) -> None:
            if file.path in above:
                raise TaskError(f"{file.path}: includes itself through {above[-1]}; break the cycle")
            chain.append(file)
            for include in file.includes:
                if include not in self.parts:
                    reason = self.broken.get(include) or f"{include}: is not a readable task file"
                    raise TaskError(f"{reason} (included by {file.path})")
                visit(self.parts[include], (*above, file.path))

        visit(self.files[name], ())
        return chain

    def members(self, name: str) -> list[str]:
        """The names of the tasks below a group of this folder, or the task itself; foreign names are kept."""
        names: list[str] = []

        def visit(item: str, above: tuple[str, ...]) -> None:
            file = self.files.get(item)
            if file is None or file.kind == "task":
                names.append(item)
                return
            if item in above:
                raise TaskError(f"{file.path}: group {item!r} contains itself; break the cycle")
            visit_listed(file.config.get("task") or [], (*above, item))

        def visit_listed(listed: Any, above: tuple[str, ...]) -> None:
            for member in listed if isinstance(listed, list) else [listed]:
                inner = member.get("task") or member.get("group") if isinstance(member, dict) else member
                if isinstance(inner, str):
                    visit(inner, above)
                elif isinstance(inner, list):  # a group written inside the group
                    visit_listed(inner, above)

        visit(name, ())
        return names


def scan(root: Path) -> Folder:
    """Every *.yaml below `root`, read as text. A name that two files claim is reported as broken."""
    if not root.is_dir():
        raise TaskError(f"{root}: no such folder; --include takes a folder that holds task YAML files")
    folder = Folder(root, {}, {}, {})
    for path in sorted(root.resolve().glob("**/*.yaml")):
        if "__pycache__" in path.parts or ".ipynb_checkpoints" in path.parts:
            continue
        try:
            file = read(path, root)
        except TaskError as err:
            folder.broken[path] = str(err)
            continue
        folder.parts[path] = file
        if not file.name:
            continue
        if file.name in folder.files:
            other = folder.files[file.name].path
            folder.broken[path] = f"{path}: the name {file.name!r} is already taken by {other}; rename one"
        else:
            folder.files[file.name] = file
    return folder


def fingerprint(chain: Sequence[TaskFile]) -> str:
    """A hash over the text of the files and the Python beside them: it changes when prompts or scoring may change."""
    digest = hashlib.blake2b(digest_size=16)
    for path in sorted({file.path for file in chain} | set(python_files(chain))):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def python_files(chain: Sequence[TaskFile]) -> list[Path]:
    """The Python files that lie beside the given task files."""
    return sorted({python for file in chain for python in file.path.parent.glob("*.py")})
