"""The audit of one reply as a page draws it: findings first, the text in pieces, and what its numbers come from.

Everything here is plain values. All texts are a model's or a data set's: hostile, and never markup.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from string import ascii_letters
from typing import Any, NamedTuple

from finbench.audit import page_index
from finbench.audit.provenance import Trace
from finbench.audit.reply import Audit, CheckedStep, applies, audit, audited
from finbench.errors import TaskError
from finbench.finqa.page import clean_cell
from finbench.records import Document
from finbench.scores.samples import GradedReply, graded_reply
from finbench.tasks.documents import document_from_row
from finbench.text.normalize import normalise
from finbench.text.stated import numbers

REASONING_SHOWN, ANSWER_SHOWN = 16_000, 8_000  # characters: the beginning of the reasoning, the end of the answer
ROWS, COLUMNS, CELL, SENTENCE = 60, 16, 160, 600  # of a table, and characters of a cell and of a sentence
NAMED = 5  # numbers from nowhere that are named
CODE = 160  # characters of a quoted step or program
CLOSE = "</think>"

# The origins as pages tell them apart; what needs no source is one of them.
LEGEND = {
    "cell": "a cell of the table",
    "sentence": "a sentence of the page",
    "question": "the question",
    "computed": "an earlier result",
    "implied": "one unstated step",
    "constant": "constant, count, year or label",
    "nothing": "from nowhere",
}
VERDICTS = {"right": "holds", "rounding": "holds as rounded", "wrong": "does not hold"}  # from mild to bad
SIGNS = {"right": "✓", "rounding": "≈", "wrong": "✗"}
_LETTERS = ascii_letters + " -"
_PLAIN = ("constant", "count", "year", "label")


class Piece(NamedTuple):
    """Text of one kind: "" plain, a number by its origin (LEGEND), or the verdict on the calculation that ends here.

    `note` says more in words; `target` is the place on the page that it comes from: "c2-1" a cell, "s4" a sentence, "q"
    the question, "k3" a calculation. A verdict's `target` is its own place.
    """

    text: str
    kind: str = ""
    note: str = ""
    target: str = ""
    answer: bool = False  # part of what the grader took as the answer


class Stretch(NamedTuple):
    """Pieces that stand together: calculations of one chain with the worst verdict among them, or plain text ("")."""

    verdict: str
    pieces: tuple[Piece, ...]


class MarkedFinding(NamedTuple):
    """One thing to know: good, bad or neither ("plain"), in words, about `quoted`, with more words after it."""

    tone: str
    words: str
    quoted: str = ""
    more: str = ""
    target: str = ""


@dataclass(frozen=True, slots=True)
class Marking:
    """What a page draws of one audited reply. `tally` counts its numbers by origin, in the order of LEGEND."""

    findings: tuple[MarkedFinding, ...]
    tally: tuple[tuple[str, int], ...]
    reasoning: tuple[Stretch, ...]
    reasoning_cut: int  # characters left out after what is shown
    answer: tuple[Stretch, ...]
    answer_cut: int  # characters left out before it
    table: tuple[tuple[str, ...], ...]
    cells: frozenset[tuple[int, int]]  # those of the table that numbers come from
    sentences: tuple[tuple[int, str], ...]  # index and text of those that numbers come from

    @property
    def plain(self) -> dict[str, Any]:
        """Plain values for JSON, as short as they can be: a piece without a kind is its text."""
        return {
            "findings": self.findings,
            "tally": self.tally,
            "reasoning": [_plain(stretch) for stretch in self.reasoning],
            "answer": [_plain(stretch) for stretch in self.answer],
            "table": self.table,
            "cells": [f"c{row}-{column}" for row, column in sorted(self.cells)],
            "sentences": self.sentences,
        }


def _plain(stretch: Stretch) -> list[Any]:
    return [
        stretch.verdict,
        [[*piece[:4], int(piece.answer)] if piece.kind or piece.answer else piece.text for piece in stretch.pieces],
    ]


def of_line(line: Mapping[str, Any], task: str = "") -> Marking | None:
    """The marking of a line of a samples file; None where the audit has nothing to say."""
    try:
        sample = graded_reply(line, task, document_from_row)
    except TaskError:
        return None
    if sample is None or not applies(sample.document):
        return None
    return marking(sample, line["finbench"].get("span"))


def marking(sample: GradedReply, span: Sequence[int] | None = None) -> Marking | None:
    """The marking of a reply; `span` is where the answer stands in its text. None for a reply without text.

    Of long replies the beginning of the reasoning and the end of the answer are shown.
    """
    document = sample.document
    whole = audited(sample.text, sample.reasoning)
    if not whole.strip():
        return None
    found = audit(document, sample.text, sample.grade, sample.reasoning)
    base = len(whole) - len(sample.text)
    split = max(base, whole.rfind(CLOSE) + len(CLOSE) if CLOSE in whole else 0)
    spoken = min(split, REASONING_SHOWN)
    begins = len(whole) - len(whole[split:].lstrip())
    start = max(begins, len(whole) - ANSWER_SHOWN)
    table = tuple(
        tuple(clean_cell(str(cell))[:CELL] for cell in row[:COLUMNS])
        for row in page_index.table_of(document.row, document.cells)[:ROWS]
    )
    sentences = page_index.sentences_of(document.row)
    cited = sorted({trace.row for trace in found.numbers if trace.kind == "sentence"})
    answer = (base + span[0], base + span[1]) if span and 0 <= span[0] < span[1] <= len(sample.text) else None
    windows = ((0, spoken), (start, len(whole)))
    draw = _Drawing(whole, found, table, answer, windows)
    return Marking(
        findings=tuple(_findings(document, found, whole, draw)),
        tally=_tally(found),
        reasoning=draw.stretches(*windows[0]),
        reasoning_cut=split - spoken,
        answer=draw.stretches(*windows[1]),
        answer_cut=start - begins,
        table=table,
        cells=frozenset((trace.row, trace.column) for trace in found.numbers if trace.kind == "cell"),
        sentences=tuple((index, sentences[index][:SENTENCE]) for index in cited),
    )


def _tally(found: Audit) -> tuple[tuple[str, int], ...]:
    counts = Counter(_kind(trace) for trace in found.numbers)
    return tuple((kind, counts[kind]) for kind in LEGEND if counts[kind])


def _kind(trace: Trace) -> str:
    return "constant" if trace.kind in _PLAIN else trace.kind


# -- the text in pieces ------------------------------------------------------------------------------------------------


class _Drawing:
    """Cuts a text where numbers, calculations and the answer begin and end; a number is never cut in two."""

    def __init__(
        self,
        text: str,
        found: Audit,
        table: Sequence[Sequence[str]],
        answer: tuple[int, int] | None,
        windows: Sequence[tuple[int, int]],
    ) -> None:
        self.text = text
        self.windows = windows
        self.numbers = found.numbers
        self.starts = [trace.start for trace in found.numbers]
        self.table = table
        self.steps = [(*self._around(step.start, step.end), step) for step in found.calculations]
        self.answer = self._around(*answer) if answer else (0, 0)
        self.chains: list[tuple[int, int, str]] = []
        for start, end, step in sorted(self.steps, key=lambda item: item[:2]):
            if self.chains and start < self.chains[-1][1]:
                first, last, verdict = self.chains[-1]
                self.chains[-1] = first, max(last, end), max(verdict, step.verdict, key=list(VERDICTS).index)
            else:
                self.chains.append((start, end, step.verdict))

    def _around(self, start: int, end: int) -> tuple[int, int]:
        """A stretch widened to whole numbers."""
        for at in (start, end):
            place = bisect_right(self.starts, at) - 1
            if place >= 0 and self.numbers[place].start < at < self.numbers[place].end:
                start, end = min(start, self.numbers[place].start), max(end, self.numbers[place].end)
        return start, end

    def stretches(self, low: int, high: int) -> tuple[Stretch, ...]:
        """The text from `low` to `high` as it is drawn."""
        out: list[Stretch] = []
        at = low
        for start, end, verdict in self.chains:
            start, end = max(start, low), min(end, high)
            if start >= end:
                continue
            out += self._stretch("", at, start)
            out += self._stretch(verdict, start, end)
            at = end
        return tuple(out + self._stretch("", at, high))

    def _stretch(self, verdict: str, low: int, high: int) -> list[Stretch]:
        return [Stretch(verdict, tuple(self._pieces(verdict, low, high)))] if low < high else []

    def _pieces(self, verdict: str, low: int, high: int) -> Iterator[Piece]:
        ended = [(end, place) for place, (_, end, _) in enumerate(self.steps) if low < end <= high] if verdict else []
        inside = self.numbers[max(0, bisect_right(self.starts, low) - 1) : bisect_right(self.starts, high)]
        edges = {low, high, *self.answer, *(end for end, _ in ended)}
        for trace in inside:
            edges.update((trace.start, trace.end))
        cuts = sorted(edge for edge in edges if low <= edge <= high)
        by_start = {trace.start: trace for trace in inside}
        for start, end in pairwise(cuts):
            answer = self.answer[0] <= start and end <= self.answer[1]
            number = by_start.get(start)
            if number is not None and end == number.end:
                yield Piece(self.text[start:end], _kind(number), _note(number), self._target(number), answer)
            else:
                yield Piece(self.text[start:end], answer=answer)
            for place in sorted(place for ends, place in ended if ends == end):
                step = self.steps[place][2]
                note = self.should(step) if step.verdict == "wrong" else step.exact
                yield Piece("", step.verdict, note, f"k{place}")

    def _target(self, trace: Trace) -> str:
        if trace.kind == "cell":
            there = trace.row < len(self.table) and trace.column < len(self.table[trace.row])
            return f"c{trace.row}-{trace.column}" if there else ""
        if trace.kind == "sentence":
            return f"s{trace.row}"
        if trace.kind == "question":
            return "q" if trace.where == "the question" else ""
        place = trace.calculation
        return self.step(place) if 0 <= place < len(self.steps) and trace.start >= self.steps[place][1] else ""

    def should(self, step: CheckedStep) -> str:
        """What a wrong calculation should say."""
        if step.result < 0:
            return should(step.exact)
        stated = self.numbers[step.result]
        return should(step.exact, self.text[stated.start : stated.end])

    def step(self, place: int) -> str:
        """The target of a calculation; "" when it is not shown."""
        end = self.steps[place][1]
        return f"k{place}" if any(low < end <= high for low, high in self.windows) else ""


def _note(trace: Trace) -> str:
    """Where a number comes from, in words."""
    kind = LEGEND.get(trace.kind) or trace.kind
    said = {"question": trace.where, "computed": f"the result of {trace.where}", "constant": "a constant"}
    words = {"count": "a count", "year": "a year", "label": "a label"} | said
    text = words.get(trace.kind) or (f"{kind}: {trace.where}" if trace.where else kind)
    return f"{text}, {trace.how}" if trace.how else text


def should(exact: str, stated: str = "") -> str:
    """What a calculation should say, in the form of what it states: in percent, in millions.

    >>> should("0.0211382113821", "2.3%"), should("-6.06325656", "-6.08%"), should("70000000", "0.5 billion"), should("6")
    ('2.11382%', '-6.06326%', '0.07 billion', '6')
    """
    try:
        value = float(exact)
    except ValueError:
        return exact
    unit = ""
    for number in numbers(normalise(stated))[:1]:
        shifts = (0, 2 * number.percent or 4 * number.points, -number.scale)
        size = float(number.number)
        value *= 10.0 ** min(
            shifts, key=lambda shift: abs(math.log10(abs(value) * 10.0**shift / size)) if value and size else 0
        )
        unit = (
            "%" if number.percent else stated[len(stated.rstrip(_LETTERS)) :] if number.scale or number.points else ""
        )
    if not abs(value) < 1e15:
        return exact
    places = max(2, 5 - math.floor(math.log10(abs(value)))) if value else 0
    shown = f"{value:,.{min(places, 12)}f}"
    return (shown.rstrip("0").rstrip(".") if "." in shown else shown) + unit


# -- findings in words -------------------------------------------------------------------------------------------------


def _findings(document: Document, found: Audit, whole: str, draw: _Drawing) -> Iterator[MarkedFinding]:
    """What to know about a reply, the worst first."""
    stated = len(found.calculations)
    first = found.first_wrong
    if first is not None:
        target = draw.step(found.calculations.index(first))
        more = f"should be {draw.should(first)}" + (
            f" ({found.wrong} of {stated} calculations wrong)" if stated > 1 else ""
        )
        yield MarkedFinding("bad", "First wrong step", _short(first.text), more, target)
    if found.lucky:
        yield MarkedFinding("bad", "Right by luck: no sound calculation gives the answer")
    if found.wrong_operation:
        yield MarkedFinding("bad", "Wrong operation: right numbers and sound arithmetic, but not what was asked")
    if found.right_cells is not None:
        words = "All numbers" if found.right_cells else "Not all numbers"
        yield MarkedFinding("good" if found.right_cells else "bad", f"{words} of the gold program are used")
    lost = [whole[trace.start : trace.end] for trace in found.numbers if trace.kind == "nothing"]
    if lost:
        named = ", ".join(dict.fromkeys(" ".join(text.split()) for text in lost[:NAMED]))
        words = f"{len(lost)} of {found.counted} quantities from nowhere"
        yield MarkedFinding("bad", words, _short(named), "and more" if len(lost) > NAMED else "")
    elif found.counted:
        yield MarkedFinding("good", "Every quantity comes from somewhere")
    if stated and first is None:
        yield MarkedFinding("good", f"All {stated} calculations hold" if stated > 1 else "Its calculation holds")
    elif not stated:
        yield MarkedFinding("plain", "No calculation is stated")
    yield from _program(document, found)


def _program(document: Document, found: Audit) -> Iterator[MarkedFinding]:
    gold = str(document.row.get("program", ""))
    if found.program_match == "none":
        yield MarkedFinding("plain", "No operations seen; gold program", _short(gold))
    elif found.program_match == "different":
        yield MarkedFinding("plain", "Operations", _short(found.program), f"gold program {_short(gold)}")
    elif found.program_match:
        same = "the gold program" if found.program_match == "exact" else "equivalent to the gold program"
        yield MarkedFinding("plain", "Operations", _short(found.program), same)


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= CODE else text[: CODE - 1] + "…"
