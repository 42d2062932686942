"""Runs question by question: which is better, how sure that is, and which answers changed.

Only questions that both runs hold with the same document count (aligned.py); the tests are in significance.py. Every
further run is compared with the first; differences are the further run minus the first, in points.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from finbench.errors import NothingSelected, UsageError
from finbench.pages.html import markdown_text, reason_words, task_title
from finbench.sanitize import shown
from finbench.scores.agreement import Outcome, column, outcome
from finbench.scores.align import Question, Run, TaskFiles, Unaligned, align, open_run, read_questions, read_sample
from finbench.scores.significance import Difference, average_difference, holm, paired

FLIPS = 200  # listed per task and direction; the counts are always complete


@dataclass(frozen=True, slots=True)
class Side:
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
    verdict_by: str  # "grader", or "judge" where it stands for the task in both runs


@dataclass(frozen=True, slots=True)
class Pair:
    """A further run against the first. `average` is None unless both runs have all benchmarks of one average."""

    second: Side
    tasks: tuple[TaskComparison, ...]
    average: Gap | None
    only_first: tuple[str, ...]  # benchmarks without a counterpart
    only_second: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """The first run, and every further one against it."""

    first: Side
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


def pairing() -> Callable[[str, str, str], Difference | None]:
    """(run folder, run folder, task) -> paired difference of the first minus the second, None where nothing aligns.

    For leaderboard.build: each run's tasks are read once and kept.
    """
    opened = lru_cache(maxsize=None)(lambda path: open_run(Path(path)))
    kept = lru_cache(maxsize=None)(lambda files, judged: read_questions(files, judged))

    def pair(first: str, second: str, task: str) -> Difference | None:
        mine, theirs = opened(first).tasks.get(column(task)), opened(second).tasks.get(column(task))
        if mine is None or theirs is None:
            return None
        judged = mine.judged and theirs.judged
        one, two = kept(mine.files, judged), kept(theirs.files, judged)
        same, _ = align(one, two)
        return _paired(two, one, same) if same else None

    return pair


def _side(run: Run) -> Side:
    return Side(str(run.path), run.run_id, run.model, run.protocol)


def _pair(first: Run, second: Run, flips: int) -> Pair:
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
        only_first=tuple(name for name in first.tasks if name not in second.tasks),
        only_second=tuple(name for name in second.tasks if name not in first.tasks),
    )


def _task(name: str, first: TaskFiles, second: TaskFiles, flips: int) -> tuple[TaskComparison, Difference | None]:
    judged = first.judged and second.judged
    one, two = read_questions(first.files, judged), read_questions(second.files, judged)
    same, unaligned = align(one, two)
    changed = Counter((one[key].reason, two[key].reason) for key in same if one[key].reason != two[key].reason)
    difference = _paired(one, two, same) if same else None
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
        verdict_by="judge" if judged else "grader",
    ), difference


def _paired(first: Mapping[str, Question], second: Mapping[str, Question], same: Sequence[str]) -> Difference:
    """The second minus the first on the questions they share."""
    clusters = [first[key].cluster for key in same]
    return paired([second[key].score for key in same], [first[key].score for key in same], clusters)


def _flips(
    first: TaskFiles,
    second: TaskFiles,
    one: Mapping[str, Question],
    two: Mapping[str, Question],
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
            key, before.doc_id, before.question, better, before.extracted, after.extracted, before.reason, after.reason
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


# Renderers


def to_json(comparison: Comparison) -> dict[str, Any]:
    """Plain values, for `--json`."""
    return {"schema": 1, **json.loads(json.dumps(asdict(comparison)))}


HEAD = ("task", "n", "first", "second", "difference", "95% interval", "better", "worse", "p", "p (Holm)", "verdict")


def to_text(comparison: Comparison, *, flips: int = 5) -> str:
    """For a terminal: plain characters, control bytes written out."""
    out = [f"first:  {_name(comparison.first)}"]
    for pair in comparison.pairs:
        rows = [HEAD, *_rows(pair)]
        widths = [max(len(row[i]) for row in rows) for i in range(len(HEAD))]
        out += [f"second: {_name(pair.second)}", ""]
        for row in rows:
            cells = [
                row[0].ljust(widths[0]),
                *(cell.rjust(width) for cell, width in zip(row[1:-1], widths[1:-1], strict=True)),
            ]
            out.append("  ".join([*cells, row[-1]]).rstrip())
        out += ["", *_remarks(pair)]
        for task in pair.tasks:
            out += _changes(task, flips)
        out.append("")
    return "\n".join(out).rstrip()


def to_markdown(comparison: Comparison, *, flips: int = 20) -> str:
    """For a page or a pull request: tables, then the remarks and the questions that changed."""
    out = [f"# Comparison with {markdown_text(_name(comparison.first))}", ""]
    for pair in comparison.pairs:
        out += [
            f"## {markdown_text(_name(pair.second))}",
            "",
            _line(HEAD),
            _line(["---", *["---:"] * (len(HEAD) - 2), "---"]),
        ]
        out += [_line([markdown_text(cell) for cell in row]) for row in _rows(pair)]
        out += ["", *(f"- {markdown_text(remark)}" for remark in _remarks(pair)), ""]
        for task in pair.tasks:
            listed = list(_listed(task, flips))
            if listed:
                head = ("question", "first answer", "second answer", "first", "second")
                out += [
                    f"### {markdown_text(task_title(task.task))}: changed answers",
                    "",
                    _line(head),
                    _line(["---"] * 5),
                ]
                out += [
                    _line([
                        markdown_text(_short(flip.question)), _answer(flip.first_answer), _answer(flip.second_answer),
                        markdown_text(reason_words(flip.first_reason)), markdown_text(reason_words(flip.second_reason)),
                    ])
                    for flip in listed
                ]  # fmt: skip
                out.append("")
    return "\n".join(out).rstrip() + "\n"


def _rows(pair: Pair) -> list[tuple[str, ...]]:
    rows = [_cells(task_title(task.task), task.gap) for task in pair.tasks]
    return [*rows, _cells("average", pair.average)] if pair.average else rows


def _cells(name: str, gap: Gap | None) -> tuple[str, ...]:
    if gap is None:
        return (shown(name), "0", *[""] * (len(HEAD) - 3), "nothing in common")
    return (
        shown(name),
        f"{gap.n:,}",
        f"{gap.first:.1f}",
        f"{gap.second:.1f}",
        f"{gap.difference:+.1f}",
        f"{gap.low:+.1f} to {gap.high:+.1f}",
        str(gap.wins),
        str(gap.losses),
        _p(gap.p),
        _p(gap.p_adjusted),
        gap.verdict,
    )


def _p(value: float) -> str:
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def _remarks(pair: Pair) -> list[str]:
    """What a reader must know beside the numbers."""
    out = []
    for task in pair.tasks:
        title = shown(task_title(task.task))
        if task.gap and task.gap.verdict == "not distinguishable":
            out.append(
                f"{title}: {task.gap.n:,} questions find a true difference of {task.gap.detectable:.1f} points or more."
            )
        if str(task.unaligned):
            out.append(f"{title}: {task.unaligned}.")
    for names, which in ((pair.only_first, "first"), (pair.only_second, "second")):
        if names:
            out.append(f"Only the {which} run has {', '.join(shown(task_title(name)) for name in names)}.")
    return out


def _changes(task: TaskComparison, flips: int) -> list[str]:
    """The most frequent changes of reason, and some flips, for the terminal."""
    out = []
    if task.reasons:
        top = ", ".join(f"{a} -> {b} ({count})" for a, b, count in task.reasons[:4])
        out.append(shown(f"{task_title(task.task)}: reasons that changed: {top}"))
    for flip in _listed(task, flips):
        word = "better" if flip.better else "worse "
        answers = f"{_short(str(flip.first_answer), 30)} -> {_short(str(flip.second_answer), 30)}"
        out.append(shown(f"  {word} {_short(flip.id, 40)}: {answers} ({flip.second_reason})"))
    return out


def _listed(task: TaskComparison, limit: int) -> Iterator[Flip]:
    """Questions that got worse first, since those ask for attention."""
    yield from sorted(task.flips, key=lambda flip: flip.better)[:limit]


def _name(side: Side) -> str:
    return shown(f"{side.model}, protocol {side.protocol}, run {side.run_id}")


def _short(text: str, size: int = 80) -> str:
    text = shown(" ".join(text.split()))
    return text if len(text) <= size else text[: size - 3] + "..."


def _answer(text: str | None) -> str:
    return "(none)" if text is None else markdown_text(_short(text, 40))


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
