"""Samples of many runs as their files hold them: every verdict and answer, without the prompts and replies.

One pass over each samples file reads the small `finbench` object at the end of every line; whole lines are read again
later, only for the replies that a page shows (pages/drilldown.py). Documents of two runs are the same when id, question and
first gold agree.
"""

from __future__ import annotations

import hashlib
import json
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from finbench.errors import StoreError, foreign
from finbench.records import UNREADABLE_REASONS, Document, Grade, content_hash
from finbench.sanitize import slug
from finbench.scores.significance import Difference, paired

if TYPE_CHECKING:
    import numpy as np

# One character per sample: 0x40 plus these bits; a blank where the run did not answer the document.
CORRECT, LENIENT, TRUNCATED, FAILED, UNREADABLE, JUDGE_DISAGREES, UNSURE = 1, 2, 4, 8, 16, 32, 128


WORDS = ("reason", "rule", "gold", "rival")  # columns of words that repeat: each word is kept once, under NAMEs


@dataclass(frozen=True, slots=True)
class SampleFiles:
    """The samples files of one run and task (a group has one per sub-task), and whose verdict stands for it."""

    paths: tuple[Path, ...]
    by: str = "grader"  # or "judge", or "reference": the score of free text that no judge has read

    @property
    def judged(self) -> bool:
        return self.by == "judge"

    def credit(self, sample: Mapping[str, Any], right: bool) -> float:
        """What a sample counts for in the score of its task."""
        if self.by == "reference" or "score" in sample:
            return credit_of(sample, self.by) or 0.0
        return float(right)


@dataclass(frozen=True, slots=True)
class SampleColumn:
    """One run's samples of one task, as the first pass leaves them; all lists run along `documents`."""

    source: SampleFiles
    documents: array[int]  # index into TaskDocuments.ids, in file order
    repeats: array[int]
    files: array[int]  # index into source.paths
    offsets: array[int]  # where each line starts
    codes: bytearray
    credits: array[float]
    answers: dict[str, list[Any]]
    lucky: tuple[int, ...]  # positions of right answers that no sound calculation gives


@dataclass(slots=True)
class TaskDocuments:
    """The documents of one task over all runs, in the order they were first seen."""

    index: dict[tuple[str, str, str], int] = field(default_factory=dict)
    ids: list[str] = field(default_factory=list)
    questions: list[str] = field(default_factory=list)
    golds: list[list[str]] = field(default_factory=list)
    flags: list[list[str]] = field(default_factory=list)
    facets: list[list[list[str]]] = field(default_factory=list)
    clusters: list[int] = field(default_factory=list)
    names: dict[str, int] = field(default_factory=dict)  # cluster name -> number

    def place(self, sample: Mapping[str, Any]) -> int:
        """The index of a sample's document, added when it is new."""
        golds = [gold["text"] for gold in sample["golds"]]
        key = (sample["id"], sample["question"], golds[0] if golds else "")
        known = self.index.get(key)
        if known is not None:
            return known
        number = self.index[key] = len(self.ids)
        self.ids.append(sample["id"])
        self.questions.append(sample["question"])
        self.golds.append(golds)
        self.flags.append(list(sample.get("flags") or ()))
        self.facets.append([list(pair) for pair in sorted((sample.get("facets") or {}).items())])
        name = sample.get("cluster") or f"\0{number}"
        self.clusters.append(self.names.setdefault(name, len(self.names)))
        return number


def lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Whole lines of a samples file with the offset they start at; a torn last line is left out."""
    offset = 0
    with path.open("rb") as file:
        for line in file:
            if line.endswith(b"\n") or line.rstrip().endswith(b"}"):
                yield offset, line
            offset += len(line)


def samples_files(run_dir: Path, name: str, entry: Mapping[str, Any]) -> list[Path]:
    """The samples files of a task; a group has one per sub-task."""
    parts = entry.get("subtasks") or [name]
    return [path for part in parts if (path := run_dir / f"samples_{slug(part)}.jsonl").exists()]


@dataclass(frozen=True, slots=True)
class GradedReply:
    """One graded reply of a run."""

    document: Document
    text: str
    reasoning: str
    grade: Grade
    repeat: int


def graded_reply(
    line: Mapping[str, Any], task: str, document: Callable[[Mapping[str, Any], str], Document]
) -> GradedReply | None:
    """The graded reply of a line of a samples file; None for log-likelihood samples, which have no text to read.

    `document` makes the document of a row and a task (tasks.documents.document_from_row).
    """
    about, row = line["finbench"], line["doc"]
    text = line["resps"][0][0] if line["resps"] and line["resps"][0] else ""
    if not isinstance(row.get("answer"), Mapping) or not isinstance(text, str):
        return None
    grade = Grade(
        correct=bool(about["correct"]),
        reason=about["reason"],
        extracted=about["extracted"],
        value=about["value"],
        lenient=bool(about["lenient"]),
        certainty=about.get("certainty") or "",
        rival=about.get("rival") or "",
    )
    return GradedReply(document(row, task), text, about.get("reasoning") or "", grade, about.get("repeat") or 0)


def read_results(run_dir: Path, *, samples: bool = True) -> tuple[dict[str, Any], dict[str, Any]]:
    """(run.json, the finbench part of results.json) of a run folder, checked against the digests in run.json.

    The samples files too, unless `samples` is False. Runs of finbench versions without digests are taken as they are.
    Raises StoreError for what is missing, unreadable, or changed since the run wrote it.
    """
    hint = "`finbench score` writes the files of a run again from its stored replies"
    with foreign(f"{run_dir}: no readable run.json and results.json", StoreError, hint):
        manifest = json.loads((run_dir / "run.json").read_text(encoding="utf-8"))
        results = json.loads((run_dir / "results.json").read_text(encoding="utf-8"))["finbench"]
        for name, expected in (manifest.get("files") or {}).items():
            path = run_dir / Path(name).name
            if path.suffix == ".jsonl" and not (samples and path.exists()):
                continue
            if (manifest_digest(manifest) if name == "run.json" else file_digest(path)) != expected:
                raise StoreError(f"{path}: is not what the run wrote, it was changed or damaged since; {hint}")
        return manifest, results


def file_digest(path: Path) -> str:
    """SHA-256 of a file, as `sha256sum` shows it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def manifest_digest(manifest: Mapping[str, Any]) -> str:
    """A hash over run.json without its list of digests."""
    return content_hash({name: value for name, value in manifest.items() if name != "files"})


_KEY = b'"finbench":'
_decode = json.JSONDecoder().raw_decode


def graded(line: bytes) -> dict[str, Any]:
    """The `finbench` object of a samples line, without parsing the prompt and the reply before it where possible.

    Inside a JSON string every quote is escaped, so an unescaped `"finbench":` is a key; when the line ends right
    after its object, it is the outermost one.
    """
    at = line.rfind(_KEY)
    if at > 0:
        text = line[at + len(_KEY) :].decode("utf-8").lstrip()
        value: dict[str, Any]
        value, end = _decode(text)
        if text[end:].strip() == "}":
            return value
    value = json.loads(line)["finbench"]
    return value


def credit_of(sample: Mapping[str, Any], by: str) -> float | None:
    """What a sample counts for (0..1) in the score that `by` gives: "grader", "judge" or "reference".

    None where a judge's score has no verdict of the judge: what it was never asked about is missing, not wrong. `score`
    is lm-eval's own value of a metric that is no mere right or wrong.
    """
    if "score" in sample:
        return float(sample["score"])
    if by == "reference":
        return float((sample.get("metrics") or {}).get("reference", 0.0))
    if by == "judge":
        judge = sample.get("judge")
        return float(judge.get("verdict") == "right") if judge else None
    return float(sample["correct"])


def verdict_of(sample: Mapping[str, Any], judged: bool) -> bool:
    """Right or wrong by the verdict that stands for the task: the judge's where it was asked for, else the grader's."""
    judge = sample.get("judge")
    if judged and judge:
        return bool(judge.get("verdict") == "right")
    return bool(sample["correct"])


def code(sample: Mapping[str, Any], judged: bool = False) -> int:
    """The verdict of one sample as a printable character code."""
    judge = sample.get("judge")
    by_judge = judged and judge  # the verdict that stands is the judge's, and says nothing of how sure the grader is
    bits = CORRECT * verdict_of(sample, judged) | LENIENT * bool(sample.get("lenient"))
    bits |= TRUNCATED * (sample.get("finish") == "length") | FAILED * (sample.get("finish") == "error")
    bits |= UNREADABLE * (sample["reason"] in UNREADABLE_REASONS and sample["reason"] != "error")
    if judge and judge.get("verdict") in ("right", "wrong"):
        bits |= JUDGE_DISAGREES * ((judge["verdict"] == "right") != bool(sample["correct"]))
    bits |= UNSURE * (sample.get("certainty") == "unsure" and not by_judge)
    return 0x40 | bits


