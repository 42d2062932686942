"""What the words around a number say of it: its sign and direction, whether it is a bound, a date or a reference."""

from __future__ import annotations

import re

from finbench.text.normalize import THIN

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
    r"shortfall|underperform(?:ed)?|narrow(?:ed)?|cuts?)|下降|下跌|减少|降低|下滑|亏损|净亏损|跌|缩减|回落|降)"
    r"(?:\s+(?:in|of)\s+(?:the\s+)?(?!\d)[a-z][a-z' -]{2,40}?\s+(?:of|by|was|is))?" + _FILLER,
    re.I,
)
_DOWN_STEMS = tuple(
    "decreas declin drop fell fall reduc down shr los lower contract outflow deficit slid slip decrement shortfall "
    "underperform narrow cut 降 跌 减 低 滑 亏 落".split()
)
_UP_BEFORE = re.compile(
    r"(?:\b(?:increas(?:e|ed|es|ing)|rose|profits?|net income|surplus|ris(?:e|en|es)|grew|grow(?:n|s|th)?|"
    r"gain(?:ed|s)?|up|higher|climbed|jumped|"
    r"expand(?:ed)?|improv(?:ed|ement))|增长|上升|增加|上涨|提高|提升|涨)" + _FILLER,
    re.I,
)
_UP_STEMS = (
    *"increas rose profit surplus ris grew grow gain up higher climb jump expand improv 增 升 涨 提".split(),
    "net income",
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
_TURNS = (*_DOWN_STEMS, *_UP_STEMS, "less", "below")
_BOUND_BEFORE = re.compile(
    r"(?:\b(?:more|less|greater|fewer|higher|lower|larger|smaller|bigger|better)\s+than|\bat\s+(?:least|most)|"
    r"\b(?:over|above|below|under|"
    r"exceed(?:s|ed|ing)?|(?<!add )(?<!adds )(?<!added )(?<!adding )up\s+to|"
    r"no\s+(?:more|less|fewer)\s+than|not\s+(?:more|less)\s+than|in\s+excess\s+of|"
    r"a\s+maximum\s+of|"
    r"a\s+minimum\s+of|upwards\s+of)|(?<![-=])[<>≥≤]=?|超过|高于|低于|大于|小于|不到|不足|至少|至多|最多|不超过|"
    r"不低于|少于|多于|不少于)"
    r"(?:\s+or\s+equal\s+to)?[\s$€£¥*]*$",
    re.I,
)
_BOUND_ENDS = tuple(
    "than least most over above below under exceed exceeds exceeded exceeding to of < > ≥ ≤ =".split()
) + tuple("过于到足少多")
_LOOSE = "".join(filter(str.isspace, map(chr, range(0x3001)))) + "$€£¥*"
BOUND_AFTER = re.compile(
    r"\s{0,2}(?:\+(?!\s*[\d(])|or\s+(?:more|less|higher|lower|greater|above|below)\b|(?:and|&)\s+(?:above|"
    r"over)\b|以上|以下|以内)",
    re.I,
)
_REFERENCES = (
    "page pages p. pp. note notes table figure fig. section step item row column line chapter exhibit form part appendix "
    "question problem footnote paragraph equation eq. no. number example rule option statement scenario case method level "
    "tier class series phase s&p russell nasdaq ifrs ias asc asu sfas fas fin top quarter q fy fiscal version v"
).split()
_REFERENCE_MARKS = ("第", "表", "图", "注", "步骤", "[", "#")
_REFERENCE_BEFORE = re.compile(
    rf"(?:\b(?:{'|'.join(map(re.escape, _REFERENCES))}|fiscal\s+year)|{'|'.join(map(re.escape, _REFERENCE_MARKS))})"
    r"\s{0,2}$",
    re.I,
)
_REFERENCE_ENDS = (*_REFERENCES, *_REFERENCE_MARKS, "year")
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
