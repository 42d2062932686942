"""Cells that follow from others are found; cells that agree by chance are not."""

from __future__ import annotations

import random

from finbench.finqa.table_relations import Relation, holds, relations

STATEMENT = (
    ("", "2019", "2018"),
    ("revenue", "$ 6421.5", "$ 5980.2"),
    ("other income", "118.4", "97.9"),
    ("total revenue", "6539.9", "6078.1"),
    ("costs", "-4100.3 ( 4100.3 )", "-3999.8 ( 3999.8 )"),
    ("operating income", "2439.6", "2078.3"),
    ("operating margin", "37.3% ( 37.3 % )", "34.2% ( 34.2 % )"),
)


def found(table):
    return {(relation.kind, relation.output): set(relation.inputs) for relation in relations(table)}


def test_totals_subtotals_and_margins_are_found():
    assert found(STATEMENT) == {
        ("sum", (3, 1)): {(1, 1), (2, 1)},
        ("sum", (3, 2)): {(1, 2), (2, 2)},
        ("sum", (5, 1)): {(3, 1), (4, 1)},
        ("sum", (5, 2)): {(3, 2), (4, 2)},
        ("percent", (6, 1)): {(5, 1), (3, 1)},
        ("percent", (6, 2)): {(5, 2), (3, 2)},
    }


def test_a_total_column_and_a_total_above_its_parts_are_found():
    assert found((("", "north", "south", "total"), ("a", "3121", "4417", "7538"), ("b", "217", "904", "1121"))) == {
        ("sum", (1, 3)): {(1, 1), (1, 2)},
        ("sum", (2, 3)): {(2, 1), (2, 2)},
    }
    (above,) = relations((("", "2019"), ("total", "90671"), ("a", "52319"), ("b", "38352")))
    assert above.cells == {(1, 1), (2, 1), (3, 1)}, "which of the three follows is a matter of view"


def test_the_first_less_the_rest_and_dashes_in_between():
    table = (("", "2019"), ("gross", "81234"), ("discount", "2114"), ("returns", "2014"), ("net", "79120"))
    assert found(table) == {("sum", (4, 1)): {(1, 1), (2, 1)}}


def test_a_change_in_percent_and_a_share_of_the_total_are_found():
    table = (
        ("", "2019", "2018", "change"),
        ("a", "551", "480", "14.8% ( 14.8 % )"),
        ("b", "702", "811", "-13.4% ( 13.4 % )"),
    )
    assert found(table) == {("change", (1, 3)): {(1, 1), (1, 2)}, ("change", (2, 3)): {(2, 1), (2, 2)}}
    shares = (("", "amount", "share"), ("a", "5511", "40.5%"), ("b", "8093", "59.5%"), ("total", "13604", "100.0%"))
    assert found(shares)["percent", (1, 2)] == {(1, 1), (3, 1)}


def test_what_chance_brings_about_is_not_a_relation():
    generator = random.Random(11)
    alarms = 0
    for _ in range(60):
        rows = [(f"row {i}", *(str(generator.randrange(100, 10_000)) for _ in range(3))) for i in range(9)]
        alarms += len(relations((("", "2019", "2018", "2017"), *rows)))
    assert alarms <= 6, "less than one cell in 250"


def test_a_relation_can_be_checked_in_another_table_and_turned_round():
    relation = next(r for r in relations(STATEMENT) if r.output == (5, 1))
    broken = [list(cells) for cells in STATEMENT]
    assert holds(relation, broken)
    assert holds(relation.turned((3, 1)), broken)
    assert relation.turned((3, 1)).output == (3, 1)
    broken[4][1] = "-4100.5 ( 4100.5 )"
    assert not holds(relation, broken)
    assert not holds(Relation("percent", (6, 1), ((5, 1), (0, 0))), broken), "a cell without a number"
    margin = next(r for r in relations(STATEMENT) if r.output == (6, 1))
    broken[6][1] = "37.5%"
    assert holds(margin, STATEMENT) and not holds(margin, broken)
