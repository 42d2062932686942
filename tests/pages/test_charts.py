"""Which figures a report has: parts in their natural order, bins that are equally filled, the largest parts only."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from finbench.pages import charts
from finbench.scores.intervals import Accumulator


def gathered(**facets: dict[str, list[bool]]) -> Any:
    made = {}
    for facet, values in facets.items():
        made[facet] = {}
        for value, marks in values.items():
            made[facet][value] = Accumulator()
            for mark in marks:
                made[facet][value].add(mark, "")
    return SimpleNamespace(facets=made)


def test_numbers_stand_in_their_order_and_before_words() -> None:
    one = gathered(steps={"10": [True], "2": [True], "many": [False], "1": [False]})
    (plot,) = charts.breakdowns({"finqa": {}}, {"finqa": one})
    assert [row[0] for row in plot.rows] == ["1", "2", "10", "many"]


def test_a_facet_of_one_value_has_no_figure() -> None:
    assert charts.breakdowns({"finqa": {}}, {"finqa": gathered(category={"all": [True, False]})}) == []


def test_of_many_parts_the_largest_are_drawn() -> None:
    one = gathered(category={f"c{number}": [True] * (number + 1) for number in range(charts.FACET_VALUES + 6)})
    (plot,) = charts.breakdowns({"finqa": {}}, {"finqa": one})
    assert len(plot.rows) == charts.FACET_VALUES
    assert "c0" not in {row[0] for row in plot.rows}


def test_replies_of_one_length_have_no_bins() -> None:
    assert charts._bins([(7, True, "a")] * 9) == []


def test_without_tasks_there_is_no_figure() -> None:
    assert charts.plots_of({}, {}, {}) == []
