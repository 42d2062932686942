"""Judgements and yes/no questions: the polarity of the final statement, in English and Chinese."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from finbench.grading.claims import Claim
from finbench.grading.decide import Reading, find
from finbench.grading.discourse import refuses
from finbench.grading.reply import Reply
from finbench.records import Document, Grade
from finbench.text.lexicon import pattern, words
from finbench.text.normalize import last_match, normalise

_WORDS: dict[str, bool] = dict(words("polarity"))
_LEAD = pattern(
    r"[\s\"'(*\[“]*(no(?! <no.noun>)|(?!no\b)<polarity.lead>)(?![a-z])(?=[\s\"',.;:!)*\]”。、—-]|$|[\u4e00-\u9fff])"
)
# "No doubt about it: ...", "Certainly not."
_SURE = re.compile(
    r"\W*(?:there is )?(?:no doubt|without (?:a |any )?doubt|undoubtedly|definitely|certainly|absolutely|of course|indeed|"
    r"exactly|当然|毫无疑问|肯定)\b(?P<no> not\b|不)?",
    re.I,
)
# "So in theory it does not.": the auxiliary alone at the end answers for the whole predicate.
_ELLIPSIS = re.compile(
    r"\b(?:it|they|that|this|he|she|one|there|we|you) (?:does|do|did|can|is|are|was|were|will|would|should|has|have|could|"
    r"may)(?P<no>n't| not)?(?: indeed)?[\s.!\"')]*$",
    re.I,
)
_POSSIBLE = re.compile(r"\b(?:is|are) (?:\w+ly |indeed |quite )?(?P<no>not |im)?possible\b", re.I)
_ASKS_POSSIBLE = re.compile(r"(?:can|could|may|might)\b|is it possible|are there", re.I)
# "Is it necessarily so?": "Not necessarily" is a no.
_ASKS_ALWAYS = re.compile(r"\b(?:necessarily|always|guaranteed?)\b|一定|必然|必定|总是", re.I)
_NOT_ALWAYS = re.compile(r"\W*(?:no, )?(?:not (?:necessarily|always)|不一定|未必)", re.I)
_HEDGE = re.compile(
    r"\b(?:it )?depends\b|\bpartl?y\b|\bpartial(?:ly)?\b|\bin some (?:cases|ways|respects)\b|\bboth yes and no\b|"
    r"\byes and no\b|\bneither\b|\bmaybe\b|\bperhaps\b|\bmixed\b|\bsometimes\b|\bto some extent\b|"
    r"\bnot (?:entirely|necessarily|always|fully|completely)\b|\bhalf[- ]true\b|"
    r"不一定|部分|视情况|取决于|可能|或许|有时|既是|半对|不完全|一定程度|有待|因情况",
    re.I,
)
_JUDGED = re.compile(
    r"(?:(?:(?:statement|claim|assertion|proposition|idea|notion)(?:\s+that\b[^.;\n]{0,120})?|sentence|it|this|that|answer)"
    r"\s+(?:is|was)\s+(?:therefore\s+|thus\s+|indeed\s+|clearly\s+)?(not\s+|in)?(true|false|correct|right|wrong|accurate|valid))"
    r"|(?:(?:说法|陈述|表述|判断|命题|观点|描述|论述|句子|结论|题目|这句话|本题|该题|此题|这)(?:应该|应当|"
    r"应)?(?:是|为|属于|算是)?(?:完全|基本|显然|明显)?(不是|并不是|不|并不|并非|不太|没有|没)?(正确|对|错误|错|成立|准确|"
    r"属实|合规|合理|真|假|不对))"
    r"|(?:是|为)(不|并不)?(正确|对|错误|错|成立|准确|属实|合规|合法|真实|真|假)的",
    re.I,
)
_NEGATIVE = {"false", "wrong", "错误", "错", "假", "不对"}
_ANTONYMS = (
    (
        {
            "great",
            "high",
            "more",
            "larg",
            "exceed",
            "abov",
            "bigg",
            "outperform",
            "outpac",
            "surpass",
            "better",
            "over",
        },
        {"less", "low", "small", "fewe", "belo", "underperform", "lagg", "wors", "under"},
    ),
    (
        {"incr", "grow", "grew", "rise", "rose", "gain", "up", "improv", "climb", "higher", "expand"},
        {"decr", "decl", "fall", "fell", "drop", "loss", "down", "reduc", "worsen", "lower", "shrank", "shrunk"},
    ),
)
_PREDICATE = re.compile(r"(不|并不|并非|未|没有|并未|不能|不应)?(属于|归入|归为|算作|符合|满足|构成|合规|合法|遵守)")
_SAME_PREDICATE = {"归入": "属于", "归为": "属于", "算作": "属于"}
_NEGATION = re.compile(
    r"\b(?:not|n't|never|no longer|failed to|did not|does not|doesn't|didn't|wasn't|isn't|weren't|aren't|hasn't|"
    r"neither)\b|n't\b|没有|未(?!来)|不(?!过|同|断|仅|但|良)|并非",
    re.I,
)
_YES_NO = re.compile(r"\b(yes|no)\b(?![\w ]{0,12}\b(?:matter|doubt|problem|worries)\b)", re.I)


# The verb of a question that begins with an auxiliary, and of a reply; "higher than" compares, and stays with the words.
_DIRECTION = pattern(r"(?P<up><ask.rise>)|(?P<down><ask.fall>)")
_AUXILIARY = re.compile(r"\W*(?:did|does|do|has|have|had|is|are|was|were|will)\b", re.I)


class BooleanReader:
    """Reads statements for a polarity."""

    plans = False

    def __init__(self, question: str, *, digits: bool = False) -> None:
        self.question = normalise(question[:4000]).lower()
        self.digits = digits  # the golds are 0 and 1

    def read(self, claim: Claim) -> Reading | None:
        """True or False, "two_answers" for a hedge, or None."""
        text = claim.text.strip()
        if not text:
            return None
        bare = re.sub(r"[\s.,;:!?。、\"'()*\[\]]+", " ", text).strip().lower()
        if self.digits and text.strip(" .$*") in _DIGITS:
            return Reading(_DIGITS[text.strip(" .$*")], text, whole=True)
        if bare in _WORDS:
            return Reading(_WORDS[bare], bare, whole=True)
        explicit = claim.where not in ("conclusion", "sentence")
        if refuses(text) and not _LEAD.match(text):
            return Reading(problem="refusal")
        lead = _LEAD.match(text)
        if _ASKS_ALWAYS.search(self.question) and (denied := _NOT_ALWAYS.match(text)):
            return Reading(False, denied.group().strip(), fit=2)
        if _HEDGE.search(text[:200] if explicit else text) and (
            not lead or re.match(r"\s*(?:and|,? but|,? partly|/)", text[lead.end() :], re.I)
        ):
            return Reading(problem="two_answers")
        judged = _last_judgement(text)
        if lead and re.match(
            r"\W*(?:(?:and|or|/|和|或)\W*(?:yes|no|true|false)\b|(?:也|和|或|又)(?:不?是|否|不?对|错))",
            text[lead.end() :],
            re.I,
        ):
            return Reading(problem="two_answers")
        if lead:
            value = _WORDS[lead.group(1).lower()]
            if (
                lead.group(1).lower() in ("是", "对", "错", "否")
                and re.match(r"[\u4e00-\u9fff]", text[lead.end() :])
                and judged is not None
            ):
                value = judged
            return Reading(value, lead.group(1).rstrip("的") or lead.group(1), whole=len(bare) < 12, fit=2)
        if sure := _SURE.match(text):
            return Reading(not sure["no"], sure.group().strip(), fit=2)
        if judged is not None:
            return Reading(judged, _shown_judgement(text), fit=2)
        possible = _POSSIBLE.search(text) if _ASKS_POSSIBLE.match(self.question) else None
        if told := _ELLIPSIS.search(text) or possible:
            return Reading(not told["no"], told.group().strip(" .!\"')"), fit=1)
        if predicate := self._by_predicate(text):
            return predicate
        if re.search(r"\bnot (?:yes|true|correct|right)\b", text, re.I):
            return Reading(False, "no")
        if moved := self._by_direction(text):
            return moved
        named = {m.lower() for m in _YES_NO.findall(text)}
        if len(named) == 1:
            return Reading("yes" in named, named.pop())
        if len(named) == 2:
            return Reading(problem="two_answers") if explicit else None
        if not explicit and claim.where != "conclusion":
            return self._by_wording(text) if len(text) < 400 else None
        return self._by_wording(text)

    def same(self, one: Any, other: Any) -> bool:
        """Polarities are the same or not."""
        return bool(one == other)

    def merge(self, values: Sequence[Any]) -> Reading | None:
        """Yes and no are never one answer."""
        return None

    def _by_predicate(self, text: str) -> Reading | None:
        """A sentence that affirms or denies the question's own predicate ("不属于金融领域", "不符合要求")."""
        said = [
            match
            for match in _PREDICATE.finditer(text)
            if _SAME_PREDICATE.get(match.group(2), match.group(2)) in self.question
        ]
        if not said:
            return None
        negated = bool(said[0].group(1))
        return Reading(not negated, said[0].group(), fit=1)

    def _by_direction(self, text: str) -> Reading | None:
        """ "Did it grow?": "It fell."; the first clause that says a direction answers."""
        wanted = _DIRECTION.search(self.question) if _AUXILIARY.match(self.question) else None
        if wanted is None:
            return None
        for clause in re.split(r"[;:。!?]|[,.](?=\s|$)|\bbut\b", text):
            said = _DIRECTION.search(clause)
            if said:
                agrees = bool(said["up"]) == bool(wanted["up"])
                agrees ^= bool(_NEGATION.search(clause[: said.start()])) ^ bool(
                    _NEGATION.search(self.question[: wanted.start()])
                )
                return Reading(agrees, "yes" if agrees else "no", fit=0)
        return None

    def _by_wording(self, text: str) -> Reading | None:
        """A sentence that answers by repeating the question's words ("it did not exceed 2013's")."""
        asked = set(re.findall(r"[a-z]{4,}", self.question))
        said = re.findall(r"[a-z]{2,}", text.lower())
        if len({w[:5] for w in said if len(w) > 3} & {w[:5] for w in asked if len(w) > 3}) < 2:
            return None
        negated = bool(_NEGATION.search(text))
        for up, down in _ANTONYMS:
            for one, other in ((up, down), (down, up)):
                if _any(asked, one) and not _any(asked, other):
                    if _any(said, one) and not _any(said, other):
                        return Reading(not negated, "no" if negated else "yes", fit=0)
                    if _any(said, other) and not _any(said, one):
                        return Reading(negated, "yes" if negated else "no", fit=0)
        return None


