"""Metrics as lm-eval sums them up: their intervals, and groups by both weights."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

import pytest

from finbench.scores.aggregates import Aggregation, GroupMetric, GroupRule, credit, estimate, number, weighted
from finbench.scores.intervals import Estimate, wilson


def share_equal(pairs: list[Any]) -> float:
    return sum(a == b for a, b in pairs) / len(pairs)


SHARE = Aggregation(share_equal, bounds=(0.0, 1.0))


@pytest.mark.parametrize(
    ("value", "higher_is_better", "expected"),
    [
        (0.73, True, 0.73),
        (True, True, 1.0),
        (1, False, 0.0),
        (27.3, True, None),
        (["A", "B"], True, None),
        (None, True, None),
        (math.nan, True, None),
    ],
)
def test_a_value_counts_for_something_where_it_lies_between_nought_and_one(
    value: object, higher_is_better: bool, expected: float | None
) -> None:
    assert credit(value, higher_is_better=higher_is_better) == expected


def test_a_number_is_none_for_what_only_its_function_understands() -> None:
    assert number((1, 2)) is None and number("1") is None and number(12.5) == 12.5


def test_the_bootstrap_draws_documents_and_not_their_repeats() -> None:
    alone = estimate([[("a", "a")]] * 30 + [[("a", "b")]] * 30, SHARE)
    eightfold = estimate([[("a", "a")] * 8] * 30 + [[("a", "b")] * 8] * 30, SHARE)
    assert alone.mean == eightfold.mean == 0.5
    assert alone.n == eightfold.n == 60
    assert eightfold.high - eightfold.low == pytest.approx(alone.high - alone.low, rel=0.15)


def test_the_bootstrap_of_a_share_is_as_wide_as_the_formula() -> None:
    found = estimate([[("a", "a")]] * 120 + [[("a", "b")]] * 80, SHARE)
    assert found.mean == 0.6
    assert found.se == pytest.approx(math.sqrt(0.6 * 0.4 / 200), rel=0.12)
    assert found.low < 0.6 - 0.05 and found.high > 0.6 + 0.05


@pytest.mark.parametrize(("pair", "mean"), [(("a", "a"), 1.0), (("a", "b"), 0.0)])
def test_no_interval_is_empty_where_every_draw_gives_the_same(pair: tuple[str, str], mean: float) -> None:
    found = estimate([[pair]] * 20, SHARE)
    assert found.mean == mean and 0 <= found.low < found.high <= 1


def test_an_interval_without_a_difference_between_draws_is_wilsons_within_any_bounds() -> None:
    found = estimate([["a"]] * 20, Aggregation(lambda values: 75.0, bounds=(50.0, 150.0)))
    low, high = wilson(0.25, 20)
    assert (found.low, found.high) == pytest.approx((50 + 100 * low, 50 + 100 * high))


def test_an_interval_stays_within_the_bounds_and_is_endless_without_any() -> None:
    found = estimate([[("a", "a")]] * 39 + [[("a", "b")]], SHARE)
    assert found.high == 1.0 and found.low < 0.95
    constant = estimate([[1.0]] * 5, Aggregation(lambda values: 12.0))
    assert math.isinf(constant.low) and math.isinf(constant.high)


def test_the_interval_of_a_perplexity_is_made_on_the_logarithm() -> None:
    def perplexity(values: list[float]) -> float:
        return math.exp(-sum(values) / len(values))

    values = [[-float(n % 7)] for n in range(60)]
    found = estimate(values, Aggregation(perplexity, exponential=True))
    assert 0 < found.low < found.mean < found.high
    assert math.log(found.high / found.mean) == pytest.approx(math.log(found.mean / found.low))


def test_draws_for_which_the_function_has_no_value_are_left_out() -> None:
    def inverse(values: list[float]) -> float:
        return 1 / sum(values)

    found = estimate([[1.0], [0.0], [0.0], [0.0]], Aggregation(inverse))
    assert found.mean == 1.0 and math.isfinite(found.se) and found.se > 0


def one(mean: float, n: int) -> Estimate:
    return Estimate(mean, mean - 0.1, mean + 0.1, n, 0.05, n)


def test_a_weighted_mean_lies_by_its_weights_and_is_narrower_than_its_parts() -> None:
    assert weighted([one(0.2, 10), one(0.6, 30)], [10, 30]).mean == pytest.approx(0.5)
    even = weighted([one(0.2, 10), one(0.6, 30)], [1, 1])
    assert even.mean == pytest.approx(0.4) and even.n == 40
    assert even.high - even.mean == pytest.approx(0.1 / math.sqrt(2))


RESULTS = {
    "a": {"acc,none": 0.2, "f1,x": 0.5, "f1,y": 0.1, "sample_len": 10},
    "b": {"acc,none": 0.6, "f1,x": 0.7, "sample_len": 30},
}


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        (GroupMetric("acc"), {"acc,none": 0.5}),
        (GroupMetric("acc", weight_by_size=False), {"acc,none": 0.4}),
        (GroupMetric("f1"), {"f1,x": 0.65, "f1,y": 0.1}),
        (GroupMetric("f1", ("x",), weight_by_size=False), {"f1,x": 0.6}),
        (GroupMetric("bleu"), {}),
    ],
)
def test_a_group_sums_up_the_tasks_that_have_its_metric(metric: GroupMetric, expected: dict[str, float]) -> None:
    assert GroupRule(("a", "b"), ("a", "b", "not run"), (metric,)).sums(RESULTS) == pytest.approx(expected)


def test_a_rule_survives_the_manifest() -> None:
    rule = GroupRule(("a", "inner"), ("a", "b"), (GroupMetric("acc", ("x",), weight_by_size=False), GroupMetric("f1")))
    assert GroupRule.of(asdict(rule)) == rule
