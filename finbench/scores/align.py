"""Two runs side by side: which questions they share, by content, and what each made of them.

A question is the same when its task, its id and its whole document are. What one run holds of a task is kept small
(a hash, a score, a reason for each question); texts stay in the samples files and are read again by their offset.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from finbench.errors import StoreError, foreign
from finbench.sanitize import shown, slug
from finbench.scores.agreement import column
from finbench.scores.samples import credit_of, lines, read_results


@dataclass(frozen=True, slots=True)
class TaskFiles:
    """A task of a run: its samples files (one per part of a group), and whose verdict its score is (`verdict_by`)."""

    name: str
    files: tuple[Path, ...]
    by: str
    paired: bool = True  # the score is a mean over questions; BLEU, perplexity and the like are not


@dataclass(frozen=True, slots=True)
class ComparedRun:
    """A run folder; `tasks` by benchmark, so that a paper variant meets the benchmark it is a variant of."""

    path: Path
    run_id: str
    model: str
    protocol: str
    tasks: Mapping[str, TaskFiles]
    suite: tuple[str, ...]  # the benchmarks of its average, or of its comparable one; empty when it has neither


class ScoredQuestion(NamedTuple):
    """What a run made of one question. The score is the mean over repeats; the reason is the first repeat's.

    `certainty` is "unsure" where any repeat's verdict is; "" where none says, as in runs of earlier versions.
    """

    document: int
    prompt: int
    score: float
    reason: str
    cluster: str
    file: int
    offset: int
    certainty: str


@dataclass(frozen=True, slots=True)
class Unaligned:
    """What stays out of a comparison, and the prompts that differ but stay in."""

    only_first: int
    only_second: int
    changed_document: int
    changed_prompt: int

    def __str__(self) -> str:
        parts = [
            f"{self.only_first:,} only in the first run" if self.only_first else "",
            f"{self.only_second:,} only in the second run" if self.only_second else "",
            f"{self.changed_document:,} left out because the document changed" if self.changed_document else "",
            f"{self.changed_prompt:,} compared although the prompt changed" if self.changed_prompt else "",
        ]
        return ", ".join(part for part in parts if part)


@dataclass(frozen=True, slots=True)
class Sample:
    """The texts of one question in one run, its first repeat's."""

    doc_id: int
    question: str
    extracted: str | None
    reason: str


def open_run(path: Path) -> ComparedRun:
    """The run in a folder; StoreError when it has no readable results."""
    with foreign(f"{path}: no readable run.json and results.json", StoreError, "try `finbench score`"):
        manifest, results = read_results(path)
        tasks = {
            column(name): TaskFiles(
                name,
                tuple(path / f"samples_{slug(part)}.jsonl" for part in entry.get("subtasks") or [name]),
                entry.get("verdict_by") or "grader",
                bool(entry.get("by_question", True)),
            )
            for name, entry in results["tasks"].items()
        }
        mean = results.get("average") or results.get("comparable_average") or {}
        suite = tuple(column(name) for name in mean.get("tasks", ()))
        return ComparedRun(
            path, shown(manifest["run_id"]), shown(manifest["model"]), shown(manifest["protocol"]), tasks, suite
        )


def read_questions(files: Sequence[Path], by: str = "grader") -> dict[str, ScoredQuestion]:
    """The questions of a task in document order, scored as `by` does (samples.credit_of), repeats averaged.

    Lines stream by; memory grows with questions.
    """
    found: dict[str, ScoredQuestion] = {}
    seen: Counter[str] = Counter()
    for index, path in enumerate(files):
        prefix = "" if len(files) == 1 else f"{path.stem} "
        with foreign(path, StoreError, "`finbench score` writes it anew"):
            for offset, line in lines(path):
                name, question = _question(json.loads(line), by, index, offset)
                if question is None:
                    continue
                name = prefix + name
                seen[name] += 1
                before = found.setdefault(name, question)
                mean = before.score + (question.score - before.score) / seen[name]
                unsure = "unsure" in (before.certainty, question.certainty)
                found[name] = before._replace(score=mean, certainty="unsure" if unsure else before.certainty)
    return found


def _question(line: Mapping[str, Any], by: str, file: int, offset: int) -> tuple[str, ScoredQuestion | None]:
    ours = line["finbench"]
    score = credit_of(ours, by)
    if score is None:
        return str(ours["id"]), None
    return str(ours["id"]), ScoredQuestion(
        document=hash(line["doc_hash"]),
        prompt=hash(line["prompt_hash"]),
        score=score,
        reason=sys.intern(str(ours["reason"])),
        cluster=sys.intern(str(ours.get("cluster") or "")),
        file=file,
        offset=offset,
        certainty=sys.intern(str(ours.get("certainty") or "")),
    )


def align(first: Mapping[str, ScoredQuestion], second: Mapping[str, ScoredQuestion]) -> tuple[list[str], Unaligned]:
    """The questions that both runs have with the same document, in the first run's order, and what does not align."""
    common = [name for name in first if name in second]
    same = [name for name in common if first[name].document == second[name].document]
    changed_prompt = sum(first[name].prompt != second[name].prompt for name in same)
    out = Unaligned(len(first) - len(common), len(second) - len(common), len(common) - len(same), changed_prompt)
    return same, out


def read_sample(files: Sequence[Path], question: ScoredQuestion) -> Sample:
    """The texts behind a question."""
    with files[question.file].open("rb") as file:
        file.seek(question.offset)
        line = json.loads(file.readline())
    ours = line["finbench"]
    extracted = None if ours["extracted"] is None else str(ours["extracted"])
    return Sample(int(line["doc_id"]), str(ours["question"]), extracted, str(ours["reason"]))
