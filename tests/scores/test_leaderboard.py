"""Measured and reported rows in one table, and a run beside the published scores."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from fake_runs import make_runs, make_samples, write_run

from finbench.errors import StoreError, UsageError
from finbench.pages import exports, leaderboard
from finbench.scores.agreement import against_reported, estimate_of, reported_for
from finbench.scores.align import align, open_run, read_questions
from finbench.scores.averages import suite_means
from finbench.scores.leaderboard import Row, Table, build
from finbench.scores.published import BENCHMARKS
from finbench.scores.significance import Difference, paired


def by_question(first: str, second: str, task: str) -> Difference | None:
    """The paired difference on the questions that two runs share."""
    runs = [open_run(Path(run)) for run in (first, second)]
    if not all(task in run.tasks for run in runs):
        return None
    one, two = (read_questions(run.tasks[task].files) for run in runs)
    same, _ = align(one, two)
    clusters = [one[key].cluster for key in same]
    return paired([one[key].score for key in same], [two[key].score for key in same], clusters)


def entry(score: float, n: int, half: float, **more: object) -> dict[str, object]:
    return {"score": score, "ci": [score - half, score + half], "n": n, "clusters": n, "design_effect": 1.0, **more}


def run_of(entries: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The part of results.json that stands beside reported rows."""
    estimates = {name: estimate_of(found) for name, found in entries.items()}
    return {"tasks": entries, **suite_means(entries, estimates, BENCHMARKS)}


def five(score: float) -> dict[str, dict[str, object]]:
    return {name: entry(score, 1500, 2.2) for name in BENCHMARKS}


def find(table: Table, model: str) -> Row:
    return next(row for row in table.rows if row.model == model)


def test_measured_and_reported_rows_share_the_table_but_no_ranking(tmp_path: Path) -> None:
    table = build(make_runs(tmp_path, 3, n=200))
    assert table.tasks == BENCHMARKS
    assert [(row.kind, row.rank) for row in table.rows[:3]] == [("measured", 1), ("measured", 2), ("measured", 3)]
    assert find(table, "Fin-R1").kind == "reported"
    first_reported = next(row for row in table.rows if row.protocol == "fin-r1")
    assert first_reported.rank == 1  # its own ranking
    assert "sizes" not in table.notes


def test_protocols_are_ranked_together_only_when_asked(tmp_path: Path) -> None:
    table = build(make_runs(tmp_path, 2, n=200), across=True)
    ranks = [row.rank for row in table.rows if row.rank is not None]
    assert len(ranks) == 13
    assert ranks.count(1) < 3
    assert any("ranked together" in note for note in table.notes)


def test_rows_that_cannot_be_told_apart_share_a_rank(tmp_path: Path) -> None:
    runs = []
    for i, accuracy in enumerate((0.8, 0.79, 0.4)):
        tasks = {name: make_samples(100, accuracy, t) for t, name in enumerate(BENCHMARKS)}
        runs.append(write_run(tmp_path / str(i), f"m{i}", tasks=tasks))
    table = build(runs, reported=[])
    assert [row.rank for row in table.rows] == [1, 1, 3]
    assert [row.group for row in table.rows] == [1, 1, 2]


def test_a_missing_benchmark_is_absent_and_leaves_the_average_empty(tmp_path: Path) -> None:
    tasks = {name: make_samples(50, 0.7) for name in BENCHMARKS[:3]}
    run = write_run(tmp_path / "r", "m", tasks=tasks)
    results = json.loads((run / "results.json").read_text())
    results["finbench"]["average"] = None
    (run / "results.json").write_text(json.dumps(results))
    row = build([run], reported=[]).rows[0]
    assert set(row.cells) == set(BENCHMARKS[:3])
    assert (row.average, row.rank) == (None, None)


