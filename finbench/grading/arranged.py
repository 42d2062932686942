"""Answers that the layout of a reply gives away: what is in bold, what stands in a table."""

from __future__ import annotations

import re

from finbench.grading.claims import Claim
from finbench.text.lexicon import pattern
from finbench.text.normalize import plain

_BOLD = re.compile(r"\*\*(?!\s)([^*\n]{1,80}?)(?<!\s)\*\*|__(?!\s)([^_\n]{1,80}?)(?<!\s)__")
_LABEL = re.compile(r".*[:：]\s*|\s*\d{1,2}[.)]?\s*")  # "**Step 2:**", "**3.**"
_ROW = re.compile(r"^[ \t]*\|(.+)\|[ \t]*$", re.M)
_RULE = re.compile(r"[\s|:-]+")
_ANSWER = re.compile(r"\W*(?:(?:final|my|the)\s+)?(?:answers?|results?|choice|label|sentiment|答案|结果|选项)\W*", re.I)
_UNIT_COLUMN = pattern(r"\W*<field_scale>\W*")
_TOLD = re.compile(
    r"change|difference|ratio|share|growth|average|total|sum|percent|%|变动|变化|增长|差额|占比|比率|合计|平均", re.I
)


def emphasised(sentence: str) -> str:
    """The one bold part of a sentence, without markup; "" where there is none, several, or a label only.

    >>> emphasised("They were $367 million and $78 million, together **$445 million**."), emphasised("**Step 2:** add")
    ('$445 million', '')
    """
    parts = [first or second for first, second in _BOLD.findall(sentence)]
    if len(parts) != 1 or _LABEL.fullmatch(parts[0]):
        return ""
    return plain(parts[0])


def in_table(text: str) -> Claim | None:
    """What the last table of a text says: the cell under or beside "answer", or its one bold row.

    >>> in_table("| No. | Answer |\\n|---|---|\\n| 1 | B |").text
    'B'
    """
    rows = [
        (match, [cell.strip() for cell in match.group(1).split("|")])
        for match in _ROW.finditer(text)
        if not _RULE.fullmatch(match.group(1))
    ]
    rows = [row for row in rows if len(row[1]) > 1][-60:]
    if len(rows) < 2 or len({len(cells) for _, cells in rows}) > 1:
        return None
    header, *body = rows
    names = [plain(name) for name in header[1]]
    column = next((at for at, name in enumerate(names) if _ANSWER.fullmatch(name)), None)
    named = [row for row in body if _ANSWER.fullmatch(plain(row[1][0]))]
    bold = [row for row in body if _BOLD.search(row[1][-1])]
    if column is None and len(body) == 1:
        column = max((at for at, name in enumerate(names) if _TOLD.search(name)), default=None)
    if column is not None and len(body) == 1:
        match, cells = body[0]
        cell = cells[column]
    elif column is None and (named or len(bold) == 1):
        match, cells = (named or bold)[-1]
        cell = cells[-1]
    else:
        return None
    unit = next((at for at, name in enumerate(names) if _UNIT_COLUMN.fullmatch(name)), None)
    if unit is not None and len(body) == 1:
        cell = f"{cell} {body[0][1][unit]}"
    return Claim(plain(cell), match.start(), match.end(), "table", lead=plain(cells[0]))
