"""A reply -> where it states its answer.

`open_reply` takes the thinking off and bounds the text; `find` walks the explicit statements (boxes, answer tags, JSON
fields, "####", cue phrases) from the last to the first, and falls back on the concluding sentence. What a statement
*says* depends on the kind of answer: the caller passes a `Reader`. Everything is linear in the length of the reply.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from finbench.characters import INVISIBLE, group_end, normalise, plain

MAX_TEXT = 24_000  # characters of answer that are read; a longer reply keeps head, tail and what surrounds its cues
_HEAD, _TAIL, _WINDOW = 4_000, 14_000, 800
MAX_STATEMENTS = 64
_CONCLUSION_WINDOW = 4_000


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


@dataclass(frozen=True, slots=True)
class Statement:
    """A place where the reply states an answer: its text without markup, its offsets, and the rule that found it."""

    text: str
    start: int
    end: int
    rule: str
    final: bool = True  # False for a plain "Answer:" that may open a longer derivation
    lead: str = ""  # what stands before it in its sentence


@dataclass(frozen=True, slots=True)
class Reading:
    """What a statement says: a value with its shown form, or a problem (a reason such as "two_answers")."""

    value: Any = None
    shown: str | None = None
    problem: str = ""
    fit: int = 1  # how well the value suits the question: 2 has its unit, 0 has another
    whole: bool = False  # the statement is the value and nothing else


class Reader(Protocol):
    """How one kind of answer is read; `plans` says that sentences which only announce a step state no answer."""

    plans: bool

    def read(self, statement: Statement) -> Reading | None:
        """What the statement says; None when it states no answer to this kind of question."""

    def same(self, one: Any, other: Any) -> bool:
        """Are two values one answer in two forms?"""

    def merge(self, values: Sequence[Any]) -> Reading | None:
        """One reading of values offered side by side (the letters of a several-choice answer), or None."""


@dataclass(frozen=True, slots=True)
class Found:
    """The answer of a reply."""

    reading: Reading
    statement: Statement


# --- the answer part ---------------------------------------------------------------------------------------------------

_THINK = re.compile(r"<\s?(/?)\s?(?:think|thinking|thought|thoughts|reasoning|scratchpad|seed:think)\s?>", re.I)
_CHAT = re.compile(
    r"<\|(?:im_end|im_start|endoftext|eot_id|eom_id|end|user|assistant|system|end_of_text|end_of_sentence|"
    r"end▁of▁sentence|begin▁of▁sentence|User|Assistant|start_header_id|end_header_id|observation|separator)\|>|"
    r"</s>|<s>|<eos>|<bos>|<pad>|"
    r"<end_of_turn>|<start_of_turn>|\[/?INST\]|<</?SYS>>"
)
_NEXT = re.compile(
    r"(?:^|\n)[ \t]*(?:#{1,6}[ \t]*|\*\*|>[ \t]*)?(?:(?:next|new|another|follow-up|additional|similar)[ \t]+)?"
    r"(?:question|q|user|human|instruction|exercise|tweet|headline|sentence|推文|新闻|问题|题目|问|用户|下一题|"
    r"下一个问题|新问题|例题|练习题?|追问)[ \t]*(?:#?\d{1,3}|[一二三四五])?[ \t]*(?:\*\*)?[ \t]*[:.、]",
    re.I,
)
_MARKS_IN_LONG_TEXT = ("oxed{", "</answer", "nswer", "答案", "####", "因此", "herefore")


def open_reply(text: str) -> Reply:
    """The answer part of a reply; thinking (paired, stray close, never closed) is not part of it.

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
        if not part.isascii() and INVISIBLE.search(part):
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
    position, inside = 0, False
    for match in _THINK.finditer(text):
        closing = bool(match.group(1))
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


# --- explicit statements -----------------------------------------------------------------------------------------------

