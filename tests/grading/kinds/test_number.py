"""Numbers: the golds of both data sets, rounding, mutations, and why a wrong number is wrong."""

from __future__ import annotations

import json
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from finbench.grading import grade
from finbench.grading.asked import asked, gold_quantity
from finbench.grading.equality import Point, equal, point, rounds_to
from finbench.records import REASONS, Answer, Document, Gold, Grade


def document(question: str, *golds: Gold, task: str = "finqa", **more: object) -> Document:
    return Document("x", task, question, Answer("number", currency="USD", gold_form="computed"), golds, **more)  # type: ignore[arg-type]


def verdict(question: str, gold: str, reply: str, **more: object) -> Grade:
    return grade(document(question, Gold(gold, "executed"), **more), reply)


def shown(text: str) -> Point:
    value = Decimal(text)
    digits, exponent = value.as_tuple().digits, int(value.as_tuple().exponent)
    return Point(Fraction(value), Fraction(10) ** exponent, len(digits) if value else 1)


ROUNDING = [
    ("14.464", "14.5", "rounding"),
    ("14.464", "14", "rounding"),
    ("14.464", "14.46", "rounding"),
    ("14.464", "14.47", ""),
    ("14.464", "15", ""),
    ("9.43", "9", ""),
    ("9.0", "9", "equal"),
    ("0.05", "0.0455", ""),
    ("2.5", "2.50", "equal"),
    ("0.125", "0.12", "rounding"),
    ("0.125", "0.13", "rounding"),
    ("-2.121", "-2.1", "rounding"),
    ("-2.121", "2.1", ""),
]


@pytest.mark.parametrize(("one", "other", "expected"), ROUNDING)
def test_the_coarser_precision_decides(one: str, other: str, expected: str) -> None:
    assert equal(shown(one), shown(other)) == expected
    assert equal(shown(other), shown(one)) == expected


UNITS = [
    ("what was the percentage change in revenue?", "percent"),
    ("what is the growth rate in net revenue in 2015?", "percent"),
    ("what portion of the total is due in 2018?", "percent"),
    ("what was the operating margin?", "percent"),
    ("what was the ratio of debt to equity?", "ratio"),
    ("how many shares were issued?", "count"),
    ("what was the total rent expense, in millions?", "amount"),
    ("what is the annual interest expense on the 7.25% notes, in dollars?", "amount"),
    ("同比增长率是多少？", "percent"),
    ("流动比率是多少？", "ratio"),
    ("净利润为多少万元？", "amount"),
]


@pytest.mark.parametrize(("question", "unit"), UNITS)
def test_the_unit_is_read_from_the_question(question: str, unit: str) -> None:
    assert asked(question, Answer("number"), ()).unit == unit


SCALES = [
    ("total rent expense, in millions?", 10**6),
    ("the total, (in thousands)?", 10**3),
    ("how many billions of dollars?", 10**9),
    ("净资产为多少万元？", 10**4),
    ("总资产是多少亿元？", 10**8),
    ("what was the price per share?", 1),
]


@pytest.mark.parametrize(("question", "scale"), SCALES)
def test_the_scale_is_read_from_the_question(question: str, scale: int | None) -> None:
    assert asked(question, Answer("number"), ()).scale == scale


@pytest.mark.parametrize(
    ("question", "decimals"),
    [
        ("Round to two decimal places.", 2),
        ("to 1 decimal place", 1),
        ("to the nearest hundredth", 2),
        ("5 percent of sales, rounded to 2 decimals", 2),
        ("保留两位小数", 2),
        ("保留2位小数", 2),
        ("no word of it", None),
    ],
)
def test_a_demanded_precision_is_read(question: str, decimals: int | None) -> None:
    assert asked(question, Answer("number"), ()).decimals == decimals


