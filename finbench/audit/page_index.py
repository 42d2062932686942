"""Where a number comes from: an index of the page that a question is asked about, and of the question itself.

A page is read once for all questions and replies about it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from finbench.text.normalize import normalise
from finbench.text.stated import Number, numbers

Kind = Literal["cell", "sentence", "question", "computed", "implied", "constant", "count", "year", "label", "nothing"]

SHIFTS = (
    0,
    -2,
    2,
    -3,
    3,
    -6,
    6,
    -9,
    9,
)  # percents and scales: 0.12 for 12%, 8.63 billion for 8630 in a table of millions
CACHED_PAGES = 64
# Numbers that need no source: unit conversions, periods of a year, halves.
CONSTANTS = frozenset((digits, power) for digits, power in
    [(0, 0), (2, 0), (4, 0), (7, 0), (12, 1), (52, 1), (365, 2), (366, 2), (36, 2), (5, -1), (25, -1)]
    + [(1, power) for power in range(-4, 13)])  # fmt: skip
MAX_COUNT = 12  # larger whole numbers are amounts, even where they count something


class Place(NamedTuple):
    """Where a number stands: `where` in words, and the table's row and column or the sentence's index."""

    kind: Kind
    where: str
    row: int
    column: int
    power: int  # of the first digit
    percent: bool


Index = dict[int, list[Place]]  # significant digits -> places


class Listed(NamedTuple):
    """The numbers of a page or a question, whole and rounded to fewer digits."""

    exact: Index
    rounded: Index


def find(number: Number, source: Listed) -> tuple[Place, str] | None:
    """The place that a number comes from, and how: "", "scaled" or "rounded"; cells before sentences."""
    digits, power = number.key
    short = digits < 100 and number.digits < 1000 and not number.scale
    best: tuple[int, Place] | None = None
    for place in source.exact.get(digits, ()):
        shift = power - place.power
        if shift == 0:
            return place, ""
        if shift in SHIFTS and (not short or (shift in (2, -2) and (number.percent or place.percent))):
            rank = SHIFTS.index(shift)
            if best is None or rank < best[0]:
                best = rank, place
    if best:
        return best[1], "scaled"
    if digits >= 100 or (number.scale and digits >= 10):
        for place in source.rounded.get(digits, ()):
            if power - place.power in SHIFTS:
                return place, "rounded"
    return None


def of_question(question: str, history: Iterable[Mapping[str, Any]] = ()) -> Listed:
    """The numbers of a question, and of the earlier turns of its conversation."""
    exact: Index = {}
    _add(exact, question, "question", "the question", 0, 0)
    for turn, said in enumerate(history):
        for part in ("question", "answer"):
            _add(exact, str(said.get(part, "")), "question", f"turn {turn + 1}, {part}", turn, 0)
    return Listed(exact, {})


def of_page(row: Mapping[str, Any], cells: Sequence[str]) -> Listed:
    """The numbers of a row's page: its `table` (or bare cells) and its sentences."""
    return _page(table_of(row, cells), sentences_of(row))


def table_of(row: Mapping[str, Any], cells: Sequence[str]) -> tuple[tuple[Any, ...], ...]:
    """The table that places of the kind "cell" refer to, by row and column; bare cells stand in one row."""
    raw = row.get("table")
    return tuple(map(tuple, raw)) if isinstance(raw, list) and _is_table(raw) else (("cells", *cells),)


def sentences_of(row: Mapping[str, Any]) -> tuple[str, ...]:
    """The sentences that places of the kind "sentence" refer to, by `row`."""
    before, after = row.get("pre_text") or row.get("text_before"), row.get("post_text") or row.get("text_after")
    return (*_sentences(before), *_sentences(after), *_sentences(row.get("context")))


def _is_table(table: list[Any]) -> bool:
    return bool(table) and all(isinstance(cells, list) for cells in table)


def _sentences(text: Any) -> tuple[str, ...]:
    if isinstance(text, str):
        return (text,)
    return tuple(part for part in text if isinstance(part, str)) if isinstance(text, list | tuple) else ()


@lru_cache(maxsize=CACHED_PAGES)
def _page(table: tuple[tuple[Any, ...], ...], sentences: tuple[str, ...]) -> Listed:
    exact: Index = {}
    header = table[0] if table else ()
    for i, cells in enumerate(table):
        for j, cell in enumerate(cells):
            name = str(cells[0]) if j else ""
            column = str(header[j]) if i and j and j < len(header) else ""
            where = " | ".join(part.strip() for part in (name, column) if part.strip()) or f"row {i + 1}"
            _add(exact, str(cell), "cell", where, i, j)
    for index, sentence in enumerate(sentences):
        _add(exact, sentence, "sentence", f"sentence {index + 1}", index, 0)
    rounded: Index = {}
    for digits, places in exact.items():
        size = len(str(digits))
        for length in range(2, size):
            unit = 10 ** (size - length)
            head, rest = divmod(digits, unit)
            head += 2 * rest > unit or (2 * rest == unit and head % 2)  # halves to even, as `round` has them
            grown = head == 10**length
            while not head % 10:
                head //= 10
            moved = [place._replace(power=place.power + 1) for place in places] if grown else places
            rounded.setdefault(head, []).extend(moved)
    return Listed(exact, rounded)


def _add(index: Index, text: str, kind: Kind, where: str, row: int, column: int) -> None:
    for number in numbers(normalise(text)):
        digits, power = number.key
        index.setdefault(digits, []).append(Place(kind, where, row, column, power, number.percent))
