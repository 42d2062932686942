"""Where every number of a reply comes from, and what its answer rests on.

Numbers and calculations are walked together in the order of the text: a number may come from the page, the question, a
calculation before it, an unstated step beside it, a constant, or nothing.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Container
from fractions import Fraction
from typing import NamedTuple

from finbench.audit import page_index
from finbench.audit.calculations import Calculation
from finbench.audit.page_index import Kind
from finbench.text import arithmetic
from finbench.text.arithmetic import Tree
from finbench.text.stated import Number

COUNTED = frozenset(("cell", "sentence", "question", "computed", "implied", "nothing"))
# Set by us, and tried on 6,510 written traces (docs/audit.md): with these a clean one raises an alarm in 0.1 %.
NEAR = 4  # how many numbers back an unstated step may look in its sentence
FAR = 8  # and beyond it, for amounts of four digits
LONG = 1000  # significant digits of such an amount, as a whole number: 5,829 or 58.29
MAX_VALUES = 2000  # results and parts that are remembered; a thinking trace of 5,100 characters has some 30

# Powers of ten that may lie between a value and an answer.
_AS_IT_IS, _IN_PERCENT, _IN_OTHER_SCALE = (0,), (0, 2), (0, 2, 3, 6, 9)
_SENTENCE_END = re.compile(r"[.!?;\n](?:(?<=\n)|(?=\s))")


class Trace(NamedTuple):
    """Where the number at `start:end` comes from.

    `where` names the table's row and column, the sentence, or the calculation (`calculation` is its index, else -1);
    `how` is "", "scaled" or "rounded".
    """

    start: int
    end: int
    kind: Kind
    where: str = ""
    how: str = ""
    row: int = -1
    column: int = -1
    calculation: int = -1


class Origin(NamedTuple):
    """The calculation that a number comes from; `negative` when its value is below zero (numbers are read unsigned)."""

    tree: Tree
    negative: bool


class Value(NamedTuple):
    """A number that the text has computed: its mantissa from 1 to 10, its power, and the tree that gives it."""

    mantissa: float
    power: int
    calculation: int
    origin: Origin


class Support(NamedTuple):
    """What an answer rests on: a calculation's index, or -1 for the page or the question."""

    sound: bool
    calculation: int


