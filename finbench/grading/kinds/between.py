"""Two numbers and what stands between them: the ends of a range, the levels of a change."""

from __future__ import annotations

import re
from itertools import pairwise

from finbench.text.quantities import Quantity

_RANGE = re.compile(r"\s*(?:-|~|to|through|and|至|到|→)\s*[$€£¥]?\s*", re.I)


def levels(text: str, found: list[Quantity]) -> list[Quantity]:
    """The two levels of "from 5.1% to 4.5%", which are not the change."""
    levels: list[Quantity] = []
    for one, other in pairwise(found):
        before = text[max(0, one.start - 20) : one.start]
        if _FROM.search(before) and _TO.fullmatch(text[one.end : other.start]):
            levels += [one, other]
    return levels


_FROM = re.compile(r"(?:\bfrom|从|由)[\s$€£¥*(]*$", re.I)
_TO = re.compile(
    r"(?:[^.;:\d]|(?<!\d)(?:19|20)\d\d(?!\d)){0,30}?\s*"
    r"(?:\bto|到|至)(?: about| approximately| around)?[\s$€£¥*(]*",
    re.I,
)


def ranges(text: str, found: list[Quantity]) -> list[Quantity]:
    """The two ends of every range ("20% to 25%", "between 3 and 4"), which are no answer to a point question."""
    inside: list[Quantity] = []
    for one, other in pairwise(found):
        between = text[one.end : other.start]
        link = _RANGE.fullmatch(between)
        minus = between == "" and other.number < 0 and not other.shown.startswith("(")
        if not link and not minus:
            continue
        word = between.strip().lower().strip("$€£¥ ")
        before = text[max(0, one.start - 30) : one.start]
        if word in ("and", "→"):
            if re.search(r"between[\s$*]*$|介于$", before, re.I):
                inside += [one, other]
        elif (
            word in ("to", "through", "到", "至")
            and re.search(r"\bfrom[\s$*]*$|从$", before, re.I)
            and not re.search(r"rang", before, re.I)
        ):
            continue  # "rose from 5 to 6" tells two levels
        elif abs(other.number) > abs(one.number) or word in ("to", "至", "到", "~"):
            inside += [one, other]
    return inside
