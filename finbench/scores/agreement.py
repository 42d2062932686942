"""A run beside reported scores: difference and verdict, and the words for both.

The same model's own published scores are asked "does this agree?"; other models' "which one is ahead?". Prompts,
decoding and grading differ between harnesses, so a difference is a question before it is a finding.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Literal

from finbench.scores import published
from finbench.scores.averages import ACCURACY, metric_of
from finbench.scores.intervals import Z95, Estimate, average_of
from finbench.scores.published import BENCHMARKS, ReportedRow, ReportedScore, model_key
from finbench.scores.significance import Difference, Versus, unpaired, versus_average, versus_reported

LEVEL = 0.05
NOT_COMPARABLE: Final = "not comparable"
Outcome = Literal["better", "worse", "not distinguishable", "agrees", "differs", "cannot tell", "not comparable"]


@dataclass(frozen=True, slots=True)
class Beside:
    """A reported score and our difference from it, in points; `sentence` is the verdict with the n it assumes.

    Averages are compared with the mean of the printed columns (`recomputed`), whatever is printed. Scores of two
    metrics, and of sample rows, stand side by side without a difference: "not comparable".
    """

    score: float
    printed: str
    recomputed: float | None
    n: int
    n_assumed: bool
    flags: tuple[str, ...]
    notes: str
    delta: float | None
    low: float | None
    high: float | None
    verdict: Outcome
    sentence: str


@dataclass(frozen=True, slots=True)
class Against:
    """One reported row beside a run; `cells` has the run's task names, `average` needs all five benchmarks.

    `comparable_average` is the published mean of the columns that our own `comparable_average` holds.
    """

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
    comparable_average: Beside | None = None


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
    summary: Mapping[str, Any], model: str, rows: Sequence[ReportedRow] | None = None, sampled: Sequence[str] = ()
) -> list[Against]:
    """A run's tasks and averages (results.json) beside the rows of the Fin-R1 paper and every row of the same model.

    The same model's rows come first. Empty when no task of the run has reported scores. `sampled` are the tasks on
    sample rows: those, and scores of another metric, get no verdict.
    """
    entries = summary["tasks"]
    estimates = {name: estimate_of(entry) for name, entry in entries.items()}
    comparable = {name: name not in sampled and metric_of(entry) == ACCURACY for name, entry in entries.items()}
    found = []
    for row in published.load() if rows is None else rows:
        same = model_key(row.model) == model_key(model)
        if not same and row.protocol.name != "fin-r1":
            continue
        cells = {name: _beside(ours, row, column(name), same, comparable[name]) for name, ours in estimates.items()}
        known = {name: cell for name, cell in cells.items() if cell is not None}
        if known:
            found.append(_against(row, same, known, *_averages(summary, estimates, row, same)))
    return sorted(found, key=lambda one: not one.same_model)


def reported_for(summary: Mapping[str, Any], model: str, sampled: Sequence[str] = ()) -> list[dict[str, Any]]:
    """`against_reported` as plain JSON values: the key `reported` of results.json."""
    return [asdict(row) for row in against_reported(summary, model, sampled=sampled)]


def _against(
    row: ReportedRow, same: bool, cells: Mapping[str, Beside], average: Beside | None, part: Beside | None
) -> Against:
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
        comparable_average=part,
    )


def _beside(ours: Estimate, row: ReportedRow, benchmark: str, same: bool, comparable: bool) -> Beside | None:
    theirs = row.estimate(benchmark) if benchmark in row.scores else None
    if theirs is None:
        return None
    score = row.scores[benchmark]
    if not comparable or "other_metric" in score.flags:
        return _without_verdict(theirs, score, None)
    versus = versus_reported(
        ours, theirs.mean, n=score.n, full=row.size(benchmark), half_unit=score.half_unit / 100
    )  # fmt: skip
    return _made(ours, theirs, score, None, versus if same else None)


def _averages(
    summary: Mapping[str, Any], estimates: Mapping[str, Estimate], row: ReportedRow, same: bool
) -> tuple[Beside | None, Beside | None]:
    """The published average beside ours, and the published mean of the columns that our `comparable_average` holds.

    Without an average of ours the published one stands alone, as long as the run has all its columns.
    """
    whole, part = summary.get("average"), summary.get("comparable_average")
    average = _average(estimates, whole["tasks"], row, row.average, same) if whole else None
    theirs = row.average_estimate()
    if average is None and theirs and row.average and set(BENCHMARKS) <= {column(name) for name in estimates}:
        average = _without_verdict(theirs, row.average, row.recomputed)
    return average, _average(estimates, part["tasks"], row, None, same) if part else None


def _average(
    estimates: Mapping[str, Estimate],
    names: Sequence[str],
    row: ReportedRow,
    printed: ReportedScore | None,
    same: bool,
) -> Beside | None:
    """Our mean of these tasks beside the row's; `printed` is the average as its source prints it, None for a part."""
    columns = [column(name) for name in names]
    theirs = row.average_estimate(columns)
    if theirs is None or (printed is None and set(columns) == set(BENCHMARKS)):
        return None
    # The printed digits of k columns hide the mean of what each hides, whatever way each was rounded.
    hidden = sum(row.scores[name].half_unit for name in columns) / len(columns)
    ours = average_of([estimates[name] for name in names])
    versus = versus_average(ours, theirs, half_unit=hidden / 100) if same else None
    if printed:
        return _made(ours, theirs, printed, row.recomputed, versus, len(columns))
    mean = round(100 * theirs.mean, 6)
    said = ReportedScore(f"{mean:.2f}".rstrip("0").rstrip("."), mean, hidden)
    return _made(ours, theirs, said, mean, versus, len(columns))