_BOX = re.compile(r"(?:\\(?:boxed|fbox|framebox)|\x08oxed|(?<![A-Za-z\\])boxed)\s{0,3}(\{)?")
_BOX_BARE = re.compile(r"\s{0,3}([^\s{}$\\]{1,40}(?:\\?%)?)")
_BOX_AFTER = re.compile(
    r"[\s$*]{0,3}(?:\\?\)[\s$*]{0,3})?(?:\\text\{)?\s{0,2}(\\?%|percent(?:age points?)?\b|(?:thousand|million|"
    r"billion|trillion)\b(?!\s+shares)|bps?\b|basis points\b|"
    r"个?百分点|万亿|千万|百万|万|亿|千)"
)
_BOX_BEFORE = re.compile(r"(?:(-)\s?|([$€£¥])\s?)(?:\$|\\\()?$")
_TAG_OPEN = re.compile(r"<\s?(answer|final_answer|final|finalanswer|ans|result)\s?>", re.I)
_TAG_CLOSE = re.compile(r"<\s?/\s?(?:answer|final_answer|final|finalanswer|ans|result)\s?>?", re.I)
_FIELD = re.compile(
    r"[\"'](?:final[_ ]?answer|answer|result|final[_ ]?result|value|label|sentiment|class|classification|"
    r"prediction|choice|option|"
    r"output|final|答案|最终答案|结果|选项|情感)[\"']\s{0,3}:\s{0,3}(?:\"((?:[^\"\\\n]|\\.){0,400})\"|"
    r"'([^'\n]{0,400})'|(\[[^\]\n]{0,200}\])|([^,}\n\"'\[]{1,120}))",
    re.I,
)
_FIELD_UNIT = re.compile(r"[\"'](?:unit|units|单位)[\"']\s{0,3}:\s{0,3}[\"']([^\"'\n]{1,30})[\"']", re.I)
_HASHES = re.compile(r"(?:^|\n|\s)####[ \t]*([^\n]{1,300})")
_CUE = re.compile(
    r"(?P<name>(?:\b(?:final|correct|right|best|short|direct|my|our|the|so|thus)[ \t]+){0,4}\b(?P<noun>answers?|"
    r"ans|final[ \t]+(?:result|value|label|verdict|classification|choice|sentiment))"
    r"(?:[ \t]+(?:choice|option|letter|label))?\b)(?P<middle>[^\n.:=?!]{0,70}?)(?P<link>[\"'*_ \t]{0,6}(?::|=|→|"
    r"\b(?:is|are|was|would[ \t]+be|will[ \t]+be|should[ \t]+be|must[ \t]+be|comes[ \t]+(?:out[ \t]+)?to|"
    r"equals)\b)[\"'*_ \t:]{0,8}|[*_# \t]{0,8}\n)"
    r"|(?P<bare>\bfinal[ \t]+answer[ \t*]{1,4})(?=[-$€£¥(\d.]|\\)"
    r"|(?P<choose>\b(?:(?:correct|right|best)[ \t]+(?:option|choice|label|class|classification|sentiment)|"
    r"i[ \t]+(?:would[ \t]+)?(?:choose|select|pick|go[ \t]+with)|"
    r"(?:overall|final|predicted|the|tweet'?s?)[ \t]+(?:sentiment|label|classification|stance|class|category)|"
    r"sentiment|label|classification|prediction|verdict)\b[^\n.:=?!]{0,60}?"
    r"(?:[\"'*_ \t]{0,6}(?::|=|\b(?:is|are|was|would[ \t]+be|as)\b)[\"'*_ \t:]{0,8}|"
    r"(?=[ \t]+(?:option[ \t]+)?\(?[A-H]\b)))",
    re.I,
)
_CUE_HAN = re.compile(
    r"(?P<final>最终|最后|正确|参考|标准|本题|该题|此题|这道题|所以|因此|故)?(?:的)?(?:正确)?(?:答案|最终结果|"
    r"最后结果|最终结论|正确选项|正确的选项)(?:应该|应当|应|就)?(?:选择|选|是|为|即|:|=|[ \t]{0,3}\n|"
    r"[\s*\]]{0,6}(?=[A-H\d$\\-])|\][\s:]*)[\s*\":]{0,8}"
    r"|(?:故|应|因此|所以|答案|综上|本题|我|可|则|得|需|正确的?|应该|最终|故本题|应当)(?:应)?选(?:择)?(?:项|:|"
    r"的是|为)?[\s*\":]{0,6}"
    r"|选(?:择|项)?[\s*\":]{0,4}(?=[A-H](?![A-Za-z]))"
    r"|(?:^|\n)[ \t*]{0,6}(?:答|结论|判断|回答|判断结果|结果)[ \t*]{0,4}:[\s*]{0,6}"
    r"|(?:情感|情绪|标签|分类|类别|情感倾向|情感分类|判断)(?:结果)?(?:是|为|:)[\s*\"]{0,6}"
)
_PLACEHOLDER = re.compile(
    r"[\s.…_?*<>\[\](){}\"'`|:-]{0,24}(?:(?:insert|put|write|enter|fill(?: in)?)?\s{0,3}(?:your|the|a|an|"
    r"my)?\s{0,3}(?:final|correct|numeric(?:al)?|chosen|option|single|exact|actual)?[\s_-]*"
    r"(?:answer|answers|number|numbers|value|result|letter|letters|option|choice|label|text|content|expression|"
    r"ans|x+|y|n|num|placeholder|final|numerical answer|yes/no|yes or no|letter\(s\)|string|percentage|a/b/c/d|"
    r"A\|B\|C\|D)"
    r"(?:[\s_-]*(?:here|goes here|only|choice|letter|value))?|(?:你的|最终|您的|填写|正确)*(?:答案|数值|数字|"
    r"结果|选项|字母|标签|内容)(?:字母|内容)?)?[\s.…_?*<>\[\](){}\"'`|:-]{0,24}",
    re.I,
)
_FORMAT = re.compile(
    r"(?:\be\.g\.|\bfor (?:example|instance)|\bsuch as|\bformat(?:ted)?\b|\bin the (?:form|style)\b|\b(?:should|"
    r"must|need to|have to|supposed to|asked to|told to|instructed to|going to|"
    r"want me to)\s+(?:\w+\s+){0,3}(?:end|finish|conclude|put|place|"
    r"write|wrap|enclose|present|give|use|output|format|respond|reply)\b|\bplease (?:put|end|give|write|provide|"
    r"reason)|\binstructions?\b|\btemplate|\bplaceholder|\bexample\b|例如|比如|格式|形如|模板|示例|"
    r"要求.{0,6}(?:写|放|用|以)|需要?(?:写|放|用)|请将|放在|放入)[^\n.!?。]{0,60}$",
    re.I,
)
_SENTENCE_END = re.compile(
    r"(?<!\bInc\.)(?<!\bCorp\.)(?<!\bCo\.)(?<!\bvs\.)(?<!\bNo\.)(?<!U\.S\.)(?<!approx\.)(?<=[.!?])[\"')*\]]{0,4}"
    r"\s+(?=[A-Z\"'(\[*$\\\d\u4e00-\u9fff])|(?<=\w)\.(?=[A-Z][a-z]+ )|[。!?](?=[\s\"')*]|[\u4e00-\u9fff]|$)|"
    r";(?=\s*[\u4e00-\u9fff])|。|\n"
)


