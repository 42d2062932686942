"""The Python API, as small as the command line: `finbench.run(...)`, `finbench.grade(...)`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from finbench.records import Answer, Document, Gold, Grade
from finbench.sanitize import shown, slug

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True, slots=True, repr=False)
class Run:
    """A finished run: its folder, and the same document that `finbench run --json` prints."""

    folder: Path
    document: Mapping[str, Any]

    def __repr__(self) -> str:
        scores = ", ".join(f"{name} {entry['score']:.1f}" for name, entry in self.document["tasks"].items())
        return f"<finbench.Run {self.document['model']} in {str(self.folder)!r}: {scores or 'no replies'}>"

    def _repr_html_(self) -> str:
        """What a notebook shows: a line per task with n, score, 95 % interval and lenient score."""
        heads = ("task", "n", "score", "95% interval", "lenient")
        rows = [
            (name, f"{e['n']:,}", f"{e['score']:.1f}", f"{e['ci'][0]:.1f} to {e['ci'][1]:.1f}", f"{e['lenient']:.1f}")
            for name, e in self.document["tasks"].items()
        ]
        if average := self.document.get("average"):
            low, high = average["ci"]
            rows.append(("average", "", f"{average['score']:.1f}", f"{low:.1f} to {high:.1f}", ""))
        title = f"{self.document['model']}, protocol {self.document['protocol']}"
        lines = [_line("th", heads), *(_line("td", row) for row in rows)]
        return f"<table><caption>{escape(shown(title))}</caption>{''.join(lines)}</table>"

    def table(self) -> pandas.DataFrame:
        """One row per task: n, score and interval from 0 to 100, lenient score, unreadable, truncated, errors.

        `unsure` is the percent of verdicts that the grader calls unsure, `range_low` to `range_high` the score from all
        of them wrong to all of them right; missing where the score is not the grader's or older than certainty.
        """
        import pandas

        keys = ("n", "score", "lenient", "unreadable", "truncated", "errors")
        rows = {
            name: {key: entry[key] for key in keys} | {"low": entry["ci"][0], "high": entry["ci"][1]} | _doubt(entry)
            for name, entry in self.document["tasks"].items()
        }
        return pandas.DataFrame.from_dict(rows, orient="index")

    def samples(self, task: str) -> pandas.DataFrame:
        """One row per document and repeat of a task: question, golds, reply, extracted answer, verdict, reason.

        `certainty` is "sure" or "unsure", `rival` the other reading that makes it unsure; both are empty where the
        verdict is older than certainty.

        Raises KeyError for a task that the run does not hold.
        """
        import pandas

        path = self.folder / f"samples_{slug(task)}.jsonl"
        if not path.is_file():
            raise KeyError(f"{task}: this run holds {', '.join(self.document['tasks'])}")
        with path.open(encoding="utf-8") as lines:
            return pandas.DataFrame([_flat(json.loads(line)) for line in lines])


def _doubt(entry: Mapping[str, Any]) -> dict[str, float | None]:
    low, high = entry.get("range") or (None, None)
    return {"unsure": entry.get("unsure"), "range_low": low, "range_high": high}


def _line(tag: str, cells: Sequence[str]) -> str:
    return f"<tr>{''.join(f'<{tag}>{escape(shown(cell))}</{tag}>' for cell in cells)}</tr>"


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
        **{key: ours.get(key) or "" for key in ("certainty", "rival")},
    }


def load(folder: str | Path) -> Run:
    """The run in a folder; StoreError where its files are missing or were changed."""
    from finbench.scores.samples import read_results

    return Run(Path(folder), read_results(Path(folder))[1])


PATHS = ("output", "reports", "prices")  # settings that may be given as text
LISTS = {"include": Path, "base_urls": str, "judge_base_urls": str}  # and those that may be one value or several


def run(model: str, tasks: str | Sequence[str] = (), **settings: Any) -> Run:
    """Run a model; the further settings are the fields of `finbench.runs.plan.Settings` (docs/run.md).

    Paths may be text, and one task, folder or server needs no list around it. The same call again continues a run that was
    stopped. Raises finbench.errors.FinbenchError for whatever a user can mend.
    """
    from finbench.runs import execute

    given: dict[str, Any] = {
        name: Path(value) if name in PATHS and value is not None else value for name, value in settings.items()
    }
    given |= {name: tuple(map(kind, _several(given[name]))) for name, kind in LISTS.items() if name in given}
    chosen = execute.Settings(model=model, tasks=tuple(_several(tasks)), **given)
    execute.begin(chosen)
    outcome = execute.execute(execute.plan(chosen))
    return Run(outcome.folder, outcome.document)


def _several(value: str | Path | Sequence[Any]) -> Sequence[Any]:
    return (value,) if isinstance(value, str | Path) else value


def grade(reply: str, gold: str, *, question: str = "", kind: str = "number", **answer: Any) -> Grade:
    """The verdict on one reply; `answer` holds further fields of `finbench.records.Answer`, such as unit="percent".

    >>> grade("It grew, so \\\\boxed{14.2\\\\%}", "0.142", question="what is the growth rate?").reason
    'percent_form'
    """
    from finbench import grading

    declared = Answer(kind=kind, **answer)  # type: ignore[arg-type]  # refused by the grader when unknown
    return grading.grade(Document("", "", question, declared, (Gold(gold),)), reply)
