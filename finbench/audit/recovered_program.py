"""The program behind a reply: its calculations chained by value, as a FinQA program beside the gold one."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Literal

from finbench.audit.page_index import CONSTANTS, MAX_COUNT
from finbench.audit.provenance import Origin, Tracing
from finbench.finqa import programs
from finbench.finqa.programs import ProgramError
from finbench.records import Document
from finbench.text import arithmetic
from finbench.text.arithmetic import Tree
from finbench.text.stated import TENS, Number

Match = Literal["exact", "equivalent", "different", "none"]
SAME = ("exact", "equivalent")
CANDIDATES = 5  # calculations giving the answer that are compared with the gold program
MAX_NODES = 64  # of an expanded tree; FinQA's longest gold program has 5 steps, 11 nodes
# At which two programs are compared: the page's numbers, then three times others in their place. Quotients of polynomials
# of a few steps that differ hardly agree at one such point (Schwartz 1980, Zippel 1979), let alone at three.
POINTS = 4

_RANKS = {"exact": 0, "equivalent": 1, "different": 2}
_NAMES = {"+": "add", "-": "subtract", "*": "multiply", "/": "divide", "^": "exp"}
_SIGNS = {name: sign for sign, name in _NAMES.items()}
_POWERS = frozenset(TENS[power] for power in range(-12, 13))
_HUNDRED, _NOTHING = ("num", Fraction(100)), ("num", Fraction(0))


@dataclass(frozen=True, slots=True)
class GoldProgram:
    """A gold program as a tree; `keys` are the significant digits of the numbers that it takes from the page."""

    tree: Tree
    ordered: Tree  # the tree with the parts of sums and products in one order
    value: Fraction | None
    numbers: list[tuple[int, int]]  # its leaves as quotients, in order of size
    keys: frozenset[int]
    computed: bool  # False for a bare number


def gold_of(document: Document) -> GoldProgram | None:
    """The gold program of a document's row; None when it has none, or one that ends in yes or no."""
    program, table = document.row.get("program"), document.row.get("table")
    if not isinstance(program, str) or not program:
        return None
    rows = tuple(tuple(map(str, cells)) for cells in table) if isinstance(table, list) and "table_" in program else ()
    return _gold(program, rows)


@lru_cache(maxsize=512)
def _gold(program: str, table: tuple[tuple[str, ...], ...]) -> GoldProgram | None:
    try:
        steps = programs.run(program, table).steps
        if any(step.operation == "greater" for step in steps):
            return None
        trees: list[Tree] = []
        for step in steps:
            trees.append(_step(step, trees, table))
        tree = trees[-1] if trees else leaf(_fraction(programs.number(program)))
    except (ProgramError, IndexError):
        return None
    keys = frozenset(_digits(value) for value in _leaves(tree) if not _constant(value))
    tree = _stripped(tree)
    return GoldProgram(tree, _ordered(tree), arithmetic.evaluate(tree), _numbers(tree), keys, bool(steps))


def _step(step: programs.Step, trees: Sequence[Tree], table: programs.Table) -> Tree:
    """The tree of one step; `trees` are those of the steps before it."""
    if step.operation in programs.OVER_A_ROW:
        values = [leaf(_fraction(value)) for value in programs.row(step.arguments[0], table)]
        if step.operation in ("table_max", "table_min"):
            return leaf(_fraction(float(step.value)))
        total = values[0]
        for value in values[1:]:
            total = ("+", total, value)
        return total if step.operation == "table_sum" else ("/", total, leaf(Fraction(len(values))))
    left, right = (
        trees[int(text[1:])] if text.startswith("#") else leaf(_fraction(programs.number(text)))
        for text in step.arguments
    )
    return (_SIGNS[step.operation], left, right)


def _fraction(value: float) -> Fraction:
    return Fraction(f"{value:.12g}")  # 13.7% is 0.13699999999999998 in binary


def used(work: Tracing, gold: GoldProgram | None, answer: Sequence[Number]) -> bool | None:
    """Were all numbers of the gold program operands of a calculation (or, for a look-up, the answer)?"""
    if gold is None or not gold.keys:
        return None
    taken = {work.numbers[leaf].key[0] for leaf in work.operands}
    if not gold.computed:
        taken.update(number.key[0] for number in answer)
    return gold.keys <= taken


