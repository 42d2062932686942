"""How sure we are of a score: means with intervals, repeats, macro-F1.

Scores are on a 0..1 scale unless said otherwise, intervals are 95 %, and nothing here ever answers "plus or minus 0".
The formulas and the simulations behind them are in docs/statistics.md and benchmarks/coverage.py.

Sources: Wilson 1927 (one proportion); Miller 2024, arXiv 2411.00640 (clustered errors, repeats); Zou and Donner 2008
(MOVER: the interval of a sum from the intervals of its parts); Chen et al. 2021 (pass@k); Efron 1987 (BCa bootstrap).
Comparisons of two scores are in significance.py.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

Z95 = 1.959963984540054
BOOTSTRAP_SEED = 20250320


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean with its 95 % interval; `mean` is nan when n is 0.

    `clusters` is the number of independent groups (n when every question stands alone), `design_effect` how much larger
    they make the variance; `se` is the clustered standard error, read off the interval when all scores are equal.
    """

    mean: float
    low: float
    high: float
    n: int
    se: float
    clusters: int
    design_effect: float = 1.0


@dataclass(slots=True)
class _Sums:
    """What an estimate needs to know of the scores: sums over questions and over clusters (s_g: sum, n_g: size)."""

    n: int = 0
    total: float = 0.0
    squares: float = 0.0
    smallest: float = math.inf
    largest: float = -math.inf
    clusters: int = 0
    sums_squared: float = 0.0  # of s_g²
    sums_sizes: float = 0.0  # of s_g n_g
    sizes_squared: float = 0.0  # of n_g²

    def between(self, centre: float) -> float:
        """The sum over clusters of (s_g - n_g centre)²."""
        return max(0.0, self.sums_squared - 2 * centre * self.sums_sizes + centre**2 * self.sizes_squared)

    def within(self, centre: float) -> float:
        """The sum over questions of (s - centre)²."""
        return max(0.0, self.squares - 2 * centre * self.total + self.n * centre**2)


class Accumulator:
    """The same `Estimate` as `estimate`, from scores that arrive one by one; memory grows with clusters only.

    With `repeats`, a question counts once its last repeat is in, with the mean of its scores.

    >>> scores = Accumulator()
    >>> for score in (1, 1, 0, 1):
    ...     scores.add(score)
    >>> scores.estimate() == estimate([1, 1, 0, 1])
    True
    """

    def __init__(self, repeats: int = 1) -> None:
        self._repeats = repeats
        self._sums = _Sums()
        self._clusters: dict[str, tuple[int, float]] = {}
        self._open: dict[str, tuple[int, float]] = {}  # question -> repeats seen, their sum

    def add(self, score: float, cluster: str = "", question: str = "") -> None:
        """Count one score; an empty `cluster` stands alone, `question` is needed with repeats only."""
        score = float(score)
        if self._repeats > 1:
            seen, total = self._open.pop(question, (0, 0.0))
            if seen + 1 < self._repeats:
                self._open[question] = (seen + 1, total + score)
                return
            score = (total + score) / self._repeats
        sums = self._sums
        sums.n += 1
        sums.total += score
        sums.squares += score * score
        sums.smallest = min(sums.smallest, score)
        sums.largest = max(sums.largest, score)
        size, total = self._clusters.get(cluster, (0, 0.0)) if cluster else (0, 0.0)
        if cluster:
            self._clusters[cluster] = (size + 1, total + score)
        sums.clusters += size == 0
        sums.sums_squared += 2 * total * score + score * score
        sums.sums_sizes += total + score * (size + 1)
        sums.sizes_squared += 2 * size + 1

    def estimate(self) -> Estimate:
        return _estimate(self._sums)


def estimate(scores: Sequence[float], clusters: Sequence[str] | None = None) -> Estimate:
    """The mean of one score per question, with an interval that is honest about clusters.

    0/1 scores that stand alone get Wilson's interval; clustered or fractional ones Wilson's with an effective n and a t
    quantile (docs/statistics.md); scores outside 0..1 a t interval. An empty cluster name stands alone.

    >>> e = estimate([1] * 76 + [0] * 24)
    >>> round(e.mean, 2), round(e.low, 3), round(e.high, 3)
    (0.76, 0.668, 0.833)
    """
    import numpy as np

    values = np.asarray(scores, dtype=float)
    if not len(values):
        return _estimate(_Sums())
    sums = _Sums(len(values), float(values.sum()), float(values @ values), float(values.min()), float(values.max()))
    if clusters is None:
        totals, sizes = values, np.ones(len(values))
    else:
        codes = cluster_codes(clusters, len(values))
        totals, sizes = np.bincount(codes, values), np.bincount(codes).astype(float)
    sums.clusters = len(sizes)
    sums.sums_squared, sums.sums_sizes = float(totals @ totals), float(totals @ sizes)
    sums.sizes_squared = float(sizes @ sizes)
    return _estimate(sums)


