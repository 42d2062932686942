"""The kind of answer that a gold makes, where nobody declares it: one guess for every door."""

from __future__ import annotations

import re

from finbench.grading.asked import gold_quantity
from finbench.grading.kinds.boolean import polarity
from finbench.grading.kinds.choice import letters_in, options_of
from finbench.grading.kinds.label import TFNS_CLASSES, TFNS_CODES
from finbench.grading.kinds.number import several
from finbench.records import Kind
from finbench.text.lexicon import pattern
from finbench.text.normalize import normalise, plain
from finbench.text.quantities import whole

_JUDGED = pattern("<ask.judgement>")
_ZERO_ONE = re.compile(r"[01](?:\.0+)?")
_FORMULA = re.compile(r"\w{1,12}\s*(?:\(\w{1,4}\))?\s*=\s*.*[A-Za-z].*")


def kind_of(gold: str, question: str, *, choices: bool = False, sentence: bool = False) -> Kind:
    """The kind of answer of a gold; `choices` says that letters are likely, `sentence` that a gold may be prose.

    >>> kind_of("14.2%", "growth?"), kind_of("B", "?", choices=True), kind_of("0", "True or false: ...")
    ('number', 'choice', 'boolean')
    """
    if letters_in(gold) and (choices or (gold == gold.upper() and (len(gold) == 1 or options_of(question)))):
        return "choice"
    if polarity(gold) is not None or (_ZERO_ONE.fullmatch(gold) and _JUDGED.search(question)):
        return "boolean"
    if gold.lower() in TFNS_CLASSES or (gold in TFNS_CODES and "bullish" in question.lower()):
        return "label"
    if _FORMULA.fullmatch(gold):
        return "text"
    if is_number(gold) or (not sentence and gold_quantity(gold) is not None):
        return "number"
    return "text"


def is_number(gold: str) -> bool:
    """Is a gold one number, or a list of them, and nothing else?"""
    return whole(plain(normalise(gold))) is not None or bool(several(gold))