def _any(words: Sequence[str] | set[str], stems: set[str]) -> bool:
    endless = tuple(stem for stem in stems if len(stem) > 2)
    return any(word.startswith(endless) for word in words)


def _last_judgement(text: str) -> bool | None:
    last = last_match(_JUDGED, text)
    if last is None:
        return None
    groups = list(last.groups())
    negation, word = next(((groups[i], groups[i + 1]) for i in (0, 2, 4) if groups[i + 1]), ("", ""))
    value = word.lower() not in _NEGATIVE
    return value != bool(negation)


def _shown_judgement(text: str) -> str:
    """The word that judges, with its negation: "不正确", "true"."""
    last = list(_JUDGED.finditer(text))[-1]
    at = next(i for i in (1, 3, 5) if last.group(i + 1))
    return ((last.group(at) or "") + last.group(at + 1)).strip()


def polarity(text: str) -> bool | None:
    """The polarity of a gold text; None when it is none.

    >>> polarity("Yes"), polarity("否"), polarity("maybe")
    (True, False, None)
    """
    return _WORDS.get(normalise(text).strip(" .。").lower())


_DIGITS = {"0": False, "0.0": False, "1": True, "1.0": True}


def grade_boolean(document: Document, reply: Reply) -> Grade:
    """Right when the final statement has the gold's polarity."""
    digits = any(gold.text.strip().lower() in (*_DIGITS, "true", "false") for gold in document.golds)
    found = find(reply, BooleanReader(document.question, digits=digits), document.question)
    if found is None:
        return Grade(False, "no_answer")
    rule = found.row
    if found.reading.problem:
        return Grade(False, found.reading.problem, rule=rule)
    value = bool(found.reading.value)
    shown = found.reading.shown
    for gold in document.golds:
        wanted = polarity(gold.text)
        if (_DIGITS.get(gold.text.strip()) if wanted is None else wanted) == value:
            return Grade(True, "equal", shown, "yes" if value else "no", rule, gold=gold.source, lenient=True)
    return Grade(False, "different", shown, "yes" if value else "no", rule)
