"""What a row asks: FinQA's question, a conversation's turns, and how programs name numbers."""

from __future__ import annotations

from decimal import Decimal

import pytest
from finqa_rows import page

from finbench.errors import DataError
from finbench.finqa.questions import Question, arguments, asking, magnitude, places, questions, rewritten, rows_named

NOTES = {
    "dialogue_break": ["a?", "b?"],
    "turn_program": ["1", "2"],
    "qa_split": [0, 1],
    "exe_ans_list": [1.0, 2.0],
    "answer_list": ["1", None],
}


def conversation() -> dict:
    return {"id": "c", "pre_text": ["p"], "post_text": [], "table": [["x"]], "qa_0": {}, "annotation": dict(NOTES)}


def test_a_row_asks_one_question_and_a_conversation_its_turns() -> None:
    (only,) = questions(page())
    assert only.gold == (0.12299, "12.3%")
    assert questions(page(answer=None))[0].display == ""
    assert questions(conversation()) == (Question("a?", "1", 1.0, "1"), Question("b?", "2", 2.0, ""))
    silent = conversation()
    del silent["annotation"]["answer_list"]
    assert [question.display for question in questions(silent)] == ["", ""]


def test_a_row_can_ask_other_questions_and_a_conversation_fewer() -> None:
    other = Question("x?", "1", 1.0, "1")
    assert questions(asking(page(), (other,))) == (other,)
    shorter = asking(conversation(), questions(conversation())[:1])
    assert shorter["annotation"]["qa_split"] == [0] and "qa_0" not in shorter
    assert questions(shorter) == questions(conversation())[:1]


def test_the_places_of_a_row_are_sentences_questions_and_cells() -> None:
    assert dict(places(conversation())) == {
        ("pre_text", 0, 0): "p",
        ("question", 0, 0): "a?",
        ("question", 1, 0): "b?",
        ("table", 0, 0): "x",
    }


def test_constants_and_steps_are_no_arguments() -> None:
    program = "divide(#0, const_100), exp(5829, 2), greater(1.5, -3%)"
    named = [("exp", "5829"), ("exp", "2"), ("greater", "1.5"), ("greater", "-3%")]
    assert [*arguments(program)] == named
    assert [*arguments("#0")] == []


def test_rows_named_and_numbers_are_read_from_a_program() -> None:
    assert rows_named("table_max(a, b ( c ), none), table_sum(d, none)") == ["a, b ( c )", "d"]
    assert magnitude("-1,234%") == 1234
    with pytest.raises(DataError, match="'x' is not a number"):
        magnitude("x")


@pytest.mark.parametrize(
    ("program", "expected", "why"),
    [
        ("add(5829, 100)", "add(6110, 100)", "a constant stays whatever it would become"),
        ("add(1,234, #0)", "add(1,234, #0)", "a literal with a separator is two"),
        ("table_sum(5829, none)", "table_sum(5829, none)", "a row's name stays"),
        ("divide(5829.0, 5829)", "divide(6110.0, 6110)", "decimals are kept"),
        ("subtract(-12%, 5)", "subtract(-15%, 5)", "sign and percent sign are kept"),
        (" 5829 ", "6110", "a number picked"),
    ],
)
def test_a_program_is_rewritten_over_other_numbers(program: str, expected: str, why: str) -> None:
    values = {Decimal(5829): Decimal(6110), Decimal(12): Decimal(15), Decimal(100): Decimal(117)}
    assert rewritten(program, values) == expected
