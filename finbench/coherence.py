"""What has to change together on a page when some of its numbers do, and draws of new numbers that keep it coherent.

The numbers of a program are replaced wherever the page shows them. Cells that the table derives from them follow
(footing.py), and so do numbers in the text that round them or compare two of them. What is drawn keeps the look of the
old number and the order among the numbers of a row.
"""

from __future__ import annotations

import math
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, DivisionByZero, InvalidOperation
from itertools import combinations, permutations
from typing import Any

from finbench import footing, mentions
from finbench.errors import DataError
from finbench.figures import Figure, cell, figures, is_constant, is_year, rewrite, rounded, written
from finbench.footing import Cell, Relation
from finbench.mentions import Place, Values

PASSES = 8
LEAST_CHANGE = Decimal("0.03")  # of every number that the program uses
# Whole numbers that programs use as constants when the page does not show them: counts of years, months, days.
UNSHOWN = frozenset(range(2, 32)) | {52, 360, 365}

_ARITHMETIC = re.compile(r"\b(add|subtract|multiply|divide|exp|greater)\(\s*([^(),]+?)\s*,\s*([^(),]+?)\s*\)")
_ROW = re.compile(r"\btable_(?:max|min|sum|average)\(\s*(.*?)\s*,\s*none\s*\)")
_DERIVED = re.compile(r"chang|percent|%|increas|decreas|differ|varia|growth|margin|ratio\b|share of")


class NoVariant(Exception):
    """The reason for which a row has no variant."""


# -- the page --------------------------------------------------------------------------------------------------------


def places(row: Mapping[str, Any]) -> Iterator[tuple[Place, str]]:
    """Every text of a row that a prompt shows, and where it stands."""
    for part in ("pre_text", "post_text"):
        for index, sentence in enumerate(row[part]):
            yield (part, index, 0), sentence
    yield ("question", 0, 0), row["qa"]["question"]
    for i, cells in enumerate(row["table"]):
        for j, text in enumerate(cells):
            yield ("table", i, j), text


def arguments(program: str) -> Iterator[tuple[str, str]]:
    """(operation, literal) for every number that a program names; steps and named constants are left out.

    >>> list(arguments("subtract(5829, 5735), divide(#0, 5735), multiply(#1, const_100)"))
    [('subtract', '5829'), ('subtract', '5735'), ('divide', '5735')]
    """
    for found in _ARITHMETIC.finditer(program):
        for literal in found.group(2, 3):
            if not literal.startswith(("#", "const_")):
                yield found[1], literal


def magnitude(literal: str) -> Decimal:
    """A literal's number as a page shows it: without sign and percent sign."""
    try:
        return abs(Decimal(literal.replace(",", "").replace("%", "").strip()))
    except InvalidOperation:
        raise DataError(f"{literal!r} is not a number") from None


@dataclass(frozen=True, slots=True)
class _Rule:
    """A relation of the table over numbers instead of cells."""

    relation: Relation
    output: Decimal
    key: Decimal  # the output without its sign
    decimals: int
    inputs: tuple[tuple[Decimal, Decimal], ...]  # (without sign, with sign)
    fixed: bool  # the output must not change

    def follows(self, values: Values) -> Decimal | None:
        """The new output. A total keeps the difference that rounding left in it; None where a quotient has no value."""
        moved = [(old, values[key].copy_sign(old)) if key in values else (old, old) for key, old in self.inputs]
        if all(old == new for old, new in moved):
            return self.output
        if self.relation.kind == "sum":
            by = sum(
                (sign * (new - old) for sign, (old, new) in zip(self.relation.signs, moved, strict=True)), Decimal(0)
            )
            return rounded(self.output + by, self.decimals)
        (_, top), (_, bottom) = moved
        return rounded(footing.QUOTIENTS[self.relation.kind](top, bottom), self.decimals) if bottom else None