class Tracing:
    """One reply: its numbers, its calculations, and after `trace_all` the origin of each."""

    def __init__(
        self,
        text: str,
        found: list[Number],
        stated: list[Calculation],
        page: page_index.Listed,
        question: page_index.Listed,
    ) -> None:
        self.text = text
        self.numbers = found
        self.calculations = stated
        self.page = page
        self.question = question
        self.traces: list[Trace] = []
        self.results = {c.result: index for index, c in enumerate(stated) if c.result >= 0}
        self.operands = {leaf for c in stated for leaf in c.operands}
        self.values: list[Value] = []
        self.origins: dict[int, Origin] = {}  # number index -> the calculation that it comes from
        self.cited: set[int] = set()  # numbers that stand on the page or in the question as they are
        self.sound: list[bool] = []
        self._hits: dict[tuple[object, ...], tuple[page_index.Location, str] | None] = {}
        self._breaks: list[int] = []  # where sentences end, once somebody asks
        self.stated: dict[tuple[int, int], Value] = {}  # a result's key -> what gives it

    def trace_all(self) -> None:
        """Walk numbers and calculations together, in the order of the text."""
        ends = [calculation.end for calculation in self.calculations]
        learnt = 0
        for index, number in enumerate(self.numbers):
            while learnt < len(ends) and ends[learnt] <= number.start:
                self._learn(learnt)
                learnt += 1
            self.traces.append(self._trace(index, number))
        for rest in range(learnt, len(ends)):
            self._learn(rest)

    def _learn(self, index: int) -> None:
        """Remember what a calculation gives, and what its parts give."""
        calculation = self.calculations[index]
        self.sound.append(calculation.verdict != "wrong" and all(self._leaf_sound(i) for i in calculation.operands))
        if calculation.verdict == "wrong":
            self._remember(calculation.stated, index, calculation.tree)
            self._state(calculation)
            return
        self._remember(calculation.exact, index, calculation.tree)
        self._state(calculation)
        if calculation.verdict == "rounding":
            self._remember(calculation.stated, index, calculation.tree)
        self._learn_parts(index, calculation)

    def _learn_parts(self, index: int, calculation: Calculation) -> None:
        """Remember the values inside a calculation: (5829 - 5735) / 5735 makes 94 known."""
        parts = _operations(calculation.tree)
        if not parts:
            return
        values = {str(leaf): self.numbers[leaf].value for leaf in calculation.operands}
        while parts and len(self.values) < MAX_VALUES:
            part = parts.pop()
            value = arithmetic.evaluate(part, values)
            if value is not None:
                self._remember(value, index, part)
            parts += _operations(part)

    def _state(self, calculation: Calculation) -> None:
        if calculation.result >= 0 and self.values:
            self.stated[self.numbers[calculation.result].key] = self.values[-1]

    def _remember(self, value: Fraction, index: int, tree: Tree) -> None:
        if value.numerator:
            mantissa, power = _split(value)
            self.values.append(Value(mantissa, power, index, Origin(tree, value.numerator < 0)))

    def _leaf_sound(self, leaf: int) -> bool:
        if leaf >= len(self.traces):
            return True
        if self.traces[leaf].kind == "nothing":
            return False
        source = self.traces[leaf].calculation
        return source < 0 or source >= len(self.sound) or self.sound[source]

    def _trace(self, index: int, number: Number) -> Trace:
        """The origin of a number: the first rule of docs/audit.md, "Where a number comes from", that holds."""
        operand = index in self.operands
        made = self.results.get(index)
        if made is not None:
            return self._result(index, number, made)
        if number.label and not operand:
            return _plain(number, "label")
        listed = self._listed(index, number)
        if number.year and not operand:
            return listed or _plain(number, "year")
        if listed and not listed.how:
            return self._carried_on(index, number) or listed if operand else listed
        return self._without_place(index, number, listed, bare=operand or not number.money)

    def _result(self, index: int, number: Number, made: int) -> Trace:
        """The number is what calculation `made` states; it may stand on the page all the same."""
        calculation = self.calculations[made]
        self.origins[index] = Origin(calculation.tree, calculation.stated.numerator < 0)
        hit = page_index.find(number, self.page) if number.digits else None
        if hit and not hit[1]:
            self.cited.add(index)
        return Trace(number.start, number.end, "computed", f"calculation {made + 1}", calculation=made)

    def _listed(self, index: int, number: Number) -> Trace | None:
        """The place on the page, or in the question, that says the number; `how` is "" where it says it as it is."""
        hit = self._found(number)
        if not hit:
            return None
        place, how = hit
        if not how:
            self.cited.add(index)
        return Trace(number.start, number.end, place.kind, place.where, how, place.row, place.column)

    def _carried_on(self, index: int, number: Number) -> Trace | None:
        """An operand that the page says too, but that a sound calculation has just given."""
        earlier = self._computed(number, exactly=True)
        return self._from(index, number, earlier) if earlier and self.sound[earlier.calculation] else None

    def _without_place(self, index: int, number: Number, listed: Trace | None, bare: bool) -> Trace:
        """A number that nothing says as it is: an earlier result, a scaled or rounded place, a constant or count, a step.

        `bare`: it may be a constant or a count, being an operand or no amount of money.
        """
        constant = bare and number.key in page_index.CONSTANTS and (not number.percent or number.key[0] in (0, 1))
        earlier = self._computed(number, exactly=constant)
        if earlier is not None:
            return self._from(index, number, earlier)
        if listed:
            return listed
        if constant:
            return _plain(number, "constant")
        if bare and number.digits <= page_index.MAX_COUNT and not (number.exponent or number.percent or number.scale):
            return _plain(number, "count")
        if number.year:
            return _plain(number, "year")
        return self._implied(index, number) or _plain(number, "nothing")

    def _found(self, number: Number) -> tuple[page_index.Location, str] | None:
        """Where the page or else the question says a number; texts say the same ones again and again."""
        asked = number[2:7]  # from its digits to its scale
        if asked not in self._hits:
            searched = number.digits and (page_index.find(number, self.page) or page_index.find(number, self.question))
            self._hits[asked] = searched or None
        return self._hits[asked]

    def known(self, number: Number, source: page_index.Listed) -> bool:
        """Does a page or a question say the number?"""
        return bool(number.digits and page_index.find(number, source))

    def _computed(self, number: Number, *, exactly: bool = False) -> Value | None:
        """The latest earlier result that rounds to the number; its parts of calculations count as results."""
        if not number.digits:
            return None
        if number.key in self.stated:
            return self.stated[number.key]
        digits = len(str(number.digits))
        mantissa, power = number.digits / 10 ** (digits - 1), digits - 1 + number.exponent
        unit = 10.0 ** (1 - digits)
        if exactly:
            return self._latest(mantissa, power, unit * 1e-9, _AS_IT_IS)
        if digits < 3:  # so few digits agree by chance: only percents and scales, and of one digit only the very value
            return self._latest(mantissa, power, unit * 0.5000001 if digits > 1 else 0.0, page_index.SHIFTS)
        low, high = -unit * 0.5000001, 2 * unit * 0.5000001
        for value in reversed(self.values):  # rounded or cut; in a long division, a power of ten away
            if low <= value.mantissa - mantissa < high:
                return value
        return None

    def _latest(self, mantissa: float, power: int, allowed: float, shifts: Container[int]) -> Value | None:
        """The latest value whose mantissa is `allowed` away at most and whose power differs by one of the shifts."""
        for value in reversed(self.values):
            if abs(value.mantissa - mantissa) <= allowed and power - value.power in shifts:
                return value
        return None

    def _from(self, index: int, number: Number, value: Value) -> Trace:
        self.origins[index] = value.origin
        where = f"calculation {value.calculation + 1}"
        return Trace(number.start, number.end, "computed", where, calculation=value.calculation)

    def _implied(self, index: int, number: Number) -> Trace | None:
        """The unstated step from two numbers nearby that gives the number.

        Two of the same sentence by any that `_step` knows; for an amount of four digits and more also a difference or sum of
        two of the last numbers, wherever they stand: such an agreement is no chance.
        """
        first, last = self._sentence(number.start)
        long = number.digits >= LONG
        near = self._near(index, FAR if long else NEAR)
        shown, allowed = self._float(index), 10.0**number.exponent * 0.5000001
        values = [self._float(i) for i in near]
        for place, i in enumerate(near):
            for j, value in zip(near[place + 1 :], values[place + 1 :], strict=True):
                together = first <= self.numbers[i].start and self.numbers[j].start < last
                if not together and not (long and j < index):
                    continue
                limit = allowed if together else allowed * 1e-6
                step = _step(values[place], value, shown, limit, together and number.digits >= 10)
                if step:
                    return self._unstated(index, i, j, step)
        return None

    def _sentence(self, place: int) -> tuple[int, int]:
        """Where the sentence around a place begins and ends."""
        if not self._breaks:
            self._breaks = [0, *(match.start() for match in _SENTENCE_END.finditer(self.text)), len(self.text)]
        here = bisect_left(self._breaks, place)
        first = self._breaks[here - 1] if here else 0
        return first, self._breaks[here] if here < len(self._breaks) else len(self.text)

    def _near(self, index: int, back: int) -> list[int]:
        """The numbers that may explain one: up to `back` before it and two behind it."""
        around = range(max(0, index - back), min(len(self.numbers), index + 3))
        return [i for i in around if self._usable(i, index)]

    def _unstated(self, index: int, i: int, j: int, step: tuple[str, str, bool]) -> Trace:
        """The trace of a number that a step of i and j gives."""
        rule, sign, swapped = step
        names = [("sym", str(k)) for k in ((j, i) if swapped else (i, j))]
        tree: Tree = ("/", ("-", *names), names[1]) if sign == "%" else (sign, *names)
        self.origins[index] = Origin(tree, False)
        number, where = self.numbers[index], f"{rule} of {self._shown(i)} and {self._shown(j)}"
        return Trace(number.start, number.end, "implied", where)

    def _float(self, index: int) -> float:
        number = self.numbers[index]
        return number.digits * 10.0**number.exponent

    def _usable(self, i: int, index: int) -> bool:
        number = self.numbers[i]
        if i == index or number.year or number.label or not number.digits:
            return False
        if i > index:  # what was computed from the number does not explain it
            return index not in self.operands and i not in self.results
        return self.traces[i].kind in COUNTED

    def _shown(self, index: int) -> str:
        return self.text[self.numbers[index].start : self.numbers[index].end].strip()

    # What the answer rests on

    def support(self, answer: Number) -> Support:
        """What gives the answer: a sound calculation; else a misstated one, whose true value it is; else a sound one in
        another scale; else the page or the question; else an unstated step."""
        mantissa, power, allowed = _place(answer)
        unsound = -1
        for shifts in (_AS_IT_IS, _IN_PERCENT, _IN_OTHER_SCALE):
            for value in reversed(self.values):
                if _agree(value, mantissa, power, allowed, shifts):
                    if self.sound[value.calculation]:
                        return Support(True, value.calculation)
                    unsound = max(unsound, value.calculation)
            if shifts is _AS_IT_IS:
                misstated = self._misstated(mantissa, power, allowed)
                if misstated >= 0:
                    return Support(False, misstated)
        if self._told(answer):
            return Support(True, -1)
        return Support(False, unsound)

    def _told(self, answer: Number) -> bool:
        """Does the answer need no calculation: the page or the question says it, it is a constant, a count, or implied?"""
        if any(page_index.find(answer, source) for source in (self.page, self.question)):
            return True
        if answer.key in page_index.CONSTANTS:
            return True
        traced = zip(self.numbers, self.traces, strict=True)
        return any(number.key == answer.key and trace.kind in ("count", "implied") for number, trace in traced)

    def _misstated(self, mantissa: float, power: int, allowed: float) -> int:
        """The last wrong calculation that would have given the answer, -1 without one."""
        for index, calculation in reversed(list(enumerate(self.calculations))):
            if calculation.verdict != "wrong":
                continue
            if not calculation.exact:
                given = not mantissa
            else:
                value = Value(*_split(calculation.exact), index, Origin(calculation.tree, False))
                given = _agree(value, mantissa, power, allowed)
            if given:
                return index
        return -1

    def giving(self, answer: Number) -> list[int]:
        """The calculations whose value, as computed or as stated, rounds to the answer."""
        mantissa, power, allowed = _place(answer)
        given = {
            value.calculation
            for value in self.values
            if value.origin.tree is self.calculations[value.calculation].tree
            and _agree(value, mantissa, power, allowed, _IN_OTHER_SCALE)
        }
        for index, calculation in enumerate(self.calculations):
            if calculation.result >= 0 and self.numbers[calculation.result].key[0] == answer.key[0]:
                given.add(index)
        return sorted(given)


