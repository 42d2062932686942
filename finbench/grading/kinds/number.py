"""Numbers: whether the stated one equals a gold in the question's unit, direction, scale and precision."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import NamedTuple

from finbench.grading.asked import Asked, asked, gold_quantity
from finbench.grading.certainty import rival
from finbench.grading.claims import Claim
from finbench.grading.decide import Found, find
from finbench.grading.diagnosis import diagnosis, lenient_match
from finbench.grading.equality import MIN_DIGITS, Point, answer_points, equal, gold_points, within
from finbench.grading.kinds.number_reader import NumberReader
from finbench.grading.kinds.text import grade_text
from finbench.grading.reply import Reply
from finbench.records import Document, Gold, Grade
from finbench.text import quantities
from finbench.text.normalize import normalise, plain
from finbench.text.quantities import Quantity
from finbench.text.wording import turns


def _direction_before(claim: Claim, quantity: Quantity) -> int:
    """The direction that the words before a box give: its own sentence, or the last one with the same number."""
    lead = plain(claim.lead[-260:])
    joined = f"{lead} {quantity.shown}"
    if not turns(joined):
        return 0
    digits = quantity.shown.strip("$€£¥+-()% ").split(" ")[0]
    start = lead.rfind(digits)
    if start < 0:
        start = len(lead)
    at = joined[max(0, start - 100) :]
    for other in reversed(quantities.scan(at)):
        if other.number == quantity.number and (direction := quantities.directed(other, at).direction):
            return direction
    return 0


def grade_number(document: Document, reply: Reply) -> Grade:
    """Right when the stated number equals a gold in the question's unit, direction, scale and precision."""
    lists = [several(gold.text) for gold in document.golds]
    wanted = asked(document.question, document.answer, document.golds)
    if lists and lists[0]:
        return _grade_list(document, reply, lists[0], wanted)
    if all(gold_quantity(gold.text) is None for gold in document.golds):
        return grade_text(document, reply)  # a display answer in words
    found = find(reply, NumberReader(wanted), document.question)
    if found is None:
        verdict = Grade(False, "no_answer")
    elif found.reading.problem:
        verdict = Grade(False, found.reading.problem, rule=found.row)
    else:
        verdict = judge(document, found.reading.value, wanted, found)
    return replace(verdict, rival=rival(found, reply, wanted, verdict, document))


def judge(document: Document, quantity: Quantity, wanted: Asked, found: Found | None = None) -> Grade:
    """The verdict on one quantity: any gold may be hit; the reason tells how, or what is wrong with it."""
    undirected = quantity.direction == 0 and quantity.number > 0
    if found and undirected and wanted.direction and (direction := _direction_before(found.claim, quantity)):
        quantity = replace(quantity, direction=direction)
    golds = [(gold, q) for gold in document.golds if (q := gold_quantity(gold.text)) is not None]
    readings = answer_points(quantity, wanted)
    base = Grade(
        False, "different", extracted=str(quantity.shown), value=_text(quantity), rule=found.row if found else ""
    )
    if isinstance(readings, str):
        return replace(base, reason=readings, lenient=lenient_match(quantity, golds))
    directions = _signs(quantity, wanted)
    hits: list[_Hit] = []
    missed = ""
    for gold, gold_q in golds:
        if _too_coarse(gold, gold_q, golds) or _short_of_decimals(gold_q, wanted, len(golds)):
            continue
        others = [q for _, q in golds if q is not gold_q]
        for target in gold_points(gold_q, wanted, others):
            for reading in readings:
                verdict = _match(reading, target, wanted, directions, quantity)
                if verdict in ("equal", "rounding", "tolerance"):
                    hits.append(_Hit(_form(verdict, reading, gold_q), gold.source, reading.guess or target.guess))
                else:
                    missed = missed or verdict
    if hits:
        best = next((hit for hit in hits if not hit.guess), hits[0])
        doubt = (
            f"the {best.guess} is guessed: nothing declares it"
            if best.guess and (quantity.digits <= 2 or "100" in best.guess)
            else ""
        )
        return replace(base, correct=True, reason=best.reason, gold=best.gold, lenient=True, rival=doubt)
    reason = missed or diagnosis(document, quantity, wanted, readings, golds)
    return replace(base, reason=reason, lenient=lenient_match(quantity, golds))


class _Hit(NamedTuple):
    """A gold that a reading hits: in which form, and what had to be guessed for it."""

    reason: str
    gold: str
    guess: str


def _form(verdict: str, reading: Point, gold: Quantity) -> str:
    if reading.form and verdict == "equal" and not (reading.form == "percent" and gold.unit):
        return f"{reading.form}_form"
    return verdict


