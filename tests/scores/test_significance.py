"""Paired tests, families of tests and verdicts against independent references and hand-computed examples."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from statsmodels.stats.contingency_tables import mcnemar as reference_mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import confint_proportions_2indep

from finbench.scores.intervals import Estimate, estimate
from finbench.scores.significance import (
    Difference,
    _first,
    average_difference,
    detectable,
    half_unit,
    holm,
    mcnemar,
    paired,
    tie_groups,
    unpaired,
    versus_average,
    versus_reported,
)


def from_counts(both: int, wins: int, losses: int, neither: int) -> tuple[list[int], list[int]]:
    ours = [1] * (both + wins) + [0] * (losses + neither)
    theirs = [1] * both + [0] * wins + [1] * losses + [0] * neither
    return ours, theirs


@pytest.mark.parametrize(("b", "c"), [(0, 0), (1, 0), (5, 0), (5, 5), (12, 25), (3, 19), (200, 260)])
def test_mcnemar_agrees_with_statsmodels(b: int, c: int) -> None:
    expected = reference_mcnemar([[10, b], [c, 10]], exact=True).pvalue if b + c else 1.0
    assert mcnemar(b, c) == mcnemar(c, b) == pytest.approx(expected)


def test_a_paired_difference_by_hand() -> None:
    """n = 98, 30 won, 10 lost: with one more of each, (31 - 11) / 100 = 0.2, SE = sqrt((0.42 - 0.04) / 100)."""
    found = paired(*from_counts(40, 30, 10, 18))
    half = 1.959964 * math.sqrt(0.38 / 100)
    assert found.mean == pytest.approx(20 / 98)
    assert (found.low, found.high) == pytest.approx((0.2 - half, 0.2 + half))
    assert (found.wins, found.losses, found.n, found.test) == (30, 10, 98, "mcnemar")
    assert found.p == pytest.approx(reference_mcnemar([[40, 30], [10, 18]], exact=True).pvalue)


@pytest.mark.parametrize("clusters", [None, [f"c{i // 4}" for i in range(40)]])
def test_runs_that_never_disagree_are_not_called_equal_beyond_doubt(clusters: list[str] | None) -> None:
    found = paired([1] * 40, [1] * 40, clusters)
    assert (found.mean, found.p, found.wins, found.losses) == (0, 1, 0, 0)
    assert found.low < 0 < found.high


def test_swapping_the_runs_swaps_the_signs() -> None:
    ours, theirs = from_counts(40, 30, 10, 18)
    clusters = [f"c{i % 30}" for i in range(98)]
    one, other = paired(ours, theirs, clusters), paired(theirs, ours, clusters)
    assert (one.mean, one.low, one.high) == pytest.approx((-other.mean, -other.high, -other.low))
    assert one.p == pytest.approx(other.p)


def test_clusters_widen_a_paired_difference_when_their_answers_go_together() -> None:
    ours, theirs = [1] * 60 + [0] * 60, [1] * 40 + [0] * 20 + [0] * 30 + [1] * 30
    clusters = [f"c{i // 10}" for i in range(120)]
    alone, together = paired(ours, theirs), paired(ours, theirs, clusters)
    assert together.test == "clustered t"
    assert together.design_effect > 3
    assert together.high - together.low > 1.5 * (alone.high - alone.low)
    assert together.p > alone.p


def test_many_questions_of_repeated_runs_agree_with_students_paired_test() -> None:
    from scipy.stats import ttest_rel

    rng = np.random.default_rng(2)
    theirs = rng.integers(0, 4, 2000) / 3
    ours = np.clip(theirs + rng.choice([-1, 0, 0, 0, 1, 1], 2000) / 3, 0, 1)
    found, reference = paired(ours, theirs), ttest_rel(ours, theirs)
    assert found.test == "paired t"
    assert found.p == pytest.approx(reference.pvalue, rel=0.2)
    assert (found.low, found.high) == pytest.approx(tuple(reference.confidence_interval()), abs=5e-4)


def test_nothing_in_common_is_no_difference() -> None:
    assert math.isnan(paired([], []).mean)


def test_an_unpaired_difference_is_newcombes() -> None:
    found = unpaired(estimate([1] * 56 + [0] * 14), estimate([1] * 48 + [0] * 32))
    low, high = confint_proportions_2indep(56, 70, 48, 80, method="newcomb", compare="diff")
    assert (found.low, found.high) == pytest.approx((low, high))
    assert found.mean == pytest.approx(0.2)


def test_the_average_of_differences_is_unweighted() -> None:
    one, two = paired(*from_counts(50, 20, 10, 20)), paired(*from_counts(500, 20, 60, 20))
    found = average_difference([one, two])
    assert found.mean == pytest.approx((one.mean + two.mean) / 2)
    assert found.low == pytest.approx(found.mean - math.hypot(one.mean - one.low, two.mean - two.low) / 2)
    assert (found.wins, found.losses, found.n) == (40, 70, 700)


@pytest.mark.parametrize("seed", range(5))
def test_families_agree_with_statsmodels(seed: int) -> None:
    pvalues = list(np.random.default_rng(seed).random(12) ** 2)
    assert holm(pvalues) == pytest.approx(list(multipletests(pvalues, method="holm")[1]))


def test_a_family_of_none_is_empty() -> None:
    assert holm([]) == []


def test_the_smallest_detectable_difference_is_the_one_in_the_notes() -> None:
    """SE 1.39 points, FinQA with paired runs: 3.9 points."""
    assert round(100 * detectable(0.0139), 1) == 3.9


def test_a_difference_of_the_detectable_size_is_found_four_times_in_five() -> None:
    rng = np.random.default_rng(0)
    n, found = 400, 0
    wins, losses = 0.15 + 0.038, 0.15 - 0.038  # a true difference of 7.6 points
    se = math.sqrt((wins + losses - (wins - losses) ** 2) / n)
    assert detectable(se) == pytest.approx(wins - losses, abs=0.001)
    for _ in range(1000):
        drawn = rng.choice([1, -1, 0], n, p=[wins, losses, 1 - wins - losses])
        found += mcnemar(int((drawn == 1).sum()), int((drawn == -1).sum())) < 0.05
    assert 0.74 < found / 1000 < 0.82  # the exact test is a little careful


def test_tie_groups_hang_on_their_best_entry() -> None:
    """0.80 and 0.78 tie, 0.78 and 0.76 would tie as well, but 0.76 is told from 0.80 and opens a group."""
    means = [0.76, 0.80, 0.78, 0.60]

    def p_value(i: int, j: int) -> float:
        return 1.0 if abs(means[i] - means[j]) < 0.03 else 0.0001

    assert tie_groups(means, p_value) == [2, 1, 1, 3]


def test_tie_groups_correct_for_the_number_of_comparisons() -> None:
    assert tie_groups([0.9, 0.8], lambda i, j: 0.02) == [1, 2]
    assert tie_groups([0.9, 0.8, 0.7, 0.6], lambda i, j: 0.02) == [1, 1, 1, 1]


@pytest.mark.parametrize(
    ("printed", "half"), [("76.0", 0.05), ("76", 0.5), ("62.93", 0.005), ("0.894", 0.0005), ("75.2%", 0.05)]
)
def test_printed_digits_hide_half_a_unit(printed: str, half: float) -> None:
    assert half_unit(printed) == half


@pytest.mark.parametrize(
    ("right", "n", "reported", "reported_n", "verdict"),
    [
        (872, 1147, 0.76, 1000, "agrees"),
        (840, 1147, 0.76, 1000, "agrees"),
        (780, 1147, 0.76, 1000, "differs"),
        (950, 1147, 0.76, 1000, "differs"),
        (76, 100, 0.76, 1000, "cannot tell"),
        (872, 1147, 0.76, 100, "cannot tell"),
        (50, 100, 0.76, 1000, "differs"),
    ],
)
def test_verdicts_against_a_published_score(right: int, n: int, reported: float, reported_n: int, verdict: str) -> None:
    ours = estimate([1] * right + [0] * (n - right))
    assert versus_reported(ours, reported, n=reported_n).verdict == verdict


def test_the_uncertainty_by_hand() -> None:
    """Near the middle: 1.96 sqrt(SE² + SE_r²) + half a unit, within the shape of Wilson's interval."""
    ours = estimate([1] * 600 + [0] * 400)
    found = versus_reported(ours, 0.62, n=900, half_unit=0.005)
    expected = 1.96 * math.sqrt(0.6 * 0.4 / 1000 + 0.62 * 0.38 / 900) + 0.005
    assert found.uncertainty == pytest.approx(expected, abs=5e-4)
    assert found.difference == pytest.approx(-0.02)


