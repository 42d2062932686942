"""The line protocol: a JSON line with question, gold and output becomes a verdict.

In: {"id", "task", "question", "gold", "gold_display", "output"}; out: {"id", "extracted", "correct", "reason", "certainty"}.
A bad line gives `correct: false` and an `error` field. Stable: outside scorers read it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from finbench.grading.kinds.guess import kind_of
from finbench.grading.kinds.label import TFNS_CLASSES
from finbench.grading.verdict import grade
from finbench.records import Answer, Document, Gold, Grade, Kind

TASKS = ("finqa", "convfinqa", "ant_finance", "tfns", "finance_instruct", "custom")

# What the lines of the protocol do not say of FinQA's answers: filings of US companies, golds that a program computed.
DECLARED = {name: {"currency": "USD", "gold_form": "computed"} for name in ("finqa", "convfinqa")}


def grade_line(line: str) -> dict[str, Any]:
    """The verdict on one line of the protocol, ready for JSON.

    >>> grade_line('{"id": 1, "task": "finqa", "question": "growth rate?", "gold": 0.142, "output": "14.2%"}')
    {'id': 1, 'extracted': '14.2%', 'correct': True, 'reason': 'percent_form', 'certainty': 'sure'}
    """
    identity: Any = None
    try:
        row = json.loads(line, parse_int=_bounded, parse_float=str)
        if not isinstance(row, dict):
            raise ValueError("a line must hold a JSON object")
        identity = row.get("id")
        result = grade_row(row)
    except (ValueError, RecursionError) as problem:
        return {
            "id": identity,
            "extracted": None,
            "correct": False,
            "reason": "unparsed",
            "certainty": "sure",
            "error": str(problem)[:300],
        }
    return {
        "id": identity,
        "extracted": result.extracted,
        "correct": result.correct,
        "reason": result.reason,
        "certainty": result.certainty,
    }


def _bounded(digits: str) -> int | str:
    return int(digits) if len(digits) < 20 else digits


def grade_row(row: Mapping[str, Any]) -> Grade:
    """The verdict on one decoded row; ValueError names what is missing or unknown."""
    document = document_of(row)
    output = row.get("output")
    if output is None:
        output = ""
    if not isinstance(output, str):
        raise ValueError(f"output must be a string, found {type(output).__name__}")
    return grade(document, output)


def document_of(row: Mapping[str, Any]) -> Document:
    """The document that a row of the protocol describes; ValueError names what is missing or unknown."""
    task = row.get("task")
    if task not in TASKS:
        raise ValueError(f"task {task!r} is none of {', '.join(TASKS)}")
    golds = [Gold(_final(_text(row.get("gold"))), "executed")]
    display = _text(row.get("gold_display"))
    if display and display != golds[0].text:
        golds.append(Gold(display, "display"))
    golds = [gold for gold in golds if gold.text]
    if not golds:
        raise ValueError("gold is missing")
    question = _text(row.get("question"))
    kind = _kind(str(task), golds, question)
    declared = DECLARED.get(str(task), {}) if kind == "number" else {}
    answer = Answer(kind, classes=TFNS_CLASSES if kind == "label" else (), **declared)  # type: ignore[arg-type]
    return Document(id=_text(row.get("id")), task=str(task), question=question, answer=answer, golds=tuple(golds))


def _final(gold: str) -> str:
    """What stands after the last "####" of a worked solution (GSM8K's form)."""
    return gold.rpartition("####")[2].strip() or gold


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ", ".join(_text(item) for item in value)
    return str(value).strip()


def _kind(task: str, golds: list[Gold], question: str) -> Kind:
    """The kind of answer a line's gold makes; TFNS asks for labels, FinQA and ConvFinQA for numbers or yes and no."""
    if task == "tfns":
        return "label"
    guessed = kind_of(golds[0].text, question, choices=task == "ant_finance", sentence=task == "finance_instruct")
    if task in ("finqa", "convfinqa"):
        return guessed if guessed == "boolean" else "number"
    return guessed
