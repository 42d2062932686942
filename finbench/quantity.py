"""Text -> quantities: every number a text states, with its sign, unit, scale, currency and shown precision.

`scan` reads all of them in order; `whole` reads a text that is one quantity and nothing else. Values are Fractions,
never floats. Digits and exponents are bounded before any arithmetic.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal

from finbench import closed_form, numerals
from finbench.characters import THIN

MAX_DIGITS = 60
MAX_EXPONENT = 60

Unit = Literal["", "percent", "points", "bp", "times"]


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
_NUMBER = re.compile(
    r"\d{1,3}(?:,\d{3})+(?!\d)(?:\.\d+)?(?![,\d])"  # 1,234,567.8
    r"|\d{1,2}(?:,\d{2})+,\d{3}(?!\d)(?:\.\d+)?"  # 12,34,567
    rf"|\d{{1,3}}(?P<gap>[{THIN}' ])\d{{3}}(?:(?P=gap)\d{{3}})*(?!\d|(?P=gap)\d)(?:[.,]\d+)?(?![,\d])"  # 1 234,5  1'234.5
    r"|\d{1,3}(?:\.\d{3})+,\d+(?!\d)"  # 1.234,5
    r"|\d{1,3}(?:\.\d{3}){2,}(?![\d.,])"  # 1.234.567
    r"|\d{1,3}(?:,\d{3})+(?!\d)(?:\.\d+)?"
    r"|\d+,(?:\d{1,2}|\d{4,})(?![\d,.])"  # 14,2
    r"|0,\d+(?![\d,.])"
    r"|\d+(?:\.\d+)?"
    r"|\.\d+"
)
_CURRENCIES = {
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
_SCALES = {
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
_UNITS: dict[str, Unit] = {
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
    return "|".join(re.escape(word).replace(r"\ ", r"[\s-]+") for word in sorted(words, key=len, reverse=True))


_WORDY = [w for w in _SCALES if len(w) > 2 and w.isascii()]
_BRIEF = [w for w in _SCALES if len(w) <= 2 and w.isascii()]
_HAN = [w for w in _SCALES if not w.isascii()]
_GAP = rf"[ \t{THIN}]{{0,3}}"
_END = r"(?![A-Za-z])"
_SCALE = re.compile(
    rf"{_GAP}(?:-?({_either(_WORDY)}){_END}|({_either(_HAN)})|((?i:{_either(_BRIEF)})){_END})", re.I
)
_HAN_MORE = re.compile(rf"(\d+(?:\.\d+)?)({_either(_HAN)})?")
_UNIT = re.compile(
    rf"{_GAP}-?(?:({_either(w for w in _UNITS if w[-1].isascii() and w[-1].isalpha())}){_END}|"
    rf"({_either(w for w in _UNITS if not (w[-1].isascii() and w[-1].isalpha()))}))",
    re.I,
)
_POINTS_AFTER = re.compile(rf"{_GAP}-?(?:points?|pts?){_END}", re.I)
_MONEY_AFTER = re.compile(
    rf"{_GAP}(?:of{_GAP})?(?:({_either(w for w in _CURRENCIES if w[-1].isascii() and w[-1].isalpha())}){_END}|"
    rf"({_either(w for w in _CURRENCIES if not w[-1].isascii())}))",
    re.I,
)
_MONEY_BEFORE = re.compile(
    r"(us\$|u\.s\.\$|hk\$|[ca]\$|[$€£¥₹₩]|(?<![A-Za-z])(?:usd|eur|gbp|jpy|cny|rmb|hkd|cad|aud|chf|inr|krw)|"
    r"人民币|美元|欧元)"
    rf"[ \t{THIN}]{{0,2}}$",
    re.I,
)
_NOUN_AFTER = re.compile(
    rf"{_GAP}-?(?:({_either(w for w in _NOUNS if w.isascii())}){_END}|"
    rf"({_either(w for w in _NOUNS if not w.isascii())}))",
    re.I,
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
_OVER = re.compile(rf"{_GAP}/{_GAP}(\d{{1,30}}(?:,\d{{3}})*(?:\.\d{{1,30}})?)(?![\d/])")
_MIXED = re.compile(r" (\d{1,6})/(\d{1,6})(?![\d/])")

_MINUS_WORD = re.compile(r"(?:\b(?:negative|minus)|负)[\s\"'$]{0,3}$", re.I)
_FILLER = (
    r"(?:\s*(?:by|of|at|is|was|equal to|equals|about|approximately|approx\.?|around|roughly|nearly|almost|some|an?|the|"
    r"just|only|slightly|over|under|=|≈|~|:|了|约|大约|为|近|率为|幅度?为|幅度约为|额为|a total of|net))*[\s*$]*"
    # "a drop of 487 million, or 2.1%": the first number passes the word on
    r"(?:[\d,.]{1,20}%?\s?(?:thousand|million|billion|万|亿)?(?:\s?dollars|元|美元)?(?:,?\s*or|,\s*(?:or|即|约)?|"
    r"\s*\()\s*(?:by|about|approximately|约)?[\s*$]*)?$"
)
_DOWN_BEFORE = re.compile(
    r"(?:\b(?:decreas(?:e|ed|es|ing)|declin(?:e|ed|es|ing)|drop(?:ped|s)?|fell|fall(?:s|en)?|reduc(?:ed|es|tion)|down|"
    r"shr(?:ank|unk|ink)|los(?:s|ses|t)|lower(?:ed)?|contract(?:ed|ion)|outflows?|deficit|slid|slipped|decrement|"
    r"shortfall|underperform(?:ed)?|narrow(?:ed)?)|下降|下跌|减少|降低|下滑|亏损|净亏损|跌|缩减|回落|降)"
    r"(?:\s+(?:in|of)\s+(?:the\s+)?(?!\d)[a-z][a-z' -]{2,40}?\s+(?:of|by|was|is))?" + _FILLER,
    re.I,
)
_UP_BEFORE = re.compile(
    r"(?:\b(?:increas(?:e|ed|es|ing)|rose|profits?|net income|surplus|ris(?:e|en|es)|grew|grow(?:n|s|th)?|"
    r"gain(?:ed|s)?|up|higher|climbed|jumped|"
    r"expand(?:ed)?|improv(?:ed|ement))|增长|上升|增加|上涨|提高|提升|涨)" + _FILLER,
    re.I,
)
_DOWN_AFTER = re.compile(
    r"(?:\s*(?:million|billion|thousand|dollars))*[\s*(]{0,4}(?:net\s+|overall\s+|annual\s+|total\s+|"
    r"year-over-year\s+|percentage\s+)?(?:decreas(?:e|es)|decline|drop|fall|reduction|loss|lower|"
    r"less|down|contraction|shortfall|below|的(?:下降|下跌|降幅|跌幅|亏损|减少))\b(?!\s+than\s+(?:expected|\d))",
    re.I,
)
_UP_AFTER = re.compile(
    r"[\s*(]{0,4}(?:net\s+|overall\s+|annual\s+|total\s+)?(?:increase|rise|growth|gain|higher|up\b|的(?:增长|"
    r"上升|涨幅|增幅))\b",
    re.I,
)
_BOUND = re.compile(
    r"(?:\b(?:more|less|greater|fewer|higher|lower|larger|smaller|bigger|better)\s+than|\bat\s+(?:least|most)|"
    r"\b(?:over|above|below|under|"
    r"exceed(?:s|ed|ing)?|up\s+to|no\s+(?:more|less|fewer)\s+than|not\s+(?:more|less)\s+than|in\s+excess\s+of|"
    r"a\s+maximum\s+of|"
    r"a\s+minimum\s+of|upwards\s+of)|(?<![-=])[<>≥≤]=?|超过|高于|低于|大于|小于|不到|不足|至少|至多|最多|不超过|"
    r"不低于|少于|多于|不少于)"
    r"(?:\s+or\s+equal\s+to)?[\s$€£¥*]*$",
    re.I,
)
_BOUND_AFTER = re.compile(
    r"\s{0,2}(?:\+(?!\s*[\d(])|or\s+(?:more|less|higher|lower|greater|above|below)\b|(?:and|&)\s+(?:above|"
    r"over)\b|以上|以下|以内)",
    re.I,
)
_REFERENCE = re.compile(
    r"(?:\b(?:page|pages|pp?\.|note|notes|table|figure|fig\.|section|step|item|row|column|line|chapter|exhibit|"
    r"form|part|"
    r"appendix|question|problem|footnote|paragraph|equation|eq\.|no\.|number|example|rule|option|statement|"
    r"scenario|case|method|"
    r"level|tier|class|series|phase|s&p|russell|nasdaq|ifrs|ias|asc|asu|sfas|fas|fin|top|"
    r"quarter|q|fy|fiscal(?:\s+year)?|version|v)|第|表|图|注|附注|步骤|"
    r"\[|#)\s{0,2}$",
    re.I,
)
_MONTH_BEFORE = re.compile(
    r"(?:\b(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|"
    r"oct(?:ober)?|"
    r"nov(?:ember)?|dec(?:ember)?)\.?|年|月)\s{0,2}$",
    re.I,
)
_MONTH_AFTER = re.compile(
    r"(?:st|nd|rd|th)?\s{1,2}(?:of\s+)?(?:jan(?:uary)?|feb(?:ruary)?|march|apr(?:il)?|may|june?|july?|"
    r"aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|"
    r"nov(?:ember)?|dec(?:ember)?)\b",
    re.I,
)
_ORDINAL = re.compile(r"(?:st|nd|rd|th)\b", re.I)
_DATE_AFTER = re.compile(r"[/-]\d{1,2}[/-]\d{2,4}\b")
_DATE_ISO = re.compile(r"-\d{1,2}-\d{1,2}\b")
_HAN_PERCENT = re.compile(r"(百分之|千分之|万分之)\s{0,2}$")
_HAN_PERCENT_WORDS = re.compile(
    r"(百分之|千分之|万分之)(负?[零〇一二三四五六七八九十百千两]+(?:点[零〇一二三四五六七八九]+)?)"
)
_PER = {"百分之": Fraction(1), "千分之": Fraction(1, 10), "万分之": Fraction(1, 100)}
_CODE = re.compile(r"(?:us\$|hk\$|[a-z]{0,2}\$|usd|eur|gbp|jpy|cny|rmb|hkd|cad|aud|chf|inr|krw)$", re.I)


def scan(text: str, limit: int = 200) -> list[Quantity]:
    """The quantities of a text in order, written in digits, at most `limit`; numerals in words only after 百分之.

    >>> [q.shown for q in scan("fell 5 to $1,234.5 million (12%), see page 7")]
    ['5', '1,234.5 million', '12%', '7']
    """
    found: list[Quantity] = []
    end = 0
    for match in _NUMBER.finditer(text):
        if match.start() < end:
            continue
        quantity = _read(text, match)
        if quantity is not None:
            found.append(quantity)
            end = quantity.end
            if len(found) >= limit:
                break
    if "分之" in text:
        for match in _HAN_PERCENT_WORDS.finditer(text):
            value = numerals.chinese(match.group(2))
            if value is not None:
                found.append(
                    _in_words(text, match.start(), match.end(), value * _PER[match.group(1)], match.group(2), "percent")
                )
        found.sort(key=lambda q: q.start)
    return found


def words(text: str) -> list[Quantity]:
    """The quantities a text states in words, English or Chinese ("fourteen point two percent", "三百二十万元").

    >>> [(q.number, q.unit) for q in words("a loss of fourteen point two percent")]
    [(Fraction(71, 5), 'percent')]
    """
    found = []
    if not text.isascii():
        for match in numerals.CHINESE.finditer(text):
            if len(match.group()) == 1 and match.group() in "一二两十百千万亿" and not _UNIT.match(text, match.end()):
                continue  # "一" is mostly an article
            value = numerals.chinese(match.group())
            if value is not None:
                found.append(_in_words(text, match.start(), match.end(), value, match.group(), ""))
    for match in numerals.ENGLISH.finditer(text):
        value = numerals.english(match.group())
        if value is not None and not (match.group().lower() == "one" and len(text) > 12):
            found.append(_in_words(text, match.start(), match.end(), value, match.group(), ""))
    return sorted(found, key=lambda q: q.start)


def whole(text: str) -> Quantity | None:
    """The quantity of a text that is one number, closed form or numeral and nothing else; None otherwise.

    >>> whole("(5,829 - 5,735) / 5,735").number, whole("$-5"), whole("5 or 6")
    (Fraction(94, 5735), Quantity(...), None)
    """
    text = text.strip().rstrip(".。;；")
    if not text or len(text) > 600:
        return None
    found = scan(text, 3)
    if len(found) == 1 and _covers(text, found[0]):
        return found[0]
    form = _closed(text)
    if form is not None:
        return form
    if not found:
        spoken = words(text)
        if len(spoken) == 1 and _covers(text, spoken[0]):
            return spoken[0]
    return None


_MARKS = re.compile(
    r"[\s$€£¥₹().+≈~=\"'%,-]*(?:(?:us|hk|usd|eur|gbp|cny|rmb|minus|negative|approximately|about|约|大约|负|"
    r"人民币|美元)[\s$.]*)*[(]?",
    re.I,
)
_AFTER_MARKS = re.compile(r"[⁰¹²³⁴⁵⁶⁷⁸⁹]{0,2}[\s).。\"',]*(?:per\s+(?:share|year|annum)|per\s+\w+)?[\s).。\"']*", re.I)


def _covers(text: str, quantity: Quantity) -> bool:
    return bool(_MARKS.fullmatch(text[: quantity.start]) and _AFTER_MARKS.fullmatch(text[quantity.end :]))


def _closed(text: str) -> Quantity | None:
    if not re.search(r"[-+*/^×÷·√(]|sqrt", text) or not re.search(r"\d", text):
        return None
    body = text.lstrip("$").replace("$", "").replace(THIN, "")
    if re.search(r"[\d%]\s+\(", body):
        return None  # "0.142 (14.2%)" says one value twice
    scale, unit, currency = 1, "", "USD" if "$" in text else ""
    tail = re.search(r"(?<=[\d)])\s*(thousand|million|billion|trillion|percent|times|x)$", body, re.I)
    if tail:
        word = tail.group(1).lower()
        scale, unit = _SCALES.get(word, 1), _UNITS.get(word, "")
        body = body[: tail.start()]
    if re.fullmatch(r"[-+\s]*\(?[-+\s]*[\d.,]+\)?%?", body):
        return None
    tree = closed_form.parse(body)
    value = closed_form.evaluate(tree) if tree else None
    if value is None:
        return None
    if re.fullmatch(r"\s*\d+(?:\.\d+)?%?\s*-\s*\d+(?:\.\d+)?%?\s*", body) and value < 0:
        return None  # 20-25 is a range, 2014-2015 two years
    if "%" in body:
        value, unit = value * 100, "percent"
    return Quantity(value, Fraction(0), 9, text, 0, len(text), unit=unit or "", scale=scale, currency=currency)  # type: ignore[arg-type]


def _digits(chunk: str) -> tuple[str, str]:
    """Whole and decimal digits of a chunk matched by `_NUMBER`."""
    chunk = chunk.replace(THIN, "").replace("'", "").replace(" ", "")
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
    left, _, right = chunk.partition(".")
    return left, right


def _read(text: str, match: re.Match[str]) -> Quantity | None:
    start, end = match.start(), match.end()
    before = text[max(0, start - 90) : start]
    last = before[-1:]
    if last and ((last.isalpha() and last.isascii()) or last == "_") and not _CODE.search(before):
        return None  # Q4, CO2, a subscript
    if last == "{" and before[-2:-1] == "_":
        return None
    gap = match.group("gap")
    left, right = _digits(match.group())
    if len(left) + len(right) > MAX_DIGITS:
        return Quantity(Fraction(0), Fraction(0), 0, match.group()[:40], start, end, absurd=True)
    number, place = Fraction(int((left + right) or "0"), 10 ** len(right)), Fraction(1, 10 ** len(right))
    digits = len((left + right).lstrip("0"))
    plain = not right and "," not in match.group() and gap is None
    year = plain and len(left) == 4 and 1900 <= int(left) <= 2100
    power = _POWER.match(text, end)
    absurd = False
    if power:
        exponent = int((power.group(1) or power.group(2) or power.group(3)).translate(_RAISED))
        absurd = abs(exponent) > MAX_EXPONENT
        factor = Fraction(10) ** (0 if absurd else exponent)
        number, place, end, year = number * factor, place * factor, power.end(), False
    elif plain or right:
        mixed = _MIXED.match(text, end) if plain else None
        over = None if mixed else _OVER.match(text, end)
        if mixed and int(mixed.group(2)) > int(mixed.group(1)):
            number, place, digits = number + Fraction(int(mixed.group(1)), int(mixed.group(2))), Fraction(0), 9
            end, year = mixed.end(), False
        elif (
            (to := _TO_ONE.match(text, end)) and Fraction(to.group(1) or to.group(2)) and not re.search(r"\d:$", before)
        ):
            below = Fraction(to.group(1) or to.group(2))
            number, place, end, year = number / below, Fraction(0) if below != 1 else place, to.end(), False
            return Quantity(number, place, digits if below == 1 else 9, text[start:end], start, end, unit="times")
        elif over and not _DATE_AFTER.match(text, match.end()):
            below = Fraction(over.group(1).replace(",", ""))
            if below:
                number, place, digits, end, year = number / below, Fraction(0), 9, over.end(), False
    if last == "(" and (closed := _CLOSED.match(text, end)) and _suffix(text, closed.end(), number)[4] > closed.end():
        end = closed.end()  # (31.4)%, $(56.3) million
    unit, scale, currency, noun, after = _suffix(text, end, number)
    if after < 0:  # compound Chinese amounts: 3亿3217万
        number, place, scale, end = _compound(text, end, number)
        unit, _, currency, noun, after = _suffix(text, end, number)
    following = text[after : after + 1]
    if (
        after == end
        and following.isascii()
        and (following.isalpha() or following == "_")
        and not _ORDINAL.match(text, end)
    ):
        return None  # 10K of a form, 3M the company, 8xyz
    head = before
    if (money := _MONEY_BEFORE.search(head)) is not None:
        currency = currency or _CURRENCIES[money.group(1).lower()]
        head = head[: money.start()]
    negative, first = _negative(text, head, start - (len(before) - len(head)), after, bool(money))
    if not money and negative and (money := _MONEY_BEFORE.search(text[max(0, first - 12) : first])) is not None:
        currency = currency or _CURRENCIES[money.group(1).lower()]  # $-5
    if prefix := _HAN_PERCENT.search(before):
        unit, number, place = "percent", number * _PER[prefix.group(1)], place * _PER[prefix.group(1)]
        first = start - (len(before) - prefix.start())
        start = first
    stem = text[max(0, first - 90) : first].rstrip(" \"'([") if first < start else head
    reference = (
        not unit and not currency and (bool(_REFERENCE.search(head[-24:])) or _is_date(text, head, match, after, noun))
    )
    if year and (unit or currency or scale != 1):
        year = False
    quantity = Quantity(
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
        bound=bool(_BOUND.search(stem[-40:])) or bool(_BOUND_AFTER.match(text, after)),
        year=year,
        reference=reference,
        absurd=absurd,
    )
    return quantity


def _suffix(text: str, end: int, number: Fraction) -> tuple[Unit, int, str, str, int]:
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
        scale *= _SCALES[word]
        end = match.end()
        if match.group(2) and _HAN_MORE.match(text, end):
            return unit, scale, currency, noun, -1
    if match := _UNIT.match(text, end):
        word = re.sub(r"[\s-]+", " ", (match.group(1) or match.group(2)).lower()).strip()
        unit = _UNITS.get(word) or _UNITS[(match.group(1) or match.group(2)).lower()]
        if not (unit == "times" and scale == 1 and re.match(r"\s*(?:×|x)\s*[\d(]", text[end : end + 8])):
            end = match.end()
            if unit == "percent" and (points := _POINTS_AFTER.match(text, end)):
                unit, end = "points", points.end()
            return unit, scale, currency, noun, end
        unit = ""
    if match := _MONEY_AFTER.match(text, end):
        currency = _CURRENCIES[re.sub(r"\s+", " ", (match.group(1) or match.group(2)).lower())]
        end = match.end()
    elif match := _NOUN_AFTER.match(text, end):
        noun = _NOUNS[(match.group(1) or match.group(2)).lower()]
        end = match.end()
    return unit, scale, currency, noun, end


def _compound(text: str, end: int, number: Fraction) -> tuple[Fraction, Fraction, int, int]:
    """3亿3217万 or 3万5千: the sum, its place, scale 1, and the offset after it."""
    total, place = Fraction(0), Fraction(1)
    while match := _SCALE.match(text, end):
        if not match.group(2):
            break
        factor = _SCALES[match.group(2)]
        total, place, end = total + number * factor, Fraction(factor), match.end()
        while (again := _SCALE.match(text, end)) and again.group(2):
            factor = _SCALES[again.group(2)]
            total, place, end = total * factor, place * factor, again.end()
        more = _HAN_MORE.match(text, end)
        if not more:
            return total, place, 1, end
        number, end = Fraction(more.group(1)), more.end(1)
    return total + number, Fraction(1), 1, end


def _negative(text: str, head: str, at: int, after: int, money: bool) -> tuple[bool, int]:
    """Is the number written as negative, and where does it begin (sign and parenthesis included)?"""
    if head.endswith("-"):
        rest = head[:-1]
        if not rest or not (rest[-1].isascii() and (rest[-1].isalnum() or rest[-1] in ")%]-")):
            inner = re.search(r"\(\s?$", rest)
            if inner and text[after : after + 2].lstrip()[:1] == ")":
                return True, at - 2
            return True, at - 1
        return False, at
    if head.endswith("- ") or head.endswith("-" + THIN):
        if not head[:-2].strip() or head[:-2].rstrip()[-1:] in "=≈:{(":
            return True, at - 2
        return False, at
    if head.endswith("("):
        close = ")" if ")" in text[at:after] else text[after : after + 2].lstrip()[:1]
        # (5), $(5), (5)%: accounting. A word before it makes it an aside: "million (12%)".
        lead = head[:-1].rstrip()
        if close == ")" and (not lead or lead[-1] in "=≈:$€£¥(" or _VERB_BEFORE.search(lead)):
            return True, at - 1
        return False, at
    word = _MINUS_WORD.search(head)
    if word:
        return True, at - (len(head) - word.start())
    return False, at


_VERB_BEFORE = re.compile(r"(?:\b(?:is|was|are|were|of|by|to|be|equals|approximately|about)|为|是|约)$", re.I)


def _is_date(text: str, head: str, match: re.Match[str], after: int, noun: str) -> bool:
    chunk = match.group()
    if len(chunk) <= 2 or "," in chunk:
        if _MONTH_BEFORE.search(head) and noun not in ("year", "share"):
            return True
        if _MONTH_AFTER.match(text, match.end()):
            return True
        if _DATE_AFTER.match(text, match.end()) or re.search(r"\d[/-]$|\d[/-]\d{1,2}[/-]$", head):
            return True
    if len(chunk) == 4 and (
        _DATE_ISO.match(text, match.end()) or text[after - 1 : after] == "年" or head.endswith("/")
    ):
        return True
    if _ORDINAL.match(text, match.end()):
        return True
    # list numbers at the start of a line: "1. Identify", "2) Divide", "(3) Hence"
    return bool(
        len(chunk) <= 2
        and re.search(r"(?:^|\n)[\s#>*(]{0,6}$", head)
        and re.match(r"[.)、:]\s*(?=[^\d\s])", text[match.end() : match.end() + 4])
    )


def directed(quantity: Quantity, text: str) -> Quantity:
    """The quantity with the direction that the words around it in `text` give it.

    >>> directed(scan("decreased by 5%")[0], "decreased by 5%").direction
    -1
    """
    if quantity.direction or quantity.number < 0:
        return quantity
    stem = text[max(0, quantity.start - 90) : quantity.start].rstrip(" \"'([")
    direction = _direction(stem, text[quantity.end : quantity.end + 40])
    return replace(quantity, direction=direction) if direction else quantity


def _direction(stem: str, tail: str) -> int:
    if _DOWN_BEFORE.search(stem) or _DOWN_AFTER.match(tail):
        return -1
    if _UP_BEFORE.search(stem) or _UP_AFTER.match(tail):
        return 1
    return 0


def _shown(text: str, first: int, start: int, end: int, after: int, negative: bool, suffix: bool, currency: str) -> str:
    """The number with its sign and its percent sign or scale word; currency marks and nouns left out."""
    if negative and text[first] == "(" and text[start - 1 : start] != "-":
        inside, close, tail = text[start : after + 2].partition(")")
        return (
            "("
            + inside.strip()
            + close
            + (_MONEY_TAIL.sub("", tail[: max(0, after - start - len(inside) - 1)]) if suffix else "")
        ).strip()
    body = (
        (text[start:after] if suffix else text[start:end]).replace("^(", "^").rstrip(")")
        if "^(" in text[start:end]
        else text[start:after]
        if suffix
        else text[start:end]
    )
    if suffix and currency:
        body = _MONEY_TAIL.sub("", body)
    return ("-" if negative else "") + body.strip()


_MONEY_TAIL = re.compile(rf"[ \t]*(?:{_either(_CURRENCIES)})$", re.I)


def _in_words(text: str, start: int, end: int, value: Fraction, numeral: str, unit: Unit) -> Quantity:
    decimals = numerals.decimals_in(numeral)
    exact = value.denominator != 1 and not decimals
    scale, currency, noun, after = 1, "", "", end
    if not unit:
        unit, scale, currency, noun, after = _suffix(text, end, value)
        after = max(after, end)
    head = text[max(0, start - 90) : start]
    return Quantity(
        number=value,
        place=Fraction(0) if exact else Fraction(1, 10**decimals),
        digits=9,
        shown=text[start:after].strip(),
        start=start,
        end=after,
        unit=unit,
        scale=scale,
        currency=currency,
        noun=noun,
        bound=bool(_BOUND.search(head)),
        year=not unit and not currency and 1900 <= value <= 2100 and value.denominator == 1,
    )
