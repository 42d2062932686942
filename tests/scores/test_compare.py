"""Two runs question by question: alignment by content, tests, flips, words."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from fake_runs import make_runs, make_samples, write_run

from finbench.errors import NothingSelected, StoreError, UsageError
from finbench.pages import comparison
from finbench.scores import compare
from finbench.scores.compare import Gap, Pair, TaskComparison
from finbench.scores.significance import mcnemar, paired

Samples = list[dict[str, Any]]


def two(tmp_path: Path, first: Samples, second: Samples, name: str = "finqa", **settings: Any) -> TaskComparison:
    return both(tmp_path, {name: first}, {name: second}, **settings).tasks[0]


def both(tmp_path: Path, first: dict[str, Samples], second: dict[str, Samples], **settings: Any) -> Pair:
    runs = [write_run(tmp_path / "a", "one", tasks=first), write_run(tmp_path / "b", "two", tasks=second)]
    return compare.compare(runs, **settings).pairs[0]


def gap_of(task: TaskComparison) -> Gap:
    assert task.gap is not None
    return task.gap


def test_discordant_questions_are_counted_and_tested(tmp_path: Path) -> None:
    first, second = make_samples(200, 0.8, 1), make_samples(200, 0.6, 2)
    gap = gap_of(two(tmp_path, first, second))
    wins = sum(b["correct"] and not a["correct"] for a, b in zip(first, second, strict=True))
    losses = sum(a["correct"] and not b["correct"] for a, b in zip(first, second, strict=True))
    assert (gap.wins, gap.losses, gap.n, gap.test) == (wins, losses, 200, "mcnemar")
    assert gap.difference == pytest.approx((wins - losses) / 2)
    assert gap.difference == pytest.approx(gap.second - gap.first)
    assert gap.p == pytest.approx(mcnemar(wins, losses))
    assert gap.verdict == "worse"
    assert gap.low < gap.difference < gap.high < 0


def test_a_run_is_not_distinguishable_from_itself(tmp_path: Path) -> None:
    samples = make_samples(50, 0.7)
    task = two(tmp_path, samples, samples)
    gap = gap_of(task)
    assert (gap.difference, gap.p, gap.verdict) == (0, 1, "not distinguishable")
    assert gap.low < 0 < gap.high
    assert (task.flips, task.reasons, str(task.unaligned)) == ((), (), "")


def test_questions_are_matched_by_id_whatever_their_order(tmp_path: Path) -> None:
    samples = make_samples(60, 0.6)
    shuffled = random.Random(0).sample(samples, 60)
    assert gap_of(two(tmp_path, samples, shuffled)).wins == 0


def test_what_does_not_align_is_left_out_and_said(tmp_path: Path) -> None:
    first = make_samples(40, 0.7)
    second = [dict(sample) for sample in make_samples(45, 0.7)][5:]
    second[0]["gold"] = "another gold"
    second[1]["prompt"] = [{"role": "user", "content": "Other words"}]
    task = two(tmp_path, first, second)
    assert gap_of(task).n == 34
    assert task.unaligned == compare.Unaligned(5, 5, 1, 1)
    assert str(task.unaligned) == (
        "5 only in the first run, 5 only in the second run, 1 left out because the document changed, "
        "1 compared although the prompt changed"
    )


def test_nothing_in_common_is_an_error_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(NothingSelected, match="share no question"):
        two(tmp_path, [{"id": "a"}], [{"id": "b"}])
    with pytest.raises(NothingSelected):
        both(tmp_path, {"finqa": make_samples(5, 1)}, {"tfns": make_samples(5, 1)})


def test_one_run_is_not_enough(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="two run folders"):
        compare.compare(make_runs(tmp_path, 1, n=3))


def test_conversations_are_compared_as_wholes(tmp_path: Path) -> None:
    first = make_samples(200, 0.7, 1, cluster_size=5)
    second = [{**sample, "correct": sample["correct"] and i // 5 % 8 != 0} for i, sample in enumerate(first)]
    gap = gap_of(two(tmp_path, first, second, "convfinqa"))
    expected = paired(
        [float(s["correct"]) for s in second], [float(s["correct"]) for s in first], [s["cluster"] for s in first]
    )
    assert (gap.test, gap.clusters) == ("clustered t", 40)
    assert gap.p == pytest.approx(expected.p)
    assert gap.design_effect > 2


def test_repeats_are_averaged_per_question(tmp_path: Path) -> None:
    first = [{"id": f"q{i}", "repeat": r, "correct": True, "gold": "1"} for i in range(10) for r in range(4)]
    second = [{**sample, "correct": sample["repeat"] != 3} for sample in first]
    gap = gap_of(two(tmp_path, first, second))
    assert (gap.n, gap.test, gap.losses) == (10, "paired t", 10)
    assert gap.difference == pytest.approx(-25)


def test_flips_show_both_answers_and_are_limited_in_each_direction(tmp_path: Path) -> None:
    first, second = make_samples(100, 0.9, 1), make_samples(100, 0.5, 2)
    task = two(tmp_path, first, second, flips=3)
    assert sum(flip.better for flip in task.flips) == 3
    assert sum(not flip.better for flip in task.flips) == 3
    flip = next(flip for flip in task.flips if not flip.better)
    number = int(flip.id[1:])
    assert (flip.question, flip.doc_id) == (f"Invented question {number}?", number)
    assert flip.first_answer == str(number)
    assert flip.second_answer == second[number]["extracted"]
    assert gap_of(task).losses > 3


def test_reasons_that_changed_are_counted(tmp_path: Path) -> None:
    first = [
        {"id": f"q{i}", "gold": "1", "correct": i < 2, "reason": r}
        for i, r in enumerate(["equal", "rounding", "range"])
    ]
    second = [{"id": f"q{i}", "gold": "1", "correct": False, "reason": "no_answer"} for i in range(3)]
    changed = two(tmp_path, first, second).reasons
    assert set(changed) == {("equal", "no_answer", 1), ("rounding", "no_answer", 1), ("range", "no_answer", 1)}


def test_p_values_are_adjusted_over_the_tasks_and_the_average_stands_alone(tmp_path: Path) -> None:
    pair = compare.compare(make_runs(tmp_path, 2, n=60)).pairs[0]
    gaps = [gap_of(task) for task in pair.tasks]
    smallest = min(gaps, key=lambda gap: gap.p)
    assert smallest.p_adjusted == pytest.approx(min(1, 5 * smallest.p))
    assert pair.average is not None
    assert pair.average.difference == pytest.approx(sum(gap.difference for gap in gaps) / 5)
    assert pair.average.p_adjusted == pair.average.p
    assert pair.average.high - pair.average.low < min(gap.high - gap.low for gap in gaps)


def test_no_average_where_a_benchmark_is_missing(tmp_path: Path) -> None:
    pair = both(
        tmp_path,
        {"finqa": make_samples(20, 0.7), "tfns": make_samples(20, 0.7)},
        {"finqa": make_samples(20, 0.7, 1)},
    )
    assert pair.average is None
    assert (pair.only_first, pair.only_second) == (("tfns",), ())


def test_a_benchmark_meets_its_paper_variant(tmp_path: Path) -> None:
    pair = both(tmp_path, {"finqa": make_samples(20, 0.7)}, {"finqa_paper": make_samples(20, 0.7)})
    assert pair.tasks[0].task == "finqa"


def test_every_run_is_compared_with_the_first(tmp_path: Path) -> None:
    comparison = compare.compare(make_runs(tmp_path, 3, n=60))
    assert comparison.first.model == "tests/model-00"
    assert [pair.second.model for pair in comparison.pairs] == ["tests/model-01", "tests/model-02"]
    assert compare.is_worse(comparison)


def test_better_is_not_worse(tmp_path: Path) -> None:
    assert not compare.is_worse(compare.compare(make_runs(tmp_path, 2, n=60)[::-1]))


def test_the_judges_verdict_counts_where_it_stands_for_the_task_in_both_runs(tmp_path: Path) -> None:
    right = {"verdict": "right", "model": "judge", "text": "1"}
    first = [{"id": f"q{i}", "gold": "1", "correct": False, "judge": right} for i in range(20)]
    second = [{**sample, "judge": {**right, "verdict": "wrong"}} for sample in first]
    runs = [write_run(tmp_path / name, tasks={"finance_instruct": s}) for name, s in (("a", first), ("b", second))]
    assert gap_of(compare.compare(runs).pairs[0].tasks[0]).losses == 0
    for run in runs:
        results = json.loads((run / "results.json").read_text())
        results["finbench"]["tasks"]["finance_instruct"]["verdict_by"] = "judge"
        (run / "results.json").write_text(json.dumps(results))
    task = compare.compare(runs).pairs[0].tasks[0]
    assert (gap_of(task).losses, task.verdict_by) == (20, "judge")


def with_rule(path: Path, samples: list[dict], by: str) -> Path:
    """A Finance-Instruct run whose headline is the judge's or the reference score."""
    run = write_run(path, tasks={"finance_instruct": samples})
    results = json.loads((run / "results.json").read_text())
    results["finbench"]["tasks"]["finance_instruct"]["verdict_by"] = by
    (run / "results.json").write_text(json.dumps(results))
    return run


