"""Is a stated equality true? Its sides computed again, exactly, and compared at the digits that the text shows."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Literal, NamedTuple

from finbench.text import arithmetic
from finbench.text.arithmetic import Tree
from finbench.text.stated import TENS, Number

Verdict = Literal["right", "rounding", "wrong"]
Rounded = Mapping[tuple[int, int], Fraction]  # a rounded result's `key` -> its exact value, without sign
Outcome = tuple[Verdict | None, Fraction, Fraction]  # verdict, exact value, what the text says

Ratio = tuple[int, int]
HUNDRED = (1, 2)  # its `key`: significant digits and the power of the first
MAX_BITS = 4096  # of a numerator or denominator: 1,233 digits; "9^9^9" has no value here, and no cost
# Powers of ten between a result as written and its value: 14% is 0.14, but 0.14 x 100 = 14% is meant as well.
_PERCENT_POWERS, _POINTS_POWERS, _AFTER_PERCENT_POWERS, _BARE_POWERS = (-2, 0), (-4, -2, 0), (0, -2), (0,)


_ESTIMATE = re.compile(r"about|roughly|around|nearly")
_APPROXIMATE = re.compile(r"≈|\\(?:approx|sim|cong)|approx|rounds")


class EquationSide(NamedTuple):
    """One side of an equality."""

    tree: Tree
    leaves: tuple[int, ...]
    computed: bool  # holds an operation
    start: int
    end: int
    bracketed: frozenset[int]  # leaves alone in parentheses: accounting may mean them negative
    last: str  # the last token's kind


# -- the verdict -----------------------------------------------------------------------------------------------------


def _values(side: EquationSide, numbers: Sequence[Number], *, scaled: bool = True) -> dict[str, Ratio]:
    """What the leaves are worth; with their percent signs, and with their scale words if `scaled`."""
    values = {}
    for leaf in side.leaves:
        number = numbers[leaf]
        power = number.exponent - (2 if number.percent else 4 if number.points else 0) + (number.scale if scaled else 0)
        values[str(leaf)] = (number.digits * 10**power, 1) if power >= 0 else (number.digits, 10**-power)
    return values


def _ratio(tree: Tree, values: Mapping[str, Ratio]) -> Ratio | None:
    """The exact value of a tree as a quotient of integers, its denominator above zero; None where it has none.

    `Fraction` would reduce after every step, which takes longer than all else here; roots and powers go to text/arithmetic.py.
    """
    kind = tree[0]
    if kind == "sym":
        return values[tree[1]]
    if kind == "num":
        return tree[1].numerator, tree[1].denominator
    if kind in ("^", "sqrt"):
        exact = arithmetic.evaluate(tree, {name: Fraction(*value) for name, value in values.items()})
        return None if exact is None else (exact.numerator, exact.denominator)
    left, right = _ratio(tree[1], values), _ratio(tree[2], values)
    if left is None or right is None:
        return None
    (a, b), (c, d) = left, right
    if kind == "+":
        top, bottom = a * d + c * b, b * d
    elif kind == "-":
        top, bottom = a * d - c * b, b * d
    elif kind == "*":
        top, bottom = a * c, b * d
    elif c:
        top, bottom = (a * d, b * c) if c > 0 else (-a * d, -b * c)
    else:
        return None
    return (top, bottom) if bottom.bit_length() < MAX_BITS and top.bit_length() < MAX_BITS else None


def _targets(number: Number, sign: int, left: Sequence[Number]) -> Iterator[tuple[int, int, int]]:
    """The values that a stated result may mean, the likeliest first: (top, place, bottom), a value top/bottom whose last
    digit is worth place/bottom."""
    if number.percent:
        powers: tuple[int, ...] = _PERCENT_POWERS
    elif number.points:
        powers = _POINTS_POWERS
    elif any(other.percent for other in left):
        powers = _AFTER_PERCENT_POWERS
    else:
        powers = _BARE_POWERS
    for scale in (0, number.scale) if number.scale else (0,):
        for power in powers:
            whole = number.exponent + power + scale
            ten = 10 ** abs(whole)
            yield (sign * number.digits * ten, ten, 1) if whole >= 0 else (sign * number.digits, 1, ten)


def judged(
    left: EquationSide, right: EquationSide, relation: str, after: str, numbers: Sequence[Number], rounded: Rounded
) -> Outcome:
    """How the right side stands to the left one. `relation` is the sign or words between them, `after` what follows.

    No verdict where the left side has no value (a division by nothing).
    """
    value = _ratio(left.tree, _values(left, numbers))
    if value is None:
        return None, Fraction(0), Fraction(0)
    exact = Fraction(*value)
    if right.computed:
        return _both_computed(left, right, exact, relation, numbers)
    shown = [numbers[i] for i in left.leaves]
    meant = [list(_targets(numbers[right.leaves[0]], sign, shown)) for sign in _signs(right)]
    top, _, bottom = meant[0][0]
    stated = Fraction(top, bottom)
    for reading in _readings(left, value, numbers, rounded):
        for targets in meant:
            verdict = _close(reading, targets, relation, after)
            if verdict == "right" and reading != value and not any(n.scale or n.percent or n.points for n in shown):
                verdict = "rounding"  # right only with the digits that an earlier result was rounded by
            if verdict:
                return verdict, exact, stated
    return "wrong", exact, stated


def _signs(result: EquationSide) -> tuple[int, ...]:
    """The signs that a stated result may mean, the likeliest first; brackets alone may mean a loss."""
    if result.bracketed:
        return 1, -1
    return (-1,) if _negated(result.tree) else (1,)


def _negated(tree: Tree) -> bool:
    return tree[0] == "-" and len(tree) == 3 and tree[1] == ("num", Fraction(0))


def _readings(left: EquationSide, exact: Ratio, numbers: Sequence[Number], rounded: Rounded) -> Iterator[Ratio]:
    """The left side's values: as written; without scale words; parentheses as signs; rounded results before rounding."""
    yield exact
    values = _values(left, numbers)
    changes: list[Mapping[str, Ratio]] = []
    if any(numbers[leaf].scale for leaf in left.leaves):
        changes.append(_values(left, numbers, scaled=False))
    if left.bracketed:
        changes.append({name: (-v[0], v[1]) if int(name) in left.bracketed else v for name, v in values.items()})
    if carried := _before_rounding(left, values, numbers, rounded):
        changes.append({**values, **carried})
    for changed in changes:
        value = _ratio(left.tree, changed)
        if value is not None:
            yield value