def _plain(number: Number, kind: Kind) -> Trace:
    """The trace of a number that comes from no place."""
    return Trace(number.start, number.end, kind)


def _operations(tree: Tree) -> list[Tree]:
    """The operations right below the top of a tree."""
    return [part for part in tree[1:] if isinstance(part, tuple) and len(part) == 3]


def _place(answer: Number) -> tuple[float, int, float]:
    """Mantissa, power, and one unit of the last digit as part of the mantissa."""
    digits = len(str(answer.digits))
    return answer.digits / 10 ** (digits - 1), digits - 1 + answer.exponent, 10.0 ** (1 - digits) * 1.0000001


def _agree(value: Value, mantissa: float, power: int, allowed: float, shifts: Container[int] = _AS_IT_IS) -> bool:
    """Is a value the answer, to the answer's digits, `shifts` powers of ten away?"""
    for turned in (0, 1, -1):  # 9.996 is 10.0
        if abs(value.mantissa * 10.0**turned - mantissa) <= allowed:
            return abs(power - value.power + turned) in shifts
    return False


def _split(value: Fraction) -> tuple[float, int]:
    """The mantissa from 1 to 10 and the power of ten of a number that is not zero."""
    top, bottom = abs(value.numerator), value.denominator
    power = len(str(top)) - len(str(bottom))
    # A quotient of integers is rounded once, as the float of a fraction is.
    mantissa = top / (bottom * 10**power) if power >= 0 else top * 10**-power / bottom
    if mantissa < 1:
        return mantissa * 10, power - 1
    return (mantissa / 10, power + 1) if mantissa >= 10 else (mantissa, power)


def _step(a: float, b: float, shown: float, limit: float, any_step: bool) -> tuple[str, str, bool] | None:
    """The one step that makes a number of two others: its name, the operator, and whether b comes first."""
    if abs(abs(a - b) - shown) <= limit:
        return "difference", "-", b > a
    if abs(a + b - shown) <= limit:
        return "sum", "+", False
    if not (any_step and a and b):
        return None
    for value, rule, sign, swapped in (
        (a / b, "quotient", "/", False),
        (b / a, "quotient", "/", True),
        (100 * a / b, "share", "/", False),
        (100 * b / a, "share", "/", True),
        (100 * abs(a - b) / b, "change", "%", False),
        (100 * abs(a - b) / a, "change", "%", True),
        (a * b, "product", "*", False),
    ):
        if abs(value - shown) <= limit:
            return rule, sign, swapped
    return None