def test_reference_scores_are_compared_as_the_runs_print_them(tmp_path: Path) -> None:
    samples = [{"id": f"q{i}", "gold": "1", "correct": False, "metrics": {"reference": 0.3}} for i in range(20)]
    better = [{**sample, "metrics": {"reference": 0.5}} for sample in samples]
    runs = [with_rule(tmp_path / "a", samples, "reference"), with_rule(tmp_path / "b", better, "reference")]
    task = compare.compare(runs).pairs[0].tasks[0]
    assert (task.verdict_by, task.headline) == ("reference", True)
    assert (round(gap_of(task).first, 3), round(gap_of(task).second, 3)) == (30.0, 50.0)


def test_a_judged_run_meets_one_without_a_judge_by_the_reference_score_and_says_so(tmp_path: Path) -> None:
    judge = {"verdict": "right", "model": "judge", "text": "1"}
    samples = [{"id": f"q{i}", "gold": "1", "metrics": {"reference": 0.3}, "judge": judge} for i in range(20)]
    runs = [with_rule(tmp_path / "a", samples, "judge"), with_rule(tmp_path / "b", samples, "reference")]
    found = compare.compare(runs)
    assert gap_of(found.pairs[0].tasks[0]).difference == 0
    assert "by the reference score in both, which is not the score that both runs print" in comparison.to_text(found)


