"""What a question asks for: its unit, scale, direction, currency and precision, read from its wording.

The gold's unit is not in the gold (FinQA's executed answer is a fraction where the question asks for a percentage), so
either the task declares it or the question is read for it. Accepting every factor of 100 instead costs 13 to 28 % false
positives.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from typing import Literal

from finbench.grading.question import SCALE_WORDS, Words, words
from finbench.records import Answer, Gold
from finbench.text.normalize import normalise, plain
from finbench.text.quantities import Quantity, directed, scan, whole


@dataclass(frozen=True, slots=True)
class Asked:
    """What a question wants of a number.

    `unit` is "" where neither task nor question tells; `either` allows both percent readings of the gold. `scale` is
    the factor of the unit that a bare number is in, None when unknown. `direction`: "down" when the question itself
    speaks of a decline, "change" when it asks for a change, "" else. `decimals` is a demanded precision. `points` says
    that bare numbers are percentage or basis points, `limit` that a bound is asked for, `measure` an average or a total.
    """

    unit: Literal["percent", "ratio", "amount", "count", ""] = ""
    sure: bool = True  # False where the unit is only guessed from the question's words: then it refuses nothing
    gold_form: Literal["fraction", "percent", "computed", ""] = ""
    scale: int | None = None
    direction: Literal["down", "change", ""] = ""
    currency: str = ""
    noun: str = ""
    decimals: int | None = None
    either: bool = False
    year: bool = False
    loss: bool = False
    points: Literal["points", "bp", ""] = ""
    limit: bool = False
    measure: Literal["average", "total", ""] = ""
    share: bool = False  # the question speaks of a percentage, rate, share, return
    money: bool = False  # the question speaks of money
    tolerance: Fraction | None = None  # a declared share of the gold


def asked(question: str, answer: Answer, golds: Sequence[Gold]) -> Asked:
    """What the question wants, the task's declaration first.

    A task that declares neither unit nor form allows both percent readings of its gold (`either`).

    >>> asked("what was the growth rate in net revenue in 2015?", Answer("number"), ()).unit
    'percent'
    >>> asked("what was the net change, in millions?", Answer("number"), ()).scale
    1000000
    """
    wording = words(question)
    shown = [q for gold in golds if (q := gold_quantity(gold.text)) is not None]
    either = answer.unit is None and answer.gold_form is None
    unit, sure = (answer.unit, True) if answer.unit else _unit(wording, golds, shown)
    scale = SCALE_WORDS.get((answer.scale or "").lower()) or wording.scale
    if scale is None:
        scale = next((q.scale for q in shown if q.scale != 1), None)
    currency = wording.currency or next((q.currency for q in shown if q.currency), "") or answer.currency or ""
    decimals = answer.decimals if answer.decimals is not None else wording.decimals
    noun = wording.noun or next((q.noun for q in shown if q.noun and q.noun != "share"), "")
    return Asked(
        unit=unit,
        sure=sure,
        gold_form=answer.gold_form or "",
        scale=scale,
        direction=wording.direction,
        currency=currency,
        noun=noun,
        decimals=decimals,
        either=either,
        year=wording.year,
        loss=wording.loss,
        points=wording.points if unit == "percent" else "",
        limit=wording.limit,
        measure=wording.measure,
        share=wording.percent or wording.weak_percent,
        money=wording.money or any(q.currency for q in shown),
        tolerance=_share(answer.tolerance),
    )


@lru_cache(maxsize=64)
def _share(declared: str | None) -> Fraction | None:
    """A tolerance such as "0.2%" or "0.002" as a fraction; ValueError names what it is not."""
    if declared is None:
        return None
    match = re.fullmatch(r"\s*(\d{1,3}(?:\.\d{1,9})?)\s*(%?)\s*", str(declared))
    if match is None:
        raise ValueError(f"`tolerance` is {declared!r}, expected a share such as 0.2% or 0.002")
    return Fraction(match[1]) / (100 if match[2] else 1)


@lru_cache(maxsize=8192)
def gold_quantity(text: str) -> Quantity | None:
    """The number a gold text gives: all of it, or the only one with a unit in a sentence.

    >>> gold_quantity("the total balance in 2018 is $ 56.7 million .").shown
    '56.7 million'
    """
    shown = plain(normalise(text[:2000])).strip().rstrip(",;")
    shown = re.sub(r"(?<=[$€£¥-])\s+(?=[\d.-])", "", shown)
    found = whole(shown)
    if found is not None:
        return None if found.absurd else found
    found_all = [q for q in scan(shown) if not q.year and not q.reference and not q.absurd]
    if len(found_all) == 2 and shown[found_all[0].end : found_all[1].start].strip(" $") == "or":
        return found_all[0]  # "$ 411906848 or $ 411.91 million"
    with_unit = [q for q in found_all if q.unit or q.currency or q.scale != 1]
    for some in (with_unit, found_all):
        if len(some) == 1:
            only = directed(some[0], shown)
            return only if only.direction >= 0 or only.number < 0 else replace(only, number=-only.number)
    return None


Unit = Literal["percent", "ratio", "amount", "count", ""]


@dataclass(frozen=True, slots=True)
class _Golds:
    """What the golds show of the unit."""

    numbers: bool = False
    percent: bool = False
    money: bool = False  # or a scale word
    times: bool = False
    signed: bool = False  # a percent sign somewhere in their texts
    hundredfold: bool = False  # one is a hundred times the other
    small: bool = False  # below 1, or not there


# The unit asked for, the first row that holds: (unit, is it sure, when). Sure is what the golds show or the question asks
# in so many words; the rest is a guess from words that may stand there for another reason.
_UNITS: tuple[tuple[Unit, bool, Callable[[Words, _Golds], bool]], ...] = (
    ("ratio", True, lambda w, g: w.plain_ratio and not w.percent),
    ("percent", True, lambda w, g: bool(w.points) or g.percent),
    ("amount", True, lambda w, g: g.money),
    ("ratio", True, lambda w, g: g.times or (w.ratio and not w.percent)),
    ("amount", True, lambda w, g: w.percent and w.scale is not None and g.numbers and not g.signed),
    ("percent", True, lambda w, g: w.percent),
    ("count", True, lambda w, g: w.count),
    ("percent", True, lambda w, g: g.hundredfold),
    ("percent", False, lambda w, g: w.weak_percent and not w.scale and not w.currency and (g.small or not w.amount)),
    ("amount", True, lambda w, g: w.scale is not None or bool(w.noun) or w.how_much),
    ("amount", False, lambda w, g: w.amount),
)


def _unit(wording: Words, golds: Sequence[Gold], shown: Sequence[Quantity]) -> tuple[Unit, bool]:
    """The unit and whether it is sure: what the golds show is the best evidence, then the wording."""
    seen = _Golds(
        numbers=bool(shown),
        percent=any(q.unit in ("percent", "points", "bp", "mille") for q in shown),
        money=any(q.currency or q.scale != 1 for q in shown),
        times=any(q.unit == "times" for q in shown),
        signed=any("%" in gold.text for gold in golds),
        hundredfold=len(shown) >= 2 and abs(shown[0].number) < 2 and _hundredfold(shown[0], shown[1:]),
        small=not shown or (abs(shown[0].number) < 1 and not wording.scale and not wording.currency),
    )
    return next(((unit, sure) for unit, sure, holds in _UNITS if holds(wording, seen)), ("", False))


def _hundredfold(executed: Quantity, others: Sequence[Quantity]) -> bool:
    return any(o.number and 99 < abs(o.number / executed.number) < 101 for o in others if executed.number)
