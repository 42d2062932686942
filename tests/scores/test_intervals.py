"""Intervals against independent references, hand-computed examples and small simulations."""

from __future__ import annotations

import math
import random
import time
import tracemalloc

import numpy as np
import pytest
from statsmodels.api import OLS
from statsmodels.stats.proportion import proportion_confint

from finbench.scores.intervals import (
    Accumulator,
    Estimate,
    average_of,
    estimate,
    macro_f1,
    macro_f1_estimate,
    majority,
    pass_at_k,
    wilson,
)


def conversations(n: int, mean: float, sameness: float, seed: int) -> tuple[np.ndarray, list[str]]:
    """0/1 scores of n turns in conversations of 2 to 6, correlated within a conversation (beta-binomial)."""
    rng = np.random.default_rng(seed)
    codes = np.repeat(np.arange(n), rng.integers(2, 7, n))[:n]
    chances = np.full(n, mean)
    if sameness:
        weight = (1 - sameness) / sameness
        chances = rng.beta(mean * weight, (1 - mean) * weight, n)
    return (rng.random(n) < chances[codes]).astype(float), [f"c{code}" for code in codes]


@pytest.mark.parametrize(("right", "n"), [(0, 1), (1, 1), (0, 20), (20, 20), (19, 20), (76, 100), (872, 1147)])
def test_lone_right_or_wrong_scores_get_wilsons_interval(right: int, n: int) -> None:
    found = estimate([1] * right + [0] * (n - right))
    low, high = proportion_confint(right, n, method="wilson")
    assert found.mean == right / n
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-12)
    assert (found.n, found.clusters, found.design_effect) == (n, n, 1.0)


def test_the_paper_table_in_the_notes_is_reproduced() -> None:
    """FinQA 76.0 with n = 1,147: 73.5 to 78.4."""
    assert [round(100 * end, 1) for end in wilson(872 / 1147, 1147)] == [73.5, 78.4]


@pytest.mark.parametrize("scores", [[0.0] * 30, [1.0] * 30, [0.5] * 30])
@pytest.mark.parametrize("clusters", [None, [f"c{i // 3}" for i in range(30)], ["one"] * 30])
def test_no_interval_has_width_zero(scores: list[float], clusters: list[str] | None) -> None:
    found = estimate(scores, clusters)
    assert found.low < found.high
    assert found.se > 0
    assert 0 <= found.low <= found.mean <= found.high <= 1


def test_clustered_standard_errors_agree_with_statsmodels() -> None:
    scores, clusters = conversations(900, 0.8, 0.5, seed=4)
    codes = np.array([int(name[1:]) for name in clusters])
    fit = OLS(scores, np.ones(len(scores))).fit(cov_type="cluster", cov_kwds={"groups": codes})
    groups, expected = len(set(clusters)), float(fit.bse[0])
    found = estimate(scores, clusters)
    assert found.se == pytest.approx(expected, rel=1e-9)
    assert found.clusters == groups
    naive = scores.std(ddof=1) / math.sqrt(len(scores))
    assert found.design_effect == pytest.approx((expected / naive) ** 2)
    assert found.design_effect > 1.5


def test_clusters_of_one_change_nothing() -> None:
    scores = [1, 0, 1, 1, 0, 1, 1]
    assert estimate(scores, list("abcdefg")) == estimate(scores) == estimate(scores, [""] * 7)


def test_a_hand_computed_clustered_example() -> None:
    """Two conversations of two, one all right, one all wrong: mean 0.5, SE² = (1 + 1) / 16 · 2 / 1 = 0.25."""
    found = estimate([1, 1, 0, 0], ["a", "a", "b", "b"])
    assert (found.mean, found.se, found.clusters) == (0.5, 0.5, 2)
    assert found.design_effect == pytest.approx(0.25 / (0.25 / 3))


def test_correlated_answers_widen_the_interval() -> None:
    scores, clusters = conversations(1000, 0.85, 0.56, seed=1)
    alone, together = estimate(scores), estimate(scores, clusters)
    assert 1.3 < (together.high - together.low) / (alone.high - alone.low) < 2


