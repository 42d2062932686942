"""From task names to loaded tasks: the shipped folder, included folders, lm-eval's own, groups and suites, consent."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from finbench.errors import DataError, FinbenchError, NothingSelected, TaskError
from finbench.scores.aggregates import GroupMetric, GroupRule
from finbench.tasks import yaml_files
from finbench.tasks.task import Task
from finbench.tasks.trust import consent, doors, merged

log = logging.getLogger("finbench")


def shipped_folder() -> Path:
    """The folder of the tasks that come with finbench, in a checkout or inside an installed wheel."""
    inside = Path(__file__).parents[1] / "shipped" / "tasks"
    return inside if inside.is_dir() else Path(__file__).parents[2] / "tasks"


@lru_cache(maxsize=4)
def _scanned(root: Path) -> yaml_files.Folder:
    return yaml_files.scan(root)


def shipped() -> yaml_files.Folder:
    """The tasks that come with finbench, read once: they do not change under a running program."""
    return _scanned(shipped_folder())


@dataclass(frozen=True, slots=True)
class Selection:
    """What the user asked for: single tasks, and groups that are reported as one with their tasks below."""

    tasks: tuple[Task, ...]
    groups: Mapping[str, tuple[str, ...]]  # group name -> names of its tasks
    consent: Mapping[str, str]  # files that foreign Python was consented to with: path -> hash
    rules: Mapping[str, GroupRule] = field(
        default_factory=dict
    )  # of all groups and sub-groups, as lm-eval sums them up
    sampled: tuple[str, ...] = ()  # tasks of a suite whose rows were not found: they run on their sample rows


def suite(name: str) -> tuple[str, ...]:
    """The benchmarks of a shipped suite (`finbench`, `paper`): the members of its average; empty for other names."""
    file = shipped().files.get(name)
    return tuple(_listed(file)) if file is not None and is_suite(file) else ()


def protocol_names(names: Sequence[str], protocol: str) -> list[str]:
    """The names to load for a protocol: its variant of a task where there is one (finqa -> finqa_paper).

    >>> protocol_names(["finqa", "mine"], "paper")
    ['finqa_paper', 'mine']
    """
    if protocol == "finbench":
        return list(names)
    known = shipped().files
    variants = {"all": protocol, "finbench": protocol}
    return [variants.get(n, f"{n}_{protocol}" if f"{n}_{protocol}" in known else n) for n in names]


def load(
    names: Sequence[str],
    *,
    include: Sequence[Path] = (),
    data: str | None = None,
    settings: Mapping[str, Any] | None = None,
    builtins: bool = True,
    trust: bool = False,
    trust_data: bool = False,
) -> Selection:
    """Load tasks and groups by name. Later include folders win over earlier ones and over the shipped tasks.

    In a suite, a benchmark whose rows are not in `data` runs on its sample rows and is named in `sampled`, as long as
    another one has its rows. Raises TaskError for unknown names (with the broken files that may hold them), for foreign
    Python without `trust`, for rows outside a foreign task's folder without `trust_data`, and for whatever lm-eval cannot
    load; NothingSelected when `names` is empty.
    """
    if not names:
        raise NothingSelected("no task is selected; name some with --tasks, `finbench tasks list` shows them")
    folders = [shipped(), *(yaml_files.scan(folder) for folder in include)]
    known = {name: folder for folder in folders for name in folder.files}
    wanted = list(dict.fromkeys("finbench" if name == "all" else name for name in names))
    elsewhere = _are_elsewhere(wanted, known, folders, builtins=builtins)
    allowed = consent.check(wanted, known, folders[0].root, code=trust, data=trust_data)
    readable = frozenset(path for folder in folders for path in folder.parts)
    guard = doors.Guard(folders[0].root, tuple(include), readable, code=trust, data=trust_data)
    managers = _Managers(guard, elsewhere, settings or {})
    objects, sampled = _objects(wanted, known, managers, data)
    tasks = tuple(_task(name, objects[name], known) for name in _order(wanted, known, objects))
    ran = allowed | consent.imported(include) if trust else {}
    rules = dict(_shipped_rules(wanted, known, folders[0].root, objects)) | managers.rules
    return Selection(tasks, dict(_groups(wanted, known, objects)), ran, rules, sampled)


def _order(wanted: Sequence[str], known: merged.Known, objects: Mapping[str, Any]) -> list[str]:
    """The names of the tasks that were built, as asked for; those that only lm-eval knows of come last."""
    leaves = dict.fromkeys(leaf for name in wanted for leaf in leaves_of(name, known))
    return [leaf for leaf in leaves if leaf in objects] + [leaf for leaf in objects if leaf not in leaves]


def _are_elsewhere(
    wanted: Sequence[str], known: Mapping[str, Any], folders: Sequence[yaml_files.Folder], *, builtins: bool
) -> bool:
    """Whether some names are of lm-eval's own tasks; TaskError for names that nobody has.

    lm-eval's folder takes ten seconds and more to look through, so a file that cannot be read and may hold the name is
    said first.
    """
    missing = [name for name in wanted if name not in known]
    if not missing:
        return False
    broken = [path for folder in folders for path in folder.broken]
    if any(_may_define(path, name) for path in broken for name in missing):
        raise TaskError(unknown(missing, known, folders))
    if not (builtins and _are_builtin(missing, known)):
        raise TaskError(unknown(missing, known, folders))
    return True


def _may_define(path: Path, name: str) -> bool:
    """Does a file that cannot be read bear or hold a name?"""
    try:
        with path.open("rb") as file:
            return path.stem == name or name.encode() in file.read(yaml_files.MAX_BYTES)
    except (OSError, UnicodeEncodeError):
        return True


def _objects(
    wanted: Sequence[str], known: merged.Known, managers: _Managers, data: str | None
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """lm-eval's Task objects by name, and the benchmarks of a suite that run on their sample rows."""
    objects: dict[str, Any] = {}
    sampled: list[str] = []
    absent: list[DataError] = []
    for name in wanted:
        file = known[name].files[name] if name in known else None
        if file is None or known[name].root != shipped().root or file.kind == "task":
            objects.update(managers.load(name, data))  # a group of others may carry settings for its members
            continue
        for leaf in leaves_of(name, known):
            try:
                objects.update(managers.load(leaf, data))
            except DataError as err:
                if not is_suite(file) or data in (None, "sample"):
                    raise
                absent.append(err)
                sampled.append(leaf)
    if sampled and not objects:
        raise absent[0]
    for leaf in sampled:
        objects.update(managers.load(leaf, "sample"))
    return objects, tuple(sampled)


