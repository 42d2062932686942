"""Why a number is wrong, and the lenient reading of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from finbench.grading.asked import Asked
from finbench.grading.equality import Point, equal, gold_points, point
from finbench.records import Document, Gold
from finbench.text import quantities
from finbench.text.normalize import normalise
from finbench.text.quantities import Quantity

_POWERS: list[Fraction] = [Fraction(10) ** k for k in (0, 2, -2, 3, -3, 6, -6, 9, -9, 4, -4, 8, -8)]
_SIZE = {power: float(power) for power in _POWERS}


def _factors(one: Point, other: Point, powers: Sequence[Fraction]) -> list[Fraction]:
    """The powers that could carry one number to the other: those within a factor of two of their quotient."""
    if not one.value or not other.value:
        return [power for power in powers if power == 1]
    quotient = abs(float(other.value) / float(one.value))
    return [power for power in powers if 0.5 < quotient / _SIZE[power] < 2]


def lenient_match(quantity: Quantity, golds: Sequence[tuple[Gold, Quantity]]) -> bool:
    """The second reading: scale-free (factors of 100 and of the scale words), sign by magnitude, any gold."""
    shown = replace(point(quantity), value=abs(quantity.number))
    for _, gold in golds:
        target = replace(point(gold), value=abs(gold.number))
        if any(equal(shown.times(power), target) for power in _factors(shown, target, _POWERS)):
            return True
    return False


def diagnosis(
    document: Document, quantity: Quantity, wanted: Asked, readings: list[Point], golds: Sequence[tuple[Gold, Quantity]]
) -> str:
    """Why a number is wrong, the most telling reason first."""
    targets = [t for _, gold in golds for t in gold_points(gold, wanted, [q for _, q in golds if q is not gold])]
    shown = [replace(r, value=abs(r.value)) for r in readings]
    aims = [replace(t, value=abs(t.value)) for t in targets]
    for reason, powers in (("off_by_100", _POWERS[1:3]), ("wrong_scale", _POWERS[3:])):
        if any(equal(r.times(factor), t) for r in shown for t in aims for factor in _factors(r, t, powers)):
            return reason
    for r in shown:
        for t in aims:
            if t.value and r.value and equal(Point(1 / r.value, r.place / (r.value * r.value), r.digits), t):
                return "inverted"
            coarser = max(r.place, t.place)
            if (
                coarser
                and abs(r.value - t.value) <= coarser
                and r.value
                and abs(r.value - t.value) * 20 <= max(r.value, t.value) * (1 if min(r.digits, t.digits) > 1 else 10)
            ):
                return "wrong_precision"
    if _among(quantity, document.steps):
        return "intermediate"
    if _among(quantity, document.cells):
        return "wrong_cell"
    return "different"


def _among(quantity: Quantity, texts: Sequence[str]) -> bool:
    number = abs(quantity.number)
    for text in texts[:2000]:
        for other in quantities.scan(normalise(text[:200]), 4):
            if number and (
                abs(other.number) == number
                or (
                    other.digits >= 3
                    and equal(replace(point(quantity), value=number), replace(point(other), value=abs(other.number)))
                )
            ):
                return True
    return False
