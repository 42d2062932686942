"""What has to change together on a page, and pages that are refused."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from finqa_rows import page

from finbench.finqa.page_relations import ChangingPage, NoVariant


def changing(row: dict[str, Any] | None = None, **qa: Any) -> ChangingPage:
    return ChangingPage(row or page(**qa))


def test_the_numbers_of_the_program_and_what_follows_from_them_change() -> None:
    found = changing()
    assert found.used == {Decimal("6421.5"), Decimal("5718.2")}
    assert set(found.changed) == found.used | {Decimal("6539.9"), Decimal("5816.1")}
    told = {(mention.figure.text, mention.rule) for mention in found.mentions}
    assert told == {("12.3", "change"), ("6.4", "same")}


def test_a_used_total_is_drawn_through_its_largest_part() -> None:
    found = changing(program="subtract(6539.9, 5816.1)", exe_ans=723.8, answer="723.8")
    assert found.leaves == [Decimal("5718.2"), Decimal("6421.5")]


def test_a_total_that_must_stay_follows_in_its_largest_part_that_the_program_does_not_use() -> None:
    row = page(program="subtract(60.5, const_1)", exe_ans=59.5, answer="59.5", question="what is a less one?")
    row["table"] = [["", "share"], ["a", "60.5"], ["b", "28.2"], ["c", "11.3"], ["total", "100.0"]]
    found = changing(row)
    assert found.leaves == [Decimal("60.5")]
    assert set(found.changed) == {Decimal("60.5"), Decimal("28.2")}


USES = [
    ("subtract(6421.5, const_100)", {"6421.5"}, "a named constant"),
    ("divide(6421.5, 12)", {"6421.5", "12"}, "twelve, which the page shows"),
    ("divide(6421.5, 30)", {"6421.5", "30"} - {"30"}, "days, which it does not show as an amount"),
    ("divide(6421.5, 1000)", {"6421.5"}, "a power of ten"),
    ("subtract(6421.5, 1955)", {"6421.5"}, "a year"),
    ("table_sum(loss, none)", {"36.2", "41.8"}, "a row"),
    ("greater(118.4, 97.9)", {"118.4", "97.9"}, "a comparison"),
]


@pytest.mark.parametrize(("program", "used", "why"), USES, ids=[case[2] for case in USES])
def test_a_program_uses_numbers_of_the_page(program: str, used: set[str], why: str) -> None:
    assert changing().uses(program) == set(map(Decimal, used))


REFUSED = [
    ("exp(6421.5, 2)", "the program raises to a power", "a power"),
    ("divide(6421.5, 777)", "an argument is not on the page as the program writes it", "a number from elsewhere"),
    ("table_sum(years, none)", "a cell of the program's row looks like a year", "a row of years"),
    ("subtract(1987, 5)", "an argument looks like a year", "a cell that looks like a year"),
    ("table_sum(words, none)", "a cell of the program's row looks like a year", "a row without numbers"),
]


@pytest.mark.parametrize(("program", "reason", "why"), REFUSED, ids=[case[2] for case in REFUSED])
def test_a_program_whose_numbers_cannot_change_is_refused(program: str, reason: str, why: str) -> None:
    row = page()
    row["table"] += [["years", "2011", "2012"], ["plants", "1987", "45"], ["words", "many", "few"]]
    with pytest.raises(NoVariant, match=reason):
        changing(row).uses(program)


def damaged(**changes: Any) -> dict[str, Any]:
    return page() | changes


PAGES = [
    (damaged(post_text=["asset a6421.5 is sold ."]), "also part of a word, a date or a reference", "a reference"),
    (page(program="divide(const_1, const_2)"), "uses no number of the page", "constants only"),
    (
        page(program="divide(6421.5, 12)") | {"post_text": ["each of 12 tenants pays ."]},
        "a small whole number stands in several places",
        "twelve sites and twelve tenants",
    ),
    (
        page(program="table_sum(net sales, none)") | {"table": [["", "a"], ["net sales", "310"], ["after 310", "9"]]},
        "stands in a row's name that the program uses",
        "a row's name",
    ),
    (
        damaged(table=[*page()["table"], ["growth of sales", "12.3%", "n/a"]]),
        "may follow from changed numbers in a way that is not proven",
        "a share in a row of its own",
    ),
]


@pytest.mark.parametrize(("row", "reason", "why"), PAGES, ids=[case[2] for case in PAGES])
def test_a_page_that_cannot_be_kept_coherent_is_refused(row: dict[str, Any], reason: str, why: str) -> None:
    with pytest.raises(NoVariant, match=reason):
        changing(row)


def test_a_cell_that_is_named_like_no_derived_one_refuses_nothing() -> None:
    assert changing(damaged(table=[*page()["table"], ["sites", "703.3", "n/a"]])).changed


def test_the_row_is_written_anew_in_the_old_formats() -> None:
    found = changing()
    values = {Decimal("6421.5"): Decimal("7000.25"), Decimal("5718.2"): Decimal("5000"), Decimal("36.2"): Decimal(40)}
    new = found.row(values, [(0.4, "40%")])
    assert new["table"][1] == ["net sales", "$ 7000.3", "$ 5000.0"]
    assert new["table"][4][1] == "-40.0 ( 40.0 )"
    assert new["pre_text"][0] == "net sales grew 40.0% ( 40.0 % ) to $ 7.0 billion in 2019 , see note 12 ."
    assert new["qa"]["program"] == "subtract(7000.25, 5000.0), divide(#0, 5000.0)"
    assert found.table(values) == new["table"]