def test_partial_runs_and_sample_rows_are_flagged_and_not_ranked(tmp_path: Path) -> None:
    run = write_run(tmp_path / "r", "m", tasks={n: make_samples(50, 0.7) for n in BENCHMARKS}, status="interrupted")
    other = write_run(tmp_path / "s", "n", tasks={n: make_samples(50, 0.7) for n in BENCHMARKS})
    results = json.loads((other / "results.json").read_text())
    results["finbench"]["sampled"] = list(BENCHMARKS)
    (other / "results.json").write_text(json.dumps(results))
    table = build([run, other], reported=[])
    assert {row.model: row.flags for row in table.rows} == {"m": ("partial",), "n": ("sample_rows",)}
    assert all(row.rank is None for row in table.rows)


def test_the_variants_of_the_paper_protocol_stand_in_their_benchmarks_columns(tmp_path: Path) -> None:
    run = write_run(tmp_path / "r", "m", "paper", {"finqa_paper": make_samples(30, 0.5)})
    assert set(build([run], reported=[]).rows[0].cells) == {"finqa"}


def test_deltas_are_taken_against_the_chosen_row(tmp_path: Path) -> None:
    table = build(make_runs(tmp_path, 3, n=300), reference="Fin-R1")
    assert table.reference == "fin-r1/Fin-R1"
    best, worst = find(table, "tests/model-00"), find(table, "tests/model-02")
    delta = worst.cells["finqa"].delta
    assert delta is not None
    assert delta.verdict == "worse"
    assert delta.low < delta.mean < delta.high < 0
    assert "another protocol" in delta.note
    assert not delta.paired
    assert best.cells["finqa"].delta is not None
    assert find(table, "Fin-R1").cells["finqa"].delta is None
    same = find(table, "Fin-R1-SFT").cells["finqa"].delta
    assert same is not None
    assert same.note == ""


def test_deltas_between_runs_are_paired_where_their_samples_are_at_hand(tmp_path: Path) -> None:
    questions = make_samples(120, 0.7, 1)
    changed = [{**sample, "correct": sample["correct"] and i % 30 != 0} for i, sample in enumerate(questions)]
    runs = [
        write_run(tmp_path / "a", "a", tasks={"finqa": questions}),
        write_run(tmp_path / "b", "b", tasks={"finqa": changed}),
    ]
    alone, together = (
        find(build(runs, reported=[], reference="a", pair=pair), "b").cells["finqa"].delta
        for pair in (None, by_question)
    )
    assert alone is not None
    assert together is not None
    assert alone.mean == pytest.approx(together.mean)
    assert (alone.paired, together.paired) == (False, True)
    assert together.high - together.low < 0.6 * (alone.high - alone.low)


def test_runs_of_two_protocols_are_not_paired(tmp_path: Path) -> None:
    questions = make_samples(120, 0.7, 1)
    runs = [
        write_run(tmp_path / "a", "a", "finbench", {"finqa": questions}),
        write_run(tmp_path / "b", "b", "paper", {"finqa_paper": questions}),
    ]
    delta = find(build(runs, reported=[], reference="a", pair=by_question), "b").cells["finqa"].delta
    assert delta is not None and not delta.paired and "another protocol" in delta.note


def without_judge(path: Path, *, old: bool = False) -> Path:
    """A run whose Finance-Instruct score is the reference score; `old`: written when it was averaged with the others."""
    run = write_run(path, "m", tasks={name: make_samples(100, 0.7) for name in BENCHMARKS})
    results = json.loads((run / "results.json").read_text())
    found = results["finbench"]
    found["tasks"]["finance_instruct"]["verdict_by"] = "reference"
    if not old:
        found |= run_of(found["tasks"])
    (run / "results.json").write_text(json.dumps(results))
    return run


@pytest.mark.parametrize("old", [False, True])
def test_a_run_with_a_reference_score_has_no_average_no_rank_and_no_difference_in_that_column(
    old: bool, tmp_path: Path
) -> None:
    table = build([without_judge(tmp_path / "r", old=old)], reference="Fin-R1")
    row = find(table, "m")
    assert (row.average, row.rank) == (None, None)
    assert row.cells["finance_instruct"].flags == ("reference_score",)
    assert row.cells["finance_instruct"].delta is None
    assert row.cells["finqa"].delta is not None


