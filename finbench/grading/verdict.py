"""Right or wrong, and why: one grader per kind of answer.

`grade` is pure and never raises on any text; its rules are docs/grading.md. `stated_answer` is its first half alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from finbench.grading.asked import asked
from finbench.grading.certainty import settled
from finbench.grading.decide import Reader, find
from finbench.grading.kinds.boolean import BooleanReader, grade_boolean, polarity
from finbench.grading.kinds.choice import ChoiceReader, grade_choice, options_of
from finbench.grading.kinds.label import LabelReader, grade_label, vocabulary
from finbench.grading.kinds.number import grade_number
from finbench.grading.kinds.number_reader import NumberReader
from finbench.grading.kinds.text import TextReader, grade_text
from finbench.grading.reply import Reply, open_reply
from finbench.records import Document, Finish, Grade

KINDS: dict[str, Callable[[Document, Reply], Grade]] = {
    "number": grade_number,
    "choice": grade_choice,
    "label": grade_label,
    "boolean": grade_boolean,
    "text": grade_text,
}


def grade(document: Document, text: str, *, finish: Finish = "stop", reasoning: str = "") -> Grade:
    """The verdict on one reply.

    `finish="length"` and `reasoning` (where a server keeps the thinking apart) only serve to tell a truncated reply from
    one that never states an answer.
    """
    if finish == "error":
        return Grade(False, "error", certainty="sure")
    reply = open_reply(text)
    result = _graded(document, reply)
    if (result.reason in ("no_answer", "truncated") and (finish == "length" or reply.unclosed)) or (
        result.reason == "no_answer" and not text.strip() and reasoning and finish != "stop"
    ):
        result = replace(result, reason="truncated")
    result = settled(result)
    return replace(result, span=_span(text, reply, result)) if result.extracted else result


def _graded(document: Document, reply: Reply) -> Grade:
    if not reply.text.strip():
        return Grade(False, "no_answer")
    kind = document.answer.kind
    if kind == "number":
        # FinQA and ConvFinQA mix yes/no questions with numbers: the gold tells.
        yes_no = [gold for gold in document.golds if polarity(gold.text) is not None]
        if yes_no:
            result = grade_boolean(replace(document, golds=tuple(yes_no)), reply)
            numbers = tuple(gold for gold in document.golds if gold not in yes_no)
            if result.correct or not numbers:
                return result
            other = grade_number(replace(document, golds=numbers), reply)
            return other if other.correct or result.reason == "no_answer" else result
        return grade_number(document, reply)
    grader = KINDS.get(kind)
    return grader(document, reply) if grader else Grade(False, "unparsed")


def _span(text: str, reply: Reply, result: Grade) -> tuple[int, int] | None:
    """Where the extracted form stands in the reply: its last occurrence in the answer part."""
    at = reply.text.rfind(result.extracted or "")
    if at < 0:
        return None
    start = reply.origin(at)
    return start, min(len(text), reply.origin(at + len(result.extracted or "") - 1) + 1)


def stated_answer(document: Document, text: str) -> str | None:
    """The answer as the reply shows it, without markup; None for a refusal, two answers, or none.

    The document's golds are not looked at.
    """
    found = find(open_reply(text), _reader(document), document.question)
    return None if found is None or found.reading.problem else found.reading.shown


def _reader(document: Document) -> Reader:
    match document.answer.kind:
        case "number":
            return NumberReader(asked(document.question, document.answer, ()))
        case "choice":
            return ChoiceReader(document.answer.choices or options_of(document.question), question=document.question)
        case "label":
            return LabelReader(*vocabulary(document))
        case "boolean":
            return BooleanReader(document.question)
        case _:
            return TextReader()
