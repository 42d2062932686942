"""The door for task YAMLs that plain lm-eval runs: graders as `process_results`, macro-F1 as an aggregation.

    process_results: !function finbench.lm_eval.number
    metric_list:
      - {metric: acc, aggregation: mean, higher_is_better: true}
      - {metric: lenient, aggregation: mean, higher_is_better: true}

Each door takes the row and the filtered replies, as lm-eval gives them, and returns per-sample metrics: `acc` (strict)
and `lenient`, 0 or 1; `label` adds `macro_f1`, a pair (gold class, named class) for the aggregation `macro_f1`.

Importing this module also registers, for YAMLs with filters and metrics of lm-eval's own kind, the filter
`finbench_answer` and the metric `finbench_correct`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from finbench.grading import grade, stated_answer
from finbench.grading.reference import with_reference
from finbench.records import Document, Kind
from finbench.tasks.documents import document_from_row


def rows(**settings: Any) -> dict[str, Any]:
    """{"test": the rows of a table file beside the YAML}: a `custom_dataset` for tasks without Python of their own.

    `dataset_kwargs` of the YAML name the file and what its columns mean; see tasks/table_files.py and docs/custom-tasks.md.
    """
    from finbench.tasks import table_files

    return {"test": table_files.load(settings)}


def number(row: Mapping[str, Any], replies: Sequence[str]) -> dict[str, Any]:
    """Grade a numeric answer (docs/grading.md, Numbers)."""
    return _metrics(row, replies, "number")


def choice(row: Mapping[str, Any], replies: Sequence[str]) -> dict[str, Any]:
    """Grade a single or several choice by its letters or the exact option text."""
    return _metrics(row, replies, "choice")


def boolean(row: Mapping[str, Any], replies: Sequence[str]) -> dict[str, Any]:
    """Grade yes/no, true/false, 是/否."""
    return _metrics(row, replies, "boolean")


def text(row: Mapping[str, Any], replies: Sequence[str]) -> dict[str, Any]:
    """Grade a text: the key fact is stated and not contradicted; `reference` is the reference score (0..1)."""
    document = document_from_row(row, "", kind="text")
    verdict = with_reference(document, grade(document, replies[0]), replies[0])
    return {"acc": float(verdict.correct), "lenient": float(verdict.lenient), **verdict.metrics}


def label(row: Mapping[str, Any], replies: Sequence[str]) -> dict[str, Any]:
    """Grade a class label; `macro_f1` holds (gold class, named class or "")."""
    document = document_from_row(row, "", kind="label")
    verdict = grade(document, replies[0])
    named = verdict.value or ""
    return {"acc": float(verdict.correct), "lenient": float(verdict.lenient), "macro_f1": (document.gold_class, named)}


def macro_f1(pairs: Sequence[tuple[str, str]]) -> float:
    """The unweighted mean of the classes' F1 over the gold classes; an unreadable answer counts against its class."""
    from finbench.scores.intervals import macro_f1 as score

    golds, named = zip(*pairs, strict=True)
    return float(score(golds, named))


class AnswerFilter:
    """lm-eval filter `finbench_answer`: every reply becomes the answer it states, "[invalid]" where it states none.

    `kind` and further settings are those of a row's `answer` (classes, unit, ...; docs/custom-tasks.md); `question` is the
    field of the document that holds the question.
    """

    def __init__(self, kind: Kind = "number", question: str = "question", fallback: str = "[invalid]", **answer: Any):
        self.answer = {"kind": kind, **answer}
        self.question, self.fallback = question, fallback

    def apply(self, resps: Sequence[Sequence[str]], docs: Sequence[Mapping[str, Any]]) -> list[list[str]]:
        """The replies of each document, in order, as stated answers."""
        return [self._stated(replies, doc) for replies, doc in zip(resps, docs, strict=True)]

    def _stated(self, replies: Sequence[str], doc: Mapping[str, Any]) -> list[str]:
        document = _document(str(doc.get(self.question) or ""), "", self.answer)
        return [stated_answer(document, reply) or self.fallback for reply in replies]


def correct(references: Sequence[Any], predictions: Sequence[Any], kind: Kind = "number", **answer: Any) -> float:
    """lm-eval metric `finbench_correct`: 1.0 when the reply or filtered answer is right for the target, else 0.0.

    A metric sees no question: declare what it would tell (`unit: percent`), or use `process_results`.
    """
    reply = predictions[0]
    document = _document("", str(references[0]), {"kind": kind, **answer})
    return float(grade(document, reply if isinstance(reply, str) else reply[0]).correct)


def _document(question: str, gold: str, answer: Mapping[str, Any]) -> Document:
    return document_from_row({"id": "", "question": question, "gold": gold, "answer": answer}, "")


def _register() -> None:
    """Enters the filter and the metric in lm-eval's registries; aggregation and direction stand in the YAML."""
    from lm_eval.api import registry

    registry.register_filter("finbench_answer")(AnswerFilter)
    registry.register_metric(metric="finbench_correct")(correct)


def _metrics(row: Mapping[str, Any], replies: Sequence[str], kind: Kind) -> dict[str, Any]:
    verdict = grade(document_from_row(row, "", kind=kind), replies[0])
    return {"acc": float(verdict.correct), "lenient": float(verdict.lenient)}


_register()
