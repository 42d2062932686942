"""The same questions over other numbers: a variant of a row, with golds of its own, and the proof that it holds.

The numbers that the gold programs use are replaced wherever the page shows them, and what follows from them follows
(page_relations.py). The programs are rewritten and executed on the new page. All turns of a conversation share one draw. A
question for which this cannot be done is left out, with the reason (docs/resampled.md). Everything is drawn from the seed
and the row's id: the same seed gives the same bytes.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from finbench.finqa import programs
from finbench.finqa.draws import drawn
from finbench.finqa.figures import figures, rewrite, written
from finbench.finqa.golds import YES_NO, contradictory, relation
from finbench.finqa.page_relations import ChangingPage, NoVariant
from finbench.finqa.programs import Value
from finbench.finqa.proof import UNTRUSTED, differs, faults
from finbench.finqa.questions import Gold, Question, asking, questions
from finbench.finqa.text_relations import Values

# Measured on FinQA's test rows: 400 draws leave 70 to 74 of 1,147 rows without numbers, about 4 % of the variants come
# from draws after the 300th (docs/resampled.md).
DRAWS = 400
STRICT = 300  # draws that also keep the order among a row's numbers that do not change
NEAR = "the new gold is too near the old one"
AFTER = "an earlier turn has no variant"
PLAUSIBLE = 5  # set by us: the gold stays within this factor of the old one in strict draws


@dataclass(frozen=True, slots=True)
class Excluded:
    """Why a row has no variant: for a conversation, why its first turn has none."""

    reason: str


@dataclass(frozen=True, slots=True)
class Variant:
    """A row over new numbers, in the form of the dataset, and what was replaced: old number -> new number.

    A conversation may end earlier than the old one; its `asked` holds the numbers (from 1) of the turns to be asked,
    `left_out` the reason for every other. A turn that is shown but not asked stands in the history of the later ones.
    """

    row: Mapping[str, Any]
    replaced: Mapping[str, str]
    strict: bool  # the order among the neighbours that did not change was kept as well
    left_out: Mapping[int, str] = field(default_factory=dict)


def variant(row: Mapping[str, Any], seed: int) -> Variant | Excluded:
    """The row's variant for a seed; its `id` is "<id>#<seed>", `original` the old id.

    A turn shows all turns before it, so a conversation is kept up to the first turn that cannot be made coherent.
    """
    asked = questions(row)
    found: Variant | Excluded = Excluded("the row asks nothing")
    for kept in range(len(asked), 0, -1):
        why, found = found, _whole(asking(row, asked[:kept]), seed)
        if isinstance(found, Variant):
            cut = dict.fromkeys(range(kept + 1, len(asked) + 1), AFTER)
            if isinstance(why, Excluded) and cut:
                cut[kept + 1] = why.reason
            return replace(found, left_out={**found.left_out, **cut})
    return found


def _whole(row: Mapping[str, Any], seed: int) -> Variant | Excluded:
    """The variant that shows all questions of a row, of up to DRAWS draws the first that changes most golds."""
    old = questions(row)
    left_out = {number: reason for number, question in enumerate(old, 1) if (reason := _unfit(question))}
    if len(left_out) == len(old):
        return Excluded(left_out[1])
    try:
        page = ChangingPage(row)
    except NoVariant as found:
        return Excluded(str(found))
    for number, question in enumerate(old, 1):
        if not page.uses(question.program):
            left_out.setdefault(number, "the program uses no number of the page")
    fit = [number for number in range(1, len(old) + 1) if number not in left_out]
    best: Variant | None = None
    most = 0
    for values, golds, strict in _coherent(page, f"{seed}/{row['id']}"):
        asked = [number for number in fit if differs(old[number - 1].gold, golds[number - 1])]
        if len(asked) <= most:
            continue
        made = _made(row, page, values, golds, seed, asked)
        if faults(row, made):
            continue
        most = len(asked)
        too_near = {number: NEAR for number in fit if number not in asked}
        best = Variant(made, _replaced(values), strict, too_near | left_out)
        if most == len(fit):
            break
    return best or Excluded("no numbers found that keep the page coherent")


def _coherent(page: ChangingPage, name: str) -> Iterator[tuple[Values, list[Gold], bool]]:
    """The draws of new numbers that hold together, with their golds and whether they are strict; at most DRAWS."""
    generator = random.Random(name)  # noqa: S311  # a draw to be repeated, not a secret
    for draw in range(DRAWS):
        strict = draw < STRICT
        values = drawn(page, generator, strict)
        golds = _golds(page, values, strict) if values else None
        if values is not None and golds is not None:
            yield values, golds, strict


def _made(
    row: Mapping[str, Any], page: ChangingPage, values: Values, golds: Sequence[Gold], seed: int, asked: Sequence[int]
) -> dict[str, Any]:
    """The row over new numbers under its new name; of a conversation also which turns are asked."""
    made = page.row(values, golds) | {"id": f"{row['id']}#{seed}", "original": row["id"]}
    return made | {"asked": list(asked)} if "annotation" in row else made


def _replaced(values: Values) -> dict[str, str]:
    """Old number -> new number as texts, in order of size; those that stayed are left out."""
    return {format(old, "f"): format(new, "f") for old, new in sorted(values.items()) if old != new}


def _unfit(question: Question) -> str:
    """Why a question's answer cannot tell computing from remembering; empty when it can."""
    if isinstance(question.executed, str) or question.display in YES_NO:
        return "the answer is yes or no"
    if relation(question.executed, question.display) in UNTRUSTED:
        return "the two golds contradict each other"
    return ""


