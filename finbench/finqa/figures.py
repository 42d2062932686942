"""Numbers as a page of a report shows them: where they stand, which may be changed, and how to write another one.

A figure is known by its absolute value: `-36 ( 36 )` is one number written twice, `42.0` and `42` are the same amount.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache

_NUMBER = re.compile(r"\d{1,3}(?:,\d{3})+(?!\d)(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+")
_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|sept|oct|nov|dec)[a-z]*\s*\.?"
# What a number counts or names after these words is no amount: `june 30`, `note 12`, `sfas no . 123`, `level 3`.
_BEFORE_A_NAME = (
    r"note notes item items page pages section topic asc asu sfas fas fin no\s*\. number form exhibit "
    "chapter level tier part phase table schedule rule article class series release step unit units"
)
_NAMED = re.compile(rf"(?:\b{_MONTH}|\b(?:{_BEFORE_A_NAME.replace(' ', '|')}))\s*$")
_LATER_DAY = re.compile(rf"\b{_MONTH}\s*\d{{1,2}}\s*(?:,|and|or|-|to)\s*$")  # the 31 of `june 30 and 31`
_BEFORE_MONTH = re.compile(rf"\s*(?:st|nd|rd|th)?\s*(?:of\s+)?{_MONTH}(?:\s|$)")
_FOOTNOTE = re.compile(r"\(\s*$")
_REPEATED = re.compile(r"(?:-\s*([\d,.]+)|([\d,.]+)\s*%)\s*\(\s*$")
_PERCENT = re.compile(r"[ )]*(?:%|percent\b)")
_MONEY = re.compile(r"\$\s*-?\s*\Z")
_SCALES = {"thousand": 3, "million": 6, "billion": 9, "trillion": 12}
_SCALE = re.compile(r"\s*(thousand|million|billion|trillion)s?\b")
DASHES = ("2013", "2014", "2022")  # what is left of the code points of a dash, a long dash and a bullet
_ONLY_FIGURE = re.compile(r"[\s$%(),\-*]*")


@dataclass(frozen=True, slots=True)
class Figure:
    """A number in a text, at `start:end`."""

    start: int
    end: int
    text: str
    value: Decimal  # without its sign
    fixed: bool  # a year, a date, a note's number, 0, 1 or a power of ten: never to be changed
    percent: bool
    scale: int  # the power of ten that the next word adds: 6 for million

    @property
    def decimals(self) -> int:
        return len(self.text.partition(".")[2])

    @property
    def digits(self) -> int:
        """Significant digits as written, zeros at the end of a whole number left out."""
        shown = self.text.replace(",", "")
        return len(shown.replace(".", "").lstrip("0")) if "." in shown else len(shown.strip("0"))


@lru_cache(maxsize=8192)  # most sentences of a page are read again for every question about it
def figures(text: str) -> tuple[Figure, ...]:
    """The numbers of a text in order.

    >>> [(f.text, f.fixed) for f in figures("in june 2012 sales ( 2 ) rose 5.2% ( 5.2 % ) to $ 1,310 million")]
    [('2012', True), ('2', True), ('5.2', False), ('5.2', False), ('1,310', False)]
    """
    return tuple(_figure(text, found) for found in _NUMBER.finditer(text))


def _figure(text: str, found: re.Match[str]) -> Figure:
    start, end = found.span()
    value = Decimal(found[0].replace(",", ""))
    after = text[end : end + 24]
    scale = _SCALE.match(after)
    percent = bool(_PERCENT.match(after))
    return Figure(
        start,
        end,
        found[0],
        value,
        is_constant(value)
        or (is_year(found[0]) and not _MONEY.search(text[:start]))
        or _is_name(text, start, end, found[0]),
        percent,
        _SCALES[scale[1]] if scale else 0,
    )


def is_constant(value: Decimal) -> bool:
    """Zero, one and the powers of ten: an index starts at 100, a percentage is out of 100, thousands make a million.

    >>> [is_constant(Decimal(n)) for n in ("100.0", "0", "0.01", "250")]
    [True, True, False, False]
    """
    return not value or (value >= 1 and value.normalize().as_tuple().digits == (1,))


def is_year(literal: str) -> bool:
    """Could the number be a year? `2014` may also be a dash: its code point is all that is left of one."""
    return len(literal) == 4 and literal.isdigit() and 1900 <= int(literal) <= 2099


def _is_name(text: str, start: int, end: int, literal: str) -> bool:
    """Is the number part of a date, a reference, a word, or a footnote's mark?"""
    before, after = text[max(0, start - 40) : start], text[end : end + 16]
    if re.search(r"[a-z]-?$|\d[/:]$", before, re.IGNORECASE) or re.match(
        r"-?[a-wyz]|x[a-z]|[/:]\d", after, re.IGNORECASE
    ):
        return True
    if "." in literal or "," in literal or len(literal) > 4:
        return False
    if _NAMED.search(before) or (len(literal) <= 2 and (_LATER_DAY.search(before) or _BEFORE_MONTH.match(after))):
        return True
    if len(literal) <= 2 and _FOOTNOTE.search(before) and re.match(r"\s*\)(?!\s*%)", after):
        repeated = _REPEATED.search(before)
        return not (repeated and literal in repeated.groups())
    return False


def rewrite(text: str, change: Callable[[Figure], str | None]) -> str:
    """The text with every figure for which `change` gives a text written anew.

    >>> rewrite("-36 ( 36 ) in 2011", lambda f: None if f.fixed else written(Decimal(41), f.text))
    '-41 ( 41 ) in 2011'
    """
    parts, place = [], 0
    for figure in figures(text):
        new = change(figure)
        if new is not None:
            parts += [text[place : figure.start], new]
            place = figure.end
    return "".join(parts) + text[place:]


def rounded(value: Decimal, decimals: int) -> Decimal:
    """Half up, as reports round.

    >>> rounded(Decimal("0.125"), 2), rounded(Decimal("-2.5"), 0)
    (Decimal('0.13'), Decimal('-3'))
    """
    return value.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)


def written(value: Decimal, like: str) -> str:
    """The number in another number's format: its decimals, separators and bare point.

    >>> written(Decimal("5829.4"), "1,310"), written(Decimal("0.25"), ".2"), written(Decimal("7"), "42.0")
    ('5,829', '.3', '7.0')
    """
    decimals = len(like.partition(".")[2])
    shown = format(rounded(value, decimals), ",f" if "," in like else "f")
    return shown[1:] if like.startswith(".") and shown.startswith("0.") else shown


def cell(text: str) -> tuple[Decimal, Figure] | None:
    """The signed number of a cell that holds nothing else, and its first figure; None for words, dates and blanks.

    A number that could be a year is read as an amount, `2013`, `2014` and `2022` as the dash or bullet they often were.

    >>> [found and str(found[0]) for found in map(cell, ("$ -36 ( 36 )", "( 5 ) % (  % )", "12.5% ( 12.5 % )", "2014"))]
    ['-36', '-5', '12.5', None]
    """
    found = figures(text)
    if not found or any(figure.value != found[0].value for figure in found):
        return None
    first = found[0]
    bare = rewrite(text, lambda figure: "")
    if not _ONLY_FIGURE.fullmatch(bare) or (first.text in DASHES and first.fixed):
        return None
    head = text[: first.start]
    return (-first.value if head.rstrip().endswith(("-", "(")) else first.value), first
