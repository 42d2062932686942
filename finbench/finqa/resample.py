"""The same questions over other numbers: a variant of a row, with golds of its own, and the proof that it holds.

The numbers that the gold programs use are replaced wherever the page shows them, and what follows from them follows
(coherence.py). The programs are rewritten and executed on the new page. All turns of a conversation share one draw. A
question for which this cannot be done is left out, with the reason (docs/resampled.md). Everything is drawn from the seed
and the row's id: the same seed gives the same bytes.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from finbench.errors import DataError
from finbench.finqa import page as filings
from finbench.finqa import programs, table_relations
from finbench.finqa.draws import drawn
from finbench.finqa.figures import figures, is_constant, is_year, rewrite, written
from finbench.finqa.page_relations import UNSHOWN, NoVariant, Page
from finbench.finqa.programs import Value
from finbench.finqa.questions import Gold, Question, arguments, asking, magnitude, places, questions
from finbench.finqa.text_relations import Values
from finbench.scores.intervals import Estimate, estimate
from finbench.scores.significance import Difference, paired
from finbench.tasks.data_files import read_jsonl

DRAWS = 400
STRICT = 300  # draws that also keep the order among a row's numbers that do not change
NEAR = "the new gold is too near the old one"
AFTER = "an earlier turn has no variant"
UNTRUSTED = ("conflict", "scale", "near")  # relations of the golds that leave open what the question asks
LEAST_GOLD_CHANGE = 0.05
PLAUSIBLE = 5  # the gold stays within this factor of the old one in strict draws


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
        page = Page(row)
    except NoVariant as found:
        return Excluded(str(found))
    for number, question in enumerate(old, 1):
        if not page.uses(question.program):
            left_out.setdefault(number, "the program uses no number of the page")
    best: Variant | None = None
    most = 0
    generator = random.Random(f"{seed}/{row['id']}")  # noqa: S311  # a draw to be repeated, not a secret
    for draw in range(DRAWS):
        strict = draw < STRICT
        values = drawn(page, generator, strict)
        golds = _golds(page, values, strict) if values else None
        if values is None or golds is None:
            continue
        both = enumerate(zip(old, golds, strict=True), 1)
        asked = [number for number, (was, now) in both if number not in left_out and differs(was.gold, now)]
        if len(asked) <= most:
            continue
        made = page.row(values, golds) | {"id": f"{row['id']}#{seed}", "original": row["id"]}
        if "annotation" in row:
            made["asked"] = asked
        if faults(row, made):
            continue
        most = len(asked)
        too_near = {number: NEAR for number in range(1, len(old) + 1) if number not in asked}
        replaced = {
            format(before, "f"): format(after, "f") for before, after in sorted(values.items()) if before != after
        }
        best = Variant(made, replaced, strict, too_near | left_out)
        if most == len(old) - len(left_out):
            break
    return best or Excluded("no numbers found that keep the page coherent")


def _unfit(question: Question) -> str:
    """Why a question's answer cannot tell computing from remembering; empty when it can."""
    if isinstance(question.executed, str) or question.display in filings.YES_NO:
        return "the answer is yes or no"
    if filings.relation(question.executed, question.display) in UNTRUSTED:
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


# -- the gold --------------------------------------------------------------------------------------------------------


def _golds(page: Page, values: Values, strict: bool) -> list[Gold] | None:
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
    if isinstance(old, str) or isinstance(new, str):
        return new == old  # later turns build on the yes or the no
    if bool(new) != bool(old) or (new < 0) != (old < 0):
        return False
    return not strict or not old or 1 / PLAUSIBLE <= new / old <= PLAUSIBLE


def _displayed_anew(question: Question, executed: Value) -> str:
    """A contradictory display has no counterpart: histories show such a turn's executed gold."""
    related = filings.relation(question.executed, question.display)
    if isinstance(executed, str) or isinstance(question.executed, str):
        return question.display
    return "" if filings.contradictory(related) else displayed(executed, question.display, question.executed, related)


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


