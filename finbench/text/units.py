"""What stands after a number: scale words, percents and points, currencies, units of time and count.

Tables in English and Chinese, and one reader of the words that follow a number.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from fractions import Fraction
from typing import Literal

from finbench.text import lexicon
from finbench.text.normalize import THIN

Unit = Literal["", "percent", "points", "bp", "mille", "times"]
CURRENCIES: dict[str, str] = dict(lexicon.words("currency"))
SCALES: dict[str, int] = {word: 10**power for word, power in lexicon.words("scale").items()}
UNITS: dict[str, Unit] = dict(lexicon.words("unit"))
_NOUNS: dict[str, str] = dict(lexicon.words("noun"))
_CODES: dict[str, str] = dict(lexicon.words("currency_before"))
MONEY_WORDS = CURRENCIES | _CODES


def _either(words: Iterable[str]) -> str:
    """The longest word that stands there, in any case: of ASCII letters only, or "ſ" would match an s that no table has."""
    listed = "|".join(re.escape(word).replace(r"\ ", r"(?u:[\s-])+") for word in sorted(words, key=len, reverse=True))
    return f"(?a:{listed})"


_HAN = [w for w in SCALES if "\u4e00" <= w[0] <= "\u9fff"]
_WORDY = [w for w in SCALES if len(w) > 2 and w not in _HAN]
_BRIEF = [w for w in SCALES if len(w) <= 2 and w not in _HAN]
GAP = rf"[ \t{THIN}]{{0,3}}"
_END = r"(?![A-Za-z])"
_SCALE = re.compile(rf"{GAP}(?:-?({_either(_WORDY)}){_END}|({_either(_HAN)})|((?i:{_either(_BRIEF)})){_END})", re.I)
_HAN_MORE = re.compile(rf"(\d+(?:\.\d+)?)({_either(_HAN)})?")
UNIT_AFTER = re.compile(
    rf"{GAP}-?(?:({_either(w for w in UNITS if w[-1].isascii() and w[-1].isalpha())}){_END}|"
    rf"({_either(w for w in UNITS if not (w[-1].isascii() and w[-1].isalpha()))}))",
    re.I,
)
_POINTS_AFTER = re.compile(rf"{GAP}-?(?:points?|pts?){_END}", re.I)
_MONEY_AFTER = re.compile(
    rf"{GAP}(?:of{GAP})?(?:({_either(w for w in CURRENCIES if w[-1].isascii() and w[-1].isalpha())}){_END}|"
    rf"({_either(w for w in CURRENCIES if not w[-1].isascii())}))",
    re.I,
)
_SIGNS = [word for word in CURRENCIES if not word[-1].isalpha()]
MONEY_BEFORE = re.compile(
    rf"({_either(_SIGNS)}|(?<![A-Za-z]){_either(w for w in _CODES if w.isascii())}|"
    rf"{_either(w for w in _CODES if not w.isascii())})"
    rf"[ \t{THIN}]{{0,2}}$",
    re.I,
)
_NOUN_AFTER = re.compile(
    rf"{GAP}-?(?:({_either(w for w in _NOUNS if w.isascii())}){_END}|"
    rf"({_either(w for w in _NOUNS if not w.isascii())}))",
    re.I,
)
_OVER_YEAR = re.compile(r"[\s-]{1,3}(?:over|on|to)[\s-]{1,3}(?:year|month|quarter|week|day)\b", re.I)


def suffix(text: str, end: int, number: Fraction) -> tuple[Unit, int, str, str, int]:
    """Unit, scale factor, currency, noun and the offset after them; offset -1 asks for a compound Chinese amount."""
    unit: Unit = ""
    scale, currency, noun = 1, "", ""
    if text[end : end + 1] in ("", "\n"):
        return unit, scale, currency, noun, end
    while match := _SCALE.match(text, end):
        word = (match.group(1) or match.group(2) or match.group(3)).lower()
        if match.group(3) and match.group()[:1].isspace() and match.group(3) == "m":
            break  # "5 m" is a length; "5 M" and "5m" are millions
        if scale != 1 and (match.group(3) or scale >= 10**12):
            break
        scale *= SCALES[word]
        end = match.end()
        if match.group(2) and _HAN_MORE.match(text, end):
            return unit, scale, currency, noun, -1
    if match := UNIT_AFTER.match(text, end):
        word = re.sub(r"[\s-]+", " ", (match.group(1) or match.group(2)).lower()).strip()
        unit = UNITS.get(word) or UNITS[(match.group(1) or match.group(2)).lower()]
        if not (unit == "times" and scale == 1 and _MULTIPLIES.match(text, end)):
            end = match.end()
            if unit == "percent" and (points := _POINTS_AFTER.match(text, end)):
                unit, end = "points", points.end()
            return unit, scale, currency, noun, end
        unit = ""
    if match := _MONEY_AFTER.match(text, end):
        currency = CURRENCIES[re.sub(r"\s+", " ", (match.group(1) or match.group(2)).lower())]
        end = match.end()
    elif (match := _NOUN_AFTER.match(text, end)) and not _OVER_YEAR.match(text, match.end()):
        noun = _NOUNS[(match.group(1) or match.group(2)).lower()]
        end = match.end()
    return unit, scale, currency, noun, end


_MULTIPLIES = re.compile(r"\s*[×x](?:\s*\d|\()|\s+[×x]\s*\(")  # but "3.5x (interest coverage is 4.0x)"


def compound(text: str, end: int, number: Fraction) -> tuple[Fraction, Fraction, int, int]:
    """3亿3217万 or 3万5千: the sum, its place, scale 1, and the offset after it."""
    total, place = Fraction(0), Fraction(1)
    while match := _SCALE.match(text, end):
        if not match.group(2):
            break
        factor = SCALES[match.group(2)]
        total, place, end = total + number * factor, Fraction(factor), match.end()
        while (again := _SCALE.match(text, end)) and again.group(2):
            factor = SCALES[again.group(2)]
            total, place, end = total * factor, place * factor, again.end()
        more = _HAN_MORE.match(text, end)
        if not more:
            return total, place, 1, end
        number, end = Fraction(more.group(1)), more.end(1)
    return total + number, Fraction(1), 1, end


MONEY_TAIL = re.compile(rf"[ \t]*(?:{_either(CURRENCIES)})$", re.I)
