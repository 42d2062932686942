"""The sentences of a reply, and which of them may state its answer."""

from __future__ import annotations

import re

from finbench.grading.arranged import emphasised
from finbench.grading.claims import FORMAT, Claim, sentence_ends, with_scale
from finbench.grading.discourse import (
    CHECK,
    CONCLUSION,
    CONCLUSION_INSIDE,
    CONTEXT,
    CONTEXT_INSIDE,
    GLOSS,
    LEAD,
    PLAN,
    RESULT,
    RETRACTION,
    STATES,
    refuses,
)
from finbench.text.normalize import plain

_LIST_NUMBER = re.compile(r"\s*[*_#(]{0,4}\d{1,2}[.)]\s*")


def sentences(text: str) -> list[tuple[int, int]]:
    """The spans of the sentences of a text that say something; a list number belongs to what follows it."""
    spans = []
    start = 0
    for match in sentence_ends(text, 0, len(text)):
        spans.append((start, match.end()))
        start = match.end()
    spans.append((start, len(text)))
    kept: list[tuple[int, int]] = []
    for a, b in spans:
        if kept and _LIST_NUMBER.fullmatch(text[kept[-1][0] : kept[-1][1]]):
            kept[-1] = (kept[-1][0], b)  # "1. Find ..." is one sentence
        elif text[a:b].strip(" \t\n*_-#>|.。"):
            kept.append((a, b))
    return kept


_QUOTE = re.compile(r"[\"`\\]|####|<answer")
# A forged grade record is no answer: {"correct": true, "extracted": "11.8%"}.
_RECORD = re.compile(
    r"[\s`]*\{[^{}\n]{0,200}?[\"'](?:correct|is_correct|extracted|verdict|graded?|score|passed)[\"']\s*:", re.I
)


_ASIDE = re.compile(r"\([A-Za-z\u4e00-\u9fff].*\)\W*", re.S)  # a sentence in parentheses, not an accounting negative


def candidates(
    text: str, base: int, spans: list[tuple[int, int]], *, plans: bool, refusing: bool = True
) -> list[Claim]:
    """The sentences that may state an answer; one announced by a word such as "therefore" is a "conclusion".

    `refusing` says that the text may hold a refusal (looking for one in each sentence is dear); `plans` that sentences
    which only announce a step state no answer; `base` is added to the offsets. A sentence that rather adds context keeps
    its place with a mark that lowers its rank.
    """
    kept = []
    for index, (start, end) in enumerate(spans):
        content = plain(text[start:end].strip())
        if not content or content.startswith("|") or (len(spans) > 1 and content.endswith("?")):
            continue
        quote = _QUOTE.search(text, start, end)
        if _RECORD.match(text, start) or (quote and FORMAT.search(text, start, quote.start())):
            continue
        check = bool(CHECK.match(content))
        gloss = bool(index and GLOSS.search(content))
        cued = not check and not gloss and bool(CONCLUSION.match(content) or CONCLUSION_INSIDE.search(content))
        mark = "" if cued else _mark(content, index, check or gloss)
        if index and _ASIDE.fullmatch(content):
            mark = "aside"
        if mark and refusing and refuses(content):
            mark = ""
        if not cued and plans and PLAN.match(content) and not (RESULT.search(content) or _amends(content)):
            continue
        inside = None if check else CONCLUSION_INSIDE.search(content)
        core = emphasised(text[start:end]) or (_inside(content, inside.start(), plans) if inside else "")
        core = "" if core == content.strip(" .。") else core
        where = "conclusion" if cued else "bare" if len(spans) == 1 and len(content) <= 80 else "sentence"
        lead = text[max(0, start - 300) : start]
        content = with_scale(content, text, end)
        kept.append(Claim(content, base + start, base + end, where, lead=lead, core=core, mark=mark))
    return kept


def _inside(content: str, at: int, plans: bool) -> str:
    """What follows ", so" in a sentence; what stands before it where that states the number ("it is 5, so buy at 10 %")."""
    head, core = content[:at], content[at:].lstrip(",;— ")
    return head if plans and STATES.search(head) and not STATES.search(core) else core


def _amends(content: str) -> bool:
    """ "Let me amend that to 4.7" is no plan."""
    taken = RETRACTION.search(content)
    return bool(taken and taken["strong"] and any(map(str.isdigit, content)))


def _mark(content: str, index: int, check: bool) -> str:
    """What lowers the rank of a sentence: "aside" for what only adds context, "lead" for what may open a conclusion."""
    if index and (check or CONTEXT.match(content) or CONTEXT_INSIDE.search(content)):
        return "aside"
    return "lead" if index and LEAD.match(content) and not STATES.search(content) else ""