def _task(name: str, inner: Any, known: merged.Known) -> Task:
    """The Task of one of lm-eval's objects, with decoding settings that can be used."""
    with yaml_files.in_words(f"task {name}"):
        task = Task(name, inner, known[name].chain(name) if name in known else [])
    with yaml_files.in_words(f"task {name}: generation_kwargs"):
        task.sampling()
    if task.unknown_settings:
        named = ", ".join(f"{key}: {value!r}" for key, value in task.unknown_settings.items())
        log.warning("%s: no engine knows these generation_kwargs, the run goes without them: %s", task.name, named)
    return task


def is_suite(file: yaml_files.TaskFile) -> bool:
    return file.kind == "group" and bool((file.config.get("metadata") or {}).get("suite"))


def _listed(file: yaml_files.TaskFile) -> list[str]:
    """The direct members of a group file."""
    members = file.config.get("task")
    named = [m.get("group") or m.get("task") if isinstance(m, dict) else m for m in members or []]
    return [str(name) for name in named]


def leaves_of(name: str, known: merged.Known) -> list[str]:
    """The task names below `name`, over all folders."""
    return list(_leaves(name, known, ()))


def _leaves(name: str, known: merged.Known, above: tuple[str, ...]) -> Iterator[str]:
    if name not in known:
        yield name
        return
    if name in above:
        raise TaskError(f"{known[name].files[name].path}: group {name!r} contains itself; break the cycle")
    for member in known[name].members(name):
        if member == name:
            yield name
        else:
            yield from _leaves(member, known, (*above, name))


