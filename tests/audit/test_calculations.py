"""Numbers read, calculations recognised and computed again."""

from __future__ import annotations

from fractions import Fraction

import pytest

from finbench.audit.calculations import MAX_CALCULATIONS, Calculation, calculations
from finbench.text.normalize import normalise
from finbench.text.stated import numbers


def stated(text: str) -> list[Calculation]:
    shown = normalise(text)
    return calculations(shown, numbers(shown))


def verdicts(text: str) -> list[str]:
    return [calculation.verdict for calculation in stated(text)]


NUMBERS = [
    ("$5.2 million in Q4, 10-K, CO2", [("5.2", False, 6)], "letters with digits are names"),
    ("5{,}829 and 44,\\!033", [("5829", False, 0), ("44033", False, 0)], "LaTeX groups thousands"),
    ("12\\% or .5 percent", [("12", True, 0), ("0.5", True, 0)], "percents, a bare point"),
    ("\\text{Sales}_{2013} = 7", [("7", False, 0)], "a subscript is a name"),
    ("3亿, 5万", [("3", False, 8), ("5", False, 4)], "Chinese scales"),
    ("in all...51,234", [("51234", False, 0)], "a point before grouped thousands is no decimal point"),
    ("9" * 60, [], "too long to be a number"),
]


@pytest.mark.parametrize(("text", "expected", "why"), NUMBERS, ids=[case[2] for case in NUMBERS])
def test_numbers_of_a_text(text: str, expected: list[tuple[str, bool, int]], why: str) -> None:
    found = [(n.number, n.percent, n.scale) for n in numbers(normalise(text))]
    assert found == [(Fraction(value), percent, scale) for value, percent, scale in expected]


LABELS = ["1. Identify", "Step 2: divide", "December 31 is", "[3] says", "the 21st time"]


@pytest.mark.parametrize("text", LABELS)
def test_numbers_that_name_or_order_are_labels(text: str) -> None:
    assert [number.label for number in numbers(text)] == [True]


CASES = [
    ("5,829 - 5,735 = 94", ["right"], "a difference"),
    ("5,829 − 5,735 = 95", ["wrong"], "a wrong digit"),
    ("94 / 5735 = 0.0164", ["rounding"], "rounded"),
    ("94 / 5735 = 0.0163", ["rounding"], "cut"),
    ("94 / 5735 = 0.0165", ["wrong"], "rounded to nothing near"),
    ("94 / 5735 ≈ 1.64%", ["rounding"], "as a percentage"),
    ("(5,829 - 5,735) / 5,735 × 100 = 1.64%", ["rounding"], "times 100 and a percent sign"),
    ("(5,829 - 5,735) / 5,735 = 94 / 5,735 = 0.01639 = 1.639%", ["right", "rounding", "right"], "a chain"),
    ("\\frac{94}{5{,}735} \\approx 0.0164", ["rounding"], "LaTeX fraction"),
    (
        "\\left( \\frac{44 - 47}{47} \\right) \\times 100 = \\left( \\frac{-3}{47} \\right) \\times 100 \\approx -6.38\\%",
        ["right", "rounding"],
        "nested LaTeX",
    ),
    ("\\[\n12 \\div 4\n= 3\n\\]", ["right"], "over lines"),
    ("44,033 minus 47,267 equals -3,234.", ["right"], "operators in words"),
    ("2435 divided by 9475 is approximately 0.257", ["rounding"], "relation in words"),
    ("Subtracting 5,735 from 5,829 gives 94.", ["right"], "a verb turns the operands"),
    ("Dividing -215 by 4,926 yields -0.0436.", ["rounding"], "a verb and a sign"),
    ("the difference between 5,829 and 5,735 is 95", ["wrong"], "a noun"),
    ("$19.4 million per year * 3 years = $58.2 million", ["right"], "scales and units"),
    (
        "19.4 \\, \\text{million/year} \\times 3 \\, \\text{years} = 58.2 \\, \\text{million}",
        ["right"],
        "units in LaTeX",
    ),
    ("$1.2 billion - $300 million = $900 million", ["right"], "mixed scales"),
    ("0.44% of $932 million = $4.1 million", ["rounding"], "of"),
    ("5.25% - 5% = 25 basis points", ["right"], "basis points"),
    ("(3,234) / 47,267 = -6.84%", ["rounding"], "accounting parentheses"),
    ("The change (29 - 8 = 21) is large", ["right"], "in brackets"),
    ("29 (2014) - 8 (2013) = 21", ["right"], "years as asides"),
    ("10.4 / 61.4 = 0.1694. Then 0.1694 × 100 = 16.938", ["rounding", "rounding"], "digits carried on"),
    ("61,931.4 + 37,158.84 = 99,090.24 + 3,715.884 = 102,806.124", ["right", "right"], "a running sum"),
    ("(5829/5735)^(1/3) - 1 = 0.54%", ["rounding"], "a root"),
    ("1,094 = 5,829 - 4,735", ["right"], "the result first"),
    ("201 - 100 ≈ 102", ["wrong"], "nothing to round"),
    ("7034 × 0.079 is about 560", ["rounding"], "an estimate"),
    ("- 5,829 - 5,735 = 94", ["right"], "a bullet"),
    ("total\n-372 -90 = -462", ["right"], "a sign is no bullet"),
]


@pytest.mark.parametrize(("text", "expected", "why"), CASES, ids=[case[2] for case in CASES])
def test_calculations_are_recomputed(text: str, expected: list[str], why: str) -> None:
    assert verdicts(text) == expected


SILENT = [
    ("Change in 2014 = 5,829", "a year is no result"),
    ("1-3 years is $6,271", "a range"),
    ("on 12/31/2014 = 35", "a date"),
    ("29 - 8 = 21, which is 5% of total assets", "the share of something else"),
    ("revenue × 3 = 58.2", "an operand in words"),
    ("3332 × 296 = 3332 × 200 = 666,400; and the rest", "part of a working"),
    ("2015 - 5,735 = 94", "a dash after a year"),
    ("5 / 0 = 0", "no value"),
    ("x = 94 and y = 3", "no operation"),
]


@pytest.mark.parametrize(("text", "why"), SILENT, ids=[case[1] for case in SILENT])
def test_what_claims_nothing_is_not_called_wrong(text: str, why: str) -> None:
    assert "wrong" not in verdicts(text)


HOSTILE = [
    "(" * 50_000 + "1" + ")" * 50_000 + " = 1",
    "9^9^9^9 = 1 " * 2000,
    "\\frac{" * 20_000,
    "1 + " * 30_000 + "1 = 2",
    "1,234" * 20_000,
    "= " * 60_000,
    "((1)/(2" * 20_000 + " = 3",
    "2" * 100_000 + " = " + "3" * 100_000,
    "dividing 1 by 2 " * 8_000,
    "1 is or 1 is or " * 8_000,
    "is " * 50_000 + "1",
]


@pytest.mark.parametrize("text", HOSTILE, ids=[text[:12] for text in HOSTILE])
def test_hostile_text_states_a_bounded_number_of_calculations(text: str) -> None:
    assert len(stated(text)) <= MAX_CALCULATIONS
