"""A page of a report and a question about it, as rules can use them: words, years, and series of figures.

A series is what a question about "X from 2014 to 2016" means: the cells of a row whose columns differ only in their
dates, the cells of a column down such rows ("2014 net revenue"), or the figures of one sentence.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

from finbench.finqa import page


def word_set(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


_YEAR = re.compile(r"(?<![.,\d])(?:\d{1,2})?((?:19|20)\d\d)(?![\d,]|\.\d)")  # "december 312008" has lost a blank
_SPAN = re.compile(r"((?:19|20)\d\d)\s*(?:-|2013|to|through|until)\s*((?:19|20)\d\d)")
_NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?|-?\.\d+")
_DASHES = ("2013", "2014")  # a cell with the code point of a dash, its escape lost: nothing, not a figure
_LONE_NUMBER = re.compile(r"^\W*-?[\d,]*\.?\d+\s?%?\W*(?:\(.*\))?\W*(?:million|billion|thousand)?\W*$")
_MOVE = re.compile(r"from \$? ?(\d[\d,]*(?:\.\d+)?)(?! ?\d)[^.;]{0,40}? to \$? ?(\d[\d,]*(?:\.\d+)?)")
_WORD = re.compile(r"[a-z]+(?:&[a-z]+)?|\d+(?:\.\d+)?")
_STOP = word_set(
    "a an and are as at be been by did do does during for from had has have how in into is it its many much of on or "
    "over per than that the their there these this those to under was were what when which while who will with would "
    "between considering considered company companies firm amount amounts value year years ended end ending million "
    "millions thousand thousands billion billions dollar dollars us usd observed respectively approximately about"
)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DATE = re.compile(rf"\b(?:{'|'.join(_MONTHS)})[a-z]*\W*(?:\d{{1,2}})?\W*(?:19|20)\d\d\b")
OPERATION_WORDS = word_set(
    "percent percentage percentual change changes increase increased decrease decreased growth grow grew decline "
    "declined difference average mean ratio portion proportion sum combined cumulative rate total compared relative "
    "represent represented represents related relate relates due made make up comprised attributable"
)
MOST_CELLS = 500  # figures of a table that are read, pairs of them are compared; FinQA's largest test table has 64
LONGEST = 1_000  # characters of a question that are read; the longest in FinQA's test set has 259
# How much a series' name loses for what it says besides the question's words, and a sentence against a table.
TABLE_SPARE, TEXT_SHARED, TEXT_SPARE = 0.12, 0.7, 0.02


@dataclass(frozen=True, slots=True)
class PageFigure:
    """A number of the page, and the years that stand nearest to it (the first counts most)."""

    value: float
    percent: bool
    years: tuple[str, ...]
    row: int
    column: int


@dataclass(frozen=True, slots=True)
class Series:
    """Figures under one name: a row or column over the years, or the figures of one sentence."""

    words: frozenset[str]
    figures: tuple[PageFigure, ...]
    in_table: bool
    move: tuple[float, float] | None = None  # "from 128 to 201" in a sentence

    def at(self, year: str) -> PageFigure | None:
        return next((f for f in self.figures if year in f.years[:1]), None) or next(
            (f for f in self.figures if year in f.years), None
        )


# -- the question ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FigureWords:
    """A question: its text in lower case, its content words, and the years it names, in order, spans filled up."""

    text: str
    words: frozenset[str]
    years: tuple[str, ...]

    @classmethod
    def read(cls, question: str) -> FigureWords:
        text = " ".join(question[:LONGEST].lower().split())
        years = list(dict.fromkeys(_YEAR.findall(text)))
        if span := _SPAN.search(text):
            first, last = int(span[1]), int(span[2])
            if 0 < last - first < 12:
                years = [str(year) for year in range(first, last + 1)]
        return cls(text, content(text), tuple(years))

    def says(self, pattern: str) -> bool:
        return re.search(pattern, self.text) is not None


def content(text: str) -> frozenset[str]:
    """The words that say what is meant, in singular: no fillers, no dates, no words of calculation."""
    words = (word for word in _WORD.findall(_DATE.sub(" ", text.lower())) if word not in _STOP and not _is_date(word))
    return frozenset(word[:3] if word[:3] in _MONTHS else _singular(word) for word in words if len(word) > 1)


def _is_date(word: str) -> bool:
    return word.isdigit() and (len(word) <= 2 or _YEAR.fullmatch(word) is not None)


def _singular(word: str) -> str:
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    return word[:-1] if word.endswith("s") and not word.endswith("ss") and len(word) > 3 else word


# -- the page ----------------------------------------------------------------------------------------------------------


class ReadPage:
    """The series of a page, with the weight of each word (rare words say more)."""

    def __init__(self, row: Mapping[str, Any]) -> None:
        table = [[page.clean_cell(cell) for cell in cells] for cells in row.get("table") or []]
        self.cells = list(islice(_cells(table), MOST_CELLS))
        self.rows = _series_of(self.cells)
        sentences = [*(row.get("pre_text") or []), *(row.get("post_text") or [])]
        parts = (part for text in sentences for part in re.split(r" [.;] ", text))
        self.texts = [series for part in parts if (series := _sentence(part))]
        spread = Counter(word for series in (*self.rows, *self.texts) for word in series.words)
        count = len(self.rows) + len(self.texts)
        self.weight = {word: math.log(1 + count / seen) for word, seen in spread.items()}

    def weigh(self, words: Iterable[str]) -> float:
        """The summed weight of words; exact, because the order of a set differs from process to process."""
        return math.fsum(self.weight.get(word, 0.0) for word in words)

    def fit(self, words: Iterable[str], series: Series) -> float:
        """How well words name a series: shared weight, less a part of what the series' name holds besides."""
        wanted = frozenset(words)
        shared = self.weigh(series.words & wanted)
        spare = self.weigh(series.words - wanted)
        return shared - TABLE_SPARE * spare if series.in_table else TEXT_SHARED * shared - TEXT_SPARE * spare

    def best(self, words: Iterable[str], usable: Callable[[Series], bool], *, texts: bool = True) -> Series | None:
        """The usable series that fits best, if it shares a word at all; the table wins ties."""
        wanted = frozenset(words)
        pool = [s for s in (*self.rows, *(self.texts if texts else ())) if usable(s) and s.words & wanted]
        return max(pool, key=lambda s: self.fit(wanted, s), default=None)


