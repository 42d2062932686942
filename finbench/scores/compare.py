"""Runs question by question: which is better, how sure that is, and which answers changed.

Only questions that both runs hold with the same document count (align.py); the tests are in significance.py. Every
further run is compared with the first; differences are the further run minus the first, in points. How it is printed is
pages/comparison.py.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from finbench.errors import NothingSelected, UsageError
from finbench.scores.agreement import Outcome, outcome
from finbench.scores.align import (
    ComparedRun,
    ScoredQuestion,
    TaskFiles,
    Unaligned,
    align,
    open_run,
    read_questions,
    read_sample,
)
from finbench.scores.settings import differing
from finbench.scores.significance import Difference, average_difference, holm, paired

FLIPS = 200  # listed per task and direction; the counts are always complete


@dataclass(frozen=True, slots=True)
class RunLabel:
    """One of the runs."""

    path: str
    run_id: str
    model: str
    protocol: str


@dataclass(frozen=True, slots=True)
class Gap:
    """The further run minus the first, in points, with its 95 % interval.

    `p_adjusted` is Holm's over the tasks, and decides the verdict. `wins` and `losses` count questions where the
    further run did better and worse. `detectable` is the smallest true difference found with 80 % power.
    """

    first: float
    second: float
    difference: float
    low: float
    high: float
    n: int
    p: float
    p_adjusted: float
    verdict: Outcome
    test: str
    wins: int
    losses: int
    clusters: int
    design_effect: float
    detectable: float


@dataclass(frozen=True, slots=True)
class Flip:
    """A question whose score changed; texts are the first repeat's."""

    id: str
    doc_id: int
    question: str
    better: bool  # in the further run
    first_answer: str | None
    second_answer: str | None
    first_reason: str
    second_reason: str
    first_certainty: str = ""  # "sure", "unsure", or "" where the verdict is older than certainty
    second_certainty: str = ""


@dataclass(frozen=True, slots=True)
class UnsureFlips:
    """Of the questions whose score changed (`wins` and `losses`), those that the grader was not sure of."""

    of: int
    either: int  # the verdict of one run at least is unsure
    both: int  # the verdicts of both runs are


@dataclass(frozen=True, slots=True)
class TaskComparison:
    """One benchmark in two runs; `gap` is None when no question aligns.

    `reasons` counts how often a reason of the first run became another of the further one, most frequent first.
    """

    task: str
    gap: Gap | None
    unaligned: Unaligned
    reasons: tuple[tuple[str, str, int], ...]
    flips: tuple[Flip, ...]
    verdict_by: str  # "grader", or "judge" or "reference" where that is the headline of both runs
    headline: bool  # is this the score that both runs print?
    unsure: UnsureFlips | None = None  # None by a judge or a reference score, and for verdicts older than certainty


@dataclass(frozen=True, slots=True)
class Pair:
    """A further run against the first. `average` is over the benchmarks that both runs average, None where they differ."""

    second: RunLabel
    tasks: tuple[TaskComparison, ...]
    average: Gap | None
    average_of: tuple[str, ...]  # the benchmarks of the average
    only_first: tuple[str, ...]  # benchmarks without a counterpart
    only_second: tuple[str, ...]
    settings: tuple[tuple[str, str, str], ...] = ()  # those that differ: name, in the first run, in this one


@dataclass(frozen=True, slots=True)
class Comparison:
    """The first run, and every further one against it."""

    first: RunLabel
    pairs: tuple[Pair, ...]


def compare(paths: Sequence[Path], *, flips: int = FLIPS) -> Comparison:
    """Compare run folders; UsageError for fewer than two, NothingSelected when no question is shared."""
    if len(paths) < 2:
        raise UsageError("compare takes two run folders or more; the first is the reference")
    first, *others = [open_run(Path(path)) for path in paths]
    comparison = Comparison(_side(first), tuple(_pair(first, other, flips) for other in others))
    if not any(task.gap for pair in comparison.pairs for task in pair.tasks):
        raise NothingSelected("the runs share no question with the same document; were the tasks or the data changed?")
    return comparison


def is_worse(comparison: Comparison) -> bool:
    """Whether any further run is worse than the first, in a task or on average."""
    gaps = [gap for pair in comparison.pairs for gap in _gaps(pair)]
    return any(gap.verdict == "worse" for gap in gaps)


def _side(run: ComparedRun) -> RunLabel:
    return RunLabel(str(run.path), run.run_id, run.model, run.protocol)