def test_an_unknown_n_gives_the_sizes_for_which_the_verdict_would_be_agrees() -> None:
    ours = estimate([1] * 1850 + [0] * 538)  # 77.5 of 2,388
    found = versus_reported(ours, 0.75, full=2388)
    assert (found.n_known, found.n_assumed, found.verdict) == (False, 2388, "agrees")
    assert found.agrees_from is not None
    assert found.agrees_to is not None
    for n, verdict in [
        (found.agrees_from - 1, "cannot tell"),
        (found.agrees_from, "agrees"),
        (found.agrees_to, "agrees"),
        (found.agrees_to + 1, "differs"),
    ]:
        assert versus_reported(ours, 0.75, n=n).verdict == verdict


def test_a_large_difference_agrees_for_no_size() -> None:
    found = versus_reported(estimate([1] * 500 + [0] * 500), 0.9)
    assert (found.verdict, found.agrees_from, found.agrees_to) == ("differs", None, None)


def test_clusters_widen_the_published_score_too() -> None:
    ours = Estimate(0.84, 0.808, 0.868, 1490, 0.0158, 421, 2.7)
    alone = Estimate(0.84, 0.808, 0.868, 1490, 0.0158, 421, 1.0)
    assert versus_reported(ours, 0.85, n=1000).uncertainty > versus_reported(alone, 0.85, n=1000).uncertainty


