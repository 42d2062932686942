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

# Powers of ten between a number and its place: 0.12 for 12%, 8.63 billion for 8630 in a table of millions.
SHIFTS = (0, -2, 2, -3, 3, -6, 6, -9, 9)
CACHED_PAGES = 64  # replies come page by page, FinQA's questions up to six a page
# Numbers that need no source: unit conversions, periods of a year, halves.
CONSTANTS = frozenset((digits, power) for digits, power in
    [(0, 0), (2, 0), (4, 0), (7, 0), (12, 1), (52, 1), (365, 2), (366, 2), (36, 2), (5, -1), (25, -1)]
    + [(1, power) for power in range(-4, 13)])  # fmt: skip
MAX_COUNT = 12  # months of a year; larger whole numbers are amounts, even where they count something


class Location(NamedTuple):
    """Where a number stands: `where` in words, and the table's row and column or the sentence's index."""

    kind: Kind
    where: str
    row: int
    column: int
    power: int  # of the first digit
    percent: bool


Index = dict[int, list[Location]]  # significant digits -> places


class Listed(NamedTuple):
    """The numbers of a page or a question, whole and rounded to fewer digits."""

    exact: Index
    rounded: Index


def find(number: Number, source: Listed) -> tuple[Location, str] | None:
    """The place that a number comes from, and how: "", "scaled" or "rounded"; cells before sentences."""
    digits, power = number.key
    places = source.exact.get(digits, ())
    as_it_is = next((place for place in places if place.power == power), None)
    if as_it_is:
        return as_it_is, ""
    scaled = [place for place in places if _is_scaled(number, place)]
    if scaled:
        return min(scaled, key=lambda place: SHIFTS.index(power - place.power)), "scaled"
    if digits >= 100 or (number.scale and digits >= 10):
        for place in source.rounded.get(digits, ()):
            if power - place.power in SHIFTS:
                return place, "rounded"
    return None


def _is_scaled(number: Number, place: Location) -> bool:
    """May a number of a place's digits be that place in percent or in another scale? Two digits agree by chance: only
    between a percentage and its hundredth."""
    digits, power = number.key
    shift = power - place.power
    if shift not in SHIFTS:
        return False
    short = digits < 100 and number.digits < 1000 and not number.scale
    return not short or (abs(shift) == 2 and (number.percent or place.percent))


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
    for i, cells in enumerate(table):
        for j, cell in enumerate(cells):
            _add(exact, str(cell), "cell", _cell_name(table, i, j), i, j)
    for index, sentence in enumerate(sentences):
        _add(exact, sentence, "sentence", f"sentence {index + 1}", index, 0)
    return Listed(exact, _rounded(exact))


def _cell_name(table: Sequence[Sequence[Any]], i: int, j: int) -> str:
    """A cell in words: its row's name and its column's head, as far as there are any.

    >>> table = [["", "2019"], ["net sales", "3140"]]
    >>> _cell_name(table, 1, 1), _cell_name(table, 1, 0), _cell_name(table, 0, 0)
    ('net sales | 2019', 'row 2', 'row 1')
    """
    header = table[0]
    name = str(table[i][0]) if j else ""
    column = str(header[j]) if i and j and j < len(header) else ""
    return " | ".join(part.strip() for part in (name, column) if part.strip()) or f"row {i + 1}"


def _rounded(exact: Index) -> Index:
    """The same places by their digits rounded to two and more."""
    rounded: Index = {}
    for digits, places in exact.items():
        size = len(str(digits))
        for length in range(2, size):
            head, grown = _head(digits, size, length)
            moved = [place._replace(power=place.power + 1) for place in places] if grown else places
            rounded.setdefault(head, []).extend(moved)
    return rounded


def _head(digits: int, size: int, length: int) -> tuple[int, bool]:
    """The significant digits of a number of `size` digits rounded to `length`, and whether it gained a place by it.

    >>> _head(5829, 4, 2), _head(9996, 4, 3), _head(5850, 4, 2)
    ((58, False), (1, True), (58, False))
    """
    unit = 10 ** (size - length)
    head, rest = divmod(digits, unit)
    head += 2 * rest > unit or (2 * rest == unit and head % 2)  # halves to even, as `round` has them
    grown = head == 10**length
    while not head % 10:
        head //= 10
    return head, grown


def _add(index: Index, text: str, kind: Kind, where: str, row: int, column: int) -> None:
    for number in numbers(normalise(text)):
        digits, power = number.key
        index.setdefault(digits, []).append(Location(kind, where, row, column, power, number.percent))
