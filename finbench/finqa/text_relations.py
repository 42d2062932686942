"""Numbers in a text that follow from others on the page: rounded, in another scale, or comparing two of them.

"$ 8.6 billion" is a cell of 8630.9 millions; "an increase of 1.6 %" compares two cells. When the cells change, the
sentence has to change with them. Short numbers agree with something by chance, so they count only in a sentence that
speaks of the numbers they would follow from.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import combinations

from finbench.finqa.figures import Figure, rounded

Place = tuple[str, int, int]  # "table", row, column; "pre_text" or "post_text" or "question", sentence, 0
Values = dict[Decimal, Decimal]  # old number -> new number, both without sign
Words = frozenset[str]

RULES: dict[str, Callable[[Decimal, Decimal], Decimal]] = {
    "difference": lambda a, b: a - b,
    "sum": lambda a, b: a + b,
    "percent": lambda a, b: 100 * a / b,
    "change": lambda a, b: 100 * (a - b) / b,
    "times": lambda a, b: a / b,
}
IN_PERCENT = ("percent", "change")
EITHER_WAY = ("difference", "sum")  # the order of the two numbers makes no difference
SHIFTS = (0, -3, -6, -9, 3, 6, 9)  # powers of ten between a table in thousands and a text in billions
CROWDED = 12  # a text with more numbers than this compares few of them

_WORD = re.compile(r"[a-z]{5,}")
_MOVES = re.compile(r"\b(?:increas|decreas|decline|grew|grow|rose|fell|higher|lower|up|down|chang|compared|improv)")


def words(text: str) -> Words:
    """The words by which a sentence and a row's name are seen to speak of the same thing."""
    return frozenset(_WORD.findall(text))


@dataclass(frozen=True, slots=True)
class Mention:
    """A figure of a text and the one or two numbers that it follows from."""

    place: Place
    figure: Figure
    rule: str  # "same" or one of RULES
    keys: tuple[Decimal, ...]
    shift: int = 0

    def value(self, values: Values) -> Decimal:
        """The figure's number when the page has new numbers. Raises decimal's errors where a quotient has no value."""
        new = [values.get(key, key) for key in self.keys]
        exact = new[0] if self.rule == "same" else abs(RULES[self.rule](new[0], new[1]))
        return rounded(exact.scaleb(self.shift), self.figure.decimals)


class MentionReader:
    """The texts of a page, the rows of its table, and which numbers change."""

    def __init__(
        self,
        texts: Mapping[Place, tuple[str, Sequence[Figure]]],
        rows: Sequence[tuple[Words, tuple[Decimal, ...]]],  # words of the row's name, its numbers
        changed: frozenset[Decimal],
        used: Sequence[Decimal],  # the program's numbers: compared whatever the text says
    ) -> None:
        self.texts = texts
        self.changed = changed
        self.names: dict[Decimal, list[Words]] = {}
        for names, numbers in rows:
            for number in numbers:
                self.names.setdefault(number, []).append(names)
        self.pairs: dict[tuple[Decimal, Decimal], Words] = {}
        for names, numbers in rows:
            self._add(numbers, names)
        for place, (_, listed) in texts.items():
            near = dict.fromkeys(figure.value for figure in listed if not figure.fixed)
            if place[0] != "table" and len(near) < CROWDED:
                self._add(tuple(near), frozenset())
        self._add(tuple(used), frozenset())

    def _add(self, numbers: Sequence[Decimal], names: Words) -> None:
        if self.changed.isdisjoint(numbers):
            return
        for pair in combinations(numbers, 2):
            if not self.changed.isdisjoint(pair):
                self.pairs.setdefault(pair, names)

    def mentions(self) -> list[Mention]:
        """Every figure of the texts that follows from numbers that change."""
        return [
            mention
            for place, (text, listed) in self.texts.items()
            for figure in listed
            if not figure.fixed and figure.value not in self.changed
            for mention in [self._rounded(place, figure, text) or self._compared(place, figure, text, listed)]
            if mention
        ]

    def _rounded(self, place: Place, figure: Figure, text: str) -> Mention | None:
        """A changed number to fewer digits or in another scale; of several the nearest."""
        if figure.digits < (2 if figure.scale else 3):
            return None
        told = words(text)
        found = []
        for key in sorted(self.changed):
            if figure.digits < 3 and not any(_related(names, told) for names in self.names.get(key, ())):
                continue
            for shift in SHIFTS if figure.scale else (0,):
                exact = key.scaleb(shift)
                if rounded(exact, figure.decimals) == figure.value:
                    found.append((abs(exact - figure.value), Mention(place, figure, "same", (key,), shift)))
        return min(found, key=lambda item: item[0])[1] if found else None

    def _compared(self, place: Place, figure: Figure, text: str, listed: Sequence[Figure]) -> Mention | None:
        """A difference, share or change of two numbers that the sentence is about."""
        if figure.digits < 2 and not figure.percent:
            return None
        near = {other.value for other in listed if not other.fixed}
        told, moves = words(text), bool(_MOVES.search(text))
        for pair, names in self.pairs.items():
            both = near.issuperset(pair)
            if not both and figure.digits < 4 and near.isdisjoint(pair) and not _related(names, told):
                continue
            for mention in _comparisons(place, figure, pair, _rules(figure, both, moves)):
                if mention.value({}) == figure.value:
                    return mention
        return None


def _comparisons(
    place: Place, figure: Figure, pair: tuple[Decimal, Decimal], rules: Iterable[str]
) -> Iterator[Mention]:
    """What a figure would be by these rules: both orders of the pair where the order matters, all scales where it has one."""
    for rule in rules:
        for keys in (pair,) if rule in EITHER_WAY else (pair, pair[::-1]):
            for shift in SHIFTS if figure.scale and rule in EITHER_WAY else (0,):
                yield Mention(place, figure, rule, keys, shift)


def _rules(figure: Figure, both: bool, moves: bool) -> Iterator[str]:
    """The rules that a figure may follow in a text that shows both numbers, or speaks of a movement."""
    for rule in RULES:
        if (rule in IN_PERCENT) != figure.percent:
            continue
        if not both and rule in ("sum", "times"):
            continue
        if both or figure.digits >= 3 or (moves and rule in ("change", "difference")):
            yield rule


def _related(names: Words, told: Words) -> bool:
    """Does a sentence with these words speak of a row with these names?"""
    return bool(names) and len(names & told) >= min(2, len(names))