def _signs(quantity: Quantity, wanted: Asked) -> tuple[int, ...]:
    """The factors under which the magnitude shown may be read, given the words around it and the question's."""
    if wanted.direction == "down":
        # "a net profit of 5" where a loss is asked for
        return () if quantity.direction > 0 and quantity.number > 0 else (1, -1)
    if quantity.direction < 0 and quantity.number > 0:
        return (-1,) if wanted.direction == "change" else (1, -1)
    return (1,)


def _match(reading: Point, target: Point, wanted: Asked, signs: tuple[int, ...], quantity: Quantity) -> str:
    reading = _demanded(reading, wanted, quantity)
    for sign in signs:
        signed = reading if sign > 0 else reading.opposite()
        if verdict := equal(signed, target):
            return verdict
        if wanted.tolerance and within(signed, target, wanted.tolerance):
            return "tolerance"
    for sign in (1, -1):
        if equal(reading if sign > 0 else reading.opposite(), target):
            return "wrong_sign"
    return ""


def _demanded(reading: Point, wanted: Asked, quantity: Quantity) -> Point:
    """With a precision demanded by the question, an answer shown coarser is taken as exact to that precision."""
    if wanted.decimals is None or not reading.place:
        return reading
    unit = reading.place / quantity.place if quantity.place else Fraction(1)
    if wanted.unit == "percent" and reading.form != "percent" and quantity.unit == "" and abs(reading.value) < 1:
        unit = Fraction(1, 100)  # two decimals of a percentage, given as a fraction: four decimals
    place = unit * Fraction(1, 10**wanted.decimals)
    return replace(reading, place=place, digits=max(MIN_DIGITS, reading.digits)) if reading.place > place else reading


def _too_coarse(gold: Gold, shown: Quantity, golds: Sequence[tuple[Gold, Quantity]]) -> bool:
    """A display of one significant digit is no gold of its own beside an executed one."""
    return (
        gold.source == "display" and shown.digits < MIN_DIGITS and any(other.source != "display" for other, _ in golds)
    )


def _short_of_decimals(shown: Quantity, wanted: Asked, golds: int) -> bool:
    return (
        golds > 1
        and wanted.decimals is not None
        and bool(shown.unit)
        and shown.place > Fraction(1, 10**wanted.decimals)
    )


def _text(quantity: Quantity) -> str:
    """The value in plain decimal notation, percents with their sign."""
    value = quantity.value
    sign = {"percent": "%", "points": "%", "bp": "bp"}.get(quantity.unit, "")
    if value.denominator == 1:
        return f"{value.numerator}{sign}"
    digits = f"{float(value):.12g}" if abs(value) < 10**300 else str(value)
    return f"{digits}{sign}"


_SEPARATOR = re.compile(r"\s*(?:,\s|;|、|/\s|\band\b|和|及|以及)\s*", re.I)


def several(text: str) -> list[Quantity]:
    """The numbers of a gold that is a list ("12.5%, 13.1%"); empty when it is one number or no list."""
    if len(text) > 300 or not re.search(r"[,;、/]|and|和|及", text):
        return []
    shown = plain(normalise(text)).strip("[]() ").replace('"', "").replace("'", "")
    if quantities.whole(shown) is not None:
        return []
    parts = [quantities.whole(part) for part in _SEPARATOR.split(shown)]
    if len(parts) < 2 or any(part is None for part in parts):
        return []
    return [part for part in parts if part is not None]


def _grade_list(document: Document, reply: Reply, golds: list[Quantity], wanted: Asked) -> Grade:
    years = all(gold.year for gold in golds)
    wanted = replace(wanted, year=wanted.year or years)
    found = find(reply, NumberReader(wanted, parts=len(golds)), document.question)
    if found is None or (years and not isinstance(found.reading.value, tuple)):  # one number a line
        tail = Claim(plain(reply.text[-600:].replace("\n", "; ")), 0, len(reply.text), "sentence")
        reading = NumberReader(wanted, parts=len(golds)).read(tail)
        found = Found(reading, tail, "list") if reading else None
    if found is None:
        return Grade(False, "no_answer")
    if found.reading.problem:
        return Grade(False, found.reading.problem, rule=found.row)
    values = found.reading.value if isinstance(found.reading.value, tuple) else (found.reading.value,)
    if years:  # their order tells nothing, and a dash before one is a list's
        same = sorted(abs(value.number) for value in values) == sorted(gold.number for gold in golds)
        shown = found.reading.shown
        return Grade(same, "equal" if same else "different", shown, shown, found.row, lenient=same)
    base = Grade(False, "different", extracted=found.reading.shown, rule=found.row)
    if len(values) != len(golds):
        return base
    grades = [
        judge(replace(document, golds=(Gold(gold.shown, document.golds[0].source),)), value, wanted)
        for gold, value in zip(golds, values)
    ]
    if all(grade.correct for grade in grades):
        return replace(base, correct=True, reason=grades[0].reason, gold=document.golds[0].source, lenient=True)
    return replace(base, reason=next(grade.reason for grade in grades if not grade.correct))
