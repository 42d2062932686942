"""The mean over the benchmarks of a suite, and when there is one.

A mean holds columns of one metric only. A share of right answers is one metric, whether rules or a judge say what is
right; the reference score of free text (grading/reference.py) is another and stands beside, never inside.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from finbench.scores.intervals import Estimate, average_of

ACCURACY = "accuracy"
REFERENCE = "reference score"
_WHY = {"": "not run", REFERENCE: "its reference score is no accuracy; --judge gives one"}


def metric_of(entry: Mapping[str, Any]) -> str:
    """What a task's entry of results.json measures; scores of two metrics are neither averaged nor compared.

    >>> metric_of({"verdict_by": "judge"}), metric_of({"verdict_by": "reference"}), metric_of({"metric": "f1,none"})
    ('accuracy', 'reference score', 'f1,none')
    """
    if entry.get("verdict_by") == "reference":
        return REFERENCE
    metric = str(entry.get("metric") or ACCURACY)
    return ACCURACY if metric.partition(",")[0] in ("acc", ACCURACY) else metric


def suite_means(
    entries: Mapping[str, Mapping[str, Any]], estimates: Mapping[str, Estimate], suite: Sequence[str]
) -> dict[str, Any]:
    """{"average": ..., "comparable_average": ...} of a run, in points; each None where there is no such mean.

    `average` needs an accuracy in every benchmark of `suite`. Where one is missing or measures something else,
    `comparable_average` is the mean of the others (two at least) and says in `left_out` why each is not in it.
    """
    metrics = {name: metric_of(entries[name]) if name in estimates else "" for name in suite}
    held = [name for name in suite if metrics[name] == ACCURACY]
    left_out = {
        name: _WHY.get(metric, f"{metric} is no accuracy") for name, metric in metrics.items() if name not in held
    }
    mean = _mean(entries, estimates, held) if len(held) > 1 else None
    if not left_out:
        return {"average": mean, "comparable_average": None}
    return {"average": None, "comparable_average": mean and mean | {"left_out": left_out}}


def _mean(
    entries: Mapping[str, Mapping[str, Any]], estimates: Mapping[str, Estimate], names: Sequence[str]
) -> dict[str, Any]:
    mean = average_of([estimates[name] for name in names])
    low, high = round(100 * mean.low, 4), round(100 * mean.high, 4)
    score = {"score": round(100 * mean.mean, 4), "ci": [low, high], "tasks": list(names)}
    return score | mean_doubt([entries[name] for name in names])


def mean_doubt(entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The means of the tasks' shares of unsure verdicts and of their ranges; None where one task has none.

    >>> mean_doubt([{"unsure": 4.0, "range": [70.0, 74.0]}, {"unsure": 0.0, "range": [50.0, 50.0]}])
    {'unsure': 2.0, 'range': [60.0, 62.0]}
    >>> mean_doubt([{"unsure": 4.0, "range": [70.0, 74.0]}, {"score": 50.0}])
    {'unsure': None, 'range': None}
    """
    ranges, n = [entry.get("range") for entry in entries], len(entries)
    if not n or not all(ranges):
        return {"unsure": None, "range": None}
    low, high = (round(sum(ends) / n, 4) for ends in zip(*ranges, strict=True))
    return {"unsure": round(sum(entry["unsure"] for entry in entries) / n, 4), "range": [low, high]}


def in_words(mean: Mapping[str, Any]) -> str:
    """What a mean of a part of the suite leaves out, and why.

    >>> in_words({"tasks": ["finqa", "tfns"], "left_out": {"convfinqa": "not run"}})
    'no average: convfinqa (not run)'
    """
    return "no average: " + ", ".join(f"{name} ({why})" for name, why in mean["left_out"].items())


def mean_name(mean: Mapping[str, Any] | None) -> str:
    """The head of the column that a run's mean stands in.

    >>> mean_name(None), mean_name({"tasks": ["finqa", "tfns"], "left_out": {"convfinqa": "not run"}})
    ('average', 'mean of 2')
    """
    return f"mean of {len(mean['tasks'])}" if mean and mean.get("left_out") else "average"
