"""Single and several choice: the letters, in any wrapping, or the exact text of an option."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from finbench.grading.claims import Claim
from finbench.grading.decide import Reading, find
from finbench.grading.discourse import refuses
from finbench.grading.reply import Reply
from finbench.records import Document, Grade
from finbench.text.lexicon import pattern
from finbench.text.normalize import last_match, normalise, plain

_OPTION = re.compile(
    r"(?:^|\n|[\s,;。(?])\(?([A-H])\s?(?:[.、:)]|\)\s?[.:]?)\s*([^\n]*?)(?=\s*(?:\n|$|[\s,;。]\(?[A-H]\s?[.、:)]))"
)
_SET = re.compile(
    r"[\s(\[\"'*]*(?i:选项?|选择|options?|choices?|answers?|items?|"
    r"letters?)?[\s(\[\"'*:]*((?:\(?[A-H](?![a-z])\)?[\s,、;/+&和与及.\"']*(?:and\s|以及|和)?[\s\"']*){1,8})(?:项|"
    r"选项)?[\s)\].。\"'*!,]*"
)
_LEADING = re.compile(
    r"[\s(\[\"'*]*(?:(?:选项?|选择|option|choice|answer|"
    r"letter)\s*:?\s*)?[\s(\[\"'*]*([A-H])[\])\"'*]*\s*(?:[.、:,;)。\-—]|项|选项|(?=\s*$)|\s(?=[^a-z])|"
    r"(?=[\u4e00-\u9fff(]))",
    re.I,
)
_LETTER = re.compile(r"(?<![A-Za-z0-9&$])([A-H])(?![A-Za-z0-9'&+]|\s?股|\s?轮|级|类|座|[-]share)")
_GROUP = re.compile(r"(?<![A-Za-z])([A-H]{2,8})(?![A-Za-z])")
_REJECT_BEFORE = re.compile(
    r"(?:\b(?:not|rather than|instead of|excluding?|eliminat\w+|rul(?:e|ed|ing) out|unlike|except|reject\w*|"
    r"neither|nor)\s+(?:options?\s+|choices?\s+)?[\s(*\"']*|不是|不选|排除(?:了|选项|掉)?|而不是|而非|不能选|"
    r"不应选|并非|不包括|除了?|(?:错误|不正确|不对|不符合题意|有误|应排除)的(?:选项|说法)?(?:是|为|有|包括)?:?)\s*(?:选项)?[\s(*\"']*"
    r"(?:[A-H](?:[\s,、和与及or]*|[\u4e00-\u9fff]{1,10}、\s*))*$",
    re.I,
)
_REJECT_AFTER = re.compile(
    r"[\s)*\"'.项选]*(?:(?:are|is|was|were|can be|option|choice)\s+(?:therefore\s+|clearly\s+|also\s+|all\s+|"
    r"both\s+)?(?:not|in(?:correct|valid|accurate)|wrong|false|eliminated|excluded|ruled out|unlikely)|isn't|"
    r"aren't|doesn't|(?:do|did|does)(?:n't| not)\b|"
    r"(?:选项|项)?[^,。;A-H]{0,14}?(?:不正确|错误|不对|不符|排除|有误|错(?!误)|不是|不属于|不选|"
    r"不合|不行)|(?:皆|均|都|虽)[^。;A-H]{0,24}?(?:错误|不正确|不对|不符|不选|不成立))",
    re.I,
)
# Where the question asks for what is wrong, "B is wrong" chooses B, and "A, C and D are right" rejects them.
_ASKS_WRONG = re.compile(
    r"(?:错误|不正确|不恰当|有误|不对|不准确|不妥)的?(?:一项|选项|说法|表述|做法|描述)?(?:是|有|为|包括)|"
    r"\b(?:is|are) (?:not (?:true|correct)|incorrect|false|wrong)\b",
    re.I,
)
_WRONG = re.compile(r"错|不正确|不对|有误|incorrect|inaccurate|wrong|false", re.I)
_RIGHT_AFTER = re.compile(
    r"[\s)*\"'.项选]*(?:\"[^\"]{0,60}\")?[一二两三四]?(?:选?项)?(?:的)?(?:说法|表述|描述)?(?:都|均|皆|也)?(?:是)?(?:正确|无误|对(?!应|于)|"
    r"没有?错|没有?问题)|\s+(?:is|are) (?:both |all )?(?:correct|true|right)\b",
    re.I,
)
_ALL = re.compile(
    r"[\s*]*(?:全选|全部选|以上(?:选项)?(?:全部|都|均|皆)(?:正确|对|选|是)?|全部(?:正确|都选)?|"
    r"all(?: of (?:the above|them))?)[\s.。*]*",
    re.I,
)
# "A, B and D all qualify": what is said of the letters is the verdict on them.
_FITS = re.compile(
    r"[\s)*\"'.]*(?:选?项)?(?:的?(?:说法|表述|描述))?\s?(?:都|均|皆|全部?)?(?:是)?(?:正确|符合|入选|当选|成立|无误|对(?!应|于))|"
    r"\s+(?:are|is) (?:both |all )?(?:correct|true|right)\b",
    re.I,
)
_VERDICT = re.compile(
    r"(?P<no>×|✗|不正确|错误?|不对|有误|排除|不属于|不符合|\b(?:incorrect|wrong|false)\b)|(?P<yes>√|正确|对(?!应|于)|\b(?:correct|right|true)\b)",
    re.I,
)
_OPTION_LINE = re.compile(
    r"(?:^|(?<=[\n\s;。]))[\s\-*|]*\(?([A-H])(?:[).、:]|\s?选?项|\s?\||\s?(?=[√×✗正错对不]))([^\n]{0,200}?)"
    r"(?=\n|$|[\s;]\(?[A-H](?:[).、:]|\s?[√×✗]))"
)
_NEXT_OPTION = re.compile(r"[,;]\s?[A-H](?=[\"(选项])")
_LISTED = re.compile(r"(?:选?项?\s?(?:[,、和与及]|and|or|以及)\s?(?:选项)?[A-H](?![A-Za-z]))+")


@lru_cache(maxsize=2048)
def options_of(question: str) -> Mapping[str, str]:
    """The options a question lists ("A. ...", "(B) ...", "C、..."); empty when it lists fewer than two.

    >>> dict(options_of("利率上升时债券价格?\\nA. 上涨\\nB. 下跌"))
    {'A': '上涨', 'B': '下跌'}
    """
    found: dict[str, str] = {}
    for match in _OPTION.finditer(normalise(question[:20_000])):
        expected = chr(ord("A") + len(found))
        if match.group(1) == expected:
            found[expected] = match.group(2).strip(" ;,。")
        elif match.group(1) == "A":
            found = {"A": match.group(2).strip(" ;,。")}
    return found if len(found) >= 2 else {}


def letters_in(text: str) -> str:
    """The letters of a gold such as "A", "ABD", "A, C" or "a、c": sorted, upper case; "" when it is something else.

    >>> letters_in("B, A"), letters_in("ABD"), letters_in("是")
    ('AB', 'ABD', '')
    """
    if len(text) > 80:
        return ""
    bare = re.sub(r"[\s,、;/.()&]|and|和", "", normalise(text.strip()))
    return "".join(sorted(set(bare.upper()))) if re.fullmatch(r"[A-Ha-h]{1,8}", bare) else ""


# "$B", "<B>", "[b]": a letter in whatever marks
_ALONE = re.compile(r"[\s$<\[({*\"'\\]{0,6}([A-Za-z])(?: it is)?[\s>\])}*\"'.。$]{0,6}")
# "B,A项错在口径不同", "B(A是盈利能力)": what follows the letter speaks of the others
_EXPLAINS = re.compile(
    r"([\s(*\"']*[A-Z]{1,8}(?:、[A-Z]){0,7}(?:选?项)?)[\s*\"')]*(?:[,。;(]\s*(?:而|因为|其中)?(?:不选|排除)?(?:选项)?[A-Z](?:[、,和及与]{1,2}[A-Z])*\s?"
    r"(?:选?项|是|的|说|与|都|均|皆|错|不|虽|只|属|混|指|也|则|为|衡|反|描|讲|计|用|有)|\((?=[A-Z]\s?[^\W\d_A-Z])).*",
    re.S,
)
_AGAINST = pattern(r"[,;:(]?\s*<negation|contrast>\s|\s?\(")
_DISCUSSED = re.compile(r"选?项\s?[是的说与为衡混属指]")  # "A选项是盈利能力指标"
_LEFT = pattern(r"<choice.left>[\s:,(*\"']{0,4}(?:<option_word>\s)?\(?([A-Z])(?![A-Za-z])")


def explicit_places(claim: Claim) -> bool:
    """Does a claim stand in a form of its own (a box, a tag, a phrase) rather than in running text?"""
    return claim.where not in ("conclusion", "sentence")


class ChoiceReader:
    """Reads statements for option letters."""

    plans = False

    def __init__(self, options: Mapping[str, str], *, asks_wrong: bool = False, question: str = "") -> None:
        self.raw = {letter: plain(normalise(text)) for letter, text in options.items()}
        self.options = {letter: _bare(text) for letter, text in options.items()}
        self.asks_wrong = asks_wrong
        self.question = _bare(question[-4000:])

    def read(self, claim: Claim) -> Reading | None:
        """The sorted letters a statement gives."""
        text = claim.text.strip().lstrip("-•· ")
        if not text:
            return None
        explicit = claim.where not in ("conclusion", "sentence")
        if len(text) > 1200:
            text = text[:600] + " " + text[-600:]
        if alone := _ALONE.fullmatch(text):
            return self._letters([alone[1].upper()], whole=True)
        text = self._without_texts(text)
        if explained := _EXPLAINS.match(text):
            text = explained[1]
        elif (left := _LEFT.search(text)) and not _REJECT_AFTER.match(text, left.end()):
            return self._letters([left[1]], whole=explicit_places(claim), fit=2)
        found = _SET.fullmatch(text) if len(text) <= 200 else None
        if found:
            return self._letters(re.findall(r"[A-H]", found.group(1)), whole=True)
        small = re.fullmatch(r"\W*([a-h]{1,8})\W*", text)
        if small and "".join(sorted(set(small.group(1)))) == small.group(1):
            return self._letters(small.group(1).upper(), whole=True)
        by_text, filled = self._by_text(text, explicit and claim.where != "bare")
        if by_text and not _LEADING.match(text):
            return Reading(by_text, by_text, whole=explicit or filled, fit=2 if filled else 1)
        if explicit and self.options and _ALL.fullmatch(text):
            return self._letters(list(self.options), whole=True)
        refusal = refuses(text)
        head = _LEADING.match(text)
        if (
            head
            and (explicit or len(text) <= 60 or text[head.end() - 1] in ".、:)项")
            and not _REJECT_AFTER.match(text, head.end(1))
        ):
            # "B. Liquidity risk", "B 流动性风险"; "A, C and D" goes on below
            letter, rest = head.group(1).upper(), text[head.end(1) :]
            if not explicit and self._judged_out(letter, rest):
                return None
            more = re.match(
                r"[\s)\]\"'项,、/&+和与及;.]{0,6}(?:and |以及|or |或者?|或是|还是)?[\s(\"']?[A-H](?![A-Za-z])", rest
            )
            if not more and not _GROUP.match(text, head.start(1)):
                return self._letters([letter], whole=not _DISCUSSED.match(rest))
        if refusal:
            return Reading(problem="refusal")
        return self._in_prose(text, claim, explicit)

    def _without_texts(self, text: str) -> str:
        """The letters alone where each stands with its own option text ("A. 存货; C. 应收账款")."""
        for letter, option in self.raw.items():
            if len(option) > 1 and option in text:
                text = re.sub(rf"(?<![A-Za-z]){letter}[\s.、:,)(-]{{1,4}}{re.escape(option)}[)]?", letter, text)
        return text

    def same(self, one: Any, other: Any) -> bool:
        """Sets of letters are the same or not."""
        return bool(one == other)

    def merge(self, values: Sequence[Any]) -> Reading | None:
        """Letters in boxes side by side make one set."""
        letters = "".join(sorted(set("".join(values))))
        if self.options and letters == "".join(sorted(self.options)) and len(letters) > 3:
            return None  # the options said over again
        return Reading(letters, letters)

    def _letters(self, letters: Sequence[str], *, whole: bool = False, fit: int = 1) -> Reading | None:
        kept = sorted(set(letters))
        if self.options and not whole and any(letter not in self.options for letter in kept):
            kept = [letter for letter in kept if letter in self.options]
        return Reading("".join(kept), "".join(kept), whole=whole, fit=fit) if kept else None

    def _judged_out(self, letter: str, rest: str) -> bool:
        """Does a sentence that begins with an option go through several, or end by judging this one out?"""
        if len(_NEXT_OPTION.findall(rest)) > 1:
            return True
        verdict = last_match(_VERDICT, rest)
        if verdict is None or _bare(rest) in self.options.values():
            return False
        return bool(verdict["yes"]) == self.asks_wrong

    def _by_text(self, text: str, explicit: bool) -> tuple[str, bool]:
        """The letters of the options whose text this is, and whether it is nothing else but the question's words."""
        bare = _bare(text)
        short = _bare(re.sub(r"\([^()]*\)", "", text))
        exact = [letter for letter, option in self.options.items() if option and option in (bare, short)]
        if len(exact) == 1:
            return exact[0], True
        listed = text.rpartition(":")[2].strip(" ,;。") if len(text) <= 400 else ""
        parts = [_bare(part) for part in re.split(r"[、,;\n和及与]|\band\b|以及", listed)]
        named = [letter for part in parts for letter, option in self.options.items() if option and part == option]
        if len(parts) > 1 and len(set(named)) == len(parts):
            return "".join(sorted(named)), True
        against = _AGAINST.search(text)
        if against and any(len(o) >= 2 and o in _bare(text[: against.start()]) for o in self.options.values()):
            text = text[: against.start()]  # "the current ratio, not the debt ratio"
            bare = _bare(text)
        elif not explicit:
            text = re.split(r"[,;—]", text.rstrip(" .。,;"))[-1]  # the clause that the sentence ends on
            bare = _bare(text)
        if len(text) > 160:
            return "", False
        inside = [letter for letter, option in self.options.items() if len(option) >= 2 and option in bare]
        inside = [a for a in inside if not any(a != b and self.options[a] in self.options[b] for b in inside)]
        if len(inside) != 1 or _GROUP.search(text) or _LETTER.search(text):
            return "", False
        before, _, after = bare.partition(self.options[inside[0]])
        if re.search(r"(?:不是|并非|不属于|not|isn't)$", before[-6:]):
            return "", False
        filled = before + after in self.question or (before in self.question and after in self.question)
        return inside[0], filled and len(before) > 1

    def _in_prose(self, text: str, claim: Claim, explicit: bool) -> Reading | None:
        clauses = [clause for clause in text.split(";") if self._fits(clause)]
        text = clauses[0] if len(clauses) == 1 else text  # "A, B and D qualify; C and E do not belong there"
        found: list[tuple[int, str]] = []
        rejected: dict[str, int] = {}
        grouped = False
        for match in _GROUP.finditer(text):
            group = match.group(1)
            ordered = group == "".join(sorted(set(group))) and (not self.options or set(group) <= set(self.options))
            if not ordered or self._rejected(text, match.start(), match.end()):
                continue
            found += [(match.start(), letter) for letter in group]
            grouped = True
        for match in _LETTER.finditer(text):
            letter = match.group(1)
            following = text[match.end() : match.end() + 12]
            if (
                letter == "A"
                and re.match(r"\s+[a-z]", following)
                and not re.match(r"\s+(?:is|and|or|because|since|as|best|would|states|correct)\b", following)
            ):
                continue  # the article
            listed = _LISTED.match(text, match.end())  # "A、C、D都不正确" rejects all three
            if self._rejected(text, match.start(), listed.end() if listed else match.end()):
                rejected[letter] = match.start()
                continue
            found.append((match.start(), letter))
        found = [(at, letter) for at, letter in found if rejected.get(letter, -1) < at]  # "I wanted C, but C fails"
        if not found:
            return None
        letters = [letter for _, letter in sorted(found)]
        if len(set(letters)) > 1:
            first, last = min(found)[0], max(found)[0]
            if re.search(r"\bor\b|或者?|要么|也可以", text[first:last]):
                return Reading(problem="two_answers")
            if not explicit and not grouped and not re.search(r"(?:[,、和与及&]|and|都|均)", text[first:last]):
                return None
        return self._letters(letters, fit=2 if claim.where == "conclusion" or self._fits(text) else 1)

    def _fits(self, text: str) -> bool:
        """Are letters called right, where the right ones are asked?"""
        return not self.asks_wrong and any(_FITS.match(text, match.end()) for match in _LETTER.finditer(text))

    def _rejected(self, text: str, start: int, end: int) -> bool:
        after, before = _REJECT_AFTER.match(text, end), _REJECT_BEFORE.search(text[max(0, start - 40) : start])
        if not self.asks_wrong:
            return bool(after or before)
        return bool(
            _RIGHT_AFTER.match(text, end)
            or (after and not _WRONG.search(after.group()))
            or (before and not _WRONG.search(before.group()))
        )

    def judged(self, text: str) -> str:
        """The letters that a reply calls right where it judges every option in turn; "" where it does not."""
        verdicts: dict[str, bool] = {}
        for match in _OPTION_LINE.finditer(text):
            verdict = _VERDICT.search(match.group(2))
            if verdict is None or match.group(1) in verdicts:
                return ""
            verdicts[match.group(1)] = bool(verdict["yes"]) != self.asks_wrong
        if set(verdicts) != set(self.options):
            return ""
        return "".join(sorted(letter for letter, chosen in verdicts.items() if chosen))


