"""The door for task YAMLs that plain lm-eval runs: graders as `process_results`, macro-F1 as an aggregation.

    process_results: !function finbench.lm_eval.number
    metric_list:
      - {metric: acc, aggregation: mean, higher_is_better: true}
      - {metric: lenient, aggregation: mean, higher_is_better: true}

Each door takes the row and the filtered replies, as lm-eval gives them, and returns per-sample metrics: `acc` (strict)
and `lenient`, 0 or 1; `label` adds `macro_f1`, a pair (gold class, named class) for the aggregation `macro_f1`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from finbench.grading import grade
from finbench.grading.reference import with_reference
from finbench.records import Kind
from finbench.rows import document_from_row


def rows(**settings: Any) -> dict[str, Any]:
    """{"test": the rows of a table file beside the YAML}: a `custom_dataset` for tasks without Python of their own.

    `dataset_kwargs` of the YAML name the file and what its columns mean; see tables.py and docs/custom-tasks.md.
    """
    from finbench import tables

    return {"test": tables.load(settings)}


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
    gold = document.answer.codes.get(document.golds[0].text, document.golds[0].text)
    return {"acc": float(verdict.correct), "lenient": float(verdict.lenient), "macro_f1": (gold, named)}


def macro_f1(pairs: Sequence[tuple[str, str]]) -> float:
    """The unweighted mean of the classes' F1 over the gold classes; an unreadable answer counts against its class."""
    from finbench.stats import macro_f1 as score

    golds, named = zip(*pairs, strict=True)
    return float(score(golds, named))


def _metrics(row: Mapping[str, Any], replies: Sequence[str], kind: Kind) -> dict[str, Any]:
    verdict = grade(document_from_row(row, "", kind=kind), replies[0])
    return {"acc": float(verdict.correct), "lenient": float(verdict.lenient)}
