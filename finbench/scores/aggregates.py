"""Metrics that a task brings along (lm-eval's): summed up by their own function, with an interval; groups of tasks.

A metric's values may be of any kind (numbers, pairs of gold and answer, texts); only its function knows what they come
to. Means keep the formulas of intervals.py. For everything else documents are drawn again with all their repeats, since
the repeats of one question are no further questions.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from finbench.scores.intervals import BOOTSTRAP_SEED, Estimate, t_quantile, wilson

DRAWS = 400  # their standard error is within 4 % of what endless draws would give
SLOW_DRAWS = 100  # for functions over a corpus of texts, as lm-eval itself takes (evaluator_utils.py, 0.4.13)
MOST_VALUES = 2_000_000  # values handed to a function over all draws: keeps a large task within seconds


@dataclass(frozen=True, slots=True)
class Aggregation:
    """How one metric's values become a number.

    `scale` is what a score is printed in: 100 for shares, 1 for numbers that have a unit of their own (BLEU, perplexity);
    None where only the values tell. `bounds` are those of the function's result.
    """

    function: Callable[[list[Any]], Any]
    mean: bool = False
    scale: int | None = None
    bounds: tuple[float, float] = (-math.inf, math.inf)
    slow: bool = False
    exponential: bool = False  # the interval is made on the logarithm, as that of a perplexity must be
    higher_is_better: bool = True


def number(value: object) -> float | None:
    """A metric's value as a number; None for pairs, texts, and what is no number.

    >>> number(True), number(0.25), number((1, 2)), number(float("nan"))
    (1.0, 0.25, None, None)
    """
    return float(value) if isinstance(value, int | float) and not math.isnan(value) else None


def credit(value: object, *, higher_is_better: bool = True) -> float | None:
    """What a reply counts for, from 0 to 1, by its value of the headline metric; None where the value does not tell.

    >>> credit(0.73), credit(0, higher_is_better=False), credit(27.3), credit(("A", "B"))
    (0.73, 1.0, None, None)
    """
    found = number(value)
    if found is None or not 0 <= found <= 1:
        return None
    return found if higher_is_better else 1 - found


def estimate(documents: Sequence[Sequence[Any]], aggregation: Aggregation) -> Estimate:
    """The function's result over all values (one list per document) with the 95 % interval of a bootstrap of documents.

    The interval is a t interval with the bootstrap's standard error, kept within the bounds; where every draw gives the
    same, Wilson's for as many documents, or an endless one where the function has no bounds.
    """
    import numpy as np

    groups = len(documents)
    value = float(aggregation.function([one for values in documents for one in values]))
    size = sum(map(len, documents))
    draws = SLOW_DRAWS if aggregation.slow else max(SLOW_DRAWS, min(DRAWS, MOST_VALUES // max(size, 1)))
    rng = np.random.default_rng(BOOTSTRAP_SEED)
    found = [_drawn(documents, rng.integers(0, groups, groups).tolist(), aggregation) for _ in range(draws)]
    kept = [one for one in found if math.isfinite(one)]
    se = float(np.std(kept)) if kept else 0.0
    if aggregation.exponential and value > 0 and min(kept, default=0.0) > 0:
        half = t_quantile(groups - 1) * float(np.std(np.log(kept)))
        return Estimate(value, value * math.exp(-half), value * math.exp(min(half, 500.0)), groups, se, groups)
    low, high = _interval(value, se, groups, aggregation.bounds)
    return Estimate(value, low, high, groups, se or (high - low) / 4, groups)


def _drawn(documents: Sequence[Sequence[Any]], chosen: Sequence[int], aggregation: Aggregation) -> float:
    """The function's result on some documents; nan where it has none (a draw without a positive, say)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return float(aggregation.function([one for place in chosen for one in documents[place]]))
        except (ValueError, ArithmeticError):
            return math.nan


def _interval(value: float, se: float, groups: int, bounds: tuple[float, float]) -> tuple[float, float]:
    least, most = bounds
    if se > 1e-12 * max(1.0, abs(value)):
        half = t_quantile(groups - 1) * se
        return max(least, value - half), min(most, value + half)
    if math.isinf(least) or math.isinf(most):
        return least, most
    low, high = wilson((value - least) / (most - least), groups)
    return least + low * (most - least), least + high * (most - least)


def weighted(estimates: Sequence[Estimate], weights: Sequence[float]) -> Estimate:
    """The weighted mean of tasks that are independent; its interval is put together from theirs (MOVER).

    >>> one = Estimate(0.5, 0.4, 0.6, 10, 0.05, 10)
    >>> round(weighted([one, Estimate(1.0, 0.9, 1.0, 30, 0.02, 30)], [10, 30]).mean, 3)
    0.875
    """
    total = sum(weights)
    # In lm-eval's order of operations (aggregate_subtask_metrics in its api/metrics.py): equal to the last bit.
    mean = sum(e.mean * weight for e, weight in zip(estimates, weights, strict=True)) / total
    shares = [weight / total for weight in weights]
    below = math.sqrt(sum((share * (e.mean - e.low)) ** 2 for e, share in zip(estimates, shares, strict=True)))
    above = math.sqrt(sum((share * (e.high - e.mean)) ** 2 for e, share in zip(estimates, shares, strict=True)))
    se = math.sqrt(sum((share * e.se) ** 2 for e, share in zip(estimates, shares, strict=True)))
    return Estimate(
        mean, mean - below, mean + above, sum(e.n for e in estimates), se, sum(e.clusters for e in estimates)
    )


@dataclass(frozen=True, slots=True)
class GroupMetric:
    """A line of a group's `aggregate_metric_list`; `filters` None takes every filter that its tasks have."""

    metric: str
    filters: tuple[str, ...] | None = None
    weight_by_size: bool = True

    def keys(self, results: Sequence[Mapping[str, Any]]) -> list[str]:
        """The "metric,filter" names that it sums up, in lm-eval's order."""
        prefix = f"{self.metric},"
        if self.filters is not None:
            return [prefix + name for name in self.filters]
        return sorted({key for entry in results for key in entry if key.startswith(prefix)})

    def weights(self, sizes: Sequence[int]) -> list[int]:
        """What each task counts for."""
        return list(sizes) if self.weight_by_size else [1] * len(sizes)


@dataclass(frozen=True, slots=True)
class GroupRule:
    """One of lm-eval's groups: its direct members, all tasks below it, and how it sums them up."""

    children: tuple[str, ...]
    tasks: tuple[str, ...]
    metrics: tuple[GroupMetric, ...] = ()

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> GroupRule:
        """The rule that `dataclasses.asdict` and JSON made plain (run.json)."""
        metrics = tuple(
            GroupMetric(
                one["metric"], None if one["filters"] is None else tuple(one["filters"]), bool(one["weight_by_size"])
            )
            for one in stored["metrics"]
        )
        return cls(tuple(stored["children"]), tuple(stored["tasks"]), metrics)

    @property
    def pooled(self) -> bool:
        """Is the group's score the mean over all of its questions?"""
        return not self.metrics or self.metrics[0].weight_by_size

    def sums(self, results: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
        """ "metric,filter" -> the group's number, from the entries of its tasks (each with its `sample_len`)."""
        entries = [results[name] for name in self.tasks if name in results]
        found: dict[str, float] = {}
        for metric in self.metrics:
            for key in metric.keys(entries):
                having = [entry for entry in entries if key in entry]
                weights = metric.weights([entry["sample_len"] for entry in having])
                if having:
                    found[key] = sum(e[key] * w for e, w in zip(having, weights, strict=True)) / sum(weights)
        return found
