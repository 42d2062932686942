"""What a reply sets against its answer: "a call is the right to buy, whereas a put is the right to sell"."""

from __future__ import annotations

import re

from finbench.text.normalize import normalise

# Words that tell nothing.
IDLE = frozenset("the a an of to in on for and is are was be by it its that this as with or at 的 了 是".split())
_CONTRAST = re.compile(r"[,;]\s*(?:while|whereas|unlike|而(?!且|言))|;\s*(?=by contrast|in contrast)", re.I)
CONTRASTED = re.compile(r"\b(?:by|in) contrast\b|\bon the other hand\b|相比之下|相反", re.I)


def without_contrast(text: str, question: str) -> str:
    """A text less the clauses and sentences that set something else against what answers the question.

    Which side answers shows in the words it shares with the question.

    >>> without_contrast("FIFO sells the oldest first, whereas LIFO sells the newest.", "Which sells the oldest first?")
    'FIFO sells the oldest first'
    """
    if not (_CONTRAST.search(text) or CONTRASTED.search(text)):
        return text
    asked = _telling(question)
    kept: list[str] = []
    for sentence in re.split(r"(?<=[.!?。])\s*(?=[A-Z\u4e00-\u9fff])", text):
        first, *others = _CONTRAST.split(sentence)
        against = first if CONTRASTED.search(first) else ""
        if against and kept and len(asked & _telling(against)) < len(asked & _telling(kept[-1])):
            continue
        kept.append(first)
        for other in others:
            if len(asked & _telling(other)) >= len(asked & _telling(first)):
                kept[-1] += f", {other}"
    return " ".join(kept)


def _telling(text: str) -> set[str]:
    """Stems of English words, and pairs of Chinese characters."""
    low = normalise(text).lower()
    han = re.findall(r"(?=([\u4e00-\u9fff]{2}))", low)
    return {stem(word) for word in re.findall(r"[a-z]{3,}", low) if word not in IDLE} | set(han)


def stem(word: str) -> str:
    """An English word without its commonest endings."""
    return re.sub(r"(?:ies|es|s|ing|ed|ly)$", "", word) if len(word) > 4 else word
