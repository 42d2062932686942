"""Replies from elsewhere: sample logs of lm-eval and finbench, and plain files with columns; and our own runs again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from finbench.errors import DataError, StoreError, foreign
from finbench.records import Document, Grade, Response
from finbench.runs import files, grading_process, manifest, scoring
from finbench.runs.logs import Log
from finbench.runs.store import Store
from finbench.scores import samples
from finbench.scores.aggregates import GroupRule
from finbench.scores.tally import SCHEMA, Tally

# Of a task that lm-eval's own code scored: what its aggregation says.
OWN_FIELDS = (
    *("score", "ci", "lenient", "lenient_ci", "metric", "scale", "higher_is_better", "by_question"),
    *("clusters", "design_effect"),
)

AGAIN = "the `finbench run` command of this run repairs it"
Watcher = Callable[[Document, Response, Grade], None]


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


def score_logs(logs: Sequence[Log], watch: Watcher | None = None) -> dict[str, Any]:
    """Grade the questions of logs and summarize each log as one task; `watch` sees each verdict as it is made.

    Of several logs each task bears its file's name. Raises DataError, with the first problem of a log, where nothing in
    it could be graded.
    """
    tasks: dict[str, Any] = {}
    for log in logs:
        name, entry = _score(log, watch)
        tasks[log.path.stem.removeprefix("samples_") if len(logs) > 1 else name] = entry
    return {
        "schema": SCHEMA,
        "run_dir": str(logs[0].path),
        "model": logs[0].path.stem,
        "protocol": "imported",
        "tasks": tasks,
        "average": None,
        "comparable_average": None,
        "sampled": [],
        "reported": [],
    }


def _score(log: Log, watch: Watcher | None) -> tuple[str, dict[str, Any]]:
    """The name of a log's task and its entry."""
    tally, name = Tally(), "custom"
    with foreign(log.path):
        for found in log:
            verdicts = [found.verdict or scoring.grade(found.document, [response]) for response in found.responses]
            graded = list(zip(found.responses, verdicts, strict=True))
            tally.add(found.document, [([response], verdict, None) for response, verdict in graded])
            name = found.document.task or name
            if watch:
                for response, verdict in graded:
                    watch(found.document, response, verdict)
    if not tally.n:
        raise DataError(next(iter(log.problems or log.left_out), f"{log.path}: holds no samples"))
    with foreign(log.path):
        return name, tally.summary()
