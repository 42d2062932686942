"""Questions and their resampled variants, compared pair by pair: how much of a score is memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finbench.errors import DataError
from finbench.scores.intervals import Estimate, estimate
from finbench.scores.samples import lines
from finbench.scores.significance import Difference, paired


@dataclass(frozen=True, slots=True)
class Pairs:
    """A model's accuracy on questions (0..1) and on their variants. `drop` is original minus resampled.

    `only_original` counts the questions answered right in the original only, `only_resampled` the reverse.
    """

    n: int
    original: Estimate
    resampled: Estimate
    drop: Difference
    only_original: int
    only_resampled: int


def pairs(original: Path, resampled: Path) -> Pairs:
    """The paired comparison of two sample files of a run (`samples_finqa.jsonl`, `samples_finqa_resampled.jsonl`).

    Only questions that both files hold count; with repeats, their mean. The intervals know that the questions of one
    page belong together. Raises DataError when there is no pair.
    """
    before = _scores(original, lambda line: str(line["finbench"]["id"]))
    after = _scores(resampled, lambda line: str(line["doc"].get("original")))
    both = [key for key in before if key in after]
    if not both:
        raise DataError(f"{resampled}: no question of {original} has a variant here; run both tasks on the same rows")
    clusters = [before[key][1] for key in both]
    first, second = [before[key][0] for key in both], [after[key][0] for key in both]
    drop = paired(first, second, clusters)
    return Pairs(len(both), estimate(first, clusters), estimate(second, clusters), drop, drop.wins, drop.losses)


def _scores(path: Path, key: Callable[[Mapping[str, Any]], str]) -> dict[str, tuple[float, str]]:
    """The mean score over its repeats, and the cluster, of every question in a sample file."""
    sums: dict[str, tuple[int, float, str]] = {}
    for _, raw in lines(path):
        line = json.loads(raw)
        question = key(line)
        seen, total, _ = sums.get(question, (0, 0.0, ""))
        sums[question] = (seen + 1, total + float(line["finbench"]["correct"]), line["finbench"]["cluster"] or question)
    return {question: (total / seen, cluster) for question, (seen, total, cluster) in sums.items()}
