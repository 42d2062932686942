"""Choices, labels, judgements and short texts, as documents of a task; the tables of cases go through the protocol."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finbench.grading import grade
from finbench.grading.kinds.choice import letters_in, options_of
from finbench.grading.kinds.text import states
from finbench.grading.verdict import KINDS
from finbench.records import REASONS, Answer, Document, Gold

OPTIONS = {"A": "股票", "B": "国库券", "C": "公司债券", "D": "房地产"}


def choice(gold: str, **more: object) -> Document:
    return Document(
        "x", "ant_finance", "下列哪项属于货币市场工具？", Answer("choice", choices=OPTIONS, **more), (Gold(gold),)
    )  # type: ignore[arg-type]


def test_a_choice_is_graded_as_a_set_with_a_reason() -> None:
    assert grade(choice("B"), "B").reason == "equal"
    assert grade(choice("B"), "国库券").reason == "equal"
    assert grade(choice("B"), "C").reason == "different"
    assert grade(choice("B"), "BC").reason == "extra_choice"
    assert grade(choice("ACD"), "AC").reason == "missing_choice"
    assert grade(choice("ACD"), "ABCD").reason == "extra_choice"
    assert grade(choice("B"), "A或B").reason == "two_answers"
    assert grade(choice("B"), "我不知道").reason == "refusal"
    assert grade(choice("B"), "").reason == "no_answer"


def test_options_are_read_from_the_question_when_the_task_gives_none() -> None:
    assert options_of("哪项？\nA. 股票\nB. 国库券") == {"A": "股票", "B": "国库券"}
    assert options_of("Which? (A) stocks (B) bills (C) bonds") == {"A": "stocks", "B": "bills", "C": "bonds"}
    assert options_of("no options at all") == {}


def test_gold_letters_come_in_any_order_and_separation() -> None:
    assert {letters_in(text) for text in ("ACD", "A,C,D", "D、C、A", "a c d", "（A）（C）（D）")} == {"ACD"}
    assert letters_in("是") == ""


def test_labels_take_synonyms_and_codes_from_the_task() -> None:
    answer = Answer("label", classes=("up", "down"), synonyms={"bull": "up"}, codes={"1": "up", "0": "down"})
    document = Document("x", "own", "direction?", answer, (Gold("up"),))
    assert grade(document, "up").correct
    assert grade(document, "bull").correct
    assert grade(document, "\\boxed{1}").correct
    assert grade(document, "0").reason == "different"
    assert grade(document, "up or down").reason == "two_answers"
    assert not grade(document, "not up").correct


def test_texts_take_aliases_and_refuse_denials() -> None:
    answer = Answer("text", aliases=("the Fed",))
    document = Document("x", "own", "who sets the target rate?", answer, (Gold("Federal Reserve"),))
    assert grade(document, "The Federal Reserve sets it.").reason == "equal"
    assert grade(document, "It is set by the Fed.").reason == "alias"
    assert grade(document, "It is not the Federal Reserve.").reason == "contradicted"
    assert grade(document, "The Treasury.").reason == "different"


@pytest.mark.parametrize(
    ("text", "gold", "expected"),
    [
        ("A = P(r+1)^n", "P(1+r)^n", True),
        ("A = P(1+r n)", "P(1+r)^n", None),
        ("the yield rose by 25 bps", "0.25%", True),
        ("revenue of $5 million in 2015", "$5 million", True),
        ("revenue of $6 million in 2015", "$5 million", None),
    ],
)
def test_formulas_and_figures_are_facts_too(text: str, gold: str, expected: bool | None) -> None:
    assert states(text, gold) is expected


def test_an_unknown_kind_is_unparsed_and_not_an_error() -> None:
    document = Document("x", "own", "?", Answer("lm_eval"), (Gold("5"),))
    assert grade(document, "5").reason == "unparsed"


@settings(max_examples=150)
@given(
    st.text(max_size=300), st.sampled_from(sorted(KINDS)), st.sampled_from(["5", "B", "bullish", "yes", "a fact", ""])
)
def test_no_reply_raises_and_every_reason_is_known(text: str, kind: str, gold: str) -> None:
    document = Document("x", "own", text[:50], Answer(kind), (Gold(gold),))  # type: ignore[arg-type]
    assert grade(document, text).reason in REASONS
