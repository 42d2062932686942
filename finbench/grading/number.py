"""Numbers: what a statement says, whether it equals a gold, and why not."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

from finbench import quantity as quantities
from finbench.characters import last_match, normalise, plain
from finbench.extract import Found, Reading, Reply, Statement, find, refuses
from finbench.grading.asked import Asked, asked, gold_quantity
from finbench.grading.compare import MIN_DIGITS, Point, answer_points, equal, gold_points, point
from finbench.grading.text import grade_text
from finbench.quantity import Quantity
from finbench.records import Document, Gold, Grade

_NOT_A_NUMBER = re.compile(r"^[\s$+-]*(?:nan|inf(?:inity)?|∞|undefined|[+-]?∞)[\s$%.]*$", re.I)
_RANGE = re.compile(r"\s*(?:-|~|to|through|and|至|到|→)\s*[$€£¥]?\s*", re.I)
_RANGE_BEFORE = re.compile(
    r"(?:\b(?:between|from|ranging from|ranges? (?:from|of|between)|range:?|anywhere from|in the range(?: of)?|"
    r"somewhere between)|介于|在|从|范围)[\s$€£¥*]*$",
    re.I,
)
_RANGE_AFTER = re.compile(r"\s*(?:之间|区间|range\b)", re.I)
_ASIDE = re.compile(r"\([^()]{0,200}\)")
_EQUALS = re.compile(r"[=≈≃]")
_OPERATOR = re.compile(r"[\s$]*[×÷*/+·^-][\s$]*")
_OR = re.compile(
    r"[\s,;()$]*(?:\bor\b|或者?|\balternatively\b|/)(?:\s+(?:about|approximately|roughly|equivalently|perhaps|"
    r"maybe|possibly|约))?[\s,;($]*",
    re.I,
)
_AND = re.compile(r"[\s,;()$]*(?:\band\b|和|以及|、|,|;|&)[\s,;($]*", re.I)
_REJECTED = re.compile(
    r"(?:\b(?:not|rather than|instead of|isn't|wasn't|and not|but not|never)\s+(?:the\s+)?(?:[a-z]+\s+)?|而不是|"
    r"不是|而非|并非)[\s$*\"'(]*$",
    re.I,
)
_TOLERANCE = re.compile(r"(?:±|\+/-|\+-|plus or minus)\s*$")
_RETRACTED = re.compile(
    r"(?:,|\.|;|—|-|\()\s*(?:no,?\s+)?(?:wait|actually|correction|sorry|i mean|rather|oops|不对|更正|"
    r"应该是)\b[\s,:]*|(?:不对|更正|应为|应该是)[,:]?",
    re.I,
)
_BASE = re.compile(
    r"(?:\b(?:from|compared (?:to|with)|versus|vs\.?|relative to|against|than|out of|of the|on (?:a )?(?:revenue|"
    r"sales|base|total|net sales)s? of|based on|base of|using|given|divided by|divide|"
    r"over the|dividing|subtracting|multiplying|multiplied by|minus|plus|times|after|before|since|until|through|"
    r"during|for(?: the)?(?: past| last| next)?|within|at|per|every|with(?: a| an)?(?: \w+){0,3}? of|as of|in|"
    r"by dividing|on|when|if|"
    r"less|excluding|including|the prior|previously|sum of)|相比|相较|比|较|从|除以|减去|乘以|加上|基于|根据|在|"
    r"自)\s*(?:about |approximately |around |约|the )?[\s$€£¥*(]*$",
    re.I,
)
_COPULA = re.compile(
    r"(?:\b(?:is|was|are|were|be|equals?|equal to|amounts? to|amounted to|totals?|totaled|totalled|came to|"
    r"comes to|stood at|stands at|reached|yields?|gives?|results? in|resulting in|approximately|about|around|"
    r"roughly|by|of|to|"
    r"representing|represents?|worth|at|reports?|reported|recorded|had|has|have|a total of|average of)|=|≈|:|→|"
    r"为|是|达到?|约|等于|共计?|合计|增长了?|下降了?|减少了?|增加了?)\s*(?:about |approximately |around |"
    r"roughly |just |only |约|大约|negative )*[\s$€£¥*(\"']*$",
    re.I,
)
_LEADS_TO = re.compile(
    r"\b(?:resulting in|which (?:is|equals|gives|yields|means|represents)|representing|i\.e\.|equivalent to|"
    r"that is|giving|yielding|an? (?:\w+ )?(?:increase|decrease|decline|change|growth|drop|rise|reduction|"
    r"difference|ratio|margin|total|average)(?: rate)? of|即|得到|得出|增长了?|下降了?|减少了?|增加了?|差额为)",
    re.I,
)


class NumberReader:
    """Reads statements for a number that suits the question."""

    plans = True

    def __init__(self, wanted: Asked, *, parts: int = 1) -> None:
        self.wanted = wanted
        self.parts = parts  # how many numbers the question asks for

    def read(self, statement: Statement) -> Reading | None:
        """The number a statement gives, its problem, or None when it names none."""
        text = statement.text
        if not text:
            return None
        if len(text) > 2000:
            text = text[:1000] + " " + text[-1000:]
        if _NOT_A_NUMBER.match(text):
            return Reading(problem="not_a_number")
        explicit = statement.rule not in ("conclusion", "sentence")
        exact = quantities.whole(text)
        if exact is not None and not explicit and not exact.place and re.search(r"[(+*×÷]|\d\s+-\s", text):
            return None  # a sum that was set up but not worked out
        if exact is not None:
            if exact.absurd:
                return Reading(problem="not_a_number")
            return self._value(exact, statement, whole=True)
        refusal = refuses(text)
        found = quantities.scan(text)
        if refusal and not any(q.end <= refusal.start() and not q.year and not q.reference for q in found if explicit):
            return Reading(problem="refusal")
        if not any(not q.reference for q in found):
            found = quantities.words(text)
        if not found:
            return Reading(problem="refusal") if refusal else None
        return self._resolve(text, found, statement, explicit)

    def same(self, one: Any, other: Any) -> bool:
        """Are two quantities one answer in two forms ("0.226, or 22.6%")?"""
        if isinstance(one, tuple) or isinstance(other, tuple):
            return bool(one == other)
        left, right = answer_points(one, self.wanted), answer_points(other, self.wanted)
        if isinstance(left, str) or isinstance(right, str):
            left, right = [point(one)], [point(other)]
        for a in left:
            for b in right:
                if equal(a, b) or (abs(a.value) == abs(b.value)):
                    return True
                if b.value and abs(a.value / b.value - 1) < Fraction(1, 200) and min(a.digits, b.digits) <= 2:
                    return True  # "0.23, or 22.6%": the coarser form of one answer
        return False

    def merge(self, values: Sequence[Any]) -> Reading | None:
        """Several boxes side by side, when the question asks for several numbers."""
        if self.parts > 1 and len(values) == self.parts and all(isinstance(v, Quantity) for v in values):
            return Reading(tuple(values), ", ".join(v.shown for v in values))
        return None

    def _value(self, quantity: Quantity, statement: Statement, *, whole: bool = False) -> Reading:
        if quantity.bound:
            return Reading(problem="range")
        quantity = quantities.directed(quantity, statement.text)
        in_passing = not whole and not quantity.unit and quantity.shown[:1].isalpha() and quantity.scale == 1
        return Reading(quantity, quantity.shown, fit=0 if in_passing else self._fit(quantity), whole=whole)

    def _fit(self, quantity: Quantity) -> int:
        unit = self.wanted.unit
        percent = quantity.unit in ("percent", "points", "bp")
        if unit == "percent":
            return 2 if percent else 0 if quantity.currency or quantity.scale != 1 or quantity.noun else 1
        if unit in ("amount", "count"):
            if percent or quantity.unit == "times":
                return 0
            if unit == "count" and quantity.currency:
                return 0
            return 2 if quantity.currency and unit == "amount" else 1
        if unit == "ratio":
            return 2 if quantity.unit == "times" else 0 if quantity.currency else 1
        return 1

    def _resolve(self, text: str, found: list[Quantity], statement: Statement, explicit: bool) -> Reading | None:
        retracted = last_match(_RETRACTED, text)
        if retracted and any(q.start >= retracted.end() for q in found) and retracted.start() > 0:
            found = [q for q in found if q.start >= retracted.end()]
        found = [q for q in found if not q.reference and not _REJECTED.search(text[max(0, q.start - 40) : q.start])]
        found = [q for q in found if not _TOLERANCE.search(text[max(0, q.start - 8) : q.start])] or found
        if any(q.absurd for q in found):
            return Reading(problem="not_a_number")
        dated = found if self.wanted.year else [q for q in found if not q.year]
        if not dated:
            if not explicit or not found or len(found) > 1 or len(text) > 40:
                return None
            dated = found
        found = dated
        if self.parts > 1:
            return self._several(found, text)
        if len(found) > 1:
            found = self._after_equals(text, found)
        return self._pick(text, found, statement)

    def _several(self, found: list[Quantity], text: str) -> Reading | None:
        if len(found) < self.parts:
            return None
        chosen = tuple(found[-self.parts :]) if len(found) != self.parts else tuple(found)
        return Reading(chosen, ", ".join(q.shown for q in chosen))

    def _after_equals(self, text: str, found: list[Quantity]) -> list[Quantity]:
        """Only what stands right of the last equals sign, when something does."""
        last = last_match(_EQUALS, text)
        if last is None:
            return found
        right = [q for q in found if q.start >= last.start()]
        if not right:
            return found
        # "a / b = 0.1639, or 16.39%": keep what follows; an unevaluated right side is computed as a whole
        form = quantities.whole(text[last.end() :])
        return (
            [replace(form, start=right[0].start, end=right[-1].end)] if form is not None and len(right) > 1 else right
        )

    def _pick(self, text: str, found: list[Quantity], statement: Statement) -> Reading | None:
        spans = [m.span() for m in _ASIDE.finditer(text)]
        outside = [q for q in found if not any(a < q.start and q.end <= b for a, b in spans)]
        if outside and any(self._fit(q) for q in outside):
            found = outside
        ranges = _ranges(text, found)
        points = [q for q in found if q not in ranges and not q.bound]
        if ranges and not points:
            return Reading(problem="range")
        if not points:
            return Reading(problem="range") if any(q.bound for q in found) else None
        fits = [self._fit(q) for q in points]
        best = max(fits)
        if best == 0 and len(points) > 1 and statement.rule in ("sentence", "conclusion"):
            return None
        suited = [q for q, fit in zip(points, fits) if fit == best]
        if best == 1 and self.wanted.unit in ("amount", "count", ""):
            suited = [q for q, fit in zip(points, fits) if fit >= 1]
        if len(suited) > 1:
            operands = [
                i for i in range(len(suited) - 1) if _OPERATOR.fullmatch(text[suited[i].end : suited[i + 1].start])
            ]
            if operands and len(operands) == len(suited) - 1 and not _EQUALS.search(text):
                return None  # a sum that was set up but not worked out
        if len(suited) > 1:
            suited = _before_comparison(text, suited)
        if len(suited) > 1:
            bare = [q for q in suited if not _BASE.search(text[max(0, q.start - 45) : q.start])]
            suited = bare or suited
        chosen = suited[0]
        if len(suited) > 1:
            either = self._either(text, suited)
            if either is not None:
                return either
            chosen = _after_copula(text, suited)
        if chosen.bound:
            return Reading(problem="range")
        if (
            statement.rule in ("sentence", "conclusion")
            and quantities.whole(text) is None
            and self._only_context(text, chosen)
        ):
            return None
        return self._value(chosen, statement)

    def _only_context(self, text: str, chosen: Quantity) -> bool:
        """A sentence whose only number is a period or count in passing ("over the 3 years")."""
        return bool(
            chosen.noun in ("year", "month", "quarter", "day", "week")
            and self.wanted.unit in ("percent", "ratio", "amount")
            and not self.wanted.noun
        )

    def _either(self, text: str, suited: list[Quantity]) -> Reading | None:
        """A problem when two different values are offered side by side."""
        for one, other in itertools.pairwise(suited):
            between = text[one.end : other.start]
            if _OR.fullmatch(between) and not self.same(one, other):
                return Reading(problem="two_answers")
            if (
                _AND.fullmatch(between)
                and not self.same(one, other)
                and re.search(r"\band\b|和|及|&", between)
                and len(suited) == 2
            ):
                return Reading(problem="two_answers")
        return None


def _direction_before(statement: Statement, quantity: Quantity) -> int:
    """The direction that the words before a box give: its own sentence, or the last one with the same number."""
    lead = statement.lead
    joined = plain(lead) + " " + quantity.shown
    for other in reversed(quantities.scan(joined)):
        if other.end < len(joined) - len(quantity.shown) - 160:
            break
        if other.number == quantity.number and (direction := quantities.directed(other, joined).direction):
            return direction
    return 0


def _ranges(text: str, found: list[Quantity]) -> list[Quantity]:
    inside: list[Quantity] = []
    for one, other in itertools.pairwise(found):
        between = text[one.end : other.start]
        link = _RANGE.fullmatch(between)
        minus = between == "" and other.number < 0 and not other.shown.startswith("(")
        if not link and not minus:
            continue
        word = between.strip().lower().strip("$€£¥ ")
        before = text[max(0, one.start - 30) : one.start]
        if word in ("and", "→"):
            if re.search(r"between[\s$*]*$|介于$", before, re.I):
                inside += [one, other]
        elif (
            word in ("to", "through", "到", "至")
            and re.search(r"\bfrom[\s$*]*$|从$", before, re.I)
            and not re.search(r"rang", before, re.I)
        ):
            continue  # "rose from 5 to 6" tells two levels
        elif abs(other.number) > abs(one.number) or word in ("to", "至", "到", "~"):
            inside += [one, other]
    return inside


_COMPARISON = re.compile(
    r"\b(?:compared (?:to|with)|in comparison (?:to|with)|versus|vs\.?|against|relative to|as opposed to|(?:up|"
    r"down) from|(?<!more )(?<!less )(?<!other )(?<!rather )than)\b|相比|较(?:上|去|前)|而上",
    re.I,
)


def _before_comparison(text: str, suited: list[Quantity]) -> list[Quantity]:
    """What stands before "compared with ...": all after it, up to a result, is the base."""
    match = _COMPARISON.search(text, suited[0].end)
    if match is None:
        return suited
    result = _LEADS_TO.search(text, match.end())
    return [q for q in suited if q.end <= match.start() or (result and q.start >= result.end())]


def _after_copula(text: str, suited: list[Quantity]) -> Quantity:
    """The number a sentence leads up to: the first after a copula, unless the sentence goes on to a result."""
    emphatic = _LEADS_TO.search(text)
    if emphatic:
        after = [q for q in suited if q.start >= emphatic.end()]
        if after:
            return after[0]
    for quantity in suited:
        if _COPULA.search(text[max(0, quantity.start - 40) : quantity.start]):
            return quantity
    return suited[-1]


# --- the grade ---------------------------------------------------------------------------------------------------------


def grade_number(document: Document, reply: Reply, *, either: bool = False, home: str = "") -> Grade:
    """Right when the stated number equals a gold in the question's unit, direction, scale and precision."""
    lists = [several(gold.text) for gold in document.golds]
    if lists and lists[0]:
        return _grade_list(document, reply, lists[0], either=either, home=home)
    if all(gold_quantity(gold.text) is None for gold in document.golds):
        return grade_text(document, reply)  # a display answer in words
    wanted = asked(document.question, document.answer, document.golds, either=either, home=home)
    reader = NumberReader(wanted)
    found = find(reply, reader, document.question)
    if found is None:
        return Grade(False, "no_answer")
    if found.reading.problem:
        return Grade(False, found.reading.problem, rule=found.statement.rule)
    return judge(document, found.reading.value, wanted, found)


