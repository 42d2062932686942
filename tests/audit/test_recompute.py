"""Is a stated equality true? Rounding, cutting, estimates, percents, scales, and results carried on."""

from __future__ import annotations

from fractions import Fraction

import pytest

from finbench.audit.calculations import Calculation, calculations
from finbench.text.normalize import normalise
from finbench.text.stated import numbers


def stated(text: str) -> list[Calculation]:
    shown = normalise(text)
    return calculations(shown, numbers(shown))


# 94 / 5735 is 0.016390584..., 200 / 3 is 66.666...
CLOSE = [
    ("94 / 5735 = 0.01639", "rounding", "rounded down"),
    ("200 / 3 = 66.67", "rounding", "rounded up"),
    ("200 / 3 = 66.66", "rounding", "cut"),
    ("94 / 5735 = 0.0163", "rounding", "cut, nine tenths of a unit away"),
    ("94 / 5735 = 0.0162", "wrong", "cut by more than one unit"),
    ("200 / 3 = 66.65", "wrong", "cut by more than one unit"),
    ("200 / 3 = 66.68", "wrong", "above, where nothing is cut"),
    ("200 / 3 ≈ 66.68", "wrong", "no sign of approximation reaches two units"),
    ("200 / 7 ≈ 28.58", "rounding", "a sign of approximation allows a whole unit"),
    ("200 / 7 = 28.58", "wrong", "which an equals sign does not"),
    ("200 / 7 = 28.58...", "rounding", "dots do"),
    ("7034 × 0.079 is about 560", "rounding", "an estimate within one percent"),
    ("7034 × 0.079 is about 550", "wrong", "and not beyond it"),
    ("201 - 100 ≈ 102", "wrong", "nothing to round"),
    ("94 / 5735 = 0.017", "wrong", "rounded up where it is nearer to the one below"),
    ("7 + 5 is about 11", "wrong", "an estimate that is a whole unit off, and more than one percent"),
    ("50% / 2 = 100 / 4", "right", "a hundredth between the sides"),
    ("94 / 5735 = 1.64%", "rounding", "a fraction as a percentage"),
    ("94 / 5735 × 100 = 1.64%", "rounding", "a percentage, and the sign"),
    ("94 / 5735 × 100 = 0.0164%", "wrong", "a hundred too few"),
    ("5.25% - 5% = 25 basis points", "right", "points of percents"),
    ("$1.2 billion - $300 million = $900 million", "right", "scales on both sides"),
    ("$1.2 billion - $300 million = $900 billion", "wrong", "a scale that is false"),
    ("1.2 billion / 3 = 0.4", "right", "a scale left out"),
    ("(36) - 5 = -41", "rounding", "brackets may be a loss"),
    ("5 - 41 = (36)", "right", "a result in brackets is a loss"),
    ("5 - 41 = 36", "wrong", "a sign left out"),
    ("12 × 3 = 40 - 4", "right", "both sides computed"),
    ("12 × 3 = 40 - 9", "wrong", "both sides computed, and apart"),
    ("2 / 3 = 1 - 0.333", "rounding", "a rounded number that is new on the right"),
    ("2 / 3 = 2 × 0.333", "rounding", "a rounded number beside one of the left side"),
    ("2 / 3 = 2 × 0.34", "wrong", "and off by more than its rounding"),
    ("1 / 4 × 100 = 50% / 2", "right", "a hundred between the sides"),
    ("9^9^9 = 5", None, "beyond bounds"),
    ("50% of 200 = 100", "right", "a bare number of a percentage"),
    ("12% + 2% = 14", "right", "a percent sign left out"),
    ("12% + 2% = 15", "wrong", "a percent sign left out, and a wrong digit"),
    ("5 × 5 = 25 basis points", "right", "points as they are counted"),
    ("2^0.5 = 1.41", "rounding", "a root has no quotient of its own"),
    ("5 / 0 = 0", None, "no value"),
]


@pytest.mark.parametrize(("text", "verdict", "why"), CLOSE, ids=[case[2] for case in CLOSE])
def test_a_result_is_true_to_the_digits_shown(text: str, verdict: str | None, why: str) -> None:
    assert [found.verdict for found in stated(text)] == ([verdict] if verdict else [])


def test_a_rounded_result_may_be_carried_on_with_its_digits() -> None:
    first, second = stated("10.4 / 61.4 = 0.1694. Then 0.1694 × 100 = 16.938")
    assert (first.verdict, second.verdict) == ("rounding", "rounding"), "0.1694 x 100 is 16.94, 10.4 / 61.4 is 16.938 %"
    alone = stated("0.1694 × 100 = 16.938")
    assert [found.verdict for found in alone] == ["wrong"]


def test_what_is_exact_and_what_is_said_are_both_told() -> None:
    (found,) = stated("94 / 5735 = 1.64%")
    assert (found.exact, found.stated) == (Fraction(94, 5735), Fraction(164, 10_000))
    first, second = stated("61,931.4 + 37,158.84 = 99,090.24 + 3,715.884 = 102,806.124")
    assert (first.stated, second.exact) == (Fraction("99090.24"), Fraction("102806.124")), "a running sum"
