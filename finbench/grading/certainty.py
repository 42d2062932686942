"""Is a verdict sure? What else the reply could have meant makes it unsure, in one line.

Nothing here changes what was extracted or whether it is right: the gold is looked at only to see whether the reader may
have missed it. Each row of `RIVALS` is one doubt; the first that holds is the grade's `rival`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, NamedTuple

from finbench.grading.asked import Asked, gold_quantity
from finbench.grading.decide import Found
from finbench.grading.equality import Point, equal, point
from finbench.grading.reply import Reply
from finbench.records import Document, Grade
from finbench.text.quantities import Quantity, scan

TAIL = 500  # characters at the end of a reply in which the gold's digits are looked for
_EXPLICIT = ("box", "tag", "json", "hashes")
_SHIFTS = [Fraction(10) ** power for power in (0, 2, -2, 3, -3, 6, -6)]


@dataclass(frozen=True, slots=True)
class Case:
    """One numeric verdict and what led to it."""

    found: Found | None
    reply: Reply
    wanted: Asked
    verdict: Grade
    golds: Sequence[Quantity]

    @property
    def said(self) -> Any:
        """What was read as the answer."""
        return self.found.reading.value if self.found and not self.found.reading.problem else None

    @property
    def explicit(self) -> bool:
        return self.found is not None and self.found.claim.where in (*_EXPLICIT, "cue")


class Rival(NamedTuple):
    """A doubt: its name, and the line that says it ("" where it does not hold)."""

    name: str
    says: Callable[[Case], str]


def _digits_agree(case: Case) -> str:
    """The right digits, refused for unit, scale or a factor of 100."""
    if case.verdict.correct or case.verdict.reason not in ("wrong_unit", "off_by_100", "wrong_scale"):
        return ""
    if not isinstance(case.said, Quantity) or not any(_digits(case.said, gold) for gold in case.golds):
        return ""
    declared = case.wanted.sure and case.verdict.reason == "wrong_unit"
    marked = case.said.unit or case.said.scale != 1
    if declared and marked and case.explicit:
        return ""
    return f"{case.said.shown} shows the gold's own digits, in another unit or scale"


def _last_digit(case: Case) -> str:
    """Off by a rounding: careful graders differ."""
    if case.verdict.reason != "wrong_precision" or not isinstance(case.said, Quantity):
        return ""
    if case.said.digits < 3:
        return ""  # 5 for 6 is another number
    return f"{case.said.shown} is one or two units of the last place off the gold"


def _gold_at_the_end(case: Case) -> str:
    """The gold stands in the last lines, and something else was read."""
    if case.verdict.correct or (case.found and case.found.claim.where in _EXPLICIT and case.said is not None):
        return ""
    golds = [gold for gold in case.golds if gold.digits >= 3 or (gold.digits == 2 and gold.place < 1)]
    if not golds:
        return ""
    after = case.found.claim.end if case.found and case.explicit and case.said is not None else 0
    for other in scan(case.reply.text[max(after, len(case.reply.text) - TAIL) :]):
        if not other.reference and not other.year and any(_same(other, gold) for gold in golds):
            return f"{other.shown} stands in the last lines"
    return ""


def _cut_short(case: Case) -> str:
    """A longer text that ends without an end: its conclusion may be missing."""
    text = case.reply.text.rstrip(" \n*_$")
    if case.explicit or case.found is None or len(text) < 400 or text[-1:] in ".!?。！？:)]}|%" or text[-1:].isdigit():
        return ""
    return "the text ends in the middle of a sentence"


def _thin_lead(case: Case) -> str:
    """No explicit statement, and another number of the same sentence or a later one that suits as well."""
    if case.explicit or case.found is None or case.found.claim.where == "bare" or not isinstance(case.said, Quantity):
        return ""
    row = case.found.row
    if row == "lowered":
        return "only a sentence that rather adds context says a number"
    others = [q for q in scan(case.found.claim.text) if not q.year and not q.reference]
    rivals = [q for q in others if abs(q.value) != abs(case.said.value) and q.unit == case.said.unit]
    if row == "last-sentence" and rivals and rivals[-1].start > case.found.claim.text.find(case.said.shown):
        return f"{rivals[-1].shown} stands behind it in the same sentence"
    return ""


def _lone_digit(case: Case) -> str:
    """A guess decided where one digit agrees by chance."""
    return case.verdict.rival


RIVALS: tuple[Rival, ...] = (
    Rival("guessed", _lone_digit),
    Rival("own-digits", _digits_agree),
    Rival("last-digit", _last_digit),
    Rival("gold-at-the-end", _gold_at_the_end),
    Rival("cut-short", _cut_short),
    Rival("thin-lead", _thin_lead),
)


def rival(found: Found | None, reply: Reply, wanted: Asked, verdict: Grade, document: Document) -> str:
    """The reading that makes a numeric verdict unsure, in one line; "" where it is sure."""
    golds = [q for gold in document.golds if (q := gold_quantity(gold.text)) is not None]
    case = Case(found, reply, wanted, verdict, golds)
    return next((f"{row.name}: {line}" for row in RIVALS if (line := row.says(case))), "")


def settled(verdict: Grade) -> Grade:
    """The verdict with its certainty: unsure where a rival reading is named."""
    unsure = bool(verdict.rival) or verdict.reason == "needs_judge"
    return replace(verdict, certainty="unsure" if unsure else "sure")


def _same(one: Quantity, other: Quantity) -> bool:
    """Are two numbers one, whatever their signs and units, as written or as percent and fraction?"""
    a, b = _magnitude(one), _magnitude(other)
    return bool(a.value and b.value) and bool(equal(a, b) or (one.unit != other.unit and _digits(one, other)))


def _digits(one: Quantity, other: Quantity) -> bool:
    """Do two numbers show the same digits, up to rounding, a factor of 100 or a scale word?"""
    a, b = _magnitude(one), _magnitude(other)
    if not a.value or not b.value:
        return False
    quotient = float(b.value) / float(a.value)
    return any(0.5 < quotient / float(shift) < 2 and equal(a.times(shift), b) for shift in _SHIFTS)


def _magnitude(quantity: Quantity) -> Point:
    shown = point(quantity)
    return shown if shown.value >= 0 else shown.opposite()
