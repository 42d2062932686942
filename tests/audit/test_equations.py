"""Runs of arithmetic in a text and the two sides of their equalities."""

from __future__ import annotations

import pytest

from finbench.audit.equations import MAX_TOKENS, runs, side_of, statements
from finbench.audit.recompute import EquationSide
from finbench.text.arithmetic import Tree
from finbench.text.normalize import normalise
from finbench.text.stated import Number, numbers


def read(text: str) -> list[list[EquationSide | None]]:
    """The sides of every statement of a text."""
    found = numbers(text)
    chains = []
    for start, end in runs(text):
        for statement in statements(text, start, end, [number.start for number in found]):
            sides, segment = [], []
            for token in [*statement, ("r", "", end, end)]:
                if token[0] != "r":
                    segment.append(token)
                    continue
                sides.append(side_of(text, segment, found, first=not sides))
                segment = []
            chains.append(sides)
    return chains


def spelled(tree: Tree, text: str, found: list[Number]) -> str:
    if tree[0] == "sym":
        number = found[int(tree[1])]
        return text[number.start : number.end]
    return str(tree[1]) if tree[0] == "num" else f"({f' {tree[0]} '.join(spelled(t, text, found) for t in tree[1:])})"


def sides(text: str) -> list[list[str]]:
    """The sides as text, "" where no arithmetic can be made of one."""
    shown = normalise(text)
    found = numbers(shown)
    return [[spelled(side.tree, shown, found) if side else "" for side in chain] for chain in read(shown)]


SIDES = [
    ("- 5,829 - 5,735 = 94", ["(5,829 - 5,735)", "94"], "a bullet at the start"),
    ("total\n- 5,829 - 5,735 = 94", ["(5,829 - 5,735)", "94"], "a bullet on a line of its own"),
    ("-5,829 - 5,735 = 94", ["((0 - 5,829) - 5,735)", "94"], "a sign is no bullet"),
    ("a rise of - 5 + 3 = 8", ["((0 - 5) + 3)", "8"], "a dash behind words is no bullet"),
    ("5,829 - 5,735 = 94 /", ["(5,829 - 5,735)", "94"], "an operator that leads on"),
    ("2 * 3 = * 6", ["(2 * 3)", "6"], "an operator behind the relation"),
    ("revenue × 3 = 58", ["", "58"], "a left operand in words"),
    ("(5,829 - 5,735 = 94", ["(5,829 - 5,735)", "94"], "a bracket that nothing closes"),
    ("5,829 - 5,735) = 94", ["(5,829 - 5,735)", "94"], "a bracket that nothing opens"),
    ("5,829 - (5,735 = 94", ["", "94"], "a bracket in the middle that nothing closes"),
    ("2014 5,829 - 5,735 = 94", ["(5,829 - 5,735)", "94"], "a number beside the first side"),
    ("5,829 - 5,735 = 94 100", ["(5,829 - 5,735)", "94"], "a number beside the last side"),
    ("29 (2014) - 8 (2013) = 21", ["(29 - 8)", "21"], "years as asides"),
    ("((3) + (4)) = 7", ["(3 + 4)", "7"], "brackets within brackets"),
    ("(3 + 4)% = 7%", ["((3 + 4) / 100)", "7%"], "a percent sign behind a bracket"),
    ("\\frac{94}{5735} = 0.0164", ["(94 / 5735)", "0.0164"], "a fraction"),
    ("5% of 200 = 10", ["(5% * 200)", "10"], "of"),
    ("1 + 2 = 3,629,4550", ["(1 + 2)", ""], "digits that are no number"),
]


@pytest.mark.parametrize(("text", "expected", "why"), SIDES, ids=[case[2] for case in SIDES])
def test_a_side_is_what_stands_at_the_relation(text: str, expected: list[str], why: str) -> None:
    assert sides(text) == [expected]


def test_an_equality_in_brackets_stands_by_itself_and_an_inner_one_before_an_outer_one() -> None:
    assert sides("5 (29 - 8 = 21) + 1 = 6")[0] == ["(29 - 8)", "21"]
    assert sides("(1 + (2 + 3 = 5) + 4 = 8)")[0] == ["(2 + 3)", "5"]


def test_a_number_alone_in_brackets_is_a_loss_or_a_note() -> None:
    ((left, right),) = read("(3,234) / 47,267 = (0.07)")
    assert left is not None and right is not None
    assert (left.bracketed, right.bracketed) == ({0}, {2})
    ((left, _),) = read("29 (14) - 8 = 21")
    assert left is not None and left.bracketed == frozenset()


def test_text_without_a_relation_or_without_an_operator_holds_no_run() -> None:
    assert [*runs("5,829 - 5,735 and x = 94")] == []
    assert [*runs("5,829 - 5,735 = 94")] == [(0, 18)]


def test_a_statement_beyond_bounds_is_left_out() -> None:
    assert sides("1" + " + 1" * (MAX_TOKENS // 2 - 2) + " = 9")
    assert not sides("1" + " + 1" * (MAX_TOKENS // 2) + " = 9")
