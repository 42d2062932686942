"""Is the difference real? Paired tests, many tests at once, and the verdict against a published number.

Scores are on a 0..1 scale, intervals are 95 %, p-values two-sided. The formulas and the simulations behind them are in
docs/statistics.md and benchmarks/coverage.py.

Sources: McNemar 1947; Bonett and Price 2012 (interval of a paired difference); Miller 2024, arXiv 2411.00640 (clusters,
power); Zou and Donner 2008 (MOVER); Holm 1979; Benjamini and Hochberg 1995.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from finbench.scores.intervals import Z95, Estimate, cluster_codes, freedom, t_quantile, wilson

if TYPE_CHECKING:
    import numpy as np

MARGIN = 0.05  # how close "agrees" is: with 3 points, no published cell of n = 1,000 could ever agree with a full split
Z90 = 1.6448536269514722
Z80 = 0.8416212335729143  # the quantile for 80 % power
Test = Literal["mcnemar", "paired t", "clustered t", "unpaired z", "average z"]
Verdict = Literal["agrees", "differs", "cannot tell"]


@dataclass(frozen=True, slots=True)
class Difference:
    """One score minus another, with its 95 % interval and two-sided p-value.

    `wins` and `losses` count the questions where the first is ahead and behind (paired only).
    """

    mean: float
    low: float
    high: float
    p: float
    se: float
    n: int
    test: Test
    wins: int = 0
    losses: int = 0
    clusters: int = 0
    design_effect: float = 1.0

    @property
    def detectable(self) -> float:
        """The smallest true difference that a comparison as noisy as this finds with 80 % power at 5 %."""
        return detectable(self.se)


@dataclass(frozen=True, slots=True)
class Versus:
    """Our score against a published one.

    `uncertainty` is the largest difference that chance and the printed digits explain. `agrees_from` and `agrees_to`
    are the sample sizes of the published score for which the verdict is "agrees" (None, None: there is none;
    `agrees_to` None: no upper end). `reproduced` is the strong form: the 90 % interval lies within the margin.
    """

    verdict: Verdict
    difference: float
    uncertainty: float
    n_assumed: int
    n_known: bool
    agrees_from: int | None
    agrees_to: int | None
    reproduced: bool


def paired(scores: Sequence[float], reference: Sequence[float], clusters: Sequence[str] | None = None) -> Difference:
    """`scores` minus `reference` on the same questions.

    The p-value is McNemar's exact one for 0/1 scores that stand alone, of a t test otherwise. The interval adds one
    question won and one lost (Bonett and Price 2012), so that runs without any disagreement still have a width;
    clusters shrink the n it works with by their design effect.
    """
    import numpy as np
    from scipy.special import stdtr

    gains = np.asarray(scores, dtype=float) - np.asarray(reference, dtype=float)
    n = len(gains)
    if n == 0:
        return Difference(math.nan, -1.0, 1.0, 1.0, math.nan, 0, "mcnemar")
    codes = np.arange(n) if clusters is None else cluster_codes(clusters, n)
    totals, sizes = np.bincount(codes, gains), np.bincount(codes).astype(float)
    groups, mean, squares = len(sizes), float(gains.mean()), float(gains @ gains)
    wins, losses = int((gains > 0).sum()), int((gains < 0).sum())
    alone = groups == n

    # The square of a typical gain: 1 for 0/1 scores, less when repeats were averaged; 1 when nothing differs.
    unit = float((gains**4).sum()) / squares if squares else 1.0
    effect = 1.0 if alone or groups < 2 else _design_effect(gains, totals, sizes, unit)
    centre = float(gains.sum()) / (n + 2)
    variance = max((squares + 2 * unit) / (n + 2) - centre**2, unit / (n + 2))
    se = math.sqrt(variance / (n + 2) * effect)

    if alone and _binary(scores) and _binary(reference):
        test: Test = "mcnemar"
        p, quantile = mcnemar(wins, losses), Z95
    else:
        test = "paired t" if alone else "clustered t"
        degrees = freedom(n, float(sizes @ sizes))
        quantile = t_quantile(degrees)
        p = 1.0 if groups < 2 else 2 * float(stdtr(degrees, -abs(centre) / se))
    half = quantile * se
    low, high = max(-1.0, min(mean, centre - half)), min(1.0, max(mean, centre + half))
    return Difference(mean, low, high, p, se, n, test, wins, losses, groups, effect)


def _design_effect(gains: np.ndarray, totals: np.ndarray, sizes: np.ndarray, unit: float) -> float:
    """How much clusters widen the variance of the mean gain.

    One more disagreement, shared by its whole cluster, is added: so few gains do not look more independent than they
    are, and none at all get the largest effect there is.
    """
    n, groups = len(gains), len(sizes)
    mean = gains.mean()
    between = float(((totals - mean * sizes) ** 2).sum()) * groups / (groups - 1)
    within = float(((gains - mean) ** 2).sum())
    return (between + unit * float(sizes @ sizes) / n) / (within + unit)


def _binary(scores: Sequence[float]) -> bool:
    import numpy as np

    values = np.asarray(scores, dtype=float)
    return bool(((values == 0) | (values == 1)).all())


def unpaired(first: Estimate, second: Estimate) -> Difference:
    """`first` minus `second` when only their summaries are known (wider than `paired` as a rule)."""
    mean = first.mean - second.mean
    below = math.hypot(first.mean - first.low, second.high - second.mean)
    above = math.hypot(first.high - first.mean, second.mean - second.low)
    se = math.hypot(first.se, second.se)
    return Difference(mean, mean - below, mean + above, _two_sided(mean, se), se, min(first.n, second.n), "unpaired z")


def average_difference(differences: Sequence[Difference]) -> Difference:
    """The unweighted mean of the differences in several tasks (MOVER, as `average_of`)."""
    count = len(differences)
    mean = sum(d.mean for d in differences) / count
    below = math.sqrt(sum((d.mean - d.low) ** 2 for d in differences)) / count
    above = math.sqrt(sum((d.high - d.mean) ** 2 for d in differences)) / count
    se = math.sqrt(sum(d.se**2 for d in differences)) / count
    wins, losses = sum(d.wins for d in differences), sum(d.losses for d in differences)
    n, groups = sum(d.n for d in differences), sum(d.clusters for d in differences)
    return Difference(mean, mean - below, mean + above, _two_sided(mean, se), se, n, "average z", wins, losses, groups)


def _two_sided(mean: float, se: float) -> float:
    return math.erfc(abs(mean) / se / math.sqrt(2)) if se > 0 else 1.0


def mcnemar(b: int, c: int) -> float:
    """McNemar's exact two-sided p-value for b and c discordant pairs.

    >>> mcnemar(0, 0), mcnemar(5, 0)
    (1.0, 0.0625)
    """
    from scipy.special import bdtr

    return min(1.0, 2 * float(bdtr(min(b, c), b + c, 0.5))) if b + c else 1.0


def holm(pvalues: Sequence[float]) -> list[float]:
    """Adjusted p-values for claims: the chance of even one false claim stays below the level.

    >>> [round(p, 3) for p in holm([0.01, 0.04, 0.03])]
    [0.03, 0.06, 0.06]
    """
    adjusted = [0.0] * len(pvalues)
    highest = 0.0
    for rank, i in enumerate(sorted(range(len(pvalues)), key=lambda i: pvalues[i])):
        highest = max(highest, min(1.0, (len(pvalues) - rank) * pvalues[i]))
        adjusted[i] = highest
    return adjusted


def tie_groups(means: Sequence[float], p_value: Callable[[int, int], float], level: float = 0.05) -> list[int]:
    """Group numbers from 1: members of a group cannot be told from its best (Holm over all that are left).

    `p_value(i, j)` compares entries i and j. A group ends at the first entry that can be told from its best; being
    in the same group is therefore no claim that two entries are equal.

    >>> tie_groups([0.7, 0.9, 0.89], lambda i, j: 1.0 if abs(i - j) == 1 and 0 not in (i, j) else 0.001)
    [2, 1, 1]
    """
    left = sorted(range(len(means)), key=lambda i: -means[i])
    groups = [0] * len(means)
    number = 0
    while left:
        number += 1
        best, rest = left[0], left[1:]
        pvalues = holm([p_value(best, other) for other in rest])
        size = 1 + next((k for k, p in enumerate(pvalues) if p < level), len(rest))
        for member in left[:size]:
            groups[member] = number
        left = left[size:]
    return groups


def detectable(se: float) -> float:
    """The smallest true difference found with 80 % power at 5 %, given the standard error of the difference.

    >>> round(detectable(0.0139), 3)
    0.039
    """
    return (Z95 + Z80) * se


# Published numbers


def half_unit(printed: str) -> float:
    """Half of the last digit's unit in a printed number: what rounding may have hidden, on the number's own scale.

    >>> half_unit("76"), half_unit("62.9"), half_unit("0.894")
    (0.5, 0.05, 0.0005)
    """
    decimals = len(printed.strip().rstrip("%").strip().partition(".")[2])
    return float(f"0.5e-{decimals}")


def versus_reported(
    ours: Estimate,
    reported: float,
    *,
    n: int | None = None,
    full: int | None = None,
    half_unit: float = 0.005,
    margin: float = MARGIN,
) -> Versus:
    """Does a published score agree with ours? All numbers on the 0..1 scale.

    `n` is the published sample size; unknown, the verdict takes `full` (the whole split; ours by default) and says from
    which to which size it would agree. `half_unit` is what the printed digits hide, `margin` how close "agrees" is.
    Clusters widen the published score as much as they widen ours. "differs": more than chance explains. "cannot tell":
    chance explains it, but would also explain more than the margin.
    """
    size = n or full or ours.n

    def chance(n_reported: float) -> float:
        low, high = wilson(reported, n_reported / max(1.0, ours.design_effect))
        return _facing(ours, Estimate(reported, low, high, size, 0.0, size))

    # What chance explains falls with n: little enough from some n on, and enough for the difference up to another.
    start = _first(lambda k: chance(k) + half_unit <= margin)
    end = _first(lambda k: chance(k) + half_unit < abs(ours.mean - reported))
    if start is None or (end is not None and end <= start):
        start, end = None, None
    stop = None if end is None else end - 1
    return _verdict(ours.mean - reported, chance(size), half_unit, margin, size, n is not None, start, stop)


def versus_average(ours: Estimate, theirs: Estimate, *, half_unit: float = 0.005, margin: float = MARGIN) -> Versus:
    """`versus_reported` for an average, whose interval is known but which has no single n."""
    return _verdict(ours.mean - theirs.mean, _facing(ours, theirs), half_unit, margin, theirs.n, False, None, None)


def _facing(ours: Estimate, theirs: Estimate) -> float:
    """The 95 % half-width of the difference, from the sides of the two intervals that face each other."""
    if ours.mean >= theirs.mean:
        return math.hypot(ours.mean - ours.low, theirs.high - theirs.mean)
    return math.hypot(ours.high - ours.mean, theirs.mean - theirs.low)


def _verdict(
    difference: float,
    chance: float,
    half_unit: float,
    margin: float,
    n: int,
    known: bool,
    start: int | None,
    end: int | None,
) -> Versus:
    uncertainty = chance + half_unit
    verdict: Verdict = "differs"
    if abs(difference) <= uncertainty:
        verdict = "agrees" if uncertainty <= margin else "cannot tell"
    reproduced = abs(difference) + Z90 / Z95 * chance + half_unit <= margin
    return Versus(verdict, difference, uncertainty, n, known, start, end, reproduced)


def _first(holds: Callable[[int], bool], limit: int = 10**8) -> int | None:
    """The smallest n from 1 at which a condition that stays true once it is true holds; None beyond the limit."""
    if not holds(limit):
        return None
    low, high = 0, limit
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high
