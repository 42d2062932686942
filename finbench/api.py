"""The Python API, as small as the command line: `finbench.run(...)`, `finbench.grade(...)`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from finbench.records import Answer, Document, Gold, Grade

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True, slots=True)
class Run:
    """A finished run: its folder, and the same document that `finbench run --json` prints."""

    folder: Path
    document: Mapping[str, Any]

    def table(self) -> pandas.DataFrame:
        """One row per task: n, score and interval from 0 to 100, lenient score, unreadable, truncated, errors."""
        import pandas

        keys = ("n", "score", "lenient", "unreadable", "truncated", "errors")
        rows = {
            name: {key: entry[key] for key in keys} | {"low": entry["ci"][0], "high": entry["ci"][1]}
            for name, entry in self.document["tasks"].items()
        }
        return pandas.DataFrame.from_dict(rows, orient="index")

    def samples(self, task: str) -> pandas.DataFrame:
        """One row per document and repeat of a task: question, golds, reply, extracted answer, verdict, reason.

        Raises KeyError for a task that the run does not hold.
        """
        import pandas

        from finbench.sanitize import slug

        path = self.folder / f"samples_{slug(task)}.jsonl"
        if not path.is_file():
            raise KeyError(f"{task}: this run holds {', '.join(self.document['tasks'])}")
        with path.open(encoding="utf-8") as lines:
            return pandas.DataFrame([_flat(json.loads(line)) for line in lines])


def _flat(line: Mapping[str, Any]) -> dict[str, Any]:
    ours = line["finbench"]
    return {
        "id": ours["id"],
        "repeat": ours["repeat"],
        "question": ours["question"],
        "gold": ours["golds"][0]["text"],
        "reply": line["resps"][0][0],
        **{
            key: ours[key]
            for key in ("extracted", "correct", "lenient", "reason", "finish", "output_tokens", "seconds")
        },
    }


def load(folder: str | Path) -> Run:
    """The run in a folder; StoreError where its files are missing or were changed."""
    from finbench.scores.samples import read_results

    return Run(Path(folder), read_results(Path(folder))[1])


def run(model: str, tasks: Sequence[str] = (), **settings: Any) -> Run:
    """Run a model; the further settings are the fields of `finbench.runs.plan.Settings` (docs/run.md).

    The same call again continues a run that was stopped. Raises finbench.errors.FinbenchError for whatever a user can
    mend.
    """
    from finbench.runs import execute

    chosen = execute.Settings(model=model, tasks=tuple(tasks), **settings)
    execute.begin(chosen)
    outcome = execute.execute(execute.plan(chosen))
    return Run(outcome.folder, outcome.document)


def grade(reply: str, gold: str, *, question: str = "", kind: str = "number", **answer: Any) -> Grade:
    """The verdict on one reply; `answer` holds further fields of `finbench.records.Answer`, such as unit="percent".

    >>> grade("It grew, so \\\\boxed{14.2\\\\%}", "0.142", question="what is the growth rate?").reason
    'percent_form'
    """
    from finbench import grading

    declared = Answer(kind=kind, **answer)  # type: ignore[arg-type]  # refused by the grader when unknown
    return grading.grade(Document("", "", question, declared, (Gold(gold),)), reply)
