"""The numbers that a reply or a page states, read in one pass: fast enough to run over every reply of a run.

quantities.py reads the one statement that answers a question and weighs every word around it; here all numbers of a text
are wanted, with just what is needed to find them again elsewhere.
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

MAX_DIGITS = 30

# Thousands may be grouped as in LaTeX: `5{,}829`, `5,\!829`.
_WHOLE = r"[0-9](?:[0-9]{0,2}(?:(?:,|\{,\}|,\\!|\\,)[0-9]{3})++(?![0-9])|[0-9]*+)"
NUMBER = rf"{_WHOLE}(?:\.[0-9]++)?"
_NUMBER = re.compile(rf"({_WHOLE})(?:\.([0-9]++))?")
_GROUPING = str.maketrans("", "", ",{}\\!")
_SUFFIX = re.compile(
    r"(?:[ \t}\u2009]|\\[,; ]|\\(?:text|mathrm|textbf)\s?\{|-){0,4}"
    r"(?:(?P<percent>\\?%|percent(?:age)?\b|per cent\b|pct\b|个?百分点)|(?P<bp>basis[ -]points?\b|bps?\b)|"
    r"(?P<scale>thousand|million|billion|trillion|bn|mn|mm|百万|十亿|(?<!-)[KMB](?![A-Za-z-])|[万亿])s?(?![A-Za-z]))",
    re.IGNORECASE,
)
_ORDINARY = frozenset(" \n$(-")  # what stands before most numbers, and makes no name of them
_MONEY, _BEHIND_MONEY = frozenset("$€£¥"), frozenset("- (")
_FORMS = frozenset(("-K", "-Q"))  # of the SEC
_SUFFIXED = frozenset(" \\%}-pPbBtTmMkK百十个万亿\u2009")  # what a suffix may begin with
_SCALES = {
    "thousand": 3, "k": 3, "million": 6, "mn": 6, "mm": 6, "m": 6, "billion": 9, "bn": 9, "b": 9, "trillion": 12,
    "万": 4, "百万": 6, "亿": 8, "十亿": 9,
}  # fmt: skip
_ORDINAL = re.compile(r"(?:st|nd|rd|th|s)\b")
# What a small number counts or names after these words is no amount.
_NAMED = re.compile(
    r"(?:\b(?:step|page|note|table|figure|section|row|column|line|option|item|part|phase|method|case|question|example|"
    r"no|level|tier|chapter|equation|approach|scenario|formula|jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|"
    r"aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)s?\.?|第|步骤|[#\[])\s*$",
    re.IGNORECASE,
)
_NAMING = re.compile(r"[A-Za-z.\u017f\u0131\u0130\u212a#\[第骤]")  # what `_NAMED` may end with


class Number(NamedTuple):
    """A number at `start:end` (its percent sign or scale word included): digits * 10**exponent, without sign."""

    start: int
    end: int
    digits: int
    exponent: int
    percent: bool
    points: bool  # in basis points
    scale: int  # the power of ten of an explicit scale word
    money: bool
    year: bool  # a bare number from 1900 to 2100
    label: bool  # a step's, a page's, a day's number: no amount
    key: tuple[int, int]  # significant digits, power of the first: equal for 5,829.0 and 5829, (0, 0) for nothing

    @property
    def number(self) -> Fraction:
        """As written, before scale and percent sign."""
        return Fraction(self.digits, 10**-self.exponent) if self.exponent else Fraction(self.digits)

    @property
    def value(self) -> Fraction:
        """With its percent sign, without its scale word: as FinQA's programs hold it."""
        return _value(self.digits, self.exponent, self.percent)


@lru_cache(maxsize=4096)
def _value(digits: int, exponent: int, percent: bool) -> Fraction:
    return Fraction(digits, 10 ** (2 * percent - exponent))


TENS = {power: Fraction(10) ** power for power in range(-60, 61)}


def numbers(text: str, limit: int = 5000) -> list[Number]:
    """The numbers of a (normalised) text in order. Letters with digits (Q4, 10K, `_{2014}`) are names, not numbers.

    >>> [(n.digits, n.exponent, n.percent, n.scale) for n in numbers("$5.2 million, 12\\\\% in Q4")]
    [(52, -1, False, 6), (12, 0, True, 0)]
    """
    found: list[Number] = []
    for match in _NUMBER.finditer(text):
        start, end = match.span()
        before = text[start - 1 : start]
        if before not in _ORDINARY and (
            before == "_" or (before.isascii() and before.isalpha()) or text[max(0, start - 2) : start] == "_{"
        ):
            continue
        whole, decimals = match.groups("")
        if before == "." and not decimals and whole.isdigit() and not text[start - 2 : start - 1].isdigit():
            start, whole, decimals = start - 1, "", whole  # .5
            before = text[start - 1 : start]
        if not whole.isdigit():
            whole = whole.translate(_GROUPING)
        if len(whole) + len(decimals) > MAX_DIGITS:
            continue
        following = text[end : end + 2]
        if following in _FORMS:
            continue
        percent = points = False
        scale = 0
        after = end
        suffix = None
        if following and following[0] not in ".,)\n" and (following[0] not in " -" or following[1:] in _SUFFIXED):
            suffix = _SUFFIX.match(text, end)
            if suffix:
                kind = suffix.lastgroup
                percent, points, after = kind == "percent", kind == "bp", suffix.end()
                scale = _SCALES[suffix["scale"].lower()] if kind == "scale" else 0
            elif following[0].isascii() and following[0].isalpha():
                named = not (following[0] in "xX" and not following[1:].isalpha())
                if named and not _ORDINAL.match(text, end):
                    continue
                if named:
                    found.append(Number(start, end, int(whole or "0"), 0, False, False, 0, False, False, True, (0, 0)))
                    continue
        money = before in _MONEY or (before in _BEHIND_MONEY and text[start - 2 : start - 1] == "$")
        year = label = False
        if not (decimals or suffix or money) and len(whole) == end - start:
            if len(whole) <= 2:
                label = _is_label(text, start, end)
            elif len(whole) == 4:
                year = "1900" <= whole <= "2100"
        digits, exponent, key = _read(whole, decimals)
        found.append(Number(start, after, digits, exponent, percent, points, scale, money, year, label, key))
        if len(found) >= limit:
            break
    return found


@lru_cache(maxsize=8192)  # a text says the same number again and again
def _read(whole: str, decimals: str) -> tuple[int, int, tuple[int, int]]:
    """Digits, exponent and key of a number."""
    shown, exponent = (whole + decimals).lstrip("0"), -len(decimals)
    if not shown:
        return 0, exponent, (0, 0)
    return int(shown), exponent, (int(shown.rstrip("0")), len(shown) - 1 + exponent)


def _is_label(text: str, start: int, end: int) -> bool:
    """Is a small number a list marker, a step, a day of a month or a footnote?"""
    head = text[max(0, start - 14) : start]
    line = head[head.rfind("\n") + 1 :]
    listed = text[end : end + 1] in (".", ")", ":") and text[end + 1 : end + 2] in ("", " ", "*", "\n")
    if listed and (len(line) < len(head) or start < 14) and not line.strip(" #*>(-"):
        return True
    if text[end : end + 1] == "]" and head.endswith("["):
        return True
    return bool(_NAMING.match(head.rstrip()[-1:])) and bool(_NAMED.search(head))
