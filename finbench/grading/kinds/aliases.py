"""What else the gold of a free text is called: its abbreviation, its initials spelt out, a person's surname."""

from __future__ import annotations

import re

from finbench.grading.kinds.contrast import IDLE

_SHORT = re.compile(r"(?P<before>\S.*?)\s*\((?P<short>[A-Za-z][A-Za-z&/.-]{1,9})\)(?P<after>.*)")
_WORDS = re.compile(r"[A-Za-z]+(?:[ -][A-Za-z]+){2,5}")
_WHO = re.compile(r"\bwho(?:se)?\b", re.I)
_PERSON = re.compile(r"([A-Z][a-z]+)(?: [A-Z]\.?)? ([A-Z][a-z]{3,})")
_TITLE = "Professor|Prof|Dr|Mr|Mrs|Ms|Sir|President|Chair|Chairman|The|By|In|As|And|From|Was|Is"
_ARTICLE = re.compile(r"(?:the|an?)\s+", re.I)


def abbreviated(gold: str) -> tuple[str, str]:
    """The name and its abbreviation of a gold such as "Return on equity (ROE)"; the gold and "" where there is none.

    >>> abbreviated("The Federal Open Market Committee (FOMC)"), abbreviated("duration (modified)")
    (('Federal Open Market Committee', 'FOMC'), ('duration (modified)', ''))
    """
    match = _SHORT.fullmatch(gold)
    if match is None or sum(map(str.isupper, match["short"])) < 2:
        return gold, ""
    return _ARTICLE.sub("", match["before"] + match["after"], count=1), match["short"]


def alternatives(gold: str) -> list[str]:
    """The two names of a gold such as "Buying on margin (margin trading)"; [] where there is one."""
    match = re.fullmatch(r"([^()]{4,60}?)\s*\(([^()\d]{4,60})\)", gold.strip(" .。"))
    return [match[1], match[2]] if match else []


def spelt_out(acronym: str) -> re.Pattern[str]:
    """Words with the letters of an acronym as their initials, small words between them allowed: "last-in, first-out"."""
    link = r"[\s,-]{1,3}(?:(?:of|the|and|for|to|on|in)[\s-])?"
    return re.compile(r"\b" + link.join(rf"{letter}[a-z]+" for letter in acronym) + r"\b", re.I)


def also_called(text: str, gold: str, question: str) -> list[str]:
    """The initials of a gold's words, or the surname of the person asked for, as far as the text may mean them.

    >>> also_called("Set by the ECB.", "European Central Bank", "Which bank sets the rate?")
    ['ECB']
    >>> also_called("It was Fama.", "Eugene Fama", "Who found it?"), also_called("It was John Fama.", "Eugene Fama", "Who?")
    (['Fama'], [])
    """
    gold = gold.strip(" .")
    person = _PERSON.fullmatch(gold) if _WHO.search(question) else None
    if person:
        first, last = person.groups()
        namesake = re.search(rf"\b(?!(?:{first}|{_TITLE})\b)[A-Z][a-z]+\.? {last}\b", text)
        return [] if namesake else [last]
    told = [word for word in re.findall(r"[A-Za-z]+", gold) if word.lower() not in IDLE]
    initials = "".join(word[0] for word in told).upper()
    return [initials] if len(told) > 2 and _WORDS.fullmatch(gold) and initials not in question else []
