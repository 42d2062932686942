"""The proof that a variant holds: planted faults are found, and a new gold is told from the old one."""

from __future__ import annotations

import copy

import pytest
from finqa_rows import made, page

from finbench.finqa.proof import LEAST_GOLD_CHANGE, differs, faults


@pytest.mark.parametrize(
    ("damage", "fault"),
    [
        (lambda row: row["qa"].update(exe_ans=0.5), "the program does not give the gold"),
        (lambda row: row["qa"].update(exe_ans=0.12299, answer="12.3%"), "the old gold is still right"),
        (lambda row: row["table"][1].__setitem__(1, "$ 6421.5"), "the argument"),
        (lambda row: row["table"][3].__setitem__(1, "$ 6539.9"), "does not hold any more"),
        (lambda row: row["table"][0].__setitem__(1, "2017"), "must not change"),
        (lambda row: row["pre_text"].__setitem__(0, "net sales fell ."), "more than numbers changed"),
        (lambda row: row["post_text"].append("more"), "another shape"),
        (lambda row: row["pre_text"].__setitem__(0, page()["pre_text"][0]), "the old gold 12.3 is left"),
    ],
)
def test_the_proof_finds_planted_faults(damage, fault):
    old = page()
    new = copy.deepcopy(dict(made(old).row))
    assert faults(old, new) == []
    damage(new)
    assert any(fault in found for found in faults(old, new)), faults(old, new)


@pytest.mark.parametrize(
    ("old", "new", "shown", "display", "holds"),
    [
        (0.12, 0.11475, "12%", "11.5%", False),
        (0.14464, 0.15, "14%", "15%", False),
        (0.14464, 0.18, "14%", "18%", True),
        (20.0, 21.0, "20", "21", False),
        (20.0, 23.0, "20", "23", True),
        (94.0, 120.0, "", "", True),
        (1000.0, 1040.0, "1000", "1040", False),
        (1000.0, 1060.0, "1000", "1060", True),
        (1000.0, 1050.0, "", "", True),
        (-1000.0, -1040.0, "", "", False),
        (0.5, "yes", "0.5", "yes", False),
        (0.14464, 0.18, "14%", "", True),
        (0.14464, 0.154, "14%", "15%", False),
    ],
)
def test_a_new_gold_is_told_from_the_old_one_in_every_rounding(old, new, shown, display, holds):
    assert differs((old, shown), (new, display)) is holds


def test_a_gold_that_moves_by_less_than_a_twentieth_is_too_near_whatever_its_digits() -> None:
    assert LEAST_GOLD_CHANGE == 0.05
    assert not differs((123_456.7, ""), (129_000.0, ""))
    assert differs((123_456.7, ""), (130_000.0, ""))
