"""Are two numbers equal? Exact arithmetic, and the rounding rule: the coarser displayed precision decides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from finbench.grading.asked import Asked
from finbench.text.quantities import Quantity

# Gold shown with fewer significant digits than this is too coarse to round the other side to.
MIN_DIGITS = 2
_DAYS = {
    "year": Fraction(365),
    "quarter": Fraction(365, 4),
    "month": Fraction(365, 12),
    "week": Fraction(7),
    "day": Fraction(1),
}
_PER_UNIT = {
    "percent": Fraction(1, 100),
    "points": Fraction(1, 100),
    "bp": Fraction(1, 10_000),
    "mille": Fraction(1, 1000),
}


@dataclass(frozen=True, slots=True)
class Point:
    """A number in the question's unit: value, value of its last shown digit (0: exact), significant digits shown.

    `form` says how it was read ("percent", "scale", "") and becomes part of the reason.
    """

    value: Fraction
    place: Fraction
    digits: int
    form: str = ""

    def opposite(self) -> Point:
        return Point(-self.value, self.place, self.digits, self.form)

    def times(self, factor: Fraction, form: str = "") -> Point:
        return Point(self.value * factor, self.place * factor, self.digits, form or self.form)


def point(quantity: Quantity) -> Point:
    """The quantity as written, its unit and scale word left aside."""
    return Point(quantity.number, quantity.place, quantity.digits)


def equal(one: Point, other: Point) -> str:
    """ "equal", "rounding", or "" when the two differ.

    >>> equal(Point(Fraction(1446, 10000), Fraction(1, 10000), 4), Point(Fraction(14464, 10**5), Fraction(1, 10**5), 5))
    'rounding'
    """
    if one.value == other.value:
        return "equal"
    if abs(float(one.value) - float(other.value)) > 0.51 * float(max(one.place, other.place)) * (1 + 1e-9):
        return ""  # plainly apart: most comparisons end here, without exact arithmetic
    finer, coarser = (one, other) if one.place < other.place else (other, one)
    if coarser.place == 0 or (coarser.digits < MIN_DIGITS):
        return ""
    if rounds_to(finer.value, coarser.value, coarser.place):
        return "rounding"
    return ""


def rounds_to(value: Fraction, target: Fraction, place: Fraction) -> bool:
    """Does the value round to the target at this place?

    A tie may go either way: half up and half to even differ, and FinQA's executed golds are themselves rounded to five
    decimals, so that 0.30435 may stand for 0.304347 and 30.43 % be its right rounding.
    """
    steps = target / place
    return abs(value - target) * 2 <= place and steps.denominator == 1


def answer_points(quantity: Quantity, asked: Asked) -> list[Point] | str:
    """The readings of an answer in the question's unit, or the reason why it has none ("wrong_unit", "wrong_scale")."""
    shown = point(quantity)
    fraction = _PER_UNIT.get(quantity.unit)
    if fraction is not None:
        if asked.unit == "amount" and quantity.unit == "points" and not asked.scale:
            return [shown]  # "by what amount did it change?", said of a percentage
        if asked.unit in ("amount", "count"):
            return "wrong_unit"
        return [shown.times(fraction, "percent")]
    if quantity.unit == "times":
        return (
            "wrong_unit"
            if asked.unit in ("amount", "count") and not asked.either
            else [shown.times(Fraction(quantity.scale))]
        )
    if asked.unit == "percent":
        if quantity.currency or quantity.scale != 1 or (quantity.noun and not asked.either):
            return "wrong_unit"
        if asked.points == "bp":
            return [shown.times(_PER_UNIT["bp"])]
        return [shown, shown.times(Fraction(1, 100), "percent")]
    if quantity.currency and asked.currency and not _one_currency(quantity.currency, asked.currency):
        if quantity.currency == "cent" and asked.currency == "USD":
            return [shown.times(Fraction(1, 100), "scale")]
        return "wrong_unit"
    if asked.unit == "ratio" and quantity.currency and not asked.either:
        return "wrong_unit"
    if quantity.noun and asked.noun and quantity.noun != asked.noun:
        if quantity.noun not in _DAYS or asked.noun not in _DAYS:
            return "wrong_unit"
        return [shown.times(_DAYS[quantity.noun] / _DAYS[asked.noun], "scale")]
    if quantity.noun == "share" and asked.currency and asked.unit == "amount" and not quantity.currency:
        return "wrong_unit"
    if quantity.noun in _DAYS and asked.currency and asked.unit == "amount" and not asked.noun and not asked.year:
        return "wrong_unit"
    scale = asked.scale
    if quantity.scale != 1:
        full = shown.times(Fraction(quantity.scale), "scale")
        if scale is None:
            return [full, shown]
        return [full.times(Fraction(1, scale))]
    if scale and scale >= 10**4 and quantity.currency == "CNY":
        return [shown.times(Fraction(1, scale), "scale")]  # 35600元 where the question is in 万元
    if scale and scale != 1 and quantity.currency:
        return [shown, shown.times(Fraction(1, scale), "scale")]  # $3,321,700,000 for 3321.7 in millions
    return [shown]


def _one_currency(one: str, other: str) -> bool:
    return one == other or ("YEN" in (one, other) and {one, other} <= {"YEN", "JPY", "CNY"})


def gold_points(gold: Quantity, asked: Asked, others: Sequence[Quantity]) -> list[Point]:
    """The readings of a gold in the question's unit; `others` are the question's further golds."""
    shown = point(gold)
    fraction = _PER_UNIT.get(gold.unit)
    if fraction is not None:
        points = [shown.times(fraction)]
        return [*points, shown] if asked.either else points
    if asked.unit == "percent":
        if asked.points and not any(other.unit in _PER_UNIT for other in others):
            return [shown.times(_PER_UNIT[asked.points])]
        if asked.points == "bp" and not _is_fraction(gold, asked, others):
            return [shown.times(_PER_UNIT["bp"])]
        if asked.either and not any(other.unit in _PER_UNIT for other in others):
            return [shown, shown.times(Fraction(1, 100))]
        return [shown if _is_fraction(gold, asked, others) else shown.times(Fraction(1, 100))]
    if asked.either and not gold.currency and asked.unit not in ("amount", "count") and gold.scale == 1:
        return [shown, shown.times(Fraction(1, 100))]
    if gold.scale != 1:
        return [shown.times(Fraction(gold.scale, asked.scale or 1))]
    return [shown]


def _is_fraction(gold: Quantity, asked: Asked, others: Sequence[Quantity]) -> bool:
    """Does a bare gold of a percent question hold a fraction (0.142) rather than percents (14.2)?"""
    if asked.gold_form:
        return asked.gold_form == "fraction"
    for other in others:
        unit = _PER_UNIT.get(other.unit)
        if unit is None:
            continue
        target = point(other).times(unit)
        if equal(point(gold), target) or _near(gold.number, target.value):
            return True
        if equal(point(gold).times(Fraction(1, 100)), target) or _near(gold.number / 100, target.value):
            return False
    # No display to tell. A fraction of more than tenfold is rarer than a percentage written as such.
    return abs(gold.number) < 10


def _near(one: Fraction, other: Fraction) -> bool:
    return bool(other) and abs(abs(one / other) - 1) < Fraction(1, 20)
