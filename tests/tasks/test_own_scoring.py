"""What lm-eval's own code says of replies, and which of its numbers stands for the task."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from finbench.errors import TaskError
from finbench.records import Answer, Document, Gold, Response
from finbench.tasks.own_scoring import OwnScoring, plain

DOCUMENT = Document("d", "t", "?", Answer("lm_eval"), (Gold("7"),), row={"gold": "7"})


def first(replies: Sequence[Any]) -> Any:
    return replies[0]


def vote(replies: Sequence[Any]) -> Any:
    return max(sorted(set(replies)), key=list(replies).count)


class Ensemble:
    """One of lm-eval's filter pipelines."""

    def __init__(self, name: str, step: Callable[[Sequence[Any]], Any]) -> None:
        self.name, self._step = name, step

    def apply(self, instances: Sequence[Any]) -> None:
        for instance in instances:
            instance.filtered_resps[self.name] = self._step(instance.resps)


def scoring(
    results: Callable[[Mapping[str, Any], Sequence[Any]], Mapping[str, Any]],
    declared: Mapping[str, Any],
    *,
    kind: str = "generate_until",
    filters: Sequence[Ensemble] = (Ensemble("none", first),),
    lower: Sequence[str] = (),
    **config: Any,
) -> OwnScoring:
    settings = {"repeats": 1, "filter_list": None, "metric_list": None, "process_results": None} | config
    return OwnScoring(
        "t",
        SimpleNamespace(
            config=SimpleNamespace(**settings),
            OUTPUT_TYPE=kind,
            _filters=list(filters),
            process_results=results,
            aggregation=lambda: dict(declared),
            higher_is_better=lambda: {name: name not in lower for name in declared},
        ),
    )


def graded(one: OwnScoring, *texts: str) -> Any:
    return one.grade(DOCUMENT, [Response(f"r{n}", text, "stop") for n, text in enumerate(texts)], texts)


def test_a_fraction_is_the_headline_and_no_later_metric_that_is_nought_or_one() -> None:
    one = scoring(lambda row, replies: {"f1": 0.73, "exact_match": 0}, {"f1": sum, "exact_match": sum})
    verdict = graded(one, "7 or so")
    assert dict(verdict.metrics) == {"f1,none": 0.73, "exact_match,none": 0} and not verdict.correct
    assert next(iter(verdict.metrics)) == "f1,none" and verdict.extracted == "7 or so"


def test_the_order_of_the_yaml_decides_the_headline_and_not_that_of_the_results() -> None:
    one = scoring(lambda row, replies: {"acc": 0, "acc_norm": 1}, {"acc_norm": sum, "acc": sum})
    verdict = graded(one, "7")
    assert next(iter(verdict.metrics)) == "acc_norm,none" and verdict.correct and verdict.reason == "equal"


def test_the_first_filter_decides_the_headline() -> None:
    filters = (Ensemble("maj", vote), Ensemble("first", first))
    one = scoring(lambda row, said: {"em": int(said[0] == row["gold"])}, {"em": sum}, filters=filters, repeats=3)
    verdict = graded(one, "8", "7", "7")
    assert dict(verdict.metrics) == {"em,maj": 1, "em,first": 0} and verdict.correct and verdict.extracted == "7"


def test_a_pair_leaves_the_verdict_to_the_next_metric_that_tells() -> None:
    one = scoring(lambda row, replies: {"f1": (1, np.int64(0)), "acc": 1.0}, {"f1": sum, "acc": sum})
    verdict = graded(one, "7")
    assert verdict.metrics["f1,none"] == [1, 0] and verdict.correct
    assert not graded(scoring(lambda row, replies: {"f1": (1, 1)}, {"f1": sum}), "7").correct


def test_an_error_rate_of_nought_is_right() -> None:
    one = scoring(lambda row, said: {"wer": float(said[0] != "7")}, {"wer": sum}, lower=["wer"])
    assert graded(one, "7").correct and not graded(one, "8").correct
    assert not one.aggregation("wer,none").higher_is_better


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("multiple_choice", [(-1.0, True), (-2.0, False)]),
        ("loglikelihood", [(-1.0, True), (-2.0, False)]),
        ("loglikelihood_rolling", [-1.0, -2.0]),
    ],
)
def test_log_likelihoods_reach_the_task_in_lm_evals_form(kind: str, expected: list[Any]) -> None:
    seen: list[Any] = []
    one = scoring(lambda row, replies: seen.append(list(replies)) or {"acc": 1}, {"acc": sum}, kind=kind, repeats=2)
    responses = [
        Response("a", "", "stop", logprob=-1.0, greedy=True),
        Response("b", "", "stop", logprob=-2.0, greedy=False),
    ]
    assert one.grade(DOCUMENT, responses, []).extracted is None
    assert seen == [expected]


