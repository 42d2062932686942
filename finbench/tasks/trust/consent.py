"""What a task that does not come with finbench would run or read, in words: asked for before anything of it is built.

Two consents, each for the folders of --include: `--trust-task-code` for its Python (`!function`, `class:`, metrics whose
code would be fetched), `--trust-task-data` for rows outside its folder (files of the machine, URLs, data sets of the hub).
Judged is the merged configuration (merged.py). doors.py stands where lm-eval acts on it.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, takewhile
from pathlib import Path
from typing import Any, Literal

from finbench.errors import TaskError
from finbench.tasks.trust.merged import Built, Known, Setting, built, sources
from finbench.tasks.yaml_files import TaskFile

# Builders of `datasets` that read a plain file as rows, and the settings of theirs that name nothing but its format.
FILE_BUILDERS = frozenset({"json", "csv", "text", "parquet", "arrow"})
FORMAT_SETTINGS = frozenset(
    "data_files data_dir cache_dir split field sep delimiter names column_names header skiprows nrows encoding quotechar "
    "quoting keep_linebreaks sample_by columns".split()
)
DATA_KEYS = ("dataset_path", "dataset_name", "dataset_kwargs", "use_prompt")
OURS_ALONE = ("data", "config_source", "finbench")  # what finbench tells a task's loader; a task may not say it itself
MAX_FILES = 10_000  # below a folder that is trusted


@dataclass(frozen=True, slots=True)
class NeedsConsent:
    """Something of a task file that needs consent: what, in words, and where it stands."""

    kind: Literal["function", "class", "metric", "data"]
    text: str
    file: TaskFile
    line: int  # 0: at `keys`
    keys: tuple[str, ...] = ()

    def place(self) -> str:
        """`file:line`, or the file alone where the line is not known."""
        line = self.line or self.file.lines().get(self.keys, 0)
        return f"{self.file.path}:{line}" if line else str(self.file.path)


def is_ours(file: TaskFile, shipped: Path) -> bool:
    """Does a task file come with finbench?"""
    return file.path.is_relative_to(shipped.resolve())


# -- code ------------------------------------------------------------------------------------------------------------


def code_of(name: str, known: Known, shipped: Path) -> Iterator[NeedsConsent]:
    """Everything by which loading a task or group would run Python that does not come with finbench."""
    for file in sources(name, known):
        if not is_ours(file, shipped):
            yield from functions_of(file)
    for task in built(name, known):
        yield from metrics_of(task, shipped)


def functions_of(file: TaskFile) -> Iterator[NeedsConsent]:
    """The `!function` and `class:` of a file."""
    for use in file.foreign_functions():
        yield NeedsConsent("function", f"!function {use.target}", file, use.line)
    if "class" in file.config:
        yield NeedsConsent("class", f"class: {file.config['class']}", file, 0, ("class",))


def metrics_of(task: Built, shipped: Path) -> Iterator[NeedsConsent]:
    """The metrics that lm-eval would fetch for a task. With a scoring of its own their names are only labels."""
    setting = task.settings.get("metric_list")
    scoring = task.settings.get("process_results")
    given = [file.file for file in (setting, scoring) if file is not None]
    if setting is None or task.value("process_results") is not None or all(is_ours(file, shipped) for file in given):
        return
    for position, metric in enumerate(setting.value if isinstance(setting.value, list) else []):
        if isinstance(metric, Mapping) and not is_local_metric(metric.get("metric"), metric.get("hf_evaluate")):
            text = f"metric {metric.get('metric')!r} is none of lm-eval's: its code would be fetched and run"
            yield NeedsConsent("metric", text, setting.file, 0, (*setting.keys, str(position)))


def is_local_metric(named: Any, fetched: Any) -> bool:
    """Does lm-eval itself have this metric?"""
    from lm_eval.api import metrics as _registers  # noqa: F401 -- fills the registry
    from lm_eval.api.registry import METRIC_REGISTRY

    if not isinstance(named, str) or type(named) is not str:
        return True  # a `!function`, which is counted as one
    return not fetched and named in METRIC_REGISTRY


# -- data ------------------------------------------------------------------------------------------------------------


def data_of(name: str, known: Known, shipped: Path) -> Iterator[NeedsConsent]:
    """Everything that building a task or group would read from outside the folder that its setting comes from."""
    for task in built(name, known):
        yield from data_of_task(task, known, shipped)


def data_of_task(task: Built, known: Known, shipped: Path) -> Iterator[NeedsConsent]:
    """The same for one task as it would be built."""
    foreign = [task.settings[key] for key in DATA_KEYS if key in task.settings]
    foreign = [setting for setting in foreign if not is_ours(setting.file, shipped)]
    if not foreign:
        return
    root = root_of(foreign[0], known)
    # With a loader of its own nothing is fetched by these: it is finbench's, or counted as code.
    prompt = task.value("use_prompt")
    where = {key: task.value(key) for key in DATA_KEYS} | {"use_prompt": prompt}
    if isinstance(task.value("custom_dataset"), str):
        where |= {"dataset_path": None, "dataset_kwargs": reserved(task.value("dataset_kwargs"))}
    for key, text in outside(where["dataset_path"], where["dataset_kwargs"], where["use_prompt"], root):
        setting = task.settings.get(key, foreign[0])
        yield NeedsConsent("data", text, setting.file, 0, setting.keys)


def root_of(setting: Setting, known: Known) -> Path:
    """The include folder that a setting's file lies in."""
    roots = {folder.root.resolve() for folder in known.values()}
    holding = [root for root in roots if setting.file.path.is_relative_to(root)]
    return max(holding, key=lambda root: len(root.parts), default=setting.file.path.parent)