def test_every_export_says_why_there_is_no_average_and_gives_the_mean_of_the_rest(tmp_path: Path) -> None:
    table = build([without_judge(tmp_path / "r")], reported=[])
    said = f"m: mean of the comparable benchmarks {table.rows[0].cells['finqa'].score:.1f} ("
    assert any(note.startswith(said) and "finance_instruct (its reference score" in note for note in table.notes)
    assert "finance\\_instruct (its reference score" in exports.to_markdown(table).text()
    lines = {line["task"]: line for line in csv.DictReader(io.StringIO(exports.to_csv(table).text()))}
    assert "average" not in lines
    assert float(lines["comparable_average"]["score"]) == pytest.approx(float(lines["finqa"]["score"]), abs=1e-3)
    leaderboard.build([tmp_path / "r"], tmp_path / "page.html", reported=False)
    assert "its reference score is no accuracy" in (tmp_path / "page.html").read_text("utf-8")


def test_an_unknown_reference_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no row 'nobody'"):
        build(make_runs(tmp_path, 1, n=10), reference="nobody")


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"finbench": {}}', '{"finbench": {"tasks": {"finqa": {"score": null}}}}']
)
def test_a_folder_that_is_no_run_is_named(tmp_path: Path, text: str) -> None:
    run = make_runs(tmp_path, 1, n=5)[0]
    (run / "results.json").write_text(text)
    with pytest.raises(StoreError, match="no readable run"):
        build([run])


def test_the_same_models_own_scores_come_first_and_are_judged_by_agreement() -> None:
    rows = against_reported(run_of({**five(75.6), "ant_finance": entry(79.0, 1500, 2.1)}), "SUFE-AIFLM-Lab/Fin-R1")
    assert [row.protocol for row in rows[:2]] == ["fin-r1", "fino1"]
    assert all(row.same_model for row in rows[:2])
    assert not any(row.same_model for row in rows[2:])
    mine = rows[0]
    assert mine.cells["finqa"].verdict == "agrees"
    assert mine.cells["finqa"].sentence == "agrees: -0.4 points, chance and rounding explain 4.0 (n 1,000)"
    assert mine.cells["ant_finance"].verdict == "cannot tell"  # 202 questions, assumed
    assert "(n not stated, taken as 202); would agree for n from " in mine.cells["ant_finance"].sentence
    assert mine.cells["finance_instruct"].verdict == "differs"
    assert mine.average is not None
    assert (mine.average.score, mine.average.recomputed, mine.average.verdict) == (75.2, 75.18, "agrees")
    assert rows[1].cells["finqa"].verdict == "differs"  # 58.74 in an independent run
    assert rows[1].average is None


def test_other_models_are_ahead_behind_or_not_distinguishable() -> None:
    rows = {row.model: row for row in against_reported(run_of(five(70.0)), "house/new-model")}
    assert len(rows) == 11
    assert rows["DeepSeek-R1"].cells["finqa"].verdict == "not distinguishable"
    assert rows["DeepSeek-R1"].cells["ant_finance"].verdict == "worse"
    assert rows["DeepSeek-R1-Distill-Qwen-7B"].cells["finqa"].verdict == "better"
    llama = rows["DeepSeek-R1-Distill-Llama-70B"].average
    assert llama is not None
    assert (llama.score, llama.recomputed, llama.flags) == (69.2, 68.8, ("avg_mismatch",))
    assert llama.delta == pytest.approx(1.2)


def test_no_average_without_all_five() -> None:
    assert all(row.average is None for row in against_reported(run_of({"finqa": entry(76.0, 1147, 2.5)}), "m"))


def test_tasks_without_published_scores_have_nothing_beside_them() -> None:
    assert reported_for(run_of({"house_quiz": entry(50.0, 100, 9.0)}), "m") == []


