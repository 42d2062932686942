"""Replies from elsewhere: sample logs of lm-eval and finbench, and plain files with columns; and our own runs again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from finbench.errors import DataError, StoreError, foreign
from finbench.grading.lines import document_of
from finbench.records import Document, Finish, Grade, Response, text_hash
from finbench.runs import files, grading_process, manifest, scoring
from finbench.runs.store import Store
from finbench.scores import samples
from finbench.scores.aggregates import GroupRule
from finbench.scores.tally import SCHEMA, Tally
from finbench.tasks import data_files
from finbench.tasks.documents import document_from_row

# Of a task that lm-eval's own code scored: what its aggregation says.
OWN_FIELDS = (
    *("score", "ci", "lenient", "lenient_ci", "metric", "scale", "higher_is_better", "by_question"),
    *("clusters", "design_effect"),
)

Sample = tuple[Document, Response]
AGAIN = "the `finbench run` command of this run repairs it"
Watcher = Callable[[Document, Response, Grade], None]


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns of a plain file hold what."""

    question: str = "question"
    gold: str = "gold"
    gold_display: str | None = None
    reply: str = "output"
    id: str = "id"


class Rescored(NamedTuple):
    """A run graded again: the `--json` document, how many verdicts changed, and what is wrong with its files, in words."""

    document: dict[str, Any]
    changed: int
    problems: list[str]


def rescore(folder: Path) -> Rescored:
    """Grade every reply of a run again and write its result files anew.

    Damaged replies are left out and listed; the command that made the run asks them again. Raises StoreError when the
    folder holds no run, or run.json or the store cannot be used.
    """
    run_file = folder / "run.json"
    if not (folder / "responses.sqlite").is_file() or not run_file.is_file():
        raise StoreError(f"{folder}: is not a run folder (no run.json and responses.sqlite); give the folder of a run")
    with foreign(run_file, StoreError, AGAIN):
        about = _manifest(run_file)
        problems: list[str] = []
        before = _results(folder, about, problems)
        sampled = about.get("sampled") or list(before["finbench"].get("sampled") or ())
        infos = [_info(name, entry, before) for name, entry in about["tasks"].items()]
        with Store(folder) as store:
            opened = bool((about["profile"].get("thinking") or {}).get("opened"))
            changed = sum(grading_process.regrade(store, info.name, opened=opened) for info in infos)
            rules = {name: GroupRule.of(rule) for name, rule in about.get("group_rules", {}).items()}
            summary = files.summarize(store, folder, infos, about["groups"], about["suite"], rules=rules)
            _keep_aggregates(summary["tasks"], before["finbench"].get("tasks", {}))
            problems += [f"{words}; left out" for words in store.damaged.values()]
        if about["status"] != "interrupted":
            about["status"] = manifest.status(summary)
        counted = manifest.counted(summary)
        problems += _lost(about["tasks"], counted, len(problems))
        notes = before["finbench"].get("notes", ())
        document = manifest.document(folder, about["model"], about["protocol"], summary, sampled, notes)
        sizes = {name: entry["of"] for name, entry in about["tasks"].items()}
        for name, entry in about["tasks"].items():
            entry["n"] = counted.get(name, 0)
        if problems and about["status"] == "complete":
            about["status"] = "partial"  # so that the run's own command looks at it again
        manifest.write(folder, about, document, infos, sizes)
        return Rescored(document, changed, problems)


def _manifest(path: Path) -> dict[str, Any]:
    """run.json, unless it is not what was written: without it nobody knows what the store's replies are."""
    about = read_object(path)
    if (about.get("files") or {}).get("run.json") not in (None, samples.manifest_digest(about)):
        raise StoreError(f"{path}: is not what the run wrote, it was changed or damaged since; {AGAIN}")
    return about