def test_scores_outside_zero_to_one_get_students_interval() -> None:
    from scipy import stats as reference

    scores = [3.0, 7.5, 4.2, 9.9, 5.0, 6.1]
    interval = reference.ttest_1samp(scores, 0).confidence_interval(0.95)
    found = estimate(scores)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))


def test_no_scores_is_no_estimate() -> None:
    found = estimate([])
    assert math.isnan(found.mean)
    assert (found.low, found.high, found.n) == (0.0, 1.0, 0)


def test_names_must_be_as_many_as_scores() -> None:
    with pytest.raises(ValueError, match="3 scores but 2 cluster names"):
        estimate([1, 0, 1], ["a", "b"])


@pytest.mark.parametrize("sameness", [0.0, 0.5])
def test_adding_scores_one_by_one_gives_the_same_estimate(sameness: float) -> None:
    scores, clusters = conversations(500, 0.7, sameness, seed=9)
    clusters[::7] = [""] * len(clusters[::7])  # some questions stand alone
    pairs = list(zip(scores, clusters, strict=True))
    random.Random(0).shuffle(pairs)
    adding = Accumulator()
    for score, cluster in pairs:
        adding.add(score, cluster)
    assert_same(adding.estimate(), estimate(scores, clusters))


def assert_same(one: Estimate, other: Estimate) -> None:
    for name in Estimate.__slots__:
        assert getattr(one, name) == pytest.approx(getattr(other, name), rel=1e-9, nan_ok=True), name


def test_repeats_are_averaged_before_they_count() -> None:
    adding = Accumulator(repeats=3)
    rng = random.Random(1)
    scores = {f"q{i}": [float(rng.random() < 0.6) for _ in range(3)] for i in range(60)}
    asked = [(name, score) for name, three in scores.items() for score in three]
    rng.shuffle(asked)
    for name, score in asked:
        adding.add(score, question=name)
    assert_same(adding.estimate(), estimate([sum(three) / 3 for three in scores.values()]))


def test_an_unfinished_question_does_not_count_yet() -> None:
    adding = Accumulator(repeats=2)
    adding.add(1, question="a")
    adding.add(0, question="b")
    adding.add(1, question="a")
    assert (adding.estimate().n, adding.estimate().mean) == (1, 1.0)


def test_half_a_million_scores_take_a_moment_and_little_memory() -> None:
    scores = np.random.default_rng(0).random(500_000) < 0.7
    clusters = [f"page {i // 3}" for i in range(500_000)]
    start = time.process_time()
    found = estimate(scores, clusters)
    assert time.process_time() - start < 10  # 0.3 s on an idle core
    assert found.clusters == 166_667
    tracemalloc.start()
    adding = Accumulator()
    for i in range(10_000):
        adding.add(i % 2, f"c{i % 100}")
    assert tracemalloc.get_traced_memory()[1] < 100_000
    tracemalloc.stop()


def test_the_average_of_tasks_is_unweighted_and_its_interval_combines_theirs() -> None:
    parts = [Estimate(0.8, 0.78, 0.82, 1000, 0.01, 1000), Estimate(0.6, 0.54, 0.66, 200, 0.03, 200)]
    found = average_of(parts)
    assert found.mean == pytest.approx(0.7)
    half = math.sqrt(0.02**2 + 0.06**2) / 2
    assert (found.low, found.high) == pytest.approx((0.7 - half, 0.7 + half))
    assert found.se == pytest.approx(math.sqrt(0.01**2 + 0.03**2) / 2)


def test_an_average_of_perfect_scores_still_has_a_width() -> None:
    found = average_of([estimate([1] * 50)] * 5)
    assert found.mean == found.high == 1
    assert 0.9 < found.low < 0.99


@pytest.mark.parametrize(
    ("correct", "repeats", "k", "expected"),
    [(0, 5, 3, 0.0), (5, 5, 1, 1.0), (1, 5, 1, 0.2), (2, 4, 2, 1 - 1 / 6), (3, 10, 5, 1 - 21 / 252)],
)
def test_pass_at_k_by_hand(correct: int, repeats: int, k: int, expected: float) -> None:
    assert pass_at_k(correct, repeats, k) == pytest.approx(expected)


