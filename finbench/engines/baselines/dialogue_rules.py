"""Rules for a question that builds on earlier ones: arithmetic on the answers already given, else the page.

Short follow-ups ("and in 2005?", "what was the difference?") name neither figure nor row. The first kind takes its
words from the question before, the second its numbers from the last two answers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from finbench.engines.baselines.page_figures import OPERATION_WORDS, FigureWords, ReadPage, content, word_set
from finbench.engines.baselines.page_rules import FoundFigure, attempt, look_up, show

_VAGUE = word_set("that this it those these two both latter former corresponding respective net overall answer")
_DIVIDES = r"divid|ratio|percent|portion|proportion|how much does|represent|rate|over the|in relation|fraction|growth"
_SUBTRACTS = r"differ|change|subtract|less|minus|increase|decrease|declin|fluctuat|grow|more|net of|variation"
_ADDS = r"sum|total|combined|add|plus|together|altogether|aggregate"
_NUMBER = re.compile(r"-?(?:\d[\d,]*(?:\.\d+)?|\.\d+)")
_LITERAL = re.compile(r"(divided by|over|times|multiplied by|plus|less|minus) \$? ?(\d[\d,]*(?:\.\d+)?)(?! ?%)\b")


def attempt_turn(question: str, history: Sequence[Mapping[str, str]], row: Mapping[str, Any]) -> FoundFigure | None:
    """The answer to a turn, given earlier turns (`question`, `answer`) and the page."""
    asked = FigureWords.read(question)
    page = ReadPage(row)
    own = asked.words - OPERATION_WORDS - _VAGUE
    known = {word for word in own if word in page.weight}
    if not known or (asked.says(r"\b(that|this|these|those)\b") and len(known) < 3):
        numbers = [number for turn in history if (number := _number(turn["answer"])) is not None]
        if found := _from_answers(asked, numbers, [turn["question"] for turn in history]):
            return found
    if not known or asked.says(r"^(and|what about|how about)\b"):
        asked = _with_words_of(asked, history)
    if asked.says(rf"{_SUBTRACTS}|{_ADDS}|ratio|percentage|percent of") and (
        len(asked.years) != 1 or asked.says(r"change in|increase in|decrease in|difference|relation to|percent")
    ):
        return attempt(asked.text, row) or look_up(asked, page)
    return look_up(asked, page) or attempt(asked.text, row)


def _from_answers(asked: FigureWords, numbers: Sequence[float], questions: Sequence[str]) -> FoundFigure | None:
    """The last answer and a number in the question, or the last two answers: subtracted, added, divided.

    A change already made is divided by the answer before it, which it started from.
    """
    if numbers and (literal := _LITERAL.search(asked.text)) and len(literal[2]) != 4:  # four digits: a year
        return _literally(numbers[-1], literal[1], float(literal[2].replace(",", "")))
    if len(numbers) < 2:
        return None
    first, second = numbers[-2:]
    if asked.says(_DIVIDES):
        changed = re.search(_SUBTRACTS, questions[-1]) is not None
        if changed:
            first, second = second, first
        elif asked.says(_SUBTRACTS):
            first -= second
        return _share(first, second) if second else None
    if asked.says(_SUBTRACTS):
        return FoundFigure(show(first - second), f"{show(first)} - {show(second)}")
    if asked.says(_ADDS):
        return FoundFigure(show(first + second), f"{show(first)} + {show(second)}")
    return None


def _literally(number: float, word: str, other: float) -> FoundFigure | None:
    """One calculation, as the question spells it."""
    if word in ("divided by", "over"):
        return _share(number, other) if other else None
    if word in ("times", "multiplied by"):
        return FoundFigure(show(number * other), f"{show(number)} x {show(other)}")
    other = other if word == "plus" else -other
    return FoundFigure(show(number + other), f"{show(number)} + {show(other)}")


def _share(part: float, whole: float) -> FoundFigure:
    return FoundFigure(show(part / whole, 5), f"{show(part)} / {show(whole)}")


def _with_words_of(asked: FigureWords, history: Sequence[Mapping[str, str]]) -> FigureWords:
    """The question with the content words of the last question that had some."""
    for turn in reversed(history):
        if words := content(turn["question"]) - OPERATION_WORDS - _VAGUE:
            earlier = FigureWords.read(turn["question"])
            years = asked.years or earlier.years
            return FigureWords(" ".join((asked.text, *sorted(words), *years)), asked.words | words, years)
    return asked


def _number(text: str) -> float | None:
    found = _NUMBER.search(text)
    if not found:
        return None
    value = float(found[0].replace(",", ""))
    return value / 100 if "%" in text else value
