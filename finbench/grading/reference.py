"""How much of a free-text reference a reply contains: a deterministic stand-in where no judge is at hand.

The score is ours. It is no accuracy, and it does not compare with a judged column such as the reported
Finance-Instruct-500K scores: a right answer in other words scores low, a wrong one in the reference's words high.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from typing import Any

from finbench.grading.reply import without_thinking
from finbench.records import Document, Grade

LONGEST = 8_000  # characters compared of either text; chrF needs about a millisecond per 1,000
SHORT = 12  # up to so many content words a reference is a fact, and length of the reply must not count against it
_NUMBER = re.compile(r"(?<![\w.])\d+(?:,\d{3})*(?:\.\d+)?")
_WORD = re.compile(r"[\u4e00-\u9fff]|[^\W_\u4e00-\u9fff]+(?:[.,]\d+)*")
# "not" is no filler: it turns a fact around
_FILLER_TEXT = (
    "a an the of to in on at by for from with and or is are was were be been it its this that these those as has have "
    "had"
)
_FILLERS = frozenset(_FILLER_TEXT.split())


def reference_score(reference: str, reply: str) -> float:
    """Between 0 (nothing of the reference) and 1: the mean of two parts, or one of them where the other has nothing.

    Figures: the share of the reference's numbers that the reply states. Wording: for a short reference the share of
    its content words in the reply, for a longer one chrF (character n-grams up to 6, beta 2; sacrebleu).

    >>> reference_score("The margin is 14%.", "It is 14 percent: 84 / 600, the margin asked for.")
    1.0
    >>> reference_score("Credit risk.", "")
    0.0
    """
    wanted, given = reference[:LONGEST].strip(), reply[:LONGEST].strip()
    if not wanted or not given:
        return 0.0
    figures, words = _figures(wanted), _content(wanted)
    parts = [len(figures & _figures(given)) / len(figures)] if figures else []
    if words or not figures:
        parts.append(_wording(wanted, given, words))
    return sum(parts) / len(parts)


def with_reference(document: Document, verdict: Grade, text: str) -> Grade:
    """The verdict on a free-text reply with the score of its answer part (0..1) as the metric `reference`."""
    answer = without_thinking(text)
    score = max(reference_score(gold.text, answer) for gold in document.golds)
    return replace(verdict, metrics={**verdict.metrics, "reference": round(score, 6)})


def _wording(wanted: str, given: str, words: set[str]) -> float:
    if words and len(words) <= SHORT:
        return len(words & _content(given)) / len(words)
    return float(_chrf().sentence_score(given, [wanted]).score) / 100


def _figures(text: str) -> set[str]:
    """The numbers of a text without grouping and trailing zeros: "1,000.50" and "1000.5" are one figure."""
    return {_plain(match.replace(",", "")) for match in _NUMBER.findall(text)}


def _plain(number: str) -> str:
    return number.rstrip("0").rstrip(".") if "." in number else number


def _content(text: str) -> set[str]:
    """Words in lower case, Chinese characters one by one, without fillers and numbers (those are figures)."""
    return {word for word in _WORD.findall(text.lower()) if word not in _FILLERS and not word[0].isdigit()}


@cache
def _chrf() -> Any:
    from sacrebleu.metrics.chrf import CHRF

    return CHRF()
