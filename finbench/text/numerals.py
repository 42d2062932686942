"""Numbers in words: English ("minus three thousand and twelve point five") and Chinese ("三千二百万", "百分之五")."""

from __future__ import annotations

import re
from fractions import Fraction

_UNITS = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
SMALL = {word: value for value, word in enumerate(_UNITS)} | {word: 10 * (i + 2) for i, word in enumerate(_TENS)}
LARGE = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_PARTS = {"half": 2, "halves": 2, "third": 3, "thirds": 3, "quarter": 4, "quarters": 4, "fourth": 4, "fourths": 4}
_PARTS |= {"fifth": 5, "fifths": 5, "sixth": 6, "sixths": 6, "eighth": 8, "eighths": 8, "tenth": 10, "tenths": 10}

_WORD = "|".join(sorted((*SMALL, *LARGE, "hundred"), key=len, reverse=True))
_PART = "|".join(_PARTS)
ENGLISH = re.compile(
    r"\b(?:(?:minus|negative)\s+)?(?:a\s+(?=hundred|thousand|million|half|third|quarter))?"
    rf"(?:{_WORD}|{_PART})"
    rf"(?:(?:\s+and\s+a\s+|\s+and\s+|\s+|-)(?:{_WORD}|{_PART}|point(?=\s+(?:{_WORD}))))*\b",
    re.I,
)

_DIGITS = {c: i for i, c in enumerate("零一二三四五六七八九")} | {c: i for i, c in enumerate("〇壹贰叁肆伍陆柒捌玖")}
_DIGITS |= {"两": 2, "〇": 0}
_STEPS = {"十": 10, "拾": 10, "百": 100, "佰": 100, "千": 1000, "仟": 1000}
_SECTIONS = {"万": 10**4, "萬": 10**4, "亿": 10**8, "億": 10**8}
CHINESE = re.compile(
    r"负?[零〇一二三四五六七八九十百千万亿两壹贰叁肆伍陆柒捌玖拾佰仟萬億]+(?:点[零〇一二三四五六七八九]+)?"
)


def english(words: str) -> Fraction | None:
    """The value of an English numeral, or None when the words make none.

    >>> english("minus twenty-one point five"), english("one and a half"), english("two hundred and five million")
    (Fraction(-43, 2), Fraction(3, 2), Fraction(205000000, 1))
    """
    tokens = words.lower().replace("-", " ").split()[:40]
    negative = bool(tokens) and tokens[0] in ("minus", "negative")
    total, section, seen = Fraction(0), Fraction(0), False
    decimals: list[str] | None = None
    for word in tokens[1:] if negative else tokens:
        if decimals is not None and word in SMALL:
            decimals.append(str(SMALL[word]))
        elif word in SMALL:
            section, seen = section + SMALL[word], True
        elif word == "hundred":
            section, seen = (section or Fraction(1)) * 100, True
        elif word in LARGE:
            section += _after_point(decimals)
            if total and total < LARGE[word]:  # "three thousand two hundred million": the word multiplies all of it
                total = (total + section) * LARGE[word]
            else:
                total += (section or Fraction(1)) * LARGE[word]
            section, seen, decimals = Fraction(0), True, None
        elif word in _PARTS:
            part = Fraction(1, _PARTS[word])
            section, seen = (section * part if section and " and " not in words.lower() else section + part), True
        elif word == "point" and decimals is None:
            decimals = []
        elif word not in ("and", "a"):
            return None
    value = total + section + _after_point(decimals)
    return (-value if negative else value) if seen or decimals else None


def _after_point(decimals: list[str] | None) -> Fraction:
    digits = "".join(decimals or ())
    return Fraction(int(digits), 10 ** len(digits)) if digits else Fraction(0)


def chinese(words: str) -> Fraction | None:
    """The value of a Chinese numeral, or None when the characters make none.

    >>> chinese("三千二百万"), chinese("负十四点二"), chinese("二〇一九")
    (Fraction(32000000, 1), Fraction(-71, 5), Fraction(2019, 1))
    """
    negative = words.startswith("负")
    whole, _, tail = words.lstrip("负").partition("点")
    if not whole or len(words) > 60:
        return None
    value = (
        Fraction(int("".join(str(_DIGITS[c]) for c in whole))) if all(c in _DIGITS for c in whole) else _sections(whole)
    )
    if value is None or any(c not in _DIGITS for c in tail):
        return None
    value += _after_point([str(_DIGITS[c]) for c in tail])
    return -value if negative else value


def _sections(characters: str) -> Fraction | None:
    total, section, digit = 0, 0, None
    for char in characters:
        if char in _DIGITS:
            digit = _DIGITS[char]
        elif char in _STEPS:
            section, digit = section + (1 if digit is None else digit) * _STEPS[char], None
        elif char in _SECTIONS:
            section += digit or 0
            factor = _SECTIONS[char]
            # 三千万亿: a section word after a whole number multiplies all of it; 一亿二千万: a smaller one adds.
            if total and total < factor:
                total = (total + section) * factor
            else:
                total += (section or 1) * factor
            section, digit = 0, None
        else:
            return None
    if total > 10**30:
        return None
    return Fraction(total + section + (digit or 0))


def decimals_in(words: str) -> int:
    """How many decimals a numeral in words shows.

    >>> decimals_in("fourteen point two"), decimals_in("十四点二五")
    (1, 2)
    """
    if "点" in words:
        return len(words.partition("点")[2])
    return len(words.lower().partition(" point ")[2].split())