def statements(text: str) -> list[Statement]:
    """The explicit statements of a text, by their start."""
    found: list[Statement] = []
    if "oxed" in text or "\\fbox" in text:
        found += _boxes(text)
    if "<" in text:
        found += _tags(text)
    if '":' in text or '" :' in text or "':" in text:
        found += _fields(text)
    if "####" in text:
        for match in _last(_HASHES.finditer(text)):
            content = plain(match.group(1).strip().strip("#"))
            if content and "oxed" not in match.group(1):
                found.append(Statement(content, match.start(1), match.end(1), "hashes"))
    found += _cues(text)
    found.sort(key=lambda s: (s.start, -s.end))
    return found


def _last(matches: Any) -> list[re.Match[str]]:
    kept = list(matches)
    return kept[-MAX_STATEMENTS:]


def _boxes(text: str) -> list[Statement]:
    found = []
    for match in _last(_BOX.finditer(text)):
        if match.group(1):
            open_at = match.end() - 1
            close = group_end(text, open_at)
            if close < 0:
                line_end = text.find("\n", open_at)
                tag = _TAG_CLOSE.search(text, open_at, open_at + 400)
                ends = [e for e in (line_end, tag.start() if tag else -1) if e >= 0]
                if not ends:
                    found.append(Statement("", match.start(), len(text), "cut_box"))
                    continue
                close = min(ends)
            content, end = text[open_at + 1 : close], close + 1
        else:
            bare = _BOX_BARE.match(text, match.end())
            if not bare or not match.group().startswith("\\"):
                continue
            content, end = bare.group(1), bare.end()
        if _PLACEHOLDER.fullmatch(plain(content)) or _FORMAT.search(text, max(0, match.start() - 90), match.start()):
            continue
        before = _BOX_BEFORE.search(text, max(0, match.start() - 6), match.start())
        if before and (before.group(1) or before.group(2)) and not _odd_dollar(text, before, match.start()):
            content = (before.group(1) or before.group(2)) + content
        after = _BOX_AFTER.match(text, end)
        if after and not re.search(r"%\s*\}*$", content):
            content += " " + after.group(1)
        lead = text[max(0, match.start() - 200) : match.start()]
        found.append(Statement(plain(content), match.start(), end, "box", lead=lead))
    return found


def _odd_dollar(text: str, before: re.Match[str], at: int) -> bool:
    """Does the dollar sign before a box open mathematics rather than name a currency?"""
    return before.group(2) == "$" and (text[before.start(2) - 1 : before.start(2)] != "\\")


def _tags(text: str) -> list[Statement]:
    found = []
    for match in _last(_TAG_OPEN.finditer(text)):
        close = _TAG_CLOSE.search(text, match.end())
        end = close.start() if close else len(text)
        again = _TAG_OPEN.search(text, match.end(), end)
        if again:
            end = again.start()
        content = text[match.end() : end]
        if "oxed" in content or _PLACEHOLDER.fullmatch(plain(content)):
            continue
        if _FORMAT.search(text, max(0, match.start() - 90), match.start()):
            continue
        found.append(Statement(content.strip(), match.end(), end, "tag"))
    return found