class Page:
    """What has to change together on one page. Raises NoVariant while it is set up."""

    def __init__(self, row: Mapping[str, Any]) -> None:
        self.old = row
        qa = row["qa"]
        self.found = {place: figures(text) for place, text in places(row)}
        self.texts = dict(places(row))
        self.where: dict[Decimal, list[tuple[Place, Figure]]] = {}
        for place, listed in self.found.items():
            for figure in listed:
                if not figure.fixed:
                    self.where.setdefault(figure.value, []).append((place, figure))
        self.cells: dict[Cell, Decimal] = {
            (i, j): read[0]
            for i, cells in enumerate(row["table"])
            for j, text in enumerate(cells)
            if j and (read := cell(text))
        }
        self.used = self._used(qa["program"])
        self.relations = self._oriented(footing.relations(tuple(map(tuple, row["table"]))))
        self.leaves = sorted({self._leaf(key, frozenset()) for key in self.used})
        self.changed = self._closure()
        self.rules = [self._rule(relation) for relation in self.relations if self._touched(relation)]
        self._check_cells()
        self.mentions = self._reader().mentions()
        self.rows = self._neighbours()

    # what the program uses

    def _used(self, program: str) -> set[Decimal]:
        used: set[Decimal] = set()
        for operation, literal in arguments(program):
            key = magnitude(literal)
            if is_constant(key):
                continue
            if operation == "exp":
                raise NoVariant("the program raises to a power")
            if is_year(literal):
                if key in self.where or any(abs(value) == key for (i, _), value in self.cells.items() if i):
                    raise NoVariant("an argument looks like a year")
                continue
            if key in self.where:
                used.add(key)
            elif key not in UNSHOWN:
                raise NoVariant("an argument is not on the page as the program writes it")
        for name in _ROW.findall(program):
            cells = [i for i, cells in enumerate(self.old["table"]) if cells and cells[0].strip() == name][-1:]
            for i in cells:
                for j in range(1, len(self.old["table"][i])):
                    first = next(iter(self.found["table", i, j]), None)
                    if first is None or (first.fixed and not is_constant(first.value)):
                        raise NoVariant("a cell of the program's row looks like a year")
                    if not first.fixed:
                        used.add(first.value)
        if not used:
            raise NoVariant("the program uses no number of the page")
        for key in used:
            self._check_places(key)
        return used

    def _check_places(self, key: Decimal) -> None:
        if any(place[0] == "table" and place[2] == 0 for place, _ in self.where[key]) and _ROW.search(
            self.old["qa"]["program"]
        ):
            raise NoVariant("a number stands in a row's name that the program uses")
        if key < 100 and key == key.to_integral_value() and not any(figure.decimals for _, figure in self.where[key]):
            homes = {place[:2] for place, _ in self.where[key] if place[0] != "question"}
            if len(homes) > 1:
                raise NoVariant("a small whole number stands in several places")
        glued = [f for listed in self.found.values() for f in listed if f.fixed and f.value == key and f.digits > 2]
        if glued:
            raise NoVariant("a number is also part of a word, a date or a reference")

    # what follows from what

    def _oriented(self, found: Sequence[Relation]) -> list[Relation]:
        """Sums whose total has to stay (100 %, a year's look) follow in their largest free part instead."""
        oriented = []
        taken: set[Cell] = {relation.output for relation in found}
        told: set[tuple[str, frozenset[Decimal]]] = set()
        for relation in found:
            numbers = frozenset(abs(self.cells[at]) for at in relation.cells)
            if (relation.kind, numbers) in told:  # the same numbers stand in the table twice
                continue
            told.add((relation.kind, numbers))
            if relation.kind == "sum" and self._is_fixed(relation.output):
                free = [at for at in relation.inputs if not self._is_fixed(at) and at not in taken]
                free = [at for at in free if abs(self.cells[at]) not in self.used] or free
                if free:
                    relation = relation.turned(max(free, key=lambda at: (abs(self.cells[at]), at)))
                    taken.add(relation.output)
            oriented.append(relation)
        return oriented

    def _is_fixed(self, at: Cell) -> bool:
        return at not in self.cells or abs(self.cells[at]) not in self.where

    def _leaf(self, key: Decimal, seen: frozenset[Decimal]) -> Decimal:
        """The number to draw so that `key` changes: itself, or the largest number that it follows from."""
        for relation in self.relations:
            if abs(self.cells[relation.output]) != key:
                continue
            inputs = relation.inputs if relation.kind == "sum" else relation.inputs[:1]
            free = [at for at in inputs if not self._is_fixed(at) and abs(self.cells[at]) not in seen | {key}]
            if free:
                largest = max(free, key=lambda at: (abs(self.cells[at]), at))
                return self._leaf(abs(self.cells[largest]), seen | {key})
            raise NoVariant("a total has no part that can change")
        return key

    def _closure(self) -> list[Decimal]:
        changed = set(self.leaves)
        for _ in range(PASSES):
            before = len(changed)
            for relation in self.relations:
                if any(abs(self.cells[at]) in changed for at in relation.inputs) and not self._is_fixed(
                    relation.output
                ):
                    changed.add(abs(self.cells[relation.output]))
            if len(changed) == before:
                break
        return sorted(changed)

    def _check_cells(self) -> None:
        """Refuse a page with a cell that looks derived from numbers that change, but by no relation that was proven."""
        proven = set(self.changed) | {rule.key for rule in self.rules}
        table = self.old["table"]
        for (i, j), value in self.cells.items():
            figure = self.found["table", i, j][0]
            if abs(value) in proven or figure.digits < 2 or self._is_fixed((i, j)):
                continue
            label = f"{table[i][0]} {table[0][j] if j < len(table[0]) else ''}"
            if not (figure.percent or _DERIVED.search(label)):
                continue
            for line in self._lines(i, j, everywhere=figure.digits > 2):
                for a, b in permutations(line, 2):
                    if (a in self.changed or b in self.changed) and any(
                        rounded(abs(mentions.RULES[rule](a, b)), figure.decimals) == abs(value)
                        for rule in (mentions.IN_PERCENT if figure.percent else ("difference", *mentions.IN_PERCENT))
                    ):
                        raise NoVariant("a cell may follow from changed numbers in a way that is not proven")

    def _lines(self, i: int, j: int, everywhere: bool) -> Iterator[list[Decimal]]:
        """The numbers of a cell's row and of its column, `everywhere` of all other rows too."""
        rows = {
            r: [at for at in self.cells if at[0] == r] for r in range(len(self.old["table"])) if everywhere or r == i
        }
        for line in (*rows.values(), [at for at in self.cells if at[1] == j]):
            yield list(dict.fromkeys(abs(self.cells[at]) for at in line if not self._is_fixed(at) and at != (i, j)))

    def _reader(self) -> mentions.Reader:
        """What the texts can speak of: the numbers of table rows with their names, and the program's numbers."""
        rows = []
        for i, cells in enumerate(self.old["table"]):
            listed = [abs(self.cells[i, j]) for j in range(len(cells)) if not self._is_fixed((i, j))]
            rows.append((mentions.words(cells[0] if cells else ""), tuple(dict.fromkeys(listed))))
        texts = {
            place: (text, self.found[place])
            for place, text in self.texts.items()
            if place[0] != "table" or (place[1], place[2]) not in self.cells
        }
        return mentions.Reader(texts, rows, frozenset(self.changed), sorted(self.used))

    def _neighbours(self) -> list[list[tuple[Decimal, int]]]:
        """The (number, sign) of the cells of every table row that changes."""
        changed, lines = set(self.changed), []
        for i in range(len(self.old["table"])):
            line = [(abs(v), -1 if v < 0 else 1) for (r, _), v in sorted(self.cells.items()) if r == i]
            if changed & {key for key, _ in line}:
                lines.append(line)
        return lines

    # drawing

    def drawn(self, generator: random.Random, strict: bool) -> Values | None:
        """One draw of new numbers for all that changes, or None when it is not coherent."""
        common = generator.uniform(0.08, 0.3) * generator.choice((-1, 1))
        spread = generator.choice((0.25, 0.15, 0.07))
        values: Values = {}
        for key in self.leaves:
            new = self._near(key, math.exp(common + generator.uniform(-spread, spread)))
            if new is None or new in values.values():
                return None
            values[key] = new
        if not self._propagate(values):
            return None
        kept = all(abs(values.get(key, key) - key) >= LEAST_CHANGE * key for key in self.used)
        if not kept or not self._in_order(values, strict):
            return None
        try:
            told = [mention.value(values) for mention in self.mentions]
        except (DivisionByZero, InvalidOperation):
            return None
        return values if all(told) else None

    def _near(self, key: Decimal, factor: float) -> Decimal | None:
        """A number of the same look near `key` times a factor, or None."""
        shown = [figure for _, figure in self.where[key]]
        decimals = min(figure.decimals for figure in shown)
        if key != rounded(key, decimals):
            return None
        step = Decimal(1).scaleb(-decimals)
        if not decimals:
            whole = str(int(key))
            zeros = len(whole) - len(whole.rstrip("0"))
            step = Decimal(10) ** max(0, min(zeros, len(whole) - 2))
        new = rounded(key * Decimal(repr(factor)) / step, 0) * step
        if new == key:
            new += step if factor > 1 else -step
        if len(str(int(new))) != len(str(int(key))) or new <= 0 or is_constant(new) or is_year(format(new, "f")):
            return None
        if new in self.where and (len(format(new, "f")) > 2 or new in self.used):
            return None
        if any(figure.percent for figure in shown) and key <= 100 < new:
            return None
        return new

    def _propagate(self, values: Values) -> bool:
        """Let totals and quotients follow until nothing moves; False when they cannot all be kept."""
        leaves = frozenset(values)
        for _ in range(PASSES):
            moved = False
            for rule in self.rules:
                new = rule.follows(values)
                if new is None or not new or (new < 0) != (rule.output < 0):
                    return False
                if abs(new) == values.get(rule.key, rule.key):
                    continue
                if rule.fixed or rule.key in leaves or is_constant(abs(new)) or is_year(format(abs(new), "f")):
                    return False
                values[rule.key] = abs(new)
                moved = True
            if not moved:
                return True
        return False

    def _touched(self, relation: Relation) -> bool:
        return any(abs(self.cells[at]) in self.changed for at in relation.cells)

    def _rule(self, relation: Relation) -> _Rule:
        output = self.cells[relation.output]
        decimals = max((figure.decimals for _, figure in self.where.get(abs(output), ())), default=0)
        inputs = tuple((abs(self.cells[at]), self.cells[at]) for at in relation.inputs)
        return _Rule(relation, output, abs(output), decimals, inputs, self._is_fixed(relation.output))

    def _in_order(self, values: Values, strict: bool) -> bool:
        """Do the arguments, and the numbers of a row, stand to each other as before?"""
        for a, b in combinations(sorted(self.used), 2):
            if (values.get(a, a) < values.get(b, b)) is not True:
                return False
        for line in self.rows:
            for (a, sign_a), (b, sign_b) in combinations(line, 2):
                if not strict and (a not in values or b not in values):
                    continue
                new_a, new_b = sign_a * values.get(a, a), sign_b * values.get(b, b)
                if _order(sign_a * a, sign_b * b) != _order(new_a, new_b):
                    return False
        return True

    # writing

    def row(self, values: Values) -> dict[str, Any]:
        """The row with its page and question rewritten; the program is the new one, the golds are left out."""
        told = {(mention.place, mention.figure.start): mention.value(values) for mention in self.mentions}

        def renewed(place: Place) -> str:
            def change(figure: Figure) -> str | None:
                new = told.get((place, figure.start), values.get(figure.value))
                return None if figure.fixed or new is None else written(new, figure.text)

            return rewrite(self.texts[place], change)

        made = dict(self.old)
        for part in ("pre_text", "post_text"):
            made[part] = [renewed((part, index, 0)) for index in range(len(self.old[part]))]
        made["table"] = [
            [renewed(("table", i, j)) for j in range(len(cells))] for i, cells in enumerate(self.old["table"])
        ]
        made["qa"] = {
            "question": renewed(("question", 0, 0)),
            "program": self.program(values),
        }
        return made

    def table(self, values: Values) -> list[list[str]]:
        """The table with new numbers."""

        def change(figure: Figure) -> str | None:
            return None if figure.fixed or figure.value not in values else written(values[figure.value], figure.text)

        return [[rewrite(text, change) for text in cells] for cells in self.old["table"]]

    def program(self, values: Values) -> str:
        """The program with new numbers."""
        return rewritten(self.old["qa"]["program"], {key: values.get(key, key) for key in self.used})


def _order(a: Decimal, b: Decimal) -> int:
    return (a > b) - (a < b)


def rewritten(program: str, values: Mapping[Decimal, Decimal]) -> str:
    """The program with other numbers; constants, steps and row names stay.

    >>> rewritten("subtract(5829, -12%), divide(#0, 5829)", {Decimal(5829): Decimal(6110), Decimal(12): Decimal(15)})
    'subtract(6110, -15%), divide(#0, 6110)'
    """

    def literal(text: str) -> str:
        if text.startswith(("#", "const_")) or (key := magnitude(text)) not in values or is_constant(key):
            return text
        new = values[key]
        body = text.strip("-% ")
        decimals = max(len(body.partition(".")[2]), -int(new.normalize().as_tuple().exponent))
        return text.replace(body, format(rounded(new, decimals), ",f" if "," in body else "f"))

    return _ARITHMETIC.sub(lambda found: f"{found[1]}({literal(found[2])}, {literal(found[3])})", program)
