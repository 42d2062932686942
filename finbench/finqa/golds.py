"""Two golds for one question, and what they say of each other.

FinQA and ConvFinQA write an answer twice: executed (the program's number, `0.14464`) and displayed (`14%`). They often
disagree, so rows carry both, and `relation` says how they stand to each other. The kinds of disagreement were counted on
FinQA's 1,147 test rows.
"""

from __future__ import annotations

import re
from decimal import Decimal

from finbench.finqa import programs
from finbench.finqa.programs import Value

YES_NO = ("yes", "no")
# The executed number has five decimals: nothing finer can be compared with it.
FINEST = Decimal("0.00001")
# Powers of ten by which a display with the right digits may be off: a place slipped, percents, the scales of filings.
SCALES = tuple(Decimal(10) ** power for power in (-9, -6, -3, -2, -1, 1, 2, 3, 6, 9))
HUNDREDTH = Decimal("0.01")
NEAR = Decimal("0.01")  # set by us: a display that is off by less is a slip of a digit, not another question

# From the closest to none; the first that holds is the relation.
RELATIONS = (
    "agree",
    "agree_percent",
    "percent_executed",
    "last_digit",
    "percent_unsigned",
    "sign",
    "scale",
    "near",
    "conflict",
    "display_empty",
)

_NUMBER = re.compile(r"(-?)\s*\$?\s*(-?)((?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d+)?)\s*(%?)")


def golds(executed: Value, display: str) -> list[dict[str, str]]:
    """The accepted golds, executed first. A number is no answer to a question that the display answers yes or no."""
    both = [{"text": programs.text(executed), "source": "executed"}, {"text": display.strip(), "source": "display"}]
    if display in YES_NO and executed not in YES_NO:
        return both[1:]
    return both if display.strip() else both[:1]


def relation(executed: Value, display: str) -> str:
    """How the displayed answer stands to the executed one, the first of these that holds:

    `display_empty`; `agree` within the display's own rounding; `agree_percent` after reading its percentage as a
    hundredth; `percent_executed` (the program computes the percentage itself); `last_digit` (cut instead of rounded);
    `percent_unsigned` (a hundred times the executed number, sign left out); `sign`; `scale` (off by a power of ten);
    `near` (within 1 %); `conflict`.

    >>> relation(0.14464, "14%"), relation(3297.66667, "3298"), relation(0.07427, "7.42%"), relation(0.79588, "79.6")
    ('agree_percent', 'agree', 'last_digit', 'percent_unsigned')
    >>> relation(-0.51419, "51%"), relation(0.18962, "189625"), relation(0.00543, "43.7%"), relation("yes", "yes")
    ('sign', 'scale', 'conflict', 'agree')
    """
    if not display.strip():
        return "display_empty"
    if isinstance(executed, str) or display in YES_NO:
        return "agree" if executed == display else "conflict"
    exact = Decimal(repr(float(executed)))
    ranks = [_number_relation(exact, *read) for read in _readings(display)]
    return min(ranks, key=RELATIONS.index, default="conflict")


def _readings(display: str) -> list[tuple[Decimal, Decimal, bool]]:
    """The numbers in a display answer as (value, unit of its last digit, is a percentage); a few hold several."""
    read = []
    for found in _NUMBER.finditer(display):
        digits = found[3].replace(",", "")
        if not any(map(str.isdigit, digits)):
            continue
        value = Decimal(digits)
        unit = Decimal(1).scaleb(int(value.as_tuple().exponent))
        read.append((-value if found[1] or found[2] else value, unit, bool(found[4])))
    return read


def _number_relation(exact: Decimal, shown: Decimal, unit: Decimal, percent: bool) -> str:
    """How one number of a display, the unit of its last digit and its percent sign stand to the executed number."""
    forms = _forms(shown, unit, percent)
    for name, (value, last) in forms.items():
        if _within(exact - value, last / 2):
            return name
    for value, last in forms.values():
        if _within(exact - value, last):
            return "last_digit"
    for value, last in forms.values():
        if _within(exact + value, last):
            return "sign"
    value, last = next(iter(forms.values()))
    if value and any(_within(exact - value * scale, last * scale) for scale in SCALES):
        return "scale"
    return "near" if abs(exact - value) <= abs(exact) * NEAR else "conflict"


def _forms(shown: Decimal, unit: Decimal, percent: bool) -> dict[str, tuple[Decimal, Decimal]]:
    """What a shown number may mean, the plain meaning first: relation if it agrees -> (value, unit of its last digit)."""
    as_written, as_fraction = (shown, unit), (shown * HUNDREDTH, unit * HUNDREDTH)
    if percent:
        return {"agree_percent": as_fraction, "percent_executed": as_written}
    return {"agree": as_written, "percent_unsigned": as_fraction}


def _within(difference: Decimal, allowed: Decimal) -> bool:
    return abs(difference) <= max(allowed, FINEST / 2)


# -- what the golds say of the question ------------------------------------------------------------------------------

_PERCENT = re.compile(r"\b(?:percent\w*|growth rate|what (?:portion|proportion|share) of)\b|%")
_RATIO = re.compile(r"\b(?:ratio|times|multiple)\b")
_COUNT = re.compile(r"\b(?:how many|number of)\b")


def question_type(question: str, executed: Value, display: str) -> str:
    """yes_no, percent, ratio, count or amount: a heading for breakdowns, guessed from the question and its golds."""
    words = question.lower()
    if executed in YES_NO or display in YES_NO:
        return "yes_no"
    if "%" in display or _PERCENT.search(words):
        return "percent"
    if _RATIO.search(words):
        return "ratio"
    return "count" if _COUNT.search(words) else "amount"


# Filings of listed US companies: a question that names no currency means dollars. The golds are computed by programs.
NUMBER = {"kind": "number", "currency": "USD", "gold_form": "computed"}


def answer(question: str, executed: Value, display: str, related: str) -> dict[str, str]:
    """The typed answer, saying no more than the golds make sure; what is left out has to be read in the question.

    A percent sign in the display makes a percentage, unless the question asks for a ratio: there a bare 173 for 1.73
    is wrong, and `173%` in the gold must not make it right.

    >>> answer("what is the growth rate?", 0.14464, "14%", "agree_percent")
    {'kind': 'number', 'currency': 'USD', 'gold_form': 'fraction', 'unit': 'percent'}
    >>> answer("what is the ratio of debt to equity?", 1.73, "173%", "agree_percent")
    {'kind': 'number', 'currency': 'USD', 'gold_form': 'computed'}
    """
    if executed in YES_NO or display in YES_NO:
        return {"kind": "boolean"}
    if "%" not in display or _RATIO.search(question.lower()):
        return {**NUMBER}
    form = {"agree_percent": "fraction", "percent_executed": "percent"}.get(related)
    return {**NUMBER} | ({"gold_form": form} if form else {}) | {"unit": "percent"}


def contradictory(related: str) -> bool:
    """Do the two golds exclude each other? Then one of them is wrong, and so is the model that trusts the other."""
    return related in ("conflict", "scale")
