"""`finbench tasks check`: a task is read, rendered and graded against itself before a GPU hour is spent on it.

Every prompt is rendered as a run would; every gold answer, given as the reply, has to be graded right; and the text of
the task files is looked over (lint.py). Python of the folder runs only with consent: without it, what would run is
listed with its hash, and the rows stay unread; so do rows outside the folder, which have a consent of their own.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finbench import grading
from finbench.errors import DataError, FinbenchError, TaskError
from finbench.records import UNREADABLE_REASONS, Document, Request, Response, text_hash
from finbench.tasks import load, table_files, yaml_files
from finbench.tasks.authoring import lint
from finbench.tasks.authoring.findings import CODES, Finding, Report
from finbench.tasks.data_files import SAMPLE, DataMissing
from finbench.tasks.task import Asking, Task
from finbench.tasks.trust import consent, merged
from finbench.tasks.trust.merged import Setting
from finbench.text import quantities

SENTINEL = "FINBENCHGOLD"
SENTINEL_DOCUMENTS = 50  # a template that shows the gold shows it on any row
ASKING = Asking("check")


@dataclass(frozen=True, slots=True)
class Trust:
    """What of a stranger's folder the check may let through."""

    code: bool = False
    data: bool = False


def check(
    target: str | Path,
    *,
    include: Sequence[Path] = (),
    data: str | None = None,
    trust: bool = False,
    trust_data: bool = False,
    context_length: int = 32_768,
    allow: Sequence[str] = (),
) -> Report:
    """Check a task folder, one YAML, or a task or group by name. Raises TaskError when there is no such thing."""
    unknown = sorted(set(allow) - set(CODES))
    if unknown:
        raise TaskError(f"--allow {unknown[0]}: no such code; there are {', '.join(CODES)}")
    report = Report(str(target), frozenset(allow))
    targets = _targets(str(target), include, report)
    checking = _Checking(targets, data, Trust(trust, trust_data), context_length, report)
    for name in (*targets.groups, *targets.names):
        try:
            with yaml_files.in_words(targets.file_of(name) or name):
                checking.group(name) if name in targets.groups else checking.task(name)
        except FinbenchError as err:
            report.add(Finding("load", name, targets.file_of(name), 0, str(err)))
    return report


# -- what to check ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Targets:
    """The tasks to check, the groups of others around them, and the folders they may come from: the shipped one first,
    later ones win."""

    names: tuple[str, ...]
    groups: tuple[str, ...]
    folders: tuple[yaml_files.Folder, ...]

    @property
    def known(self) -> dict[str, yaml_files.Folder]:
        """The folder of every name."""
        return _known(self.folders)

    def file_of(self, name: str) -> str:
        """The YAML of a name, empty where no folder has it."""
        return str(self.known[name].files[name].path) if name in self.known else ""


def _known(folders: Sequence[yaml_files.Folder]) -> dict[str, yaml_files.Folder]:
    return {name: folder for folder in folders for name in folder.files}


def _targets(target: str, include: Sequence[Path], report: Report) -> Targets:
    path = Path(target)
    if path.is_dir() or path.suffix in (".yaml", ".yml"):
        return _in_folder(path, include, report)
    return _by_name(target, include)


def _by_name(target: str, include: Sequence[Path]) -> Targets:
    """A task, or the members of a group, by name."""
    folders = [load.shipped(), *(yaml_files.scan(folder) for folder in include)]
    known = _known(folders)
    wanted = "finbench" if target == "all" else target
    if wanted not in known:
        raise TaskError(load.unknown([target], known, folders))
    leaves = [leaf for leaf in dict.fromkeys(load.leaves_of(wanted, known)) if leaf in known]
    return Targets(tuple(leaves), _groups(leaves, {wanted}, folders[1:]), tuple(folders))


def _in_folder(path: Path, include: Sequence[Path], report: Report) -> Targets:
    """The tasks of a folder or of one YAML; its files that cannot be read become findings."""
    if not path.exists():
        raise TaskError(f"{path}: no such file or folder")
    root = (path if path.is_dir() else path.parent).resolve()
    own = yaml_files.scan(root)
    wanted = None if path.is_dir() else path.resolve()
    for broken, reason in own.broken.items():
        if wanted in (None, broken):
            report.add(Finding("unreadable", "", str(broken), _line_in(reason, broken), reason))
    files = [file for file in own.files.values() if wanted in (None, file.path)]
    if not files and not own.broken:
        raise TaskError(f"{path}: defines no task; a task file has `task: NAME`")
    ours = root.is_relative_to(load.shipped().root.resolve())
    folders = [load.shipped(), *(yaml_files.scan(folder) for folder in include), *([] if ours else [own])]
    known = _known(folders)
    leaves = dict.fromkeys(leaf for file in files for leaf in _leaves(file, known, report) if leaf in own.files)
    return Targets(tuple(leaves), _groups(list(leaves), {file.name for file in files}, folders[1:]), tuple(folders))