def cluster_codes(clusters: Sequence[str], n: int) -> np.ndarray:
    """Cluster names as numbers from 0; each empty name gets its own."""
    import numpy as np

    if len(clusters) != n:
        raise ValueError(f"{n} scores but {len(clusters)} cluster names")
    known: dict[str | int, int] = {}
    return np.fromiter((known.setdefault(name or i, len(known)) for i, name in enumerate(clusters)), dtype=np.int64)


def _estimate(sums: _Sums) -> Estimate:
    n, groups = sums.n, sums.clusters
    if n == 0:
        return Estimate(math.nan, 0.0, 1.0, 0, math.nan, 0)
    mean = sums.total / n
    alone = groups == n
    naive = sums.within(mean) / (n * (n - 1)) if n > 1 else 0.0
    variance = naive if alone or groups < 2 else sums.between(mean) / n**2 * groups / (groups - 1)
    # With equal scores nothing is known about clusters: assume the worst, as the interval below does.
    effect = 1.0 if alone else variance / naive if naive > 0 else sums.sizes_squared / n

    if sums.smallest < 0 or sums.largest > 1:
        half = t_quantile(freedom(n, sums.sizes_squared)) * math.sqrt(variance) if groups > 1 else math.inf
        return Estimate(mean, mean - half, mean + half, n, math.sqrt(variance), groups, effect)
    if alone and sums.squares == sums.total:  # only 0 and 1
        low, high = wilson(mean, n)
    elif groups < 2:
        low, high = 0.0, 1.0
    else:
        low, high = wilson(mean, _effective_n(sums, mean), t_quantile(freedom(n, sums.sizes_squared)))
    se = math.sqrt(variance) or (high - low) / (2 * Z95)
    return Estimate(mean, low, high, n, se, groups, effect)


def _effective_n(sums: _Sums, mean: float) -> float:
    """How many independent 0/1 questions would be as telling as these scores.

    Variances are taken about Wilson's centre, not the mean, so that they do not vanish at 0 % and 100 %: there the
    answers of a cluster then count as one, and nothing jumps on the way. For lone 0/1 scores the result is n.
    """
    n = sums.n
    centre = (mean + Z95**2 / (2 * n)) / (1 + Z95**2 / n)
    binary = mean * (1 - mean) + (mean - centre) ** 2
    alone = sums.clusters == n
    found = sums.within(centre) / n if alone else sums.between(centre) / n * sums.clusters / (sums.clusters - 1)
    return n * binary / max(found, binary / n)


