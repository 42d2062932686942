"""What `finbench tasks list` and `show` know: tasks and groups of the shipped and the included folders.

Read from the files alone, so that the list comes at once: lm-eval is loaded only to render a document.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from finbench.errors import DataError, TaskError, UsageError
from finbench.tasks import download, load, table_files, yaml_files
from finbench.tasks.authoring import lint
from finbench.tasks.task import Asking, Task
from finbench.tasks.trust import merged

DRAWN = ("finance_instruct",)  # its docs.load draws 1,000 rows unless the YAML says `draw: null`


@dataclass(frozen=True, slots=True)
class Entry:
    """One task, group or suite. `rows` is None where only loading would tell; `data` says where its rows are."""

    name: str
    kind: str  # task | group | suite
    members: tuple[str, ...]  # tasks below a group
    rows: int | None
    licence: str
    protocol: str  # finbench | paper | own
    data: str  # found | sample only | missing | own code
    file: str

    def described(self) -> str:
        """The kind, with the number of members."""
        return self.kind if self.kind == "task" else f"{self.kind} of {len(self.members)}"


def as_json(entry: Entry) -> dict[str, Any]:
    """The entry as a JSON object."""
    return asdict(entry)


def folders(include: Sequence[Path]) -> list[yaml_files.Folder]:
    """The shipped folder and the included ones, in the order in which later ones win."""
    return [load.shipped(), *(yaml_files.scan(folder) for folder in include)]


def entries(include: Sequence[Path], data: str | None) -> tuple[list[Entry], list[str]]:
    """All tasks and groups, suites first; and what is wrong with the files that cannot be read."""
    found = folders(include)
    known = {name: folder for folder in found for name in folder.files}
    holdings = {holding.dataset: holding for holding in download.inventory(data)}
    listed, broken = [], [reason for folder in found for reason in folder.broken.values()]
    for name in known:
        try:
            with yaml_files.in_words(known[name].files[name].path):
                listed.append(_entry(name, known, holdings, data))
        except TaskError as err:  # an include or a group that holds itself
            broken.append(str(err))
    order = {"suite": 0, "group": 1, "task": 1}
    listed.sort(key=lambda entry: (order[entry.kind], entry.protocol != "finbench", entry.protocol, entry.name))
    return listed, broken


def _entry(
    name: str, known: Mapping[str, yaml_files.Folder], holdings: Mapping[str, download.Holding], data: str | None
) -> Entry:
    folder = known[name]
    file = folder.files[name]
    ours = folder.root == load.shipped_folder()
    metadata = file.config.get("metadata") if isinstance(file.config.get("metadata"), dict) else {}
    members = tuple(dict.fromkeys(load.leaves_of(name, known))) if file.kind == "group" else ()
    kind = "suite" if load.is_suite(file) else file.kind
    protocol = ("paper" if "paper" in name.split("_") else "finbench") if ours else "own"
    if ours and kind != "suite":
        rows, licence, where = _pinned(name, file, folder, holdings)
    elif kind == "task":
        rows, licence, where = _own(file, folder, metadata or {}, data)
    else:
        rows, licence, where = None, "", ""
    return Entry(name, kind, members, rows, licence, protocol, where, str(file.path))


def _pinned(
    name: str, file: yaml_files.TaskFile, folder: yaml_files.Folder, holdings: Mapping[str, download.Holding]
) -> tuple[int | None, str, str]:
    """Rows, licence and whereabouts of a benchmark that comes with finbench."""
    holding = holdings.get(file.path.parent.name)
    if holding is None:
        return None, "", ""
    sample = file.path.parent / "sample.jsonl"
    where = "found" if holding.found else "sample only" if sample.is_file() else "missing"
    settings = merged.effective(file, folder)
    whole = name in (holding.dataset, f"{holding.dataset}_paper") or not file.path.parent.name.startswith("ant_finance")
    whole = whole and "resampled" not in name.split("_")  # which rows have a variant is found out by making them
    metadata = settings["metadata"].value if "metadata" in settings else {}
    kwargs = settings["dataset_kwargs"].value if "dataset_kwargs" in settings else {}
    drawn = holding.dataset in DRAWN and "draw" not in kwargs
    limit = kwargs.get("first") or (1000 if "rows" in metadata or drawn else None)
    rows = min(holding.rows, limit or holding.rows) if whole else None
    return rows, holding.licence, where


def _own(
    file: yaml_files.TaskFile, folder: yaml_files.Folder, metadata: Mapping[str, Any], data: str | None
) -> tuple[int | None, str, str]:
    """Rows, licence and whereabouts of a task of an included folder."""
    licence = str(metadata.get("licence") or metadata.get("license") or "")
    settings = merged.effective(file, folder)
    if "custom_dataset" not in settings:
        return None, licence, "missing" if lint.network_rows(settings) else "found"
    if settings["custom_dataset"].value != lint.ROWS_DOOR:
        return None, licence, "own code"
    kwargs = settings["dataset_kwargs"].value if "dataset_kwargs" in settings else {}
    try:
        found = table_files.table(
            {**(kwargs if isinstance(kwargs, dict) else {}), "config_source": str(file.path), "data": data}
        )
        return sum(1 for _ in table_files.numbered(found.path)), licence, "found"
    except DataError:
        return None, licence, "missing"


# -- one task --------------------------------------------------------------------------------------------------------


def describe(name: str, include: Sequence[Path]) -> dict[str, Any]:
    """Name, kind, file, merged settings (functions by name) and the first paragraph of the README."""
    found = folders(include)
    known = {task: folder for folder in found for task in folder.files}
    if name not in known:
        raise TaskError(load.unknown([name], known, found))
    folder = known[name]
    file = folder.files[name]
    with yaml_files.in_words(file.path):
        settings = {key: setting.value for key, setting in merged.effective(file, folder).items()}
        if file.kind == "group":
            settings["members"] = list(dict.fromkeys(load.leaves_of(name, known)))
    return {
        "name": name,
        "kind": file.kind,
        "file": str(file.path),
        "summary": _summary(file.path.parent / "README.md"),
        "settings": settings,
    }


def _summary(readme: Path) -> str:
    """The first paragraph of a README that is text."""
    try:
        text = readme.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    paragraphs = [part.strip() for part in text.split("\n\n")]
    return next((part for part in paragraphs if part and part[0] not in "#|<`!"), "")


def rendered(
    name: str, wanted: str, include: Sequence[Path], data: str | None, *, trust: bool, trust_data: bool
) -> dict[str, Any]:
    """One document of a task, by position or id: its prompt as chat turns, its golds, its kind of answer."""
    selection = load.load([name], include=include, data=data, trust=trust, trust_data=trust_data)
    if len(selection.tasks) > 1:
        raise UsageError(f"{name} is a group; --doc needs one task, such as {selection.tasks[0].name}")
    task = selection.tasks[0]
    with yaml_files.in_words(f"task {name}"):
        return _document(task, wanted)


def _document(task: Task, wanted: str) -> dict[str, Any]:
    for position, document in task.documents():
        if wanted in (document.id, str(position)):
            request = next(iter(task.requests(document, "", Asking("show"))))
            return {
                "id": document.id,
                "position": position,
                "prompt": [{"role": turn.role, "content": turn.content} for turn in request.messages],
                "golds": [gold.text for gold in document.golds],
                "answer": document.answer.kind,
            }
    raise UsageError(f"{task.name}: no document {wanted!r}; positions run from 0 to {len(task) - 1}")
