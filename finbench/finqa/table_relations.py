"""Which cells of a table follow from others: totals, differences, quotients and percentages, found by recomputing.

A relation counts only when it is too exact to be chance: the digits that agree have to outweigh the number of
combinations that were tried. Cells that follow from others by any other rule are not found.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from itertools import combinations, permutations
from typing import Literal

from finbench.finqa.figures import cell

Cell = tuple[int, int]  # row, column
Kind = Literal["sum", "ratio", "percent", "change"]
Shown = tuple[float, float]  # value and the unit of its last digit
Grid = dict[Cell, Shown]

# Set on FinQA's tables by eye and held by the test on tables of random numbers: below one cell in 250 is taken for a sum.
MARGIN = 1.0  # powers of ten by which agreement has to outweigh chance
LABEL = 1.5  # powers of ten that a line's name gives: a total is expected to add up
# Units of the last digit by which the roundings of a few parts, and of four and more, may move a sum; float noise above.
FEW_ROUNDINGS, MANY_ROUNDINGS = 1.01, 2.01
_TOTAL = re.compile(r"\b(?:total|subtotal|net|balance|ending|end of|gross)\b")

QUOTIENTS: dict[Kind, Callable[[Decimal, Decimal], Decimal]] = {
    "ratio": lambda a, b: a / b,
    "percent": lambda a, b: 100 * a / b,
    "change": lambda a, b: 100 * (a - b) / b,
}


@dataclass(frozen=True, slots=True)
class Relation:
    """`output` follows from `inputs`: the sum of the inputs times their signs, or a quotient of the two."""

    kind: Kind
    output: Cell
    inputs: tuple[Cell, ...]
    signs: tuple[int, ...] = ()

    @property
    def cells(self) -> frozenset[Cell]:
        return frozenset((self.output, *self.inputs))

    def turned(self, output: Cell) -> Relation:
        """The same sum with another of its cells as the one that follows."""
        turn = self.signs[self.inputs.index(output)]
        others = [(at, -sign * turn) for at, sign in zip(self.inputs, self.signs, strict=True) if at != output]
        return Relation("sum", output, (self.output, *(at for at, _ in others)), (turn, *(sign for _, sign in others)))


@lru_cache(maxsize=512)
def relations(table: tuple[tuple[str, ...], ...]) -> tuple[Relation, ...]:
    """The relations of a table, totals of neighbouring lines first; no two tie the same cells.

    >>> relations((("", "2019", "2018"), ("a", "310", "280"), ("b", "127", "131"), ("total", "437", "411")))[0]
    Relation(kind='sum', output=(3, 1), inputs=((2, 1), (1, 1)), signs=(1, 1))
    """
    grid: Grid = {}
    for i, cells in enumerate(table):
        for j, text in enumerate(cells):
            if j and (found := cell(text)):
                grid[i, j] = float(found[0]), 10.0 ** -found[1].decimals
    found_relations: dict[frozenset[Cell], Relation] = {}
    outputs: set[Cell] = set()
    width = max((len(cells) for cells in table), default=0)
    names = [cells[0] if cells else "" for cells in table]
    heads = [table[0][j] if j < len(table[0]) else "" for j in range(width)]
    for lines in (_Lines(grid, names, width, False), _Lines(grid, heads, len(table), True)):
        for find in (lines.totals, lines.triples, lines.quotients):
            for relation in find(outputs):
                if relation.cells not in found_relations:
                    found_relations[relation.cells] = relation
                    outputs.add(relation.output)
    return tuple(found_relations.values())


def holds(relation: Relation, table: Sequence[Sequence[str]]) -> bool:
    """Does the relation hold in a table, within the rounding of its cells?"""
    read = [cell(table[i][j]) for i, j in (relation.output, *relation.inputs)]
    there = [(float(found[0]), 10.0 ** -found[1].decimals) for found in read if found]
    if len(there) < len(read):
        return False
    (output, unit), *inputs = there
    if relation.kind == "sum":
        allowed = max(unit, *(u for _, u in inputs)) * (FEW_ROUNDINGS if len(inputs) < 4 else MANY_ROUNDINGS)
        return (
            abs(sum(value * sign for (value, _), sign in zip(inputs, relation.signs, strict=True)) - output) <= allowed
        )
    return _agrees(relation.kind, (output, unit), inputs[0], inputs[1]) is not None


def _agrees(kind: Kind, shown: tuple[float, float], a: tuple[float, float], b: tuple[float, float]) -> float | None:
    """What rounding may hide between a shown quotient and the one of a and b; None when more lies between them."""
    if not a[0] or not b[0]:
        return None
    factor = 1 if kind == "ratio" else 100
    quotient = a[0] / b[0]
    blur = factor * abs(quotient) * (a[1] / abs(a[0]) + b[1] / abs(b[0])) / 2 + 0.501 * shown[1]
    return blur if abs(factor * (quotient - (kind == "change")) - shown[0]) <= blur else None


def _agreement(shown: Shown, added: Sequence[tuple[Shown, int]]) -> float | None:
    """The digits (powers of ten) in which a shown total and its signed parts agree; None when they do not.

    >>> parts = [((310.0, 1.0), 1), ((127.0, 1.0), 1)]
    >>> round(_agreement((437.0, 1.0), parts), 2), _agreement((439.0, 1.0), parts)
    (2.64, None)
    """
    value, unit = shown
    unit = max(unit, *(part[1] for part, _ in added))
    allowed = unit * (FEW_ROUNDINGS if len(added) < 4 else MANY_ROUNDINGS)
    off = abs(sum(part[0] * sign for part, sign in added) - value)
    if off > allowed:
        return None
    return max(0.0, math.log10(abs(value) / (unit if off < unit / 2 else 2 * allowed)))


class _Lines:
    """A table as parallel lines: its rows, with a sample in every column, or the other way round."""

    def __init__(self, grid: Grid, names: Sequence[str], samples: int, across: bool) -> None:
        self.name = names
        self.across = across
        self.samples = range(samples)
        self.line = [
            {s: grid[self.at(i, s, across)] for s in self.samples if self.at(i, s, across) in grid}
            for i in range(len(names))
        ]
        self.filled = [i for i, line in enumerate(self.line) if line]

    @staticmethod
    def at(line: int, sample: int, across: bool) -> Cell:
        return (sample, line) if across else (line, sample)

    def totals(self, _: set[Cell]) -> Iterator[Relation]:
        """A line that adds up the lines next to it, or is the first of them less the rest; subtotals replace parts."""
        need = math.log10(max(1, len(self.filled)) ** 2) + MARGIN
        used: set[int] = set()
        for upward in (True, False):  # a total stands below its parts as a rule, rarely above
            parts_taken: set[int] = set()
            for total in self.filled:
                if not upward and total in used:
                    continue
                above = [i for i in reversed(self.filled) if i < total and i not in parts_taken]
                near = above if upward else [i for i in self.filled if i > total]
                parts, relations = next(self._blocks(total, near, need), ((), []))
                parts_taken.update(parts)
                used.update(parts, (total,) if parts else ())
                yield from relations

    def _blocks(self, total: int, near: Sequence[int], need: float) -> Iterator[tuple[Sequence[int], list[Relation]]]:
        for size in range(2, len(near) + 1):
            parts = near[:size]
            for signs in ((1,) * size, (*(-1,) * (size - 1), 1)):
                if found := self._sums(total, parts, signs, need, exceptions=1.0):
                    yield parts, found

    def triples(self, outputs: set[Cell]) -> Iterator[Relation]:
        """Any three lines of which one is the sum of the others; the lowest one that is free follows."""
        count = len(self.filled)
        need = math.log10(max(1, count**3 / 2)) + MARGIN
        for trio in combinations(self.filled, 3):
            for total in trio:
                first, second = (i for i in trio if i != total)
                found = self._sums(total, (first, second), (1, 1), need, exceptions=0.25)
                for relation in found:
                    cells = sorted(relation.cells, reverse=True)
                    free = next((cell for cell in cells if cell not in outputs), relation.output)
                    yield relation if free == relation.output else relation.turned(free)
                if found:
                    break

    def _sums(
        self, total: int, parts: Sequence[int], signs: Sequence[int], need: float, exceptions: float
    ) -> list[Relation]:
        """The sums of the parts, times their signs, that give a line in its samples.

        Empty unless the digits that agree outweigh `need` powers of ten, and the samples in which they do not are at most
        `exceptions` times those in which they do.
        """
        held: list[Relation] = []
        failed, weight = 0, LABEL if _TOTAL.search(self.name[total]) else 0.0
        for sample, shown in self.line[total].items():
            there = [(p, sign) for p, sign in zip(parts, signs, strict=True) if sample in self.line[p]]
            added = [(self.line[p][sample], sign) for p, sign in there]
            if sum(1 for part, _ in added if part[0]) < 2 or not shown[0]:
                continue
            digits = _agreement(shown, added)
            if digits is not None:
                weight += digits
                held.append(self._sum(total, sample, there))
                continue
            failed += 1
            if not held and failed > 2:
                return []
        return held if weight >= need and failed <= exceptions * len(held) else []

    def _sum(self, total: int, sample: int, parts: Sequence[tuple[int, int]]) -> Relation:
        """A line's cell as the sum of the signed cells of other lines in the same sample."""
        inputs = tuple(self.at(part, sample, self.across) for part, _ in parts)
        return Relation("sum", self.at(total, sample, self.across), inputs, tuple(sign for _, sign in parts))

    def quotients(self, _: set[Cell]) -> Iterator[Relation]:
        """A line that is the quotient of two others, or the share of another line's cells in one of them."""
        need = math.log10(max(1, 3 * len(self.filled) ** 3)) + MARGIN
        for line, top in permutations(self.filled, 2):
            for bottom in self.filled:
                if bottom not in (line, top):
                    pairs = [(sample, (top, sample), (bottom, sample)) for sample in self.line[line]]
                    for kind in QUOTIENTS:
                        yield from self._quotient(kind, line, pairs, need)
            for whole in (s for s, (value, _) in self.line[top].items() if value == max(self.line[top].values())[0]):
                pairs = [(sample, (top, sample), (top, whole)) for sample in self.line[line] if sample != whole]
                yield from self._quotient("percent", line, pairs, need)

    def _quotient(
        self, kind: Kind, line: int, pairs: Sequence[tuple[int, Cell, Cell]], need: float
    ) -> Iterator[Relation]:
        held: list[tuple[int, Cell, Cell]] = []
        failed, weight = 0, 0.0
        for sample, top, bottom in pairs:
            value, unit = self.line[line][sample]
            a, b = self.line[top[0]].get(top[1]), self.line[bottom[0]].get(bottom[1])
            if not a or not b or not value or not a[0] or not b[0] or a[0] == b[0]:
                continue
            if unit / abs(value) < max(a[1] / abs(a[0]), b[1] / abs(b[0])):
                return  # what follows is rounded more than what it follows from: turned round, it is another quotient
            blur = _agrees(kind, (value, unit), a, b)
            if blur is None:
                failed += 1
                if not held or failed > len(held):
                    return
                continue
            weight += max(0.0, math.log10(abs(value) / (2 * blur)))
            held.append((sample, top, bottom))
        if weight >= need and failed <= 0.25 * len(held):
            for sample, top, bottom in held:
                yield Relation(
                    kind,
                    self.at(line, sample, self.across),
                    (self.at(*top, self.across), self.at(*bottom, self.across)),
                )
