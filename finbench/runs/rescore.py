"""Replies from elsewhere: sample logs of lm-eval and finbench, and plain files with columns; and our own runs again."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finbench.errors import DataError, StoreError, run_files
from finbench.grading.lines import document_of
from finbench.records import Document, Finish, Grade, Response
from finbench.runs import files, grading_process, manifest, scoring
from finbench.runs.store import Store
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
Watcher = Callable[[Document, Response, Grade], None]


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns of a plain file hold what."""

    question: str = "question"
    gold: str = "gold"
    gold_display: str | None = None
    reply: str = "output"
    id: str = "id"


def rescore(folder: Path) -> tuple[dict[str, Any], int]:
    """Grade every reply of a run again and write its result files; the new document and how many verdicts changed."""
    run_file = folder / "run.json"
    if not (folder / "responses.sqlite").is_file() or not run_file.is_file():
        raise StoreError(f"{folder}: is not a run folder (no run.json and responses.sqlite); give the folder of a run")
    with run_files(folder):
        about = read_object(run_file)
        before = read_object(folder / "results.json")
        infos = [_info(name, entry, before) for name, entry in about["tasks"].items()]
        with Store(folder) as store:
            opened = bool((about["profile"].get("thinking") or {}).get("opened"))
            changed = sum(grading_process.regrade(store, info.name, opened=opened) for info in infos)
            rules = {name: GroupRule.of(rule) for name, rule in about.get("group_rules", {}).items()}
            summary = files.summarize(store, folder, infos, about["groups"], about["suite"], rules=rules)
            _keep_aggregates(summary["tasks"], before["finbench"]["tasks"])
        if about["status"] != "interrupted":
            about["status"] = manifest.status(summary)
        earlier = before["finbench"]
        document = manifest.document(
            folder, about["model"], about["protocol"], summary, earlier["sampled"], earlier.get("notes", ())
        )
        sizes = {name: entry["of"] for name, entry in about["tasks"].items()}
        manifest.write(folder, about, document, infos, sizes)
        return document, changed


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


def read(path: Path, form: str, task: str, columns: Columns) -> Iterator[Sample]:
    """The (document, reply) pairs of a file; `form` is "generic" for plain columns, else recognised line by line."""
    if not path.is_file():
        raise DataError(f"{path}: no such file or run folder")
    for number, row in enumerate(data_files.read(path), start=1):
        where = f"{path}:{number}"
        if form == "generic" and columns.gold in row and row[columns.gold] in (None, ""):
            logging.getLogger("finbench").warning("%s: no gold, left out", where)
            continue
        try:
            yield _plain(row, task, columns, number) if form == "generic" else _logged(row, task, number)
        except ValueError as err:
            raise DataError(f"{where}: {err}") from err
        except (KeyError, IndexError, TypeError, AttributeError) as err:
            hint = (
                "--question, --gold and --reply name its columns"
                if form == "generic"
                else "--format generic reads columns"
            )
            raise DataError(f"{where}: has no {err}; found {', '.join(map(str, row))[:300]}; {hint}") from err


def _plain(row: Mapping[str, Any], task: str, columns: Columns, number: int) -> Sample:
    display = row[columns.gold_display] if columns.gold_display else None
    named = {"id": row.get(columns.id, number), "question": row[columns.question], "gold": row[columns.gold]}
    document = document_of({"task": task, **named, "gold_display": display})
    return document, Response(document.id, str(row[columns.reply] or ""), "stop")


def _logged(row: Mapping[str, Any], task: str, number: int) -> Sample:
    """A line of samples_*.jsonl: a row of ours carries its answer type; for others `task` says how to read it."""
    inner = row["doc"]
    ours = row.get("finbench") or {}
    reply = row["resps"][0][0]
    if isinstance(inner, Mapping) and isinstance(inner.get("answer"), Mapping):
        document = document_from_row(inner, task)
    else:
        question = str(inner.get("question", "")) if isinstance(inner, Mapping) else ""
        named = {"id": row.get("doc_id", number), "question": question, "gold": row["target"]}
        document = document_of({"task": task, **named})
    finish: Finish = ours.get("finish", "stop") if ours.get("finish") in ("stop", "length", "error") else "stop"
    return document, Response(document.id, str(reply), finish, reasoning=str(ours.get("reasoning", "")))


def score_samples(path: Path, samples: Iterator[Sample], watch: Watcher | None = None) -> dict[str, Any]:
    """Grade pairs and summarize them as one task; `watch` sees each verdict as it is made."""
    tally = Tally()
    name = ""
    for document, response in samples:
        verdict = scoring.grade(document, [response])
        tally.add(document, [([response], verdict, None)])
        name = document.task
        if watch:
            watch(document, response, verdict)
    if not tally.n:
        raise DataError(f"{path}: holds no samples")
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