def wilson(mean: float, n: float, z: float = Z95) -> tuple[float, float]:
    """Wilson's score interval of a proportion seen in n questions; n may be an effective number.

    >>> [round(x, 3) for x in wilson(1.0, 50)]
    [0.929, 1.0]
    """
    if math.isinf(z):
        return 0.0, 1.0
    centre = (mean + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(mean * (1 - mean) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return max(0.0, min(mean, centre - half)), min(1.0, max(mean, centre + half))


def freedom(n: int, sizes_squared: float) -> float:
    """Degrees of freedom of a variance between clusters, of n questions in all and with the squares of their sizes summed.

    n² / Σ n_g² - 1: one less than the number of clusters where all are equal, fewer where a few hold most questions. That
    is Satterthwaite's (1946) approximation with each cluster's share of the variance taken as its share of the questions;
    on why the plain number of clusters misleads: Carter, Schnepel and Steigerwald 2017. By simulation, with one cluster in
    twenty of 30 questions and the others of one, n 200: a paired test at 5 % cries wolf in 4.7 % instead of 7.9 %.

    >>> freedom(12, 6 * 2**2), round(freedom(12, 9**2 + 3 * 1**2), 2)
    (5.0, 0.71)
    """
    return n * n / sizes_squared - 1


def t_quantile(df: float, share: float = 0.975) -> float:
    """Student's quantile; infinite without degrees of freedom."""
    from scipy.special import stdtrit

    return float(stdtrit(df, share)) if df > 0 else math.inf


def average_of(estimates: Sequence[Estimate]) -> Estimate:
    """The unweighted mean of tasks, which are independent; its interval is put together from theirs (MOVER).

    >>> round(average_of([estimate([1] * 80 + [0] * 20), estimate([1] * 60 + [0] * 40)]).mean, 3)
    0.7
    """
    count = len(estimates)
    mean = sum(e.mean for e in estimates) / count
    below = math.sqrt(sum((e.mean - e.low) ** 2 for e in estimates)) / count
    above = math.sqrt(sum((e.high - e.mean) ** 2 for e in estimates)) / count
    se = math.sqrt(sum(e.se**2 for e in estimates)) / count
    groups = sum(e.clusters for e in estimates)
    return Estimate(mean, mean - below, mean + above, sum(e.n for e in estimates), se, groups)


# Repeats of one question


def pass_at_k(correct: int, repeats: int, k: int) -> float:
    """The chance that at least one of k of the repeats is right (the unbiased estimator of Chen et al. 2021).

    >>> pass_at_k(correct=1, repeats=4, k=2)
    0.5
    """
    if not 0 < k <= repeats:
        raise ValueError(f"pass@{k} needs at least {k} repeats, found {repeats}")
    return 1 - math.comb(repeats - correct, k) / math.comb(repeats, k)


def majority(answers: Sequence[Hashable | None], correct: Sequence[float]) -> float:
    """The score of the most frequent answer; ties share, None (unreadable) has no vote, no vote at all is 0.

    >>> majority(["7", "7", "8"], [0, 0, 1]), majority(["7", "8"], [0, 1]), majority([None], [0])
    (0.0, 0.5, 0.0)
    """
    votes: dict[Hashable, list[float]] = {}
    for answer, score in zip(answers, correct, strict=True):
        if answer is not None:
            votes.setdefault(answer, []).append(float(score))
    most = max(map(len, votes.values()), default=0)
    winners = [sum(scores) / most for scores in votes.values() if len(scores) == most]
    return sum(winners) / len(winners) if winners else 0.0


# Macro-F1


def macro_f1(golds: Sequence[str], predictions: Sequence[str | None], *, classes: Sequence[str] | None = None) -> float:
    """The unweighted mean of the classes' F1 scores; nan without questions.

    A prediction outside `classes` (default: those among the golds), or None, is a miss for its gold class and counts
    for no other. A class without a hit has F1 0.

    >>> round(macro_f1(["up", "up", "down"], ["up", "down", "down"]), 4)
    0.6667
    """
    if not golds:
        return math.nan
    tables, counts, width = _confusions(golds, predictions, None, classes)
    return float(_mean_f1(counts @ tables, width)[0])


def macro_f1_estimate(
    golds: Sequence[str],
    predictions: Sequence[str | None],
    clusters: Sequence[str] | None = None,
    *,
    classes: Sequence[str] | None = None,
    resamples: int = 10_000,
    seed: int = BOOTSTRAP_SEED,
) -> Estimate:
    """`macro_f1` with the BCa interval of a bootstrap of whole clusters; `se` is the bootstrap's."""
    import numpy as np
    from scipy.special import ndtr, ndtri

    if not golds:
        return _estimate(_Sums())
    tables, counts, width = _confusions(golds, predictions, clusters, classes)
    mean = float(_mean_f1(counts @ tables, width)[0])
    groups = int(counts.sum())
    rng = np.random.default_rng(seed)
    step = max(1, 2_000_000 // len(counts))  # draws held at once: keeps memory flat
    found = np.concatenate(
        [
            _mean_f1(rng.multinomial(groups, counts / groups, size=min(step, resamples - done)) @ tables, width)
            for done in range(0, resamples, step)
        ]
    )
    accuracy = estimate([float(g == p) for g, p in zip(golds, predictions, strict=True)], clusters)
    if found.std() < 1e-12:  # every resample alike (all right, or all wrong): accuracy's interval is the honest one
        low, high, se = min(mean, accuracy.low), max(mean, accuracy.high), accuracy.se
        return Estimate(mean, low, high, len(golds), se, groups, accuracy.design_effect)
    left_out = _mean_f1((counts @ tables)[None, :] - tables, width)  # one cluster of each kind taken away
    skew = left_out @ counts / groups - left_out
    bend = float(counts @ skew**3 / (6 * (counts @ skew**2) ** 1.5)) if np.any(skew) else 0.0
    share = ((found < mean).mean() + (found <= mean).mean()) / 2
    bias = float(ndtri(min(max(share, 1e-6), 1 - 1e-6)))
    low, high = np.quantile(found, [ndtr(bias + (bias + z) / (1 - bend * (bias + z))) for z in (-Z95, Z95)])
    low, high = min(float(low), mean), max(float(high), mean)
    return Estimate(mean, low, high, len(golds), float(found.std()), groups, accuracy.design_effect)


def _confusions(
    golds: Sequence[str],
    predictions: Sequence[str | None],
    clusters: Sequence[str] | None,
    classes: Sequence[str] | None,
) -> tuple[np.ndarray, np.ndarray, int]:
    """The different confusion tables of single clusters (flattened rows), how often each occurs, and their width."""
    import numpy as np

    column = {name: i for i, name in enumerate(classes if classes is not None else sorted(set(golds)))}
    width = len(column) + 1  # the last column: not one of the classes
    pairs = zip(golds, predictions, strict=True)
    cells = np.array([column[gold] * width + column.get(named or "", width - 1) for gold, named in pairs])
    if clusters is None:
        kinds, counts = np.unique(cells, return_counts=True)
        return np.eye(len(column) * width)[kinds], counts, width
    codes = cluster_codes(clusters, len(cells))
    tables = np.zeros((codes.max() + 1, len(column) * width))
    np.add.at(tables, (codes, cells), 1)
    tables, counts = np.unique(tables, axis=0, return_counts=True)
    return tables, counts, width


def _mean_f1(tables: np.ndarray, width: int) -> np.ndarray:
    """Macro-F1 of flattened confusion tables (gold by named class), one per row."""
    import numpy as np

    matrix = tables.reshape(-1, width - 1, width)
    named = matrix[:, :, :-1]
    hits = np.einsum("bii->bi", named)
    touched = matrix.sum(axis=2) + named.sum(axis=1)  # 2 hits + misses + false alarms
    scores: np.ndarray = (2 * hits / np.maximum(touched, 1)).mean(axis=1)
    return scores