def judge(document: Document, quantity: Quantity, wanted: Asked, found: Found | None = None) -> Grade:
    """The verdict on one quantity: any gold may be hit; the reason tells how, or what is wrong with it."""
    if found is not None and quantity.direction == 0 and quantity.number > 0 and wanted.direction:
        quantity = replace(quantity, direction=_direction_before(found.statement, quantity))
    golds = [(gold, q) for gold in document.golds if (q := gold_quantity(gold.text)) is not None]
    readings = answer_points(quantity, wanted)
    shown = str(quantity.shown)
    base = Grade(False, "different", extracted=shown, value=_text(quantity), rule=found.statement.rule if found else "")
    if isinstance(readings, str):
        return replace(base, reason=readings, lenient=_lenient(quantity, golds))
    directions = _signs(quantity, wanted)
    best = ""
    for gold, gold_q in golds:
        if _too_coarse(gold, gold_q, golds) or _short_of_decimals(gold_q, wanted, len(golds)):
            continue
        others = [q for _, q in golds if q is not gold_q]
        for target in gold_points(gold_q, wanted, others):
            for reading in readings:
                verdict = _match(reading, target, wanted, directions, quantity)
                if verdict in ("equal", "rounding"):
                    form = f"{reading.form}_form" if reading.form and verdict == "equal" else verdict
                    if reading.form == "percent" and gold_q.unit:
                        form = verdict
                    return replace(base, correct=True, reason=form, gold=gold.source, lenient=True)
                best = best or verdict
    reason = best or _diagnosis(document, quantity, wanted, readings, golds)
    return replace(base, reason=reason, lenient=_lenient(quantity, golds))