class TableCell(NamedTuple):
    figure: PageFigure
    row_words: frozenset[str]
    column_words: frozenset[str]
    by_row: bool  # the year stands in the row's name, so the series runs down a column


def _cells(table: Sequence[Sequence[str]]) -> Iterator[TableCell]:
    """Every numeric cell with its names; a row without numbers names the rows below it."""
    if not table:
        return
    header_is_data = any(_figure_cell(cell) for cell in table[0][1:])
    header: Sequence[str] = [""] * len(table[0]) if header_is_data else table[0]
    section = ""
    for number, cells in enumerate(table if header_is_data else table[1:]):
        if not any(_NUMBER.search(cell) for cell in cells[1:]):
            section = cells[0]
            continue
        row_years = tuple(_YEAR.findall(cells[0]))
        for column, cell in enumerate(cells[1:], 1):
            number_text = _NUMBER.search(cell)
            if not number_text or cell in _DASHES or (value := _value(cell)) is None:
                continue
            name = header[column] if column < len(header) else ""
            column_years = tuple(_YEAR.findall(name))
            years = (row_years or column_years) + (column_years if row_years else ())
            figure = PageFigure(value, "%" in cell, years or tuple(_YEAR.findall(section)), number, column)
            yield TableCell(figure, content(cells[0]) | content(section), content(name), bool(row_years))


def _figure_cell(cell: str) -> bool:
    return bool(_LONE_NUMBER.match(cell)) and not _YEAR.fullmatch(cell.strip())


def _value(cell: str) -> float | None:
    found = _NUMBER.search(cell)
    if not found:
        return None
    value = float(found[0].replace(",", ""))
    negative = re.match(r"^\W*\(\s*[\d.]", cell) and ")" in cell
    return -abs(value) if negative else value


def _series_of(cells: Iterable[TableCell]) -> list[Series]:
    """Cells of one row whose columns differ only in their dates are a series, or of one column, down the dates."""
    groups: dict[tuple[object, ...], list[TableCell]] = {}
    for cell in cells:
        words = cell.row_words | cell.column_words
        place = ("column", cell.figure.column) if cell.by_row else ("row", cell.figure.row)
        groups.setdefault((*place, words), []).append(cell)
    return [Series(key[-1], tuple(c.figure for c in listed), True) for key, listed in groups.items()]  # type: ignore[arg-type]


def _sentence(text: str) -> Series | None:
    """The figures of a sentence; "3.1 and 2.4 in 2014 and 2013, respectively" gives each its year by position."""
    figures, years = [], []
    text = page.clean_cell(text.lower())
    for found in re.finditer(r"\$? ?(-?\d[\d,]*(?:\.\d+)?|\.\d+) ?(%|percent|million|billion|thousand)?", text):
        if _YEAR.fullmatch(found[1]):
            years.append((found[1], found.start()))
            continue
        money = found[0].startswith("$")
        if money or found[2] or "," in found[1] or "." in found[1]:
            value = float(found[1].replace(",", ""))
            figures.append((value, found[2] in ("%", "percent"), found.start(), found.end()))
    if not figures:
        return None
    last = figures[-len(years) :] if years else []
    made = []
    for number, (value, percent, start, end) in enumerate(figures):
        after = [year for year, place in years if place >= end]
        before = [year for year, place in years if place < start]
        near: tuple[str, ...] = tuple(after[:1] or before[-1:])
        if len(last) == len(years) > 1 and (value, percent, start, end) in last:
            near = (years[last.index((value, percent, start, end))][0],)
        made.append(PageFigure(value, percent, near, -1, number))
    moved = _MOVE.search(text)
    move = (float(moved[1].replace(",", "")), float(moved[2].replace(",", ""))) if moved else None
    return Series(content(text), tuple(made), False, move)
