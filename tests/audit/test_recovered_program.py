"""The program behind a reply beside the gold one: exact, equivalent, different; and whether its cells were used."""

from __future__ import annotations

from fractions import Fraction

import pytest

from finbench.audit.provenance import Origin
from finbench.audit.recovered_program import MAX_NODES, GoldProgram, compare, expand, gold_of, leaf, text
from finbench.audit.reply import audit
from finbench.finqa import programs
from finbench.records import Answer, Document, Gold, Grade
from finbench.text.arithmetic import Tree
from finbench.text.stated import numbers

TABLE = [["", "2019", "2018"], ["net sales", "3140", "3075"], ["income", "251", "272"]]


def document(program: str) -> Document:
    row = {"table": TABLE, "program": program}
    cells = ("3140", "3075", "251", "272")
    return Document("1", "finqa", "by how much?", Answer("number"), (Gold("1"),), cells=cells, row=row)


def gold(program: str) -> GoldProgram:
    found = gold_of(document(program))
    assert found is not None
    return found


def tree(program: str) -> Tree:
    """The tree of a program, by the same way as a gold program's."""
    return gold(program).tree


COMPARED = [
    ("subtract(3140, 3075)", "subtract(3140, 3075)", True, "exact", "the same"),
    ("add(3075, 3140)", "add(3140, 3075)", True, "exact", "the order of a sum"),
    ("subtract(3075, 3140)", "subtract(3140, 3075)", True, "equivalent", "a turned sign in a right answer"),
    ("subtract(3075, 3140)", "subtract(3140, 3075)", False, "different", "a turned sign in a wrong one"),
    (
        "divide(3140, 3075), subtract(#0, const_1)",
        "subtract(3140, 3075), divide(#0, 3075)",
        True,
        "equivalent",
        "a form",
    ),
    ("multiply(3140, const_1000)", "3140", True, "equivalent", "another scale"),
    ("subtract(251, 186)", "subtract(3140, 3075)", True, "different", "65 as well, by chance"),
    ("add(3140, 3075)", "add(3140, 3076)", True, "different", "another number"),
    ("divide(3140, 3140)", "divide(3075, 3075)", True, "equivalent", "one, whatever the numbers are"),
    ("add(251, 251), add(#0, 251)", "multiply(251, const_3)", True, "equivalent", "a small whole number stays"),
    ("subtract(3140, 3140)", "subtract(3140, 3075)", True, "different", "nothing is no multiple"),
    ("divide(3140, 3075)", "subtract(3140, 3140)", True, "different", "a gold of nothing"),
]


@pytest.mark.parametrize(("ours", "theirs", "correct", "match", "why"), COMPARED, ids=[case[4] for case in COMPARED])
def test_programs_are_compared_by_their_values_over_other_numbers(
    ours: str, theirs: str, correct: bool, match: str, why: str
) -> None:
    assert compare(tree(ours), gold(theirs), correct) == match


USED = [
    ("3,140 - 3,075 = 65", True, "both"),
    ("3,140 - 272 = 2,868", False, "one of the two"),
    ("251 - 272 = -21", False, "none"),
    ("3,140 - 251 = 2,889, 3,075 + 1 = 3,076", True, "each in another calculation"),
]


@pytest.mark.parametrize(("reply", "used", "why"), USED, ids=[case[2] for case in USED])
def test_right_cells_are_all_cells_of_the_gold_program(reply: str, used: bool, why: str) -> None:
    found = audit(document("subtract(3140, 3075)"), reply, Grade(False, "different", extracted="1"))
    assert found.right_cells is used


@pytest.mark.parametrize("program", ["", "greater(3140, 3075)", "subtract(3140", "divide(1, #7)", "divide(1, 0)"])
def test_a_row_without_a_program_that_gives_a_number_has_no_gold_program(program: str) -> None:
    assert gold_of(document(program)) is None


def test_row_operations_of_a_gold_program_are_sums_and_means_of_its_cells() -> None:
    assert text(tree("table_sum(income, none)")) == "add(251, 272)"
    assert text(tree("table_average(income, none)")) == "add(251, 272), divide(#0, const_2)"
    assert text(tree("table_max(income, none)")) == "272"


WRITTEN = [
    (("*", leaf(Fraction(2)), leaf(Fraction(1, 4))), "multiply(const_2, 0.25)", "a decimal"),
    (("-", leaf(Fraction(0)), leaf(Fraction(251))), "multiply(251, const_m1)", "a turned sign"),
    (("sqrt", leaf(Fraction(251))), "exp(251, 0.5)", "a root"),
    (leaf(Fraction(251)), "251", "a number"),
]


@pytest.mark.parametrize(("given", "expected", "why"), WRITTEN, ids=[case[2] for case in WRITTEN])
def test_a_tree_is_written_as_a_flat_program(given: Tree, expected: str, why: str) -> None:
    assert text(given) == expected
    programs.run(expected)


def test_operands_are_followed_to_the_calculations_that_gave_them() -> None:
    found = numbers("3140 3075 65 3075")
    origins = {2: Origin(("-", ("sym", "0"), ("sym", "1")), False)}
    whole = expand(("/", ("sym", "2"), ("sym", "3")), found, origins)
    assert whole is not None and text(whole) == "subtract(3140, 3075), divide(#0, 3075)"
    stopped = expand(("/", ("sym", "2"), ("sym", "3")), found, origins, stop=(2,))
    assert stopped is not None and text(stopped) == "divide(65, 3075)"


def test_a_negative_result_keeps_its_sign_where_its_number_is_read_without_one() -> None:
    found = numbers("272 251 21 2")
    origins = {2: Origin(("-", ("sym", "1"), ("sym", "0")), True)}
    whole = expand(("*", ("sym", "2"), ("sym", "3")), found, origins)
    assert whole is not None and text(whole).startswith("subtract(251, 272), multiply(#0, const_m1)")


def test_a_number_does_not_come_from_what_follows_it_and_a_tree_has_bounds() -> None:
    found = numbers("50 60 70")
    later = {0: Origin(("+", ("sym", "1"), ("sym", "2")), False), 1: Origin(("+", ("sym", "2"), ("sym", "2")), False)}
    whole = expand(("sym", "0"), found, later)
    assert whole is not None and text(whole) == "add(60, 70)"
    doubling = {i: Origin(("+", ("sym", str(i - 1)), ("sym", str(i - 1))), False) for i in range(1, 12)}
    assert expand(("sym", "11"), numbers(" ".join(["7"] * 12)), doubling) is None
    assert MAX_NODES < 2**11


def test_a_last_multiplication_by_a_hundred_is_left_out() -> None:
    found = numbers("94 5735 100")
    whole = expand(("*", ("/", ("sym", "0"), ("sym", "1")), ("sym", "2")), found, {})
    assert whole is not None and text(whole) == "divide(94, 5735)"


def test_a_trees_own_numbers_and_the_signs_of_its_operands_are_kept() -> None:
    found = numbers("94 5735")
    percent = expand(("/", ("sym", "0"), ("num", Fraction(100))), found, {})
    assert percent is not None and text(percent) == "divide(94, const_100)"
    negative = expand(("+", ("-", ("num", Fraction(0)), ("sym", "0")), ("sym", "1")), found, {})
    assert negative is not None and text(negative) == "add(-94, 5735)"
    nothing = expand(("-", ("num", Fraction(0)), ("+", ("sym", "0"), ("sym", "1"))), found, {})
    assert nothing is not None and text(nothing) == "add(94, 5735), multiply(#0, const_m1)"