def _signs(quantity: Quantity, wanted: Asked) -> tuple[int, ...]:
    """The factors under which the magnitude shown may be read, given the words around it and the question's."""
    if wanted.direction == "down":
        # "a net profit of 5" where a loss is asked for
        return () if quantity.direction > 0 and quantity.number > 0 else (1, -1)
    if quantity.direction < 0 and quantity.number > 0:
        return (-1,) if wanted.direction == "change" else (1, -1)
    return (1,)


def _match(reading: Point, target: Point, wanted: Asked, signs: tuple[int, ...], quantity: Quantity) -> str:
    reading = _demanded(reading, wanted, quantity)
    for sign in signs:
        verdict = equal(replace(reading, value=reading.value * sign), target)
        if verdict:
            return verdict
    for sign in (1, -1):
        if equal(replace(reading, value=reading.value * sign), target):
            return "wrong_sign"
    return ""


def _demanded(reading: Point, wanted: Asked, quantity: Quantity) -> Point:
    """With a precision demanded by the question, an answer shown coarser is taken as exact to that precision."""
    if wanted.decimals is None or not reading.place:
        return reading
    unit = reading.place / quantity.place if quantity.place else Fraction(1)
    if wanted.unit == "percent" and reading.form != "percent" and quantity.unit == "" and abs(reading.value) < 1:
        unit = Fraction(1, 100)  # two decimals of a percentage, given as a fraction: four decimals
    place = unit * Fraction(1, 10**wanted.decimals)
    return replace(reading, place=place, digits=max(MIN_DIGITS, reading.digits)) if reading.place > place else reading


