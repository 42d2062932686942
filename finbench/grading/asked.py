"""What a question asks for: its unit, scale, direction, currency and precision, read from its wording.

The gold's unit is not in the gold (FinQA's executed answer is a fraction where the question asks for a percentage), so
either the task declares it or the question is read for it. Accepting every factor of 100 instead costs 13 to 28 % false
positives.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
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
    gold_form: Literal["fraction", "percent", ""] = ""
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


def asked(question: str, answer: Answer, golds: Sequence[Gold], *, either: bool = False, home: str = "") -> Asked:
    """What the question wants, the task's declaration first.

    `home` is the currency of a task whose questions leave it out (USD for FinQA's filings).

    >>> asked("what was the growth rate in net revenue in 2015?", Answer("number"), ()).unit
    'percent'
    >>> asked("what was the net change, in millions?", Answer("number"), ()).scale
    1000000
    """
    wording = words(question)
    shown = [q for gold in golds if (q := gold_quantity(gold.text)) is not None]
    unit = answer.unit or _unit(wording, golds, shown)
    scale = SCALE_WORDS.get((answer.scale or "").lower()) or wording.scale
    if scale is None:
        scale = next((q.scale for q in shown if q.scale != 1), None)
    currency = wording.currency or next((q.currency for q in shown if q.currency), "") or home
    decimals = answer.decimals if answer.decimals is not None else wording.decimals
    noun = wording.noun or next((q.noun for q in shown if q.noun and q.noun != "share"), "")
    return Asked(
        unit=unit,
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
    )


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


def _unit(
    wording: Words, golds: Sequence[Gold], shown: Sequence[Quantity]
) -> Literal["percent", "ratio", "amount", "count", ""]:
    """The unit: a percent sign among the golds is the best evidence, then the wording, then the kind of display."""
    if wording.plain_ratio and not wording.percent:
        return "ratio"
    if wording.points or any(q.unit in ("percent", "points", "bp", "mille") for q in shown):
        return "percent"
    if any(q.currency or q.scale != 1 for q in shown):
        return "amount"
    if any(q.unit == "times" for q in shown):
        return "ratio"
    if wording.ratio and not wording.percent:
        return "ratio"
    if wording.percent and wording.scale and shown and not re.search("%", "".join(gold.text for gold in golds)):
        return "amount"  # "in millions, had it grown by the same percentage"
    if wording.percent:
        return "percent"
    if wording.count:
        return "count"
    if len(shown) >= 2 and abs(shown[0].number) < 2 and _hundredfold(shown[0], shown[1:]):
        return "percent"
    small = bool(shown) and abs(shown[0].number) < 1 and not wording.scale and not wording.currency
    if (
        wording.weak_percent
        and not wording.scale
        and not wording.currency
        and (small or not shown or not wording.amount)
    ):
        return "percent"
    if wording.amount or wording.noun:
        return "amount"
    return ""


def _hundredfold(executed: Quantity, others: Sequence[Quantity]) -> bool:
    return any(o.number and 99 < abs(o.number / executed.number) < 101 for o in others if executed.number)
