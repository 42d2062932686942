"""Rules that answer a numeric question over one page of a report: which cells are meant, and what to do with them.

A reference line, not a solver. The question's words choose a kind of calculation and a series of figures (a row, a
column, or the figures of a sentence), the question's years choose the figures, and the calculation is carried out.
The rules were written by reading FinQA's development questions, those for dialogues by reading ConvFinQA's. No gold is
looked at, and no weight is fitted: the score moves by half a point when they are doubled.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from finbench.engines.baselines.page_figures import (
    OPERATION_WORDS,
    TABLE_SPARE,
    FigureWords,
    PageFigure,
    ReadPage,
    Series,
    TableCell,
    content,
)


class FoundFigure(NamedTuple):
    """An answer as it should be written, and the calculation in words."""

    answer: str
    calculation: str


def attempt(question: str, row: Mapping[str, Any]) -> FoundFigure | None:
    """The answer to a question over the page in `row` (`table`, `pre_text`, `post_text`); None when no rule fits."""
    page = ReadPage(row)
    asked = FigureWords.read(question)
    for rule in _plan(asked):
        if found := rule(asked, page):
            return found
    return None


# -- the rules ---------------------------------------------------------------------------------------------------------

Rule = Callable[[FigureWords, ReadPage], "FoundFigure | None"]
_CHANGE = (
    r"chang|increas|decreas|grow|grew|declin|drop|rose|higher|lower|reduc|fluctuat|return on|rate of return|fall|fell"
)
_PERCENT = r"percent|%|growth rate|rate of (growth|change|return|increase)|growth in percentage|how much did .* grow"


def _plan(asked: FigureWords) -> Iterator[Rule]:
    """The rules to try, most specific first."""
    if asked.says(r"^(did|does|do|is|was|were|are|has|have|had|will|would)\b"):
        yield _comparison
    if asked.says(r"cumulative|total (shareholder|stockholder)? ?return|return on (the )?investment|rate of return"):
        yield _index_return
    if asked.says(r"ratio of|ratio between|to .* ratio|^what (is|was) the .* ratio"):
        yield _ratio
    if asked.says(r"average|mean\b") and not asked.says(_CHANGE):
        yield _average
    if asked.says(_PERCENT) and asked.says(_CHANGE) and not asked.says(r"percent(age)? of|as a percent"):
        yield _percent_change
    if asked.says(r"percent|portion|proportion|share of|how much of|fraction|% of|what part"):
        yield _portion
    if asked.says(_PERCENT) and (asked.says(_CHANGE) or len(asked.years) == 2):
        yield _percent_change
    if asked.says(r"change|difference|increase|decrease|decline|grow|more|less|higher|lower|variation"):
        yield _difference
    if asked.says(r"total|sum|combined|altogether|aggregate|cumulative|how many|and"):
        yield _sum
    yield look_up


def _comparison(asked: FigureWords, page: ReadPage) -> FoundFigure | None:
    """Two figures, and whether the first is larger: years of one series, or two rows of one year."""
    pair = _two_years(asked, page) or _two_names(asked, page, r"\b(?:than|compared to|exceed\w*|over|versus)\b")
    if not pair:
        return None
    old, new = pair
    down = asked.says(r"decreas|declin|less|lower|fell|fall|drop|smaller|reduc")
    larger = new > old if not asked.says(r"\bthan\b|exceed") or len(asked.years) > 1 else old > new
    return FoundFigure("yes" if larger != down and old != new else "no", f"compare {show(old)} with {show(new)}")


def _index_return(asked: FigureWords, page: ReadPage) -> FoundFigure | None:
    """An index table starts at 100: the return is the last value less 100, in percent; or the difference of two."""
    names = [asked.words]
    if asked.says("difference|compared to|versus|outperform"):
        halves = re.split(r"\b(?:and|compared to|versus|than)\b", asked.text, maxsplit=1)
        names = [content(half) for half in halves] if len(halves) == 2 else names
    returns = [made for words in names if (made := _one_return(words, asked.years, page)) is not None]
    if len(returns) < len(names):
        return None
    if len(returns) == 2:
        return _percent(returns[0] - returns[1], f"{show(returns[0], 5)} - {show(returns[1], 5)}")
    return _percent(returns[0], "(last - first) / first")


def _one_return(words: frozenset[str], years: Sequence[str], page: ReadPage) -> float | None:
    series = page.best(words, lambda s: len(s.figures) > 1 and any(f.value == 100 for f in s.figures))
    if series is None:
        return None
    named = [figure.value for year in years if (figure := series.at(year))]
    old = named[0] if len(named) > 1 else 100.0
    new = named[-1] if named and named[-1] != 100 else series.figures[-1].value
    return (new - old) / old if old else None


def _ratio(asked: FigureWords, page: ReadPage) -> FoundFigure | None:
    """ "ratio of A to B", "A to B ratio", or one name in two years."""
    found = re.search(r"ratio (?:of|between) (.+?) (?:to|and) (.+)", asked.text)
    found = found or re.search(r"the (.+?) to (.+?) ratio", asked.text)
    if not found:
        return None
    pair = _pair(asked, page, found[1], found[2]) if content(found[2]) - OPERATION_WORDS else None
    if not pair and len(asked.years) == 2:
        series = page.best(asked.words, lambda s: all(s.at(year) for year in asked.years))
        pair = (series.at(asked.years[0]).value, series.at(asked.years[1]).value) if series else None  # type: ignore[union-attr]
    if not pair or not pair[1]:
        return None
    return FoundFigure(show(pair[0] / pair[1], 5), f"{show(pair[0])} / {show(pair[1])}")


def _average(asked: FigureWords, page: ReadPage) -> FoundFigure | None:
    """The mean of one series, over the years named or all of them."""
    values = _over_years(asked, page)
    if not values:
        return None
    return FoundFigure(show(sum(values) / len(values), 5), f"mean of {', '.join(map(show, values))}")


def _percent_change(asked: FigureWords, page: ReadPage) -> FoundFigure | None:
    pair = _two_years(asked, page)
    if not pair or not pair[0]:
        return None
    old, new = pair
    return _percent((new - old) / abs(old), f"({show(new)} - {show(old)}) / {show(old)}")


def _difference(asked: FigureWords, page: ReadPage) -> FoundFigure | None:
    pair = None
    if len(asked.years) < 2 and asked.says(r"difference|than|compared"):
        pair = _two_names(asked, page, r"\b(?:and|than|compared (?:to|with)|versus|vs)\b")
        pair = (pair[1], pair[0]) if pair else None
    pair = pair or _two_years(asked, page)
    if not pair:
        return None
    old, new = pair
    return FoundFigure(show(new - old), f"{show(new)} - {show(old)}")


def _sum(asked: FigureWords, page: ReadPage) -> FoundFigure | None:
    """One series over the years named, or the two figures around an "and"."""
    values = _over_years(asked, page) if len(asked.years) > 1 else None
    if not values and asked.says("sum|combined|total"):
        values = _two_names(asked, page, r"\band\b")
    if not values:
        return None
    return FoundFigure(show(sum(values)), " + ".join(map(show, values)))


def look_up(asked: FigureWords, page: ReadPage) -> FoundFigure | None:
    """One figure of the series that fits best, preferably of the year asked for; the smallest or largest if asked."""
    series = page.best(asked.words, lambda s: any(s.at(year) for year in asked.years)) or page.best(
        asked.words, lambda s: True
    )
    if series is None:
        return None
    figure = _of_year(series, asked.years)
    if asked.says(r"\b(lowest|minimum|smallest|least)\b"):
        figure = min(series.figures, key=lambda f: f.value)
    if asked.says(r"\b(highest|maximum|largest|greatest|most)\b"):
        figure = max(series.figures, key=lambda f: f.value)
    return FoundFigure(show(figure.value) + ("%" if figure.percent else ""), "read from the page")


_SHARE = r"(?:percent(?:age)?|portion|proportion|share)"
_OF = r"(?:percent(?:age)?|portion|proportion|share|fraction|much|%|part) of "
_VERB = r"(?:is|was|were|are|did|does|relates?|related|comes?|came|consists?|represents?|made|that|due|attribut\w+|as) "
_PORTIONS = (
    r"(?P<part>.+?) as (?:a )?(?:percent(?:age)?|%|portion|share|proportion|fraction) of (?P<whole>.+)",
    rf"{_OF}(?P<whole>.+?) {_VERB}(?P<part>.+)",
    rf"{_SHARE} (?:of|did|does|do) (?P<part>.+?) (?:represent|make up|comprise|account for|of|to|in) (?P<whole>.+)",
    r"(?P<part>.+?) (?:represented|represents|made up|accounted for) (?:what|how) .*? of (?P<whole>.+)",
)


def _portion(asked: FigureWords, page: ReadPage) -> FoundFigure | None:
    """A part and a whole, in percent; where the question's form is not known, against a total."""
    for pattern in _PORTIONS:
        found = re.search(pattern, asked.text)
        if not found:
            continue
        part, whole = content(found["part"]) - OPERATION_WORDS, content(found["whole"]) - (OPERATION_WORDS - {"total"})
        pair = _cells_of(asked, page, part, whole) or _pair(asked, page, found["part"], found["whole"])
        if pair and pair[0] and pair[1]:
            break
    else:
        pair = _cells_of(asked, page, asked.words - {"total"}, frozenset())
    if not pair or not pair[1]:
        return None
    return _percent(pair[0] / pair[1], f"{show(pair[0])} / {show(pair[1])}")