def _fields(text: str) -> list[Statement]:
    found = []
    for match in _last(_FIELD.finditer(text)):
        content = next(group for group in match.groups() if group is not None)
        content = content.replace("\\\\", "\\").replace('\\"', '"')
        if "oxed" in content or _PLACEHOLDER.fullmatch(content) or content.strip() in ("null", "None"):
            continue
        unit = _FIELD_UNIT.search(text, match.end(), match.end() + 120)
        if unit and "%" not in content:
            content = f"{content} {unit.group(1)}"
        found.append(Statement(plain(content), match.start(), match.end(), "json"))
    return found


def _cues(text: str) -> list[Statement]:
    found = []
    matches = _last(_CUE.finditer(text))
    if not text.isascii():
        matches += _last(_CUE_HAN.finditer(text))
    for match in matches:
        start = match.end()
        if text[max(0, match.start() - 1) : match.start()] in ('"', "'") and text[start - 1] in "\"': ":
            continue  # a JSON key, read as such
        if (start and text[start - 1 : start] == "\n") or not text[start : start + 1].strip():
            start = _next_text(text, start)
        end = _sentence_end(text, start)
        raw = text[start:end]
        if not raw.strip() or "oxed" in raw:
            continue
        content = plain(raw)
        if _PLACEHOLDER.fullmatch(content) or _FORMAT.search(text, max(0, match.start() - 60), match.start()):
            continue
        words = match.groupdict()
        final = bool(words.get("bare") or "final" in (words.get("name") or "").lower() or words.get("final"))
        lead = (words.get("middle") or "").strip()
        found.append(Statement(content, match.start(), end, "cue", final=final, lead=lead))
    return found


def _next_text(text: str, start: int) -> int:
    while (
        start < len(text)
        and text[start] in " \t\n*#:>-=_"
        and not (text[start] == "-" and text[start + 1 : start + 2] in "0123456789.$(")
    ):
        start += 1
    return start


def _sentence_end(text: str, start: int, limit: int = 600) -> int:
    match = _SENTENCE_END.search(text, start, min(len(text), start + limit))
    return match.start() if match else min(len(text), start + limit)


# --- the answer --------------------------------------------------------------------------------------------------------

_RETRACT = re.compile(
    r"(?:^|[\n.!?。;,—(*\s])[\s*_\"'(—-]{0,5}(?P<strong>(?:wait|hold on|hmm+|no)[,.!—\s-]+(?:that|this|it|i|"
    r"let me|the (?:answer|correct|right)|actually|no)\b[^.\n]{0,50}?(?:wrong|incorrect|mistake|error|"
    r"miscalculated|misread|actually|not right|should be)|"
    r"correction\b|scratch that|on second thought|i (?:made|see|spot|notice)\w* (?:a|an|the|"
    r"my)\s(?:\w+\s)?(?:mistake|error)|i (?:was wrong|misread|miscalculated|misspoke|misstated|meant)|"
    r"(?:that|this|the above|it|which)(?:'s| is| was) (?:wrong|incorrect|not right|not correct|a mistake|"
    r"an error)|my mistake|apologies|oops|let me (?:correct|fix|revise)|"
    r"revised|更正|纠正|修正|不对|算错|有误|搞错|写错|应更正为|应该是|我错了|错了)"
    r"|[\s*_\"'(—-](?P<weak>wait\b|actually\b|hold on|hmm|let me (?:re-?(?:check|compute|calculate|do|think|"
    r"consider|evaluate|examine)|double[- ]check)|re-?(?:checking|calculating|reading|computing)|"
    r"等等|等一下|重新计算|再算|重新检查|让我再|实际上|其实)",
    re.I,
)
_AFFIRM = re.compile(
    r"\b(?:(?:is|was|looks|seems|are)\s+(?:indeed\s+|still\s+)?(?:correct|right|confirmed|consistent|fine|good|"
    r"accurate|the same|unchanged)|confirm(?:s|ed)|stands|holds|matches|checks out|verified|as before|remains)\b|"
    r"无误|没有错|没错|是正确的|计算正确|一致|不变",
    re.I,
)
_NOT_AFFIRM = re.compile(
    r"\b(?:not|n't|isn't|never)\s+(?:\w+\s+)?(?:correct|right|consistent|match|hold|stand)|不正确|不一致", re.I
)
_ALTERNATIVE = re.compile(
    r"^[\s.,;:)*$\\\]]*(?:or\b|alternatively\b|or else\b|another (?:possible )?answer\b|it could also be\b|或者?|"
    r"也可能|也可以是)",
    re.I,
)
_JOIN = re.compile(
    r"[\s$.,;&/*\\()、和与及或]{0,12}(?:or|and|alternatively|either|和|或者?|以及)?[\s$.,;:&/*\\()]{0,12}", re.I
)
_EITHER = re.compile(r"\b(?:or|alternatively|could also be|another possible)\b|或者?|也可能", re.I)

