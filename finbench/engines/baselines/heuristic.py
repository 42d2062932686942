"""The rules of `baseline/heuristic`: what can be reached without a model, one set of rules per kind of answer.

Only what a prompt shows is looked at (question, context, options, table, text, earlier turns), never a gold.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from finbench.engines.baselines import dialogue_rules, page_rules
from finbench.engines.baselines.page_figures import content
from finbench.records import Document

_CHINESE = re.compile(r"[\u4e00-\u9fff]")


def attempt(document: Document) -> tuple[str, str]:
    """(answer, how it was found); always an answer, if only a guess."""
    kind = document.answer.kind
    if kind == "choice":
        return choose(document.answer.choices, document.question, str(document.row.get("context") or ""))
    if kind == "label":
        return name_class(document)
    if kind == "text" or kind == "lm_eval":
        return extract(document.question), "Taken from the question."
    if not document.row.get("table") and kind == "boolean":
        return decide(document.question, str(document.row.get("instruction") or ""))
    if history := document.row.get("history"):
        found = dialogue_rules.attempt_turn(document.question, history, document.row)
    else:
        found = page_rules.attempt(document.question, document.row)
    if found is None:
        return "0" if kind == "number" else "yes", "No rule fits the question."
    return found.answer, f"Calculation: {found.calculation}."


# -- choices -----------------------------------------------------------------------------------------------------------


def choose(choices: Mapping[str, str], question: str, context: str) -> tuple[str, str]:
    """The letter of an option that stands in the question or the context word for word (the longest such), else of the
    one whose character pairs the context holds best, else of the longest option."""
    if not choices:
        return "A", "No options are shown."
    if feeling := _by_feeling(choices, question):
        return feeling, "By the words for up and down."
    quoted = [letter for letter, text in choices.items() if text.strip("。. ") in question + context]
    if quoted:
        return max(quoted, key=lambda letter: len(choices[letter])), "This option is quoted from the text."
    if context:
        held = _pairs(context)
        shares = {letter: len(_pairs(text) & held) / max(len(_pairs(text)), 1) for letter, text in choices.items()}
        return max(shares, key=shares.__getitem__), "This option shares most with the context."
    return max(choices, key=lambda letter: len(choices[letter])), "This option says most."


_FEELINGS = {"利好": 1, "积极": 1, "中性": 0, "利空": -1, "消极": -1}
_GOOD = re.compile("涨|升|增|高|赚|盈|乐观|反弹|走强|中标|获批|不错|稳|满意|信心|成功")
_BAD = re.compile("跌|降|减|低|亏|损|悲观|走弱|下滑|处罚|失望|担心|焦虑|失败|风险|困难|压力|糟|差")


def _by_feeling(choices: Mapping[str, str], question: str) -> str | None:
    """The option for good, bad or neither by the words of the question, where the options are just these."""
    letters = {_FEELINGS[text]: letter for letter, text in choices.items() if text in _FEELINGS}
    balance = len(_GOOD.findall(question)) - len(_BAD.findall(question))
    return letters.get((balance > 0) - (balance < 0)) if len(letters) == 3 else None


def _pairs(text: str) -> set[str]:
    return {text[i : i + 2] for i in range(len(text) - 1)}


# -- 是 and 否 -------------------------------------------------------------------------------------------------------

_IMPROPER = re.compile(
    "内幕|内部(?!控)|隐瞒|操纵|虚假|伪造|欺骗|误导|规避|逃避|洗钱|保证收益|承诺|泄露给|未公开|违规|不正当|贿赂|夸大|"
    "(?:提供|透露|分享|告诉|发给).{0,12}(?:我|一下)|客户(?:名单|数据|信息|资料)|其他客户|竞争对手|绕过|故意|秘密"
)
_FINANCE = re.compile(
    "基金|股|债|理财|保险|银行|贷|利率|利息|汇率|外汇|期货|期权|指数|行情|大盘|收益|投资|持仓|涨|跌|黄金|账户|养老金|证券|"
    "信用卡|花呗|借呗|余额宝|定投|净值|资产|资金|市值|财报|上市|通胀|货币|A股|港股|美股|ETF|QDII|交易|分红|赎回|申购|板块"
)
_FALSE = re.compile("所有|一定|必然|永远|完全|唯一|从不|绝对|任何|没有|不会|不需要|只有|最大|最多|保证")


def decide(question: str, instruction: str) -> tuple[str, str]:
    """Yes or no, by words that speak for one of them under the instruction; yes where none does."""
    if not _CHINESE.search(question):
        return "yes", "Without a rule for this question."
    if "领域" in instruction:
        return ("是", "有金融词语。") if _FINANCE.search(question) else ("否", "没有金融词语。")
    if "事实" in instruction:
        return ("否", "说法过于绝对。") if _FALSE.search(question) else ("是", "没有绝对化的说法。")
    return ("否", "有不当的词语。") if _IMPROPER.search(question) else ("是", "没有不当的词语。")


# -- labels ------------------------------------------------------------------------------------------------------------

_UP = re.compile(
    r"\b(?:beats?|tops?|topped|raises?d?|boosts?|boosted|hikes?|lifts?|lifted|jump\w*|surg\w+|soar\w*|rall(?:y|ies|ied)|"
    r"gain\w*|ris(?:e|es|ing)|rose|climb\w*|rebound\w*|higher|upgrad\w+|outperform\w*|overweight|bullish|buy rating|"
    r"to buy|record (?:high|profit|revenue|sales|close)|strong\w*|growth|grows?|grew|wins?|approv\w+|upbeat|optimis\w+|"
    r"exceed\w*|upside|positive|better[- ]than[- ]expected|up \d[\d.]*%|all[- ]time high|accelerat\w+|profit rises)\b"
)
_DOWN = re.compile(
    r"\b(?:miss(?:es|ed)?|cuts?|slash\w*|lowers?|lowered|falls?|fell|falling|drop\w*|slid\w*|slump\w*|plung\w+|"
    r"sink\w*|sank|tumbl\w+|declin\w+|lower|downgrad\w+|underperform\w*|underweight|bearish|sell rating|to sell|"
    r"warn\w*|weak\w*|loss(?:es)?|loses?|lost|layoffs?|bankrupt\w*|probe|lawsuit|fraud|recall\w*|suspend\w*|"
    r"pulls? (?:outlook|guidance)|withdraw\w*|slow\w*|shrink\w*|negative|fears?|worr\w+|crash\w*|down \d[\d.]*%|"
    r"worse[- ]than|disappoint\w*|halts?|delay\w*|concerns?|below|short(?:fall| seller| report)|hit by|pressure\w*)\b"
)
_PLAIN = re.compile(
    r"\b(?:transcript|presentation|presents at|to watch|what to|how to|why|opinion|podcast|declares)\b|\?$"
)


def name_class(document: Document) -> tuple[str, str]:
    """bearish, bullish or neutral by a small lexicon; for other classes the one that the text names, else the first."""
    classes = document.answer.classes
    text = document.question.lower()
    if {"bearish", "bullish"} <= set(classes):
        return tone(text), "By the words of a small lexicon."
    return next((name for name in classes if name in text), classes[0]), "Named in the text."


def tone(text: str) -> str:
    """The direction that a headline speaks of; a headline that only announces something has none.

    >>> tone("$nvlo cuts its outlook"), tone("$kite upgraded to buy"), tone("annual report filed")
    ('bearish', 'bullish', 'neutral')
    """
    if _PLAIN.search(text):
        return "neutral"
    up, down = len(_UP.findall(text)), len(_DOWN.findall(text))
    if up == down:
        return "neutral"
    return "bullish" if up > down else "bearish"


# -- free text ---------------------------------------------------------------------------------------------------------

_SENTENCE = re.compile(r"[^.!?。！？\n]+[.!?。！？]?")
_TONES = {"bullish": "positive", "bearish": "negative", "neutral": "neutral"}


def extract(question: str, count: int = 3) -> str:
    """The sentences of the question's material that share most words with what it asks; a tone where one is asked."""
    if re.search(r"\b(?:sentiment|tone)\b", question.lower()):
        return _TONES[tone(question.lower())]
    sentences = [found.strip() for found in _SENTENCE.findall(question) if found.strip()]
    asking = [s for s in sentences if s[-1] in "?？"] or sentences[:1]
    material = [s for s in sentences if s not in asking] or sentences
    wanted = content(" ".join(asking))
    ranked = sorted(material, key=lambda s: -len(content(s) & wanted))[:count]
    return " ".join(s for s in material if s in ranked)