def test_a_declared_answer_overrules_the_question() -> None:
    answer = Answer("number", unit="percent", gold_form="percent", scale="million", decimals=1)
    wanted = asked("how many?", answer, (Gold("14.2"),))
    assert (wanted.unit, wanted.gold_form, wanted.scale, wanted.decimals) == ("percent", "percent", 10**6, 1)
    percent = Document(
        "x", "own", "the figure?", Answer("number", unit="percent", gold_form="percent"), (Gold("14.2"),)
    )
    assert grade(percent, "14.2%").correct
    assert grade(percent, "0.142").correct
    assert not grade(percent, "1420%").correct


AMOUNT = "what was the net change in revenue, in millions?"
CHANGE = "what was the percentage change in revenue?"
DIAGNOSES = [
    (CHANGE, "0.142", "14.2%", "percent_form"),
    (CHANGE, "0.14218", "14.2%", "rounding"),
    (CHANGE, "0.142", "0.142%", "off_by_100"),
    (CHANGE, "0.142", "1420%", "off_by_100"),
    (CHANGE, "0.142", "-14.2%", "wrong_sign"),
    (CHANGE, "0.142", "$14.2", "wrong_unit"),
    (CHANGE, "0.142", "14.3%", "wrong_precision"),
    (CHANGE, "0.142", "20% to 25%", "range"),
    (CHANGE, "0.142", "12% or 15%", "two_answers"),
    (CHANGE, "0.142", "It cannot be determined.", "refusal"),
    (CHANGE, "0.142", "Let me see.", "no_answer"),
    (CHANGE, "0.142", "NaN", "not_a_number"),
    (AMOUNT, "94.0", "94", "equal"),
    (AMOUNT, "94.0", "$94,000,000", "scale_form"),
    (AMOUNT, "94.0", "94 billion", "wrong_scale"),
    (AMOUNT, "94.0", "94%", "wrong_unit"),
    (AMOUNT, "94.0", "€94 million", "wrong_unit"),
    ("what is the ratio of a to b?", "1.25", "0.8", "inverted"),
    ("Round to two decimals: the margin in percent?", "14.21%", "14.2%", "wrong_precision"),
]


@pytest.mark.parametrize(("question", "gold", "reply", "reason"), DIAGNOSES)
def test_every_verdict_has_its_reason(question: str, gold: str, reply: str, reason: str) -> None:
    result = verdict(question, gold, reply)
    assert result.reason == reason
    assert result.correct is (reason in REASONS[:5])


def test_a_wrong_number_may_be_another_cell_or_a_step_of_the_gold_program() -> None:
    assert verdict(AMOUNT, "94", "5,735", cells=("$ 5735", "5829")).reason == "wrong_cell"
    assert verdict(CHANGE, "0.0164", "94", steps=("94.0", "0.0164")).reason == "intermediate"
    assert verdict(AMOUNT, "94", "17", cells=("$ 5735",)).reason == "different"


def test_the_lenient_reading_forgives_scale_and_sign() -> None:
    assert verdict(CHANGE, "0.142", "-14.2%").lenient
    assert verdict(CHANGE, "0.142", "0.142%").lenient
    assert verdict(AMOUNT, "94", "94 billion").lenient
    assert not verdict(AMOUNT, "94", "97").lenient


def test_the_grade_says_which_gold_was_hit() -> None:
    both = document(CHANGE, Gold("0.00543", "executed"), Gold("43.7%", "display"))
    assert grade(both, "43.7%").gold == "display"
    assert grade(both, "0.543%").gold == "executed"


def test_a_display_of_one_digit_is_no_gold_beside_an_executed_one() -> None:
    both = document(CHANGE, Gold("0.05677", "executed"), Gold("6%", "display"))
    assert not grade(both, "6%").correct
    assert grade(both, "5.7%").correct


def test_the_span_points_at_the_answer() -> None:
    reply = "<think>12%</think> The change was \u200b**14.2%**."
    result = verdict(CHANGE, "0.142", reply)
    assert result.span is not None
    assert reply[slice(*result.span)] == "14.2%"


