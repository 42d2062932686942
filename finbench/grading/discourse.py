"""What a sentence does in a reply: refuse, retract, affirm, conclude, plan, add context, or break off.

The words are those of the lexicon (`act.*`); here stands only where in a sentence they count.
"""

from __future__ import annotations

import re

from finbench.text.lexicon import pattern
from finbench.text.normalize import last_match

_OPENING = r"^[\W_]{0,12}"
RETRACTION = pattern(
    r"(?:^|[\n.!?。;,—(*\s])[\s*_\"'(—-]{0,5}(?P<strong><act.retract_lead>[,.!—\s-]+"
    r"[^.\n]{0,60}?<act.retract_doubt>|<act.retract_strong>)"
    r"|(?:^|[\s*_\"'(—。;!-])(?P<weak><act.retract_weak>)"
)
AFFIRMATION = pattern("<act.affirm>")
NOT_AFFIRMED = pattern("<act.deny>")
_REFUSAL = pattern(r"<act.refuse>|^\W*<act.refuse_whole>\W*$")
# A hesitation that is overcome ("at first it seems that this cannot be determined, but ..."), not a refusal.
_HESITATION = pattern("<act.hesitate>")
_BUT = pattern("<act.but>")
_OVERCOME = pattern("<act.overcome>")


def refuses(text: str) -> re.Match[str] | None:
    """The words in which a text declines to answer; None when it does not, or overcomes its doubt.

    >>> bool(refuses("This cannot be determined.")), refuses("It may seem that this cannot be determined, but it can be")
    (True, None)
    """
    match = _REFUSAL.search(text)
    if match and _OVERCOME.search(text, match.end()) and _HESITATION.search(text, 0, match.end()):
        last = last_match(_REFUSAL, text)
        assert last is not None
        return None if last.start() == match.start() or _BUT.search(text, last.end()) else last
    return match


CONCLUSION = pattern(f"{_OPENING}<act.conclude>")
CONCLUSION_INSIDE = pattern("<act.conclude_inside>")
# What follows under such a heading, or on such a line, only adds to the answer.
REMARKS = pattern(r"\n[ \t]*(?:#{1,6}[ \t]*|\*\*[ \t]*)?<heading.remarks>[ \t]*(?:\*\*)?:?(?:\*\*)?[ \t]*\n")
# "As a check, 41 + 59 = 100, so the parts add up": what follows from a check is not the answer.
CHECK = pattern(f"{_OPENING}<act.check>")
# What only adds to an answer, whatever numbers it holds.
CONTEXT = pattern(
    rf"{_OPENING}<act.check|act.aside>|^[-$]?[\d,.]+%? (?:relat|refer|pertain|belong)\w+ to\b|"
    rf"{_OPENING}if\b[^.]{{0,100}}\bwould\b"
)
# What opens conclusions as well as context: such a sentence ranks below the others, and is never thrown away.
LEAD = pattern(rf"{_OPENING}<act.lead>")
# "The ratio is 0.68. This means that there are 68 cents of assets for every dollar of debt."
GLOSS = pattern("<act.gloss>")
# "..., net income was $5 million.": the copula leads up to the number that the sentence ends on.
STATES = pattern(r"(?:<copula|rise|fall>\s|[=≈])[^\d.;]{0,25}[-($€£¥]{0,3}\d[\d,.]*\s?%?[^\d.;]{0,25}[.。]?\W*$")
CONTEXT_INSIDE = re.compile(
    r"\b(?:on|see|from|at) p(?:age|\.)\s?\d|\bsample of\b|第\s?\d+\s?页|\b10-[KQ]\b|\bannual report\b|"
    r"\bdisclaimer\b|\bnot (?:financial|investment) advice\b|\bit would have been\b",
    re.I,
)
PLAN = pattern(
    rf"{_OPENING}(?:\d{{1,2}}[.):]\s{{0,3}})?[\W_]{{0,6}}(?:(?:now|so|okay|ok|then|and|well|alright|sure),?\s+)?<act.plan>"
)
RESULT = pattern("[=≈→]|<act.result>")
STUB = pattern(r"\W*<stub>(?:\s+\w{1,12}){0,2}\W{0,2}(?<![.!?。%\d])")
# A last sentence that only says what will be done: "Finally we will divide"
UNDONE = pattern(
    r"\W*(?:(?:now|next|so|then|finally|first|second|lastly|and),?\s+){0,2}(?:(?:we|i)(?:'ll| will| need to| have to| must|"
    r" can now| should)|let(?:'s| us| me))\s+(?:now\s+|then\s+)?<act.plan_verb>[^\d=]{0,80}"
)
UNFINISHED = pattern(r"(?:[=+×*/(,÷≈:\\-]|\\frac\{?[^{}]*\}?|<unfinished>)$")
# Thinking aloud at the very end.
DOUBT = pattern(rf"{_OPENING}<act.doubt>")
BOTH_OFFERED = pattern("<act.both_offered>")