def test_reproduced_is_stronger_than_agrees() -> None:
    ours = estimate([1] * 3800 + [0] * 1200)
    assert versus_reported(ours, 0.76, n=5000).reproduced
    near = versus_reported(ours, 0.76 + 0.03, n=5000, margin=0.04, half_unit=0.015)
    assert (near.verdict, near.reproduced) == ("agrees", False)


def test_averages_are_compared_by_their_intervals() -> None:
    ours = Estimate(0.75, 0.735, 0.765, 5000, 0.0077, 4000)
    theirs = Estimate(0.7518, 0.734, 0.767, 4202, 0.0085, 3000)
    assert versus_average(ours, theirs).verdict == "agrees"
    assert versus_average(ours, Estimate(0.70, 0.684, 0.716, 4202, 0.008, 3000)).verdict == "differs"


@pytest.mark.parametrize(("n", "size"), [(60, 1), (400, 1), (400, 4), (1490, 4)])
def test_paired_intervals_cover_the_truth_about_as_often_as_they_say(n: int, size: int) -> None:
    """600 draws; wins and losses come in whole conversations half of the time."""
    rng = np.random.default_rng(7)
    groups = n // size
    names = [f"c{i // size}" for i in range(groups * size)]
    hits = 0
    for _ in range(600):
        mood = np.repeat(rng.choice([0.05, 0.25], groups), size)  # how likely the runs disagree
        kind = rng.random(groups * size)
        ours = np.where(kind < 0.6 * mood, 1, 0)
        theirs = np.where((kind >= 0.6 * mood) & (kind < mood), 1, 0)
        found = paired(ours, theirs, names if size > 1 else None)
        hits += found.low <= 0.03 <= found.high  # 0.15 (0.6 - 0.4)
    assert 0.93 - 0.018 <= hits / 600 <= 0.97 + 0.018


def test_a_clustered_difference_by_hand() -> None:
    """Bonett and Price's interval with the design effect of docs/statistics.md, written out: 4 clusters of 1 to 3."""
    from scipy.stats import t

    gains = [[1, 1, 0], [1, 0], [-1], [0, 0, 1]]
    flat = [gain for group in gains for gain in group]
    n, groups, mean = 9, 4, sum(flat) / 9
    between = sum((sum(group) - mean * len(group)) ** 2 for group in gains) * groups / (groups - 1)
    within = sum((gain - mean) ** 2 for gain in flat)
    effect = (between + sum(len(group) ** 2 for group in gains) / n) / (within + 1)
    centre = sum(flat) / (n + 2)
    variance = (sum(gain * gain for gain in flat) + 2) / (n + 2) - centre**2
    se = math.sqrt(variance / (n + 2) * effect)
    degrees = n * n / sum(len(group) ** 2 for group in gains) - 1
    half = t.ppf(0.975, degrees) * se
    names = [str(g) for g, group in enumerate(gains) for _ in group]
    found = paired([float(gain > 0) for gain in flat], [float(gain < 0) for gain in flat], names)
    assert (found.wins, found.losses, found.clusters, found.test) == (4, 1, 4, "clustered t")
    assert found.design_effect == pytest.approx(effect) and found.se == pytest.approx(se)
    assert (found.low, found.high) == pytest.approx((centre - half, min(1.0, centre + half)))
    assert found.p == pytest.approx(2 * t.sf(centre / se, degrees))


