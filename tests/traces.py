"""Reasoning written from FinQA programs, for the tests of the audit: several voices, and faults planted on purpose."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from finbench.finqa import programs

WORDS = {"add": "plus", "subtract": "minus", "multiply": "multiplied by", "divide": "divided by"}
SIGNS = {"add": "+", "subtract": "-", "multiply": "×", "divide": "/"}
LATEX = {"add": "+", "subtract": "-", "multiply": "\\times", "divide": "\\div"}


@dataclass(frozen=True)
class Written:
    """A trace, how many calculations it states, and the stated results as (start, end)."""

    text: str
    calculations: int
    results: tuple[tuple[int, int], ...]
    answer: str


def shown(value: float, decimals: int = 4) -> str:
    """A number as people write it: thousands grouped, no trailing zeros, small quotients to four digits."""
    rounded = Decimal(repr(value))
    if abs(value) < 0.01 and value:
        decimals = 6
    text = format(rounded.quantize(Decimal(1).scaleb(-decimals)), ",f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def literal(text: str) -> str:
    """An argument as a page shows it."""
    if text.startswith("const_"):
        return shown(programs.number(text))
    return text if text.endswith("%") else shown(programs.number(text), 6)


def plain(op: str, a: str, b: str, result: str) -> str:
    return f"I compute {a} {SIGNS[op]} {signed(b)} = {result}."


def starred(op: str, a: str, b: str, result: str) -> str:
    sign = "*" if op == "multiply" else SIGNS[op]
    return f"So {a} {sign} {signed(b)} = **{result}**."


def worded(op: str, a: str, b: str, result: str) -> str:
    return f"Now {a} {WORDS[op]} {b} equals approximately {result}."


def displayed(op: str, a: str, b: str, result: str) -> str:
    left = f"\\frac{{{a}}}{{{b}}}" if op == "divide" else f"{a} {LATEX[op]} {signed(b)}"
    return f"This gives:\n\\[\n{left} \\approx {result}\n\\]\n"


def money(op: str, a: str, b: str, result: str) -> str:
    left, right = (amount if amount.startswith("-") or amount.endswith("%") else f"${amount}" for amount in (a, b))
    return f"That is {left} {SIGNS[op]} {signed(right)} = {result}."


def told(op: str, a: str, b: str, result: str) -> str:
    if op == "divide":
        return f"Dividing {a} by {b} gives {result}."
    return f"Subtracting {b} from {a} gives {result}." if op == "subtract" else worded(op, a, b, result)


VOICES = (plain, starred, worded, displayed, money, told)


def signed(text: str) -> str:
    return f"({text})" if text.startswith("-") else text


def arithmetic(program: str, table: Any) -> list[programs.Step] | None:
    """The steps of a program of arithmetic alone."""
    steps = programs.run(program, table).steps
    return list(steps) if steps and all(step.operation in WORDS for step in steps) else None


def write(row: Mapping[str, Any], seed: int, fault: str = "") -> Written | None:
    """A trace of the row's program; `fault` is "", "digit" (a wrong digit in one result), "nowhere" (a made-up amount),
    or "lucky" (a step goes wrong, the answer is right). None where the program is no plain arithmetic."""
    steps = arithmetic(row["program"], row["table"])
    if steps is None:
        return None
    rng = random.Random(f"{row['id']}{seed}{fault}")
    voice = VOICES[seed % len(VOICES)]
    parts = [f"To answer, I look at the table. {rng.choice(('Step by step', 'Carefully'))}."]
    results: list[str] = []
    spans: list[tuple[int, int]] = []
    wrong_at = rng.randrange(len(steps)) if fault == "digit" else len(steps) - 1 if fault == "lucky" else -1
    for place, step in enumerate(steps):
        a, b = (results[int(text[1:])] if text.startswith("#") else literal(text) for text in step.arguments)
        result = shown(float(step.value))
        said = spoiled(result, rng) if place == wrong_at else result
        sentence = voice(step.operation, a, b, said)
        start = sum(len(part) + 1 for part in parts) + sentence.rindex(said)
        spans.append((start, start + len(said)))
        parts.append(sentence)
        results.append(said if fault != "lucky" else result)
    if fault == "nowhere":
        parts.append(f"The company also had {made_up(row, rng)} of other charges.")
    answer = shown(float(steps[-1].value))
    parts.append(f"The final answer is \\boxed{{{answer if fault != 'digit' else results[-1]}}}.")
    return Written(" ".join(parts), len(steps), tuple(spans), answer)


def spoiled(result: str, rng: random.Random) -> str:
    """The number with one significant digit replaced."""
    places = [i for i, char in enumerate(result) if char.isdigit()]
    first = next((i for i in places if result[i] != "0"), places[-1])
    at = rng.choice([i for i in places if i >= first])
    digits = [d for d in "123456789" if d != result[at]]
    return result[:at] + rng.choice(digits) + result[at + 1 :]


def made_up(row: Mapping[str, Any], rng: random.Random) -> str:
    """An amount of five digits that the page does not show."""
    return f"${rng.randrange(11000, 99000) + rng.choice((0.13, 0.37, 0.71)):,.2f}"
