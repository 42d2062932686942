"""No reply breaks the grader: texts pieced together from everything that its tables and patterns know."""

from __future__ import annotations

import random
from typing import Any

import pytest

from finbench import grading
from finbench.audit.reply import applies, audit
from finbench.records import REASONS, Document
from finbench.tasks.documents import document_from_row
from finbench.text.quantities import directed, scan, words
from finbench.text.units import CURRENCIES, SCALES, UNITS

PHRASES = """
more than|at least|up to|less than|between|from|to|and|or|±|≈|~|约|超过|至少|不足|approximately
decreased by|fell|rose|up|down|a loss of|net income of|下降|增长|亏损|negative|minus|负|not|no longer
the answer is|final answer:|answer:|答案|答案是|故选|选|therefore|thus|so|wait,|actually|no,|correction:
\\boxed{|\\text{|\\frac{|\\dfrac{|}{|}|\\(|\\)|\\[|\\]|$|$$|\\%|\\times|\\approx|\\sqrt{|^|_{|\\,|{,}|**|`|```|####
<think>|</think>|<answer>|</answer>|<|im_end|>|{"answer": |"|}|[|]|(|)|,|;|:|.|..|=|==|-|--|+|*|/|×|÷|·|√|%|‰|'
A|B|C|D|ABCD|A、C|选项B|Option|是|否|yes|no|对|错|true|false|正确|错误|bullish|bearish|neutral|positive
cannot be determined|无法确定|it depends|n/a|nan|inf|∞|none|null|one|twelve|hundred|三百二十|百分之|分之|点五|万亿
years|months|shares|股|个月|天|quarter|note|page|fig.|step|第|section|[|#|s&p|fiscal|rating|of|than
0|1|5|12|42|94|1.64%|0.0164|1,234.5|12,34,567|1.234,5|1'234|2015|2014-2015|10/31/2014|31,2014|3:1|1e5|10^6|3²|⅓|１２|٣|5-6
"""
WORDS = (*CURRENCIES, *SCALES, *UNITS, "\n", "\t", *PHRASES.strip().replace("\n", "|").split("|"))
FOLDED = str.maketrans({"s": "ſ", "k": "\u212a", "i": "ı", "I": "İ", "-": "−", ",": "，", "%": "％", "A": "Ａ"})
QUESTIONS: tuple[dict[str, Any], ...] = (
    {"question": "what was the change in net sales, in percent?", "gold": "0.0164", "answer": {"kind": "number"}},
    {"question": "the total in millions of dollars?", "gold": "-94", "answer": {"kind": "number", "unit": "amount"}},
    {"question": "did sales exceed costs?", "gold": "yes", "answer": {"kind": "boolean"}},
    {
        "question": "哪些?",
        "gold": "AC",
        "answer": {"kind": "choice", "multi": True, "choices": dict(zip("ABC", "股债金"))},
    },
    {
        "question": "which?",
        "gold": "bullish",
        "answer": {"kind": "label", "classes": ["bearish", "bullish", "neutral"]},
    },
    {"question": "what is EBIT?", "gold": "earnings before interest and taxes", "answer": {"kind": "text"}},
)


def documents() -> list[Document]:
    table = [["year", "2015", "2014"], ["net sales", "5,829", "5,735"]]
    rows = (
        {"id": str(at), "table": table, "text": "net sales rose to $ 5,829", **row} for at, row in enumerate(QUESTIONS)
    )
    return [document_from_row(row, "finqa" if at < 2 else "t") for at, row in enumerate(rows)]


def pieced(chance: random.Random) -> str:
    parts = []
    for _ in range(chance.randint(1, 14)):
        word = chance.choice(WORDS)
        if chance.random() < 0.1:
            word = word.translate(FOLDED)
        if chance.random() < 0.1:
            word = word.upper()
        parts.append(word + chance.choice(("", " ", " ", " ", "\u3000", "\u202f")))
    return "".join(parts)


@pytest.mark.parametrize("seed", range(20))
def test_no_text_breaks_the_grader(seed: int) -> None:
    chance = random.Random(seed)
    asked = documents()
    for _ in range(100):
        text = pieced(chance)
        for quantity in scan(text) + words(text):
            assert 0 <= quantity.start < quantity.end <= len(text)
            directed(quantity, text)
        document = chance.choice(asked)
        verdict = grading.grade(document, text)
        assert verdict.reason in REASONS
        if applies(document):
            audit(document, text, verdict)
