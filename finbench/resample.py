"""The same question over other numbers: a variant of a FinQA row, with a gold of its own, and the proof that it holds.

The numbers that the gold program uses are replaced wherever the page shows them, and what follows from them follows
(coherence.py). The program is rewritten and executed on the new page. A row for which this cannot be done is `Excluded`,
with the reason (docs/resampled.md). Everything is drawn from the seed and the row's id: the same seed gives the same
bytes.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from finbench import filings, footing, programs
from finbench.coherence import UNSHOWN, NoVariant, Page, arguments, magnitude, places
from finbench.errors import DataError
from finbench.figures import figures, is_constant, is_year, rewrite, written
from finbench.mentions import Values
from finbench.significance import Difference, paired
from finbench.sources import read_jsonl
from finbench.stats import Estimate, estimate

DRAWS = 400
STRICT = 300  # draws that also keep the order among a row's numbers that do not change
UNTRUSTED = ("conflict", "scale", "near")  # relations of the golds that leave open what the question asks
LEAST_GOLD_CHANGE = 0.05
PLAUSIBLE = 5  # the gold stays within this factor of the old one in strict draws


@dataclass(frozen=True, slots=True)
class Excluded:
    """Why a row has no variant."""

    reason: str


@dataclass(frozen=True, slots=True)
class Variant:
    """A row over new numbers, in the form of the dataset, and what was replaced: old number -> new number."""

    row: Mapping[str, Any]
    replaced: Mapping[str, str]
    strict: bool  # the order among the neighbours that did not change was kept as well


def variant(row: Mapping[str, Any], seed: int) -> Variant | Excluded:
    """The row's variant for a seed; its `id` is "<id>#<seed>", `original` the old id."""
    qa = row["qa"]
    display = qa["answer"] or ""
    related = filings.relation(qa["exe_ans"], display)
    if isinstance(qa["exe_ans"], str) or display in filings.YES_NO:
        return Excluded("the answer is yes or no")
    if related in UNTRUSTED:
        return Excluded("the two golds contradict each other")
    try:
        page = Page(row)
    except NoVariant as found:
        return Excluded(str(found))
    generator = random.Random(f"{seed}/{row['id']}")  # noqa: S311  # a draw to be repeated, not a secret
    for draw in range(DRAWS):
        strict = draw < STRICT
        values = page.drawn(generator, strict)
        executed = _executed(page, values, qa["exe_ans"], strict) if values else None
        if values is None or executed is None:
            continue
        shown = displayed(executed, display, qa["exe_ans"], related)
        if not differs(qa["exe_ans"], executed, display, shown) or (strict and _coarser(shown, display)):
            continue
        made = page.row(values) | {"id": f"{row['id']}#{seed}", "original": row["id"]}
        made["qa"] |= {"exe_ans": executed, "answer": shown}
        if not faults(row, made):
            replaced = {format(old, "f"): format(new, "f") for old, new in sorted(values.items()) if old != new}
            return Variant(made, replaced, strict)
    return Excluded("no numbers found that keep the page coherent")


def variants(rows: Iterable[Mapping[str, Any]], seed: int) -> tuple[list[Mapping[str, Any]], Counter[str]]:
    """The variants of all rows that have one, and how many have none, by reason."""
    made: list[Mapping[str, Any]] = []
    left_out: Counter[str] = Counter()
    for row in rows:
        found = variant(row, seed)
        if isinstance(found, Variant):
            made.append(found.row)
        else:
            left_out[found.reason] += 1
    return made, left_out


def summary(made: int, left_out: Counter[str]) -> str:
    """One line: how many rows have a variant and why others have none.

    >>> summary(3, Counter({"the answer is yes or no": 2}))
    '3 of 5 rows have a variant; left out: 2 the answer is yes or no'
    """
    reasons = ", ".join(f"{count} {reason}" for reason, count in left_out.most_common())
    return f"{made} of {made + left_out.total()} rows have a variant" + (f"; left out: {reasons}" if reasons else "")


