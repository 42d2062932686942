"""A reply -> where it states its answer.

`find` walks the explicit statements from the last to the first, and falls back on the concluding sentence. What a
statement *says* depends on the kind of answer: the caller passes a `Reader`. Everything is linear in the length of the
reply.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from finbench.grading.arranged import in_table
from finbench.grading.discourse import (
    AFFIRMATION,
    BOTH_OFFERED,
    CONCLUSION,
    NOT_AFFIRMED,
    REMARKS,
    RETRACTION,
    STUB,
    UNDONE,
    UNFINISHED,
    refuses,
)
from finbench.grading.reply import Reply, cuts, without_thinking
from finbench.grading.sentences import candidates, sentences
from finbench.grading.claims import Claim, claims, sentence_end
from finbench.text.normalize import plain

__all__ = ["Found", "Reader", "Reading", "find", "without_thinking"]

_WINDOW_OF_CONCLUSION = 4_000
_MOST_SENTENCES = 40
_LONG = 4_000  # characters
_MOST_PLAIN = 6  # sentences without a concluding word that are read


@dataclass(frozen=True, slots=True)
class Reading:
    """What a statement says: a value with its shown form, or a problem (a reason such as "two_answers")."""

    value: Any = None
    shown: str | None = None
    problem: str = ""
    fit: int = 1  # how well the value suits the question: 2 has its unit, 0 has another
    whole: bool = False  # the statement is the value and nothing else


class Reader(Protocol):
    """How one kind of answer is read; `plans` says that sentences which only announce a step state no answer."""

    plans: bool

    def read(self, statement: Claim) -> Reading | None:
        """What the statement says; None when it states no answer to this kind of question."""

    def same(self, one: Any, other: Any) -> bool:
        """Are two values one answer in two forms?"""

    def merge(self, values: Sequence[Any]) -> Reading | None:
        """One reading of values offered side by side (the letters of a several-choice answer), or None."""


@dataclass(frozen=True, slots=True)
class Found:
    """The answer of a reply."""

    reading: Reading
    statement: Claim


_ALTERNATIVE = re.compile(
    r"^[\s.,;:)*$\\\]]*(?:or\b|alternatively\b|or else\b|another (?:possible )?answer\b|it could also be\b|或者?|"
    r"也可能|也可以)",
    re.I,
)
_JOIN = re.compile(
    r"[\s$.,;&/*\\()、和与及或]{0,12}(?:or|and|alternatively|either|和|或者?|以及)?[\s$.,;:&/*\\()]{0,12}", re.I
)
_EITHER = re.compile(r"\b(?:or|alternatively|could also be|another possible)\b|或者?|也可能|也可以", re.I)


def find(reply: Reply, reader: Reader, question: str = "") -> Found | None:
    """The answer that a reply states to its question; None when it states none."""
    text = reply.text
    for cut in cuts(text, question):
        found = _find(text[:cut], reader)
        if found is not None:
            return found
    found = _find(text, reader)
    if found is None and "|" in text and (statement := in_table(text)) and (reading := reader.read(statement)):
        found = Found(reading, statement)
    return found


def _find(text: str, reader: Reader) -> Found | None:
    if len(text) > _LONG:  # most long replies end with their statement: look there first
        tail = text[-_LONG // 2 :]
        explicit = [s for s in claims(tail) if s.start > 80]
        found = _stated(tail, explicit, reader) if explicit and explicit[-1].where != "cut_box" else None
        if found is not None:
            return _moved(found, len(text) - len(tail))
    explicit = claims(text)
    if explicit and explicit[-1].where == "cut_box":
        return _cut_box(text, explicit, reader)
    return _stated(text, explicit, reader) or _conclude(text, 0, reader)


def _moved(found: Found, by: int) -> Found:
    statement = found.statement
    return replace(found, statement=replace(statement, start=statement.start + by, end=statement.end + by))


def _stated(text: str, explicit: list[Claim], reader: Reader) -> Found | None:
    """The last explicit statement that states an answer, and what a retraction after it makes of it."""
    empty: set[str] = set()  # what has been read in vain: a reply may say one thing a thousand times
    for index in range(len(explicit) - 1, -1, -1):
        statement = explicit[index]
        if statement.text in empty:
            continue
        reading = _read(statement, reader)
        if reading is None:
            empty.add(statement.text)
            continue
        found = Found(reading, statement)
        side = _side_by_side(text, explicit, index, found, reader)
        if side is not None:
            return side
        if reading.problem and reading.problem != "refusal":
            return found if not _revised(text, found, reader) else _revised(text, found, reader)
        revised = _revised(text, found, reader)
        if revised is not None:
            return revised
        if not statement.final and not reading.whole and statement.where == "cue":
            later = _conclude(text[statement.end :], statement.end, reader, only_cued=True)
            if later is not None:
                return later
        return found
    return None


def _read(statement: Claim, reader: Reader) -> Reading | None:
    if statement.where == "cut_box":
        return None
    if statement.where == "tag":
        lines = [line for line in statement.text.splitlines() if line.strip()]
        if len(lines) > 1 or len(statement.text) > 400:
            found = _conclude(statement.text, 0, reader)
            return found.reading if found else None
        return reader.read(replace(statement, text=plain(statement.text)))
    return reader.read(statement)


def _cut_box(text: str, explicit: list[Claim], reader: Reader) -> Found | None:
    """A reply that ends inside a box: what the box shows so far must begin an answer that was stated before."""
    start = next(statement.start for statement in explicit if statement.where == "cut_box")
    begun = (
        plain(text[explicit[-1].start : explicit[-1].start + 80].partition("{")[2]).strip().lstrip("$").rstrip("%\\ ")
    )
    before = [statement for statement in explicit if statement.end <= start]
    found = _stated(text[:start], before, reader) or _conclude(text[:start], 0, reader)
    stated = (found.reading.shown or "").lstrip("$") if found else ""
    return found if begun and stated.startswith(begun) else None


def _side_by_side(text: str, explicit: list[Claim], index: int, found: Found, reader: Reader) -> Found | None:
    """Values offered next to each other: one answer in two forms, letters of one choice, or two answers."""
    values = [found.reading.value]
    later = found.statement
    for earlier in reversed(explicit[:index]):
        if earlier.end > later.start:
            continue
        gap = text[earlier.end : later.start]
        adjacent = len(gap) <= 60 and "\n\n" not in gap and _JOIN.fullmatch(plain(gap))
        either = len(gap) <= 200 and _ALTERNATIVE.match(gap) and _EITHER.search(gap)
        if not adjacent and not either:
            break
        if later.where == "cue" and earlier.where == "cue" and not either:
            break
        reading = _read(earlier, reader)
        if reading is None or reading.problem or found.reading.problem:
            break
        values.insert(0, reading.value)
        later = earlier
    if len(values) < 2 or all(reader.same(values[-1], value) for value in values[:-1]):
        return None
    merged = reader.merge(values)
    return Found(merged or Reading(problem="two_answers"), found.statement)


def _revised(text: str, found: Found, reader: Reader) -> Found | None:
    """What a retraction after a statement makes of it; None when it stands."""
    tail = text[found.statement.end : found.statement.end + _WINDOW_OF_CONCLUSION]
    if not tail.strip():
        return None
    base = found.statement.end
    alternative = _ALTERNATIVE.match(tail)
    if alternative and not found.reading.problem:
        end = sentence_end(tail, alternative.end())
        other = reader.read(Claim(plain(tail[alternative.end() : end]), base, base + end, "alternative"))
        if other and not other.problem and not reader.same(found.reading.value, other.value):
            return Found(Reading(problem="two_answers"), found.statement)
    match = RETRACTION.search(tail)
    if match is None:
        return None
    rest = tail[match.start() :]
    later = _conclude(rest, base + match.start(), reader)
    if AFFIRMATION.search(rest) and not NOT_AFFIRMED.search(rest) and not match.group("strong"):
        return None
    if later is not None:
        if later.reading.problem == "refusal" and match.group("weak") and not match.group("strong"):
            return later
        if (
            not later.reading.problem
            and not found.reading.problem
            and reader.same(later.reading.value, found.reading.value)
        ):
            return None
        return Found(later.reading, replace(later.statement, where="correction"))
    if match.group("strong"):
        return Found(Reading(problem="no_answer"), found.statement)
    return None


def _conclude(text: str, base: int, reader: Reader, *, only_cued: bool = False) -> Found | None:
    """The concluding sentence of a text without an explicit statement."""
    remarks = REMARKS.search(text)
    if remarks and text[: remarks.start()].strip():
        text = text[: remarks.start()]
    offset = max(0, len(text) - _WINDOW_OF_CONCLUSION)
    spans = [(a + offset, b + offset) for a, b in sentences(text[offset:])[-_MOST_SENTENCES:]]
    if not spans:
        return None
    last = text[spans[-1][0] : spans[-1][1]].strip()
    many = len(spans) > 1 or len(text) > 100
    cut_off = (
        many
        and last != "×"
        and bool(UNFINISHED.search(last.rstrip("$ *")) or STUB.fullmatch(last) or UNDONE.fullmatch(last))
    )
    offered = candidates(text, base, spans, plans=reader.plans)
    if refuses(text[spans[0][0] :]):
        refused, readable = _with_refusals(offered, reader)
        if refused is not None:
            return refused
    else:
        readable = _from_the_end(offered, reader, only_cued=only_cued)
    offers = [found.reading.value for _, found in readable[-2:] if not found.reading.problem]
    if len(offers) == 2 and BOTH_OFFERED.search(last) and not reader.same(*offers):
        return Found(Reading(problem="two_answers"), readable[-1][1].statement)
    cued_ones = [found for cued, found in readable if cued]
    if only_cued:
        return cued_ones[-1] if cued_ones else None
    if cut_off:
        # Cut before the conclusion: only a conclusion that came earlier counts.
        earlier = [found for found in cued_ones if found.statement.end <= base + spans[-1][0]]
        cut = Found(Reading(problem="truncated"), Claim("", base, base + len(text), "cut"))
        return earlier[-1] if earlier else cut
    if any(not found.reading.problem for _, found in readable):  # "anything over 2 is comfortable" after the answer
        readable = [pair for pair in readable if pair[0] or pair[1].reading.problem != "range"]
    if not readable:
        return None
    chosen = _choose(readable, reader)
    if chosen.statement.end < readable[-1][1].statement.end and not chosen.reading.problem:
        taken = RETRACTION.search(text, max(0, chosen.statement.end - base - 1))
        # "4.83. Correction: the figure should be -4.6.", "so it is 110.8 %. Hmm, that is the ratio. It rose by 10.8 %."
        if taken and (taken.group("strong") or chosen.statement.where == "conclusion"):
            revised = _revised(text, _moved(chosen, -base), reader)
            return _moved(revised, base) if revised else chosen
    return chosen


def _from_the_end(
    candidates: list[tuple[bool, Claim]], reader: Reader, *, only_cued: bool
) -> list[tuple[bool, Found]]:
    """What the last sentences say, back to the last announced one, and the first sentence where none is announced."""
    readable: list[tuple[bool, Found]] = []
    for index in range(len(candidates) - 1, -1, -1):
        cued, statement = candidates[index]
        if not cued and (only_cued or (len(readable) >= _MOST_PLAIN and index)):
            continue
        reading = _sentence(statement, reader)
        if reading is not None:
            readable.insert(0, (cued, Found(reading, statement)))
            if cued:
                break
    return readable


def _sentence(statement: Claim, reader: Reader) -> Reading | None:
    """What a sentence says: its core, where that says something, or all of it."""
    reading = reader.read(replace(statement, text=statement.core)) if statement.core else None
    if reading is not None and reading.problem in ("", "refusal"):  # "it might be 5 %, so no answer can be given"
        return replace(reading, whole=False)
    return reader.read(statement)


def _with_refusals(
    candidates: list[tuple[bool, Claim]], reader: Reader
) -> tuple[Found | None, list[tuple[bool, Found]]]:
    """The refusal that stands at the end, if one does, and what the sentences say otherwise."""
    readable: list[tuple[bool, Found]] = []
    refused: Found | None = None
    for cued, statement in candidates:
        reading = _sentence(statement, reader)
        if reading is None:
            continue
        if reading.problem == "refusal":
            refused = Found(reading, statement)
            readable = [pair for pair in readable if pair[0]]
        elif refused is None or cued:  # plain numbers after a refusal only illustrate it
            refused = None
            readable.append((cued, Found(reading, statement)))
    return refused, readable


def _choose(readable: list[tuple[bool, Found]], reader: Reader) -> Found:
    """The last concluding sentence, unless a later plain one suits the question better; a leading bare answer counts."""
    cued = [index for index, (is_cued, _) in enumerate(readable) if is_cued]
    if cued:
        best = cued[-1]
        for index in range(best + 1, len(readable)):
            later, so_far = readable[index][1], readable[best][1]
            # "A: ..., so it is 79 %" in a list, and then "Difference: 79 % - 24 % = 55 %"
            inside = not CONCLUSION.match(so_far.statement.text) and "=" in later.statement.text
            if later.reading.fit > so_far.reading.fit or (inside and later.reading.fit == so_far.reading.fit):
                best = index
        return readable[best][1]
    if len(readable) > 1 and all(found.reading.whole for _, found in readable):
        merged = reader.merge([found.reading.value for _, found in readable])  # one letter a line
        if merged is not None:
            return Found(merged, readable[-1][1].statement)
        if not reader.same(readable[0][1].reading.value, readable[-1][1].reading.value):
            return Found(Reading(problem="two_answers"), readable[-1][1].statement)
    first = readable[0][1]
    if first.reading.whole:
        return first
    recent = readable[-3:]
    if not any(found.reading.fit for _, found in recent):
        recent = readable  # a breakdown in other units follows the answer
    fit = max(found.reading.fit for _, found in recent)
    return next(found for _, found in reversed(recent) if found.reading.fit == fit)
