"""Measured runs and reported scores in one table, with an interval on every number and a verdict on every difference.

A measured row comes from run.json and results.json of a run folder, a reported one from leaderboards/reported/. Rows of
different protocols share the table but no ranking. Scores are points from 0 to 100, missing ones are absent, never 0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from finbench.errors import StoreError, UsageError
from finbench.sanitize import shown
from finbench.scores import published
from finbench.scores.agreement import LEVEL, Outcome, column, outcome
from finbench.scores.averages import ACCURACY, REFERENCE, in_words, metric_of
from finbench.scores.intervals import Z95, Estimate
from finbench.scores.published import BENCHMARKS, ReportedRow, ReportedScore, model_key
from finbench.scores.samples import read_results
from finbench.scores.significance import Difference, average_difference, holm, tie_groups, unpaired

DIFFERENT_PROTOCOL = "another protocol: prompts, decoding and grading differ as well"


@dataclass(frozen=True, slots=True)
class Delta:
    """This row minus the reference row, in points; `p` is adjusted (Holm) over the rows of the column."""

    mean: float
    low: float
    high: float
    p: float
    verdict: Outcome
    paired: bool
    note: str = ""


@dataclass(frozen=True, slots=True)
class Cell:
    """A score in points with its 95 % interval; `printed` is what the source wrote, for reported scores."""

    score: float
    low: float
    high: float
    n: int
    n_assumed: bool = False
    clusters: int = 0
    design_effect: float = 1.0
    flags: tuple[str, ...] = ()
    printed: str = ""
    recomputed: float | None = None  # reported averages: the mean of the printed columns
    source: str = ""
    notes: str = ""
    delta: Delta | None = None
    metric: str = ACCURACY
    unsure: float | None = None  # percent of the verdicts; None where they are not the grader's, or do not say
    range_low: float | None = None  # the score with all unsure verdicts wrong, and with all of them right
    range_high: float | None = None

    @property
    def estimate(self) -> Estimate:
        """The cell on the 0..1 scale; a reported average stands for its columns, not for its printed digits."""
        mean = (self.score if self.recomputed is None else self.recomputed) / 100
        low, high = self.low / 100, self.high / 100
        return Estimate(mean, low, high, self.n, (high - low) / (2 * Z95), self.clusters, self.design_effect)


@dataclass(frozen=True, slots=True)
class Row:
    """A model under one protocol. `average` is None unless all five benchmarks are there, each as an accuracy.

    Where it is None for a measured row, `comparable_average` is the mean of the benchmarks that may be averaged, and its
    notes say what is missing and why: the row has no rank.

    `rank` counts within the protocol; rows that cannot be told from the best of their `group` share it.
    """

    key: str
    model: str
    params: str
    kind: Literal["measured", "reported"]
    protocol: str
    title: str  # the protocol, in words
    source: str
    url: str
    note: str
    cells: Mapping[str, Cell]
    average: Cell | None
    comparable_average: Cell | None = None
    flags: tuple[str, ...] = ()  # measured rows: "partial", "sample_rows"
    group: int | None = None
    rank: int | None = None
    created: str = ""
    run_dir: str = ""
    output_tokens: float | None = None
    unreadable: float | None = None  # shares in points, of all replies
    truncated: float | None = None
    errors: float | None = None
    unsure: float | None = None  # of the verdicts of those benchmarks whose verdicts say how sure they are


@dataclass(frozen=True, slots=True)
class Table:
    """What every leaderboard draws: rows in order of protocol, then average; columns; the key of the reference row."""

    tasks: tuple[str, ...]
    rows: tuple[Row, ...]
    reference: str | None
    notes: tuple[str, ...]


Pair = Callable[
    [str, str, str], Difference | None
]  # (run folder, run folder, task) -> paired difference, if there is one


def build(
    runs: Sequence[Path],
    *,
    reported: Sequence[ReportedRow] | None = None,
    reference: str | None = None,
    pair: Pair | None = None,
    across: bool = False,
) -> Table:
    """The table of run folders and reported rows (all that are known unless given).

    `reference` is a row's key or model name; deltas are against it. `pair` gives paired differences where runs share
    their questions. `across` ranks all protocols together, which the notes then say.
    """
    rows = [measured(run) for run in runs]
    rows = [replace(row, key=_unique(row.key, [other.key for other in rows[:i]])) for i, row in enumerate(rows)]
    rows += [reported_row(row) for row in (published.load() if reported is None else reported)]
    names = {name for row in rows for name in row.cells}
    tasks = (*(name for name in BENCHMARKS if name in names), *sorted(names - set(BENCHMARKS)))
    rows = _ranked(rows, pair, across)
    chosen = _find(rows, reference) if reference else None
    if chosen:
        rows = _with_deltas(rows, chosen, tasks, pair)
    notes = ["All protocols are ranked together: differences may come from prompts and grading."] if across else []
    if any(cell.n_assumed for row in rows for cell in row.cells.values()):
        notes.append("Intervals of reported scores without a stated n assume one; those cells are marked.")
    notes += [f"{row.model}: {partial_mean(row.comparable_average)}." for row in rows if row.comparable_average]
    return Table(tasks, tuple(rows), chosen.key if chosen else None, tuple(notes))


def measured(run: Path) -> Row:
    """A run folder as a row; StoreError when it has no readable results."""
    try:
        manifest, results = read_results(run, samples=False)
        entries = results["tasks"]
        sampled = set(results.get("sampled") or ())
        cells = {column(name): _cell(entry, name in sampled) for name, entry in entries.items()}
        average, part = _averages(results)
        replies = sum(entry.get("replies") or entry["n"] for entry in entries.values())
        tokens = [(e["output_tokens_mean"], e["n"]) for e in entries.values() if e.get("output_tokens_mean")]
        flags = (*(["partial"] if manifest["status"] != "complete" else []), *(["sample_rows"] if sampled else []))

        def share(key: str) -> float | None:
            return 100 * sum(entry.get(key) or 0 for entry in entries.values()) / replies if replies else None

        return Row(
            key=str(manifest["run_id"]),
            model=shown(manifest["model"]),
            params="",
            kind="measured",
            protocol=shown(manifest["protocol"]),
            title=f"{shown(manifest['protocol'])} protocol",
            source=f"measured, run {shown(manifest['run_id'])}",
            url="",
            note="",
            cells=cells,
            average=_mean_cell(average, entries, bool(sampled)),
            comparable_average=_mean_cell(part, entries, bool(sampled)),
            flags=flags,
            created=shown(manifest.get("created") or ""),
            run_dir=str(run),
            output_tokens=sum(mean * n for mean, n in tokens) / sum(n for _, n in tokens) if tokens else None,
            unreadable=share("unreadable"),
            truncated=share("truncated"),
            errors=share("errors"),
            unsure=_unsure(entries),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        problem = f"{type(error).__name__}: {error}"
        raise StoreError(
            f"{run}: no readable run.json and results.json ({problem}); try `finbench score {run}`"
        ) from error


def _unsure(entries: Mapping[str, Any]) -> float | None:
    known = [(entry["unsure"], entry["n"]) for entry in entries.values() if entry.get("unsure") is not None]
    return sum(share * n for share, n in known) / sum(n for _, n in known) if known else None


def _averages(results: Mapping[str, Any]) -> tuple[Mapping[str, Any] | None, Mapping[str, Any] | None]:
    """(average, comparable average) of a run; a folder of an earlier version may hold a mean of several metrics: none."""
    average = results.get("average")
    if average and any(metric_of(results["tasks"][name]) != ACCURACY for name in average["tasks"]):
        average = None
    return average, results.get("comparable_average")


def _mean_cell(mean: Mapping[str, Any] | None, entries: Mapping[str, Any], sampled: bool) -> Cell | None:
    if not mean:
        return None
    cell = _cell({"n": sum(entries[name]["n"] for name in mean["tasks"]), **mean}, sampled)
    return replace(cell, notes=in_words(mean)) if mean.get("left_out") else cell


def partial_mean(cell: Cell) -> str:
    """The mean of a row that has no average, in words, with what is left out and why.

    >>> partial_mean(Cell(78.25, 76.9, 79.5, 6000, notes="no average: tfns (not run)"))
    'mean of the comparable benchmarks 78.2 (76.9 to 79.5); no average: tfns (not run)'
    """
    return f"mean of the comparable benchmarks {cell.score:.1f} ({cell.low:.1f} to {cell.high:.1f}); {cell.notes}"


def _cell(entry: Mapping[str, Any], sampled: bool) -> Cell:
    metric = metric_of(entry)
    flags = (*(["sample_rows"] if sampled else []), *(["reference_score"] if metric == REFERENCE else []))
    low, high = map(float, entry["range"]) if entry.get("range") else (None, None)
    return Cell(
        score=float(entry["score"]),
        low=float(entry["ci"][0]),
        high=float(entry["ci"][1]),
        n=int(entry["n"]),
        clusters=int(entry.get("clusters") or entry["n"]),
        design_effect=float(entry.get("design_effect") or 1),
        flags=flags,
        metric=metric,
        unsure=None if low is None else float(entry["unsure"]),
        range_low=low,
        range_high=high,
    )


def reported_row(row: ReportedRow) -> Row:
    """A published row with the intervals that its sizes, stated or assumed, allow; scores without any are left out."""
    protocol = row.protocol
    cells = {}
    for name, score in row.scores.items():
        estimate = row.estimate(name)
        if estimate is not None:
            cells[name] = _reported_cell(score, estimate)
    mean = row.average_estimate()
    average = None
    if row.average and mean and row.recomputed is not None:
        assumed = any(cells[name].n_assumed for name in BENCHMARKS)
        average = _reported_cell(row.average, mean)
        average = replace(average, recomputed=round(row.recomputed, 6), n_assumed=assumed)
    return Row(
        key=row.key,
        model=row.model,
        params=row.params,
        kind="reported",
        protocol=protocol.name,
        title=protocol.title,
        source=protocol.source,
        url=protocol.url,
        note=". ".join(part.rstrip(".") for part in (protocol.metric, protocol.note) if part),
        cells=cells,
        average=average,
    )


def _reported_cell(score: ReportedScore, estimate: Estimate) -> Cell:
    return Cell(
        score=score.score,
        low=100 * estimate.low,
        high=100 * estimate.high,
        n=estimate.n,
        n_assumed=score.n is None,
        clusters=estimate.clusters,
        design_effect=estimate.design_effect,
        flags=score.flags,
        printed=score.printed,
        source=score.source,
        notes=score.notes,
        metric="other metric" if "other_metric" in score.flags else ACCURACY,
    )


def _unique(key: str, taken: Sequence[str]) -> str:
    return key if key not in taken else f"{key}~{taken.count(key) + 1}"


def _find(rows: Sequence[Row], name: str) -> Row:
    for row in rows:
        if row.key == name:
            return row
    found = [row for row in rows if model_key(row.model) == model_key(name)]
    if not found:
        raise UsageError(f"no row {name!r} to compare with; there are {', '.join(row.key for row in rows[:20])}")
    return found[0]


def _ranked(rows: Sequence[Row], pair: Pair | None, across: bool) -> list[Row]:
    """Rows by protocol (measured ones first), then average, with group and rank where there is an average."""

    def block(row: Row) -> tuple[bool, str]:
        return (False, "") if across else (row.kind == "reported", row.protocol)

    done: list[Row] = []
    for name in sorted({block(row) for row in rows}):
        inside = [row for row in rows if block(row) == name]
        full = [row for row in inside if row.average and not row.flags]
        means = [row.average.estimate.mean for row in full if row.average]

        def p_value(i: int, j: int, full: Sequence[Row] = full) -> float:
            return _difference(full[i], full[j], None, pair)[0].p

        groups = tie_groups(means, p_value, LEVEL)
        placed = [
            replace(row, group=group, rank=1 + sum(other < group for other in groups))
            for row, group in zip(full, groups, strict=True)
        ]
        placed += [row for row in inside if row not in full]
        done += sorted(
            placed, key=lambda row: (-(row.average.estimate.mean if row.average else -1), row.model, row.key)
        )
    return done


def _difference(row: Row, other: Row, task: str | None, pair: Pair | None) -> tuple[Difference, bool]:
    """`row` minus `other` in a task, or on average (None), and whether it is paired: within one protocol only."""
    both = pair is not None and row.kind == other.kind == "measured" and row.protocol == other.protocol
    if pair is not None and both:
        found = [pair(row.run_dir, other.run_dir, name) for name in ([task] if task else BENCHMARKS)]
        known = [one for one in found if one is not None]
        if len(known) == len(found):
            return (known[0] if task else average_difference(known)), True
    mine, theirs = (row.cells[task], other.cells[task]) if task else (row.average, other.average)
    assert mine is not None
    assert theirs is not None
    return unpaired(mine.estimate, theirs.estimate), False


def _with_deltas(rows: Sequence[Row], reference: Row, tasks: Sequence[str], pair: Pair | None) -> list[Row]:
    """The rows with a delta against the reference in every column that both have of the same metric."""
    out = list(rows)
    for task in (*tasks, None):
        there = [i for i, row in enumerate(out) if row.key != reference.key and _comparable(row, reference, task)]
        found = [_difference(out[i], reference, task, pair) for i in there]
        adjusted = holm([difference.p for difference, _ in found])
        for i, (difference, paired), p in zip(there, found, adjusted, strict=True):
            row = out[i]
            note = "" if row.protocol == reference.protocol else DIFFERENT_PROTOCOL
            delta = Delta(
                100 * difference.mean, 100 * difference.low, 100 * difference.high, p, outcome(difference.mean, p),
                paired, note,
            )  # fmt: skip
            if task is None:
                assert row.average is not None
                out[i] = replace(row, average=replace(row.average, delta=delta))
            else:
                out[i] = replace(row, cells={**row.cells, task: replace(row.cells[task], delta=delta)})
    return out


def _comparable(row: Row, other: Row, task: str | None) -> bool:
    """Do both have a score of the same metric in a task, or both an average (None)?"""
    if task is None:
        return row.average is not None and other.average is not None
    return task in row.cells and task in other.cells and row.cells[task].metric == other.cells[task].metric
