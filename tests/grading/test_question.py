"""The wording of a question: each pattern's hints stand in whatever it matches, so looking for them first changes nothing."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

import pytest

from finbench.grading import question
from finbench.grading.question import _Sign
from finbench.text.normalize import normalise, plain

ROOT = Path(__file__).parents[2]
SIGNS = {
    f"{name}{index}": sign
    for name, value in vars(question).items()
    for index, sign in enumerate([v[0] for v in value] if isinstance(value, tuple) else [value])
    if isinstance(sign, _Sign)
}


def texts() -> list[str]:
    """The questions of the shipped samples and of the labelled cases, and their words and pattern words thrown together."""
    files = [*sorted((ROOT / "tests" / "cases").glob("*.jsonl")), *sorted((ROOT / "tasks").glob("*/sample.jsonl"))]
    asked = {json.loads(line).get("question", "") for path in files for line in path.read_text("utf-8").splitlines()}
    asked |= {text for path in sorted((ROOT / "docs").glob("*.md")) for text in path.read_text("utf-8").split(". ")}
    asked |= {
        "how many pounds sterling or yen?",
        "the price in hk$",
        "in what fiscal year? when did it close?",
        "the percent decline in revenue?",
    }
    source = " ".join(sign.english.pattern for sign in SIGNS.values())
    words = [*re.findall(r"[a-z]{2,}|[$%(]", source), "of", "in", "how many", "what", "two", "(in", "u.s. dollars"]
    chance = random.Random(7)
    mixed = [" ".join(chance.choices(words, k=6)) for _ in range(4000)]
    return [plain(normalise(text)).lower() for text in [*sorted(asked), *mixed]]


TEXTS = texts()


@pytest.mark.parametrize("name", sorted(SIGNS))
def test_no_match_is_lost_by_looking_for_the_hints_first(name: str) -> None:
    sign = SIGNS[name]
    matched = [text for text in TEXTS if sign.english.search(text)]
    assert [text for text in matched if sign.search(text) is None] == []
    assert matched or not sign.hints, "no text tries this pattern"


@pytest.mark.parametrize("name", sorted(SIGNS))
def test_what_is_looked_for_in_chinese_needs_more_than_ascii(name: str) -> None:
    assert [text for text in TEXTS if text.isascii() and SIGNS[name].chinese.search(text)] == []