def test_means_keep_their_formula_and_lm_evals_other_functions_their_unit_and_bounds() -> None:
    from lm_eval.api import metrics

    one = scoring(lambda row, replies: {}, {"acc": metrics.mean, "bleu": metrics.bleu, "ppl": metrics.perplexity})
    assert one.aggregation("acc,none").mean and one.aggregation("acc,none").scale is None
    assert (one.aggregation("bleu,x").scale, one.aggregation("bleu,x").bounds) == (1, (0.0, 100.0))
    assert one.aggregation("ppl,none").scale == 1 and not one.aggregation("ppl,none").mean


@pytest.mark.parametrize(
    ("name", "scale", "bounds", "slow", "exponential"),
    [
        ("f1_score", 100, (0.0, 1.0), False, False),
        ("matthews_corrcoef", 100, (-1.0, 1.0), False, False),
        ("chrf", 1, (0.0, 100.0), True, False),
        ("chrfpp", 1, (0.0, 100.0), True, False),
        ("ter", 1, (0.0, math.inf), True, False),
        ("brier_score", 1, (0.0, 2.0), False, False),
        ("perplexity", 1, (0.0, math.inf), False, True),
        ("weighted_perplexity", 1, (0.0, math.inf), False, True),
        ("bits_per_byte", 1, (0.0, math.inf), False, False),
        ("median", None, (-math.inf, math.inf), False, False),
    ],
)
def test_every_function_of_lm_eval_has_its_unit_and_bounds(
    name: str, scale: int | None, bounds: tuple[float, float], slow: bool, exponential: bool
) -> None:
    from lm_eval.api import metrics

    how = scoring(lambda row, replies: {}, {"m": getattr(metrics, name)}).aggregation("m,none")
    assert (how.scale, how.bounds, how.slow, how.exponential) == (scale, bounds, slow, exponential)


def test_a_function_of_the_tasks_own_is_not_taken_for_lm_evals_of_that_name() -> None:
    def bleu(values: list[Any]) -> float:
        return 0.5

    assert scoring(lambda row, replies: {}, {"m": bleu}).aggregation("m,none").scale is None


def test_a_name_that_a_metric_made_up_is_summed_up_as_its_parent_and_others_by_the_mean() -> None:
    from lm_eval.api.metrics import mean, median

    made_up = scoring(lambda row, replies: {}, {"pass_at_k": median}, metric_list=[{"metric": "pass_at_k"}])
    assert made_up.aggregation("pass@1,none").function is median
    own = scoring(lambda row, replies: {}, {"a": median}, metric_list=[{"metric": "a"}], process_results=len)
    assert own.aggregation("b,none").function is mean


def test_a_filter_that_takes_more_replies_than_are_asked_for_is_refused_with_the_way_out() -> None:
    pipeline = [{"name": "maj@8", "filter": [{"function": "take_first_k", "k": 8}, {"function": "majority_vote"}]}]
    with pytest.raises(TaskError, match=r"t: filter 'maj@8' takes the first 8 replies, and 1 is asked for.*repeats: 8"):
        scoring(lambda row, replies: {}, {}, filter_list=pipeline)
    assert scoring(lambda row, replies: {}, {}, filter_list=pipeline, repeats=8).replies == 8


@pytest.mark.parametrize("repeats", [0, -1, True, "8", None, 1.5])
def test_repeats_are_a_number_of_replies(repeats: object) -> None:
    with pytest.raises(TaskError, match="`repeats` is"):
        scoring(lambda row, replies: {}, {}, repeats=repeats)


def test_arrays_of_numpy_become_lists() -> None:
    assert plain((1, np.array([0.5, 0.5]))) == [1, [0.5, 0.5]] and plain("a") == "a"