def recover(work: Tracing, gold: GoldProgram, answer: Sequence[Number], correct: bool) -> tuple[str, str]:
    """The operations that led to the answer as a FinQA program, and how it stands to the gold program.

    Of several calculations that give the answer the one that fits best is taken, else the last one that rests on
    the page alone; without any the last calculation. Numbers that stand on the page are looked up or followed back.
    """
    best: tuple[int, str, str] = (len(_RANKS), "", "none")
    candidates = work.giving(answer[0]) if answer else []
    trees = [work.calculations[index].tree for index in candidates[-CANDIDATES:]]
    if not trees and answer and work.known(answer[0], work.page):
        return _ranked([leaf(answer[0].value)], gold, correct, best)[1:]
    if not trees and work.calculations:
        trees = [work.calculations[-1].tree]
    for tree in reversed(trees):
        whole = [expand(tree, work.numbers, work.origins, stop) for stop in (work.cited, ())]
        forms = [form for form in whole if form is not None]
        best = _ranked(forms[:1] if forms[1:] == forms[:1] else forms, gold, correct, best)
        if best[0] == 0:
            break
    return best[1:]


def _ranked(
    forms: Sequence[Tree], gold: GoldProgram, correct: bool, best: tuple[int, str, str]
) -> tuple[int, str, str]:
    for form in forms:
        match = compare(form, gold, correct)
        if _RANKS[match] < best[0]:
            best = _RANKS[match], text(form), match
    return best


def leaf(value: Fraction) -> Tree:
    """The tree of one number."""
    return ("num", value)


def expand(
    tree: Tree, numbers: Sequence[Number], origins: Mapping[int, Origin], stop: Container[int] = ()
) -> Tree | None:
    """A calculation's tree with every operand that was computed before replaced by its own calculation, but for those
    in `stop`; None when that grows beyond bounds."""
    whole = _Expansion(numbers, origins, stop).grown(tree, len(numbers))
    return None if whole is None else _stripped(whole)


@dataclass(slots=True)
class _Expansion:
    """One tree that grows, of MAX_NODES nodes at most."""

    numbers: Sequence[Number]
    origins: Mapping[int, Origin]
    stop: Container[int]
    budget: int = MAX_NODES

    def grown(self, part: Tree, before: int) -> Tree | None:
        """A part whose operands stand before the number with index `before`: nothing comes from what follows it."""
        self.budget -= 1
        if self.budget < 0:
            return None
        if part[0] == "num":
            return part
        if part[0] == "sym":
            return self.number(int(part[1]), before, minus=False)
        if part[0] == "-" and part[1] == _NOTHING and part[2][0] == "sym":
            return self.number(int(part[2][1]), before, minus=True)
        inner = [self.grown(child, before) for child in part[1:]]
        return None if None in inner else (part[0], *inner)

    def number(self, index: int, before: int, minus: bool) -> Tree | None:
        """A number of the text as its own calculation, or as it is written where it comes from none."""
        origin = self.origins.get(index)
        if origin is None or index >= before or index in self.stop:
            value = self.numbers[index].value
            return leaf(-value if minus else value)
        whole = self.grown(origin.tree, index)
        return whole if whole is None or minus == origin.negative else ("-", _NOTHING, whole)


def _stripped(tree: Tree) -> Tree:
    """Without a last multiplication by 100."""
    if tree[0] == "*" and tree[2] == _HUNDRED:
        return _stripped(tree[1])
    if tree[0] == "*" and tree[1] == _HUNDRED:
        return _stripped(tree[2])
    if tree[0] == "-" and tree[1] == _NOTHING:
        return (*tree[:2], _stripped(tree[2]))
    return tree