def test_pass_at_k_needs_k_repeats() -> None:
    with pytest.raises(ValueError, match="pass@5 needs at least 5 repeats, found 4"):
        pass_at_k(1, 4, 5)


@pytest.mark.parametrize(
    ("answers", "correct", "expected"),
    [
        (["7", "7", "8"], [1, 1, 0], 1.0),
        (["7", "8", "8"], [1, 0, 0], 0.0),
        (["7", "8", "9"], [1, 0, 0], 1 / 3),
        ([None, None, "7"], [0, 0, 1], 1.0),
        ([None, None], [0, 0], 0.0),
    ],
)
def test_majority_votes(answers: list[str | None], correct: list[int], expected: float) -> None:
    assert majority(answers, correct) == pytest.approx(expected)


def test_macro_f1_by_hand() -> None:
    """bear: hits 1, misses 1, false 1 -> 0.5; bull: 1, 0, 1 -> 2/3; flat: 2, 2 misses (one unreadable), 0 -> 2/3."""
    golds = ["bear", "bear", "bull", "flat", "flat", "flat", "flat"]
    named = ["bear", "bull", "bull", "flat", "flat", "bear", None]
    assert macro_f1(golds, named) == pytest.approx((0.5 + 2 / 3 + 2 / 3) / 3)
    found = macro_f1_estimate(golds, named)
    assert found.mean == pytest.approx(macro_f1(golds, named))
    assert found.low < found.mean < found.high


def test_a_class_that_nobody_names_has_f1_zero() -> None:
    assert macro_f1(["a", "b"], ["a", "a"], classes=["a", "b"]) == pytest.approx((2 / 3) / 2)
    assert math.isnan(macro_f1([], []))


@pytest.mark.parametrize(
    ("seed", "n", "shares", "known", "near"),
    [
        (3, 300, (0.6, 0.25, 0.15), 0.8, 0.006),
        (2, 60, (0.8, 0.15, 0.05), 0.9, 0.008),  # a rare class: resamples lie to one side, and the bias counts
    ],
)
def test_macro_f1_interval_agrees_with_scipys_bootstrap(
    seed: int, n: int, shares: tuple[float, ...], known: float, near: float
) -> None:
    from scipy.stats import bootstrap

    rng = np.random.default_rng(seed)
    golds = rng.choice(3, n, p=shares)
    named = np.where(rng.random(n) < known, golds, rng.integers(0, 3, n))

    def f1(gold: np.ndarray, guess: np.ndarray, axis: int = -1) -> np.ndarray:
        parts = []
        for label in range(3):
            hits = ((gold == label) & (guess == label)).sum(axis=axis)
            parts.append(2 * hits / np.maximum(1, (gold == label).sum(axis=axis) + (guess == label).sum(axis=axis)))
        return np.mean(parts, axis=0)

    reference = bootstrap((golds, named), f1, paired=True, vectorized=True, n_resamples=4000, rng=rng, method="BCa")
    found = macro_f1_estimate([str(g) for g in golds], [str(p) for p in named])
    interval = reference.confidence_interval
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high), abs=near)
    assert found.se == pytest.approx(reference.standard_error, rel=0.06)


