"""Golds that are prose: graded by their leading value, bound or yes/no where they have one; else a judge is needed."""

from __future__ import annotations

import re
from dataclasses import replace

from finbench.grading.asked import Asked
from finbench.grading.decide import find
from finbench.grading.equality import answer_points, equal, point
from finbench.grading.kinds.boolean import BooleanReader, polarity
from finbench.grading.kinds.number_reader import NumberReader
from finbench.grading.reply import Reply
from finbench.records import Document, Grade
from finbench.text.lexicon import pattern
from finbench.text.normalize import normalise, plain
from finbench.text.quantities import Quantity, scan, words

_POLARITY = re.compile(r"\s*(yes|no|true|false|是|否|はい|いいえ)\s*[.,;:。、，—–-]\s*\S", re.I)
_LOW = pattern("<limit.low>")
_HIGH = pattern("<limit.high>")
_AT_LEAST = pattern(r"<limit.low>\W*(?:of\s*|rs\W*)?$")
_AT_MOST = pattern(r"<limit.high>\W*(?:of\s*|rs\W*)?$")
_LEAD = pattern(r"\W*(?:<limit.low|limit.high|limit.near>\s*){0,3}(?:rs\.?\s?|[$€£₹¥]\s?)?")
_PERIODS = {"year": 365, "quarter": 91, "month": 30, "week": 7, "day": 1}
_LATIN_SENTENCE = re.compile(r"(?:\S+\s+){4}\S")


def is_sentence(gold: str) -> bool:
    """Is a gold more than a name or a term?

    >>> is_sentence("No. The Board must approve."), is_sentence("Liquidity risk")
    (True, False)
    """
    if _POLARITY.match(gold):
        return True
    return bool(_LATIN_SENTENCE.search(gold)) or (not gold.isascii() and len(gold) > 24)


def by_polarity(document: Document, reply: Reply) -> Grade | None:
    """The verdict by a gold's leading yes or no ("No. The Board must approve it"); None where it has none."""
    told = [match for gold in document.golds if (match := _POLARITY.match(gold.text))]
    if not told:
        return None
    wanted = polarity(told[0][1])
    found = find(reply, BooleanReader(document.question), document.question)
    if found is None or found.reading.problem:
        return None
    said = bool(found.reading.value)
    shown = found.reading.shown
    correct = said is wanted
    return Grade(
        correct, "equal" if correct else "different", shown, "yes" if said else "no", found.row, lenient=correct,
        rival="" if found.reading.fit == 2 or found.reading.whole else "yes or no is read from the wording",
    )  # fmt: skip


def leading_value(gold: str) -> tuple[Quantity, str] | None:
    """The quantity a gold opens with, and the side of its bound ("low", "high", ""); None where it opens otherwise.

    >>> leading_value("At least 35 per cent of the paid-up capital")[1]
    'low'
    >>> leading_value("The 35 members of the board") is None
    True
    """
    text = plain(normalise(gold[:400]))
    lead = _LEAD.match(text)
    end = lead.end() if lead else 0
    found = [q for q in (*scan(text[:120]), *words(text[:120])) if not q.reference and not q.year]
    first = min(found, key=lambda q: (q.start, -q.end), default=None)
    if first is None or first.start > end or first.absurd:
        return None
    if not (first.unit or first.currency or first.noun or first.scale != 1 or first.end >= len(text.rstrip(" ."))):
        return None
    head = text[: first.start]
    return first, "low" if _LOW.search(head) else "high" if _HIGH.search(head) else ""


def by_value(document: Document, reply: Reply) -> Grade | None:
    """The verdict by a gold's leading value ("Rs80 crore (10% of the corpus)"); None where it has none."""
    leads = [lead for gold in document.golds if (lead := leading_value(gold.text))]
    if not leads:
        return None
    gold, side = leads[0]
    wanted = Asked(limit=True, either=True, noun=gold.noun if gold.noun in _PERIODS else "", currency=gold.currency)
    found = find(reply, NumberReader(wanted), document.question)
    if found is None or found.reading.problem or not isinstance(found.reading.value, Quantity):
        return None
    said = found.reading.value
    start = found.claim.text.find(said.shown)
    before = found.claim.text[: max(0, start)][-40:]
    opposite = (side == "low" and _AT_MOST.search(before)) or (side == "high" and _AT_LEAST.search(before))
    same = not opposite and _same(said, gold, wanted)
    verdict = Grade(same, "equal" if same else "different", said.shown, None, found.row, lenient=same)
    return verdict if same else replace(verdict, rival="the gold is prose, and only its leading value was compared")


def _same(said: Quantity, gold: Quantity, wanted: Asked) -> bool:
    if bool(gold.unit) != bool(said.unit) and gold.unit:
        return False
    if gold.noun in _PERIODS and said.noun in _PERIODS and gold.noun != said.noun:
        return said.number * _PERIODS[said.noun] == gold.number * _PERIODS[gold.noun]
    if gold.noun and said.noun != gold.noun:
        return False
    if said.scale != gold.scale:
        return said.value == gold.value
    one, other = answer_points(replace(said, scale=1), wanted), answer_points(replace(gold, scale=1), wanted)
    if isinstance(one, str) or isinstance(other, str):
        one, other = [point(said)], [point(gold)]
    return any(bool(equal(a, b)) for a in one[:1] for b in other[:1])
