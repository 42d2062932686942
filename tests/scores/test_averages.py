"""A mean holds columns of one metric, and says what it leaves out."""

from __future__ import annotations

from typing import Any

import pytest

from finbench.scores.agreement import against_reported, estimate_of
from finbench.scores.averages import suite_means
from finbench.scores.published import BENCHMARKS, load

FIN_R1 = {"finqa": 76.0, "convfinqa": 85.0, "ant_finance": 81.0, "tfns": 71.0, "finance_instruct": 62.9}


def run_of(scores: dict[str, float], **by: str) -> dict[str, Any]:
    """The summary of a run with these scores, n 1,000 each; `by` has what is not by the grader."""
    entries: dict[str, dict[str, Any]] = {
        name: {
            "n": 1000, "score": score, "ci": [score - 2.5, score + 2.5], "clusters": 1000, "design_effect": 1.0,
            "verdict_by": by.get(name, "grader"),
        }
        for name, score in scores.items()
    }  # fmt: skip
    estimates = {name: estimate_of(entry) for name, entry in entries.items()}
    return {"tasks": entries, **suite_means(entries, estimates, BENCHMARKS)}


def test_judged_and_graded_accuracies_are_averaged() -> None:
    run = run_of(FIN_R1, finance_instruct="judge", finqa="judge")
    assert run["average"]["score"] == pytest.approx(75.18)
    assert run["comparable_average"] is None


def test_a_reference_score_leaves_the_average_empty_and_the_mean_of_four_says_why() -> None:
    run = run_of({**FIN_R1, "finance_instruct": 25.0}, finance_instruct="reference")
    assert run["average"] is None
    assert run["comparable_average"]["score"] == pytest.approx(78.25)
    assert run["comparable_average"]["tasks"] == list(BENCHMARKS[:4])
    assert "no accuracy" in run["comparable_average"]["left_out"]["finance_instruct"]


def test_a_missing_benchmark_is_left_out_by_name_and_one_column_is_no_mean() -> None:
    run = run_of({"finqa": 76.0, "tfns": 71.0})
    assert run["comparable_average"]["left_out"] == dict.fromkeys(
        ("convfinqa", "ant_finance", "finance_instruct"), "not run"
    )
    assert run_of({"finqa": 76.0})["comparable_average"] is None


def test_the_four_columns_of_fin_r1_agree_with_their_published_mean_and_the_fifth_has_no_verdict() -> None:
    mine = against_reported(run_of({**FIN_R1, "finance_instruct": 25.0}, finance_instruct="reference"), "Fin-R1")[0]
    assert mine.cells["finance_instruct"].verdict == "not comparable"
    assert mine.cells["finance_instruct"].delta is None
    assert mine.average is not None and mine.comparable_average is not None
    assert (mine.average.printed, mine.average.verdict) == ("75.2", "not comparable")
    beside = mine.comparable_average
    assert (beside.printed, beside.verdict, beside.delta) == ("78.25", "agrees", pytest.approx(0))
    assert "four benchmarks" in beside.sentence


def test_an_average_hides_the_mean_of_what_its_columns_hide() -> None:
    """Four columns to half a point, one to 0.05: 0.41 of a point, where their sum would be 2.05."""
    run = run_of(FIN_R1, finance_instruct="judge")
    beside = against_reported(run, "Fin-R1")[0].average
    row = next(row for row in load() if row.model == "Fin-R1" and row.protocol.name == "fin-r1")
    theirs = row.average_estimate()
    assert beside is not None and theirs is not None
    chance = ((theirs.high - theirs.mean) ** 2 + (5**0.5 * 0.025 / 5) ** 2) ** 0.5
    assert f"chance and rounding explain {100 * chance + 0.41:.1f} " in beside.sentence


def test_a_difference_whose_interval_holds_zero_is_no_lead() -> None:
    """78.24 against 80.25: the z test says p 0.04, the interval reaches from -3.8 to +0.1."""
    run = run_of({**FIN_R1, "finance_instruct": 25.0}, finance_instruct="reference")
    for beside in (row.comparable_average for row in against_reported(run, "house/model")):
        assert beside is not None and beside.low is not None and beside.high is not None
        assert (beside.verdict == "not distinguishable") == (beside.low <= 0 <= beside.high)


def test_sample_rows_get_no_verdict() -> None:
    cell = against_reported(run_of(FIN_R1), "Fin-R1", sampled=("finqa",))[0].cells["finqa"]
    assert (cell.verdict, cell.delta) == ("not comparable", None)


def test_a_published_score_of_another_metric_is_neither_compared_nor_averaged() -> None:
    row = next(row for row in load() if any("other_metric" in score.flags for score in row.scores.values()))
    assert row.average_estimate(list(row.scores)) is None
    (beside,) = against_reported(run_of({"tfns": 90.0}), row.model, [row])
    assert beside.cells["tfns"].verdict == "not comparable"


def test_the_range_of_an_average_is_the_mean_of_the_ranges_and_unknown_when_one_is() -> None:
    entries = {
        name: {"n": 10, "score": 70.0, "ci": [60.0, 80.0], "clusters": 10, "design_effect": 1.0, "verdict_by": "grader"}
        | {"unsure": 2.0 * place, "range": [60.0 + place, 80.0 + place]}
        for place, name in enumerate(BENCHMARKS)
    }
    estimates = {name: estimate_of(entry) for name, entry in entries.items()}
    average = suite_means(entries, estimates, BENCHMARKS)["average"]
    assert (average["unsure"], average["range"]) == (4.0, [62.0, 82.0])
    entries["tfns"] |= {"unsure": None, "range": None, "verdict_by": "judge"}
    average = suite_means(entries, estimates, BENCHMARKS)["average"]
    assert (average["score"], average["unsure"], average["range"]) == (70.0, None, None)
