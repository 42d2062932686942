"""What FinQA and ConvFinQA share: a page of a company report as a prompt shows it, and two golds for one question.

Both write an answer twice: executed (the program's number, `0.14464`) and displayed (`14%`). They often disagree, so
rows carry both, and `relation` says how they stand to each other. The kinds of disagreement were counted on FinQA's
1,147 test rows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from finbench.finqa import programs
from finbench.finqa.programs import Table, Value

YES_NO = ("yes", "no")
# The executed number has five decimals: nothing finer can be compared with it.
FINEST = Decimal("0.00001")
SCALES = tuple(Decimal(10) ** power for power in (-9, -6, -3, -2, -1, 1, 2, 3, 6, 9))

_NUMBER = re.compile(r"(-?)\s*\$?\s*(-?)((?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d+)?)\s*(%?)")
# Characters lost their backslash-u in the published files: `2019s` was ’s. Only what cannot be a year is mended;
# `2014`, `2013` and `2022` alone may be dashes, bullets or years, and stay.
_TYPOGRAPHY = (
    (re.compile(r"\s?\b2019(s|t|re|ve|ll|d|m)\b"), r"'\1"),
    (re.compile(r"\b201c ?"), '"'),
    (re.compile(r"\s?\b201d\b"), '"'),
)
# Cells repeat a negative number or a percentage in parentheses: `-32 ( 32 )`, `27% ( 27 % )`, `( 5 ) % (  % )`.
_REPEATED = re.compile(r"(-?)([\d,.]+)(%?) \( \2 ?\3 \)")
_EMPTY_PERCENT = re.compile(r" ?\(\s+% ?\)")
_OPEN_PERCENT = re.compile(r"\( ([\d,.]+) \) ?%")


# -- the page --------------------------------------------------------------------------------------------------------


def page(row: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a document that come from the page: for the prompt `text_before`, `table_markdown`, `text_after`;
    for diagnoses `cells` (below the header, right of the row names); the raw fields as the dataset has them."""
    table = row["table"]
    return {
        "text_before": prose(row["pre_text"]),
        "table_markdown": markdown(table),
        "text_after": prose(row["post_text"]),
        "cells": [shown for cells in table[1:] for cell in cells[1:] if (shown := clean_cell(cell))],
        "table": table,
        "pre_text": row["pre_text"],
        "post_text": row["post_text"],
    }


def prose(sentences: Sequence[str]) -> str:
    """The sentences as one paragraph, without repetitions, unambiguous typography mended; a lone `.` is no sentence.

    >>> prose(["management 2019s 201coutlook 201d for 2019 is 5.0% ( 5.0 % ) .", "."])
    'management\\'s "outlook" for 2019 is 5.0% .'
    """
    return mend(_once(" ".join(sentence for sentence in sentences if sentence.strip(" ."))))


def mend(text: str) -> str:
    """The text with apostrophes and quotation marks where only their code points are left."""
    if "201" not in text:  # spares nearly every cell the search
        return text
    for broken, whole in _TYPOGRAPHY:
        text = broken.sub(whole, text)
    return text


def clean_cell(cell: str) -> str:
    """The cell without the repetition that the dataset's tokenizer left in it.

    >>> [clean_cell(cell) for cell in ("$ -32 ( 32 )", "27% ( 27 % )", "( 5 ) % (  % )", "2016 ( 1 )")]
    ['$ -32', '27%', '(5)%', '2016 ( 1 )']
    """
    if "(" in cell:
        cell = _OPEN_PERCENT.sub(r"(\1)%", _EMPTY_PERCENT.sub("", _once(cell)))
    return mend(cell).strip()


def _once(text: str) -> str:
    """A plain number before the same number in parentheses is left alone: `2016 ( 1 )` is a note."""
    return _REPEATED.sub(lambda found: "".join(found.group(1, 2, 3)) if found[1] or found[3] else found[0], text)


def markdown(table: Table) -> str:
    """The table in Markdown, its first row as the header; short rows are filled up, `|` and line breaks are escaped.

    >>> print(markdown([["", "2019"], ["net loss", "-32 ( 32 )"]]))
    |  | 2019 |
    | --- | --- |
    | net loss | -32 |
    """
    width = max((len(cells) for cells in table), default=0)
    if not width:
        return ""
    lines = [[_escaped(cell) for cell in cells] + [""] * (width - len(cells)) for cells in table]
    lines.insert(1, ["---"] * width)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _escaped(cell: str) -> str:
    return clean_cell(" ".join(cell.split())).replace("|", "\\|")


# -- the golds -------------------------------------------------------------------------------------------------------


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
    hundredth = Decimal("0.01")
    as_fraction = (shown * hundredth, unit * hundredth)
    forms = {
        "agree_percent" if percent else "agree": as_fraction if percent else (shown, unit),
        "percent_executed" if percent else "percent_unsigned": (shown, unit) if percent else as_fraction,
    }
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
    for scale in SCALES:
        if value and _within(exact - value * scale, last * scale):
            return "scale"
    return "near" if abs(exact - value) <= abs(exact) / 100 else "conflict"


def _within(difference: Decimal, allowed: Decimal) -> bool:
    return abs(difference) <= max(allowed, FINEST / 2)


# -- the question ----------------------------------------------------------------------------------------------------

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
