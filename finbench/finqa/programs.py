"""FinQA's program language, flat as in `subtract(5829, 5735), divide(#0, 5735)` or nested.

The meaning is that of the official evaluator (czyssrs/FinQA, code/evaluate/evaluate.py): binary floating point all the
way, the final number rounded to five decimals, `greater` answering "yes" or "no". ConvFinQA adds programs that are a
bare number. Programs are data: they are parsed here and never evaluated as Python.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from finbench.errors import DataError

Value = float | str  # a number, or "yes" / "no"
Table = Sequence[Sequence[str]]

MAX_LENGTH = 10_000  # characters; the longest program of FinQA has 5 steps and 160 characters
MAX_DEPTH = 50

ARITHMETIC: dict[str, Callable[[float, float], float]] = {
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "divide": operator.truediv,
    "exp": math.pow,
}
OVER_A_ROW: dict[str, Callable[[Sequence[float]], float]] = {
    "table_max": max,
    "table_min": min,
    "table_sum": sum,
    "table_average": lambda row: sum(row) / len(row),
}
OPERATIONS = (*ARITHMETIC, "greater", *OVER_A_ROW)


class ProgramError(DataError):
    """A program that cannot be parsed or has no result."""


@dataclass(frozen=True, slots=True)
class Step:
    """One operation carried out; `value` is not rounded."""

    operation: str
    arguments: tuple[str, str]  # as written; a nested operation stands as "#k"
    value: Value


@dataclass(frozen=True, slots=True)
class Result:
    """What a program computes: a number rounded to five decimals or "yes"/"no", and every step on the way."""

    value: Value
    steps: tuple[Step, ...]


def run(program: str, table: Table = ()) -> Result:
    """The result of a program over a table (rows of cells, the first cell naming the row).

    Raises `ProgramError` in words for anything without a result.

    >>> run("subtract(5829, 5735), divide(#0, 5735)").value
    0.01639
    >>> run("divide(subtract(5829, 5735), 5735)") == run("subtract(5829, 5735), divide(#0, 5735)")
    True
    >>> run("table_average(rate, none)", [["", "2019", "2018"], ["rate", "4% ( 4 % )", "2% ( 2 % )"]]).value
    0.03
    >>> run("13.4%").value
    0.134
    """
    if len(program) > MAX_LENGTH:
        raise ProgramError(f"program of {len(program)} characters, the limit is {MAX_LENGTH}")
    return _Run(program, table).result()


def text(value: Value) -> str:
    """A value as plain text, numbers to five decimals and without an exponent; the ".0" of a whole number stays.

    >>> text(0.00001), text(94.0), text(2.00000499), text("yes")
    ('0.00001', '94.0', '2.0', 'yes')
    """
    return value if isinstance(value, str) else format(Decimal(repr(round(float(value), 5))), "f")


def number(literal: str) -> float:
    """The number that a program literal or a table cell stands for: `1,234`, `12%` (0.12), `const_100`, `const_m1`.

    Raises `ProgramError` when it is none.
    """
    plain = literal.replace(",", "").strip()
    if plain.startswith("const_"):
        plain = plain.removeprefix("const_").replace("m1", "-1")
    try:
        if plain.endswith("%"):
            return _finite(float(plain[:-1]) / 100)
        return _finite(float(plain))
    except ValueError:
        raise ProgramError(f"{literal!r} is not a number") from None


def row(name: str, table: Table) -> list[float]:
    """The numbers of the table row with this name. A cell counts up to its first parenthesis, without `$`.

    The last row of that name wins, as in the official evaluator, which keeps rows in a dictionary.
    """
    found = [cells for cells in table if cells and cells[0].strip() == name.strip()]
    if not found:
        raise ProgramError(f"the table has no row {name!r}")
    return [number(cell.replace("$", "").partition("(")[0]) for cell in found[-1][1:]]


class _Run:
    """One pass over a program text: recursive descent, computing as it goes."""

    operation = re.compile(rf"\s*({'|'.join(OPERATIONS)})\(")
    # A row's name may hold commas and parentheses, so the unused second argument marks its end.
    row_name = re.compile(r"(.*?)\s*,\s*none\s*\)")
    literal = re.compile(r"\s*([^\s(),]+)\s*")
    comma = re.compile(r"\s*,\s*")
    close = re.compile(r"\s*\)")

    def __init__(self, program: str, table: Table) -> None:
        self.program, self.table = program, table
        self.place = 0
        self.steps: list[Step] = []

    def result(self) -> Result:
        value = self.expression(0)
        while self.take(self.comma):
            value = self.expression(0)
        if self.program[self.place :].strip():
            raise self.error("expected a comma and another operation")
        return Result(round(value, 5) if isinstance(value, float) else value, tuple(self.steps))

    def expression(self, depth: int) -> Value:
        """An operation or a literal; leaves the operation's step as the last of `steps`."""
        if depth > MAX_DEPTH:
            raise self.error(f"nested deeper than {MAX_DEPTH}")
        if operation := self.take(self.operation):
            return self.apply(operation[1], depth)
        if not (literal := self.take(self.literal)):
            raise self.error("expected an operation or a number")
        return self.reference(literal[1]) if literal[1].startswith("#") else number(literal[1])

    def apply(self, name: str, depth: int) -> Value:
        if name in OVER_A_ROW:
            if not (found := self.take(self.row_name)):
                raise self.error(f"{name} wants a row's name and `none`")
            return self.record(
                name, (found[1].strip(), "none"), OVER_A_ROW[name](row(found[1], self.table) or [math.nan])
            )
        left, left_text = self.argument(depth)
        if not self.take(self.comma):
            raise self.error(f"{name} wants two arguments")
        right, right_text = self.argument(depth)
        if not self.take(self.close):
            raise self.error(f"{name}(...) is not closed after two arguments")
        if name == "greater":
            return self.record(name, (left_text, right_text), "yes" if left > right else "no")
        try:
            value = ARITHMETIC[name](left, right)
        except (ZeroDivisionError, OverflowError, ValueError) as error:
            raise ProgramError(f"{name}({left_text}, {right_text}): {error}") from None
        return self.record(name, (left_text, right_text), value)

    def argument(self, depth: int) -> tuple[float, str]:
        """The value of an argument, which has to be a number, and how it is written in the flat form."""
        start, before = self.place, len(self.steps)
        value = self.expression(depth + 1)
        written = self.program[start : self.place].strip() if len(self.steps) == before else f"#{len(self.steps) - 1}"
        if isinstance(value, str):
            raise ProgramError(f"{written} is {value!r}, and yes/no is no argument")
        return value, written

    def reference(self, literal: str) -> Value:
        index = literal[1:]
        if not (index.isascii() and index.isdigit() and len(index) < 4 and int(index) < len(self.steps)):
            raise ProgramError(f"{literal} refers to no earlier step")
        return self.steps[int(index)].value

    def record(self, name: str, arguments: tuple[str, str], value: Value) -> Value:
        if isinstance(value, float):
            _finite(value)
        self.steps.append(Step(name, arguments, value))
        return value

    def take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """The match at the current place, which moves behind it."""
        found = pattern.match(self.program, self.place)
        self.place = found.end() if found else self.place
        return found

    def error(self, what: str) -> ProgramError:
        return ProgramError(f"{self.program!r}, character {self.place + 1}: {what}")


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise ProgramError(f"the result is {value}, not a finite number")
    return value
