"""What has to change together on a page when some of its numbers do.

The numbers of all programs about a page are replaced wherever it shows them. Cells that the table derives from them
follow (table_relations.py), and so do numbers in the text that round them or compare two of them (text_relations.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import permutations
from typing import Any

from finbench.finqa import table_relations, text_relations
from finbench.finqa.figures import Figure, cell, figures, is_constant, is_year, rewrite, rounded, written
from finbench.finqa.questions import (
    Gold,
    Question,
    arguments,
    asking,
    magnitude,
    places,
    questions,
    rewritten,
    rows_named,
)
from finbench.finqa.table_relations import Cell, Relation
from finbench.finqa.text_relations import Place, Values

PASSES = 8  # through the relations until nothing moves, set by us: a margin of a sum of a sum takes three
# Whole numbers that programs use as constants when the page does not show them: counts of years, months, days.
UNSHOWN = frozenset(range(2, 32)) | {52, 360, 365}

_DERIVED = re.compile(r"chang|percent|%|increas|decreas|differ|varia|growth|margin|ratio\b|share of")


class NoVariant(Exception):
    """The reason for which a row has no variant."""


@dataclass(frozen=True, slots=True)
class Rule:
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
        return rounded(table_relations.QUOTIENTS[self.relation.kind](top, bottom), self.decimals) if bottom else None


class ChangingPage:
    """What has to change together on one page. Raises NoVariant while it is set up."""

    def __init__(self, row: Mapping[str, Any]) -> None:
        self.old = row
        self.asked = questions(row)
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
        self.used = self._used()
        self.relations = self._oriented(table_relations.relations(tuple(map(tuple, row["table"]))))
        self.leaves = sorted({self._leaf(key, frozenset()) for key in self.used})
        self.changed = self._closure()
        self.rules = [self._rule(relation) for relation in self.relations if self._touched(relation)]
        self._check_cells()
        self.mentions = self._reader().mentions()
        self.rows = self._neighbours()

    # what the program uses

    def _used(self) -> set[Decimal]:
        used = {key for question in self.asked for key in self.uses(question.program)}
        if not used:
            raise NoVariant("the program uses no number of the page")
        for key in used:
            self._check_places(key)
        return used

    def uses(self, program: str) -> set[Decimal]:
        """The numbers of the page that a program uses; NoVariant when one of them cannot be changed."""
        named = {self._argument(operation, literal) for operation, literal in arguments(program)}
        used = {key for key in named if key is not None}
        return used.union(*(self._row(name) for name in rows_named(program)))

    def _argument(self, operation: str, literal: str) -> Decimal | None:
        """The number of the page that an argument stands for; None for a constant, a year, and a count of things."""
        key = magnitude(literal)
        if is_constant(key):
            return None
        if operation == "exp":
            raise NoVariant("the program raises to a power")
        if is_year(literal):
            if key in self.where or any(abs(value) == key for (i, _), value in self.cells.items() if i):
                raise NoVariant("an argument looks like a year")
            return None
        if key in self.where:
            return key
        if key in UNSHOWN:
            return None
        raise NoVariant("an argument is not on the page as the program writes it")

    def _row(self, name: str) -> set[Decimal]:
        """The numbers of the row that a program runs over: the last of that name, as `programs.row` has it."""
        lines = [i for i, cells in enumerate(self.old["table"]) if cells and cells[0].strip() == name]
        used: set[Decimal] = set()
        for i in lines[-1:]:
            for j in range(1, len(self.old["table"][i])):
                first = next(iter(self.found["table", i, j]), None)
                if first is None or (first.fixed and not is_constant(first.value)):
                    raise NoVariant("a cell of the program's row looks like a year")
                if not first.fixed:
                    used.add(first.value)
        return used

    def _check_places(self, key: Decimal) -> None:
        """Refuse a number whose places may not all be the same number, or not all be changed."""
        named = any(rows_named(question.program) for question in self.asked)
        if named and any(place[0] == "table" and place[2] == 0 for place, _ in self.where[key]):
            raise NoVariant("a number stands in a row's name that the program uses")
        if self._is_small(key) and len({place[:2] for place, _ in self.where[key] if place[0] != "question"}) > 1:
            raise NoVariant("a small whole number stands in several places")
        if any(figure.fixed and figure.value == key and figure.digits > 2 for figure in self._figures()):
            raise NoVariant("a number is also part of a word, a date or a reference")

    def _is_small(self, key: Decimal) -> bool:
        """Is a number whole, below 100, and nowhere shown with decimals? Such a one stands on a page by chance."""
        decimals = any(figure.decimals for _, figure in self.where[key])
        return key < 100 and key == key.to_integral_value() and not decimals

    def _figures(self) -> Iterator[Figure]:
        for listed in self.found.values():
            yield from listed

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
        for at, value in self.cells.items():
            figure = self.found["table", *at][0]
            if abs(value) in proven or figure.digits < 2 or self._is_fixed(at):
                continue
            if (figure.percent or _DERIVED.search(self._label(*at))) and self._may_follow(at, figure):
                raise NoVariant("a cell may follow from changed numbers in a way that is not proven")

    def _label(self, i: int, j: int) -> str:
        """The name of a cell's row and the head of its column."""
        table = self.old["table"]
        return f"{table[i][0]} {table[0][j] if j < len(table[0]) else ''}"

    def _may_follow(self, at: Cell, figure: Figure) -> bool:
        """Is a cell a difference, share or change of two numbers near it, one of which changes?"""
        rules = text_relations.IN_PERCENT if figure.percent else ("difference", *text_relations.IN_PERCENT)
        value = abs(self.cells[at])
        return any(
            rounded(abs(text_relations.RULES[rule](a, b)), figure.decimals) == value
            for line in self._lines(*at, everywhere=figure.digits > 2)
            for a, b in permutations(line, 2)
            if a in self.changed or b in self.changed
            for rule in rules
        )

    def _lines(self, i: int, j: int, everywhere: bool) -> Iterator[list[Decimal]]:
        """The numbers of a cell's row and of its column, `everywhere` of all other rows too."""
        rows = {
            r: [at for at in self.cells if at[0] == r] for r in range(len(self.old["table"])) if everywhere or r == i
        }
        for line in (*rows.values(), [at for at in self.cells if at[1] == j]):
            yield list(dict.fromkeys(abs(self.cells[at]) for at in line if not self._is_fixed(at) and at != (i, j)))

    def _reader(self) -> text_relations.MentionReader:
        """What the texts can speak of: the numbers of table rows with their names, and the program's numbers."""
        rows = []
        for i, cells in enumerate(self.old["table"]):
            listed = [abs(self.cells[i, j]) for j in range(len(cells)) if not self._is_fixed((i, j))]
            rows.append((text_relations.words(cells[0] if cells else ""), tuple(dict.fromkeys(listed))))
        texts = {
            place: (text, self.found[place])
            for place, text in self.texts.items()
            if place[0] != "table" or (place[1], place[2]) not in self.cells
        }
        return text_relations.MentionReader(texts, rows, frozenset(self.changed), sorted(self.used))

    def _neighbours(self) -> list[list[tuple[Decimal, int]]]:
        """The (number, sign) of the cells of every table row that changes."""
        changed, lines = set(self.changed), []
        for i in range(len(self.old["table"])):
            line = [(abs(v), -1 if v < 0 else 1) for (r, _), v in sorted(self.cells.items()) if r == i]
            if changed & {key for key, _ in line}:
                lines.append(line)
        return lines

    def _touched(self, relation: Relation) -> bool:
        return any(abs(self.cells[at]) in self.changed for at in relation.cells)

    def _rule(self, relation: Relation) -> Rule:
        output = self.cells[relation.output]
        decimals = max((figure.decimals for _, figure in self.where.get(abs(output), ())), default=0)
        inputs = tuple((abs(self.cells[at]), self.cells[at]) for at in relation.inputs)
        return Rule(relation, output, abs(output), decimals, inputs, self._is_fixed(relation.output))

    # writing

    def row(self, values: Values, golds: Sequence[Gold]) -> dict[str, Any]:
        """The row with its page, questions and programs over new numbers, and these golds."""
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
        texts = (renewed(("question", index, 0)) for index in range(len(self.asked)))
        renewed_all = zip(texts, self.programs(values), golds, strict=True)
        return asking(made, [Question(text, program, *gold) for text, program, gold in renewed_all])

    def table(self, values: Values) -> list[list[str]]:
        """The table with new numbers."""

        def change(figure: Figure) -> str | None:
            return None if figure.fixed or figure.value not in values else written(values[figure.value], figure.text)

        return [[rewrite(text, change) for text in cells] for cells in self.old["table"]]

    def programs(self, values: Values) -> list[str]:
        """The programs with new numbers."""
        renewed = {key: values.get(key, key) for key in self.used}
        return [rewritten(question.program, renewed) for question in self.asked]