def test_what_the_judge_was_never_asked_is_left_out_of_a_judged_comparison(tmp_path: Path) -> None:
    judge = {"verdict": "wrong", "model": "judge", "text": "0"}
    samples = [{"id": f"q{i}", "gold": "1", "correct": True, "judge": judge if i < 12 else None} for i in range(20)]
    runs = [with_rule(tmp_path / name, samples, "judge") for name in "ab"]
    gap = gap_of(compare.compare(runs).pairs[0].tasks[0])
    assert (gap.n, gap.first) == (12, 0.0)


def test_a_group_is_compared_over_its_parts(tmp_path: Path) -> None:
    runs = []
    for name, seed in (("a", 1), ("b", 2)):
        run = write_run(
            tmp_path / name, tasks={"part_one": make_samples(10, 0.5, seed), "part_two": make_samples(10, 0.5, 9)}
        )
        results = json.loads((run / "results.json").read_text())
        parts = results["finbench"]["tasks"]
        results["finbench"]["tasks"] = {"ant_finance": {**parts["part_one"], "subtasks": parts}}
        (run / "results.json").write_text(json.dumps(results))
        runs.append(run)
    assert gap_of(compare.compare(runs).pairs[0].tasks[0]).n == 20  # equal ids in two parts are two questions


def test_a_torn_last_line_is_left_out_and_a_broken_one_named(tmp_path: Path) -> None:
    runs = make_runs(tmp_path, 2, ["finqa"], n=10)
    path = runs[1] / "samples_finqa.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    task = compare.compare(runs).pairs[0].tasks[0]
    assert (gap_of(task).n, task.unaligned.only_first) == (9, 1)
    path.write_bytes(b"{broken}\n" + whole)
    with pytest.raises(StoreError, match="writes it anew"):
        compare.compare(runs)


def test_json_is_plain(tmp_path: Path) -> None:
    document = json.loads(json.dumps(compare.to_json(compare.compare(make_runs(tmp_path, 2, n=20))), allow_nan=False))
    assert document["schema"] == 1
    assert document["pairs"][0]["tasks"][0]["gap"]["verdict"] in ("better", "worse", "not distinguishable")


def sure(samples: Samples, *unsure: int) -> Samples:
    return [sample | {"certainty": "unsure" if place in unsure else "sure"} for place, sample in enumerate(samples)]


def test_changes_that_hang_on_an_unsure_verdict_are_counted(tmp_path: Path) -> None:
    first = [{"correct": place < 6} for place in range(10)]
    second = [{"correct": place >= 3} for place in range(10)]  # 0 to 2 are lost, 6 to 9 won
    task = two(tmp_path, sure(first, 0, 1, 4), sure(second, 1, 4, 9))
    assert task.unsure == compare.UnsureFlips(7, 3, 1)  # 0 and 9 in one run, 1 in both; 4 has not changed
    said = {flip.id: (flip.first_certainty, flip.second_certainty) for flip in task.flips}
    assert said["q0"] == ("unsure", "sure") and said["q1"] == ("unsure", "unsure") and "q4" not in said


def test_a_question_is_unsure_when_any_repeat_is(tmp_path: Path) -> None:
    def repeated(correct: bool, *certainty: str) -> Samples:
        return [
            {"id": "q", "gold": 1, "correct": correct, "repeat": r, "certainty": c} for r, c in enumerate(certainty)
        ]

    task = two(tmp_path, repeated(True, "sure", "sure", "unsure"), repeated(False, "sure", "sure", "sure"))
    assert task.unsure == compare.UnsureFlips(1, 1, 0)


def test_verdicts_older_than_certainty_or_a_judges_say_nothing_of_unsure_changes(tmp_path: Path) -> None:
    first, second = [{"correct": True}], [{"correct": False, "certainty": "unsure"}]
    assert two(tmp_path, first, second).unsure is None
    judge = {"verdict": "right", "model": "j", "text": ""}
    judged = [both_sides | {"certainty": "unsure", "judge": judge} for both_sides in first]
    runs = [write_run(tmp_path / name, name, tasks={"finqa": judged}) for name in ("c", "d")]
    for run in runs:
        results = json.loads((run / "results.json").read_text())
        results["finbench"]["tasks"]["finqa"]["verdict_by"] = "judge"
        (run / "results.json").write_text(json.dumps(results))
    assert compare.compare(runs).pairs[0].tasks[0].unsure is None