_REFUSAL = re.compile(
    r"\b(?:cannot|can't|can not|could not|couldn't|unable to|impossible to|not possible to|no way to|not able to|"
    r"(?:is|are)n't able to|difficult to)\s+(?:\w+\s+){0,3}?(?:be\s+)?(?:\w+ly\s+)?"
    r"(?:determin|calculat|comput|answer|provid|deriv|find|infer|ascertain|identif|assess|establish|give|help|"
    r"assist|conclude|estimat|predict|decid|complet|comply|fulfil|obtain|judge|tell|say\b|classif|be made|"
    r"be known)\w*"
    r"|\b(?:not|n't|no|without|lacks?|insufficient|inadequate|lack of)\s+(?:\w+\s+)?(?:enough|sufficient|"
    r"adequate|necessary|required|relevant)?\s*(?:information|data|details?|context)\b(?:\s+(?:is|are|was|were|"
    r"to|provided|given|available|in|for))?"
    r"|\b(?:information|data|figures?|values?|details?|context|numbers?|amounts?)\b[^.\n]{0,60}?\b(?:is|are|was|"
    r"were|does|do|did|has|have)(?:\s+not|n't)\s+(?:been\s+)?(?:provided|given|available|disclosed|sufficient|"
    r"included|specified|stated|contain|shown|reported|enough|mentioned|present)\w*"
    r"|\b(?:insufficient|not enough|indeterminate|undeterminable|undetermined|undefined)\b"
    r"|\bi (?:do not|don't) (?:know|have)|\bi(?:'m| am) (?:sorry|not sure|afraid|unable)|\bas an ai\b|"
    r"\bi must decline|\bnot (?:provided|disclosed|given|specified|stated) in\b"
    r"|\bno (?:answer|solution)\b|\b(?:please|could you|can you)(?: please)? (?:provide|share|supply|clarify|"
    r"specify|give me)|\bi(?:'d| would)? need (?:more|additional|further)\b|请(?:您)?提供|^\W*(?:unknown|n/?a|"
    r"none|null|not applicable|unanswerable)\W*$"
    r"|无法(?:确定|计算|得出|回答|判断|提供|给出|得知|推断|直接|准确|从|根据|获取|完成|协助)|不能(?:确定|计算|"
    r"得出|回答|判断|提供|给出)|难以(?:确定|判断|计算)|(?:信息|数据|资料|条件)(?:不足|不够|缺失|不完整)|缺(?:少|"
    r"乏).{0,10}(?:信息|数据|资料)|"
    r"没有(?:提供|给出|足够|相关)|未(?:提供|给出|披露|提及|说明)|不知道|不清楚|不确定|抱歉|对不起",
    re.I,
)


# A hesitation that is overcome ("at first it seems that this cannot be determined, but ..."), not a refusal.
_HESITATION = re.compile(
    r"\b(?:at first|initially|might|may|seems?|appears?|not (?:explicitly|directly|separately)|although|though|"
    r"while|even though|if)\b|虽然|尽管|似乎|看似",
    re.I,
)
_OVERCOME = re.compile(r"\b(?:but|however|yet|still|nevertheless|nonetheless|we can|can be)\b|但|不过|然而|可以", re.I)


def refuses(text: str) -> re.Match[str] | None:
    """The words in which a text declines to answer; None when it does not, or overcomes its doubt.

    >>> bool(refuses("This cannot be determined.")), refuses("It may seem that this cannot be determined, but it can be")
    (True, None)
    """
    match = _REFUSAL.search(text)
    if match and _OVERCOME.search(text, match.end()) and _HESITATION.search(text, 0, match.end()):
        return None
    return match


def find(reply: Reply, reader: Reader, question: str = "") -> Found | None:
    """The answer that a reply states to its question; None when it states none."""
    text = reply.text
    for cut in _cuts(text, question):
        found = _find(text[:cut], reader)
        if found is not None:
            return found
    return _find(text, reader)


def _cuts(text: str, question: str) -> list[int]:
    """Where the reply stops being about the question: chat tokens and invented next questions, after some text."""
    cuts: list[int] = []
    first = len(text) - len(text.lstrip())
    if "<" in text or "[" in text:
        cuts = [m.start() for m in _CHAT.finditer(text) if m.start() > first and not _CHAT.match(text, first)][:2]
    for match in _NEXT.finditer(text):
        if match.start() <= first:
            continue
        echo = _letters(question)[:24]
        if echo and _letters(text[match.end() : match.end() + 120]).startswith(echo):
            continue
        cuts.append(match.start())
        break
    return sorted(cuts)


def _letters(text: str) -> str:
    return re.sub(r"\W+", "", text[:200]).lower()