def variants(rows: Iterable[Mapping[str, Any]], seed: int) -> tuple[list[Mapping[str, Any]], Counter[str]]:
    """The variants of all rows that have one, and how many questions have none, by reason."""
    made: list[Mapping[str, Any]] = []
    left_out: Counter[str] = Counter()
    for row in rows:
        found = variant(row, seed)
        if isinstance(found, Variant):
            made.append(found.row)
            left_out.update(found.left_out.values())
        else:
            left_out.update([found.reason] + [AFTER] * (len(questions(row)) - 1))
    return made, left_out


def summary(made: int, left_out: Counter[str]) -> str:
    """One line: how many rows have a variant and why others have none.

    >>> summary(3, Counter({"the answer is yes or no": 2}))
    '3 of 5 rows have a variant; left out: 2 the answer is yes or no'
    """
    reasons = ", ".join(f"{count} {reason}" for reason, count in left_out.most_common())
    return f"{made} of {made + left_out.total()} rows have a variant" + (f"; left out: {reasons}" if reasons else "")


def _golds(page: ChangingPage, values: Values, strict: bool) -> list[Gold] | None:
    """The golds from new numbers; None where one is nothing, of another sign, or far from plausible."""
    table = page.table(values)
    golds = []
    for question, program in zip(page.asked, page.programs(values), strict=True):
        try:
            executed = programs.run(program, table).value
        except programs.ProgramError:
            return None
        if not _plausible(question.executed, executed, strict):
            return None
        display = _displayed_anew(question, executed)
        if strict and _coarser(display, question.display):
            return None
        golds.append((executed, display))
    return golds


def _plausible(old: Value, new: Value, strict: bool) -> bool:
    """Has a new gold the old one's sign, and in a strict draw its size?"""
    if isinstance(old, str) or isinstance(new, str):
        return new == old  # later turns build on the yes or the no
    if bool(new) != bool(old) or (new < 0) != (old < 0):
        return False
    return not strict or not old or 1 / PLAUSIBLE <= new / old <= PLAUSIBLE


def _displayed_anew(question: Question, executed: Value) -> str:
    """A contradictory display has no counterpart: histories show such a turn's executed gold."""
    related = relation(question.executed, question.display)
    if isinstance(executed, str) or isinstance(question.executed, str):
        return question.display
    return "" if contradictory(related) else displayed(executed, question.display, question.executed, related)


def displayed(executed: float, old: str, old_executed: float, related: str) -> str:
    """The gold as the old display would write it, with the two digits at least by which an answer is told right from
    nearly right; empty when the old one is empty or no plain number.

    >>> displayed(0.20312, "14%", 0.14464, "agree_percent"), displayed(-310.5, "$ 94", -94.0, "sign")
    ('20%', '$ 311')
    >>> displayed(0.03312, "14%", 0.14464, "agree_percent"), displayed(6.0, "4", 4.0, "agree")
    ('3.3%', '6')
    """
    found = [figure for figure in figures(old) if not figure.fixed] or list(figures(old))
    if len(found) != 1:
        return ""
    figure = found[0]
    hundred = {"agree_percent": True, "percent_unsigned": True, "agree": False, "percent_executed": False}.get(related)
    if hundred is None:
        hundred = abs(abs(old_executed) * 100 - float(figure.value)) < abs(abs(old_executed) - float(figure.value))
    value = abs(Decimal(repr(executed))) * (100 if hundred else 1)
    like = figure.text
    while len(written(value, like).replace(".", "").lstrip("0")) < 2 and Decimal(written(value, like)) != value:
        like += "0" if "." in like else ".0"
    return rewrite(old, lambda other: written(value, like) if other == figure else None)


def _coarser(shown: str, old: str) -> bool:
    """Does the display say less of the number than the old one: 7% for 14%?"""
    digits = [sum(figure.digits for figure in figures(text)) for text in (shown, old)]
    return bool(shown) and digits[0] < digits[1]