def test_macro_f1_resamples_whole_clusters() -> None:
    golds = ["up", "down"] * 40
    named = [gold if i // 8 % 2 else "up" for i, gold in enumerate(golds)]
    alone = macro_f1_estimate(golds, named)
    together = macro_f1_estimate(golds, named, [f"c{i // 8}" for i in range(80)])
    assert together.high - together.low > alone.high - alone.low
    assert macro_f1_estimate(golds, named) == alone  # seeded


def test_a_perfect_macro_f1_still_has_a_width() -> None:
    found = macro_f1_estimate(["a", "b"] * 20, ["a", "b"] * 20)
    assert found.mean == found.high == 1
    assert found.low < 0.95


@pytest.mark.parametrize(
    ("n", "mean", "sameness"),
    [(50, 0.5, 0.0), (50, 0.76, 0.2), (150, 0.76, 0.56), (500, 0.85, 0.56), (1490, 0.84, 0.56), (1490, 0.6, 0.0)],
)
def test_clustered_intervals_cover_the_truth_about_as_often_as_they_say(n: int, mean: float, sameness: float) -> None:
    """A small version of benchmarks/coverage.py: 600 draws, so the share itself is uncertain by 1.8 points."""
    hits = 0
    for seed in range(600):
        found = estimate(*conversations(n, mean, sameness, seed=seed))
        hits += found.low <= mean <= found.high
    assert 0.93 - 0.018 <= hits / 600 <= 0.97 + 0.018


SKEWED = [
    ({"aa": 60, "ab": 2, "bb": 5, "ba": 4, "cc": 2, "ca": 2}, 0.02, "the bias lifts both ends by two points"),
    ({"aa": 95, "bb": 6, "ba": 1, "ab": 1}, -0.086, "bias and acceleration lower the lower end by nine"),
]


@pytest.mark.parametrize(("counts", "moved", "why"), SKEWED, ids=[case[2] for case in SKEWED])
def test_a_skewed_macro_f1_gets_scipys_bias_and_acceleration(counts: dict[str, int], moved: float, why: str) -> None:
    from scipy.stats import bootstrap

    pairs = [pair for pair, count in counts.items() for _ in range(count)]
    golds, named = (np.array(["abc".index(pair[i]) for pair in pairs]) for i in (0, 1))
    classes = sorted(set(golds))

    def f1(gold: np.ndarray, guess: np.ndarray, axis: int = -1) -> np.ndarray:
        hits = [((gold == label) & (guess == label)).sum(axis=axis) for label in classes]
        touched = [(gold == label).sum(axis=axis) + (guess == label).sum(axis=axis) for label in classes]
        return np.mean([2 * hit / np.maximum(1, both) for hit, both in zip(hits, touched, strict=True)], axis=0)

    found = macro_f1_estimate([pair[0] for pair in pairs], [pair[1] for pair in pairs])
    ends = {}
    for method in ("BCa", "percentile"):
        rng = np.random.default_rng(1)
        resampled = bootstrap(
            (golds, named), f1, paired=True, vectorized=True, n_resamples=8000, rng=rng, method=method
        )
        ends[method] = resampled.confidence_interval
    assert (found.low, found.high) == pytest.approx((ends["BCa"].low, ends["BCa"].high), abs=0.02)
    assert found.low - ends["percentile"].low == pytest.approx(moved, abs=0.02)
    assert found.n == found.clusters == len(pairs)


def test_the_standard_error_of_equal_scores_is_read_off_the_interval() -> None:
    for clusters in (None, [f"c{i // 3}" for i in range(30)]):
        found = estimate([1.0] * 30, clusters)
        assert found.se == pytest.approx((found.high - found.low) / (2 * 1.959963984540054))


def test_a_clustered_interval_is_wilsons_with_an_effective_n_and_students_quantile() -> None:
    """The formula of docs/statistics.md, written out: 6 clusters of 1 to 4 questions."""
    from scipy.stats import t

    sizes, right = [4, 3, 3, 2, 1, 1], [4, 2, 0, 2, 0, 1]
    scores = [float(i < r) for size, r in zip(sizes, right, strict=True) for i in range(size)]
    names = [f"c{g}" for g, size in enumerate(sizes) for _ in range(size)]
    n, mean, z = 14, 9 / 14, 1.959963984540054
    centre = (mean + z * z / (2 * n)) / (1 + z * z / n)
    between = sum((r - size * centre) ** 2 for size, r in zip(sizes, right, strict=True)) / n * 6 / 5
    effective = n * (mean * (1 - mean) + (mean - centre) ** 2) / between
    q = t.ppf(0.975, n * n / sum(size * size for size in sizes) - 1)
    middle = (mean + q * q / (2 * effective)) / (1 + q * q / effective)
    half = q * math.sqrt(mean * (1 - mean) / effective + q * q / (4 * effective**2)) / (1 + q * q / effective)
    found = estimate(scores, names)
    assert (found.low, found.high) == pytest.approx((middle - half, middle + half))
    variance = sum((r - size * mean) ** 2 for size, r in zip(sizes, right, strict=True)) / n**2 * 6 / 5
    assert found.se == pytest.approx(math.sqrt(variance))
    assert found.design_effect == pytest.approx(variance / (mean * (1 - mean) / (n - 1)))
