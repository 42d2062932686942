"""The answer part of a reply: thinking taken off, characters normalised, length bounded, offsets kept."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from finbench.text.lexicon import pattern
from finbench.text.normalize import INVISIBLE, last_match, normalise

MAX_TEXT = 24_000  # characters of answer that are read; a longer reply keeps head, tail and what surrounds its cues
_HEAD, _TAIL, _WINDOW = 4_000, 14_000, 800


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer part of a reply: normalised, bounded, thinking removed.

    `pieces` are (offset here, offset in the original) in order; `unclosed` says that thinking never ended.
    """

    text: str
    pieces: tuple[tuple[int, int], ...]
    unclosed: bool = False

    def origin(self, offset: int) -> int:
        """The offset in the original text of an offset in `text`."""
        here, there = self.pieces[max(0, bisect_right(self.pieces, (offset, 1 << 60)) - 1)] if self.pieces else (0, 0)
        return there + offset - here


# The marks of thinking of the families of models: <think>, [THINK], ◁think▷, <|begin_of_thought|>, <|START_THINKING|>.
_THINK = re.compile(
    r"<\|?\s?(?:end_(?:of_)?|/?)\s?(?:[a-z]{1,12}[:_-]){0,2}(?:think|thought|reasoning|reflect|scratchpad)\w{0,16}\s?\|?>|"
    r"\[(?:/|END[ _](?:OF[ _])?)?(?:(?:BEGIN|START)[ _](?:OF[ _])?)?(?:THINK|THINKING|THOUGHTS?|REASONING)\]|"
    r"◁/?think\w{0,8}▷",
    re.I,
)
# gpt-oss thinks in channels (OpenAI's harmony format); without its special tokens the names of the channels remain.
_CHANNELS = re.compile(r"\s{0,9}(?:(?:<\|start\|>assistant)?<\|channel\|>|analysis(?=[A-Z\"'(\d]))")
_FINAL_CHANNEL = re.compile(r"<\|channel\|>final[^<\n]{0,40}<\|message\|>|assistantfinal")
_CHAT = re.compile(
    r"<\|(?:return|call|im_end|im_start|endoftext|eot_id|eom_id|end|user|assistant|system|end_of_text|end_of_sentence|"
    r"end▁of▁sentence|begin▁of▁sentence|User|Assistant|start_header_id|end_header_id|observation|separator)\|>|"
    r"</s>|<s>|<eos>|<bos>|<pad>|"
    r"<end_of_turn>|<start_of_turn>|\[/?INST\]|<</?SYS>>"
)
# An invented next question: a heading of its own, or a word such as "Question:" at the start of a line.
_NEW_LINE = r"[ \t]*(?:#{1,6}[ \t]*|\*\*|>[ \t]*)?(?:<next.again>[ \t]+)?"
_COUNTED = r"[ \t]*(?:#?\d{1,3}|[一二三四五])?[ \t]*(?:\*\*)?[ \t]*"
_NEXT = pattern(
    rf"{_NEW_LINE}(?P<sure><next.question>){_COUNTED}[:.、]|{_NEW_LINE}(?P<weak><next.weak>){_COUNTED}[:.、]"
    # a heading or a bold line of its own: "### Question 2"
    rf"|[ \t]*(?:#{{1,6}}|\*\*)[ \t]*(?:<next.again>[ \t]+)?<next.heading>{_COUNTED}(?=\n)"
)
# an exam question with its blank, and its first option in the next line
_EXAM = re.compile(r"\n[^\n]{4,300}\([ \t]{0,4}\)[^\n]{0,12}\n\s{0,4}A[.、:]")
_ANSWERED = pattern(r"<cue.noun|cue.han_noun>|boxed|####")
_MARKS_IN_LONG_TEXT = ("oxed{", "</answer", "nswer", "答案", "####", "因此", "herefore")


