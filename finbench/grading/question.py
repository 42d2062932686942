"""What the wording of a question alone tells of the number it asks for: unit, scale, direction, currency, precision."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from finbench.text import lexicon
from finbench.text.normalize import normalise, plain


@dataclass(frozen=True, slots=True)
class _Sign:
    """What to look for in English and in Chinese; a match in an ASCII question holds one of the hints.

    Looking for the hints takes a tenth of the time. In `english`, one word boundary before all words that need one
    takes a third of the time of one before each.
    """

    hints: tuple[str, ...]
    english: re.Pattern[str]
    chinese: re.Pattern[str]

    def search(self, text: str) -> re.Match[str] | None:
        """A match in a text, or None."""
        if text.isascii():
            return self.english.search(text) if any(map(text.__contains__, self.hints)) else None
        return self.english.search(text) or self.chinese.search(text)


_NEVER = r"(?!)"


def _sign(hints: str, english: str, chinese: str = _NEVER) -> _Sign:
    """A sign from hints in one text, parted by a bar."""
    return _Sign(tuple(hints.split("|")) if hints else (), re.compile(english), re.compile(chinese))


SCALE_WORDS: dict[str, int] = {word: 10**power for word, power in lexicon.words("scale").items()}
_WORD = r"(hundred|thousand|million|billion|trillion|crore|lakh)s?"
_HAN = r"(万亿|十亿|千万|百万|亿|万|千)"
_SCALE = _sign(
    "hundred|thousand|million|billion|trillion|crore|lakh|(|usd|rmb|$",
    rf"\(?\b(?:in|of)\s+(?:\$|us\$|usd|u\.s\.|us|the)?\s*{_WORD}\b|\$\s*{_WORD}\b|\b(?:how many|number of|"
    rf"many)\s+{_WORD}\b|\b{_WORD}\s+of\s+(?:u\.?s\.?\s+)?(?:dollars|usd|\$|euros|shares|units|pounds|yuan)\b|"
    rf"\(\s*(?:\$|usd|us\$|€|rmb)?\s*(?:in\s+)?{_WORD}\b|\({{1}}\s*(?:in\s+)?\$?\s*(mm|mn|m|bn|b|k)\s*\)|"
    rf"\bin\s+(?:usd|rmb|\$)\s*(mm|mn|m|bn|b|k)\b",
)
_SCALE_HAN = _sign(
    "",
    _NEVER,
    rf"(?:多少|几|何|单位[:是为]?\s*(?:人民币)?|以|按|用)\s*(?:个)?{_HAN}(?:元|美元|股|吨|人|港元|欧元|户)?|"
    rf"\({_HAN}(?:元|美元|股|人民币|港元)?\)|(?:是|为)\s*[(]?\s*[)]?\s*{_HAN}元",
)
_PERCENT = _sign(
    "percent|per cent|%|pct|portion|share|fraction|rate|margin|cagr",
    r"\b(?:(?<!\d )(?<!\d)(?:percent(?:s|age|ages|ual|ile)?|per cent)\b(?!\s+points?\s+of)|"
    r"(?:pct|proportion|what (?:portion|share|fraction)|"
    r"(?:portion|fraction) of|growth rate|(?:gross|net|profit|operating|ebitda?|contribution)?\s*margin|rate of "
    r"(?:growth|change|increase|decrease|decline|return)|as a share of|cagr)\b)|(?<!\d)(?<!\d )%",
    r"百分之几|百分之多少|百分比|百分点|占比|比例|比重|增长率|增速|增幅|降幅|跌幅|涨幅|收益率|利润率|毛利率|"
    r"净利率|税率|利率|回报率|费用率|(?<!比)(?<!转)(?<!盈)(?<!市净)率(?:是|为|约|达)|率多少|率\?|率$",
)
_WEAK_PERCENT = _sign(
    "rate|yield|volatility|return|share|growth",
    r"\b(?:what|which|calculate|compute|determine|find|find out|the)\b[^?.,]{0,60}?\b(?:(?:tax|interest|discount|"
    r"effective|statutory|unemployment|inflation|default|dividend|depreciation|vacancy|occupancy|retention|"
    r"conversion|attrition|coupon|borrowing|"
    r"weighted[- ]average|return|forfeiture|volatility|yield|growth|loss|payout|utilization|charge-off|savings|"
    r"annual|annualized|capitalization)\s+rates?|yield|volatility|(?:total |cumulative |average |annual |"
    r"expected )*(?:shareholder |investment )?returns?(?! of capital)(?!s? on plan assets were)|market share|"
    r"growth)\b",
)
# "What is the five-year total return on ...?", but not "if $100,000 are invested" nor "the ratio of the returns".
_TOTAL_RETURN = _sign(
    "return",
    r"(?:\b(?:two|three|five|ten|\d{1,4})(?:[- ]years?)?|\bcumulative) total (?:(?:share|stock)holder )?returns?\b"
    r"(?!.*\binvested\b)",
)
_NOT_PERCENT = re.compile(
    r"\bexchange rate|\bper share\b|\bshares?\b.{0,20}\b(?:repurchas|issu|outstanding|grant|vest)|"
    r"\bgrowth (?:in dollars|amount)"
)
_RATIO = _sign(
    "ratio|times|multiple|turnover|how many x|in relation to",
    r"\b(?:ratio|represent(?:ed|s)? in relation to|times|multiple|turnover|how many x)\b",
    r"倍|周转率|比值|市盈率|市净率|流动比率|速动比率",
)
_COUNT = _sign(
    "how many|number of",
    r"\b(?:how many|number of)\b",
    r"多少(?:个|家|人|次|年|天|股|位|名|种|项)|几(?:个|家|人|次|年|天|种|项)",
)
_AMOUNT = _sign(
    "how much|$|dollar|usd|price|cost|revenue|income|expense|cash|asset|value|amount|total|balance|sales|debt|"
    "earnings|per share|payment|profit|liabilit",
    r"\b(?:(?:how much|dollars?|usd|price|costs?|revenues?|income|expenses?|cash|assets?|value|amounts?|total|balance|"
    r"sales|debt|earnings|per share|payments?|profits?)\b|liabilit)|\$",
    r"多少元|多少钱|金额|万元|亿元|美元|价格|收入|利润|成本|费用",
)
_DOWN = _sign(
    "declin|decreas|reduc|drop|fall|fell|los|shr|lower|saving|shortfall|deficit|outflow|write|impairment",
    r"\b(?:declin(?:e|ed|es|ing)|decreas(?:e|ed|es|ing)|reduc(?:e|ed|tion|tions)|drop(?:ped|s)?|fall|fell|fallen|"
    r"los[se]|lost|losses|shr(?:ink|ank|unk)|lower(?:ed)?|savings?|shortfall|deficit|outflows?|write-?(?:down|"
    r"off)s?|impairments?)\b",
    r"下降|下跌|减少|降低|亏损|跌幅|降幅|下滑|损失",
)
_CHANGE = re.compile(
    r"\b(?:chang(?:e|es|ed)|growth|grew|grow|difference|differ|variation|variance|fluctuat\w+|increas(?:e|ed|es|"
    r"ing)|rise|rose|gain|movement|swing|impact|effect|return|performance|delta|net (?:income|earnings|profit)|"
    r"exceed)\b|变化|变动|增长|增加|上升|差额|差异|同比|环比|涨幅|收益|波动|增减"
)
_UP_OR_DOWN = re.compile(
    r"increase\s*(?:or|/|\()\s*\(?decrease|decrease\s*(?:or|/|\()\s*\(?increase|gain\s*(?:or|/|\()\s*\(?loss|"
    r"profit\s*(?:or|/)\s*loss|增减"
)
_ASKED_CHANGE = re.compile(
    r"\b(?:change|difference|growth|variation|variance|increase|fluctuation|movement)\b|变化|变动|差额|增长|同比|"
    r"环比|增加"
)
_DECIMALS = _sign(
    "decimal|dp|d.p.|digit|nearest|closest",
    r"(\d{1,2}|zero|one|two|three|four|five|six)[\s-]+(?:decimal|dp\b|d\.p\.|digits? after)|"
    r"(?:nearest|closest)[\s-]+(hundredth|tenth|thousandth|whole|integer|percent|cent|dollar|million)",
)
_DECIMALS_HAN = _sign(
    "",
    _NEVER,
    r"(?:保留|精确到|四舍五入(?:到|至|保留)?|取|小数点后|至|"
    r"到)(?:小数点?后?)?\s*([一二两三四五六\d])\s*(?:位小数|位|个小数)|(保留整数|取整数?|精确到整数|精确到个位)",
)
_PRECISION_WORDS = {
    "hundredth": 2,
    "tenth": 1,
    "thousandth": 3,
    "whole": 0,
    "integer": 0,
    "percent": 0,
    "cent": 2,
    "dollar": 0,
    "million": 0,
}
_COUNT_WORDS = {
    "zero": 0,
    "one": 1,
    "two": 2,
    "three": 3,
    "four": 4,
    "five": 5,
    "six": 6,
    "一": 1,
    "二": 2,
    "两": 2,
    "三": 3,
    "四": 4,
    "五": 5,
    "六": 6,
}
_CURRENCY = (
    (_sign("$|usd|dollar", r"\b(?:us\$|(?:usd|u\.?s\.? dollars?|dollars?)\b)|(?<![A-Za-z])\$", "美元|美金"), "USD"),
    (_sign("eur", r"\beur(?:os?)?\b", "€|欧元"), "EUR"),
    (_sign("gbp|sterling", r"\b(?:gbp|sterling)\b", "£|英镑"), "GBP"),
    (_sign("jpy|yen", r"\b(?:jpy|yen)\b", "日元|円"), "JPY"),
    (_sign("inr|rupee|rs", r"\b(?:inr|rupees?|rs\.?(?=\s?\d))\b|₹"), "INR"),
    (_sign("rmb|cny|yuan", r"\b(?:rmb|cny|yuan)\b", "人民币|(?<![美欧日港])元"), "CNY"),
    (_sign("hkd|hk$", r"\bhkd\b|hk\$", "港元|港币"), "HKD"),
)
_TIME = _sign(
    "year|month|day|quarter|week",
    r"\b(?:how many|number of|in)\s+(?:\w+\s+){0,2}?(years?|months?|days?|quarters?|weeks?)\b|"
    r"\b(?:life|term|maturity|period|payback)\b[^?]{0,30}\bin\s+(years?|months?|days?)\b",
    r"多少(?:个)?(年|月|天|季度|周)|几(?:个)?(年|月|天|季度)",
)
_POINTS: tuple[tuple[_Sign, Literal["points", "bp"]], ...] = (
    (
        _sign(
            "bp|basis",
            r"(?:\bhow many|\bin|\bnumber of)\s+(?:bps?|basis points?)\b",
            r"(?:多少|几)个?(?:基点|bp)|以基点|单位[:是为]?\s*(?:基点|bp)",
        ),
        "bp",
    ),
    (
        _sign(
            "point", r"(?:\bhow many|\bin|\bnumber of|\bby what)\s+percent(?:age)?[- ]points?\b", "(?:多少|几)个?百分点"
        ),
        "points",
    ),
)
_PER_SHARE = _sign(
    "share|eps|price",
    r"\b(?:(?:earnings|dividends?|income|loss|book value|cash flow|price|sales|revenue)\s+per\s+(?:\w+\s+){0,3}?share|"
    r"eps|(?:stock|share|sale|closing|exercise|strike)\s+price)\b",
    r"每股(?:收益|股利|盈利|净资产|价格|现金流)",
)
_IN_YUAN = _sign("", _NEVER, r"(?:多少|几)(?:个)?(?:元|美元|港元|块钱)")  # not in 万元
_TOTAL = _sign("total|aggregate|million", r"\b(?:total|aggregate|millions?(?=[^.]*\?))\b", "总")
_LIMIT = _sign(
    "max|min|at least|at most|limit|cap|threshold|ceiling|floor|up to",
    r"\b(?:maximum|minimum|max|min|at least|at most|limits?|cap|threshold|ceiling|floor|up to)\b",
    r"最高|最低|最多|最少|上限|下限|至少|不得(?:超过|低于)|不超过|限额",
)
_MEASURES: tuple[tuple[_Sign, Literal["average", "total"]], ...] = (
    (_sign("average|mean", r"\b(?:average|mean)\b", "平均"), "average"),
    (_sign("total|sum", r"\b(?:total|sum)\b", "合计|总计|总额"), "total"),
)
_PERCENT_DOWN = _sign("percent", r"\bpercent(?:age)? (?:decline|decrease|drop|reduction|loss)")
_YEAR = _sign("year|when", r"\b(?:(?:which|what) (?:fiscal )?year|when (?:did|was|will|is))\b", "哪一?年")
_MONEY = _sign(
    "dollar|$|usd|price|cost|revenue|income|expense|cash|value|sales|debt|earning|payment|profit|fee",
    r"\b(?:dollars?|usd|prices?|costs?|revenues?|income|expenses?|cash|value|sales|debt|earnings|payments?|profits?|fees?)\b|\$",
    r"元|金额|收入|利润|成本|费用|円",
)
_HOW_MUCH = _sign(
    "how much|dollar",
    r"\bhow much (?!(?:did|has|have|percent|more|less|higher|lower|faster))|\bin (?:us )?dollars\b",
    r"多少元|多少钱",
)
_LOSS = _sign("loss", r"\bloss(?:es)?\b", "亏损")
_RATIO_OF = _sign("ratio of", r"\bratio of\b.{1,80}\bto\b")
_TIMES = {"年": "year", "月": "month", "天": "day", "季度": "quarter", "周": "week"}


@dataclass(frozen=True, slots=True)
class Words:
    percent: bool
    weak_percent: bool
    ratio: bool
    count: bool
    amount: bool
    scale: int | None
    direction: Literal["down", "change", ""]
    currency: str
    noun: str
    decimals: int | None
    year: bool
    loss: bool
    plain_ratio: bool
    points: Literal["points", "bp", ""]
    limit: bool
    measure: Literal["average", "total", ""]
    money: bool
    how_much: bool


@lru_cache(maxsize=4096)
def words(question: str) -> Words:
    """Everything that the wording alone tells (a question is graded many times: repeats, several models)."""
    if len(question) > 2000:
        question = question[:200] + " \n " + question[-1500:]
    text = plain(normalise(question)).lower()  # the patterns above are in lower case
    if len(text) > 500:
        text = text[:100] + " \n " + text[-400:]  # a context pasted before the question says little about it
    scale = None
    for pattern in (_SCALE, _SCALE_HAN):
        if match := pattern.search(text):
            scale = SCALE_WORDS[next(group for group in match.groups() if group).lower().rstrip("s")]
            break
    each = _PER_SHARE.search(text) and not _TOTAL.search(text) and not _COUNT.search(text)
    if scale is None and (each or _IN_YUAN.search(text)):
        scale = 1
    either_way = bool(_UP_OR_DOWN.search(text))
    down = bool(_DOWN.search(text)) and not either_way and not _ASKED_CHANGE.search(text)
    if _PERCENT_DOWN.search(text) and not either_way:
        down = True
    change = bool(_CHANGE.search(text)) or either_way
    currency = next((code for pattern, code in _CURRENCY if pattern.search(text)), "")
    time = _TIME.search(text)
    noun = ""
    if time:
        word = next(group for group in time.groups() if group).lower()
        noun = _TIMES.get(word) or word.rstrip("s")
    return Words(
        percent=bool(_PERCENT.search(text) or (_TOTAL_RETURN.search(text) and not _RATIO.search(text))),
        weak_percent=bool(_WEAK_PERCENT.search(text)) and not _NOT_PERCENT.search(text),
        ratio=bool(_RATIO.search(text)),
        count=bool(_COUNT.search(text)),
        amount=scale is not None or bool(_AMOUNT.search(text)),
        scale=scale,
        direction="down" if down else "change" if change else "",
        currency=currency,
        noun=noun,
        decimals=_decimals(text),
        year=bool(_YEAR.search(text)),
        loss=bool(_LOSS.search(text)),
        plain_ratio=bool(_RATIO_OF.search(text)),
        points=next((unit for pattern, unit in _POINTS if pattern.search(text)), ""),
        limit=bool(_LIMIT.search(text)),
        measure=next((name for pattern, name in _MEASURES if pattern.search(text)), ""),
        money=bool(currency or _MONEY.search(text)),
        how_much=bool(_HOW_MUCH.search(text)),
    )


def _decimals(text: str) -> int | None:
    if match := _DECIMALS.search(text):
        count, place = match.groups()
        if count:
            return _COUNT_WORDS[count] if count in _COUNT_WORDS else min(12, int(count))
        return _PRECISION_WORDS[place]
    if match := _DECIMALS_HAN.search(text):
        if match.group(2):
            return 0
        digit = match.group(1)
        return _COUNT_WORDS[digit] if digit in _COUNT_WORDS else min(12, int(digit))
    return None
