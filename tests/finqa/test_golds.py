"""Two golds for one question: how they stand to each other, and the typed answer that follows from them."""

from __future__ import annotations

from decimal import Decimal

import pytest

from finbench.finqa import golds

RELATIONS = [
    (0.14464, "14%", "agree_percent", "a hundredth, rounded"),
    (0.145, "14%", "agree_percent", "half a unit away"),
    (0.1451, "14%", "last_digit", "more than half a unit, as when cut"),
    (0.151, "14%", "conflict", "more than a whole unit, and than one percent"),
    (13.4, "13.4%", "percent_executed", "the program computes the percentage"),
    (-0.51419, "51%", "sign", "a sign left out"),
    (2118100.0, "211810", "scale", "a place slipped"),
    (2.5, "2500000", "scale", "millions"),
    (25.0, "25000000000", "scale", "billions"),
    (2.5, "25000", "conflict", "ten thousands are no scale"),
    (1000.0, "1010", "near", "one percent"),
    (1000.0, "1011", "conflict", "more than one percent"),
    (0.000004, "0", "agree", "nothing finer than five decimals is compared"),
    (5.0, "0", "conflict", "nothing is no scale of five"),
    (7.0, "between 5 and 7", "agree", "the best of several numbers"),
    ("yes", "yes", "agree", "words"),
    ("no", "yes", "conflict", "words that contradict"),
    (1.0, "no", "conflict", "a number for a word"),
    (1.0, "  ", "display_empty", "no display"),
]


@pytest.mark.parametrize(("executed", "display", "expected", "why"), RELATIONS, ids=[case[3] for case in RELATIONS])
def test_how_the_display_stands_to_the_executed_gold(executed, display, expected, why) -> None:
    assert golds.relation(executed, display) == expected


def test_only_what_excludes_each_other_is_contradictory() -> None:
    assert [name for name in golds.RELATIONS if golds.contradictory(name)] == ["scale", "conflict"]


@pytest.mark.parametrize(
    ("executed", "display", "texts"),
    [
        (0.1, "10%", ["0.1", "10%"]),
        (0.1, " ", ["0.1"]),
        (0.1, "yes", ["yes"]),
        ("yes", "yes", ["yes", "yes"]),
    ],
)
def test_golds_are_both_unless_one_cannot_be(executed, display, texts) -> None:
    assert [gold["text"] for gold in golds.golds(executed, display)] == texts


@pytest.mark.parametrize(
    ("question", "executed", "display", "kind"),
    [
        ("did it grow?", "yes", "yes", "yes_no"),
        ("what is the growth rate?", 0.1, "0.1", "percent"),
        ("what is it?", 0.1, "10%", "percent"),
        ("what is the ratio of a to b?", 1.7, "1.7", "ratio"),
        ("how many sites are there?", 12.0, "12", "count"),
        ("what were sales?", 12.0, "12", "amount"),
    ],
)
def test_the_type_of_a_question_is_read_from_it_and_its_golds(question, executed, display, kind) -> None:
    assert golds.question_type(question, executed, display) == kind


NUMBER = {"kind": "number", "currency": "USD", "gold_form": "computed"}  # of US filings, computed by programs


@pytest.mark.parametrize(
    ("question", "display", "related", "answer"),
    [
        ("what is it?", "14%", "agree_percent", NUMBER | {"unit": "percent", "gold_form": "fraction"}),
        ("what is it?", "14%", "percent_executed", NUMBER | {"unit": "percent", "gold_form": "percent"}),
        ("what is it?", "14%", "near", NUMBER | {"unit": "percent"}),
        ("what is the ratio?", "173%", "agree_percent", NUMBER),
        ("what is it?", "14", "agree", NUMBER),
        ("did it?", "yes", "conflict", {"kind": "boolean"}),
    ],
)
def test_the_typed_answer_says_no_more_than_the_golds_make_sure(question, display, related, answer) -> None:
    assert golds.answer(question, 0.14, display, related) == answer


def test_the_former_module_gives_the_names_of_both() -> None:
    from finbench import filings
    from finbench.finqa import page

    assert filings.relation is golds.relation and filings.contradictory is golds.contradictory
    assert filings.page is page.page and filings.mend is page.mend and filings.YES_NO == golds.YES_NO


@pytest.mark.parametrize("power", [-9, -6, -3, -1, 1, 3, 6, 9])
def test_a_display_with_the_right_digits_in_another_scale_is_off_by_it(power: int) -> None:
    shown = format(Decimal("32.5").scaleb(-power), "f")
    assert golds.relation(32.5, shown) == "scale"


@pytest.mark.parametrize("power", [-8, -5, -4, 4, 5, 7, 8])
def test_a_power_of_ten_that_is_no_scale_is_a_conflict(power: int) -> None:
    assert golds.relation(32.5, format(Decimal("32.5").scaleb(-power), "f")) == "conflict"