def test_one_cluster_alone_tells_nothing() -> None:
    found = paired([1.0, 1.0, 0.0], [0.0, 0.0, 0.0], ["a", "a", "a"])
    assert (found.low, found.high, found.p, found.clusters, found.design_effect) == (-1.0, 1.0, 1.0, 1, 1.0)


def test_no_questions_is_the_widest_difference_there_is() -> None:
    found = paired([], [])
    assert (found.low, found.high, found.p, found.n, found.wins, found.losses) == (-1.0, 1.0, 1.0, 0, 0, 0)
    assert math.isnan(found.mean) and math.isnan(found.se)


def test_only_scores_of_0_and_1_on_both_sides_are_tested_by_mcnemar() -> None:
    whole, half = [1.0, 0.0, 1.0, 0.0], [0.5, 0.0, 0.5, 0.0]
    assert paired(whole, whole).test == "mcnemar"
    assert paired(whole, half).test == paired(half, whole).test == "paired t"
    assert paired(whole, whole, ["a", "a", "b", "b"]).test == "clustered t"


def test_averaged_repeats_add_their_typical_gain_and_not_a_whole_question() -> None:
    n, gains = 40, [0.25, -0.25] * 10 + [0.0] * 20
    found = paired([0.5 + gain for gain in gains], [0.5] * n)
    squares, unit = sum(g * g for g in gains), 0.0625
    assert found.se == pytest.approx(math.sqrt((squares + 2 * unit) / (n + 2) / (n + 2)))


def test_a_few_large_clusters_are_no_license_for_false_alarms() -> None:
    """One cluster in twenty holds 30 questions: with as many degrees of freedom as clusters p is too small."""
    from scipy.special import stdtr

    sizes = [30] * 4 + [1] * 80
    names = [f"c{g}" for g, size in enumerate(sizes) for _ in range(size)]
    gains = [1.0] * 30 + [0.0] * 90 + [0.0] * 80
    found = paired(gains, [0.0] * 200, names)
    degrees = 200**2 / sum(size * size for size in sizes) - 1
    assert degrees == pytest.approx(9.87, abs=0.01) and found.clusters == 84
    centre = 30 / 202
    assert found.p == pytest.approx(2 * stdtr(degrees, -centre / found.se))
    assert found.p > 1.05 * 2 * stdtr(83, -centre / found.se)


def test_an_average_of_differences_by_hand() -> None:
    one = Difference(0.10, 0.04, 0.18, 0.01, 0.03, 100, "mcnemar", 12, 2, 100)
    two = Difference(-0.02, -0.10, 0.04, 0.6, 0.04, 50, "clustered t", 3, 4, 20)
    found = average_difference([one, two])
    assert found.mean == pytest.approx(0.04) and found.se == pytest.approx(0.05 / 2)
    assert (found.low, found.high) == pytest.approx(
        (0.04 - math.hypot(0.06, 0.08) / 2, 0.04 + math.hypot(0.08, 0.06) / 2)
    )
    assert found.p == pytest.approx(math.erfc(1.6 / math.sqrt(2)))
    assert (found.n, found.wins, found.losses, found.clusters, found.test) == (150, 15, 6, 120, "average z")
    uneven = average_difference([one, replace(two, low=-0.05, high=0.10)])
    assert uneven.low == pytest.approx(0.04 - math.hypot(0.06, 0.03) / 2)
    assert uneven.high == pytest.approx(0.04 + math.hypot(0.08, 0.12) / 2)


def test_an_unpaired_difference_by_hand() -> None:
    first = Estimate(0.7, 0.64, 0.75, 300, 0.028, 300)
    second = Estimate(0.6, 0.53, 0.68, 200, 0.038, 200)
    found = unpaired(first, second)
    assert (found.low, found.high) == pytest.approx((0.1 - math.hypot(0.06, 0.08), 0.1 + math.hypot(0.05, 0.07)))
    assert found.se == pytest.approx(math.hypot(0.028, 0.038)) and found.n == 200
    assert found.p == pytest.approx(math.erfc(0.1 / found.se / math.sqrt(2)))
    same = unpaired(replace(first, se=0.0), replace(first, se=0.0))
    assert (same.p, same.test) == (1.0, "unpaired z")


def test_the_first_size_for_which_something_holds_may_be_one() -> None:
    assert [_first(lambda n, least=least: n >= least) for least in (1, 2, 7)] == [1, 2, 7]
    assert _first(lambda n: n > 50, limit=50) is None