def _leaves(file: yaml_files.TaskFile, known: Mapping[str, yaml_files.Folder], report: Report) -> list[str]:
    """The tasks below one file; a group that holds itself is a finding."""
    try:
        return load.leaves_of(file.name, known)
    except TaskError as err:
        report.add(Finding("load", file.name, str(file.path), 0, str(err)))
        return []


def _groups(names: Sequence[str], targets: Collection[str], folders: Sequence[yaml_files.Folder]) -> tuple[str, ...]:
    """The groups of others that are a target, or that hold one of its tasks: they may carry code and data too."""
    found = []
    for folder in folders:
        for file in folder.files.values():
            if file.kind == "group" and (file.name in targets or set(folder.members(file.name)) & set(names)):
                found.append(file.name)
    return tuple(dict.fromkeys(found))


def _line_in(reason: str, path: Path) -> int:
    found = re.match(re.escape(str(path)) + r":(\d+)", reason)
    return int(found[1]) if found else 0


# -- one task --------------------------------------------------------------------------------------------------------


class _Checking:
    """The check of one task after another: where its tasks come from, what it may do, and where it reports."""

    def __init__(self, targets: Targets, data: str | None, trust: Trust, context_length: int, report: Report) -> None:
        self._known = targets.known
        self._shipped = targets.folders[0].root
        self._places = [folder.root for folder in targets.folders[1:]]
        self._data, self._trust = data, trust
        self._context_length, self._report = context_length, report

    def task(self, name: str) -> None:
        """The text of one task, what it would run and read, then its rows, prompts and golds."""
        folder = self._known[name]
        file, chain = folder.files[name], folder.chain(name)
        settings = merged.effective(file, folder)
        for finding in lint.lint(name, chain, settings):
            self._report.add(finding)
        elsewhere = self._is_elsewhere(name, file, settings)
        if self._may_load(name) and not elsewhere:
            self._documents(name, file, settings)

    def group(self, name: str) -> None:
        """What the settings of a group would run and read, and the documents of the tasks that are written out in it."""
        if not self._may_load(name):
            return
        inline = [task.name for task in merged.built(name, self._known) if "::" in task.name]
        if not inline:
            return
        for task in self._loaded(name, self._data):
            if task.name in inline:
                file = self._known[name].files[name]
                _check_documents(task, _Where("", [], str(file.path)), self._context_length, self._report)

    def _may_load(self, name: str) -> bool:
        """Whether a name may be built; what it would run or read without consent becomes findings."""
        code = list(consent.code_of(name, self._known, self._shipped))
        data = list(consent.data_of(name, self._known, self._shipped))
        if code:
            foreign = [f for f in merged.sources(name, self._known) if not consent.is_ours(f, self._shipped)]
            python = yaml_files.python_files(foreign)
            self._report.would_run |= {str(path): _hash_of(path) for path in python}
        refused = ([] if self._trust.code else code) + ([] if self._trust.data else data)
        for item in refused:
            line = item.line or item.file.lines().get(item.keys, 0)
            kind, text = ("data", item.text) if item.kind == "data" else ("python", _would_run(item))
            self._report.add(Finding(kind, name, str(item.file.path), line, text))
        if refused:
            flags = dict.fromkeys("--trust-task-data" if i.kind == "data" else "--trust-task-code" for i in refused)
            self._report.notes.append(f"{name}: its rows were not read; look at the above, then {' '.join(flags)}")
        return not refused

    def _is_elsewhere(self, name: str, file: yaml_files.TaskFile, settings: Mapping[str, Setting]) -> bool:
        """Whether a run would fetch the rows, which the check never does."""
        elsewhere = lint.network_rows(settings)
        if elsewhere:
            text = f"its rows are those of {elsewhere!r}, which a run would fetch; they were not checked"
            self._report.add(Finding("network", name, str(file.path), 0, text))
        return bool(elsewhere)

    def _documents(self, name: str, file: yaml_files.TaskFile, settings: Mapping[str, Setting]) -> None:
        data = self._data
        lines = _lines(name, settings, file, data, self._report)
        if lines is None:
            return
        try:
            loaded = self._loaded(name, data)
        except DataMissing:
            self._report.notes.append(f"{name}: its rows were not found; the sample rows were checked")
            data = SAMPLE
            loaded = self._loaded(name, data)
        if not lines and data == SAMPLE:
            sample = [line for line, _ in table_files.numbered(file.path.parent / "sample.jsonl")]
            lines = sample if len(sample) == len(loaded[0]) else []
        where = _Where(_rows_path(settings, file, data), lines, str(file.path))
        _check_documents(loaded[0], where, self._context_length, self._report)

    def _loaded(self, name: str, data: str | None) -> tuple[Task, ...]:
        trust = self._trust
        return load.load(
            [name], include=self._places, data=data, trust=trust.code, trust_data=trust.data, builtins=False
        ).tasks


