"""Text -> quantities: every number a text states, with its sign, unit, scale, currency and shown precision.

`scan` reads all of them in order; `whole` reads a text that is one quantity and nothing else. Values are Fractions,
never floats. Digits and exponents are bounded before any arithmetic.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from fractions import Fraction

from finbench import closed_form, numerals
from finbench.characters import THIN
from finbench.units import CURRENCIES, GAP, MONEY_BEFORE, MONEY_TAIL, SCALES, UNIT_AFTER, UNITS, Unit, compound, suffix
from finbench.wording import (
    BOUND_AFTER,
    BOUND_BEFORE,
    DATE_AFTER,
    ORDINAL,
    REFERENCE_BEFORE,
    direction_of,
    is_date,
    negative_from,
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
_NUMBER = re.compile(
    r"\d{1,3}(?:,\d{3})+(?!\d)(?:\.\d+(?!\d))?(?!,?\d|\.\d)"  # 1,234,567.8
    r"|\d{1,2}(?:,\d{2})+,\d{3}(?!\d)(?:\.\d+)?"  # 12,34,567
    rf"|\d{{1,3}}(?P<gap>[{THIN}' ])\d{{3}}(?:(?P=gap)\d{{3}})*(?!\d|(?P=gap)\d)(?:[.,]\d+(?!\d))?(?![.,]?\d)"  # 1'234.5
    r"|\d{1,3}(?:\.\d{3})+,\d+(?!\d)"  # 1.234,5
    r"|\d{1,3}(?:\.\d{3}){2,}(?![\d.,])"  # 1.234.567
    r"|\d{1,3}(?:,\d{3})+(?!\d)(?:\.\d+)?"
    r"|\d+,(?:\d{1,2}|\d{4,})(?![\d,.])"  # 14,2
    r"|0,\d+(?![\d,.])"
    r"|\d+(?:\.\d+)?"
    r"|\.\d+"
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
_HAN_FRACTION = re.compile(
    r"(负?(?:[零〇一二两三四五六七八九十百]{1,6}|\d{1,6}))分之([零〇一二两三四五六七八九十百]{1,6}|\d{1,6})"
)
_HAN_PERCENT = re.compile(r"(百分之|千分之|万分之)\s{0,2}$")
_HAN_PERCENT_WORDS = re.compile(
    r"(百分之|千分之|万分之)(负?[零〇一二三四五六七八九十百千两]+(?:点[零〇一二三四五六七八九]+)?)"
)
_PER = {"百分之": Fraction(1), "千分之": Fraction(1, 10), "万分之": Fraction(1, 100)}
_CODE = re.compile(r"(?:us\$|hk\$|[a-z]{0,2}\$|usd|eur|gbp|jpy|cny|rmb|hkd|cad|aud|chf|inr|krw)$", re.I)


def scan(text: str, limit: int = 120) -> list[Quantity]:
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
        for match in _HAN_FRACTION.finditer(text):
            below, above = (Fraction(part) if part.isdigit() else numerals.chinese(part) for part in match.groups())
            if below and above is not None and match.group(1) not in ("百", "千", "万"):
                found = [q for q in found if q.end <= match.start() or q.start >= match.end()]
                found.append(
                    replace(_in_words(text, *match.span(), above / below, match.group(), ""), place=Fraction(0))
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
            if (
                len(match.group()) == 1
                and match.group() in "一二两十百千万亿"
                and not UNIT_AFTER.match(text, match.end())
            ):
                continue  # "一" is mostly an article
            value = numerals.chinese(match.group())
            if value is not None:
                found.append(_in_words(text, match.start(), match.end(), value, match.group(), ""))
    for match in numerals.ENGLISH.finditer(text):
        if match.group().lower() in numerals.LARGE:
            continue  # "XX million"
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


_TWICE = re.compile(r"[\d%]\s+\(|%\s*\(|\d\s*\([\d.,]+\s*%\s*\)\s*$")


def _closed(text: str) -> Quantity | None:
    if not re.search(r"[-+*/^×÷·√(]|sqrt", text) or not re.search(r"\d", text):
        return None
    if _TWICE.search(text):
        return None  # "0.142 (14.2%)" says one value twice
    body = text.lstrip("$").replace("$", "").replace(THIN, "")
    scale, unit, currency = 1, "", "USD" if "$" in text else ""
    tail = re.search(r"(?<=[\d)])\s*(thousand|million|billion|trillion|percent|times|x)$", body, re.I)
    if tail:
        word = tail.group(1).lower()
        scale, unit = SCALES.get(word, 1), UNITS.get(word, "")
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
    if _INSIDE.search(before):
        return None  # an exponent, the argument of a function
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
    raised = _RAISED_TO.match(text, end)
    if not power and not raised and _NOT_PLAIN.match(text, end):
        return None
    if raised:
        number **= int(raised[0].translate(_RAISED))
        place, end = place if number else Fraction(0), raised.end()
    elif power:
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
        elif over and not DATE_AFTER.match(text, match.end()):
            below = Fraction(over.group(1).replace(",", ""))
            if not below:
                absurd = True
            else:
                number, place, digits, end, year = number / below, Fraction(0), 9, over.end(), False
    if last == "(" and (closed := _CLOSED.match(text, end)) and suffix(text, closed.end(), number)[4] > closed.end():
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
    if (money := MONEY_BEFORE.search(head)) is not None:
        currency = currency or CURRENCIES[money.group(1).lower()]
        head = head[: money.start()]
    negative, first = negative_from(text, head, start - (len(before) - len(head)), after, bool(money))
    if not money and negative and (money := MONEY_BEFORE.search(text[max(0, first - 12) : first])) is not None:
        currency = currency or CURRENCIES[money.group(1).lower()]  # $-5
    if prefix := _HAN_PERCENT.search(before):
        unit, number, place = "percent", number * _PER[prefix.group(1)], place * _PER[prefix.group(1)]
        first = start - (len(before) - prefix.start())
        start = first
    stem = text[max(0, first - 90) : first].rstrip(" \"'([") if first < start else head
    reference = (
        not unit
        and not currency
        and (bool(REFERENCE_BEFORE.search(head[-24:])) or is_date(text, head, match, after, noun))
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
        bound=bool(BOUND_BEFORE.search(stem[-40:])) or bool(BOUND_AFTER.match(text, after)),
        year=year,
        reference=reference,
        absurd=absurd,
    )
    return quantity


def directed(quantity: Quantity, text: str) -> Quantity:
    """The quantity with the direction that the words around it in `text` give it.

    >>> directed(scan("decreased by 5%")[0], "decreased by 5%").direction
    -1
    """
    if quantity.direction or quantity.number < 0:
        return quantity
    stem = text[max(0, quantity.start - 90) : quantity.start].rstrip(" \"'([")
    direction = direction_of(stem, text[quantity.end : quantity.end + 40])
    return replace(quantity, direction=direction) if direction else quantity


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


_CLOSING_SCALE = re.compile(r"(?<=.)(million|billion|trillion|万|亿)$", re.I)


def _in_words(text: str, start: int, end: int, value: Fraction, numeral: str, unit: Unit) -> Quantity:
    decimals = numerals.decimals_in(numeral)
    exact = value.denominator != 1 and not decimals
    scale, currency, noun, after = 1, "", "", end
    if not unit:
        unit, scale, currency, noun, after = suffix(text, end, value)
        after = max(after, end)
        if closing := _CLOSING_SCALE.search(numeral):
            factor = SCALES[closing.group(1).lower()]
            value, scale = value / factor, scale * factor
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
        bound=bool(BOUND_BEFORE.search(head)),
        year=not unit and not currency and 1900 <= value <= 2100 and value.denominator == 1,
    )
