"""Stated calculations: what a text claims to have computed, and whether it did.

"5,829 - 5,735 = 94", `\\frac{94}{5735} \\approx 1.64\\%`, "94 divided by 5,735 is 0.0164", chains a = b = c. Each claim is
computed again, exactly. Model text is never evaluated as code: text/arithmetic.py builds a bounded tree of arithmetic.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple

from finbench.audit.equations import HEDGE, RELATION, Token, runs, side_of, statements
from finbench.audit.recompute import Outcome, Side, Verdict, judged
from finbench.text.arithmetic import Tree
from finbench.text.stated import Number

MAX_CALCULATIONS = 400


class Calculation(NamedTuple):
    """One claim "expression = result" at `start:end` of the text.

    `operands` and `result` are indexes into the numbers of the text (`result` -1 where the right side is an expression);
    the tree's leaves are ("sym", str(index)). `exact` is the value of the left side as its numbers are written, `stated`
    what the text says it is.
    """

    start: int
    end: int
    tree: Tree
    operands: tuple[int, ...]
    result: int
    exact: Fraction
    stated: Fraction
    verdict: Verdict
    chained: bool = False  # the left side is the right side of the calculation before


_WEAK = re.compile(r"[\s,]*(?:or|i\.e\.|which|that|this|it|→|=>|\\(?:Right|right|implies|to))")
_COMPARES = re.compile(
    r"[\s*]{0,4}(?:of|higher|lower|more|less|above|below|greater|larger|smaller|than|in|for|from|to)\b", re.I
)
_GOES_ON = re.compile(r":|, \d{3}(?![\d.])")
_RANGE = re.compile(r"\d{1,2}\s?-\s?\d{1,2}(?:\s+\w+)?")
_DATE = re.compile(r"\d{1,2}/\d{1,2}/\d{2,4}|\d{4}-\d{2}-\d{2}")


@dataclass(slots=True)
class Found:
    """The calculations of one text, and what the numbers they produced are exactly."""

    numbers: Sequence[Number]
    calculations: list[Calculation] = field(default_factory=list)
    values: dict[tuple[int, int], Fraction] = field(default_factory=dict)  # key of a rounded result -> its exact value


def calculations(text: str, numbers: Sequence[Number]) -> list[Calculation]:
    """The calculations that a (normalised) text states, in order; `numbers` are `stated.numbers(text)`.

    >>> from finbench.text.stated import numbers
    >>> text = "(5,829 - 5,735) / 5,735 = 94 / 5,735 = 1.64%, and 2 x 3 = 7"
    >>> [(str(c.exact), c.verdict) for c in calculations(text, numbers(text))]
    [('94/5735', 'right'), ('94/5735', 'rounding'), ('6', 'wrong')]
    """
    found = Found(numbers)
    places = [number.start for number in numbers]
    verbs = _VERB.finditer(text)
    verb = next(verbs, None)
    for start, end in runs(text):
        while verb is not None and verb.start() < start:
            _read_verb(text, verb, places, found)
            verb = next(verbs, None)
        for statement in statements(text, start, end, places):
            _read_chain(text, statement, end, found)
        if len(found.calculations) >= MAX_CALCULATIONS:
            break
    while verb is not None and len(found.calculations) < MAX_CALCULATIONS:
        _read_verb(text, verb, places, found)
        verb = next(verbs, None)
    return found.calculations


def _read_chain(text: str, tokens: list[Token], end: int, found: Found) -> None:
    """Every equality of one chain, each side against the sides before it."""
    sides: list[Side] = []
    segment: list[Token] = []
    relation: Token | None = None
    for place, token in enumerate([*tokens, ("r", "", end, end)]):
        if token[0] != "r":
            segment.append(token)
            continue
        read = side_of(text, segment, found.numbers, first=relation is None)
        if read is not None:
            if relation is not None and sides:
                _compare(text, sides, read, relation[1], place == len(tokens), end, found)
            sides.append(read)
        segment, relation = [], token


# -- claims ----------------------------------------------------------------------------------------------------------


def _compare(text: str, sides: list[Side], right: Side, relation: str, last: bool, end: int, found: Found) -> None:
    """Record the claim that `right` equals the sides before it, unless it is no claim about arithmetic."""
    numbers = found.numbers
    left = sides[-1]
    if not (right.computed or left.computed or any(side.computed for side in sides)):
        return
    word = relation[:1].isalpha() or relation[:1] in ", "
    if last and word and not right.computed and _COMPARES.match(text, right.end):
        return  # "which is 5% of the total"
    if not left.computed and len(sides) == 1 and (word or _is_name(numbers[left.leaves[0]])):
        return
    if _DATE.search(text, left.start, left.end) or _GOES_ON.match(text, right.end):
        return
    verdict, exact, stated = _verdict(sides, right, relation, text, found)
    if verdict is None:
        return
    if verdict == "wrong" and (_WEAK.match(relation) or _doubtful(text, left, right, word, numbers)):
        return
    chained = len(sides) > 1 or (bool(found.calculations) and found.calculations[-1].end == left.end)
    result = -1
    tree, operands = left.tree, left.leaves
    if not right.computed:
        result = right.leaves[0]
    elif not left.computed:  # 94 = 5,829 - 5,735
        tree, operands, result, exact, stated = right.tree, right.leaves, left.leaves[0], stated, exact
    found.calculations.append(
        Calculation(left.start, right.end, tree, operands, result, exact, stated, verdict, chained)
    )
    if result >= 0 and verdict == "rounding":
        found.values[numbers[result].key] = abs(exact)


def _is_name(number: Number) -> bool:
    """Is the number left of an equality a label: a year, a step, a small count?"""
    if number.year or number.label:
        return True
    return number.digits < 100 and not number.exponent and not number.percent and not number.money


def _doubtful(text: str, left: Side, right: Side, word: bool, numbers: Sequence[Number]) -> bool:
    """Is a false equality probably none? Years ("2015 - 5,735" is a dash after a year), ranges, part of a working."""
    years = [numbers[leaf].year for leaf in left.leaves]
    if all(years) or numbers[right.leaves[0]].year or (any(years) and left.tree[0] in "+-"):
        return True
    if right.computed:
        ours, theirs = [{numbers[leaf].key for leaf in side.leaves} for side in (left, right)]
        if theirs < ours:
            return True  # a + b + c = a + b = ...
        return left.tree[0] == right.tree[0] == "*" and bool(ours & theirs)  # 32 x 296 = 32 x 200 = ..., then the rest
    return word and bool(_RANGE.fullmatch(text, left.start, left.end))


_NO_VERDICT: Outcome = (None, Fraction(0), Fraction(0))


def _verdict(sides: list[Side], right: Side, relation: str, text: str, found: Found) -> Outcome:
    """How `right` stands to the side before it, or to an earlier one of the chain."""
    best = _NO_VERDICT
    for side in reversed(sides):
        if not side.computed and not right.computed and side is not sides[-1]:
            continue
        outcome = judged(side, right, relation, text[right.end : right.end + 3], found.numbers, found.values)
        if outcome[0] in ("right", "rounding"):
            return outcome
        best = outcome if best[0] is None else best
    return best


# -- calculations told with a verb -------------------------------------------------------------------------------------

_VERB = re.compile(
    r"[SsDdMmAaRr](?=ub|iv|ul|dd|um|if|at)(?<![A-Za-z][A-Za-z])(?:(?P<s>(?<=[Ss])ubtract(?:ing|ed)?)|(?P<d>(?<=[Dd])ivid(?:e|ing|ed))|(?P<m>(?<=[Mm])ultipl(?:y|ying|ied))|"
    r"(?P<a>(?<=[Aa])dd(?:ing|ed)?|(?<=[Ss])um\s+of)|(?P<f>(?<=[Dd])ifference\s+between)|(?P<r>(?<=[Rr])atio\s+of))\b"
)
_BETWEEN = {"s": re.compile(r"\bfrom\b"), "d": re.compile(r"\bby\b"), "m": re.compile(r"\bby\b"),
            "a": re.compile(r"\b(?:and|to|plus)\b"), "f": re.compile(r"\band\b"), "r": re.compile(r"\bto\b")}  # fmt: skip
_MINUS = re.compile(r"(?<![\w)])-\s?\\?\$?$")
_TREES = {"s": "-", "d": "/", "m": "*", "a": "+", "f": "-", "r": "/"}
_LEADS = re.compile(
    rf"(?:\.\s+(?:That|This|It)\b)?[^.;:\n]{{0,24}}?(?:{RELATION}|\bwe\s+get|\bI\s+get|\bto\s+obtain|\bwe\s+have){HEDGE}[^A-Za-z\n;]{{0,6}}"
)


def _read_verb(text: str, match: re.Match[str], starts: Sequence[int], found: Found) -> None:
    """ "subtracting 5,735 from 5,829 gives 94", "the difference between 5,829 and 5,735 is 94"."""
    numbers = found.numbers
    place = bisect_left(starts, match.end())
    if place + 2 >= len(numbers) or starts[place] - match.end() > 60:
        return
    one, other, result = numbers[place : place + 3]
    kind = match.lastgroup or ""
    before, between, after = text[match.end() : one.start], text[one.end : other.start], text[other.end : result.start]
    if any(mark in gap for gap in (before, between) for mark in (". ", ";", "\n", "=", "(")) or len(between) > 60:
        return
    if not _BETWEEN[kind].search(between) or (kind in "dm" and " by " in before) or not _LEADS.fullmatch(after):
        return
    left, right = (place + 1, place) if kind == "s" else (place, place + 1)
    tree: Tree = (_TREES[kind], _signed(text, left, numbers), _signed(text, right, numbers))
    side = Side(tree, (left, right), True, match.start(), other.end, frozenset(), "n")
    told = Side(_signed(text, place + 2, numbers), (place + 2,), False, result.start, result.end, frozenset(), "n")
    verdict, exact, stated = judged(side, told, after, text[result.end : result.end + 3], numbers, found.values)
    if verdict == "wrong" and kind == "f" and abs(exact) == abs(stated):
        verdict = "right"
    if verdict is None or (verdict == "wrong" and any(n.year or n.label for n in (one, other, result))):
        return
    found.calculations.append(
        Calculation(match.start(), result.end, tree, (left, right), place + 2, exact, stated, verdict)
    )
    if verdict == "rounding":
        found.values[result.key] = abs(exact)


def _signed(text: str, index: int, numbers: Sequence[Number]) -> Tree:
    """The leaf of a number, negative where a minus sign stands before it or its currency mark."""
    leaf: Tree = ("sym", str(index))
    start = numbers[index].start
    minus = _MINUS.search(text, max(0, start - 4), start)
    return ("-", ("num", Fraction(0)), leaf) if minus else leaf