# -- the gold --------------------------------------------------------------------------------------------------------


def _executed(page: Page, values: Values, old: float, strict: bool) -> float | None:
    """What the program computes from new numbers; None where that is nothing, of another sign, or far from plausible."""
    try:
        new = programs.run(page.program(values), page.table(values)).value
    except programs.ProgramError:
        return None
    if isinstance(new, str) or not new or (new < 0) != (old < 0):
        return None
    if strict and old and not 1 / PLAUSIBLE <= new / old <= PLAUSIBLE:
        return None
    return new


def displayed(executed: float, old: str, old_executed: float, related: str) -> str:
    """The gold as the old display would write it; empty when the old one is empty or no plain number.

    >>> displayed(0.20312, "14%", 0.14464, "agree_percent"), displayed(-310.5, "$ 94", -94.0, "sign")
    ('20%', '$ 311')
    """
    found = [figure for figure in figures(old) if not figure.fixed] or list(figures(old))
    if len(found) != 1:
        return ""
    figure = found[0]
    hundred = {"agree_percent": True, "percent_unsigned": True, "agree": False, "percent_executed": False}.get(related)
    if hundred is None:
        hundred = abs(abs(old_executed) * 100 - float(figure.value)) < abs(abs(old_executed) - float(figure.value))
    value = abs(Decimal(repr(executed)))
    return rewrite(
        old, lambda other: written(value * 100 if hundred else value, figure.text) if other == figure else None
    )


def _coarser(shown: str, old: str) -> bool:
    """Does the display say less of the number than the old one: 7% for 14%?"""
    digits = [sum(figure.digits for figure in figures(text)) for text in (shown, old)]
    return bool(shown) and digits[0] < digits[1]


def differs(old: float, new: float, old_display: str, new_display: str) -> bool:
    """Is an answer with the old gold wrong now, in every form and rounding in which it may be given?

    >>> differs(0.12, 0.11475, "12%", "11.5%"), differs(0.12, 0.10475, "12%", "10.5%")
    (False, True)
    """
    if abs(new - old) < LEAST_GOLD_CHANGE * abs(old) or abs(Decimal(repr(new)) - Decimal(repr(old))) < _apart(old):
        return False
    moved = zip(figures(old_display), figures(new_display), strict=False)
    return not new_display or any(abs(a.value - b.value) >= _apart(a.text) for a, b in moved)


def _apart(number: float | str) -> Decimal:
    """One and a half units of the last digit of a number, of its last whole digit at most."""
    shown = Decimal(repr(number)).normalize() if isinstance(number, float) else Decimal(number.replace(",", ""))
    return Decimal("1.5").scaleb(min(0, int(shown.as_tuple().exponent)))


# -- the proof -------------------------------------------------------------------------------------------------------


