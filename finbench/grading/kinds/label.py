"""Labels: the class a reply names as its conclusion (bearish, bullish, neutral)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from finbench.grading.claims import Claim
from finbench.grading.decide import Reading, find
from finbench.grading.discourse import refuses
from finbench.grading.reply import Reply
from finbench.records import Document, Grade
from finbench.text.normalize import normalise

TFNS_CLASSES = ("bearish", "bullish", "neutral")
TFNS_CODES = {"0": "bearish", "1": "bullish", "2": "neutral"}
# Words that stand for a class only where the question offers them.
TFNS_SYNONYMS = {
    "positive": "bullish",
    "negative": "bearish",
    "积极": "bullish",
    "消极": "bearish",
    "正面": "bullish",
    "负面": "bearish",
    "中立": "neutral",
    "利好": "bullish",
    "利空": "bearish",
    "看多": "bullish",
    "看空": "bearish",
    "看涨": "bullish",
    "看跌": "bearish",
    "中性": "neutral",
}
_NEGATED = re.compile(
    r"(?:\b(?:not|n't|never|no|neither|nor|rather than|instead of|without|far from|less|hardly|than|opposed to|"
    r"anything but|rules? out|ruled out|unlike|isn't|exclude[sd]?|nothing|isn't)\s+(?:(?:a|an|the|any|be|is|"
    r"being|necessarily|really|strictly|clearly|purely|outright|either|strongly|explicitly|particularly|of|very|"
    r"overly|entirely)\s+){0,3}[\"'*(]*"
    r"|(?:n't|\bnot|\bhardly|\bnever) (?:call|consider|label|say|classify|describe|see|view|read|think)"
    r"(?: (?:it|this|that|of it|(?:the|this) (?:tweet|news|headline|post)))?(?: as| is)? [\"'*(]*"
    r"|(?:n't|\bnot|\bwithout|\black(?:s|ing)?|\bno) (?:\w+ ){0,3}(?:any|clear|strong|explicit|obvious|definite) "
    r"(?:\w+ )?[\"'*(]*"
    r"|(?:不是|并非|不属于|非|而不是|没有|不算|排除))$",
    re.I,
)
_HYPOTHETICAL = re.compile(
    r"\b(?:if|could be|might be|may be|would be|some|although|though|despite|while|whereas|even if|but a|seem|"
    r"initially|at first|but some)\b[^.;,]{0,40}$",
    re.I,
)
# What others would say, or what it would take: "would only be neutral if", "some would call that bullish"
_ONLY_IF = re.compile(r"\b(?:would|could|might|may) only (?:be|become|turn) [\"'*(]*$|\bif it were [\"'*(]*$", re.I)
_SOME_SAY = re.compile(
    r"\b(?:some|others|one|you|many)(?: \w+)? (?:would|could|might|may) (?:also )?"
    r"(?:call|see|read|label|consider|argue)\b[^.;,]{0,30}$",
    re.I,
)
_WOULD_MISS = re.compile(
    r"[\"'*)]* (?:label|class|reading|rating|call|tag)? ?(?:would|could|might) (?:ignore|miss|overlook|overstate|"
    r"understate|be (?:wrong|too|an? (?:overstatement|stretch|exaggeration)))",
    re.I,
)
_CODE = re.compile(
    r"[\s(\"'\[]*(?:label|class|code|标签|类别)?[\s:]*([0-9A-Za-z]{1,2})[\s)\"'\].]*(?:[(:=\-–—]\s*(\w+)\)?\W*)?", re.I
)
# "Class 1, because ...", "I would assign 0 to this tweet"
_CODE_NAMED = re.compile(
    r"(?:^|(?:=>|→|->)\s*|\b(?:assign|choose|pick|give(?: it)?|go with|code|label|class|category|标签|类别|选择?|"
    r"为|是|so|therefore|hence|thus)(?: (?:it|this|is|as))?\s*:?\s*)[\"'(]?(\d)[\"')]?"
    r"(?=\s*(?:\.?$|[.:(—–-]\s|[,;]\s*[A-Za-z\u4e00-\u9fff]|(?:to|for) (?:this|the|it)\b|because\b|since\b|as\b|。))",
    re.I,
)
# "(confidence: 97%; bearish 2%)"
_SHARES = re.compile(
    r"\((?=[^()]*(?:\d\s?%|\d\.\d|confiden|probab|置信|概率))[^()]*\)|"
    r"[,;]?\s*(?:with )?(?:confidence|probabilit)\w*\b.*$",
    re.I | re.S,
)
_LEGEND = re.compile(r"[^():]{0,60}\(?[^()]{0,120}\)\s*[:=]\s*(?=\S)")
_FROM = re.compile(r"\bfrom\s+(?:an?\s+)?[\"'(]?$|从[\"'(]?$", re.I)
_TO = re.compile(r"[\"')]?\s*(?:(?:rating|stance|outlook)\s+)?(?:to\b|下?调?(?:至|到|为))", re.I)
# What a class is given in a list of all of them: "Bearish: 0.91", "| Negative | 64% |", "Bullish √"
_GIVEN = re.compile(r"[\s\"'*:|=()—-]{0,8}(?:(?P<share>\d?\.\d{1,4}|\d{1,3}(?:\.\d{1,4})?(?=\s?%))|(?P<mark>[√✗×]))")
_COLON = re.compile(r"\w\s?(?::|—|–| - |→)[\s\"'*(]*$")
_FOREIGN_WORD = re.compile(r"\W*([\u4e00-\u9fff]{2})\s*\(([0-9])\)\W*")
_LIST_LINK = re.compile(r"[\s\"'*()]*(?:\(\w{1,12}\)[\s\"'*]*)?(?:,|/|、)?\s*(?:or|nor|and|或|和)?[\s\"'*()]*", re.I)
_NEITHER = re.compile(r"\b(?:neither|nor)\b[^.,;:]*$", re.I)


class LabelReader:
    """Reads statements for class names; `words` maps every accepted word to its class."""

    plans = False

    def __init__(self, words: Mapping[str, str], codes: Mapping[str, str]) -> None:
        self.words = {word.lower(): name for word, name in words.items()}
        self.codes = codes
        each = sorted(self.words, key=len, reverse=True)
        self.pattern = re.compile(
            "|".join(
                rf"(?<![A-Za-z]){re.escape(w)}(?:ness|ly)?(?![A-Za-z])" if w.isascii() else re.escape(w) for w in each
            ),
            re.I,
        )

    def read(self, claim: Claim) -> Reading | None:
        """The class a statement names, "two_answers", or None."""
        text = claim.text.strip()
        legend = _LEGEND.match(text)
        if legend and len(set(self._named(legend.group()))) > 1:
            text = text[legend.end() :].strip()  # "(0 = bearish, 1 = bullish, 2 = neutral): 0"
        if _SHARES.search(text) and _SHARES.sub("", text).strip(" .,;:"):
            text = _SHARES.sub("", text).strip()
        code = _CODE.fullmatch(text)
        named = self._named(text)
        if code and code.group(1) in self.codes and not named:
            return Reading(self.codes[code.group(1)], code.group(1), whole=True)
        if code and code.group(1) in self.codes and len(set(named)) == 1 and self.codes[code.group(1)] != named[0]:
            return Reading(problem="two_answers")
        classes = list(dict.fromkeys(named))
        foreign = _FOREIGN_WORD.fullmatch(
            text
        )  # "看跌(0)": the code stands for the word that the question does not offer
        if not classes and foreign and self.codes.get(foreign[2]) == TFNS_SYNONYMS.get(foreign[1]):
            return Reading(self.codes[foreign[2]], foreign[2], whole=True)
        spoken = set() if classes else set(_CODE_NAMED.findall(text)) & set(self.codes)
        if len(spoken) == 1:
            return Reading(self.codes[said := spoken.pop()], said)
        if not classes:
            return Reading(problem="refusal") if refuses(text) and len(text) < 400 else None
        if len(classes) > 1 and (last := self._after_colon(text)):
            classes = [last]
        if len(classes) > 1:
            sure = list(dict.fromkeys(self._named(text, sure=True)))
            if len(sure) == 1 and not re.search(r"\b(?:or|and|both)\b|/|或|和", _between(text, self.pattern)):
                classes = sure
            else:
                return Reading(problem="two_answers")
        bare = re.sub(r"\W+", "", text).lower()
        shown = next(m.group() for m in self.pattern.finditer(text) if self._class(m.group()) == classes[0])
        return Reading(classes[0], shown, whole=bare in self.words, fit=1)

    def listed(self, text: str) -> str:
        """The class that is ticked, or has the largest share, where every class is given one of its own; "" elsewhere."""
        given: dict[str, float] = {}
        for match in self.pattern.finditer(text):
            name, said = self._class(match.group()), _GIVEN.match(text, match.end())
            if said and name in given:
                return ""
            if said:
                given[name] = float(said["share"]) if said["share"] else float(said["mark"] == "√")
        largest = [name for name, share in given.items() if share == max(given.values())]
        return largest[0] if set(given) == set(self.words.values()) and len(largest) == 1 else ""

    def same(self, one: Any, other: Any) -> bool:
        """Classes are the same or not."""
        return bool(one == other)

    def merge(self, values: Sequence[Any]) -> Reading | None:
        """Two classes are never one answer."""
        return None

    def _named(self, text: str, *, sure: bool = False) -> list[str]:
        names = []
        neither = re.search(r"\bneither\b", text, re.I)
        rejected_until = -1
        for match in self.pattern.finditer(text):
            before = text[max(0, match.start() - 60) : match.start()]
            carried = rejected_until >= 0 and _LIST_LINK.fullmatch(text[rejected_until : match.start()])
            if carried or _NEGATED.search(before) or (neither and _NEITHER.search(before)):
                rejected_until = match.end()  # "not bearish or neutral" rejects both
                continue
            rejected_until = -1
            if _FROM.search(before) and _TO.match(text, match.end()):
                continue  # a rating that was left: "cut from neutral to underperform"
            if _ONLY_IF.search(before) or _SOME_SAY.search(before) or _WOULD_MISS.match(text, match.end()):
                continue
            if sure and _HYPOTHETICAL.search(before):
                continue
            names.append(self._class(match.group()))
        return names

    def _after_colon(self, text: str) -> str:
        """The class that a sentence ends on after a colon or dash ("upgraded to neutral: bullish"), or ""."""
        *_, last = self.pattern.finditer(text)
        alone = _COLON.search(text, 0, last.start()) and not re.search(r"\w", text[last.end() :])
        return self._class(last.group()) if alone else ""

    def _class(self, word: str) -> str:
        word = word.lower()
        return self.words.get(word) or self.words.get(re.sub(r"(?:ness|ly)$", "", word)) or word


def _between(text: str, pattern: re.Pattern[str]) -> str:
    found = list(pattern.finditer(text))
    return text[found[0].end() : found[-1].start()] if len(found) > 1 else ""


def vocabulary(document: Document) -> tuple[dict[str, str], dict[str, str]]:
    """Accepted words and codes of a labelled question; synonyms and codes only where the question offers them."""
    answer = document.answer
    classes = answer.classes or TFNS_CLASSES
    words = {name.lower(): name.lower() for name in classes}
    question = normalise(document.question).lower()
    if answer.synonyms:
        words |= {word.lower(): name.lower() for word, name in answer.synonyms.items()}
    elif set(classes) == set(TFNS_CLASSES):
        words |= {word: name for word, name in TFNS_SYNONYMS.items() if word in question}
        if re.search(r"[\u4e00-\u9fff]", question):
            words |= {"看涨": "bullish", "看跌": "bearish", "中性": "neutral"}
    codes = {code: name.lower() for code, name in answer.codes.items()}
    if not codes and set(classes) == set(TFNS_CLASSES):
        offered = all(
            re.search(
                rf"(?<!\d){code}\s*[^\w\s]*\s*(?:for|is|means|表示|代表)?\s*[\"'(]?{name}|"
                rf"{name}[\"')]?\s*[:=(\-]?\s*\(?{code}",
                question,
            )
            for code, name in TFNS_CODES.items()
        )
        if offered or any(gold.text.strip() in TFNS_CODES for gold in document.golds):
            codes = dict(TFNS_CODES)
    return words, codes


def grade_label(document: Document, reply: Reply) -> Grade:
    """Right when exactly one class is named as the conclusion and it is the gold's."""
    words, codes = vocabulary(document)
    reader = LabelReader(words, codes)
    found = find(reply, reader, document.question)
    stated = found is not None and not found.reading.problem and found.claim.where not in ("sentence", "bare")
    if not stated and (given := reader.listed(reply.text)):
        rule, shown = "options", given
    elif found is None:
        return Grade(False, "no_answer")
    elif found.reading.problem:
        return Grade(False, found.reading.problem, rule=found.row)
    else:
        rule, shown, given = found.row, str(found.reading.shown), str(found.reading.value)
    for gold in document.golds:
        name = normalise(gold.text.strip()).lower()
        name = codes.get(name) or words.get(name) or name
        if given == name:
            return Grade(True, "equal", shown, given, rule, gold=gold.source, lenient=True)
    return Grade(False, "different", shown, given, rule)
