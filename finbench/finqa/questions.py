"""What a row asks of its page: FinQA's one question or the turns of a ConvFinQA conversation, programs and golds with it.

Also how a program names the numbers of the page, and the same program over other numbers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from finbench.errors import DataError
from finbench.finqa.figures import is_constant, rounded
from finbench.finqa.programs import Value
from finbench.finqa.text_relations import Place

Gold = tuple[Value, str]  # executed: the program's result; displayed: the printed answer, or empty

_ARITHMETIC = re.compile(r"\b(add|subtract|multiply|divide|exp|greater)\(\s*([^(),]+?)\s*,\s*([^(),]+?)\s*\)")
_ROW = re.compile(r"\btable_(?:max|min|sum|average)\(\s*(.*?)\s*,\s*none\s*\)")
_PICKED = re.compile(r"\s*([^\s(),]+)\s*")


@dataclass(frozen=True, slots=True)
class Question:
    """A question with its gold program and its two golds; `display` is empty where there is none."""

    text: str
    program: str
    executed: Value
    display: str

    @property
    def gold(self) -> Gold:
        return self.executed, self.display


def questions(row: Mapping[str, Any]) -> tuple[Question, ...]:
    """The questions of a row in order: one in FinQA's form, the turns of a conversation in ConvFinQA's.

    A conversation's displayed answers are read from `answer_list`; without it there are none.
    """
    if "annotation" not in row:
        qa = row["qa"]
        return (Question(qa["question"], qa["program"], qa["exe_ans"], qa["answer"] or ""),)
    notes = row["annotation"]
    texts = notes["dialogue_break"]
    shown = [answer or "" for answer in notes.get("answer_list") or [""] * len(texts)]
    turns = zip(texts, notes["turn_program"], notes["exe_ans_list"], shown, strict=True)
    return tuple(Question(*turn) for turn in turns)


def asking(row: Mapping[str, Any], asked: Sequence[Question]) -> dict[str, Any]:
    """The row with these questions instead of its own: as many, or the first turns of a conversation."""
    if "annotation" not in row:
        (only,) = asked
        qa = {"question": only.text, "program": only.program, "exe_ans": only.executed, "answer": only.display}
        return {**row, "qa": qa}
    notes = {
        "dialogue_break": [question.text for question in asked],
        "turn_program": [question.program for question in asked],
        "qa_split": row["annotation"]["qa_split"][: len(asked)],
        "exe_ans_list": [question.executed for question in asked],
        "answer_list": [question.display for question in asked],
    }
    return {key: value for key, value in row.items() if not key.startswith("qa")} | {"annotation": notes}


def places(row: Mapping[str, Any]) -> Iterator[tuple[Place, str]]:
    """Every text of a row that a prompt shows, but for the golds of earlier turns, and where it stands."""
    for part in ("pre_text", "post_text"):
        for index, sentence in enumerate(row[part]):
            yield (part, index, 0), sentence
    for index, question in enumerate(questions(row)):
        yield ("question", index, 0), question.text
    for i, cells in enumerate(row["table"]):
        for j, text in enumerate(cells):
            yield ("table", i, j), text


# -- programs --------------------------------------------------------------------------------------------------------


def arguments(program: str) -> Iterator[tuple[str, str]]:
    """(operation, literal) for every number that a program names; steps and named constants are left out.

    >>> list(arguments("subtract(5829, 5735), divide(#0, 5735), multiply(#1, const_100)"))
    [('subtract', '5829'), ('subtract', '5735'), ('divide', '5735')]
    >>> list(arguments("60.94"))
    [('pick', '60.94')]
    """
    picked = _PICKED.fullmatch(program)
    found = [("pick", picked[1])] if picked else []
    found += [(step[1], literal) for step in _ARITHMETIC.finditer(program) for literal in step.group(2, 3)]
    for operation, literal in found:
        if not literal.startswith(("#", "const_")):
            yield operation, literal


def rows_named(program: str) -> list[str]:
    """The table rows that a program runs over.

    >>> rows_named("table_sum(net income ( loss ), none), subtract(#0, 5)")
    ['net income ( loss )']
    """
    return _ROW.findall(program)


def magnitude(literal: str) -> Decimal:
    """A literal's number as a page shows it: without sign and percent sign."""
    try:
        return abs(Decimal(literal.replace(",", "").replace("%", "").strip()))
    except InvalidOperation:
        raise DataError(f"{literal!r} is not a number") from None


def rewritten(program: str, values: Mapping[Decimal, Decimal]) -> str:
    """The program with other numbers; constants, steps and row names stay.

    >>> rewritten("subtract(5829, -12%), divide(#0, 5829)", {Decimal(5829): Decimal(6110), Decimal(12): Decimal(15)})
    'subtract(6110, -15%), divide(#0, 6110)'
    >>> rewritten("5829", {Decimal(5829): Decimal(6110)})
    '6110'
    """

    def literal(text: str) -> str:
        if text.startswith(("#", "const_")) or (key := magnitude(text)) not in values or is_constant(key):
            return text
        new = values[key]
        body = text.strip("-% ")
        decimals = max(len(body.partition(".")[2]), -int(new.normalize().as_tuple().exponent))
        return text.replace(body, format(rounded(new, decimals), ",f" if "," in body else "f"))

    if picked := _PICKED.fullmatch(program):
        return literal(picked[1])
    return _ARITHMETIC.sub(lambda found: f"{found[1]}({literal(found[2])}, {literal(found[3])})", program)
