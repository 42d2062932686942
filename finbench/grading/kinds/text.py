"""Free text with a short gold: the key fact or figure must be stated and not contradicted."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from finbench.grading.asked import Asked
from finbench.grading.claims import Claim
from finbench.grading.decide import Reading, find
from finbench.grading.discourse import RETRACTION, refuses
from finbench.grading.equality import answer_points, equal, point
from finbench.grading.kinds.aliases import abbreviated, also_called, alternatives, spelt_out
from finbench.grading.kinds.contrast import CONTRASTED, IDLE, stem, without_contrast
from finbench.grading.kinds.prose import by_polarity, by_value, is_sentence, leading_value
from finbench.grading.reply import Reply, cuts
from finbench.records import Document, Grade
from finbench.text import arithmetic, quantities
from finbench.text.normalize import normalise, plain

_WORD = re.compile(r"[a-z]+(?:'[a-z]+)?|[\u4e00-\u9fff]|\d[\d.,]*%?")
SHORT = 60  # characters of a gold that is a name or a term
_SPELLING = re.compile(r"iz(?=e|ing|ation)")  # amortization, amortisation
_NEGATED = re.compile(
    r"(?:\b(?:not|n't|never|no|neither|nor|rather than|instead of|isn't|wasn't|unlike|incorrect(?:ly)?|except|"
    r"other than|as opposed to)\s+(?:(?:a|an|the|be|is|called|known as|considered|simply|just|actually|"
    r"really)\s+){0,3}[\"'*(]*|不是|并非|而非|而不是|不属于|非)$",
    re.I,
)
_NOT_BUT = re.compile(r"\bnot\b[^.;,]{0,60}\bbut\b|不是.{0,20}而是", re.I)
_HEDGED = re.compile(r"\b(?:either|might be|could be|may be|or possibly|possibly)\b|或者|可能是", re.I)


class TextReader:
    """Takes every statement as it stands; only refusals are problems."""

    plans = False

    def read(self, claim: Claim) -> Reading | None:
        """The statement itself."""
        text = claim.text.strip()
        if not text:
            return None
        if refuses(text) and len(text) < 300:
            return Reading(problem="refusal")
        return Reading(text, text[:200])

    def same(self, one: Any, other: Any) -> bool:
        """Every later text replaces an earlier one."""
        return True

    def merge(self, values: Sequence[Any]) -> Reading | None:
        """Nothing to merge."""
        return None


def grade_text(document: Document, reply: Reply) -> Grade:
    """Right when the final statement, or else the answer as a whole, states a gold or alias and does not deny it."""
    prose = any(is_sentence(gold.text) or leading_value(gold.text) for gold in document.golds)
    verdict = _by_wording(document, reply)
    if verdict.correct or not prose:
        return verdict
    told = by_polarity(document, reply) or by_value(document, reply)
    if told is not None:
        return told
    if verdict.reason in ("refusal", "no_answer", "truncated") or not any(is_sentence(g.text) for g in document.golds):
        return replace(verdict, rival="the gold is prose")
    return replace(verdict, reason="needs_judge", rival="the gold is a sentence, and its words are not all there")


def _by_wording(document: Document, reply: Reply) -> Grade:
    found = find(reply, TextReader(), document.question)
    if found is None:
        return Grade(False, "no_answer")
    rule = found.row
    if found.reading.problem:
        return Grade(False, found.reading.problem, rule=rule)
    stated = str(found.reading.value)
    final = found.claim.where not in ("conclusion", "sentence", "bare")
    golds = [(gold.text, gold.source) for gold in document.golds] + [
        (alias, "alias") for alias in document.answer.aliases
    ]
    denied = False
    whole = reply.text[: next(iter(cuts(reply.text, document.question)), None)]
    taken_back = [match for match in RETRACTION.finditer(whole) if match.group("strong")]
    whole = whole[taken_back[-1].start() :] if taken_back else whole
    aside = not final and CONTRASTED.search(stated)  # makes sense after what stands before it only
    for text in [stated] if final else [plain(whole)] if aside else [stated, plain(whole)]:
        for gold, source in golds:
            verdict = _told(text, gold, document.question)
            if verdict:
                names = [gold, *also_called(text, gold, document.question)]
                shown = next(filter(None, (_shown(text, name) for name in names)), stated[:200])
                return Grade(
                    True, "alias" if source == "alias" else "equal", shown, shown, rule, gold=source, lenient=True
                )
            denied = denied or verdict is False
    return Grade(False, "contradicted" if denied else "different", stated[:200] if final else None, None, rule)


def _told(text: str, gold: str, question: str) -> bool | None:
    """`states`, less what the text only sets against its answer, and by whatever short name it calls the gold."""
    if len(gold) > SHORT:
        return states(text, gold)
    text = without_contrast(text, question)
    verdict = states(text, gold)
    if verdict is None and any(states(text, name) for name in also_called(text, gold, question)):
        return True
    return verdict


def _shown(text: str, gold: str) -> str | None:
    """The words of the gold as the reply writes them."""
    words = re.findall(r"\w+", gold)
    match = re.search(r"\W{1,3}".join(map(re.escape, words)), text, re.I) if 0 < len(words) < 40 else None
    return match.group() if match else None


def states(text: str, gold: str) -> bool | None:
    """True when the text states the gold, False when it denies it, None when it does not mention it.

    >>> states("This is liquidity risk.", "Liquidity risk"), states("It is not liquidity risk.", "Liquidity risk")
    (True, False)
    """
    if function := _FUNCTION.fullmatch(gold.strip(" .")):
        gold = function[1]
    formula = (
        re.search(r"[-+*/^()=]", gold)
        and not re.search(r"[A-Za-z]{3}", gold.replace("sqrt", ""))
        and not re.fullmatch(r"[A-Z][+-]\d", gold.strip())  # T+1 is a name
    )
    tree = arithmetic.parse(gold, symbols=True) if formula else None
    if tree is not None and arithmetic.symbols_of(tree):
        return _same_formula(text, tree)
    if acronym := re.fullmatch(r"[A-Z]{4,6}", gold.strip()):
        spelt = spelt_out(acronym.group())
        text = spelt.sub(acronym.group(), text)
    named, short = abbreviated(plain(normalise(gold)).strip(" .。"))
    if short:
        said = plain(normalise(text))
        verdicts = [_says(re.sub(rf"\s*\({re.escape(short)}\)", "", said, flags=re.I), named), _says(said, short)]
        return False if False in verdicts else True in verdicts or None
    either = [_says(text, part) for part in alternatives(gold)]
    if True in either:
        return False not in either
    return _says(text, gold)


def _says(text: str, gold: str) -> bool | None:
    folded = _INITIAL.sub("", _SPELLING.sub("is", _operators(plain(normalise(text)).lower())))
    wanted = _INITIAL.sub("", _SPELLING.sub("is", _operators(plain(normalise(gold)).lower().strip(" .。"))))
    if not wanted:
        return None
    if year := re.fullmatch(r"((?:19|20)\d\d)\s*年?", wanted):
        return bool(re.search(rf"(?<![\d.,]){year[1]}(?!\d|[.,]\d)", folded)) or None
    figures = [q for q in quantities.scan(wanted) if not q.reference]
    if figures and not _figures_stated(folded, figures):
        return None
    pattern = (
        re.compile(rf"(?<![a-z0-9]){re.escape(wanted)}(?![a-z0-9])")
        if wanted[:1].isascii()
        else re.compile(re.escape(wanted))
    )
    seen = [m.start() for m in pattern.finditer(folded)]
    if not seen:
        return _words_stated(folded, wanted, bool(figures))
    plainly = [
        at
        for at in seen
        if not _NEGATED.search(folded[max(0, at - 50) : at])
        and not _NOT_BUT.search(folded[max(0, at - 60) : at + len(wanted) + 40])
    ]
    if not plainly:
        return False
    return None if _HEDGED.search(folded[max(0, plainly[-1] - 40) : plainly[-1]]) else True


_FUNCTION = re.compile(r"[A-Za-z]\w{0,8}\s*(?:\([A-Za-z]\w?\))?\s*=\s*([^=]{1,200})")  # f(x) = x + 1
_OPERATORS = {
    "minus": "-",
    "less": "-",
    "plus": "+",
    "divided by": "/",
    "over": "/",
    "times": "*",
    "multiplied by": "*",
}
_SIGNS = {"÷": "/", "×": "*", "−": "-"}
_OPERATOR = re.compile(
    rf"(?<=[a-z)]) (?:{'|'.join(_OPERATORS)}) (?=[a-z(])|\s?[-−+/÷×*]\s(?=[a-z(])|(?<=[a-z)])\s?[÷×*]\s?(?=[a-z(])"
)


def _operators(text: str) -> str:
    """Formulas in words with signs for their operators ("assets minus debts": "assets - debts")."""
    spelt = _OPERATORS | _SIGNS
    return _OPERATOR.sub(lambda match: f" {spelt.get(match[0].strip(), match[0].strip())} ", text)


_SIGN = re.compile(r"(?<= )[-+*/](?= )")
_INITIAL = re.compile(r"(?<=[a-z]) [a-z]\.(?= [a-z]{2})")  # Jerome H. Powell


def _figures_stated(text: str, figures: Sequence[quantities.Quantity]) -> bool:
    asked = Asked(either=True)
    said = quantities.scan(text)
    for figure in figures:
        target = answer_points(figure, asked)
        if isinstance(target, str):
            target = [point(figure)]
        hits = [
            q
            for q in said
            if not isinstance(points := answer_points(q, asked), str)
            and any(equal(a, b) for a in points for b in target)
        ]
        if not hits or (figure.number < 0) != (hits[0].number < 0 or (hits[0].direction < 0 and figure.number < 0)):
            return False
    return True


def _words_stated(text: str, wanted: str, figures: bool) -> bool | None:
    """Every telling word of the gold close together in one sentence."""
    words = [w for w in _WORD.findall(wanted) if w not in IDLE and not w[0].isdigit()]
    if not words:
        return True if figures else None
    if all(len(w) == 1 and w.isascii() for w in words):
        return None  # the letters of "P/E" are no words
    for sentence in re.split(r"[.!?。!?\n;]+\s*", text):
        said = {stem(w) for w in _WORD.findall(sentence)}
        signs, others = set(_SIGN.findall(wanted)), set(_SIGN.findall(sentence))
        if signs and others and signs != others:
            continue  # another formula of the same parts
        if all(stem(w) in said for w in words):
            return not re.search(r"\bnot\b|n't\b|\bnever\b|不是|并非", sentence) or None
    return None


def _same_formula(text: str, gold: arithmetic.Tree) -> bool | None:
    body = plain(normalise(text)).strip(" .$")
    body = body.rpartition("=")[2] if "=" in body else body
    tree = arithmetic.parse(body, symbols=True)
    return (arithmetic.equivalent(gold, tree) or None) if tree is not None else None
