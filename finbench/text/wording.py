"""What the words around a number say of it: its sign and direction, whether it is a bound, a date or a reference."""

from __future__ import annotations

import re

from finbench.text.lexicon import pattern, words
from finbench.text.normalize import THIN

_MINUS_WORD = pattern(r"<minus>[\s\"'$]{0,3}$")
# What may stand between a verb and its number; and "a drop of 487 million, or 2.1%": the first number passes the word on.
_FILLER = (
    r"(?:\s*<filler>)*[\s*$]*"
    r"(?:[\d,.]{1,20}%?\s?(?:<scale_word>)?(?:\s?<money_word>)?(?:,?\s*<or.word>|,\s*(?:<or.word>|即|约)?|\s*\()"
    r"\s*(?:by|<about>)?[\s*$]*)?$"
)
_IN_THE = r"(?:\s+(?:in|of)\s+(?:the\s+)?(?!\d)[a-z][a-z' -]{2,40}?\s+(?:of|by|was|is))?"
_DOWN_BEFORE = pattern(rf"<fall>{_IN_THE}{_FILLER}")
_UP_BEFORE = pattern(rf"<rise>{_FILLER}")
_AFTER = r"[\s*(]{0,4}(?:(?:net|overall|annual|total|year-over-year|percentage)\s+)?"
_DOWN_AFTER = pattern(
    rf"(?:\s*(?:<scale_word>|dollars|円))*{_AFTER}<fall_after>(?!\s+than\s+(?:expected|\d)|\s*\d|去|少)"
)
_UP_AFTER = pattern(rf"{_AFTER}<rise_after>(?!\s*\d|加值)")
_STEM = 3  # letters of a word of direction that are looked for before its pattern is tried


def _stems(*names: str) -> tuple[str, ...]:
    return tuple({word[:_STEM] if word.isascii() else word for name in names for word in words(name)})


_DOWN_STEMS, _UP_STEMS = _stems("fall"), _stems("rise")
_TURNS = _stems("fall", "rise", "fall_after", "rise_after")
_BOUND_BEFORE = pattern(
    r"(?:(?<!add )(?<!adds )(?<!added )(?<!adding )<bound.before>|"
    r"(?<![-=>\n])(?<!^)[<>≥≤]=?(?!>)|(?:^|(?<=\n))[<≥≤]=?)"  # at the start of a line, ">" quotes
    r"(?:\s+or\s+equal\s+to)?[\s$€£¥*]*$"
)
_BOUND_ENDS = (*{word.rsplit(" ", 1)[-1] for word in words("bound.before")}, *"to < > ≥ ≤ =".split())
_LOOSE = "".join(filter(str.isspace, map(chr, range(0x3001)))) + "$€£¥*"
BOUND_AFTER = pattern(r"\s{0,2}(?:\+(?!\s*[\d(])|<bound.after>)")
_REFERENCE_BEFORE = pattern(r"<reference>\.?\s{0,2}$")
_REFERENCE_ENDS = (*words("reference"), *(f"{word}." for word in words("reference") if word.isascii()), "year")
_MONTH_BEFORE = pattern(r"<month>\.?\s{0,2}$")
_MONTH_AFTER = pattern(r"(?:st|nd|rd|th)?\s{1,2}(?:of\s+)?<month>")
ORDINAL = re.compile(r"(?:st|nd|rd|th)\b", re.I)
DATE_AFTER = re.compile(r"[/-]\d{1,2}[/-]\d{2,4}\b")
_DATE_BEFORE = re.compile(r"\d[/-]$|\d[/-]\d{1,2}[/-]$")
_LINE_BEFORE = re.compile(r"(?:^|\n)[\s#>*(]{0,6}$")
_DATE_ISO = re.compile(r"-\d{1,2}-\d{1,2}\b")


# Patterns that end where a number begins cost microseconds per character before it, for every number of a reply: each is
# tried only on as much text as it can take up, or only where one of its words stands.


def bound_before(text: str) -> bool:
    """Does the text before a number make it a bound ("more than", "up to")?"""
    ends = text.rstrip(_LOOSE).lower().endswith(_BOUND_ENDS)
    return ends and bool(_BOUND_BEFORE.search(text))


def reference_before(text: str) -> bool:
    """Does the text before a number make it the name of something (a page, a note, a step)?"""
    return text.rstrip().lower().endswith(_REFERENCE_ENDS) and bool(_REFERENCE_BEFORE.search(text))


def negative_from(text: str, head: str, at: int, after: int, money: bool) -> tuple[bool, int]:
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
    word = _MINUS_WORD.search(head, max(0, len(head) - 16))
    if word:
        return True, at - (len(head) - word.start())
    return False, at


_VERB_BEFORE = re.compile(r"(?:\b(?:is|was|are|were|of|by|to|be|equals|approximately|about)|为|是|约)$", re.I)


def is_date(text: str, head: str, match: re.Match[str], after: int, noun: str) -> bool:
    chunk = match.group()
    if len(chunk) > 7:  # "31,2014" is the longest date in digits that a number can swallow
        return False
    if len(chunk) <= 2 or "," in chunk:
        if _MONTH_BEFORE.search(head, max(0, len(head) - 16)) and noun not in ("year", "share"):
            return True
        if _MONTH_AFTER.match(text, match.end()):
            return True
        if DATE_AFTER.match(text, match.end()) or _DATE_BEFORE.search(head, max(0, len(head) - 8)):
            return True
    if len(chunk) == 4 and (
        _DATE_ISO.match(text, match.end()) or text[after - 1 : after] == "年" or head.endswith("/")
    ):
        return True
    if ORDINAL.match(text, match.end()):
        return True
    # list numbers at the start of a line: "1. Identify", "2) Divide", "(3) Hence"
    return bool(
        len(chunk) <= 2
        and _LINE_BEFORE.search(head, max(0, len(head) - 16))
        and re.match(r"[.)、:]\s*(?=[^\d\s])", text[match.end() : match.end() + 4])
    )


def turns(text: str) -> bool:
    """Can `direction_of` find anything anywhere in a text? Looking for the words takes a twentieth of the time."""
    low = text.lower()
    return any(map(low.__contains__, _TURNS))


def direction_of(stem: str, tail: str) -> int:
    """-1 or 1 when the words before or after a number say that something fell or rose, else 0."""
    low = stem.lower()
    if (any(map(low.__contains__, _DOWN_STEMS)) and _DOWN_BEFORE.search(stem)) or _DOWN_AFTER.match(tail):
        return -1
    if (any(map(low.__contains__, _UP_STEMS)) and _UP_BEFORE.search(stem)) or _UP_AFTER.match(tail):
        return 1
    return 0