def _cells_of(
    asked: FigureWords, page: ReadPage, part: frozenset[str], whole: frozenset[str]
) -> tuple[float, float] | None:
    """The two cells of one row or column that fit the two names best, the smaller figure as the part."""

    def fit(cell: TableCell, words: frozenset[str]) -> float:
        name = cell.row_words | cell.column_words
        dated = cell.figure.years and asked.years
        years = (1.5 if set(cell.figure.years) & set(asked.years) else -1.0) if dated else 0.0
        return page.weigh(name & words) - TABLE_SPARE * page.weigh(name - words - asked.words) + years

    parts = [(score, cell) for cell in page.cells if (score := fit(cell, part)) > 0.5]
    wholes = [(fit(cell, whole | {"total"}), cell) for cell in page.cells]
    best, chosen = 0.0, None
    for score, one in parts:
        for other_score, other in wholes:
            beside = (one.figure.row == other.figure.row) != (one.figure.column == other.figure.column)
            if not beside or abs(other.figure.value) < abs(one.figure.value):
                continue
            if score + other_score > best:
                best, chosen = score + other_score, (one.figure.value, other.figure.value)
    return chosen


# -- choosing figures --------------------------------------------------------------------------------------------------


def _of_year(series: Series, years: Sequence[str]) -> PageFigure:
    return next((figure for year in years if (figure := series.at(year))), series.figures[0])