def _would_run(item: consent.NeedsConsent) -> str:
    return item.text if item.kind == "metric" else f"would run `{item.text}`"


def _hash_of(path: Path) -> str:
    return text_hash(path.read_text(encoding="utf-8", errors="replace"))


def _door_settings(
    settings: Mapping[str, Setting], file: yaml_files.TaskFile, data: str | None
) -> dict[str, Any] | None:
    """What the door for rows would be called with; None for tasks that load their rows otherwise."""
    door = settings.get("custom_dataset")
    given = settings.get("dataset_kwargs")
    if door is None or door.value != lint.ROWS_DOOR:
        return None
    return {
        **(given.value if given and isinstance(given.value, dict) else {}),
        "config_source": str(file.path),
        "data": data,
    }


def _lines(
    name: str, settings: Mapping[str, Setting], file: yaml_files.TaskFile, data: str | None, report: Report
) -> list[int] | None:
    """The lines of the rows in their file; empty where nobody knows, None when a row cannot be used."""
    door = _door_settings(settings, file, data)
    if door is None:
        return []
    lines, broken = [], False
    for line, row in table_files.table(door).numbered():
        lines.append(line)
        if isinstance(row, DataError):
            broken = True
            text = str(row).partition(f":{line}: ")[2] or str(row)
            report.add(Finding("row", name, str(table_files.table(door).path), line, text))
    if broken:
        report.notes.append(f"{name}: prompts and golds are checked once every row can be read")
    return None if broken else lines


def _rows_path(settings: Mapping[str, Setting], file: yaml_files.TaskFile, data: str | None) -> str:
    door = _door_settings(settings, file, data)
    if door is not None:
        return str(table_files.table(door).path)
    return str(file.path.parent / "sample.jsonl") if data == SAMPLE else ""


@dataclass(frozen=True, slots=True)
class _Where:
    """Where the rows of a task stand: `lines` by position, empty where the file is not known."""

    rows_file: str
    lines: Sequence[int]
    task_file: str

    def finding(self, code: str, task: str, position: int, row_id: str, text: str) -> Finding:
        if position < len(self.lines):
            return Finding(code, task, self.rows_file, self.lines[position], f"id {row_id!r}: {text}")
        return Finding(code, task, self.task_file, 0, f"row {position} (id {row_id!r}): {text}")

    def row(self, position: int) -> str:
        return f"line {self.lines[position]}" if position < len(self.lines) else f"row {position}"


# -- its documents ---------------------------------------------------------------------------------------------------


def _check_documents(task: Task, where: _Where, context_length: int, report: Report) -> None:
    counts = report.counts.setdefault(task.name, {"documents": 0, "golds": 0, "longest_prompt": 0})
    limit = task.sampling().max_tokens if task.output_type == "generate_until" else 0
    seen: dict[str, int] = {}
    for position, row in enumerate(_rows(task, where, report)):
        counts["documents"] += 1
        try:
            document = task.document(row, position)
        except TaskError as err:
            report.add(where.finding("row", task.name, position, str(row.get("id", "")), str(err)))
            continue

        def say(code: str, text: str, position: int = position, document: Document = document) -> None:
            report.add(where.finding(code, task.name, position, document.id, text))

        if document.id in seen:
            say("duplicate-id", f"the same id as {where.row(seen[document.id])}")
        seen.setdefault(document.id, position)
        try:
            requests = list(task.requests(document, "", ASKING))
        except TaskError as err:
            say("prompt", str(err))
            continue
        text = _prompt(requests)
        tokens = estimated_tokens(text)
        counts["longest_prompt"] = max(counts["longest_prompt"], tokens)
        if tokens + limit > context_length:
            say("too-long", f"about {tokens:,} tokens of prompt and {limit:,} of reply, over {context_length:,}")
        if leak := _leak(task, document, position < SENTINEL_DOCUMENTS):
            say("leak", leak)
        counts["golds"] += len(document.golds)
        for code, text in _golds(task, document, requests):
            say(code, text)
        if document.answer.kind == "lm_eval" and position == 0 and _accepts_nothing(task, document, requests):
            say("accepts-anything", "an empty reply is graded right")


def _rows(task: Task, where: _Where, report: Report) -> Iterator[Mapping[str, Any]]:
    """The rows of a task until one cannot be read."""
    try:
        yield from task.rows()
    except DataError as err:
        report.add(Finding("row", task.name, where.task_file, 0, str(err)))


def _prompt(requests: Sequence[Request]) -> str:
    first = requests[0]
    return "\n".join(message.content for message in first.messages) if first.messages else first.prompt


