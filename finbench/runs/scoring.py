"""Stored replies -> grades -> summaries. Needs no engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from finbench import grading
from finbench.audit import reply
from finbench.grading.reference import with_reference
from finbench.grading.reply import without_thinking
from finbench.records import Answer, Document, Gold, Grade, Response
from finbench.runs.store import Stored
from finbench.serialize import value_from
from finbench.tasks.documents import document_from_row

if TYPE_CHECKING:
    from finbench.tasks.task import Task

CLOSE = "</think>"


def grade(
    document: Document, responses: Sequence[Response], task: Task | None = None, *, opened: bool = False
) -> Grade:
    """The verdict on the replies to one document that are graded together.

    One reply; or one per choice for log-likelihood tasks; or as many as a task with `repeats` wants to see at once
    (Task.together). `task` is needed for tasks that bring lm-eval's own scoring. `opened` says that the model's chat
    template writes the opening think tag: a reply that was cut off before the closing one never came to an answer.
    """
    failed = next((response for response in responses if response.finish == "error"), None)
    if failed is not None or not responses:
        return Grade(correct=False, reason="error", certainty="sure")
    own = document.answer.kind == "lm_eval"
    if own and task is None:
        raise ValueError(f"{document.task} is scored by lm-eval's own code, which needs the task")
    cut = all(_never_answered(response, opened) for response in responses)
    if cut and not own:
        return Grade(correct=False, reason="truncated", certainty="sure")
    try:
        if own and task:
            texts = [
                "" if _never_answered(response, opened) else without_thinking(response.text) for response in responses
            ]
            verdict = task.own_grade(document, responses, texts)
            return replace(verdict, correct=False, lenient=False, reason="truncated") if cut else verdict
        return _verdict(document, responses[0])
    except Exception as problem:  # a reply that nobody foresaw is a failed sample, said and counted; the run goes on
        rule = f"the grader broke: {type(problem).__name__}: {problem}"[:200]
        return Grade(
            False, "error", rule=rule, certainty="unsure", rival="the grader broke: nobody has read this reply"
        )


def _never_answered(response: Response, opened: bool) -> bool:
    """Was the reply cut off before its thinking ended?"""
    return opened and response.finish == "length" and not response.reasoning and CLOSE not in response.text


def _verdict(document: Document, first: Response) -> Grade:
    verdict = grading.grade(document, first.text, finish=first.finish, reasoning=first.reasoning)
    if document.answer.kind == "text":
        return with_reference(document, verdict, first.text)
    metrics = {**verdict.metrics, **_by_gold(document, verdict, first.text)}
    if reply.applies(document):
        metrics |= reply.audit(document, first.text, verdict, first.reasoning).metrics()
    return replace(verdict, metrics=metrics) if metrics else verdict


def _by_gold(document: Document, verdict: Grade, text: str) -> dict[str, float]:
    """Would the reply be right by each source of the gold alone? {} where there is only one (FinQA has two)."""
    sources = list(dict.fromkeys(gold.source for gold in document.golds))
    if len(sources) < 2:
        return {}
    right = dict.fromkeys(sources, 0.0)
    for source in sources if verdict.correct else ():
        alone = replace(document, golds=tuple(gold for gold in document.golds if gold.source == source))
        right[source] = float(verdict.gold == source or grading.grade(alone, text).correct)
    return {f"acc_{source}": value for source, value in right.items()}


def stored_document(task: str, stored: Stored) -> Document:
    """The document of a stored row; rows that were not written for finbench are scored by lm-eval's own code."""
    row = value_from(stored.row)
    if isinstance(row.get("answer"), Mapping):
        return document_from_row(row, task)
    question = str(row.get("question", ""))
    return Document(stored.id, task, question, Answer(kind="lm_eval"), (Gold(stored.target),), row=row)
