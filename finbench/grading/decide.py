"""A reply -> its answer, by a printed table of rows that are tried in order.

`find` gathers what a text offers (a `Scene`: its explicit claims, and its sentences) and goes through `EXPLICIT`, then
`PROSE`; the first row that decides gives the answer, and `Found.row` names it. What is not in the table is no rule:
docs/grading.md section 1 is printed from it. What a claim *says* depends on the kind of answer: the caller passes a
`Reader`. Everything is linear in the length of the reply.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Protocol

from finbench.grading.arranged import in_table
from finbench.grading.claims import Claim, claims, sentence_end
from finbench.grading.discourse import (
    AFFIRMATION,
    BOTH_OFFERED,
    CONCLUSION,
    DOUBT,
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
from finbench.text.lexicon import pattern
from finbench.text.normalize import plain

__all__ = ["Found", "Reader", "Reading", "find", "printed", "without_thinking"]

_WINDOW_OF_CONCLUSION = 4_000
_MOST_SENTENCES = 40
_LONG = 4_000  # characters
_MOST_PLAIN = 6  # sentences without a concluding word that are read
_LAST_WORD = 160  # characters after a claim in which a last sentence may still replace it


@dataclass(frozen=True, slots=True)
class Reading:
    """What a claim says: a value with its shown form, or a problem (a reason such as "two_answers")."""

    value: Any = None
    shown: str | None = None
    problem: str = ""
    fit: int = 1  # how well the value suits the question: 2 has its unit, 0 has another
    whole: bool = False  # the claim is the value and nothing else
    rival: str = ""  # another value of the same sentence that could be meant


class Reader(Protocol):
    """How one kind of answer is read; `plans` says that sentences which only announce a step state no answer."""

    plans: bool

    def read(self, claim: Claim) -> Reading | None:
        """What the claim says; None when it states no answer to this kind of question."""

    def same(self, one: Any, other: Any) -> bool:
        """Are two values one answer in two forms?"""

    def merge(self, values: Sequence[Any]) -> Reading | None:
        """One reading of values offered side by side (the letters of a several-choice answer), or None."""


@dataclass(frozen=True, slots=True)
class Found:
    """The answer of a reply, and the row of the table that found it."""

    reading: Reading
    claim: Claim
    row: str = ""


@dataclass(slots=True)
class Scene:
    """What a text offers: its explicit claims, and the one at hand with its reading."""

    text: str
    reader: Reader
    explicit: list[Claim]
    at: int = 0
    found: Found | None = None
    prose: _Prose | None = None
    cut: bool = field(default=False)


class Row(NamedTuple):
    """A row of the table: when it decides, what the answer is then, and a reply that shows it with its answer."""

    name: str
    when: str
    answer: str
    example: str
    shown: str
    act: Callable[[Scene], Found | None]


_ALTERNATIVE = pattern(r"^[\s.,;:)*$\\\]]*<or.alternative>")
_JOIN = pattern(r"[\s$.,;&/*\\()、]{0,12}(?:<or.word|and>|either)?[\s$.,;:&/*\\()、]{0,12}")
_EITHER = pattern("<or.word|or.alternative>")


def find(reply: Reply, reader: Reader, question: str = "") -> Found | None:
    """The answer that a reply states to its question; None when it states none."""
    text = reply.text
    for cut in cuts(text, question):
        found = _find(text[:cut], reader)
        if found is not None:
            return found
    found = _find(text, reader)
    if found is None and "|" in text and (claim := in_table(text)) and (reading := reader.read(claim)):
        found = Found(reading, claim, "table")
    return found


def _find(text: str, reader: Reader) -> Found | None:
    if len(text) > _LONG:  # most long replies end with their claim: look there first
        tail = text[-_LONG // 2 :]
        explicit = [s for s in claims(tail) if s.start > 80]
        found = _by_claim(tail, explicit, reader) if explicit and explicit[-1].where != "cut_box" else None
        if found is not None:
            return _moved(found, len(text) - len(tail))
    explicit = claims(text)
    if explicit and explicit[-1].where == "cut_box":
        return _named(_cut_box(text, explicit, reader), "cut-box")
    return _by_claim(text, explicit, reader) or _by_prose(text, 0, reader)


def _named(found: Found | None, row: str) -> Found | None:
    return replace(found, row=row) if found else None


def _moved(found: Found, by: int) -> Found:
    return replace(found, claim=replace(found.claim, start=found.claim.start + by, end=found.claim.end + by))


# -- explicit claims -------------------------------------------------------------------------------------------------


def _by_claim(text: str, explicit: list[Claim], reader: Reader) -> Found | None:
    """The first row of `EXPLICIT` that decides about the last explicit claim that says anything."""
    empty: set[str] = set()  # what has been read in vain: a reply may say one thing a thousand times
    for index in range(len(explicit) - 1, -1, -1):
        claim = explicit[index]
        if claim.text in empty:
            continue
        reading = _read(claim, reader)
        if reading is None:
            empty.add(claim.text)
            continue
        scene = Scene(text, reader, explicit, index, Found(reading, claim))
        return next(replace(found, row=row.name) for row in EXPLICIT if (found := row.act(scene)) is not None)
    return None


def _read(claim: Claim, reader: Reader) -> Reading | None:
    if claim.where == "cut_box":
        return None
    if claim.where == "tag":
        lines = [line for line in claim.text.splitlines() if line.strip()]
        if len(lines) > 1 or len(claim.text) > 400:
            found = _by_claim(claim.text, claims(claim.text), reader) or _by_prose(claim.text, 0, reader)
            return found.reading if found else None
        return reader.read(replace(claim, text=plain(claim.text)))
    return reader.read(claim)


def _cut_box(text: str, explicit: list[Claim], reader: Reader) -> Found | None:
    """A reply that ends inside a box: what the box shows so far must begin an answer that was stated before."""
    start = next(claim.start for claim in explicit if claim.where == "cut_box")
    begun = (
        plain(text[explicit[-1].start : explicit[-1].start + 80].partition("{")[2]).strip().lstrip("$").rstrip("%\\ ")
    )
    before = [claim for claim in explicit if claim.end <= start]
    found = _by_claim(text[:start], before, reader) or _by_prose(text[:start], 0, reader)
    stated = (found.reading.shown or "").lstrip("$") if found else ""
    return found if begun and stated.startswith(begun) else None


def _thinking_on(scene: Scene) -> Found | None:
    found = scene.found
    assert found is not None
    if found.claim.where in ("box", "tag", "json", "hashes"):
        return None
    tail = scene.text[found.claim.end :][-600:]
    spans = sentences(tail)
    if not spans or not DOUBT.match(tail[spans[-1][0] : spans[-1][1]].strip()) or _ended(tail):
        return None
    return Found(Reading(problem="truncated"), found.claim)


def _ended(text: str) -> bool:
    return text.rstrip(" \n*_$)\"'")[-1:] in ".!?。:}]|✅"


def _offered_both(scene: Scene) -> Found | None:
    """Values offered next to each other: one answer in two forms, letters of one choice, or two answers."""
    found, reader = scene.found, scene.reader
    assert found is not None
    values = [found.reading.value]
    later = found.claim
    for earlier in reversed(scene.explicit[: scene.at]):
        if earlier.end > later.start:
            continue
        gap = scene.text[earlier.end : later.start]
        adjacent = len(gap) <= 60 and "\n\n" not in gap and _JOIN.fullmatch(plain(gap))
        either = len(gap) <= 200 and _ALTERNATIVE.match(gap) and _EITHER.search(gap)
        if not adjacent and not either:
            break
        if earlier.where == "cue" and not either:
            break  # a phrase leads up to its box
        reading = _read(earlier, reader)
        if reading is None or reading.problem or found.reading.problem:
            break
        values.insert(0, reading.value)
        later = earlier
    if len(values) < 2 or all(reader.same(values[-1], value) for value in values[:-1]):
        return None
    return Found(reader.merge(values) or Reading(problem="two_answers"), found.claim)


def _corrected(scene: Scene) -> Found | None:
    """What a retraction after a claim makes of it; None when it stands."""
    assert scene.found is not None
    if scene.found.reading.problem == "refusal":
        return None
    return _revised(scene.text, scene.found, scene.reader)


def _revised(text: str, found: Found, reader: Reader) -> Found | None:
    base = found.claim.end
    tail = text[base : base + _WINDOW_OF_CONCLUSION]
    if not tail.strip():
        return None
    alternative = _ALTERNATIVE.match(tail)
    if alternative and not found.reading.problem:
        end = sentence_end(tail, alternative.end())
        other = reader.read(Claim(plain(tail[alternative.end() : end]), base, base + end, "alternative"))
        if other and not other.problem and not reader.same(found.reading.value, other.value):
            return Found(Reading(problem="two_answers"), found.claim)
    match = RETRACTION.search(tail)
    if match is None:
        return None
    rest = tail[match.start() :]
    later = _by_prose(rest, base + match.start(), reader)
    if AFFIRMATION.search(rest) and not NOT_AFFIRMED.search(rest) and not match.group("strong"):
        return None
    if later is not None:
        if later.reading.problem == "refusal" and match.group("weak") and not match.group("strong"):
            return later
        unlike = later.reading.problem or found.reading.problem
        if not unlike and reader.same(later.reading.value, found.reading.value):
            return None
        return replace(later, claim=replace(later.claim, where="correction"))
    return Found(Reading(problem="no_answer"), found.claim) if match.group("strong") else None


def _last_word(scene: Scene) -> Found | None:
    """What a reply states last wins: the conclusion after a plain "Answer:" that opened a derivation, or a last short
    sentence with another number that suits at least as well."""
    found, reader = scene.found, scene.reader
    assert found is not None
    if found.claim.where != "cue" or found.reading.problem == "refusal":
        return None
    after = found.claim.end
    tail = scene.text[after:]
    if not found.claim.final and not found.reading.whole and not found.reading.problem:
        return _announced(tail, after, reader)
    if not reader.plans or not 0 < len(tail.strip()) <= _LAST_WORD or not CONCLUSION.match(plain(tail).strip()):
        return None
    later = _announced(tail, after, reader)
    if later is None or later.reading.problem or later.reading.fit < found.reading.fit:
        return None
    return None if reader.same(found.reading.value, later.reading.value) else later


def _explicit(scene: Scene) -> Found | None:
    return scene.found


EXPLICIT: tuple[Row, ...] = (
    Row("thinking-on", "the text breaks off while it thinks aloud after a mere phrase", "`truncated`",
        "The answer is 5. But wait, maybe they want the", "`truncated`", _thinking_on),
    Row("offered-both", "claims stand side by side, joined by \"or\" or nothing",
        "one value in two forms, the letters of one choice, else `two_answers`",
        r"\boxed{5} or \boxed{6}", "`two_answers`", _offered_both),
    Row("corrected", "a retraction follows", "what stands after it; nothing where nothing follows a strong one",
        "The answer is 4. Wait, it should be 5.", "5", _corrected),
    Row("last-word", "a plain \"Answer:\" opens a derivation, or one last concluding sentence has another number",
        "the conclusion's",
        "The answer is 4. So in total it is 5.", "5", _last_word),
    Row("explicit", "a box, answer tag, JSON field, \"####\" or answer phrase says something",
        "the last of them, or its problem",
        r"\boxed{4} is the gross figure, \boxed{5} the net one.", "5", _explicit),
)  # fmt: skip


# -- prose -----------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Prose:
    """The sentences that may state an answer: (announced by a word such as "therefore", what it says)."""

    base: int
    spans: list[tuple[int, int]]
    readable: list[tuple[bool, Found]]
    refused: Found | None
    last: str
    marked: bool = False  # what is left are sentences that a mark had lowered


def _by_prose(text: str, base: int, reader: Reader) -> Found | None:
    """The first row of `PROSE` that decides about a text without an explicit claim."""
    remarks = REMARKS.search(text)
    if remarks and text[: remarks.start()].strip():
        text = text[: remarks.start()]
    offset = max(0, len(text) - _WINDOW_OF_CONCLUSION)
    spans = [(a + offset, b + offset) for a, b in sentences(text[offset:])[-_MOST_SENTENCES:]]
    if not spans:
        return None
    refusing = bool(refuses(text[spans[0][0] :]))
    offered = candidates(text, base, spans, plans=reader.plans, refusing=refusing)
    readable: list[tuple[bool, Found]]
    refused, readable, marked = None, [], False
    if refusing:
        refused, readable = _with_refusals([claim for claim in offered if claim.mark != "aside"], reader)
    else:
        readable, marked = _from_the_end(offered, reader)
    last = text[spans[-1][0] : spans[-1][1]].strip()
    prose = _Prose(base, spans, readable, refused, last, marked)
    cut = _breaks_off(text, last, len(spans)) or (reader.plans and len(spans) > 1 and bool(_DANGLING.fullmatch(last)))
    scene = Scene(text, reader, [], prose=prose, cut=cut)
    for row in PROSE:
        found = row.act(scene)
        if found is not None:
            return replace(found, row=found.row or row.name)
    return None


def _announced(text: str, base: int, reader: Reader) -> Found | None:
    """The last sentence of a text that a word such as "therefore" announces; None where none says anything."""
    spans = sentences(text)[-_MOST_SENTENCES:]
    cued = [claim for claim in candidates(text, base, spans, plans=reader.plans) if claim.where == "conclusion"]
    said = (Found(reading, claim) for claim in reversed(cued) if (reading := _sentence(claim, reader)) is not None)
    return next(said, None)


# "If the industry average": words and no number, and neither end nor mark
_DANGLING = re.compile(r"[A-Z][a-z']*(?:[ ,]+[A-Za-z'-]+){2,}")


def _breaks_off(text: str, last: str, sentences: int) -> bool:
    if (sentences <= 1 and len(text) <= 100) or last == "×":
        return False
    return bool(UNFINISHED.search(last.rstrip("$ *")) or STUB.fullmatch(last) or UNDONE.fullmatch(last))


def _from_the_end(offered: list[Claim], reader: Reader) -> tuple[list[tuple[bool, Found]], bool]:
    """What the last sentences say, back to the last announced one; lowered ones only where no other says anything."""
    for marks in (("",), ("", "lead"), ("", "lead", "aside")):
        readable: list[tuple[bool, Found]] = []
        chosen = [claim for claim in offered if claim.mark in marks]
        for index in range(len(chosen) - 1, -1, -1):
            claim = chosen[index]
            cued = claim.where == "conclusion"
            if not cued and len(readable) >= _MOST_PLAIN and index:
                continue
            reading = _sentence(claim, reader)
            if reading is not None:
                readable.insert(0, (cued, Found(reading, claim)))
                if cued:
                    break
        if any(found.reading.fit and found.reading.problem != "range" for _, found in readable):
            return readable, marks != ("",)
    return readable, True


def _sentence(claim: Claim, reader: Reader) -> Reading | None:
    """What a sentence says: its core, where that says something, or all of it."""
    reading = reader.read(replace(claim, text=claim.core)) if claim.core else None
    if reading is not None and reading.problem in ("", "refusal"):  # "it might be 5 %, so no answer can be given"
        return replace(reading, whole=False)
    return reader.read(claim)


def _with_refusals(offered: list[Claim], reader: Reader) -> tuple[Found | None, list[tuple[bool, Found]]]:
    """The refusal that stands at the end, if one does, and what the sentences say otherwise."""
    readable: list[tuple[bool, Found]] = []
    refused: Found | None = None
    for claim in offered:
        cued = claim.where == "conclusion"
        reading = _sentence(claim, reader)
        if reading is None:
            continue
        if reading.problem == "refusal":
            refused = Found(reading, claim)
            readable = [pair for pair in readable if pair[0]]
        elif refused is None or cued:  # plain numbers after a refusal only illustrate it
            refused = None
            readable.append((cued, Found(reading, claim)))
    return refused, readable


def _prose_of(scene: Scene) -> _Prose:
    assert scene.prose is not None
    return scene.prose


def _refused(scene: Scene) -> Found | None:
    return _prose_of(scene).refused


def _both(scene: Scene) -> Found | None:
    prose = _prose_of(scene)
    offers = [found.reading.value for _, found in prose.readable[-2:] if not found.reading.problem]
    if len(offers) == 2 and BOTH_OFFERED.search(prose.last) and not scene.reader.same(*offers):
        return Found(Reading(problem="two_answers"), prose.readable[-1][1].claim)
    return None


def _cut_off(scene: Scene) -> Found | None:
    """Cut before the conclusion: only a conclusion that came earlier counts."""
    prose = _prose_of(scene)
    if not scene.cut:
        return None
    end = prose.base + prose.spans[-1][0]
    earlier = [found for cued, found in prose.readable if cued and found.claim.end <= end]
    whole = Claim("", prose.base, prose.base + len(scene.text), "cut")
    return earlier[-1] if earlier else Found(Reading(problem="truncated"), whole)


def _points(scene: Scene) -> list[tuple[bool, Found]]:
    """The readable sentences; "anything over 2 is comfortable" after the answer is none of them."""
    readable = _prose_of(scene).readable
    if any(not found.reading.problem for _, found in readable):
        return [pair for pair in readable if pair[0] or pair[1].reading.problem != "range"]
    return readable


def _concluded(scene: Scene) -> Found | None:
    """The last concluding sentence, unless a later plain one suits the question better."""
    readable = _points(scene)
    cued = [index for index, (is_cued, _) in enumerate(readable) if is_cued]
    if not cued:
        return None
    best = cued[-1]
    for index in range(best + 1, len(readable)):
        later, so_far = readable[index][1], readable[best][1]
        # "A: ..., so it is 79 %" in a list, and then "Difference: 79 % - 24 % = 55 %"
        inside = not CONCLUSION.match(so_far.claim.text) and "=" in later.claim.text
        if later.reading.fit > so_far.reading.fit or (inside and later.reading.fit == so_far.reading.fit):
            best = index
    return _standing(scene, readable[best][1])


def _line_by_line(scene: Scene) -> Found | None:
    """One value a line and nothing else: the letters of one choice, or two answers."""
    readable, reader = _points(scene), scene.reader
    if len(readable) < 2 or not all(found.reading.whole for _, found in readable):
        return None
    merged = reader.merge([found.reading.value for _, found in readable])
    if merged is not None:
        return Found(merged, readable[-1][1].claim)
    if reader.same(readable[0][1].reading.value, readable[-1][1].reading.value):
        return None
    return Found(Reading(problem="two_answers"), readable[-1][1].claim)


def _bare(scene: Scene) -> Found | None:
    readable = _points(scene)
    return _standing(scene, readable[0][1]) if readable and readable[0][1].reading.whole else None


def _last_sentence(scene: Scene) -> Found | None:
    readable = _points(scene)
    if not readable:
        return None
    recent = readable[-3:]
    if not any(found.reading.fit for _, found in recent):
        recent = readable  # a breakdown in other units follows the answer
    fit = max(found.reading.fit for _, found in recent)
    chosen = next(found for _, found in reversed(recent) if found.reading.fit == fit)
    found = _standing(scene, chosen)
    return replace(found, row="lowered") if _prose_of(scene).marked and not found.row else found


def _standing(scene: Scene, chosen: Found) -> Found:
    """The sentence chosen, or what a retraction after it makes of it.

    "4.83. Correction: the figure should be -4.6.", "so it is 110.8 %. Hmm, that is the ratio. It rose by 10.8 %."
    """
    prose = _prose_of(scene)
    if chosen.claim.end >= prose.readable[-1][1].claim.end or chosen.reading.problem:
        return chosen
    taken = RETRACTION.search(scene.text, max(0, chosen.claim.end - prose.base - 1))
    if not taken or not (taken.group("strong") or chosen.claim.where == "conclusion"):
        return chosen
    revised = _revised(scene.text, _moved(chosen, -prose.base), scene.reader)
    return replace(_moved(revised, prose.base), row="corrected") if revised else chosen


PROSE: tuple[Row, ...] = (
    Row("refused", "a refusal stands last, and no conclusion after it", "`refusal`",
        "It was 5 in 2013. For 2014 it cannot be determined.", "`refusal`", _refused),
    Row("both", "the last sentence calls both values acceptable", "`two_answers`",
        "It is 5. By cost it is 6. Both answers are acceptable.", "`two_answers`", _both),
    Row("cut-off", "the text ends inside a sentence", "an earlier conclusion, else `truncated`",
        "Revenue was 100 and grew to 105. Therefore the growth rate of the company is", "`truncated`", _cut_off),
    Row("concluded", "a sentence begins with \"therefore\", \"so\", 因此, ...",
        "the last of them, unless a later one suits better",
        "So it grew 5%. See page 7.", "5%", _concluded),
    Row("line-by-line", "every line is a value and nothing else", "the letters of one choice, else `two_answers`",
        "5\n6", "`two_answers`", _line_by_line),
    Row("bare", "the first sentence is a value and nothing else", "that value",
        "5%. Net sales were 100 before.", "5%", _bare),
    Row("last-sentence", "nothing above", "the last of the sentences that suit the question best; one that a mark lowers "
        "(context, source, aside) only where no other says anything (`lowered`)",
        "Sales were $3 million and $2 million, together **$5 million**", "$5 million", _last_sentence),
)  # fmt: skip


def printed() -> str:
    """The table as docs/grading.md prints it."""
    lines = ["| row | when | the answer is | a reply | its answer |", "|---|---|---|---|---|"]
    for row in (*EXPLICIT, *PROSE):
        example = row.example.replace("\n", "⏎").replace("|", "\\|")
        lines.append(f"| `{row.name}` | {row.when} | {row.answer} | `{example}` | {row.shown} |")
    return "\n".join(lines)
