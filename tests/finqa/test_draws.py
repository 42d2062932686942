"""Draws of new numbers: each keeps its look, totals follow, orders stay."""

from __future__ import annotations

import random
from decimal import Decimal
from itertools import pairwise

import pytest
from finqa_rows import page

from finbench.finqa.draws import LEAST_CHANGE, drawn
from finbench.finqa.page_relations import ChangingPage
from finbench.finqa.text_relations import Values


def draws(row: dict, strict: bool = True, count: int = 200) -> list[Values]:
    """The coherent ones of some draws."""
    found = ChangingPage(row)
    generator = random.Random(3)
    return [values for _ in range(count) if (values := drawn(found, generator, strict)) is not None]


def test_totals_follow_their_parts_and_every_used_number_moves() -> None:
    coherent = draws(page())
    assert len(coherent) > 20
    for values in coherent:
        for part, rest, total in (("6421.5", "118.4", "6539.9"), ("5718.2", "97.9", "5816.1")):
            assert values[Decimal(part)] + Decimal(rest) == values[Decimal(total)]
            assert abs(values[Decimal(part)] - Decimal(part)) >= LEAST_CHANGE * Decimal(part)


def test_a_new_number_has_the_digits_and_the_zeros_of_the_old_one() -> None:
    row = page(program="subtract(519800, 40)", exe_ans=1.0, answer="1")
    row["table"] = [["", "a"], ["debt", "519800"], ["rate", "40"]]
    for values in draws(row, strict=False):
        debt, rate = values[Decimal(519800)], values[Decimal(40)]
        assert debt % 100 == 0 and 100_000 <= debt < 1_000_000
        assert rate == int(rate) and 10 <= rate < 100


def test_a_percentage_below_a_hundred_stays_below_it() -> None:
    row = page(program="subtract(98.5%, 1.5%)", exe_ans=0.97, answer="97%")
    row["table"] = [["", "a"], ["one", "98.5%"], ["two", "1.5%"]]
    found = draws(row, strict=False)
    assert found and all(values[Decimal("98.5")] < 100 for values in found)


@pytest.mark.parametrize("strict", [True, False])
def test_the_order_within_a_row_stays_among_changed_numbers_and_in_strict_draws_among_all(strict: bool) -> None:
    row = page(program="subtract(500, 420)", exe_ans=80.0, answer="80")
    row["pre_text"] = row["post_text"] = []
    row["table"] = [["", "a", "b", "c", "d"], ["sales", "500", "477", "455", "420"]]
    turned = 0
    for values in draws(row, strict):
        line = [values.get(key, key) for key in map(Decimal, (500, 477, 455, 420))]
        assert line[0] > line[3]
        turned += any(left <= right for left, right in pairwise(line))
    assert bool(turned) is not strict


def test_a_draw_never_takes_a_number_that_the_page_shows_already() -> None:
    row = page(program="subtract(512, 488)", exe_ans=24.0, answer="24")
    row["table"] = [["", "a", "b"], ["sales", "512", "488"], *[[f"x{i}", str(i), ""] for i in range(550, 700, 2)]]
    found = draws(row, strict=False)
    assert found and all(new == old or int(new) % 2 or not 550 <= new < 700 for v in found for old, new in v.items())