def _too_coarse(gold: Gold, shown: Quantity, golds: Sequence[tuple[Gold, Quantity]]) -> bool:
    """A display of one significant digit is no gold of its own beside an executed one."""
    return (
        gold.source == "display" and shown.digits < MIN_DIGITS and any(other.source != "display" for other, _ in golds)
    )


def _short_of_decimals(shown: Quantity, wanted: Asked, golds: int) -> bool:
    return (
        golds > 1
        and wanted.decimals is not None
        and bool(shown.unit)
        and shown.place > Fraction(1, 10**wanted.decimals)
    )


def _text(quantity: Quantity) -> str:
    """The value in plain decimal notation, percents with their sign."""
    value = quantity.value
    sign = {"percent": "%", "points": "%", "bp": "bp"}.get(quantity.unit, "")
    if value.denominator == 1:
        return f"{value.numerator}{sign}"
    digits = f"{float(value):.12g}" if abs(value) < 10**300 else str(value)
    return f"{digits}{sign}"


_POWERS: list[Fraction] = [Fraction(10) ** k for k in (0, 2, -2, 3, -3, 6, -6, 9, -9, 4, -4, 8, -8)]
_SIZE = {power: float(power) for power in _POWERS}


def _factors(one: Point, other: Point, powers: Sequence[Fraction]) -> list[Fraction]:
    """The powers that could carry one number to the other: those within a factor of two of their quotient."""
    if not one.value or not other.value:
        return [power for power in powers if power == 1]
    quotient = abs(float(other.value) / float(one.value))
    return [power for power in powers if 0.5 < quotient / _SIZE[power] < 2]


