"""Sure and unsure: a verdict names its rival, and the rival changes nothing."""

from __future__ import annotations

import pytest

from finbench.grading import grade
from finbench.records import Answer, Document, Gold, Grade


def verdict(question: str, gold: str, reply: str, kind: str = "number", **answer: str) -> Grade:
    declared = Answer(kind, **answer)  # type: ignore[arg-type]
    return grade(Document("x", "own", question, declared, (Gold(gold),)), reply)


SURE = [
    ("what is the margin?", "14.2%", "\\boxed{14.2\\%}"),
    ("what is the margin?", "14.2%", "\\boxed{15.9\\%}"),
    ("what is the index?", "12.25", "The answer is 12.25%."),
    ("how many were sold?", "5", "It is 6."),
]
UNSURE = [
    ("what is the value?", "31", "It is 31%.", "guessed"),
    ("how many shops are there?", "1234", "About 1,234 thousand.", "own-digits"),
    ("what is the margin?", "14.21%", "\\boxed{14.22\\%}", "last-digit"),
    (
        "what was the charge?",
        "417",
        "It was 300 and not more. The table, drawn up later, says 417 or 418.",
        "gold-at-the-end",
    ),
]


@pytest.mark.parametrize(("question", "gold", "reply"), SURE)
def test_a_plain_statement_is_sure(question: str, gold: str, reply: str) -> None:
    result = verdict(question, gold, reply)
    assert (result.certainty, result.rival) == ("sure", "")


@pytest.mark.parametrize(("question", "gold", "reply", "name"), UNSURE)
def test_what_else_could_be_meant_is_named(question: str, gold: str, reply: str, name: str) -> None:
    result = verdict(question, gold, reply)
    assert result.certainty == "unsure"
    assert result.rival.startswith(f"{name}: ")


def test_a_sentence_as_gold_needs_a_judge_and_is_never_silently_wrong() -> None:
    gold = "The adviser has to act in the interest of the client at all times."
    result = verdict("what must an adviser do?", gold, "Put the client first.", kind="text")
    assert (result.correct, result.reason, result.certainty) == (False, "needs_judge", "unsure")
    assert verdict("what must an adviser do?", gold, gold, kind="text").correct


def test_a_declared_tolerance_is_kept_and_named() -> None:
    assert verdict("what is it?", "100.0", "100.15", tolerance="0.2%").reason == "tolerance"
    assert not verdict("what is it?", "100.0", "100.25", tolerance="0.2%").correct
    assert not verdict("what is it?", "100.0", "100.15").correct
    with pytest.raises(ValueError, match="tolerance"):
        verdict("what is it?", "100.0", "100.15", tolerance="some")


REPLIES = (
    "14.2%",
    "0.142",
    "14.2",
    "-14.2%",
    "1420%",
    "$14.2",
    "$14.2 million",
    "14.2 million",
    "1,420",
    "14.2 bps",
    "(14.2)",
)


def test_the_name_of_a_task_decides_nothing() -> None:
    for question in (
        "what was the growth rate?",
        "what was the change in sales, in millions?",
        "what is the ratio of a to b?",
    ):
        for reply in REPLIES:
            answer = Answer("number", currency="USD", gold_form="computed")
            names = ("finqa", "convfinqa", "finqa_resampled", "convfinqa_own_history", "")
            seen = {repr(grade(Document("x", name, question, answer, (Gold("0.142"),)), reply)) for name in names}
            assert len(seen) == 1, (question, reply)
