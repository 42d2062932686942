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
from finbench.audit.recompute import EquationSide, Outcome, Verdict, judged
from finbench.text.arithmetic import Tree
from finbench.text.stated import Number

# Of 100 thinking traces of Fin-R1 the one with the most states 59; a reply with more than this goes in circles.
MAX_CALCULATIONS = 400
VERB_REACH = 60  # characters between a verb and its first number, and between its two: a clause of ten words


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
class Workings:
    """The calculations of one text, and what the numbers they produced are exactly."""

    text: str
    numbers: Sequence[Number]
    calculations: list[Calculation] = field(default_factory=list)
    values: dict[tuple[int, int], Fraction] = field(default_factory=dict)  # key of a rounded result -> its exact value

    def record(self, calculation: Calculation) -> None:
        """Keep a calculation, and the exact value of a result that the text goes on with rounded."""
        self.calculations.append(calculation)
        if calculation.result >= 0 and calculation.verdict == "rounding":
            self.values[self.numbers[calculation.result].key] = abs(calculation.exact)


def calculations(text: str, numbers: Sequence[Number]) -> list[Calculation]:
    """The calculations that a (normalised) text states, in order; `numbers` are `stated.numbers(text)`.

    >>> from finbench.text.stated import numbers
    >>> text = "(5,829 - 5,735) / 5,735 = 94 / 5,735 = 1.64%, and 2 x 3 = 7"
    >>> [(str(c.exact), c.verdict) for c in calculations(text, numbers(text))]
    [('94/5735', 'right'), ('94/5735', 'rounding'), ('6', 'wrong')]
    """
    found = Workings(text, numbers)
    places = [number.start for number in numbers]
    verbs = _VERB.finditer(text)
    verb = next(verbs, None)
    for start, end in runs(text):
        while verb is not None and verb.start() < start:
            _read_verb(verb, places, found)
            verb = next(verbs, None)
        for statement in statements(text, start, end, places):
            _read_chain(statement, end, found)
        if len(found.calculations) >= MAX_CALCULATIONS:
            break
    while verb is not None and len(found.calculations) < MAX_CALCULATIONS:
        _read_verb(verb, places, found)
        verb = next(verbs, None)
    return found.calculations


def _read_chain(tokens: list[Token], end: int, found: Workings) -> None:
    """Every equality of one chain, each side against the sides before it."""
    sides: list[EquationSide] = []
    segment: list[Token] = []
    relation: Token | None = None
    for place, token in enumerate([*tokens, ("r", "", end, end)]):
        if token[0] != "r":
            segment.append(token)
            continue
        read = side_of(found.text, segment, found.numbers, first=relation is None)
        if read is not None:
            if relation is not None and sides:
                _compare(sides, read, relation[1], place == len(tokens), found)
            sides.append(read)
        segment, relation = [], token


# -- claims ----------------------------------------------------------------------------------------------------------


def _compare(sides: list[EquationSide], right: EquationSide, relation: str, last: bool, found: Workings) -> None:
    """Record the claim that `right` equals the sides before it, unless it is no claim about arithmetic."""
    left = sides[-1]
    word = relation[:1].isalpha() or relation[:1] in ", "
    if not _is_claim(sides, right, word, last, found):
        return
    verdict, exact, stated = _verdict(sides, right, relation, found)
    if verdict is None:
        return
    if verdict == "wrong" and (_WEAK.match(relation) or _doubtful(left, right, word, found)):
        return
    chained = len(sides) > 1 or (bool(found.calculations) and found.calculations[-1].end == left.end)
    tree, operands, result = left.tree, left.leaves, -1
    if not right.computed:
        result = right.leaves[0]
    elif not left.computed:  # 94 = 5,829 - 5,735
        tree, operands, result, exact, stated = right.tree, right.leaves, left.leaves[0], stated, exact
    found.record(Calculation(left.start, right.end, tree, operands, result, exact, stated, verdict, chained))


def _is_claim(sides: list[EquationSide], right: EquationSide, word: bool, last: bool, found: Workings) -> bool:
    """Is an equality about arithmetic, and not a name for a number, a date, or the start of another sentence?

    `word`: the relation is told in words; `last`: nothing of the chain follows `right`.
    """
    left = sides[-1]
    if not (right.computed or any(side.computed for side in sides)):
        return False
    if last and word and not right.computed and _COMPARES.match(found.text, right.end):
        return False  # "which is 5% of the total"
    if not left.computed and len(sides) == 1 and (word or _is_name(found.numbers[left.leaves[0]])):
        return False
    return not (_DATE.search(found.text, left.start, left.end) or _GOES_ON.match(found.text, right.end))


def _is_name(number: Number) -> bool:
    """Is the number left of an equality a label: a year, a step, a small count?"""
    if number.year or number.label:
        return True
    return number.digits < 100 and not number.exponent and not number.percent and not number.money


def _doubtful(left: EquationSide, right: EquationSide, word: bool, found: Workings) -> bool:
    """Is a false equality probably none? Years ("2015 - 5,735" is a dash after a year), ranges, part of a working."""
    numbers = found.numbers
    years = [numbers[leaf].year for leaf in left.leaves]
    if all(years) or numbers[right.leaves[0]].year or (any(years) and left.tree[0] in "+-"):
        return True
    if right.computed:
        ours, theirs = [{numbers[leaf].key for leaf in side.leaves} for side in (left, right)]
        if theirs < ours:
            return True  # a + b + c = a + b = ...
        return left.tree[0] == right.tree[0] == "*" and bool(ours & theirs)  # 32 x 296 = 32 x 200 = ..., then the rest
    return word and bool(_RANGE.fullmatch(found.text, left.start, left.end))