def _find(text: str, reader: Reader) -> Found | None:
    explicit = statements(text)
    if explicit and explicit[-1].rule == "cut_box":
        return _cut_box(text, explicit, reader)
    return _stated(text, explicit, reader) or _conclude(text, 0, reader)


def _stated(text: str, explicit: list[Statement], reader: Reader) -> Found | None:
    """The last explicit statement that states an answer, and what a retraction after it makes of it."""
    for index in range(len(explicit) - 1, -1, -1):
        statement = explicit[index]
        reading = _read(statement, reader)
        if reading is None:
            continue
        found = Found(reading, statement)
        side = _side_by_side(text, explicit, index, found, reader)
        if side is not None:
            return side
        if reading.problem and reading.problem != "refusal":
            return found if not _revised(text, found, reader) else _revised(text, found, reader)
        revised = _revised(text, found, reader)
        if revised is not None:
            return revised
        if not statement.final and not reading.whole and statement.rule == "cue":
            later = _conclude(text[statement.end :], statement.end, reader, only_cued=True)
            if later is not None:
                return later
        return found
    return None


def _read(statement: Statement, reader: Reader) -> Reading | None:
    if statement.rule == "cut_box":
        return None
    if statement.rule == "tag":
        lines = [line for line in statement.text.splitlines() if line.strip()]
        if len(lines) > 1 or len(statement.text) > 400:
            found = _conclude(statement.text, 0, reader)
            return found.reading if found else None
        return reader.read(replace(statement, text=plain(statement.text)))
    return reader.read(statement)


def _cut_box(text: str, explicit: list[Statement], reader: Reader) -> Found | None:
    """A reply that ends inside a box: what the box shows so far must begin an answer that was stated before."""
    start = next(statement.start for statement in explicit if statement.rule == "cut_box")
    begun = (
        plain(text[explicit[-1].start : explicit[-1].start + 80].partition("{")[2]).strip().lstrip("$").rstrip("%\\ ")
    )
    before = [statement for statement in explicit if statement.end <= start]
    found = _stated(text[:start], before, reader) or _conclude(text[:start], 0, reader)
    stated = (found.reading.shown or "").lstrip("$") if found else ""
    return found if begun and stated.startswith(begun) else None


def _side_by_side(text: str, explicit: list[Statement], index: int, found: Found, reader: Reader) -> Found | None:
    """Values offered next to each other: one answer in two forms, letters of one choice, or two answers."""
    values = [found.reading.value]
    later = found.statement
    for earlier in reversed(explicit[:index]):
        if earlier.end > later.start:
            continue
        gap = text[earlier.end : later.start]
        adjacent = len(gap) <= 60 and "\n\n" not in gap and _JOIN.fullmatch(plain(gap))
        either = len(gap) <= 200 and _ALTERNATIVE.match(gap) and _EITHER.search(gap)
        if not adjacent and not either:
            break
        if later.rule == "cue" and earlier.rule == "cue" and not either:
            break
        reading = _read(earlier, reader)
        if reading is None or reading.problem or found.reading.problem:
            break
        values.insert(0, reading.value)
        later = earlier
    if len(values) < 2 or all(reader.same(values[-1], value) for value in values[:-1]):
        return None
    merged = reader.merge(values)
    return Found(merged or Reading(problem="two_answers"), found.statement)


def _revised(text: str, found: Found, reader: Reader) -> Found | None:
    """What a retraction after a statement makes of it; None when it stands."""
    tail = text[found.statement.end : found.statement.end + _CONCLUSION_WINDOW]
    if not tail.strip():
        return None
    base = found.statement.end
    alternative = _ALTERNATIVE.match(tail)
    if alternative and not found.reading.problem:
        end = _sentence_end(tail, alternative.end())
        other = reader.read(Statement(plain(tail[alternative.end() : end]), base, base + end, "alternative"))
        if other and not other.problem and not reader.same(found.reading.value, other.value):
            return Found(Reading(problem="two_answers"), found.statement)
    match = _RETRACT.search(tail)
    if match is None:
        return None
    rest = tail[match.start() :]
    later = _conclude(rest, base + match.start(), reader)
    if _AFFIRM.search(rest) and not _NOT_AFFIRM.search(rest) and not match.group("strong"):
        return None
    if later is not None:
        if later.reading.problem == "refusal" and match.group("weak") and not match.group("strong"):
            return later
        if (
            not later.reading.problem
            and not found.reading.problem
            and reader.same(later.reading.value, found.reading.value)
        ):
            return None
        return Found(later.reading, replace(later.statement, rule="correction"))
    if match.group("strong"):
        return Found(Reading(problem="no_answer"), found.statement)
    return None


