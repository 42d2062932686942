"""Draws of new numbers for a page: each keeps the look of its old number, and a row of the table keeps its order."""

from __future__ import annotations

import math
import random
from decimal import Decimal, DivisionByZero, InvalidOperation
from itertools import combinations

from finbench.finqa.figures import is_constant, is_year, rounded
from finbench.finqa.page_relations import PASSES, ChangingPage
from finbench.finqa.text_relations import Values

LEAST_CHANGE = Decimal("0.03")  # of every number that a program uses; set by us


def drawn(page: ChangingPage, generator: random.Random, strict: bool) -> Values | None:
    """One draw of new numbers for all that changes, or None when it is not coherent."""
    common = generator.uniform(0.08, 0.3) * generator.choice((-1, 1))
    spread = generator.choice((0.25, 0.15, 0.07))
    values: Values = {}
    for key in page.leaves:
        new = _near(page, key, math.exp(common + generator.uniform(-spread, spread)))
        if new is None or new in values.values():
            return None
        values[key] = new
    if not _propagate(page, values):
        return None
    kept = all(abs(values.get(key, key) - key) >= LEAST_CHANGE * key for key in page.used)
    if not kept or not _in_order(page, values, strict):
        return None
    try:
        told = [mention.value(values) for mention in page.mentions]
    except (DivisionByZero, InvalidOperation):
        return None
    return values if all(told) else None


def _near(page: ChangingPage, key: Decimal, factor: float) -> Decimal | None:
    """A number of the same look near `key` times a factor, or None."""
    shown = [figure for _, figure in page.where[key]]
    decimals = min(figure.decimals for figure in shown)
    if key != rounded(key, decimals):
        return None
    step = _step(key, decimals)
    new = rounded(key * Decimal(repr(factor)) / step, 0) * step
    if new == key:
        new += step if factor > 1 else -step
    percent = any(figure.percent for figure in shown)
    return new if _looks_like(key, new, percent) and _is_free(page, new) else None


def _step(key: Decimal, decimals: int) -> Decimal:
    """The unit that a new number is a multiple of: the last digit's, or that of a whole number's zeros at the end.

    >>> _step(Decimal("12.50"), 2), _step(Decimal(519800), 0), _step(Decimal(40), 0)
    (Decimal('0.01'), Decimal('100'), Decimal('1'))
    """
    if decimals:
        return Decimal(1).scaleb(-decimals)
    whole = str(int(key))
    zeros = len(whole) - len(whole.rstrip("0"))
    return Decimal(10) ** max(0, min(zeros, len(whole) - 2))


def _looks_like(key: Decimal, new: Decimal, percent: bool) -> bool:
    """Has a number as many digits before the point as the old one, and is it no constant, year, or new 100 %?"""
    if len(str(int(new))) != len(str(int(key))) or new <= 0 or is_constant(new) or is_year(format(new, "f")):
        return False
    return not (percent and key <= 100 < new)


def _is_free(page: ChangingPage, new: Decimal) -> bool:
    """Is a number not on the page yet? One of two digits may stand there by chance, unless the program uses it."""
    return new not in page.where or (len(format(new, "f")) <= 2 and new not in page.used)


def _propagate(page: ChangingPage, values: Values) -> bool:
    """Let totals and quotients follow until nothing moves; False when they cannot all be kept."""
    leaves = frozenset(values)
    for _ in range(PASSES):
        moved = False
        for rule in page.rules:
            new = rule.follows(values)
            if new is None or not new or (new < 0) != (rule.output < 0):
                return False
            if abs(new) == values.get(rule.key, rule.key):
                continue
            if rule.fixed or rule.key in leaves or is_constant(abs(new)) or is_year(format(abs(new), "f")):
                return False
            values[rule.key] = abs(new)
            moved = True
        if not moved:
            return True
    return False


def _in_order(page: ChangingPage, values: Values, strict: bool) -> bool:
    """Do the arguments, and the numbers of a row, stand to each other as before?"""
    for a, b in combinations(sorted(page.used), 2):
        if (values.get(a, a) < values.get(b, b)) is not True:
            return False
    for line in page.rows:
        for (a, sign_a), (b, sign_b) in combinations(line, 2):
            if not strict and (a not in values or b not in values):
                continue
            new_a, new_b = sign_a * values.get(a, a), sign_b * values.get(b, b)
            if _order(sign_a * a, sign_b * b) != _order(new_a, new_b):
                return False
    return True


def _order(a: Decimal, b: Decimal) -> int:
    return (a > b) - (a < b)