def _results(folder: Path, about: Mapping[str, Any], problems: list[str]) -> dict[str, Any]:
    """results.json as far as the store does not make it anew: lm-eval's settings and aggregates; none where it is damaged."""
    path = folder / "results.json"
    try:
        before = read_object(path)
        if (about.get("files") or {}).get(path.name) in (None, samples.file_digest(path)):
            return before
        words = "is not what the run wrote"
    except (DataError, OSError) as err:
        words = str(err).removeprefix(f"{path}: ")
    problems.append(f"{path}: {words}; lm-eval's settings and aggregates in it are left out, {AGAIN}")
    return {"configs": {}, "higher_is_better": {}, "finbench": {}}


def _lost(tasks: Mapping[str, Any], counted: Mapping[str, int], known: int) -> Iterator[str]:
    """Documents that the run counted and its store no longer holds, where nothing else has said so."""
    for name, entry in tasks.items():
        if counted.get(name, 0) < entry["n"] and not known:
            yield f"{name}: the store holds {counted.get(name, 0):,} of {entry['n']:,} answered documents; {AGAIN}"


def _keep_aggregates(entries: Mapping[str, Any], before: Mapping[str, Any]) -> None:
    """lm-eval's own aggregates ("exact_match,strict") and the score that is one of them: its verdicts were not touched,
    and only the task itself could sum them up again, so they stand as they were."""
    for name, entry in entries.items():
        earlier = before.get(name, {})
        if "metric" in earlier:
            entry |= {key: earlier[key] for key in OWN_FIELDS if key in earlier}
        upstream = {key: value for key, value in earlier.get("metrics", {}).items() if "," in key}
        entry["metrics"] = {**upstream, **entry["metrics"]}
        _keep_aggregates(entry.get("subtasks", {}), earlier.get("subtasks", {}))


def _info(name: str, entry: Mapping[str, Any], before: Mapping[str, Any]) -> files.TaskInfo:
    return files.TaskInfo(
        name,
        bool(entry.get("judged")),
        entry["template_hash"],
        entry["version"],
        before["configs"].get(name, {}),
        before["higher_is_better"].get(name, {}),
    )


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object of a result file; DataError when it is damaged or something else."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as err:
        raise DataError(f"{path}: cannot be read ({err})") from err
    except ValueError as err:
        raise DataError(
            f"{path}: is not JSON ({err}); the file is damaged, run the command that wrote it again"
        ) from err
    if not isinstance(value, dict):
        raise DataError(f"{path}: holds {type(value).__name__}, expected an object")
    return value


def read(path: Path, form: str, task: str, columns: Columns) -> Log:
    """The pairs of a file, read when they are asked for; `form` names a reader of READERS."""
    if not path.is_file():
        raise DataError(f"{path}: no such file or run folder")
    return Log(path, form, task, columns)


class Log:
    """The (document, reply) pairs of somebody's file, in its order.

    A line that cannot be read does not hide the others: it is listed in `problems` with its number. A question counts
    once: of several lines with the same id, repeat and question the first counts, the others are in `left_out`, as are
    rows of a plain file whose gold is empty.
    """

    def __init__(self, path: Path, form: str, task: str, columns: Columns) -> None:
        self.path, self.form, self.task, self.columns = path, form, task, columns
        self.problems: list[str] = []
        self.left_out: list[str] = []

    def __iter__(self) -> Iterator[Sample]:
        reader = READERS[self.form]
        first: dict[tuple[str, str, int], int] = {}
        for number, row in self._rows():
            if self.form == "generic" and row.get(self.columns.gold, 0) in (None, ""):
                self.left_out.append(f"{self.path}:{number}: no gold")
                continue
            try:
                with foreign(f"{self.path}:{number}", hint=self._hint(row)):
                    found = reader(row, self.task, self.columns, number)
                    place = (found[0].id, text_hash(found[0].question), _repeat(row))
            except DataError as err:
                self.problems.append(str(err))
                continue
            earlier = first.setdefault(place, number)
            if earlier == number:
                yield found
            else:
                self.left_out.append(f"{self.path}:{number}: {found[0].id!r} stands in line {earlier} already")

    def _rows(self) -> Iterator[tuple[int, Mapping[str, Any]]]:
        """Rows with their numbers, from 1; an array or table that breaks off ends there."""
        if self.path.suffix == ".jsonl":
            yield from self._lines()
            return
        rows, number = data_files.read(self.path), 0
        try:
            for number, row in enumerate(rows, 1):
                yield number, row
        except DataError as err:
            self.problems.append(f"{err} (after {number:,} rows)")

    def _lines(self) -> Iterator[tuple[int, Mapping[str, Any]]]:
        with self.path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if not line.strip():
                    continue
                try:
                    with foreign(f"{self.path}:{number}"):
                        row = json.loads(line.decode("utf-8-sig"))
                        if not isinstance(row, dict):
                            raise DataError(f"{self.path}:{number}: holds {type(row).__name__}, expected an object")
                except DataError as err:
                    self.problems.append(str(err))
                    continue
                yield number, row

    def _hint(self, row: Mapping[str, Any]) -> str:
        found = f"found {', '.join(map(str, row))[:300]}"
        wanted = "--question, --gold and --reply name its columns"
        return f"{found}; {wanted if self.form == 'generic' else '--format generic reads columns'}"


