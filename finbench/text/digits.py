"""One number written in digits, with what stands around it: sign, unit, scale, currency, shown precision.

Values are Fractions, never floats. Digits and exponents are bounded before any arithmetic.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

from finbench.text.normalize import THIN
from finbench.text.units import GAP, MONEY_BEFORE, MONEY_TAIL, MONEY_WORDS, Unit, compound, suffix
from finbench.text.wording import (
    BOUND_AFTER,
    DATE_AFTER,
    ORDINAL,
    bound_before,
    is_date,
    negative_from,
    reference_before,
)

MAX_DIGITS = 60
MAX_EXPONENT = 60


@dataclass(frozen=True, slots=True)
class Quantity:
    """One number as written.

    `number` carries the sign and stands before `scale` (the factor of an explicit scale word, 1 without one) and before
    the unit: "-14.2%" is number -14.2 with unit "percent". `place` is the value of the last shown digit (1/10 for 14.2,
    0 for an exact form such as 3/8), `digits` the significant digits shown. `direction` is -1 or +1 when a word such as
    "decreased by" gives it. `bound` marks "more than 20", `year` a bare number that may be a year, `reference` a page,
    note or list number. `noun` is a unit of time or count written after it ("month", "share").
    """

    number: Fraction
    place: Fraction
    digits: int
    shown: str
    start: int
    end: int
    unit: Unit = ""
    scale: int = 1
    currency: str = ""
    noun: str = ""
    direction: int = 0
    bound: bool = False
    year: bool = False
    reference: bool = False
    absurd: bool = False

    @property
    def value(self) -> Fraction:
        """The number times its explicit scale; percents stay as written."""
        return self.number * self.scale


# Shapes of digit groups, most particular first. A comma followed by exactly three digits groups thousands; followed by
# any other count of digits it can only be a decimal comma (the locale evidence is in the number itself).
VULGAR = "½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞⅐⅑⅒"
NUMBER = re.compile(
    rf"(?=[\d.{VULGAR}])(?:"  # nine characters in ten are refused here, before eleven alternatives are tried
    rf"(?:\d{{1,9}}[ {THIN}]?)?[{VULGAR}]"  # 2 ½
    r"|\d{1,3}(?:_\d{3})+(?![\d_])"  # 42_000
    r"|\d{1,3}(?:,\d{3})+(?!\d)(?:\.\d+(?!\d))?(?!,?\d|\.\d)"  # 1,234,567.8
    r"|\d{1,2}(?:,\d{2})+,\d{3}(?!\d)(?:\.\d+)?"  # 12,34,567
    rf"|\d{{1,3}}(?P<gap>[{THIN}' ])\d{{3}}(?:(?P=gap)\d{{3}})*(?!\d|(?P=gap)\d)(?:[.,]\d+(?!\d))?(?![.,]?\d)"  # 1'234.5
    r"|\d{1,3}(?:\.\d{3})+,\d+(?!\d)"  # 1.234,5
    r"|\d{1,3}(?:\.\d{3}){2,}(?![\d.,])"  # 1.234.567
    r"|\d{1,3}(?:,\d{3})+(?!\d)(?:\.\d+)?"
    r"|\d+,(?:\d{1,2}|\d{4,})(?![\d,.])"  # 14,2
    r"|0,\d+(?![\d,.])"
    r"|\d+(?:\.\d+)?"
    r"|\.\d+)"
)
_POWER = re.compile(
    r"[eE]([+-]?\d{1,9})(?!\d|\.\d)|\s{0,2}(?:×|x|\*)\s{0,2}10\s{0,2}(?:\^\s{0,2}[({]?\s{0,2}([+-]?\d{1,9})[)}]?|"
    r"([⁻⁺]?[⁰¹²³⁴⁵⁶⁷⁸⁹]{1,4}))"
)
_CLOSED = re.compile(r"\s?\)")
_TO_ONE = re.compile(
    r"(?::|\s:\s)(\d{1,9}(?:\.\d{1,9})?)(?![\d:/])|\s+to\s+(1(?:\.0+)?)(?![\d%]|[.,]\d|\s*(?:million|billion|percent))"
)
_RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+")
_OVER = re.compile(rf"{GAP}/{GAP}(\d{{1,30}}(?:,\d{{3}})*(?:\.\d{{1,30}})?)(?![\d/])")
_MIXED = re.compile(r" (\d{1,6})/(\d{1,6})(?![\d/])")
# 3.1² is not 3.1 but 9.61; a number with a lowered or circled digit, or under any other exponent, is none.
_RAISED_TO = re.compile(r"[⁰¹²³⁴⁵⁶⁷⁸⁹](?![⁰¹²³⁴⁵⁶⁷⁸⁹])")
_NOT_PLAIN = re.compile(r"[⁰¹²³⁴⁵⁶⁷⁸⁹₀-₉①-⑳^]")
_INSIDE = re.compile(r"(?:\^\(?-?|\b(?:sqrt|factorial|chr|pow|exp|ln|log)\s?\(-?)$")
_PER_BEFORE = re.compile(r"(百分之|千分之|万分之)\s{0,2}$")
PER = {"百分之": Fraction(1), "千分之": Fraction(1, 10), "万分之": Fraction(1, 100)}
_CODES = "|".join(re.escape(code) for code in MONEY_WORDS if code.isascii() and code[0].isalpha() and len(code) < 4)
_CODE = re.compile(rf"(?:[a-z]{{0,2}}\$|(?<![a-z])(?:{_CODES}))$", re.I)


class _Value(NamedTuple):
    """What the digits say by themselves, before sign, unit and currency."""

    number: Fraction
    place: Fraction
    digits: int
    end: int
    year: bool = False
    absurd: bool = False
    ratio: bool = False  # 3:1, 3 to 1


def read(text: str, match: re.Match[str]) -> Quantity | None:
    """The quantity at a match of `NUMBER`; None where the digits are part of a word, an exponent, a subscript."""
    start = match.start()
    before = text[max(0, start - 90) : start]
    if _is_part(before):
        return None
    parts = _digits(match.group())
    if sum(map(len, parts)) > MAX_DIGITS:
        return Quantity(Fraction(0), Fraction(0), 0, match.group()[:40], start, match.end(), absurd=True)
    value = _value(text, match, parts, before)
    if value is None:
        return None
    number, place, digits, end, year, absurd, ratio = value
    if ratio:
        return Quantity(number, place, digits, text[start:end], start, end, unit="times")
    if (
        before[-1:] == "("
        and (closed := _CLOSED.match(text, end))
        and suffix(text, closed.end(), number)[4] > closed.end()
    ):
        end = closed.end()  # (31.4)%, $(56.3) million
    unit, scale, currency, noun, after = suffix(text, end, number)
    if after < 0:  # compound Chinese amounts: 3亿3217万
        number, place, scale, end = compound(text, end, number)
        unit, _, currency, noun, after = suffix(text, end, number)
    following = text[after : after + 1]
    if (
        after == end
        and following.isascii()
        and (following.isalpha() or following == "_")
        and not ORDINAL.match(text, end)
    ):
        return None  # 10K of a form, 3M the company, 8xyz
    head = before
    if (money := MONEY_BEFORE.search(head, max(0, len(head) - 12))) is not None:
        currency = currency or MONEY_WORDS[money.group(1).lower()]
        head = head[: money.start()]
    negative, first = negative_from(text, head, start - (len(before) - len(head)), after, bool(money))
    if not money and negative and (money := MONEY_BEFORE.search(text[max(0, first - 12) : first])) is not None:
        currency = currency or MONEY_WORDS[money.group(1).lower()]  # $-5
    if prefix := _PER_BEFORE.search(before):
        unit, number, place = "percent", number * PER[prefix.group(1)], place * PER[prefix.group(1)]
        first = start - (len(before) - prefix.start())
        start = first
    stem = text[max(0, first - 90) : first].rstrip(" \"'([") if first < start else head
    reference = not unit and not currency and (reference_before(head[-24:]) or is_date(text, head, match, after, noun))
    if year and (unit or currency or scale != 1):
        year = False
    return Quantity(
        number=-number if negative else number,
        place=place,
        digits=digits,
        shown=_shown(text, first, start, end, after, negative, bool(unit) or scale != 1, currency),
        start=first,
        end=after,
        unit=unit,
        scale=scale,
        currency=currency,
        noun=noun,
        bound=bound_before(stem[-40:]) or bool(BOUND_AFTER.match(text, after)),
        year=year,
        reference=reference,
        absurd=absurd,
    )


def _is_part(before: str) -> bool:
    """Do digits after this text belong to a word (Q4, CO2), a subscript, an exponent, the argument of a function?"""
    last = before[-1:]
    if (
        last
        and ((last.isalpha() and last.isascii()) or last == "_")
        and not _CODE.search(before, max(0, len(before) - 8))
    ):
        return True
    return before.endswith("_{") or bool(_INSIDE.search(before, max(0, len(before) - 16)))


def _digits(chunk: str) -> tuple[str, str]:
    """Whole and decimal digits of a chunk matched by `NUMBER`."""
    chunk = chunk.replace(THIN, "").replace("'", "").replace(" ", "").replace("_", "")
    commas, dots = chunk.count(","), chunk.count(".")
    if (
        commas == 1
        and dots == 0
        and (len(chunk) - chunk.index(",") != 4 or chunk.startswith("0,") or chunk.index(",") > 3)
    ):
        chunk = chunk.replace(",", ".")
    elif commas == 1 and dots and chunk.index(",") > chunk.rindex("."):
        chunk = chunk.replace(".", "").replace(",", ".")
    elif dots > 1:
        chunk = chunk.replace(".", "")
    else:
        chunk = chunk.replace(",", "")
    left, _, right = chunk.rstrip(VULGAR).partition(".")
    return left, right


def _value(text: str, match: re.Match[str], parts: tuple[str, str], before: str) -> _Value | None:
    """The value of the digits with the power, fraction or ratio that they are part of; None under any other exponent."""
    left, right = parts
    end = match.end()
    if (part := match.group()[-1]) in VULGAR:
        number = int(left or "0") + Fraction(unicodedata.numeric(part)).limit_denominator(16)
        return _Value(number, Fraction(0), 9, end)
    number, place = Fraction(int((left + right) or "0"), 10 ** len(right)), Fraction(1, 10 ** len(right))
    digits = len((left + right).lstrip("0"))
    plain = not right and "," not in match.group() and match.group("gap") is None
    year = plain and len(left) == 4 and 1900 <= int(left) <= 2100
    if raised := _RAISED_TO.match(text, end):
        number **= int(raised[0].translate(_RAISED))
        return _Value(number, place if number else Fraction(0), digits, raised.end(), year)
    if power := _POWER.match(text, end):
        exponent = int((power.group(1) or power.group(2) or power.group(3)).translate(_RAISED))
        absurd = abs(exponent) > MAX_EXPONENT
        factor = Fraction(10) ** (0 if absurd else exponent)
        return _Value(number * factor, place * factor, digits, power.end(), absurd=absurd)
    if _NOT_PLAIN.match(text, end):
        return None
    bare = _Value(number, place, digits, end, year)
    if not (plain or right):
        return bare
    mixed = _MIXED.match(text, end) if plain else None
    if mixed and int(mixed.group(2)) > int(mixed.group(1)):
        return _Value(number + Fraction(int(mixed.group(1)), int(mixed.group(2))), Fraction(0), 9, mixed.end())
    to = _TO_ONE.match(text, end)
    if to and (below := Fraction(to.group(1) or to.group(2))) and not re.search(r"\d:$", before):
        if below == 1:
            return _Value(number, place, digits, to.end(), ratio=True)
        return _Value(number / below, Fraction(0), 9, to.end(), ratio=True)
    over = None if mixed else _OVER.match(text, end)
    if over and not DATE_AFTER.match(text, end):
        below = Fraction(over.group(1).replace(",", ""))
        return _Value(number / below, Fraction(0), 9, over.end()) if below else bare._replace(absurd=True)
    return bare


def _shown(text: str, first: int, start: int, end: int, after: int, negative: bool, suffix: bool, currency: str) -> str:
    """The number with its sign and its percent sign or scale word; currency marks and nouns left out."""
    if negative and text[first] == "(" and text[start - 1 : start] != "-":
        inside, close, tail = text[start : after + 2].partition(")")
        return (
            "("
            + inside.strip()
            + close
            + (MONEY_TAIL.sub("", tail[: max(0, after - start - len(inside) - 1)]) if suffix else "")
        ).strip()
    body = (
        (text[start:after] if suffix else text[start:end]).replace("^(", "^").rstrip(")")
        if "^(" in text[start:end]
        else text[start:after]
        if suffix
        else text[start:end]
    )
    if suffix and currency:
        body = MONEY_TAIL.sub("", body)
    return ("-" if negative else "") + body.strip()
