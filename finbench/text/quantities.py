"""Text -> quantities: every number a text states, with its sign, unit, scale, currency and shown precision.

`scan` reads the ones in digits (digits.py) in order, `words` those in words; `whole` reads a text that is one quantity
and nothing else.
"""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction

from finbench.text import arithmetic, numerals
from finbench.text.digits import NUMBER, PER, Quantity, read
from finbench.text.normalize import THIN
from finbench.text.units import SCALES, UNIT_AFTER, UNITS, Unit, suffix
from finbench.text.wording import bound_before, direction_of

__all__ = ["Quantity", "directed", "scan", "whole", "words"]

_HAN_FRACTION = re.compile(
    r"(负?(?:[零〇一二两三四五六七八九十百]{1,6}|\d{1,6}))分之([零〇一二两三四五六七八九十百]{1,6}|\d{1,6})"
)
_HAN_PERCENT_WORDS = re.compile(
    r"(百分之|千分之|万分之)(负?[零〇一二三四五六七八九十百千两]+(?:点[零〇一二三四五六七八九]+)?)"
)


def scan(text: str, limit: int = 120) -> list[Quantity]:
    """The quantities of a text in order, written in digits, at most `limit`; numerals in words only after 百分之.

    >>> [q.shown for q in scan("fell 5 to $1,234.5 million (12%), see page 7")]
    ['5', '1,234.5 million', '12%', '7']
    """
    found: list[Quantity] = []
    end = 0
    for match in NUMBER.finditer(text):
        if match.start() < end:
            continue
        quantity = read(text, match)
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
                    _in_words(text, match.start(), match.end(), value * PER[match.group(1)], match.group(2), "percent")
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
    tree = arithmetic.parse(body)
    value = arithmetic.evaluate(tree) if tree else None
    if value is None:
        return None
    if re.fullmatch(r"\s*\d+(?:\.\d+)?%?\s*-\s*\d+(?:\.\d+)?%?\s*", body) and value < 0:
        return None  # 20-25 is a range, 2014-2015 two years
    if "%" in body:
        value, unit = value * 100, "percent"
    return Quantity(value, Fraction(0), 9, text, 0, len(text), unit=unit or "", scale=scale, currency=currency)  # type: ignore[arg-type]


def directed(quantity: Quantity, text: str) -> Quantity:
    """The quantity with the direction that the words around it in `text` give it.

    >>> directed(scan("decreased by 5%")[0], "decreased by 5%").direction
    -1
    """
    if quantity.direction or quantity.number < 0:
        return quantity
    lead = text[max(0, quantity.start - 90) : quantity.start].rstrip(" \"'")
    tail = text[quantity.end : quantity.end + 40]
    direction = direction_of(lead.rstrip(" \"'(["), tail)
    if not direction and lead.endswith("("):
        direction = direction_of(lead, tail)  # "it shrank by $147 million (2.9%)"
    return replace(quantity, direction=direction) if direction else quantity


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
        bound=bound_before(head),
        year=not unit and not currency and 1900 <= value <= 2100 and value.denominator == 1,
    )
