"""The answer that a reply states, where no gold is at hand: the extraction half of the grader."""

from __future__ import annotations

from finbench.extract import Reader, find
from finbench.grading.asked import asked
from finbench.grading.boolean import BooleanReader
from finbench.grading.choice import ChoiceReader, options_of
from finbench.grading.label import LabelReader, vocabulary
from finbench.grading.reading import NumberReader
from finbench.grading.text import TextReader
from finbench.records import Document
from finbench.replies import open_reply


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