def differs(old: Gold, new: Gold) -> bool:
    """Is an answer with the old gold wrong now, in every form and rounding in which it may be given?

    >>> differs((0.12, "12%"), (0.11475, "11.5%")), differs((0.12, "12%"), (0.10475, "10.5%"))
    (False, True)
    """
    (was, old_display), (now, new_display) = old, new
    if isinstance(was, str) or isinstance(now, str):
        return False
    if abs(now - was) < LEAST_GOLD_CHANGE * abs(was) or abs(Decimal(repr(now)) - Decimal(repr(was))) < _apart(was):
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

    The programs on the new table give the new golds; each argument stands on the new page where the old one stood; no
    old argument and no old gold is left; everything but numbers, years and constants among them, is as it was; the
    table's relations hold; the old golds of what is asked are wrong.
    """
    found = []
    after = questions(new)
    before = questions(old)[: len(after)]  # a conversation may end earlier
    old = asking(old, before)
    both = list(zip(before, after, strict=True))
    for number, (was, now) in enumerate(both, 1):
        if programs.run(now.program, new["table"]).value != now.executed:
            found.append("the program does not give the gold")
        if number in new.get("asked", (number,)) and not differs(was.gold, now.gold):
            found.append("the old gold is still right")
        if now.display and filings.relation(*now.gold) in UNTRUSTED:
            found.append("the two golds contradict each other")
    arguments_before, arguments_after = ([*_arguments(listed)] for listed in (before, after))
    if len(arguments_before) != len(arguments_after):
        return [*found, "the program has another shape"]
    old_page, new_page = dict(places(old)), dict(places(new))
    if old_page.keys() != new_page.keys():
        return [*found, "the page has another shape"]
    moved = {
        magnitude(a): magnitude(b)
        for a, b in zip(arguments_before, arguments_after, strict=True)
        if magnitude(a) != magnitude(b)
    }
    gold = {form for was, now in both if was.executed != now.executed for form in _distinct(was)} - set(moved.values())
    for place, text in old_page.items():
        listed, changed = figures(text), figures(new_page[place])
        if rewrite(text, lambda _: "0") != rewrite(new_page[place], lambda _: "0"):
            found.append(f"{place}: more than numbers changed")
            continue
        for first, second in zip(listed, changed, strict=True):
            if first.fixed and first.text != second.text:
                found.append(f"{place}: {first.text} must not change")
            if not first.fixed and first.value in moved and second.value != moved[first.value]:
                found.append(f"{place}: {first.text} became {second.text}, the argument {moved[first.value]}")
            if not second.fixed and second.value in gold and first.value == second.value:
                found.append(f"{place}: the old gold {second.text} is left")
    shown = {figure.value for text in new_page.values() for figure in figures(text)}
    shown_before = {figure.value for text in old_page.values() for figure in figures(text)}
    for a, b in zip(arguments_before, arguments_after, strict=True):
        if magnitude(a) in shown_before and magnitude(b) not in shown:
            found.append(f"the argument {b} is not on the page")
        elif magnitude(a) == magnitude(b) and not (is_constant(magnitude(a)) or is_year(a) or magnitude(a) in UNSHOWN):
            found.append(f"the argument {a} did not change")
    for relation in table_relations.relations(tuple(map(tuple, old["table"]))):
        if not table_relations.holds(relation, new["table"]):
            found.append(f"table: {relation.kind} in {relation.output} does not hold any more")
    return found


def _arguments(asked: Sequence[Question]) -> Iterator[str]:
    for question in asked:
        yield from (literal for _, literal in arguments(question.program))


def _distinct(question: Question) -> set[Decimal]:
    """The forms in which a page or a history may show a gold, if long enough not to stand on a page by chance."""
    forms = {figure.value for figure in figures(programs.text(question.executed))}
    if not filings.contradictory(filings.relation(*question.gold)):
        forms |= {figure.value for figure in figures(question.display)}
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
        raise DataError(f"{resampled}: no question of {original} has a variant here; run both tasks on the same rows")
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