def faults(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """What is wrong with a variant, read off the two rows alone; empty when it is proven.

    The program on the new table gives the new gold; each argument stands on the new page where the old one stood; no
    old argument and no old gold is left; everything but numbers, years and constants among them, is as it was; the
    table's relations hold; the old gold is wrong.
    """
    found = []
    before, after = old["qa"], new["qa"]
    if programs.run(after["program"], new["table"]).value != after["exe_ans"]:
        found.append("the program does not give the gold")
    if not differs(before["exe_ans"], after["exe_ans"], before["answer"] or "", after["answer"]):
        found.append("the old gold is still right")
    if after["answer"] and filings.relation(after["exe_ans"], after["answer"]) in UNTRUSTED:
        found.append("the two golds contradict each other")
    arguments_before, arguments_after = list(arguments(before["program"])), list(arguments(after["program"]))
    if len(arguments_before) != len(arguments_after):
        return [*found, "the program has another shape"]
    old_page, new_page = dict(places(old)), dict(places(new))
    if old_page.keys() != new_page.keys():
        return [*found, "the page has another shape"]
    moved = {
        magnitude(a): magnitude(b)
        for (_, a), (_, b) in zip(arguments_before, arguments_after, strict=True)
        if magnitude(a) != magnitude(b)
    }
    gold = _distinct(before["exe_ans"], before["answer"] or "") - set(moved.values())
    for place, text in old_page.items():
        was, now = figures(text), figures(new_page[place])
        if rewrite(text, lambda _: "0") != rewrite(new_page[place], lambda _: "0"):
            found.append(f"{place}: more than numbers changed")
            continue
        for first, second in zip(was, now, strict=True):
            if first.fixed and first.text != second.text:
                found.append(f"{place}: {first.text} must not change")
            if not first.fixed and first.value in moved and second.value != moved[first.value]:
                found.append(f"{place}: {first.text} became {second.text}, the argument {moved[first.value]}")
            if not second.fixed and second.value in gold and first.value == second.value:
                found.append(f"{place}: the old gold {second.text} is left")
    shown = {figure.value for text in new_page.values() for figure in figures(text)}
    shown_before = {figure.value for text in old_page.values() for figure in figures(text)}
    for (_, a), (_, b) in zip(arguments_before, arguments_after, strict=True):
        if magnitude(a) in shown_before and magnitude(b) not in shown:
            found.append(f"the argument {b} is not on the page")
        elif magnitude(a) == magnitude(b) and not (is_constant(magnitude(a)) or is_year(a) or magnitude(a) in UNSHOWN):
            found.append(f"the argument {a} did not change")
    for relation in footing.relations(tuple(map(tuple, old["table"]))):
        if not footing.holds(relation, new["table"]):
            found.append(f"table: {relation.kind} in {relation.output} does not hold any more")
    return found


def _distinct(executed: float, display: str) -> set[Decimal]:
    """The old gold's forms that are long enough not to stand on a page by chance."""
    forms = {Decimal(repr(abs(executed)))} | {figure.value for figure in figures(display)}
    return {form.normalize() for form in forms if len(form.normalize().as_tuple().digits) >= 3}


# -- original and variant compared -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Pairs:
    """A model's accuracy on questions (0..1) and on their variants. `drop` is original minus resampled.

    `only_original` counts the questions answered right in the original only, `only_resampled` the reverse.
    """

    n: int
    original: Estimate
    resampled: Estimate
    drop: Difference
    only_original: int
    only_resampled: int


def pairs(original: Path, resampled: Path) -> Pairs:
    """The paired comparison of two sample files of a run (`samples_finqa.jsonl`, `samples_finqa_resampled.jsonl`).

    Only questions that both files hold count; with repeats, their mean. The intervals know that the questions of one
    page belong together. Raises DataError when there is no pair.
    """
    before = _scores(original, lambda line: str(line["finbench"]["id"]))
    after = _scores(resampled, lambda line: str(line["doc"].get("original")))
    both = [key for key in before if key in after]
    if not both:
        raise DataError(f"{resampled}: no question of {original} has a variant here; run finqa and finqa_resampled")
    clusters = [before[key][1] for key in both]
    first, second = [before[key][0] for key in both], [after[key][0] for key in both]
    drop = paired(first, second, clusters)
    return Pairs(len(both), estimate(first, clusters), estimate(second, clusters), drop, drop.wins, drop.losses)


def _scores(path: Path, key: Callable[[Mapping[str, Any]], str]) -> dict[str, tuple[float, str]]:
    """The mean score over its repeats, and the cluster, of every question in a sample file."""
    sums: dict[str, tuple[int, float, str]] = {}
    for line in read_jsonl(path):
        question = key(line)
        seen, total, _ = sums.get(question, (0, 0.0, ""))
        sums[question] = (seen + 1, total + float(line["finbench"]["correct"]), line["finbench"]["cluster"] or question)
    return {question: (total / seen, cluster) for question, (seen, total, cluster) in sums.items()}
