"""`finbench tasks check`: a task is read, rendered and graded against itself before a GPU hour is spent on it.

Every prompt is rendered as a run would; every gold answer, given as the reply, has to be graded right; and the text of
the task files is looked over (lint.py). Python of the folder runs only with consent: without it, what would run is
listed with its hash, and the rows stay unread.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finbench import grading
from finbench.errors import DataError, FinbenchError, TaskError
from finbench.records import UNREADABLE_REASONS, Document, Request, Response, text_hash
from finbench.tasks import load, table_files, yaml_files
from finbench.tasks.authoring import lint
from finbench.tasks.authoring.findings import CODES, Finding, Report
from finbench.tasks.authoring.lint import Setting
from finbench.tasks.data_files import SAMPLE, DataMissing
from finbench.tasks.task import Asking, Task
from finbench.text import quantities

SENTINEL = "FINBENCHGOLD"
SENTINEL_DOCUMENTS = 50  # a template that shows the gold shows it on any row
ASKING = Asking("check")


def check(
    target: str | Path,
    *,
    include: Sequence[Path] = (),
    data: str | None = None,
    trust: bool = False,
    context_length: int = 32_768,
    allow: Sequence[str] = (),
) -> Report:
    """Check a task folder, one YAML, or a task or group by name. Raises TaskError when there is no such thing."""
    unknown = sorted(set(allow) - set(CODES))
    if unknown:
        raise TaskError(f"--allow {unknown[0]}: no such code; there are {', '.join(CODES)}")
    report = Report(str(target), frozenset(allow))
    names, folders = _targets(str(target), include, report)
    known = {name: folder for folder in folders for name in folder.files}
    places = [folder.root for folder in folders[1:]]
    for group in _groups(names, str(target), folders[1:]):
        for finding in lint.foreign_code(group.name, [group], {}):
            report.add(finding)
    for name in names:
        before = len(report.findings)
        try:
            _check_task(name, known, places, data, trust, context_length, report)
        except FinbenchError as err:
            if len(report.findings) == before or not str(err).startswith("task "):
                report.add(Finding("load", name, _file_of(name, known), 0, str(err)))
    return report


def _groups(names: Sequence[str], target: str, folders: Sequence[yaml_files.Folder]) -> Iterator[yaml_files.TaskFile]:
    """The group files of others that are the target, or that hold one of its tasks: they may carry code too."""
    for folder in folders:
        for file in folder.files.values():
            if file.kind == "group" and (file.name == target or set(folder.members(file.name)) & set(names)):
                yield file


def _file_of(name: str, known: Mapping[str, yaml_files.Folder]) -> str:
    return str(known[name].files[name].path) if name in known else ""


def _targets(target: str, include: Sequence[Path], report: Report) -> tuple[list[str], list[yaml_files.Folder]]:
    """The task names to check, and the folders they may come from: the shipped one first, later ones win."""
    shipped = load.shipped_folder()
    path = Path(target)
    if not (path.is_dir() or path.suffix in (".yaml", ".yml")):
        folders = [yaml_files.scan(folder) for folder in (shipped, *include)]
        known = {name: folder for folder in folders for name in folder.files}
        wanted = "finbench" if target == "all" else target
        if wanted not in known:
            raise TaskError(load.unknown([target], known, folders))
        return list(dict.fromkeys(load.leaves_of(wanted, known))), folders
    if not path.exists():
        raise TaskError(f"{path}: no such file or folder")
    root = (path if path.is_dir() else path.parent).resolve()
    ours = root.is_relative_to(shipped.resolve())
    folders = [yaml_files.scan(folder) for folder in (shipped, *include, *([] if ours else [root]))]
    own = yaml_files.scan(root)
    wanted_path = None if path.is_dir() else path.resolve()
    for broken, reason in own.broken.items():
        if wanted_path in (None, broken):
            report.add(Finding("unreadable", "", str(broken), _line_in(reason, broken), reason))
    files = [file for file in own.files.values() if wanted_path in (None, file.path)]
    if not files and not own.broken:
        raise TaskError(f"{path}: defines no task; a task file has `task: NAME`")
    known = {name: folder for folder in folders for name in folder.files}
    leaves = [leaf for file in files for leaf in load.leaves_of(file.name, known)]
    return list(dict.fromkeys(leaf for leaf in leaves if leaf in own.files)), folders


def _line_in(reason: str, path: Path) -> int:
    found = re.match(re.escape(str(path)) + r":(\d+)", reason)
    return int(found[1]) if found else 0


# -- one task --------------------------------------------------------------------------------------------------------


def _check_task(
    name: str,
    known: Mapping[str, yaml_files.Folder],
    places: Sequence[Path],
    data: str | None,
    trust: bool,
    context_length: int,
    report: Report,
) -> None:
    folder = known[name]
    file, chain = folder.files[name], folder.chain(name)
    settings = lint.effective(file, folder)
    for finding in lint.lint(name, chain, settings):
        report.add(finding)
    if folder.root != load.shipped_folder():
        foreign = list(lint.foreign_code(name, chain, settings))
        if foreign:
            report.would_run |= {str(path): _hash_of(path) for path in yaml_files.python_files(chain)}
        if foreign and not trust:
            for finding in foreign:
                report.add(finding)
            report.notes.append(f"{name}: its rows were not read; look at the Python above, then --trust-task-code")
            return
    elsewhere = lint.network_rows(settings)
    if elsewhere:
        text = f"its rows are those of {elsewhere!r}, which a run would fetch; they were not checked"
        report.add(Finding("network", name, str(file.path), 0, text))
        return
    lines = _lines(name, settings, file, data, report)
    if lines is None:
        return
    try:
        loaded = load.load([name], include=places, data=data, trust=trust, builtins=False).tasks
    except DataMissing:
        report.notes.append(f"{name}: its rows were not found; the sample rows were checked")
        data = SAMPLE
        loaded = load.load([name], include=places, data=data, trust=trust, builtins=False).tasks
    if not lines and data == SAMPLE:
        sample = [line for line, _ in table_files.numbered(file.path.parent / "sample.jsonl")]
        lines = sample if len(sample) == len(loaded[0]) else []
    rows_file = _rows_path(settings, file, data)
    _check_documents(loaded[0], _Where(rows_file, lines, str(file.path)), context_length, report)


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
    row = dict(document.row)
    target = task.target_setting
    keys = {"gold", "golds"} | ({target} if isinstance(target, str) else set())
    gold = row.get("gold", row.get(target) if isinstance(target, str) else None)
    if not isinstance(gold, str) or not gold:
        return None
    for key, value in row.items():
        if key == "golds":
            row[key] = [{**item, "text": SENTINEL} for item in value]
        elif isinstance(value, str) and (key in keys or (value == gold and key not in ("question", "context"))):
            row[key] = SENTINEL
        elif isinstance(value, dict) and key != "answer":
            row[key] = {name: SENTINEL if item == gold else item for name, item in value.items()}
    return row


# -- its golds -------------------------------------------------------------------------------------------------------


def _golds(task: Task, document: Document, requests: Sequence[Request]) -> Iterator[tuple[str, str]]:
    """(code, what is wrong) for every gold that is not graded right when it is given as the reply."""
    if document.answer.kind == "lm_eval":
        verdict = task.own_grade(document, _right_choice(task, document, requests), document.golds[0].text)
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
    return task.own_grade(document, [Response(requests[0].id, "", "stop")], "").correct