def _bare(text: str) -> str:
    return re.sub(r"[\s.,;:。、!?\"'()*_]+", "", plain(normalise(text))).lower()


def grade_choice(document: Document, reply: Reply) -> Grade:
    """Right when the letters given are a gold's, as a set."""
    options = document.answer.choices or options_of(document.question)
    golds = [(letters, g.source) for g in document.golds if (letters := letters_in(g.text))]
    asks_wrong = bool(_ASKS_WRONG.search(normalise(document.question[-4000:])))
    reader = ChoiceReader(options, asks_wrong=asks_wrong, question=document.question)
    found = find(reply, reader, document.question)
    given, rule = "", "options"
    if found is None or found.reading.problem or found.claim.where in ("conclusion", "sentence", "bare"):
        given = reader.judged(reply.text)
    if not given:
        if found is None:
            return Grade(False, "no_answer")
        rule = found.row
        if found.reading.problem:
            return Grade(False, found.reading.problem, rule=rule)
        given = str(found.reading.value)
    for gold, source in golds:
        if given == gold:
            return Grade(True, "equal", given, given, rule, gold=source, lenient=True)
    gold = golds[0][0] if golds else ""
    if len(given) > 1 and len(gold) == 1:
        reason = "extra_choice" if gold in given else "different"
    elif set(given) < set(gold):
        reason = "missing_choice"
    elif set(given) > set(gold):
        reason = "extra_choice"
    else:
        reason = "different"
    return Grade(False, reason, given, given, rule)
