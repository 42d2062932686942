"""The places where a reply could be giving its answer by a form of its own: boxes, tags, fields, "####", cue phrases."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from finbench.text.lexicon import either, pattern, words
from finbench.text.normalize import group_end, plain

MAX_CLAIMS = 40
Where = Literal["box", "cut_box", "tag", "field", "hashes", "cue", "bold", "table", "conclusion", "sentence", "bare"]


@dataclass(frozen=True, slots=True)
class Claim:
    """A place where the reply states an answer: its text without markup, its offsets, and what kind of place it is."""

    text: str
    start: int
    end: int
    where: str
    final: bool = True  # False for a plain "Answer:" that may open a longer derivation
    lead: str = ""  # what stands before it in its sentence
    core: str = ""  # the part of a sentence that is in bold or follows "therefore"
    mark: str = ""  # what lowers a sentence's rank: "lead", "aside"


_BOX = re.compile(r"(?:\\(?:boxed|fbox|framebox)|\x08oxed|(?<![A-Za-z\\])boxed)\s{0,3}(\{)?")
_BOX_BARE = re.compile(r"\s{0,3}([^\s{}$\\]{1,40}(?:\\?%)?)")
_AFTER_BOX = r"[\s$*]{0,3}(?:\\?\)[\s$*]{0,3})?(?:\\text\{)?\s{0,2}"
_BOX_AFTER = re.compile(rf"{_AFTER_BOX}(\\?%|{either('unit')}|(?-i:{either('scale')}\b)(?!\s+shares))")
_BOX_BEFORE = re.compile(r"(?:(-)\s?|([$€£¥])\s?)(?:\$|\\\()?$")
_TAG_OPEN = pattern(r"<\s?<tag>\s?>")
_TAG_CLOSE = pattern(r"<\s?/\s?<tag>\s?>?")
_VALUE = r"(?:\"((?:[^\"\\\n]|\\.){0,400})\"|'([^'\n]{0,400})'|(\[[^\]\n]{0,200}\])|([^,}\n\"'\[]{1,120}))"
_FIELD = pattern(rf"[\"']<field>[\"']\s{{0,3}}:\s{{0,3}}{_VALUE}")
# A scale or unit in a field, a column or a sentence of its own: {"answer": 761, "scale": "thousand"}
_SCALE_FIELD = pattern(
    r"<field_scale>[\"'*]{0,3}\s{0,2}(?:is|are|:|=|为|是|は){1,2}[\s\"'*:]{0,4}([^\n\"'.;。}]{1,30})"
)
# "761 (in thousands)"
_IN_SCALE = pattern(r"([^A-Za-z]{1,30}?)[\s(]*in\s+(?:[a-z$.]{1,8}\s+)?(<scale>)[\s).]*")
_SCALE_WORD = pattern("<scale>")
_UNIT_WORD = pattern("<unit>")
_HASHES = re.compile(r"(?:^|\n|\s)####[ \t]*([^\n]{1,300})")
_NAME = r"(?P<name>(?:<cue.adjective>[ \t]+){0,4}<cue.noun>(?:[ \t]+<cue.kind>)?)(?P<middle>[^\n.:=?!]{0,70}?)"
_LINK = r"(?P<link>[\"'*_ \t]{0,6}<cue.link>[\"'*_ \t:]{0,8}|[*_# \t]{0,8}\n)"
_BARE = r"(?P<bare><cue.bare>[ \t*]{1,4})(?=[-$€£¥(\d.]|\\)"
_CHOSEN = r"(?:[\"'*_ \t]{0,6}<cue.link_choose>[\"'*_ \t:]{0,8}|(?=[ \t]+(?:option[ \t]+)?\(?[A-Z]\b))"
_CHOOSE = rf"(?P<choose>(?:<cue.choose>|(?<![\w ][ \t])output(?=[\"'*_ \t]{{0,3}}:))[^\n.:=?!]{{0,60}}?{_CHOSEN})"
_CUE = pattern(rf"{_NAME}{_LINK}|{_BARE}|{_CHOOSE}")
_HAN_LINK = r"(?:<cue.han_link>|[ \t]{0,3}\n|[\s*\]]{0,6}(?=[A-Z\d$\\-])|\][\s:]*)[\s*\":]{0,8}"
_HAN = (
    rf"(?P<final><cue.han_final>)?(?:的)?(?:正确)?<cue.han_noun>{_HAN_LINK}",
    r"<cue.han_choose>(?:项|:|的是|为)?[\s*\":]{0,6}",
    r"选(?:择|项)?[\s*\":]{0,4}(?=[A-Z]{1,8}(?![A-Za-z]))",
    r"(?:^|\n)[ \t*]{0,6}<cue.han_line>[ \t*]{0,4}:[\s*]{0,6}",
    r"<cue.han_say>(?:是|为|:)?[\s*\":]{0,6}",
    r"(?:[。;,]\s{0,3}|^)结论(?:是|为|:)[\s*\"]{0,6}",
    r"<cue.han_class>(?:是|为|:)[\s*\"]{0,6}",
)
_CUE_HAN = pattern("|".join(_HAN))
# "Many candidates choose A", "at first I wanted to choose C": somebody else's choice, or an earlier one.
_OTHERS = pattern(r"<others_choose>[^。;\n]{0,6}$|不$")
_OTHERS_AFTER = pattern(r"[A-Z\s、和]{1,12}的<people>")
_EDGE = r"[\s.…_?*<>\[\](){}\"'`|:-]{0,24}"
_PLACEHOLDER = pattern(
    rf"{_EDGE}(?:(?:<placeholder.verb>\s{{0,3}})?(?:<placeholder.adjective>[\s_-]*){{0,3}}(?:<placeholder.noun>[\s_-]*){{1,3}})?{_EDGE}"
)
FORMAT = pattern(r"<format>[^\n.!?。]{0,60}$")
SENTENCE_END = re.compile(
    r"(?<=[.!?])[\"')*\]]{0,4}\s+(?=[A-Z\"'(\[*$\\\d\u3040-\u30ff\u4e00-\u9fff])|(?<=\w)\.(?=[A-Z][a-z]+ )|"
    r"[。!?](?=[\s\"')*]|[\u4e00-\u9fff]|$)|;(?=\s*[\u4e00-\u9fff])|。|\n"
)
_OPTION_LINES = re.compile(r"(?:\n[ \t*-]{0,4}\(?[A-Z]\)?[.、:)][^\n]{0,200})+")
_EXPLAINED = pattern(r"\s?\[<heading.remarks>\]|\s[(]?<heading.remarks>:")
_LAST_WORD = re.compile(r"([A-Za-z][A-Za-z.]{0,5}?)\.?$")
_LISTED = re.compile(r"(?:^|[\n;；、])[\s*_(-]{0,4}[A-Z]\.$")  # the letter of an option before its text
_BEFORE_INITIAL = re.compile(r"([A-Z][\w'’-]*\.?|^|[\"'({*:])\s{0,2}[A-Z]\.$")
_NEXT_INITIAL = re.compile(r"\s*[A-Z]\.")


def claims(text: str) -> list[Claim]:
    """The explicit claims of a text, by their start."""
    found: list[Claim] = []
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
                found.append(Claim(content, match.start(1), match.end(1), "hashes"))
    found += _cues(text)
    found.sort(key=lambda s: (s.start, -s.end))
    return found


def _last(matches: Iterable[re.Match[str]]) -> list[re.Match[str]]:
    return list(matches)[-MAX_CLAIMS:]


def _boxes(text: str) -> list[Claim]:
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
                    found.append(Claim("", match.start(), len(text), "cut_box"))
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
        found.append(Claim(with_scale(plain(content), text, end), match.start(), end, "box", lead=lead))
    return found


def _odd_dollar(text: str, before: re.Match[str], at: int) -> bool:
    """Does the dollar sign before a box open mathematics rather than name a currency?"""
    return before.group(2) == "$" and (text[before.start(2) - 1 : before.start(2)] != "\\")


def _tags(text: str) -> list[Claim]:
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
        found.append(Claim(content.strip(), match.end(), end, "tag"))
    return found


def _fields(text: str) -> list[Claim]:
    found = []
    for match in _last(_FIELD.finditer(text)):
        content = next(group for group in match.groups() if group is not None)
        content = content.replace("\\\\", "\\").replace('\\"', '"')
        if "oxed" in content or _PLACEHOLDER.fullmatch(content) or content.strip() in ("null", "None"):
            continue
        content = with_scale(content, text, match.end(), text.rfind("{", 0, match.start()))
        found.append(Claim(plain(content), match.start(), match.end(), "json"))
    return found


def with_scale(content: str, text: str, end: int, opened: int = -1) -> str:
    """The content with the scale or unit that a field beside it gives ("scale": "thousand"), where it has none itself.

    >>> with_scale("761", '{"answer": 761, "scale": "thousand"}', 14)
    '761 thousand'
    """
    if not re.search(r"\d", content):
        return content
    beside = inside = _SCALE_FIELD.search(content)
    if inside:
        content = content[: inside.start()].rstrip(" ,;(\"'")
    else:
        beside = _SCALE_FIELD.search(text, end, end + 120) or (
            _SCALE_FIELD.search(text, opened, end) if opened >= 0 else None
        )
    if beside is None:
        within = _IN_SCALE.fullmatch(content)
        return f"{within[1]} {within[2]}" if within else content
    scale, unit = _SCALE_WORD.search(beside[1]), _UNIT_WORD.search(beside[1])
    if scale and not _SCALE_WORD.search(content):
        content = f"{content} {scale[0]}"
    if unit and not _UNIT_WORD.search(content):
        content = f"{content} {unit[0]}"
    return content


# A cue begins with one of the first words, or holds one of the second; looking for them spares the long pattern the text.
_CUE_PARTS = ("choose", "select", "pick", "go with", "stance", "class", "category")
_CUE_STARTS = (
    *({word.split(" ")[0] for name in ("cue.noun", "cue.choose") for word in words(name)} - {"the", "i", "overall"}),
    *("best", "output", "right", "correct", "option", "choice", "statement"),
)


_CUE_CHARACTERS = frozenset("选答案结果论判断回情绪标签分类别项正解え정답")


def _cue_matches(text: str) -> Iterator[re.Match[str]]:
    low = text.lower()
    if len(low) != len(text):  # a letter whose lower case is longer
        yield from _CUE.finditer(text)
        return
    spots: dict[int, bool] = {}
    for listed, anchored in ((_CUE_PARTS, False), (_CUE_STARTS, True)):
        for word in listed:
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


def _cues(text: str) -> list[Claim]:
    found = []
    matches = _last(_cue_matches(text))
    if not text.isascii() and any(map(text.__contains__, _CUE_CHARACTERS)):
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
        content = with_scale(plain(raw), text, end).partition("####")[0].strip() if "####" in raw else plain(raw)
        more = _OPTION_LINES.match(text, end)
        if more and re.match(r"\(?[A-Z]\)?[.、:)]", content):
            content, end = content + plain(re.sub(r"\n[ \t*-]*", "; ", more[0])), more.end()
        if "####" in raw:
            content = with_scale(content, text, start + raw.index("####"))
        if _PLACEHOLDER.fullmatch(content) or FORMAT.search(text, max(0, match.start() - 60), match.start()):
            continue
        named = match.groupdict()
        final = bool(named.get("bare") or "final" in (named.get("name") or "").lower() or named.get("final"))
        lead = (named.get("middle") or "").strip()
        found.append(Claim(with_scale(content, text, end), match.start(), end, "cue", final=final, lead=lead))
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
    """Where the sentence at `start` ends, at most `limit` characters on."""
    stop = min(len(text), start + limit)
    if explained := _EXPLAINED.search(text, start + 1, stop):
        stop = explained.start()
    return next((match.start() for match in sentence_ends(text, start, stop)), stop)


def sentence_ends(text: str, start: int, stop: int) -> Iterator[re.Match[str]]:
    """The ends of sentences in a text; the full stop of an abbreviation or an initial ends none."""
    for match in SENTENCE_END.finditer(text, start, stop):
        at = match.start()
        if not (at and text[at - 1] == "." and _abbreviated(text, start, at)):
            yield match


def _abbreviated(text: str, start: int, at: int) -> bool:
    before = text[max(start, at - 30) : at]
    if _LISTED.search(before):
        return True
    word = _LAST_WORD.search(before)
    if word is None:
        return False
    said = word[1].lower().rstrip(".")
    if len(said) > 1:
        return said in words("abbreviation")
    initial = _BEFORE_INITIAL.search(before)
    if initial is None or not word[1].isupper():
        return False
    name = initial[1].rstrip(".").lower()
    if len(initial[1]) == 2 and initial[1].endswith("."):
        return True  # J. C. Penney
    return bool(_NEXT_INITIAL.match(text, at)) if len(name) < 2 else name not in words("option_word")