_NO_VERDICT: Outcome = (None, Fraction(0), Fraction(0))


def _verdict(sides: list[EquationSide], right: EquationSide, relation: str, found: Workings) -> Outcome:
    """How `right` stands to the side before it, or to an earlier one of the chain."""
    best = _NO_VERDICT
    for side in reversed(sides):
        if not side.computed and not right.computed and side is not sides[-1]:
            continue
        outcome = judged(side, right, relation, _behind(right.end, found), found.numbers, found.values)
        if outcome[0] in ("right", "rounding"):
            return outcome
        best = outcome if best[0] is None else best
    return best


def _behind(end: int, found: Workings) -> str:
    """What stands behind a result: dots say that more digits follow."""
    return found.text[end : end + 3]


# -- calculations told with a verb -------------------------------------------------------------------------------------


class Verb(NamedTuple):
    """A verb or noun of arithmetic, without its first letter; the word between its numbers; the sign it stands for."""

    stem: str
    between: re.Pattern[str]
    sign: str


_VERBS = {
    "s": Verb(r"(?<=[Ss])ubtract(?:ing|ed)?", re.compile(r"\bfrom\b"), "-"),
    "d": Verb(r"(?<=[Dd])ivid(?:e|ing|ed)", re.compile(r"\bby\b"), "/"),
    "m": Verb(r"(?<=[Mm])ultipl(?:y|ying|ied)", re.compile(r"\bby\b"), "*"),
    "a": Verb(r"(?<=[Aa])dd(?:ing|ed)?|(?<=[Ss])um\s+of", re.compile(r"\b(?:and|to|plus)\b"), "+"),
    "f": Verb(r"(?<=[Dd])ifference\s+between", re.compile(r"\band\b"), "-"),
    "r": Verb(r"(?<=[Rr])atio\s+of", re.compile(r"\bto\b"), "/"),
}
# The first letters are looked at first: this is for speed alone.
_STEMS = "|".join(f"(?P<{kind}>{verb.stem})" for kind, verb in _VERBS.items())
_VERB = re.compile(rf"[SsDdMmAaRr](?=ub|iv|ul|dd|um|if|at)(?<![A-Za-z][A-Za-z])(?:{_STEMS})\b")
_BREAKS_OFF = (". ", ";", "\n", "=", "(")  # the verb's clause ends: its numbers are not those that follow
_MINUS = re.compile(r"(?<![\w)])-\s?\\?\$?$")
_LEADS = re.compile(
    rf"(?:\.\s+(?:That|This|It)\b)?[^.;:\n]{{0,24}}?(?:{RELATION}|\bwe\s+get|\bI\s+get|\bto\s+obtain|\bwe\s+have){HEDGE}[^A-Za-z\n;]{{0,6}}"
)


def _read_verb(match: re.Match[str], starts: Sequence[int], found: Workings) -> None:
    """Record "subtracting 5,735 from 5,829 gives 94", "the difference between 5,829 and 5,735 is 94"."""
    told = _told(match, starts, found)
    if told is None:
        return
    place, relation = told
    kind, result = match.lastgroup or "", place + 2
    left, right = (place + 1, place) if kind == "s" else (place, place + 1)
    tree: Tree = (_VERBS[kind].sign, _signed(found, left), _signed(found, right))
    end, numbers = found.numbers[place + 1].end, found.numbers
    operation = EquationSide(tree, (left, right), True, match.start(), end, frozenset(), "n")
    leaf = EquationSide(
        _signed(found, result), (result,), False, numbers[result].start, numbers[result].end, frozenset(), "n"
    )
    verdict, exact, stated = judged(operation, leaf, relation, _behind(leaf.end, found), numbers, found.values)
    if verdict == "wrong" and kind == "f" and abs(exact) == abs(stated):
        verdict = "right"  # a difference between two is named without its sign
    if verdict is None or (verdict == "wrong" and any(n.year or n.label for n in numbers[place : place + 3])):
        return
    found.record(Calculation(match.start(), leaf.end, tree, (left, right), result, exact, stated, verdict))


def _told(match: re.Match[str], starts: Sequence[int], found: Workings) -> tuple[int, str] | None:
    """The first of the two operands and the result that a verb speaks of, and the words before the result; None where
    it speaks of no three numbers."""
    text, kind = found.text, match.lastgroup or ""
    place = bisect_left(starts, match.end())
    if place + 2 >= len(found.numbers) or starts[place] - match.end() > VERB_REACH:
        return None
    one, other, result = found.numbers[place : place + 3]
    before, between, relation = (
        text[match.end() : one.start],
        text[one.end : other.start],
        text[other.end : result.start],
    )
    if len(between) > VERB_REACH or any(mark in gap for gap in (before, between) for mark in _BREAKS_OFF):
        return None
    if (
        not _VERBS[kind].between.search(between)
        or (kind in "dm" and " by " in before)
        or not _LEADS.fullmatch(relation)
    ):
        return None
    return place, relation


def _signed(found: Workings, index: int) -> Tree:
    """The leaf of a number, negative where a minus sign stands before it or its currency mark."""
    leaf: Tree = ("sym", str(index))
    start = found.numbers[index].start
    minus = _MINUS.search(found.text, max(0, start - 4), start)
    return ("-", ("num", Fraction(0)), leaf) if minus else leaf
