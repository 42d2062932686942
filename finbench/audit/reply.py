"""What stands behind an answer: where its numbers come from, whether its calculations hold, and which cells it used.

Pure functions over one reply, linear in its length and exact: no engine, no judge. The method and its limits:
docs/audit.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NamedTuple

from finbench.audit import page_index, recovered_program
from finbench.audit.calculations import calculations
from finbench.audit.provenance import COUNTED, Support, Trace, Tracing
from finbench.records import Document, Grade, fields_of
from finbench.text.normalize import normalise
from finbench.text.stated import Number, numbers

MAX_TEXT = 64_000  # characters, some 16,000 tokens (the budget of Fin-R1); of a longer reply the end is audited
METRICS = {  # what a task's means are made of, in words
    "grounded_share": "numbers with an origin",
    "wrong_calculation_share": "calculations wrong",
    "right_cells_share": "right cells used",
    "lucky_share": "right answers by luck",
    "wrong_operation_share": "wrong answers by operation",
    "same_program_share": "gold program followed",
}


class CheckedStep(NamedTuple):
    """A stated calculation: its text, what its numbers give exactly, and the verdict on what the text says.

    `result` is the index of the stated result among the numbers of the audit, -1 where an expression stands there.
    """

    start: int
    end: int
    text: str
    exact: str
    verdict: str  # right | rounding | wrong
    result: int = -1


@dataclass(frozen=True, slots=True)
class Audit:
    """The findings on one reply; offsets are those of `audited(text, reasoning)`.

    `counted` are the quantities among its numbers (no years, labels, constants), `grounded` those of them that come from
    somewhere. None: the question does not arise (no gold cells known, no answer, no program).
    """

    numbers: tuple[Trace, ...]
    calculations: tuple[CheckedStep, ...]
    counted: int
    grounded: int
    wrong: int
    right_cells: bool | None
    lucky: bool | None
    wrong_operation: bool | None
    program: str
    program_match: str | None  # exact | equivalent | different | none

    @property
    def first_wrong(self) -> CheckedStep | None:
        """The first calculation that is wrong."""
        return next((step for step in self.calculations if step.verdict == "wrong"), None)

    def metrics(self) -> dict[str, float]:
        """What a task's means are made of; a question that does not arise has no entry.

        `lucky_share` is among the right answers with a calculation, `wrong_operation_share` among the wrong ones.
        """
        shares = {
            "grounded_share": self.grounded / self.counted if self.counted else None,
            "wrong_calculation_share": self.wrong / len(self.calculations) if self.calculations else None,
            "right_cells_share": self.right_cells,
            "lucky_share": self.lucky,
            "wrong_operation_share": self.wrong_operation,
            "same_program_share": None if self.program_match is None else self.program_match in recovered_program.SAME,
        }
        return {name: float(value) for name, value in shares.items() if value is not None}

    def as_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        plain = fields_of(self)
        plain["numbers"] = [trace._asdict() for trace in self.numbers]
        plain["calculations"] = [step._asdict() for step in self.calculations]
        return plain


def applies(document: Document) -> bool:
    """Can replies to this document be audited? Numbers over a page with cells."""
    return document.answer.kind == "number" and bool(document.cells)


def audited(text: str, reasoning: str = "") -> str:
    """The text that offsets refer to: the reasoning, where a server keeps it apart, and the reply below it."""
    return f"{reasoning}\n\n{text}" if reasoning else text


def audit(document: Document, text: str, grade: Grade, reasoning: str = "") -> Audit:
    """Trace every number, compute every stated calculation again, and compare with the gold program where there is one.

    >>> from finbench.records import Answer, Gold
    >>> document = Document("1", "t", "By how much did sales grow?", Answer("number"), (Gold("94"),), cells=("5829", "5735"))
    >>> found = audit(document, "5,829 - 5,735 = 94, or 7.7% more.", Grade(True, "equal", extracted="94"))
    >>> [(trace.kind, trace.where) for trace in found.numbers], found.calculations[0].verdict
    ([('cell', 'cells'), ('cell', 'cells'), ('computed', 'calculation 1'), ('nothing', '')], 'right')
    """
    whole = audited(text, reasoning)
    base = max(0, len(whole) - MAX_TEXT)
    work = _traced(document, normalise(whole[base:]))
    steps = tuple(
        CheckedStep(
            base + c.start, base + c.end, whole[base + c.start : base + c.end], _decimal(c.exact), c.verdict, c.result
        )
        for c in work.calculations
    )
    traces = tuple(trace._replace(start=trace.start + base, end=trace.end + base) for trace in work.traces)
    counted = [trace.kind for trace in traces if trace.kind in COUNTED]
    answer = _answer(grade)
    support = work.support(answer[0]) if answer else None
    gold = recovered_program.gold_of(document)
    right_cells = recovered_program.used(work, gold, answer)
    program, match = recovered_program.recover(work, gold, answer, grade.correct) if gold else ("", None)
    return Audit(
        numbers=traces,
        calculations=steps,
        counted=len(counted),
        grounded=len(counted) - counted.count("nothing"),
        wrong=sum(step.verdict == "wrong" for step in steps),
        right_cells=right_cells,
        lucky=_lucky(grade, support) if steps else None,
        wrong_operation=_wrong_operation(grade, right_cells, support, match),
        program=program,
        program_match=match,
    )


def _traced(document: Document, shown: str) -> Tracing:
    """A (normalised) text over a document's page and question, every number traced."""
    history = document.row.get("history")
    question = page_index.of_question(document.question, history if isinstance(history, list) else ())
    page = page_index.of_page(document.row, document.cells)
    found = numbers(shown)
    work = Tracing(shown, found, calculations(shown, found), page, question)
    work.trace_all()
    return work


def _lucky(grade: Grade, support: Support | None) -> bool | None:
    """Is a right answer right although nothing sound gives it? None for wrong ones and for none."""
    return not support.sound if grade.correct and support else None


def _wrong_operation(grade: Grade, right_cells: bool | None, support: Support | None, match: str | None) -> bool | None:
    """Do the right cells and sound arithmetic lead to a wrong answer? None for right ones and without a gold program."""
    if grade.correct or right_cells is None:
        return None
    sound = support is not None and support.sound and support.calculation >= 0
    return right_cells and sound and match not in recovered_program.SAME


def marked(text: str, found: Audit) -> list[tuple[int, int, str, str]]:
    """What a page can underline in the audited text: (start, end, kind, note), in order; calculations enclose numbers.

    Kinds: those of `page_index.Kind`, and "right", "rounding", "wrong" for calculations.
    """
    marks = [(t.start, t.end, str(t.kind), ", ".join(part for part in (t.where, t.how) if part)) for t in found.numbers]
    marks += [(s.start, s.end, s.verdict, f"exactly {s.exact}") for s in found.calculations]
    return sorted((m for m in marks if m[1] <= len(text)), key=lambda mark: (mark[0], -mark[1]))


def _answer(grade: Grade) -> list[Number]:
    """The number that the grader took as the answer, as shown; a fraction by its value. Empty for none and for yes or no."""
    shown = grade.extracted or ""
    return numbers(normalise(grade.value or "" if "/" in shown else shown))[:1]


def _decimal(value: Fraction) -> str:
    """Up to twelve significant digits.

    >>> _decimal(Fraction(94, 5735)), _decimal(Fraction(94))
    ('0.0163905841325', '94')
    """
    if value.denominator == 1 and abs(value) < 10**15:
        return str(value.numerator)
    return f"{float(value):.12g}" if abs(value) < 10**300 else "very large"