def _repeat(row: Mapping[str, Any]) -> int:
    return int((row.get("finbench") or {}).get("repeat") or 0)


def _plain(row: Mapping[str, Any], task: str, columns: Columns, number: int) -> Sample:
    display = row[columns.gold_display] if columns.gold_display else None
    named = {"id": row.get(columns.id, number), "question": row[columns.question], "gold": row[columns.gold]}
    document = document_of({"task": task, **named, "gold_display": display})
    return document, Response(document.id, str(row[columns.reply] or ""), "stop")


def _logged(row: Mapping[str, Any], task: str, columns: Columns, number: int) -> Sample:
    """A line of samples_*.jsonl: a row of ours carries its answer type; for others `task` says how to read it."""
    inner = row["doc"]
    ours = row.get("finbench") or {}
    reply = row["resps"][0][0]
    if isinstance(inner, Mapping) and isinstance(inner.get("answer"), Mapping):
        document = document_from_row(inner, task)
        if document.answer.kind == "lm_eval":
            raise ValueError(
                "its task is scored by lm-eval's own code; `finbench score` of the run's folder keeps that"
            )
    else:
        question = str(inner.get("question", "")) if isinstance(inner, Mapping) else ""
        named = {"id": row.get("doc_id", number), "question": question, "gold": row["target"]}
        document = document_of({"task": task, **named})
    finish: Finish = ours.get("finish", "stop") if ours.get("finish") in ("stop", "length", "error") else "stop"
    return document, Response(document.id, str(reply), finish, reasoning=str(ours.get("reasoning", "")))


# How a row of a file is read, by the name that `--format` gives.
READERS: dict[str, Callable[[Mapping[str, Any], str, Columns, int], Sample]] = {"auto": _logged, "generic": _plain}


def score_samples(path: Path, log: Iterable[Sample], watch: Watcher | None = None) -> dict[str, Any]:
    """Grade pairs and summarize them as one task; `watch` sees each verdict as it is made.

    Raises DataError, with the first problem of the log, where nothing could be graded.
    """
    tally = Tally()
    name = ""
    with foreign(path):
        for document, response in log:
            verdict = scoring.grade(document, [response])
            tally.add(document, [([response], verdict, None)])
            name = document.task
            if watch:
                watch(document, response, verdict)
    if not tally.n:
        raise DataError(next(iter(getattr(log, "problems", ())), f"{path}: holds no samples"))
    with foreign(path):
        summary = {"tasks": {name or "custom": tally.summary()}, "average": None, "comparable_average": None}
    return {
        "schema": SCHEMA,
        "run_dir": str(path),
        "model": path.stem,
        "protocol": "imported",
        **summary,
        "sampled": [],
        "reported": [],
    }