def _lenient(quantity: Quantity, golds: Sequence[tuple[Gold, Quantity]]) -> bool:
    """The second reading: scale-free (factors of 100 and of the scale words), sign by magnitude, any gold."""
    shown = replace(point(quantity), value=abs(quantity.number))
    for _, gold in golds:
        target = replace(point(gold), value=abs(gold.number))
        if any(equal(shown.times(power), target) for power in _factors(shown, target, _POWERS)):
            return True
    return False


def _diagnosis(
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


# --- several numbers ---------------------------------------------------------------------------------------------------

_SEPARATOR = re.compile(r"\s*(?:,\s|;|、|/\s|\band\b|和|及|以及)\s*", re.I)


def several(text: str) -> list[Quantity]:
    """The numbers of a gold that is a list ("12.5%, 13.1%"); empty when it is one number or no list."""
    if len(text) > 300 or not re.search(r"[,;、/]|and|和|及", text):
        return []
    shown = plain(normalise(text)).strip("[]() ")
    if quantities.whole(shown) is not None:
        return []
    parts = [quantities.whole(part) for part in _SEPARATOR.split(shown)]
    if len(parts) < 2 or any(part is None for part in parts):
        return []
    return [part for part in parts if part is not None]


def _grade_list(document: Document, reply: Reply, golds: list[Quantity], *, either: bool, home: str) -> Grade:
    wanted = asked(document.question, document.answer, document.golds, either=either, home=home)
    found = find(reply, NumberReader(wanted, parts=len(golds)), document.question)
    if found is None:  # one number a line
        tail = Statement(plain(reply.text[-600:].replace("\n", "; ")), 0, len(reply.text), "sentence")
        reading = NumberReader(wanted, parts=len(golds)).read(tail)
        found = Found(reading, tail) if reading else None
    if found is None:
        return Grade(False, "no_answer")
    if found.reading.problem:
        return Grade(False, found.reading.problem, rule=found.statement.rule)
    values = found.reading.value if isinstance(found.reading.value, tuple) else (found.reading.value,)
    base = Grade(False, "different", extracted=found.reading.shown, rule=found.statement.rule)
    if len(values) != len(golds):
        return base
    grades = [
        judge(replace(document, golds=(Gold(gold.shown, document.golds[0].source),)), value, wanted)
        for gold, value in zip(golds, values)
    ]
    if all(grade.correct for grade in grades):
        return replace(base, correct=True, reason=grades[0].reason, gold=document.golds[0].source, lenient=True)
    return replace(base, reason=next(grade.reason for grade in grades if not grade.correct))