def test_the_reported_part_of_the_results_is_plain_json() -> None:
    text = json.dumps(reported_for(run_of({"finqa_paper": entry(76.0, 1147, 2.5)}), "Fin-R1"), allow_nan=False)
    assert json.loads(text)[0]["cells"]["finqa_paper"]["verdict"] == "agrees"


def test_runs_of_two_protocols_are_never_paired(tmp_path: Path) -> None:
    """The same question under another prompt is another question."""
    asked: list[tuple[str, str, str]] = []

    def pair(first: str, second: str, task: str) -> Difference:
        asked.append((first, second, task))
        return paired([1.0, 1.0, 0.0], [1.0, 0.0, 0.0])

    runs = [write_run(tmp_path / name, name, name, {"finqa": make_samples(30, 0.5)}) for name in ("one", "two")]
    delta = find(build(runs, reported=[], reference="one", pair=pair), "two").cells["finqa"].delta
    assert delta is not None and not delta.paired and asked == []
    runs = [write_run(tmp_path / f"p{name}", name, "p", {"finqa": make_samples(30, 0.5)}) for name in ("one", "two")]
    delta = find(build(runs, reported=[], reference="one", pair=pair), "two").cells["finqa"].delta
    assert delta is not None and delta.paired and delta.mean == pytest.approx(100 / 3)
    assert (str(runs[1]), str(runs[0]), "finqa") in asked


def test_deltas_of_one_column_are_adjusted_for_their_number(tmp_path: Path) -> None:
    found = paired([1.0] * 6 + [0.0] * 20, [0.0] * 26)
    assert found.p == pytest.approx(2 / 2**6)
    runs = [write_run(tmp_path / name, name, tasks={"finqa": make_samples(26, 0.5)}) for name in "abcd"]
    table = build(runs, reported=[], reference="a", pair=lambda first, second, task: found)
    values = [row.cells["finqa"].delta for row in table.rows if row.model != "a"]
    assert [delta.p for delta in values if delta] == pytest.approx([3 * found.p] * 3)
    assert [delta.verdict for delta in values if delta] == ["not distinguishable"] * 3


def test_replies_of_all_tasks_make_the_shares_and_the_tokens_of_a_row(tmp_path: Path) -> None:
    run = write_run(tmp_path / "r", "m", tasks={"finqa": make_samples(30, 0.5), "tfns": make_samples(10, 0.5)})
    results = json.loads((run / "results.json").read_text())
    for name, tokens, unreadable in (("finqa", 100.0, 3), ("tfns", 500.0, 1)):
        results["finbench"]["tasks"][name].update(
            output_tokens_mean=tokens, unreadable=unreadable, truncated=2, errors=0, replies=None
        )
    (run / "results.json").write_text(json.dumps(results))
    (row,) = build([run], reported=[]).rows
    assert (row.output_tokens, row.unreadable, row.truncated, row.errors) == (200.0, 10.0, 10.0, 0.0)


def test_two_rows_of_one_name_have_two_keys(tmp_path: Path) -> None:
    run = write_run(tmp_path / "r", "m", tasks={"finqa": make_samples(5, 0.5)})
    keys = [row.key for row in build([run, run], reported=[]).rows]
    assert len(set(keys)) == 2 and any(key.endswith("~2") for key in keys)


def test_only_the_cells_of_sample_rows_are_flagged(tmp_path: Path) -> None:
    run = write_run(tmp_path / "r", "m", tasks={"finqa": make_samples(5, 0.5), "tfns": make_samples(5, 0.5)})
    results = json.loads((run / "results.json").read_text())
    results["finbench"]["sampled"] = ["tfns"]
    (run / "results.json").write_text(json.dumps(results))
    (row,) = build([run], reported=[]).rows
    assert {name: cell.flags for name, cell in row.cells.items()} == {"finqa": (), "tfns": ("sample_rows",)}