def compare(tree: Tree, gold: GoldProgram, correct: bool) -> Match:
    """exact: the same operations on the same numbers; equivalent: the same value whatever the numbers are.

    Powers of ten between the two are percents and scales; a turned sign is forgiven in a right answer.
    """
    if _numbers(tree) == gold.numbers and _ordered(tree) == gold.ordered:
        return "exact"
    ratio = _ratio(arithmetic.evaluate(tree), gold.value)  # the page's numbers: most differing programs differ here
    if ratio is None or (abs(ratio) if correct else ratio) not in _POWERS:
        return "different"
    digits = _replaced(tree, gold.tree)
    for point in range(1, POINTS):
        factors = {
            key: 1 + point * Fraction((37 * place + 11 * point) % 101 + 1, 211) for place, key in enumerate(digits)
        }
        ours, theirs = (arithmetic.evaluate(_moved(part, factors)) for part in (tree, gold.tree))
        if _ratio(ours, theirs) != ratio:
            return "different"
    return "equivalent"


def _ratio(ours: Fraction | None, theirs: Fraction | None) -> Fraction | None:
    """How many times one value is the other; None where one of them has none."""
    return None if ours is None or not theirs else ours / theirs


def _replaced(tree: Tree, other: Tree) -> list[int]:
    """The significant digits of the numbers that are replaced by others when two programs are compared."""
    digits = sorted({_digits(value) for part in (tree, other) for value in _leaves(part)})
    # 19.4 + 19.4 + 19.4 is 19.4 x 3: small whole numbers stay, unless there is nothing else.
    return [key for key in digits if key > MAX_COUNT] or digits


def _moved(tree: Tree, factors: Mapping[int, Fraction]) -> Tree:
    """The tree with every number times the factor of its digits; constants stay."""
    if tree[0] == "num":
        return tree if _constant(tree[1]) else ("num", tree[1] * factors.get(_digits(tree[1]), 1))
    return (tree[0], *(_moved(part, factors) for part in tree[1:]))


def _leaves(tree: Tree) -> list[Fraction]:
    """The numbers of a tree from left to right."""
    if tree[0] == "num":
        return [tree[1]]
    return [value for part in tree[1:] for value in _leaves(part)]


def _numbers(tree: Tree) -> list[tuple[int, int]]:
    """The numbers of a tree as quotients, in order of size."""
    return sorted((value.numerator, value.denominator) for value in _leaves(tree))


def _digits(value: Fraction) -> int:
    """Significant digits: the same for 5829, 58.29 and 5.829 billion."""
    return _key(value)[0]


def _key(value: Fraction) -> tuple[int, int]:
    return _key_of(abs(value.numerator), value.denominator)


@lru_cache(maxsize=4096)  # the numbers of one page come again and again
def _key_of(top: int, bottom: int) -> tuple[int, int]:
    ten, power = 1, 0
    while ten % bottom and power < 30:
        ten *= 10
        power += 1
    whole = top * ten // bottom
    if not whole:
        return 0, 0
    text = str(whole)
    return int(text.rstrip("0")), len(text) - 1 - power


def _constant(value: Fraction) -> bool:
    return _key(value) in CONSTANTS


def _ordered(tree: Tree) -> Tree:
    """The tree with the parts of sums and products in one order."""
    if tree[0] == "num":
        return tree
    parts = [_ordered(part) for part in tree[1:]]
    return (tree[0], *(sorted(parts, key=repr) if tree[0] in "+*" else parts))


def text(tree: Tree) -> str:
    """A tree in FinQA's flat form.

    >>> text(("/", ("-", leaf(Fraction(5829)), leaf(Fraction(5735))), leaf(Fraction(5735))))
    'subtract(5829, 5735), divide(#0, 5735)'
    """
    steps: list[str] = []

    def written(part: Tree) -> str:
        if part[0] == "num":
            return _literal(part[1])
        if part[0] == "sqrt":
            part = ("^", part[1], leaf(Fraction(1, 2)))
        if part[1] == _NOTHING and part[0] == "-":
            part = ("*", part[2], leaf(Fraction(-1)))
        left, right = written(part[1]), written(part[2])
        steps.append(f"{_NAMES[part[0]]}({left}, {right})")
        return f"#{len(steps) - 1}"

    only = written(tree)
    return ", ".join(steps) if steps else only


def _literal(value: Fraction) -> str:
    if value == -1:
        return "const_m1"
    shown = str(value.numerator) if value.denominator == 1 else f"{float(value):.12g}"
    return f"const_{shown}" if value >= 1 and _constant(value) else shown
