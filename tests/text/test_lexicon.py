"""The words as data: what its three signs mean, and that every language is read at once."""

from __future__ import annotations

import re

import pytest

from finbench.text import lexicon
from finbench.text.quantities import scan


@pytest.mark.parametrize(
    "text",
    ["cannot be determined", "can't reliably be computed", "无法确定", "計算できません", "data are not provided"],
)
def test_a_refusal_is_known_in_every_language(text: str) -> None:
    from finbench.text.normalize import normalise

    assert re.search(lexicon.either("act.refuse"), normalise(text), re.I)


@pytest.mark.parametrize("text", ["candidate", "the answer is known", "this cannot last", "確定", "数据充足"])
def test_what_is_none_is_left_alone(text: str) -> None:
    assert not re.search(lexicon.either("act.refuse"), text, re.I)


def test_a_gap_is_three_words_at_most() -> None:
    found = re.compile(lexicon.either("act.refuse"), re.I)
    assert found.search("it cannot with any certainty determine")
    assert not found.search("it cannot in the very long and winding run determine")


def test_the_longest_phrase_wins() -> None:
    match = re.match(lexicon.either("unit"), "percentage points", re.I)
    assert match is not None and match[0] == "percentage points"


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("12.5パーセント", "12.5", "percent"),
        ("△5", "-5", ""),
        ("▲3.1%", "-3.1", "percent"),
        ("32億円", "32", ""),
        ("7½%", "7.5", "percent"),
    ],
)
def test_japanese_and_vulgar_fractions_need_no_code_of_their_own(text: str, value: str, unit: str) -> None:
    from fractions import Fraction

    from finbench.text.normalize import normalise

    (quantity,) = scan(normalise(text))
    assert (quantity.number, quantity.unit) == (Fraction(value), unit)


def test_no_phrase_stands_twice_in_a_section_of_one_language() -> None:
    import tomllib

    for path in lexicon.FOLDER.glob("*.toml"):
        for name, entries in lexicon._flat(tomllib.loads(path.read_text("utf-8"))):
            if isinstance(entries, list):
                twice = {phrase for phrase in entries if entries.count(phrase) > 1}
                assert not twice, (path.name, name, twice)