def estimated_tokens(text: str) -> int:
    """About how many tokens a text has: 3.5 characters each, 1.5 outside ASCII. Exact counts need the tokenizer.

    >>> estimated_tokens("a" * 35), estimated_tokens("金" * 15)
    (10, 10)
    """
    plain = len(text.encode("ascii", "ignore"))
    return round(plain / 3.5 + (len(text) - plain) / 1.5)


def _leak(task: Task, document: Document, render: bool) -> str:
    """How the prompt gives the answer away; empty when it does not."""
    gold = document.golds[0].text.strip()
    told = f"{document.question}\n{document.row.get('context') or ''}"
    if gold and document.answer.kind != "lm_eval" and gold.lower() in told.lower():
        pattern = rf"(?i)\b(?:gold|(?:correct |right |final )?answer)(?: is)?\s*[:=]\s*{re.escape(gold)}(?!\w)"
        if match := re.search(pattern, told[:200_000]):
            return f"the row's own text says {match.group()!r}"
    if not render:
        return ""
    marked = _with_sentinel(task, document)
    if marked is None:
        return ""
    try:
        text = _prompt(list(task.requests(task.document(marked, 0), "", ASKING)))
    except TaskError:
        return ""  # a template that computes with the gold: not shown as it is
    return "the template shows the gold (a field that holds it is rendered)" if SENTINEL in text else ""


def _with_sentinel(task: Task, document: Document) -> dict[str, Any] | None:
    """The row with its gold, and every plain field that equals it, replaced; None when the gold is no text field."""
    target = task.target_setting
    named = target if isinstance(target, str) else ""
    gold = document.row.get("gold", document.row.get(named))
    if not isinstance(gold, str) or not gold:
        return None
    return {key: _marked(key, value, gold, {"gold", "golds", named}) for key, value in document.row.items()}


def _marked(key: str, value: Any, gold: str, holding: Collection[str]) -> Any:
    """A field of a row with the gold replaced: in the fields that are `holding` it, and where another equals it."""
    if key == "golds":
        return [{**item, "text": SENTINEL} for item in value]
    if isinstance(value, str) and (key in holding or (value == gold and key not in ("question", "context"))):
        return SENTINEL
    if isinstance(value, dict) and key != "answer":
        return {name: SENTINEL if item == gold else item for name, item in value.items()}
    return value


# -- its golds -------------------------------------------------------------------------------------------------------


def _golds(task: Task, document: Document, requests: Sequence[Request]) -> Iterator[tuple[str, str]]:
    """(code, what is wrong) for every gold that is not graded right when it is given as the reply."""
    size = task.together(document)
    if document.answer.kind == "lm_eval":
        verdict = task.own_grade(document, _right_choice(task, document, requests), [document.golds[0].text] * size)
        if not verdict.correct and task.output_type != "loglikelihood":
            yield (
                "gold-fails",
                f"the gold {document.golds[0].text[:200]!r}, given as the reply, scores {dict(verdict.metrics)}",
            )
        return
    for gold in document.golds:
        reply = gold.text if document.answer.kind == "text" else f"The answer is known.\n\\boxed{{{gold.text}}}"
        verdict = grading.grade(document, reply)
        if verdict.correct:
            continue
        unreadable = verdict.reason in UNREADABLE_REASONS or not _fits(document, gold.text)
        if unreadable:
            yield "answer-type", f"the gold {gold.text[:200]!r} is no {document.answer.kind} ({verdict.reason})"
        else:
            yield "gold-fails", f"the gold {gold.text[:200]!r}, given as the reply, is graded wrong: {verdict.reason}"


def _fits(document: Document, gold: str) -> bool:
    """Whether a gold is written as its kind of answer demands."""
    answer = document.answer
    if answer.kind == "number":
        return quantities.whole(gold) is not None
    if answer.kind == "choice":
        return all(letter in answer.choices for letter in gold if letter.isalpha())
    if answer.kind == "label":
        return gold in answer.classes or gold in answer.codes
    return True


def _right_choice(task: Task, document: Document, requests: Sequence[Request]) -> list[Response]:
    """Replies that make the gold the likeliest choice (generation tasks ignore them)."""
    gold = task.target(document.row)
    texts = [request.continuation.strip() for request in requests]
    right = gold if isinstance(gold, int) else texts.index(str(gold).strip()) if str(gold).strip() in texts else -1
    return [
        Response(request.id, "", "stop", logprob=0.0 if part == right else -10.0 - part, greedy=part == right)
        for part, request in enumerate(requests)
    ]


def _accepts_nothing(task: Task, document: Document, requests: Sequence[Request]) -> bool:
    """Whether the task's own scoring takes an empty reply for right."""
    if task.output_type != "generate_until":
        return False
    size = task.together(document)
    return task.own_grade(document, [Response(requests[0].id, "", "stop")], [""] * size).correct
