"""Are two numbers one answer? An algebra of readings, exact, with the coarser shown precision deciding.

A `Point` is one reading of a number in the question's unit. How a reading came about is kept: `form` says in which form
it stands (percent, scale), `guess` what had to be guessed for it. A guess may make two numbers one, and then the verdict
is not sure; it never refuses a reply that shows the gold's own digits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
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
PER_UNIT = {
    "percent": Fraction(1, 100),
    "points": Fraction(1, 100),
    "bp": Fraction(1, 10_000),
    "mille": Fraction(1, 1000),
}
_HUNDREDTH = Fraction(1, 100)


@dataclass(frozen=True, slots=True)
class Point:
    """A number in the question's unit: value, value of its last shown digit (0: exact), significant digits shown.

    `form` says how it was read ("percent", "scale", "") and becomes part of the reason; `guess` what was guessed
    ("unit", "scale", "factor of 100", "").
    """

    value: Fraction
    place: Fraction
    digits: int
    form: str = ""
    guess: str = ""

    def opposite(self) -> Point:
        return replace(self, value=-self.value)

    def times(self, factor: Fraction, form: str = "", guess: str = "") -> Point:
        return Point(self.value * factor, self.place * factor, self.digits, form or self.form, guess or self.guess)

    def guessed(self, what: str) -> Point:
        return replace(self, guess=what)


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


def within(one: Point, other: Point, tolerance: Fraction) -> bool:
    """Do two readings differ by no more than a declared share of the second?"""
    return abs(one.value - other.value) <= tolerance * abs(other.value)


# -- what a reply can mean -------------------------------------------------------------------------------------------


def answer_points(quantity: Quantity, asked: Asked) -> list[Point] | str:
    """The readings of an answer in the question's unit, or the reason why it has none ("wrong_unit", "wrong_scale")."""
    if quantity.unit in PER_UNIT:
        return _shares(quantity, asked)
    if quantity.unit == "times":
        refused = asked.unit in ("amount", "count") and asked.sure and not asked.either
        return "wrong_unit" if refused else [point(quantity).times(Fraction(quantity.scale))]
    if asked.unit == "percent":
        return _bare_shares(quantity, asked)
    return _amounts(quantity, asked)


def _shares(quantity: Quantity, asked: Asked) -> list[Point] | str:
    """A percentage, points, basis points."""
    shown = point(quantity)
    share = shown.times(PER_UNIT[quantity.unit], "percent")
    if asked.unit in ("amount", "count"):
        if quantity.unit == "points" and not asked.scale:
            return [shown]  # "by what amount did it change?", said of a percentage
        return "wrong_unit" if asked.sure else [share.guessed("unit"), shown.guessed("unit")]
    if asked.unit == "ratio" and not asked.sure:
        return [share, shown.guessed("unit")]
    return [share] if asked.unit else [share, shown.guessed("unit")]


def _bare_shares(quantity: Quantity, asked: Asked) -> list[Point] | str:
    """A number without a percent sign where a percentage is asked for: a fraction or percents."""
    shown = point(quantity)
    if quantity.currency or quantity.scale != 1 or (quantity.noun and not asked.either):
        if asked.sure:
            return "wrong_unit"
        amounts = _amounts(quantity, replace(asked, unit="", currency=asked.currency))
        return amounts if isinstance(amounts, str) else [one.guessed("unit") for one in amounts]
    if asked.points == "bp":
        return [shown.times(PER_UNIT["bp"])]
    return [shown, shown.times(_HUNDREDTH, "percent")]


def _amounts(quantity: Quantity, asked: Asked) -> list[Point] | str:
    """Money, counts, times, plain ratios."""
    shown = point(quantity)
    if quantity.currency and asked.currency and not _one_currency(quantity.currency, asked.currency):
        if quantity.currency == "cent" and asked.currency == "USD":
            return [shown.times(_HUNDREDTH, "scale")]
        return "wrong_unit"
    if quantity.currency == "cent" and not asked.currency:
        return [shown.times(_HUNDREDTH, "scale"), shown]
    if asked.unit == "ratio" and quantity.currency and not asked.either and asked.sure:
        return "wrong_unit"
    if quantity.noun and asked.noun and quantity.noun != asked.noun:
        if quantity.noun not in _DAYS or asked.noun not in _DAYS:
            return "wrong_unit"
        return [shown.times(_DAYS[quantity.noun] / _DAYS[asked.noun], "scale")]
    in_money = asked.currency and asked.unit == "amount"
    if quantity.noun == "share" and in_money and not quantity.currency:
        return "wrong_unit"
    if quantity.noun in _DAYS and in_money and not asked.noun and not asked.year:
        return "wrong_unit"
    points = _scaled(quantity, asked, shown)
    if asked.share and not asked.sure and not (quantity.currency or quantity.scale != 1 or quantity.noun):
        hundred = "factor of 100"
        points += [shown.times(_HUNDREDTH, guess=hundred), shown.times(Fraction(100), guess=hundred)]
    return points