def _before_rounding(
    side: EquationSide, values: Mapping[str, Ratio], numbers: Sequence[Number], rounded: Rounded
) -> dict[str, Ratio]:
    """The exact values of those leaves that are rounded results of calculations before."""
    carried = {}
    for leaf in side.leaves:
        before = rounded.get(numbers[leaf].key)
        if before is not None:
            # 16.94 is known as the value of "0.1694 x 100 = 16.94"; written "16.94%" it is worth a hundredth of it.
            percent = numbers[leaf].percent and before > 10 * Fraction(*values[str(leaf)])
            carried[str(leaf)] = before.numerator, before.denominator * (100 if percent else 1)
    return carried


def _close(value: Ratio, targets: Iterable[tuple[int, int, int]], relation: str, after: str) -> Verdict | None:
    """ "right" when the value is one of the targets, "rounding" when it is one to the digits shown; None when neither."""
    top, bottom = value
    for target, place, below in targets:
        difference = abs(top * below - target * bottom)
        worth = place * bottom
        if not difference:
            return "right"
        if 2 * difference <= worth:
            return "rounding"
        finer = (top * below) % worth != 0  # more digits than are shown: what is cut or estimated
        if not finer and not _ESTIMATE.search(relation):
            continue
        smaller = abs(target) * bottom < abs(top) * below and (top < 0) == (target < 0)
        if difference < worth and smaller:
            return "rounding"  # cut, not rounded
        if difference <= worth and (_APPROXIMATE.search(relation) or after.startswith(("...", "…"))):
            return "rounding"
        if _ESTIMATE.search(relation) and difference * 100 <= abs(top) * below:
            return "rounding"
    return None


def _both_computed(
    left: EquationSide, right: EquationSide, exact: Fraction, relation: str, numbers: Sequence[Number]
) -> Outcome:
    """An expression equals another: exactly, or within the rounding of the numbers that are new in it."""
    values = _values(right, numbers)
    value = _ratio(right.tree, values)
    if value is None:
        return None, exact, exact
    stated = Fraction(*value)
    factors = _hundredfold([numbers[i] for i in (*left.leaves, *right.leaves)])
    if any(exact == stated * factor for factor in factors):
        return "right", exact, stated
    first = _first_leaf(right.tree)
    if first is not None:  # a + b = 5 + c = ...: the first number of the right side is meant
        targets = _targets(numbers[first], 1, [numbers[leaf] for leaf in left.leaves])
        verdict = _close((exact.numerator, exact.denominator), targets, relation, "")
        if verdict:
            return verdict, exact, numbers[first].number
    slack = _slack(right, {numbers[leaf].key for leaf in left.leaves}, values, stated, numbers)
    if any(abs(exact - stated * factor) <= slack * factor for factor in factors):
        return "rounding", exact, stated
    return "wrong", exact, stated


def _hundredfold(shown: Iterable[Number]) -> frozenset[Fraction]:
    """The factors between two sides that mean the same: a hundred where one is in percent or multiplied by 100."""
    percents = any(number.percent or number.key == HUNDRED for number in shown)
    return frozenset({Fraction(1), Fraction(100), Fraction(1, 100)} if percents else {Fraction(1)})


def _first_leaf(tree: Tree) -> int | None:
    """The number that a tree begins with; None where it begins with one of its own, as a negated one does."""
    while len(tree) == 3:
        tree = tree[1]
    return int(tree[1]) if tree[0] == "sym" else None


def _slack(
    side: EquationSide,
    known: Container[tuple[int, int]],
    values: Mapping[str, Ratio],
    stated: Fraction,
    numbers: Sequence[Number],
) -> Fraction:
    """What the rounding of a side's new numbers may move it by: half a unit of each last digit; `known` are exact."""
    slack = Fraction(0)
    for leaf in side.leaves:
        number = numbers[leaf]
        if number.key in known or number.key == HUNDRED:
            continue
        half_unit = TENS[number.exponent] / 2 / (100 if number.percent else 1)
        moved = Fraction(*values[str(leaf)]) + half_unit
        other = _ratio(side.tree, {**values, str(leaf): (moved.numerator, moved.denominator)})
        if other is not None:
            slack += abs(Fraction(*other) - stated)
    return slack
