"""The explicit statements of a reply: boxes, answer tags, JSON fields, "####", cue phrases in English and Chinese."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from finbench.text.normalize import group_end, plain

MAX_STATEMENTS = 40


@dataclass(frozen=True, slots=True)
class Statement:
    """A place where the reply states an answer: its text without markup, its offsets, and the rule that found it."""

    text: str
    start: int
    end: int
    rule: str
    final: bool = True  # False for a plain "Answer:" that may open a longer derivation
    lead: str = ""  # what stands before it in its sentence
    core: str = ""  # the part of a sentence that is in bold or follows "therefore"


_BOX = re.compile(r"(?:\\(?:boxed|fbox|framebox)|\x08oxed|(?<![A-Za-z\\])boxed)\s{0,3}(\{)?")
_BOX_BARE = re.compile(r"\s{0,3}([^\s{}$\\]{1,40}(?:\\?%)?)")
_BOX_AFTER = re.compile(
    r"[\s$*]{0,3}(?:\\?\)[\s$*]{0,3})?(?:\\text\{)?\s{0,2}(\\?%|percent(?:age points?)?\b|(?:thousand|million|"
    r"billion|trillion)\b(?!\s+shares)|bps?\b|basis points\b|"
    r"个?百分点|万亿|千万|百万|万|亿|千)"
)
_BOX_BEFORE = re.compile(r"(?:(-)\s?|([$€£¥])\s?)(?:\$|\\\()?$")
_TAG_OPEN = re.compile(r"<\s?(answer|final_answer|final|finalanswer|ans|result|value)\s?>", re.I)
_TAG_CLOSE = re.compile(r"<\s?/\s?(?:answer|final_answer|final|finalanswer|ans|result|value)\s?>?", re.I)
_FIELD = re.compile(
    r"[\"'](?:final[_ ]?answer|answer|result|final[_ ]?result|value|label|sentiment|class|classification|"
    r"prediction|choice|option|"
    r"output|final|verdict|答案|最终答案|结果|选项|情感|判断|判断结果|结论|回答)[\"']\s{0,3}:\s{0,3}(?:\"((?:[^\"\\\n]|\\.){0,400})\"|"
    r"'([^'\n]{0,400})'|(\[[^\]\n]{0,200}\])|([^,}\n\"'\[]{1,120}))",
    re.I,
)
_FIELD_UNIT = re.compile(r"[\"'](?:unit|units|单位)[\"']\s{0,3}:\s{0,3}[\"']([^\"'\n]{1,30})[\"']", re.I)
_HASHES = re.compile(r"(?:^|\n|\s)####[ \t]*([^\n]{1,300})")
_CUE = re.compile(
    r"(?P<name>(?:\b(?:final|correct|right|best|short|direct|my|our|the|so|thus)[ \t]+){0,4}\b(?P<noun>answers?|"
    r"ans|final[ \t]+(?:result|value|label|verdict|classification|choice|sentiment))"
    r"(?:[ \t]+(?:choice|option|letter|label))?\b)(?P<middle>[^\n.:=?!]{0,70}?)(?P<link>[\"'*_ \t]{0,6}(?::|=|→|—|"
    r"\b(?:is|are|was|would[ \t]+be|will[ \t]+be|should[ \t]+be|must[ \t]+be|comes[ \t]+(?:out[ \t]+)?to|"
    r"equals)\b)[\"'*_ \t:]{0,8}|[*_# \t]{0,8}\n)"
    r"|(?P<bare>\bfinal[ \t]+answer[ \t*]{1,4})(?=[-$€£¥(\d.]|\\)"
    r"|(?P<choose>\b(?:(?:correct|right|best)[ \t]+(?:options?|choices?|label|class|classification|sentiment|statements?|"
    r"figure|value|number|amount|result)|"
    r"i[ \t]+(?:would[ \t]+)?(?:choose|select|pick|go[ \t]+with)|"
    r"(?:overall|final|predicted|the|tweet'?s?)[ \t]+(?:sentiment|label|classification|stance|class|category)|"
    r"sentiment|label|classification|prediction|verdict|(?<![\w ][ \t])output(?=[\"'*_ \t]{0,3}:))\b[^\n.:=?!]{0,60}?"
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
    r"|(?:因此|所以|故|应该?|应当|最终|综上),?(?:我)?(?:的)?回答(?:是|为|:)?[\s*\":]{0,6}"
    r"|(?:[。;,]\s{0,3}|^)结论(?:是|为|:)[\s*\"]{0,6}"
    r"|答案(?:仍然?|还|依然|依旧)(?:应该?|应)?(?:是|为|选)[\s*\":]{0,6}"
    r"|(?:情感|情绪|标签|分类|类别|情感倾向|情感分类|判断)(?:结果)?(?:是|为|:)[\s*\"]{0,6}"
)
# "Many candidates choose A", "at first I wanted to choose C": somebody else's choice, or an earlier one.
_OTHERS = re.compile(
    r"(?:考生|同学|学生|学员|有人|不少人|很多人|容易|误|错|一开始|起初|原本|本来|最初|如果|若|假如|想)[^。;\n]{0,6}$"
)
_OTHERS_AFTER = re.compile(r"[A-H\s、和]{1,12}的(?:考生|同学|学生|学员|人)")
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
FORMAT = re.compile(
    r"(?:\be\.g\.|\bfor (?:example|instance)|\bsuch as|\bformat(?:ted)?\b|\bin the (?:form|style)\b|\b(?:should|"
    r"must|need to|have to|supposed to|asked to|told to|instructed to|going to|"
    r"want me to)\s+(?:\w+\s+){0,3}(?:end|finish|conclude|put|place|"
    r"write|wrap|enclose|present|give|use|output|format|respond|reply)\b|\bplease (?:put|end|give|write|provide|"
    r"reason)|\binstructions?\b|\btemplate|\bplaceholder|\bexample\b|例如|比如|格式|形如|模板|示例|"
    r"要求.{0,6}(?:写|放|用|以)|需要?(?:写|放|用)|请将|放在|放入)[^\n.!?。]{0,60}$",
    re.I,
)
SENTENCE_END = re.compile(
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
        if _PLACEHOLDER.fullmatch(plain(content)) or FORMAT.search(text, max(0, match.start() - 90), match.start()):
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
        if FORMAT.search(text, max(0, match.start() - 90), match.start()):
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


# A cue begins with one of the first words, or holds one of the second; looking for them spares the long pattern the text.
_CUE_STARTS: tuple[str, ...] = (
    "answer",
    "ans",
    "final",
    "correct",
    "right",
    "best",
    "sentiment",
    "label",
    "classification",
)
_CUE_STARTS += ("prediction", "verdict", "output")
_CUE_PARTS = ("choose", "select", "pick", "go with", "stance", "class", "category")


def _cue_matches(text: str) -> Iterator[re.Match[str]]:
    low = text.lower()
    if len(low) != len(text):  # a letter whose lower case is longer
        yield from _CUE.finditer(text)
        return
    spots: dict[int, bool] = {}
    for words, anchored in ((_CUE_PARTS, False), (_CUE_STARTS, True)):
        for word in words:
            at = low.find(word)
            while at >= 0:
                spots[at] = anchored
                at = low.find(word, at + 1)
    done = 0
    for spot in sorted(spots):
        if spot < done:
            continue
        look, start = (_CUE.match, spot) if spots[spot] else (_CUE.search, max(done, spot - 40))
        match = look(text, start, spot + 240)
        if match:
            yield match
            done = match.end()


def _cues(text: str) -> list[Statement]:
    found = []
    matches = _last(_cue_matches(text))
    if not text.isascii():
        matches += [match for match in _last(_CUE_HAN.finditer(text)) if not _others(text, match)]
    for match in matches:
        start = match.end()
        if text[max(0, match.start() - 1) : match.start()] in ('"', "'") and text[start - 1] in "\"': ":
            continue  # a JSON key, read as such
        if text[match.start() - 1 : match.start()] in ("<", "/") and match.start():
            continue  # a tag
        if (start and text[start - 1 : start] == "\n") or not text[start : start + 1].strip():
            start = _next_text(text, start)
        end = sentence_end(text, start)
        raw = text[start:end]
        if not raw.strip() or "oxed" in raw:
            continue
        content = plain(raw)
        if _PLACEHOLDER.fullmatch(content) or FORMAT.search(text, max(0, match.start() - 60), match.start()):
            continue
        words = match.groupdict()
        final = bool(words.get("bare") or "final" in (words.get("name") or "").lower() or words.get("final"))
        lead = (words.get("middle") or "").strip()
        found.append(Statement(content, match.start(), end, "cue", final=final, lead=lead))
    return found


def _others(text: str, cue: re.Match[str]) -> bool:
    """Does a Chinese "choose" tell what others choose, or what was dropped?"""
    return "选" in cue.group() and bool(
        _OTHERS.search(text, max(0, cue.start() - 14), cue.start()) or _OTHERS_AFTER.match(text, cue.end())
    )


def _next_text(text: str, start: int) -> int:
    while (
        start < len(text)
        and text[start] in " \t\n*#:>-=_"
        and not (text[start] == "-" and text[start + 1 : start + 2] in "0123456789.$(")
    ):
        start += 1
    return start


def sentence_end(text: str, start: int, limit: int = 600) -> int:
    match = SENTENCE_END.search(text, start, min(len(text), start + limit))
    return match.start() if match else min(len(text), start + limit)