def read_cell(source: SampleFiles, task: TaskDocuments) -> SampleColumn:
    """The first pass over the samples of one run and task; documents that are new are added to `task`."""
    rows: list[Any] = []
    lucky: list[int] = []
    for number, path in enumerate(source.paths):
        for offset, line in lines(path):
            try:
                sample = graded(line)
                verdict = code(sample, source.judged)
                placed = (task.place(sample), sample.get("repeat") or 0, number, offset, verdict)
            except (ValueError, KeyError, TypeError) as error:
                what = f"the line at byte {offset} is no graded sample"
                raise StoreError(f"{path}: {what}; run `finbench score {path.parent}`") from error
            get = sample.get
            if (get("metrics") or {}).get("lucky_share"):
                lucky.append(len(rows))
            answer = (get("extracted"), get("value"), get("output_tokens"))
            words = (get("reason") or "", get("rule") or "", get("gold_hit") or "", get("rival") or "")
            rows.append((*placed, source.credit(sample, bool(verdict & CORRECT)), *answer, *words))
    documents, repeats, files, offsets, codes, credits, extracted, value, tokens, *columns = (
        zip(*rows, strict=True) if rows else ((),) * 13
    )
    answers: dict[str, list[Any]] = {
        "extracted": list(extracted),
        "value": [None if one == shown else one for one, shown in zip(value, extracted, strict=True)],
        "tokens": list(tokens),
    }
    for name, column in zip(WORDS, columns, strict=True):
        known = {word: place for place, word in enumerate(dict.fromkeys(column))}
        answers[name], answers[f"{name}s"] = [known[word] for word in column], list(known)
    places, turns, parts, starts = (array("q", column) for column in (documents, repeats, files, offsets))
    return SampleColumn(
        source, places, turns, parts, starts, bytearray(codes), array("d", credits), answers, tuple(lucky)
    )


@dataclass(frozen=True, slots=True)
class Samples:
    """All samples of a page: the cells by (row, task), the documents of every task.

    `credits` holds per cell the mean score on every document over its repeats, nan where the row was not asked.
    """

    cells: Mapping[tuple[int, int], SampleColumn]
    tasks: Mapping[int, TaskDocuments]
    credits: Mapping[tuple[int, int], np.ndarray]

    def paired(self, row: int, other: int, task: int) -> Difference | None:
        """One row minus another on the documents of a task that both answered; None when there is none."""
        import numpy as np

        mine, theirs = self.credits.get((row, task)), self.credits.get((other, task))
        if mine is None or theirs is None:
            return None
        shared = np.flatnonzero(~np.isnan(mine) & ~np.isnan(theirs))
        if not len(shared):
            return None
        documents = self.tasks[task]
        alone = len(documents.names) == len(documents.clusters)
        clusters = None if alone else [str(documents.clusters[document]) for document in shared]
        return paired(mine[shared].tolist(), theirs[shared].tolist(), clusters)


def read(sources: Mapping[tuple[int, int], SampleFiles]) -> Samples:
    """The first pass over the samples of (row, task)."""
    import numpy as np

    tasks: dict[int, TaskDocuments] = {}
    cells = {key: read_cell(source, tasks.setdefault(key[1], TaskDocuments())) for key, source in sources.items()}
    credits = {}
    for key, cell in cells.items():
        size = len(tasks[key[1]].ids)
        documents = np.asarray(cell.documents, dtype=np.int64)
        counts = np.bincount(documents, minlength=size).astype(float)
        counts[counts == 0] = np.nan
        credits[key] = np.bincount(documents, np.asarray(cell.credits), minlength=size) / counts
    return Samples(cells, tasks, credits)


def first_reply(sample: Mapping[str, Any]) -> str:
    """The text of a sample's reply; empty when there is none."""
    replies: Sequence[Any] = sample.get("resps") or [[""]]
    return str(replies[0][0] if replies[0] else "")