def _without_verdict(theirs: Estimate, score: ReportedScore, recomputed: float | None) -> Beside:
    """A published score beside which ours gets no difference."""
    return Beside(
        score=score.score,
        printed=score.printed,
        recomputed=None if recomputed is None else round(recomputed, 6),
        n=theirs.n,
        n_assumed=score.n is None,
        flags=score.flags,
        notes=score.notes,
        delta=None,
        low=None,
        high=None,
        verdict=NOT_COMPARABLE,
        sentence=NOT_COMPARABLE,
    )


def _made(
    ours: Estimate,
    theirs: Estimate,
    score: ReportedScore,
    recomputed: float | None,
    versus: Versus | None,
    benchmarks: int = 0,
) -> Beside:
    """Ours beside theirs with a verdict; `benchmarks` is how many an average holds, 0 for a single score."""
    difference = unpaired(ours, theirs)
    verdict: Outcome = versus.verdict if versus else _by_interval(difference)
    return replace(
        _without_verdict(theirs, score, recomputed),
        delta=100 * difference.mean,
        low=100 * difference.low,
        high=100 * difference.high,
        verdict=verdict,
        sentence=in_words(versus, benchmarks) if versus else _ahead(verdict),
    )


def _by_interval(difference: Difference) -> Outcome:
    """Who is ahead, by the interval that is printed beside it: a z test and an asymmetric interval can disagree."""
    if difference.low <= 0 <= difference.high:
        return "not distinguishable"
    return "better" if difference.mean > 0 else "worse"


def _ahead(verdict: Outcome) -> str:
    return {"better": "ahead of it", "worse": "behind it"}.get(verdict, "not distinguishable from it")


def in_words(versus: Versus, benchmarks: int = 0) -> str:
    """The verdict against a published score, or an average of `benchmarks`, as one sentence with the n it rests on."""
    points, chance = 100 * versus.difference, 100 * versus.uncertainty
    size = f"n {versus.n_assumed:,}" if versus.n_known else f"n not stated, taken as {versus.n_assumed:,}"
    if benchmarks:
        count = {2: "two", 3: "three", 4: "four", 5: "five"}.get(benchmarks, str(benchmarks))
        size = f"{count} benchmarks, n {versus.n_assumed:,} in all, assumed where not stated"
    said = {
        "agrees": f"agrees: {points:+.1f} points, chance and rounding explain {chance:.1f} ({size})",
        "differs": f"differs: {points:+.1f} points, chance and rounding explain only {chance:.1f} ({size})",
        "cannot tell": f"cannot tell: {points:+.1f} points, but chance alone explains {chance:.1f} ({size})",
    }[versus.verdict]
    if versus.n_known or versus.agrees_from is None:
        return said
    upto = "" if versus.agrees_to is None else f" up to {versus.agrees_to:,}"
    return f"{said}; would agree for n from {versus.agrees_from:,}{upto}"