def _pair(first: ComparedRun, second: ComparedRun, flips: int) -> Pair:
    common = [name for name in first.tasks if name in second.tasks]
    made = [_task(name, first.tasks[name], second.tasks[name], flips) for name in common]
    differences = {task.task: difference for task, difference in made if difference is not None}
    adjusted = dict(zip(differences, holm([d.p for d in differences.values()]), strict=True))
    tasks = tuple(replace(task, gap=_adjusted(task.gap, adjusted[task.task])) if task.gap else task for task, _ in made)
    average = None
    if first.suite and set(first.suite) == set(second.suite) <= set(differences):
        gaps = {task.task: task.gap for task in tasks if task.gap}
        means = [
            sum(getattr(gaps[name], side) for name in first.suite) / len(first.suite) for side in ("first", "second")
        ]
        average = _gap(average_difference([differences[name] for name in first.suite]), *means)
    return Pair(
        second=_side(second),
        tasks=tasks,
        average=average,
        average_of=first.suite if average else (),
        only_first=tuple(name for name in first.tasks if name not in second.tasks),
        only_second=tuple(name for name in second.tasks if name not in first.tasks),
        settings=differing(first.path, second.path),
    )


def _task(name: str, first: TaskFiles, second: TaskFiles, flips: int) -> tuple[TaskComparison, Difference | None]:
    by = common_rule(first.by, second.by)
    one, two = read_questions(first.files, by), read_questions(second.files, by)
    same, unaligned = align(one, two)
    changed = Counter((one[key].reason, two[key].reason) for key in same if one[key].reason != two[key].reason)
    difference = _paired(one, two, same) if same and first.paired and second.paired else None
    gap = None
    if difference is not None:
        means = [100 * sum(side[key].score for key in same) / len(same) for side in (one, two)]
        gap = _gap(difference, *means)
    return TaskComparison(
        task=name,
        gap=gap,
        unaligned=unaligned,
        reasons=tuple((before, after, count) for (before, after), count in changed.most_common()),
        flips=tuple(_flips(first, second, one, two, same, flips)),
        verdict_by=by,
        headline=first.by == second.by,
        unsure=_unsure(one, two, same) if by == "grader" else None,
    ), difference


def common_rule(first: str, second: str) -> str:
    """Whose score two runs of a task are compared by: that of both headlines, else one that the samples of both hold.

    Free text has its reference score in every sample, read by a judge or not.

    >>> common_rule("judge", "judge"), common_rule("judge", "reference"), common_rule("grader", "judge")
    ('judge', 'reference', 'grader')
    """
    if first == second:
        return first
    return "reference" if "reference" in (first, second) else "grader"


def _unsure(
    first: Mapping[str, ScoredQuestion], second: Mapping[str, ScoredQuestion], same: Sequence[str]
) -> UnsureFlips | None:
    """How many changed questions hang on an unsure verdict; None where a verdict does not say how sure it is."""
    sides = [(first[key].certainty, second[key].certainty) for key in same if first[key].score != second[key].score]
    if not all(before and after for before, after in sides):
        return None
    unsure = [pair.count("unsure") for pair in sides]
    return UnsureFlips(len(sides), sum(count > 0 for count in unsure), unsure.count(2))


def _paired(
    first: Mapping[str, ScoredQuestion], second: Mapping[str, ScoredQuestion], same: Sequence[str]
) -> Difference:
    """The second minus the first on the questions they share."""
    clusters = [first[key].cluster for key in same]
    return paired([second[key].score for key in same], [first[key].score for key in same], clusters)


def _flips(
    first: TaskFiles,
    second: TaskFiles,
    one: Mapping[str, ScoredQuestion],
    two: Mapping[str, ScoredQuestion],
    same: Sequence[str],
    limit: int,
) -> Iterator[Flip]:
    """Questions whose score changed, in document order, at most `limit` in each direction."""
    left = {True: limit, False: limit}
    for key in same:
        better = two[key].score > one[key].score
        if two[key].score == one[key].score or not left[better]:
            continue
        left[better] -= 1
        before, after = read_sample(first.files, one[key]), read_sample(second.files, two[key])
        yield Flip(
            key,
            before.doc_id,
            before.question,
            better,
            before.extracted,
            after.extracted,
            before.reason,
            after.reason,
            one[key].certainty,
            two[key].certainty,
        )


def _gap(difference: Difference, first: float, second: float) -> Gap:
    return Gap(
        first=first,
        second=second,
        difference=100 * difference.mean,
        low=100 * difference.low,
        high=100 * difference.high,
        n=difference.n,
        p=difference.p,
        p_adjusted=difference.p,
        verdict=outcome(difference.mean, difference.p),
        test=difference.test,
        wins=difference.wins,
        losses=difference.losses,
        clusters=difference.clusters,
        design_effect=difference.design_effect,
        detectable=100 * difference.detectable,
    )


def _adjusted(gap: Gap, p: float) -> Gap:
    return replace(gap, p_adjusted=p, verdict=outcome(gap.difference, p))


def _gaps(pair: Pair) -> list[Gap]:
    found = [task.gap for task in pair.tasks] + [pair.average]
    return [gap for gap in found if gap is not None]


def to_json(comparison: Comparison) -> dict[str, Any]:
    """Plain values, for `--json`."""
    return {"schema": 1, **json.loads(json.dumps(asdict(comparison)))}