def _groups(
    wanted: Sequence[str], known: Mapping[str, yaml_files.Folder], objects: Mapping[str, Any]
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The groups to report. A suite (`metadata: {suite: true}`) is no row of its own: its members stand one by one."""
    for name in wanted:
        file = known[name].files[name] if name in known else None
        if file is None or file.kind != "group":
            continue
        if is_suite(file):
            yield from _groups(_listed(file), known, objects)
        else:
            yield name, tuple(leaf for leaf in leaves_of(name, known) if leaf in objects)


def _shipped_rules(
    names: Sequence[str], known: Mapping[str, yaml_files.Folder], shipped: Path, objects: Mapping[str, Any]
) -> Iterator[tuple[str, GroupRule]]:
    """The rules of shipped groups, whose tasks are loaded one by one; suites are none, their members are."""
    from lm_eval.api.group import Group

    for name in names:
        file = known[name].files[name] if name in known else None
        if file is None or file.kind != "group" or known[name].root != shipped:
            continue
        if not is_suite(file):
            group = Group.from_config({key: file.config.get(key) for key in ("group", "task", "aggregate_metric_list")})
            leaves = tuple(leaf for leaf in leaves_of(name, known) if leaf in objects)
            yield name, GroupRule(tuple(_listed(file)), leaves, _group_metrics(group))
        yield from _shipped_rules(_listed(file), known, shipped, objects)


def _group_metrics(group: Any) -> tuple[GroupMetric, ...]:
    """The lines of lm-eval's `aggregate_metric_list`."""
    return tuple(
        GroupMetric(one.metric, None if one.filter_list is None else tuple(one.filter_list), bool(one.weight_by_size))
        for one in group.aggregate_metric_list or ()
    )


def _are_builtin(names: Sequence[str], known: Mapping[str, Any]) -> bool:
    """Whether lm-eval's own task folder names them: by its index, which takes ten seconds or more to build.

    A name that looks like a slip for one of ours is not searched there, unless lm-eval has a folder of that name.
    """
    import difflib

    import lm_eval.tasks

    folders = {path.name for path in Path(lm_eval.tasks.__file__).parent.iterdir()}
    for name in names:
        if name.split("_")[0] not in folders and name not in folders and difflib.get_close_matches(name, known, n=1):
            return False
    log.warning("%s: no task of finbench; looking through lm-eval's own, which takes a while ...", ", ".join(names))
    index = lm_eval.tasks.TaskManager(include_defaults=True).task_index
    return all(name in index for name in names)


def unknown(missing: Sequence[str], known: Mapping[str, Any], folders: Sequence[yaml_files.Folder]) -> str:
    """What to say about names that no folder has: near ones, and the files that cannot be read."""
    import difflib

    near = [match for name in missing for match in difflib.get_close_matches(name, known, n=3)]
    broken = [reason for folder in folders for reason in folder.broken.values()]
    lines = [f"unknown task {', '.join(map(repr, missing))}; `finbench tasks list` shows all, --include adds folders"]
    lines += [f"did you mean {', '.join(dict.fromkeys(near))}?"] if near else []
    lines += ["these task files cannot be read and are left out:", *(f"  {r}" for r in broken)] if broken else []
    return "\n".join(lines)


class _Managers:
    """lm-eval's TaskManager, one per data source, behind the doors of `guard`."""

    def __init__(self, guard: doors.Guard, defaults: bool, settings: Mapping[str, Any]) -> None:
        logging.getLogger("lm_eval").setLevel(logging.ERROR)  # it warns once per task about `custom_dataset`
        self._guard = guard
        self._defaults = defaults
        self._settings = {"finbench": True, **settings}
        self._managers: dict[str | None, Any] = {}
        self.rules: dict[str, GroupRule] = {}  # of the groups that lm-eval itself loaded

    def load(self, name: str, data: str | None) -> dict[str, Any]:
        """lm-eval's Task objects of a task or group, by name."""
        told = self._settings | ({"data": data} if data is not None else {})
        with doors.guard(replace(self._guard, told=told)):
            return self._load(name, data, told)

    def _load(self, name: str, data: str | None, told: Mapping[str, Any]) -> dict[str, Any]:
        if data not in self._managers:
            import datasets
            from lm_eval.tasks import TaskManager

            datasets.disable_progress_bars()  # progress is finbench's to show
            datasets.config.HF_UPDATE_DOWNLOAD_COUNTS = (
                False  # it would tell a server in the background which builder is used
            )
            folders = [str(folder) for folder in (self._guard.shipped, *self._guard.roots)]
            self._managers[data] = TaskManager(include_path=folders, include_defaults=self._defaults, metadata=told)
        try:
            found = self._managers[data].load([name])
            for group in found.get("groups", {}).values():
                leaves = tuple(task.task_name for task in group.get_all_tasks())
                self.rules[group.name] = GroupRule(tuple(group.child_names), leaves, _group_metrics(group))
            return dict(found["tasks"])
        except FinbenchError:
            raise
        except ConnectionError as err:  # of `datasets`, offline too: its words name the data set
            raise TaskError(
                f"task {name}: {err}. Its rows have to come from there once: run it on a connected machine, carry that "
                "machine's Hugging Face cache here and set HF_HOME to it; or copy the task's folder, point its YAML at "
                "rows of yours, and give it with --include"
            ) from err
        except Exception as err:  # the task's own code runs here: any failure is the task's
            raise TaskError(f"task {name}: lm-eval cannot load it: {type(err).__name__}: {err}") from err