_CONCLUSION = re.compile(
    r"^[\W_]{0,12}(?:therefore|thus|hence|consequently|in conclusion|to conclude|in summary|in short|overall|"
    r"as a result|accordingly|so|ultimately|finally|conclusion|summary|result|this (?:means|gives|implies|yields|"
    r"represents|results)|"
    r"which (?:means|gives|yields)|we (?:get|obtain|find|conclude)|it follows|putting|taken together)\b|"
    r"^[\W_]{0,12}(?:因此|所以|综上(?:所述)?|由此|故|总之|总的来说|可见|可得|得出|综合|最终|即|于是|从而|则|总结|"
    r"结果)",
    re.I,
)
_CONCLUSION_INSIDE = re.compile(
    r"[,;—]\s*(?:therefore|thus|hence|so|which means)\b|(?:因此|所以|故|由此可知|从而)", re.I
)
_CONTEXT = re.compile(
    r"^[\W_]{0,12}(?:\(?sources?\b|\(?notes?\b|\*?note\b|references?\b|ref\b|disclaimer|caveat|data (?:from|"
    r"source|is|are|was)|\(?see\b|\(?refer|for (?:reference|context|comparison|your)|(?:sanity |cross[- ]?|"
    r"double[- ]?|quick )?checks?\b|verification|verify|to (?:verify|check)|as (?:a|an) (?:\w+ )?check|"
    r"this (?:is|was|figure|value|number|calculation|result|answer|analysis|uses?|assumes?|data|"
    r"information) (?:is |was |were )?(?:based|calculated|derived|computed|drawn|taken|from|reported|using|"
    r"assumes?|uses?|excludes?|includes?|covers?|rounded|compar|according|not|for)|"
    r"\(?(?:based|calculated|computed|derived|reported|according|rounded) (?:on|from|using|in|to|as)|"
    r"(?:the |these |all |those )?(?:data|figures?|numbers?|values?|amounts?|inputs?|information|calculation|"
    r"table|report|filing|underlying)\b[^.]{0,30}? (?:is|are|was|were|come|comes|came|can be found|appears?|"
    r"taken|uses?|covers?|based|reported|assumes?) |please (?:note|consult|keep)|keep in mind|it (?:is|"
    r"'s) (?:worth|important)|it should be noted|sample|n\s*=|confidence|last updated|assum(?:ing|ption|es)|"
    r"(?:in|by) (?:comparison|contrast)|(?:the )?(?:prior|previous)[- ]year|last year|compared|"
    r"for (?:the )?(?:year|fiscal|prior)|however|note that|remember|past performance|investors should|"
    r"this is not|i hope|hope this|let me know|if you|feel free|"
    r"注|备注|数据来源|来源|资料来源|参考|说明|验算|检验|验证|免责|样本|以上数据|数据|上述数据|计算依据|依据|"
    r"其中|需要注意|请注意|但|不过|如有|希望|投资有风险|提示|风险)",
    re.I,
)
_CONTEXT_INSIDE = re.compile(
    r"\b(?:on|see|from|at) p(?:age|\.)\s?\d|\bsample of\b|第\s?\d+\s?页|\b10-[KQ]\b|\bannual report\b|"
    r"\bdisclaimer\b|\bnot (?:financial|investment) advice\b",
    re.I,
)
_PLAN = re.compile(
    r"^[\W_]{0,12}(?:\d{1,2}[.):]\s{0,3})?[\W_]{0,6}(?:(?:now|so|okay|ok|then|and|well|alright|"
    r"sure),?\s+)?(?:to (?:find|calculate|determine|compute|answer|get|solve|do|evaluate|obtain|classify|assess|"
    r"figure)|we (?:need|can|should|must|will|have to|first|then|are asked|are given|want)|i(?:'ll| will| need|"
    r" should| would| can| must|'m going| am going| have to| first)|let(?:'s| us| me)\b|"
    r"first\b|firstly|second\b|secondly|third\b|next\b|then\b|step\b|the (?:formula|plan|approach|steps?|method|"
    r"question|first step|next step|calculation|process)\b|start\b|begin\b|subtract\b|divide\b|multiply\b|add\b|"
    r"take\b|find\b|calculate\b|compute\b|look\b|identify|recall|"
    r"我(?:们)?(?:需要|将|会|可以|应该|先|首先)|首先|其次|接下来|然后|第[一二三四五]步?|让我|为了|要(?:计算|求)|"
    r"需要|计划|步骤|先|已知|题目|计算公式|公式)",
    re.I,
)
_RESULT = re.compile(
    r"[=≈→]|\b(?:gives|yields|equals|giving|yielding|resulting|to get|which is|we get)\b|得到|等于|得出", re.I
)
_STUB = re.compile(
    r"\W*(?:now|next|so|then|therefore|thus|hence|the|this|we|i|and|but|finally|in|step|first|since|因此|所以|"
    r"接下来|最后|综上)(?:\s+\w{1,12}){0,2}\W{0,2}(?<![.!?。%\d])",
    re.I,
)
_UNFINISHED = re.compile(
    r"(?:[=+×*/(,÷≈:\\-]|\\frac\{?[^{}]*\}?|\b(?:the|of|is|to|and|by|a|an|was|are|were|in|for|from|with|at|that|"
    r"which|approximately|about|as|be|than|on|will|would|equals|divided|therefore|thus|so|or|if)|等于|约|为|是|"
    r"的|则|和|与|除以|乘以|减去|因此|所以)$",
    re.I,
)


