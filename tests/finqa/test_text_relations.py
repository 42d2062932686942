"""Numbers in the text that follow from numbers that change."""

from __future__ import annotations

from decimal import Decimal

import pytest

from finbench.finqa.figures import figures
from finbench.finqa.text_relations import MentionReader, words

PLACE = ("pre_text", 0, 0)
ROWS = [(words("net sales"), (Decimal("8630.9"), Decimal("7630.0"))), (words("interest expense"), (Decimal(412),))]
NEW = {Decimal("8630.9"): Decimal("9210.4"), Decimal("7630.0"): Decimal("6905.0")}


def told(text: str) -> list[str]:
    """The figures of a text that change, and to what."""
    reader = MentionReader({PLACE: (text, figures(text))}, ROWS, frozenset(NEW), sorted(NEW))
    return [f"{mention.figure.text} -> {mention.value(NEW)}" for mention in reader.mentions()]


@pytest.mark.parametrize(
    ("text", "changes"),
    [
        ("sales of $ 8631 million", ["8631 -> 9210"]),
        ("sales came to $ 8.6 billion", ["8.6 -> 9.2"]),
        ("an unrelated $ 8.6 billion", []),
        ("sales rose 13.1% ( 13.1 % )", ["13.1 -> 33.4", "13.1 -> 33.4"]),
        ("sales increased 13%", ["13 -> 33"]),
        ("a discount of 13%", []),
        ("sales increased by $ 1000.9 million", ["1000.9 -> 2305.4"]),
        ("sales increased by $ 1.0 billion in 2011", []),
        ("interest expense was 412 in 2011", []),
    ],
)
def test_roundings_and_comparisons_follow_in_sentences_that_speak_of_them(text, changes):
    assert told(text) == changes