def open_reply(text: str) -> Reply:
    """The answer part of a reply; thinking (paired, stray close, never closed, in a channel) is not part of it.

    >>> open_reply("<think>7</think>5").text, open_reply("7</think>5").text, open_reply("5<think>7").text
    ('5', '5', '5')
    """
    spans, unclosed = _outside_thinking(text)
    if sum(end - start for start, end in spans) > MAX_TEXT:
        spans = _windows(text, spans)
    out: list[str] = []
    pieces: list[tuple[int, int]] = []
    here = 0
    for start, end in spans:
        part = text[start:end]
        if INVISIBLE.search(part):
            cursor = 0
            for match in INVISIBLE.finditer(part):
                pieces.append((here, start + cursor))
                out.append(part[cursor : match.start()])
                here, cursor = here + match.start() - cursor, match.end()
            part, start = part[cursor:], start + cursor
        pieces.append((here, start))
        out += [part, "\n"]
        here += len(part) + 1
    joined = "".join(out)[:-1] if out else ""
    return Reply(normalise(joined), tuple(pieces), unclosed)


def without_thinking(text: str) -> str:
    """A reply as it was written, less its thinking.

    >>> without_thinking("<think>7</think> 5 "), without_thinking("<think>7")
    (' 5 ', '')
    """
    spans, _ = _outside_thinking(text)
    return "".join(text[start:end] for start, end in spans)


def _outside_thinking(text: str) -> tuple[list[tuple[int, int]], bool]:
    spans: list[tuple[int, int]] = []
    if _CHANNELS.match(text):
        final = last_match(_FINAL_CHANNEL, text)
        return ([(final.end(), len(text))], False) if final else ([], True)
    position, inside = 0, False
    for match in _THINK.finditer(text):
        mark = match[0]
        closing = "/" in mark or "end" in mark[:6].lower()
        if closing and inside:
            position, inside = match.end(), False
        elif closing:  # a stray close ends the thinking: all before it was thinking
            spans, position = [], match.end()
        elif not inside:
            if match.start() > position:
                spans.append((position, match.start()))
            inside = True
    if not inside and position < len(text):
        spans.append((position, len(text)))
    return spans, inside


def _windows(text: str, spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Head, tail, and the surroundings of the last cues of an answer that is too long to be read whole."""
    first, last = spans[0][0], spans[-1][1]
    wanted = [(first, first + _HEAD), (last - _TAIL, last)]
    for mark in _MARKS_IN_LONG_TEXT:
        end = last - _TAIL
        for _ in range(3):
            at = text.rfind(mark, first, max(first, end))
            if at < 0:
                break
            wanted.append((at - _WINDOW, at + _WINDOW))
            end = at - _WINDOW
    kept: list[tuple[int, int]] = []
    for start, end in sorted(wanted):
        for low, high in spans:
            low, high = max(low, start, kept[-1][1] if kept else 0), min(high, end)
            if low < high:
                if kept and kept[-1][1] == low:
                    kept[-1] = (kept[-1][0], high)
                else:
                    kept.append((low, high))
    return kept


def cuts(text: str, question: str) -> list[int]:
    """Where the reply stops being about the question: chat tokens and invented next questions, after some text."""
    cuts: list[int] = []
    first = len(text) - len(text.lstrip())
    if "<" in text or "[" in text:
        cuts = [m.start() for m in _CHAT.finditer(text) if m.start() > first and not _CHAT.match(text, first)][:2]
    exam = _EXAM.search(text, first) if "\nA" in text or "\n A" in text else None
    if exam:
        cuts.append(exam.start())
    for match in _next_lines(text, first):
        if match["weak"] and not _follows(text, match):
            continue
        echo = _letters(question)[:100]
        if echo and _letters(text[match.end() : match.end() + 200]).startswith(echo):
            continue
        cuts.append(match.start())
        break
    return sorted(cuts)


def _next_lines(text: str, first: int) -> Iterator[re.Match[str]]:
    """The lines that open as an invented question does, after the first text."""
    at = text.find("\n", first)
    while at >= 0:
        if match := _NEXT.match(text, at + 1):
            yield match
        at = text.find("\n", at + 1)


def _follows(text: str, match: re.Match[str]) -> bool:
    """Does a question follow a word that may name anything ("Q2: $12 million" is a quarter)?

    One does where its line ends as a question, or where the answer has been given before.
    """
    line = text[match.end() :].partition("\n")[0]
    if line.rstrip(" *").endswith("?"):
        return True
    return not match["weak"].lower().startswith("q") and bool(_ANSWERED.search(text, 0, match.start()))


def _letters(text: str) -> str:
    return re.sub(r"\W+", "", text[:200]).lower()