_LIST_NUMBER = re.compile(r"\s*[*_#(]{0,4}\d{1,2}[.)]\s*")
_BOTH = re.compile(
    r"\bboth\b[^.\n]{0,40}\b(?:answers?|values?|valid|correct|acceptable|possible|plausible)\b|"
    r"\beither\b[^.\n]{0,30}\b(?:answer|value|acceptable|correct)\b|两(?:个|种|者)[^。\n]{0,10}(?:都|均|皆)",
    re.I,
)


def _sentences(text: str) -> list[tuple[int, int]]:
    spans = []
    start = 0
    for match in _SENTENCE_END.finditer(text):
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


def _conclude(text: str, base: int, reader: Reader, *, only_cued: bool = False) -> Found | None:
    """The concluding sentence of a text without an explicit statement."""
    offset = max(0, len(text) - _CONCLUSION_WINDOW)
    spans = _sentences(text[offset:])[-60:]
    if not spans:
        return None
    spans = [(a + offset, b + offset) for a, b in spans]
    last = text[spans[-1][0] : spans[-1][1]].strip()
    many = len(spans) > 1 or len(text) > 100
    cut_off = many and bool(_UNFINISHED.search(last.rstrip("$ *")) or _STUB.fullmatch(last))
    readable: list[tuple[bool, Found]] = []
    refused: Found | None = None
    for index, (start, end) in enumerate(spans):
        raw = text[start:end]
        content = plain(raw.strip())
        if not content or content.startswith("|"):
            continue
        if len(spans) > 1 and content.endswith("?"):
            continue
        cued = bool(_CONCLUSION.match(content)) or bool(_CONCLUSION_INSIDE.search(content))
        if (
            not cued
            and (readable or index)
            and (_CONTEXT.match(content) or _CONTEXT_INSIDE.search(content))
            and not refuses(content)
        ):
            continue
        if not cued and reader.plans and _PLAN.match(content) and not _RESULT.search(content):
            continue
        lead = text[max(0, start - 300) : start]
        rule = "conclusion" if cued else "bare" if len(spans) == 1 and len(content) <= 80 else "sentence"
        statement = Statement(content, base + start, base + end, rule, lead=plain(lead))
        reading = reader.read(statement)
        if reading is None:
            continue
        if reading.problem == "refusal":
            refused = Found(reading, statement)
            readable = [pair for pair in readable if pair[0]]
            continue
        if refused is not None and not cued:
            continue  # numbers after a refusal only illustrate it
        if cued:
            refused = None
        readable.append((cued, Found(reading, statement)))
    if refused is not None:
        return refused
    if (
        len(readable) > 1
        and _BOTH.search(last)
        and not any(reader.same(readable[-1][1].reading.value, f.reading.value) for _, f in readable[-2:-1])
    ):
        return Found(Reading(problem="two_answers"), readable[-1][1].statement)
    cued_ones = [found for cued, found in readable if cued]
    if only_cued:
        return cued_ones[-1] if cued_ones else None
    if cut_off:
        # Cut before the conclusion: only a conclusion that came earlier counts.
        earlier = [found for found in cued_ones if found.statement.end < base + spans[-1][0] + 1]
        return (
            earlier[-1]
            if earlier
            else Found(Reading(problem="truncated"), Statement("", base, base + len(text), "cut"))
        )
    return _choose(readable, reader) if readable else None


def _choose(readable: list[tuple[bool, Found]], reader: Reader) -> Found:
    """The last concluding sentence, unless a later plain one suits the question better; a leading bare answer counts."""
    cued = [index for index, (is_cued, _) in enumerate(readable) if is_cued]
    if cued:
        best = cued[-1]
        for index in range(best + 1, len(readable)):
            if readable[index][1].reading.fit > readable[best][1].reading.fit:
                best = index
        return readable[best][1]
    if len(readable) > 1 and all(found.reading.whole for _, found in readable):
        merged = reader.merge([found.reading.value for _, found in readable])  # one letter a line
        if merged is not None:
            return Found(merged, readable[-1][1].statement)
        if not reader.same(readable[0][1].reading.value, readable[-1][1].reading.value):
            return Found(Reading(problem="two_answers"), readable[-1][1].statement)
    first = readable[0][1]
    if first.reading.whole:
        return first
    recent = readable[-3:]
    fit = max(found.reading.fit for _, found in recent)
    return next(found for _, found in reversed(recent) if found.reading.fit == fit)
