"""Which number of a sentence is the one it states, or why it states none."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from typing import Any

from finbench.grading.asked import Asked
from finbench.grading.claims import Claim
from finbench.grading.decide import Reading
from finbench.grading.discourse import refuses
from finbench.grading.equality import answer_points, equal, point
from finbench.grading.kinds.between import levels, ranges
from finbench.text import quantities
from finbench.text.lexicon import pattern
from finbench.text.normalize import last_match
from finbench.text.quantities import Quantity

_NOT_A_NUMBER = re.compile(r"^[\s$+-]*(?:nan|inf(?:inity)?|∞|undefined|[+-]?∞)[\s$%.]*$", re.I)
_BRACKETED = re.compile(r"\[\s*([^\[\],;、]{1,40})\s*\][.。]?")
_ASIDE = re.compile(r"\([^()]{0,200}\)")
_EQUALS = re.compile(r"[=≈≃]|\bequals\b|等于", re.I)
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
_MAIN = pattern(r"<copula>\s*(?:<about>\s*)*[\s$€£¥*(\"']*$|[=≈]\s*[\s$€£¥*(\"']*$")
_CHANGE_OF = re.compile(
    r"an? (?:\w+ )?(?:increase|decrease|decline|change|growth|drop|rise|reduction)|增长|下降|减少|增加", re.I
)
_LEADS_TO = re.compile(
    r"\b(?:resulting in|which (?:is|equals|gives|yields|means|represents)|representing|i\.e\.|equivalent to|"
    r"that is|giving|yielding|an? (?:\w+ )?(?:increase|decrease|decline|change|growth|drop|rise|reduction|"
    r"difference|ratio|margin|total|average)(?: rate)? of|即|得到|得出|增长了?|下降了?|减少了?|增加了?|差额为)",
    re.I,
)


# Digits after this only explain a number that was said in words: "thirty-one million dollars ($19 million plus ...)"
_EXPLAINED = re.compile(r"(?:\(|, (?:that is|i\.e\.|namely|being)\b)[^.()]*$")
_MOVED_BY = re.compile(
    r"\b(?:increas|decreas|declin|dropp?|fell|fall|rose|ris|grew|grow|shr[aiu]nk|reduc|gain|climb|narrow|widen|jump|slipp?|"
    r"down|up|cut)\w* by[\s$€£¥*]*$",
    re.I,
)
_SO = re.compile(r"\b(?:which (?:is|equals|means|gives)|that is|or)\b|也就是|即", re.I)
_GIVES = re.compile(r"[^\d]{0,3}\b(?:gives|yields|equals|makes|leaves|comes to)\b\s+(?=[a-z])", re.I)
# The other part of a whole, after the part that was asked for.
_REMAINDER = re.compile(
    r"[,;]?\s(?:i\.e\.,?\s(?:the|a)\b|(?:with |and |leaving )?the (?:remaining|rest|remainder|balance)\b).*$",
    re.I | re.S,
)


class NumberReader:
    """Reads statements for a number that suits the question."""

    plans = True

    def __init__(self, wanted: Asked, *, parts: int = 1) -> None:
        self.wanted = wanted
        self.parts = parts  # how many numbers the question asks for

    def read(self, claim: Claim) -> Reading | None:
        """The number a statement gives, its problem, or None when it names none."""
        text = claim.text
        if not text:
            return None
        if claim.where != "json" and (alone := _BRACKETED.fullmatch(text)):
            text = alone[1]
            claim = replace(claim, text=text)
        if len(text) > 2000:
            text = text[:1000] + " " + text[-1000:]
        if _NOT_A_NUMBER.match(text):
            return Reading(problem="not_a_number")
        explicit = claim.where not in ("conclusion", "sentence")
        if claim.where == "json" and text.startswith("["):
            return self._list(text)
        exact = quantities.whole(text)
        if (
            exact is not None
            and not explicit
            and not exact.place
            and re.search(r"[(+*×÷]|\d\s+-\s|\d{3}\s+/\s+\d", text)
        ):
            return None  # a sum that was set up but not worked out
        if exact is not None:
            if exact.absurd:
                return Reading(problem="not_a_number")
            return self._value(exact, claim, whole=True)
        refusal = refuses(text)
        found = quantities.scan(text)
        if refusal and not any(q.end <= refusal.start() and not q.year and not q.reference for q in found if explicit):
            return Reading(problem="refusal")
        if self.wanted.year:
            found = [replace(q, reference=False) if q.year or 1900 <= abs(q.number) <= 2100 else q for q in found]
            found = [q for q in found if q.year] or found
        spoken = self._spoken(text, found)
        if spoken or all(q.reference for q in found):
            found = spoken or quantities.words(text)
        if not found:
            return Reading(problem="refusal") if refusal else None
        return self._resolve(text, found, claim, explicit)

    def _spoken(self, text: str, found: list[Quantity]) -> list[Quantity]:
        """The number in words that the digits of a sentence only explain or lead to; [] where there is none."""
        if not found:
            return []
        head = text[: found[0].start]
        explained = _EXPLAINED.search(head) if len(head) > 3 else None
        if explained and (said := quantities.words(head)) and said[-1].end >= explained.start() - 12:
            return said[-1:]
        gives = _GIVES.match(text, found[-1].end)
        if not gives:  # "500 / 125, which is four years"
            so = None if found[-1].unit else _SO.search(text, found[-1].end)
            said = quantities.words(" " * so.end() + text[so.end() :]) if so else []
            return [q for q in said[-1:] if q.unit or (q.noun and q.noun == self.wanted.noun)]
        blank = " " * gives.end() + text[gives.end() :]
        return quantities.words(blank)[:1]

    def same(self, one: Any, other: Any) -> bool:
        """Are two quantities one answer in two forms ("0.226, or 22.6%")?"""
        if isinstance(one, tuple) or isinstance(other, tuple):
            return bool(one == other)
        left, right = answer_points(one, self.wanted), answer_points(other, self.wanted)
        if isinstance(left, str) or isinstance(right, str):
            left, right = [point(one)], [point(other)]
        for a in left:
            for b in right:
                if equal(a, b) or (a.value == -b.value and self._one_direction(one, other)):
                    return True
                if b.value and abs(a.value / b.value - 1) < Fraction(1, 200) and min(a.digits, b.digits) <= 2:
                    return True  # "0.23, or 22.6%": the coarser form of one answer
        return False

    def _one_direction(self, one: Quantity, other: Quantity) -> bool:
        """Do two opposite numbers say one thing ("-5, a decrease of 5")? Not "5 or -5"."""
        positive = one if one.number > 0 else other
        return positive.direction < 0 or self.wanted.direction == "down"

    def merge(self, values: Sequence[Any]) -> Reading | None:
        """Several boxes side by side, when the question asks for several numbers."""
        if self.parts > 1 and len(values) == self.parts and all(isinstance(v, Quantity) for v in values):
            return Reading(tuple(values), ", ".join(v.shown for v in values))
        return None

    def _value(self, quantity: Quantity, claim: Claim, *, whole: bool = False) -> Reading:
        if quantity.bound and not self.wanted.limit:
            return Reading(problem="range")
        quantity = quantities.directed(quantity, claim.text)
        in_passing = not whole and not quantity.unit and quantity.shown[:1].isalpha() and quantity.scale == 1
        return Reading(quantity, quantity.shown, fit=0 if in_passing else self._fit(quantity), whole=whole)

    def _fit(self, quantity: Quantity) -> int:
        unit = self.wanted.unit
        percent = quantity.unit in ("percent", "points", "bp", "mille")
        if unit == "percent":
            return 2 if percent else 0 if quantity.currency or quantity.scale != 1 or quantity.noun else 1
        if unit in ("amount", "count") and percent and not self.wanted.sure:
            return 1  # the unit is only guessed
        if unit in ("amount", "count"):
            if percent or quantity.unit == "times":
                return 0
            if unit == "count" and quantity.currency:
                return 0
            return 2 if quantity.currency and unit == "amount" else 1
        if unit == "ratio":
            return 2 if quantity.unit == "times" else 0 if quantity.currency else 1
        return 1

    def _list(self, text: str) -> Reading | None:
        """A JSON list: one value in several forms, or as many values as are asked for."""
        found = quantities.scan(text)
        if self.parts > 1:
            return self._several(found, text) if len(found) == self.parts else None
        if not found:
            return None
        if any(not self.same(found[0], other) for other in found[1:]):
            return Reading(problem="two_answers")
        return Reading(found[0], found[0].shown, fit=self._fit(found[0]), whole=True)

    def _resolve(self, text: str, found: list[Quantity], claim: Claim, explicit: bool) -> Reading | None:
        retracted = last_match(_RETRACTED, text)
        if retracted and any(q.start >= retracted.end() for q in found) and retracted.start() > 0:
            found = [q for q in found if q.start >= retracted.end()]
        found = [q for q in found if not q.reference and not _REJECTED.search(text[max(0, q.start - 40) : q.start])]
        if tolerances := [q for q in found if _TOLERANCE.search(text[max(0, q.start - 8) : q.start])]:
            found = [q for q in found if q not in tolerances]
            if not found:
                return Reading(problem="two_answers")  # "±5" is two values
        if any(q.absurd for q in found):
            return Reading(problem="not_a_number")
        rest = _REMAINDER.search(text)
        if rest and (part := [q for q in found if q.end <= rest.start()]):
            found = part
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
        return self._pick(text, found, claim)

    def _several(self, found: list[Quantity], text: str) -> Reading | None:
        if len(found) < self.parts:
            return None
        chosen = tuple(found[-self.parts :]) if len(found) != self.parts else tuple(found)
        return Reading(chosen, ", ".join(q.shown for q in chosen))

    def _after_equals(self, text: str, found: list[Quantity]) -> list[Quantity]:
        """Only what stands right of the last equals sign, when something does."""
        asides = [m.span() for m in _ASIDE.finditer(text)]
        # "7,472.58 (N = 5)": what is equated in an aside is not the answer
        if any(not any(a < q.start < b for a, b in asides) for q in found):
            text = _ASIDE.sub(lambda m: m[0].replace("=", " "), text)
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

    def _pick(self, text: str, found: list[Quantity], claim: Claim) -> Reading | None:
        spans = [m.span() for m in _ASIDE.finditer(text)]
        outside = [q for q in found if not any(a < q.start and q.end <= b for a, b in spans)]
        if outside and any(self._fit(q) for q in outside):
            found = outside
        if len(found) > 2:
            passed = levels(text, found)
            found = [q for q in found if q not in passed] or found
        spread = ranges(text, found)
        points = [q for q in found if q not in spread and (self.wanted.limit or not q.bound)]
        if spread and not points:
            return Reading(problem="range")
        if not points:
            return Reading(problem="range") if any(q.bound for q in found) else None
        if claim.where == "cue" and len(points) > 1 and not re.search(r"\w", text[: points[0].start]):
            led = points[0]  # what follows "the answer is" at once
            if self._fit(led) and re.match(
                r"[\s*_)]*,\s*(?:which|so|that is to say|meaning|indicating|because|since)\b", text[led.end :]
            ):
                return self._value(led, claim)
        fits = [self._fit(q) for q in points]
        best = max(fits)
        if best == 0 and len(points) > 1 and claim.where in ("sentence", "conclusion"):
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
            explicit = claim.where not in ("conclusion", "sentence")
            either = self._either(text, suited, explicit)
            if either is not None:
                return either
            if self.wanted.direction:  # "Fees were 40 and then 32: they shrank by 8"
                moved = [q for q in suited if _MOVED_BY.search(text[max(0, q.start - 40) : q.start])]
                suited = moved if len(moved) == 1 else suited
            stated = [q for q in suited if _MAIN.search(text[max(0, q.start - 40) : q.start])]
            named = [q for q in suited if self._measured(text[max(0, q.start - 40) : q.start])]
            named = stated if len(stated) == 1 and stated[0] is suited[-1] else named
            chosen = named[0] if len(named) == 1 else _after_copula(text, suited, claim.where == "cue", self.wanted)
            if _bare(chosen):  # "500 / 125 = 4, so it pays back in 4 months"
                chosen = next((q for q in suited if q.number == chosen.number and not _bare(q)), chosen)
        if (
            claim.where in ("sentence", "conclusion")
            and quantities.whole(text) is None
            and self._only_context(text, chosen)
        ):
            return None
        return self._value(chosen, claim)

    def _measured(self, before: str) -> bool:
        """Do the words before a number name the measure asked for ("... in total, 48,250 on average")?"""
        pattern = _MEASURE.get(self.wanted.measure)
        return bool(pattern and pattern.search(before))

    def _only_context(self, text: str, chosen: Quantity) -> bool:
        """A sentence whose only number is a period or count in passing ("over the 3 years")."""
        return bool(
            chosen.noun in ("year", "month", "quarter", "day", "week")
            and self.wanted.unit in ("percent", "ratio", "amount")
            and not self.wanted.noun
        )

    def _either(self, text: str, suited: list[Quantity], explicit: bool) -> Reading | None:
        """A problem when different values are offered side by side."""
        gaps = [text[one.end : other.start] for one, other in pairwise(suited)]
        listed = explicit and len(suited) > 2 and all(_AND.fullmatch(gap) or _OR.fullmatch(gap) for gap in gaps)
        if listed and any(not self.same(suited[0], other) for other in suited[1:]):
            return Reading(problem="two_answers")
        for one, other in pairwise([quantities.directed(q, text) for q in suited]):
            between = _ASIDE.sub("", text[one.end : other.start]).rstrip("+")
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


def _bare(quantity: Quantity) -> bool:
    return not quantity.unit and not quantity.currency and not quantity.noun and quantity.scale == 1


_MEASURE = {
    "average": re.compile(r"(?:\baverag\w+|\bmean\b|平均)[^\d,;，；]{0,24}$", re.I),
    "total": re.compile(r"(?:\btotal\w*|\bsum\b|合计|总计|总额|共计)[^\d,;，；]{0,24}$", re.I),
}


_COMPARISON = re.compile(
    r"\b(?:compared (?:to|with)|in comparison (?:to|with)|versus|vs\.?|against|relative to|as opposed to|(?:up|"
    r"down) from|which (?:is|was) (?:\w+ )?(?:above|below|under|over)\b|"
    r"(?<!more )(?<!less )(?<!other )(?<!rather )than)\b|相比|较(?:上|去|前)|而上",
    re.I,
)


def _before_comparison(text: str, suited: list[Quantity]) -> list[Quantity]:
    """What stands before "compared with ...": all after it, up to a result, is the base."""
    match = _COMPARISON.search(text, suited[0].end)
    if match is None:
        return suited
    result = _LEADS_TO.search(text, match.end())
    return [q for q in suited if q.end <= match.start() or (result and q.start >= result.end())]


def _after_copula(text: str, suited: list[Quantity], cue: bool, wanted: Asked) -> Quantity:
    """The number a sentence leads up to: the first after a copula, unless the sentence goes on to a result."""
    emphatic = _LEADS_TO.search(text)
    if emphatic and (wanted.direction or not _CHANGE_OF.match(emphatic[0])):
        after = [q for q in suited if q.start >= emphatic.end()]
        if after:
            return after[0]
    if cue and not re.search(r"\w", text[: suited[0].start]):
        return suited[0]  # what follows "the answer is" at once
    for quantity in suited:  # "given a bill rate of 2 % and a market return of 9 %, is 11.1 %"
        if _MAIN.search(text[max(0, quantity.start - 40) : quantity.start]):
            return quantity
    for quantity in suited:
        if _COPULA.search(text[max(0, quantity.start - 40) : quantity.start]):
            return quantity
    return suited[-1]
