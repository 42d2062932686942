"""The proof that a resampled row holds, read off the old and the new row alone."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from finbench.finqa import programs, table_relations
from finbench.finqa.figures import figures, is_constant, is_year, rewrite
from finbench.finqa.golds import contradictory, relation
from finbench.finqa.page_relations import UNSHOWN
from finbench.finqa.questions import Gold, Question, arguments, asking, magnitude, places, questions

UNTRUSTED = ("conflict", "scale", "near")  # relations of the golds that leave open what the question asks
LEAST_GOLD_CHANGE = 0.05  # of the old gold, set by us: graders that forgive a near answer forgive 1 % or less


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


def faults(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """What is wrong with a variant, read off the two rows alone; empty when it is proven.

    The programs on the new table give the new golds; each argument stands on the new page where the old one stood; no
    old argument and no old gold is left; everything but numbers, years and constants among them, is as it was; the
    table's relations hold; the old golds of what is asked are wrong.
    """
    after = questions(new)
    before = questions(old)[: len(after)]  # a conversation may end earlier
    old = asking(old, before)
    both = list(zip(before, after, strict=True))
    found = [*_gold_faults(both, new)]
    arguments_before, arguments_after = [*_arguments(before)], [*_arguments(after)]
    if len(arguments_before) != len(arguments_after):
        return [*found, "the program has another shape"]
    old_page, new_page = dict(places(old)), dict(places(new))
    if old_page.keys() != new_page.keys():
        return [*found, "the page has another shape"]
    replaced = list(zip(arguments_before, arguments_after, strict=True))
    moved = {magnitude(was): magnitude(now) for was, now in replaced if magnitude(was) != magnitude(now)}
    gone = {form for was, now in both if was.executed != now.executed for form in _distinct(was)} - set(moved.values())
    for place, text in old_page.items():
        found += _place_faults(place, text, new_page[place], moved, gone)
    return [*found, *_argument_faults(replaced, old_page, new_page), *_table_faults(old, new)]


def _gold_faults(both: Sequence[tuple[Question, Question]], new: Mapping[str, Any]) -> Iterator[str]:
    """The new golds follow from the new page, agree with each other, and the old ones are wrong where it is asked."""
    for number, (was, now) in enumerate(both, 1):
        if programs.run(now.program, new["table"]).value != now.executed:
            yield "the program does not give the gold"
        if number in new.get("asked", (number,)) and not differs(was.gold, now.gold):
            yield "the old gold is still right"
        if now.display and relation(*now.gold) in UNTRUSTED:
            yield "the two golds contradict each other"


def _place_faults(
    place: Any, old: str, new: str, moved: Mapping[Decimal, Decimal], gone: Collection[Decimal]
) -> Iterator[str]:
    """One cell or sentence: only numbers changed, those in `moved` as they must, and no old gold in `gone` is left."""
    if rewrite(old, lambda _: "0") != rewrite(new, lambda _: "0"):
        yield f"{place}: more than numbers changed"
        return
    for was, now in zip(figures(old), figures(new), strict=True):
        if was.fixed and was.text != now.text:
            yield f"{place}: {was.text} must not change"
        if not was.fixed and was.value in moved and now.value != moved[was.value]:
            yield f"{place}: {was.text} became {now.text}, the argument {moved[was.value]}"
        if not now.fixed and now.value in gone and was.value == now.value:
            yield f"{place}: the old gold {now.text} is left"


def _argument_faults(
    replaced: Sequence[tuple[str, str]], old_page: Mapping[Any, str], new_page: Mapping[Any, str]
) -> Iterator[str]:
    """Each argument that the old page shows has changed, and the new page shows the new one."""
    before, after = _shown(old_page), _shown(new_page)
    for was, now in replaced:
        kept = magnitude(was) == magnitude(now)
        if magnitude(was) in before and magnitude(now) not in after:
            yield f"the argument {now} is not on the page"
        elif kept and not (is_constant(magnitude(was)) or is_year(was) or magnitude(was) in UNSHOWN):
            yield f"the argument {was} did not change"


def _table_faults(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    """Sums, differences and quotients that held among the old cells hold among the new ones."""
    for found in table_relations.relations(tuple(map(tuple, old["table"]))):
        if not table_relations.holds(found, new["table"]):
            yield f"table: {found.kind} in {found.output} does not hold any more"


def _shown(page: Mapping[Any, str]) -> set[Decimal]:
    return {figure.value for text in page.values() for figure in figures(text)}


def _arguments(asked: Sequence[Question]) -> Iterator[str]:
    for question in asked:
        yield from (literal for _, literal in arguments(question.program))


def _distinct(question: Question) -> set[Decimal]:
    """The forms in which a page or a history may show a gold, if long enough not to stand on a page by chance."""
    forms = {figure.value for figure in figures(programs.text(question.executed))}
    if not contradictory(relation(*question.gold)):
        forms |= {figure.value for figure in figures(question.display)}
    return {form.normalize() for form in forms if len(form.normalize().as_tuple().digits) >= 3}
