"""A run beside reported scores: difference and verdict, and the words for both.

The same model's own published scores are asked "does this agree?"; other models' "which one is ahead?". Prompts,
decoding and grading differ between harnesses, so a difference is a question before it is a finding.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from finbench.scores import published
from finbench.scores.intervals import Z95, Estimate, average_of
from finbench.scores.published import BENCHMARKS, ReportedRow, ReportedScore, model_key
from finbench.scores.significance import Versus, unpaired, versus_average, versus_reported

LEVEL = 0.05
Outcome = Literal["better", "worse", "not distinguishable", "agrees", "differs", "cannot tell"]


@dataclass(frozen=True, slots=True)
class Beside:
    """A reported score and our difference from it, in points; `sentence` is the verdict with the n it assumes.

    Averages are compared with the mean of the printed columns (`recomputed`), whatever is printed.
    """

    score: float
    printed: str
    recomputed: float | None
    n: int
    n_assumed: bool
    flags: tuple[str, ...]
    notes: str
    delta: float
    low: float
    high: float
    verdict: Outcome
    sentence: str


@dataclass(frozen=True, slots=True)
class Against:
    """One reported row beside a run; `cells` has the run's task names, `average` needs all five benchmarks."""

    model: str
    params: str
    protocol: str
    title: str
    source: str
    url: str
    note: str
    same_model: bool
    cells: Mapping[str, Beside]
    average: Beside | None


def column(task: str) -> str:
    """The benchmark that a task measures: the variants of the paper protocol stand for the same one.

    >>> column("finqa_paper")
    'finqa'
    """
    return task.removesuffix("_paper")


def estimate_of(entry: Mapping[str, Any]) -> Estimate:
    """A task's entry of results.json on the 0..1 scale."""
    low, high = entry["ci"][0] / 100, entry["ci"][1] / 100
    clusters, effect = entry.get("clusters") or entry["n"], entry.get("design_effect") or 1.0
    return Estimate(entry["score"] / 100, low, high, entry["n"], (high - low) / (2 * Z95), clusters, effect)


def outcome(mean: float, p: float) -> Outcome:
    """A difference as a word, given its p-value (adjusted where there are several)."""
    if p >= LEVEL or mean == 0:
        return "not distinguishable"
    return "better" if mean > 0 else "worse"


def against_reported(
    entries: Mapping[str, Mapping[str, Any]], model: str, rows: Sequence[ReportedRow] | None = None
) -> list[Against]:
    """A run's task entries (results.json) beside the rows of the Fin-R1 paper and every row of the same model.

    The same model's rows come first. Empty when no task of the run has reported scores.
    """
    ours = {name: estimate_of(entry) for name, entry in entries.items()}
    by_column = {column(name): estimate for name, estimate in ours.items()}
    whole = average_of([by_column[name] for name in BENCHMARKS]) if set(BENCHMARKS) <= set(by_column) else None
    found = []
    for row in published.load() if rows is None else rows:
        same = model_key(row.model) == model_key(model)
        if not same and row.protocol.name != "fin-r1":
            continue
        cells = {name: _beside(estimate, row, column(name), same) for name, estimate in ours.items()}
        known = {name: cell for name, cell in cells.items() if cell is not None}
        if known:
            average = _average(whole, row, same) if whole else None
            found.append(_against(row, same, known, average))
    return sorted(found, key=lambda one: not one.same_model)


def reported_for(entries: Mapping[str, Mapping[str, Any]], model: str) -> list[dict[str, Any]]:
    """`against_reported` as plain JSON values: the key `reported` of results.json."""
    return [asdict(row) for row in against_reported(entries, model)]


def _against(row: ReportedRow, same: bool, cells: Mapping[str, Beside], average: Beside | None) -> Against:
    protocol = row.protocol
    return Against(
        model=row.model,
        params=row.params,
        protocol=protocol.name,
        title=protocol.title,
        source=protocol.source,
        url=protocol.url,
        note=protocol.note,
        same_model=same,
        cells=cells,
        average=average,
    )


def _beside(ours: Estimate, row: ReportedRow, benchmark: str, same: bool) -> Beside | None:
    theirs = row.estimate(benchmark) if benchmark in row.scores else None
    if theirs is None:
        return None
    score = row.scores[benchmark]
    versus = versus_reported(
        ours, theirs.mean, n=score.n, full=row.size(benchmark), half_unit=score.half_unit / 100
    )  # fmt: skip
    return _made(ours, theirs, score, None, versus if same else None)


def _average(ours: Estimate, row: ReportedRow, same: bool) -> Beside | None:
    theirs = row.average_estimate()
    if theirs is None or row.average is None:
        return None
    hidden = sum(row.scores[name].half_unit for name in BENCHMARKS) / len(BENCHMARKS)
    versus = versus_average(ours, theirs, half_unit=hidden / 100)
    return _made(ours, theirs, row.average, row.recomputed, versus if same else None)


def _made(
    ours: Estimate, theirs: Estimate, score: ReportedScore, recomputed: float | None, versus: Versus | None
) -> Beside:
    difference = unpaired(ours, theirs)
    verdict: Outcome = versus.verdict if versus else outcome(difference.mean, difference.p)
    return Beside(
        score=score.score,
        printed=score.printed,
        recomputed=None if recomputed is None else round(recomputed, 6),
        n=theirs.n,
        n_assumed=score.n is None,
        flags=score.flags,
        notes=score.notes,
        delta=100 * difference.mean,
        low=100 * difference.low,
        high=100 * difference.high,
        verdict=verdict,
        sentence=in_words(versus, average=recomputed is not None) if versus else _ahead(verdict),
    )


def _ahead(verdict: Outcome) -> str:
    return {"better": "ahead of it", "worse": "behind it"}.get(verdict, "not distinguishable from it")


def in_words(versus: Versus, average: bool = False) -> str:
    """The verdict against a published score as one sentence; it always says which n it rests on."""
    points, chance = 100 * versus.difference, 100 * versus.uncertainty
    size = f"n {versus.n_assumed:,}" if versus.n_known else f"n not stated, taken as {versus.n_assumed:,}"
    size = f"five benchmarks, n {versus.n_assumed:,} in all, assumed where not stated" if average else size
    said = {
        "agrees": f"agrees: {points:+.1f} points, chance and rounding explain {chance:.1f} ({size})",
        "differs": f"differs: {points:+.1f} points, chance and rounding explain only {chance:.1f} ({size})",
        "cannot tell": f"cannot tell: {points:+.1f} points, but chance alone explains {chance:.1f} ({size})",
    }[versus.verdict]
    if versus.n_known or versus.agrees_from is None:
        return said
    upto = "" if versus.agrees_to is None else f" up to {versus.agrees_to:,}"
    return f"{said}; would agree for n from {versus.agrees_from:,}{upto}"