def test_truncated_replies_are_told_from_silent_ones() -> None:
    asked_for = document(CHANGE, Gold("0.142"))
    assert grade(asked_for, "<think>14.2%", finish="length").reason == "truncated"
    assert grade(asked_for, "Let me see.", finish="length").reason == "truncated"
    assert grade(asked_for, "Let me see.").reason == "no_answer"
    assert grade(asked_for, "", finish="length", reasoning="14.2%").reason == "truncated"
    assert grade(asked_for, "14.2%", finish="length").correct
    assert grade(asked_for, "", finish="error").reason == "error"


fractions = st.integers(11_111, 89_999).map(lambda n: f"0.{n}")


@given(fractions)
def test_scale_percent_and_sign_mutations_flip_the_verdict(gold: str) -> None:
    percent = Decimal(gold) * 100
    right = [f"{percent}%", gold, f"{percent:.1f}%", f"{percent} percent", f"{percent * 100} bps"]
    wrong = [f"{percent * 100}%", f"{gold}%", f"-{percent}%", f"{percent * 1000}", f"{percent + 2}%"]
    assert all(verdict(CHANGE, gold, reply).correct for reply in right)
    assert not any(verdict(CHANGE, gold, reply).correct for reply in wrong)


@given(st.integers(1_001, 99_999))
def test_scale_word_mutations_flip_the_verdict(gold: int) -> None:
    assume(gold % 1000)
    right = [
        f"{gold}",
        f"{gold:,}",
        f"${gold:,} million",
        f"${gold:,}m",
        f"${Decimal(gold) / 1000} billion",
        f"${gold * 10**6:,}",
    ]
    wrong = [f"${gold:,} billion", f"${gold:,} thousand", f"-{gold}", f"{gold}%", f"€{gold} million", f"{gold * 1000}"]
    assert all(verdict(AMOUNT, str(gold), reply).correct for reply in right)
    assert not any(verdict(AMOUNT, str(gold), reply).correct for reply in wrong)


# --- real rows ---------------------------------------------------------------------------------------------------------


def finqa(real_data: Path) -> list[dict[str, object]]:
    rows = (real_data / "finqa" / "test.reconstructed.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(row)["qa"] for row in rows]


def test_every_finqa_gold_is_right_against_itself(real_data: Path) -> None:
    for qa in finqa(real_data):
        executed, display = Gold(str(qa["exe_ans"]), "executed"), Gold(str(qa["answer"] or ""), "display")
        golds = (executed, display) if display.text else (executed,)
        question = str(qa["question"])
        assert grade(document(question, *golds), f"\\boxed{{{executed.text}}}").correct, executed
        for gold in golds:
            assert grade(document(question, gold), f"\\boxed{{{gold.text}}}").correct, gold


def test_every_convfinqa_gold_is_right_against_itself(real_data: Path) -> None:
    rows = (real_data / "convfinqa" / "dev.reconstructed.jsonl").read_text(encoding="utf-8").splitlines()
    turns = 0
    for row in rows:
        talk = json.loads(row)["annotation"]
        for question, gold, display in zip(talk["dialogue_break"], talk["exe_ans_list"], talk["answer_list"]):
            turns += 1
            for text in {str(gold), str(display)} - {""}:
                assert grade(document(question, Gold(text), task="convfinqa"), f"\\boxed{{{text}}}").correct, text
    assert turns == 1490


def test_the_two_golds_of_finqa_agree_within_display_rounding_in_995_of_1147_rows(real_data: Path) -> None:
    agree = {"figures": 0, "sentences": 0}
    for qa in finqa(real_data):
        executed, display = str(qa["exe_ans"]), str(qa["answer"] or "")
        number, gold = gold_quantity(display), gold_quantity(executed)
        form = "sentences" if len(display.split()) > 6 else "figures"
        if gold is None:  # yes or no
            agree[form] += executed == display
        elif number is not None:
            seen = point(number)
            if number.unit == "percent":
                seen = seen.times(Fraction(1, 100))
            agree[form] += bool(seen.place) and rounds_to(gold.number, seen.value, seen.place)
    # A parser of figures counts 995; three display answers are whole sentences, which are read as well.
    assert agree == {"figures": 995, "sentences": 3}