def _scaled(quantity: Quantity, asked: Asked, shown: Point) -> list[Point]:
    scale = asked.scale
    if quantity.scale != 1:
        full = shown.times(Fraction(quantity.scale), "scale")
        if scale is not None:
            return [full.times(Fraction(1, scale))]
        counted = asked.unit == "count" and quantity.noun != "share" and not asked.money
        return [full] if counted else [full, shown.guessed("scale")]
    if scale and scale >= 10**4 and quantity.currency == "CNY":
        return [shown.times(Fraction(1, scale), "scale")]  # 35600元 where the question is in 万元
    if scale and scale != 1 and quantity.currency:
        return [shown, shown.times(Fraction(1, scale), "scale")]  # $3,321,700,000 for 3321.7 in millions
    return [shown]


def _one_currency(one: str, other: str) -> bool:
    return one == other or ("YEN" in (one, other) and {one, other} <= {"YEN", "JPY", "CNY"})


# -- what a gold means -----------------------------------------------------------------------------------------------


def gold_points(gold: Quantity, asked: Asked, others: Sequence[Quantity]) -> list[Point]:
    """The readings of a gold in the question's unit; `others` are the question's further golds."""
    shown = _demanded(gold, asked)
    if gold.unit in PER_UNIT:
        points = [shown.times(PER_UNIT[gold.unit])]
        return [*points, shown] if asked.either else points
    if asked.unit == "percent":
        return _bare_golds(gold, shown, asked, others)
    if gold.scale != 1:
        return [shown.times(Fraction(gold.scale, asked.scale or 1))]
    return [shown]


def _bare_golds(gold: Quantity, shown: Point, asked: Asked, others: Sequence[Quantity]) -> list[Point]:
    """A gold without a percent sign where a percentage is asked for: a fraction or percents."""
    told = any(other.unit in PER_UNIT for other in others)
    if asked.points and not told:
        return [shown.times(PER_UNIT[asked.points])]
    if asked.points == "bp" and not _is_fraction(gold, asked, others):
        return [shown.times(PER_UNIT["bp"])]
    if asked.either and not told:
        percents = shown.times(_HUNDREDTH)
        # Where nobody declares the form, a gold of more than a few units is percents; a small one may be either.
        return [shown, percents] if abs(gold.number) < FRACTION_AT_MOST else [percents]
    return [shown if _is_fraction(gold, asked, others) else shown.times(_HUNDREDTH)]


FRACTION_AT_MOST = 3  # a growth of more than 300 % is rarer than a percentage without its sign


def _demanded(gold: Quantity, asked: Asked) -> Point:
    """The gold as shown; with the decimals that the question demands, whatever zeros its text lost (3.3 is 3.30).

    The ".00" of a money display in millions is formatting, not precision.
    """
    shown = point(gold)
    if asked.decimals is not None and shown.place:
        place = Fraction(1, 10**asked.decimals)
        if asked.unit == "percent" and not gold.unit and abs(gold.number) < 1:
            place /= 100
        if place < shown.place:
            extra = len(str(shown.place / place)) - 1
            return replace(shown, place=place, digits=shown.digits + extra)
    if gold.currency and shown.place == _HUNDREDTH and gold.number.denominator == 1 and (asked.scale or 1) >= 10**6:
        return replace(shown, place=Fraction(1))
    return shown


def _is_fraction(gold: Quantity, asked: Asked, others: Sequence[Quantity]) -> bool:
    """Does a bare gold of a percent question hold a fraction (0.142) rather than percents (14.2)?"""
    if asked.gold_form in ("fraction", "percent"):
        return asked.gold_form == "fraction"
    for other in others:
        unit = PER_UNIT.get(other.unit)
        if unit is None:
            continue
        target = point(other).times(unit)
        if equal(point(gold), target) or _near(gold.number, target.value):
            return True
        if equal(point(gold).times(_HUNDREDTH), target) or _near(gold.number / 100, target.value):
            return False
    # No display to tell. A fraction of more than tenfold is rarer than a percentage written as such.
    return abs(gold.number) < 10


def _near(one: Fraction, other: Fraction) -> bool:
    return bool(other) and abs(abs(one / other) - 1) < Fraction(1, 20)
