"""What stands after a number: scale words, percents and points, currencies, units of time and count.

Tables in English and Chinese, and one reader of the words that follow a number.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from fractions import Fraction
from typing import Literal

from finbench.text.normalize import THIN

Unit = Literal["", "percent", "points", "bp", "mille", "times"]
CURRENCIES = {
    "$": "USD",
    "us$": "USD",
    "u.s.$": "USD",
    "usd": "USD",
    "dollar": "USD",
    "dollars": "USD",
    "u.s. dollars": "USD",
    "us dollars": "USD",
    "美元": "USD",
    "美金": "USD",
    "€": "EUR",
    "eur": "EUR",
    "euro": "EUR",
    "euros": "EUR",
    "欧元": "EUR",
    "£": "GBP",
    "gbp": "GBP",
    "pound": "GBP",
    "pounds": "GBP",
    "pounds sterling": "GBP",
    "英镑": "GBP",
    "¥": "YEN",  # yen and yuan share the mark
    "jpy": "JPY",
    "yen": "JPY",
    "日元": "JPY",
    "cny": "CNY",
    "rmb": "CNY",
    "yuan": "CNY",
    "renminbi": "CNY",
    "元": "CNY",
    "人民币": "CNY",
    "元人民币": "CNY",
    "块": "CNY",
    "hk$": "HKD",
    "hkd": "HKD",
    "港元": "HKD",
    "港币": "HKD",
    "c$": "CAD",
    "cad": "CAD",
    "a$": "AUD",
    "aud": "AUD",
    "chf": "CHF",
    "francs": "CHF",
    "swiss francs": "CHF",
    "₹": "INR",
    "inr": "INR",
    "rupees": "INR",
    "₩": "KRW",
    "krw": "KRW",
    "cents": "cent",
    "cent": "cent",
}
SCALES = {
    "hundred": 100,
    "thousand": 10**3,
    "thousands": 10**3,
    "k": 10**3,
    "million": 10**6,
    "millions": 10**6,
    "mn": 10**6,
    "mln": 10**6,
    "mil": 10**6,
    "mm": 10**6,
    "m": 10**6,
    "billion": 10**9,
    "billions": 10**9,
    "bn": 10**9,
    "bln": 10**9,
    "b": 10**9,
    "trillion": 10**12,
    "trillions": 10**12,
    "tn": 10**12,
    "trn": 10**12,
    "百": 100,
    "千": 10**3,
    "万": 10**4,
    "萬": 10**4,
    "百万": 10**6,
    "千万": 10**7,
    "亿": 10**8,
    "億": 10**8,
    "十亿": 10**9,
    "百亿": 10**10,
    "千亿": 10**11,
    "万亿": 10**12,
    "兆": 10**12,
    "lakh": 10**5,
    "crore": 10**7,
}
UNITS: dict[str, Unit] = {
    "%": "percent",
    "percent": "percent",
    "per cent": "percent",
    "pct": "percent",
    "percentage": "percent",
    "percentage point": "points",
    "percentage points": "points",
    "percent points": "points",
    "percent point": "points",
    "% points": "points",
    "%-points": "points",
    "pp": "points",
    "ppt": "points",
    "ppts": "points",
    "pps": "points",
    "pts": "points",
    "个百分点": "points",
    "百分点": "points",
    "个百分比": "points",
    "bp": "bp",
    "bps": "bp",
    "basis point": "bp",
    "basis points": "bp",
    "个基点": "bp",
    "基点": "bp",
    "个bp": "bp",
    "‰": "mille",
    "per mille": "mille",
    "times": "times",
    "x": "times",
    "×": "times",
    "-fold": "times",
    "fold": "times",
    "倍": "times",
}
_NOUNS = {
    "year": "year",
    "years": "year",
    "yr": "year",
    "yrs": "year",
    "month": "month",
    "months": "month",
    "mos": "month",
    "quarter": "quarter",
    "quarters": "quarter",
    "week": "week",
    "weeks": "week",
    "day": "day",
    "days": "day",
    "hours": "hour",
    "share": "share",
    "shares": "share",
    "个月": "month",
    "月": "month",
    "年": "year",
    "天": "day",
    "日": "day",
    "股": "share",
    "个季度": "quarter",
    "季度": "quarter",
    "周": "week",
}


def _either(words: Iterable[str]) -> str:
    """The longest word that stands there, in any case: of ASCII letters only, or "ſ" would match an s that no table has."""
    listed = "|".join(re.escape(word).replace(r"\ ", r"(?u:[\s-])+") for word in sorted(words, key=len, reverse=True))
    return f"(?a:{listed})"


_WORDY = [w for w in SCALES if len(w) > 2 and w.isascii()]
_BRIEF = [w for w in SCALES if len(w) <= 2 and w.isascii()]
_HAN = [w for w in SCALES if not w.isascii()]
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
MONEY_BEFORE = re.compile(
    r"((?a:us\$|u\.s\.\$|hk\$|[ca]\$|[$€£¥₹₩]|(?<![A-Za-z])(?:usd|eur|gbp|jpy|cny|rmb|hkd|cad|aud|chf|inr|krw))|"
    r"人民币|美元|欧元)"
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
        if match.group(3) and match.group()[:1].isspace() and match.group(3) in ("m", "b", "k"):
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