def _two_years(asked: FigureWords, page: ReadPage) -> tuple[float, float] | None:
    """(older, newer) of one series: the years named, the year before the only one named, or the two first columns."""
    years = asked.years
    if len(years) == 1:
        years = (str(int(years[0]) - 1), years[0])
    if years:
        first, last = min(years), max(years)
        series = page.best(asked.words, lambda s: bool(s.at(first) and s.at(last) and s.at(first) != s.at(last)))
        if series:
            return series.at(first).value, series.at(last).value  # type: ignore[union-attr]  # both were looked up above
    told = page.best(asked.words, lambda s: s.move is not None)
    series = page.best(asked.words, lambda s: len(s.figures) > 1, texts=False)
    if told and told.move and (series is None or page.fit(asked.words, told) > page.fit(asked.words, series)):
        return told.move
    if series is None:
        return None
    one, other = series.figures[:2]
    dated = one.years and other.years and one.years[0] < other.years[0]
    return (one.value, other.value) if dated else (other.value, one.value)


def _over_years(asked: FigureWords, page: ReadPage) -> Sequence[float] | None:
    """The figures of one series in the years named (all of them where none is named)."""
    years = asked.years
    if len(years) > 1:
        series = page.best(asked.words, lambda s: all(s.at(year) for year in years))
        return [series.at(year).value for year in years] if series else None  # type: ignore[union-attr]  # as above
    series = page.best(asked.words, lambda s: len(s.figures) > 1 and s.in_table)
    return [figure.value for figure in series.figures] if series else None


def _pair(asked: FigureWords, page: ReadPage, first: str, second: str) -> tuple[float, float] | None:
    """A figure for each of two names, in the year that the question gives, preferably of one column."""
    one_words, other_words = content(first) - OPERATION_WORDS, content(second) - (OPERATION_WORDS - {"total"})
    one = page.best(one_words, lambda s: True)
    if one is None or not other_words:
        return None
    figure = _of_year(one, asked.years)
    other = page.best(other_words, lambda s: s is not one)
    if other is None:
        return None
    beside = next((f for f in other.figures if one.in_table and f.column == figure.column), None)
    match = other.at(figure.years[0]) if figure.years else None
    return figure.value, (match or beside or _of_year(other, asked.years)).value


def _two_names(asked: FigureWords, page: ReadPage, between: str) -> tuple[float, float] | None:
    """The figures on both sides of a word such as "than" or "and"."""
    parts = re.split(between, asked.text, maxsplit=1)
    return _pair(asked, page, parts[0], parts[1]) if len(parts) == 2 else None


def _percent(share: float, calculation: str) -> FoundFigure:
    return FoundFigure(f"{show(share * 100, 2)}%", f"{calculation} = {show(share, 5)}")


def show(value: float, decimals: int = 4) -> str:
    """A number without trailing zeros.

    >>> show(5735.0), show(-0.25), show(-0.0)
    ('5735', '-0.25', '0')
    """
    text = f"{value:.{decimals}f}"
    shown = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if shown in ("", "-0") else shown