def reserved(kwargs: Any) -> dict[str, Any]:
    """The entries of a task's `dataset_kwargs` that only finbench may say."""
    return {key: kwargs[key] for key in OURS_ALONE if key in kwargs} if isinstance(kwargs, Mapping) else {}


def outside(path: Any, kwargs: Any, prompt: Any, root: Path) -> Iterator[tuple[str, str]]:
    """(setting, what of it leads out of `root`) of the settings by which lm-eval loads rows and prompts.

    >>> [text for _, text in outside("text", {"data_files": "/etc/passwd"}, None, Path("/tasks"))]
    ["data_files: '/etc/passwd' leads out of /tasks"]
    >>> [text for _, text in outside("some/data", {}, None, Path("/tasks"))]
    ["dataset_path: 'some/data' is a data set of the hub, or a folder that is read as one"]
    """
    given = kwargs if isinstance(kwargs, Mapping) else {}
    if kwargs is not None and not isinstance(kwargs, Mapping):
        yield "dataset_kwargs", f"dataset_kwargs: {kwargs!r} is no mapping"
    if path is not None and path not in FILE_BUILDERS:
        yield "dataset_path", f"dataset_path: {path!r} is a data set of the hub, or a folder that is read as one"
    if path in FILE_BUILDERS and not any(text for key, text in _locations(given) if key != "cache_dir"):
        yield "dataset_path", f"dataset_path: {path!r} without data_files reads whatever lies in the present folder"
    for key in map(str, given):
        if key not in FORMAT_SETTINGS:
            yield "dataset_kwargs", f"dataset_kwargs: `{key}` reaches beyond the file of the rows"
    for key, text in _locations(given):
        base = str(given.get("data_dir") or "") if key == "data_files" else ""
        if not _stays(text, root, base):
            yield "dataset_kwargs", f"{key}: {text!r} leads out of {root}"
    if isinstance(prompt, str) and ".yaml" in prompt and not _stays(prompt.partition(":")[0], root, ""):
        yield "use_prompt", f"use_prompt: {prompt!r} leads out of {root}"


def _locations(kwargs: Mapping[Any, Any]) -> Iterator[tuple[str, Any]]:
    """Every path that the settings name, whatever their shape."""

    def flat(value: Any) -> Iterator[Any]:
        if isinstance(value, Mapping):
            value = list(value.values())
        if isinstance(value, list | tuple):
            for item in value:
                yield from flat(item)
        elif value is not None:
            yield value

    for key in ("data_files", "data_dir", "cache_dir"):
        for text in flat(kwargs.get(key)):
            yield key, text


def _stays(text: Any, root: Path, base: str) -> bool:
    """Does a path (or pattern), relative to `base` or the present folder, with every file it matches lie below `root`?"""
    import glob

    if not isinstance(text, str) or "://" in text or "::" in text or text.startswith("~") or "\0" in text:
        return False
    whole = Path(base) / text
    matched = glob.iglob(str(whole), recursive=True)  # noqa: PTH207 -- Path.glob takes no absolute pattern
    fixed = Path(*takewhile(lambda part: not set(part) & set("*?["), whole.parts))
    found = chain([fixed], map(Path, matched), whole.rglob("*") if whole.is_dir() else ())
    return all(item.resolve().is_relative_to(root.resolve()) for item in found)


# -- before loading --------------------------------------------------------------------------------------------------


def check(
    names: Sequence[str], known: Known, shipped: Path, *, code: bool = False, data: bool = False
) -> dict[str, str]:
    """Files of the folders whose Python these names would run, path -> hash; TaskError with file and line for what is
    not consented to (`code`, `data`)."""
    running: dict[str, str] = {}
    for name in names:
        asked = list(code_of(name, known, shipped))
        if asked and not code:
            raise TaskError(
                f"task {name!r} runs Python that does not come with finbench:\n{_listed(asked)}\n"
                "Read these files, then run again with --trust-task-code."
            )
        reads = [] if data else list(data_of(name, known, shipped))
        if reads:
            raise TaskError(
                f"task {name!r} reads what is not in its folder:\n{_listed(reads)}\n"
                "Look at it, then run again with --trust-task-data."
            )
        if asked:
            running.update(hashes([file for file in sources(name, known) if not is_ours(file, shipped)]))
    return running


def _listed(asked: Collection[NeedsConsent]) -> str:
    return "\n".join(dict.fromkeys(f"  {item.place()}: {item.text}" for item in asked))


# -- what was consented to -------------------------------------------------------------------------------------------


def hashes(files: Sequence[TaskFile]) -> dict[str, str]:
    """Path -> hash of everything below the folders of these task files, whatever its kind: code reads what it likes.

    Left out are hidden files and Python's own caches. TaskError for more than `MAX_FILES` of them.
    """
    found: dict[str, str] = {}
    for folder in sorted({file.path.parent for file in files}):
        for path in sorted(folder.rglob("*")):
            inner = path.relative_to(folder).parts
            if any(part.startswith(".") or part == "__pycache__" for part in inner) or not path.is_file():
                continue
            if len(found) >= MAX_FILES:
                raise TaskError(f"{folder}: over {MAX_FILES:,} files below it; put the task into a folder of its own")
            found[str(path)] = _hash(path)
    return found


def imported(below: Sequence[Path]) -> dict[str, str]:
    """Path -> hash of every module of this process whose file lies below one of the folders."""
    roots = [folder.resolve() for folder in below]
    files = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
    paths = sorted(Path(file).resolve() for file in files if isinstance(file, str))
    return {str(path): _hash(path) for path in paths if path.is_file() and any(path.is_relative_to(r) for r in roots)}


def _hash(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
    except OSError as err:
        raise TaskError(f"{path}: cannot be read ({err.strerror}); a folder that is trusted is read whole") from err
