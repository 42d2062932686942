"""The report of a run and its figures: what they say, and that the same run gives the same bytes."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from fake_runs import make_samples, make_unsure, write_run

from finbench.errors import StoreError
from finbench.pages import report
from finbench.pages.html import markdown_text


def edit_results(run: Path, **changes: Any) -> None:
    path = run / "results.json"
    results = json.loads(path.read_text(encoding="utf-8"))
    results["finbench"].update(changes)
    path.write_text(json.dumps(results), encoding="utf-8")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with everything that a report shows: facets, cut replies, a failed request, judge verdicts."""
    finqa = make_samples(60, 0.6)
    for place, sample in enumerate(finqa):
        sample["facets"] = {"question_type": ("percent", "ratio", "amount")[place % 3], "steps": str(1 + place % 12)}
        sample["output_tokens"] = 100 + 7 * place
        sample["seconds"] = place / 10
    finqa[3] |= {"reason": "truncated", "correct": False, "finish": "length", "extracted": None}
    finqa[4] |= {"reason": "error", "correct": False, "finish": "error", "error": "HTTP 503 from the server"}
    judged = make_samples(40, 0.5, seed=1)
    for place, sample in enumerate(judged):
        verdict = "right" if sample["correct"] != (place == 5) else "wrong"
        sample["judge"] = {"verdict": verdict, "model": "judge/one", "text": json.dumps({"verdict": verdict})}
        sample["text"] = f"<think>{'hm ' * 50}</think>The final words {place}"
    folder = write_run(
        tmp_path_factory.mktemp("report") / "run",
        "org/a model",
        tasks={"finqa": finqa, "finance_instruct": judged},
        manifest={"command": ["finbench", "run", "--model", "org/a model"], "settings": {"max_tokens": 512}},
    )
    tasks = json.loads((folder / "results.json").read_text())["finbench"]["tasks"]
    agreement = {"both_right": 19, "judge_only": 1, "grader_only": 0, "both_wrong": 20, "unparsed": 0, "kappa": 0.95}
    tasks["finance_instruct"]["judge"] = agreement
    edit_results(folder, tasks=tasks)
    return folder


@pytest.fixture(scope="module")
def written(run: Path) -> tuple[str, str]:
    html, markdown = report.write(run)
    return html.read_text(encoding="utf-8"), markdown.read_text(encoding="utf-8")


def test_the_same_run_gives_the_same_bytes(run: Path, written: tuple[str, str]) -> None:
    paths = report.write(run)
    assert [path.name for path in paths] == ["report.html", "report.md"]
    assert tuple(path.read_text(encoding="utf-8") for path in paths) == written


def test_the_page_needs_no_script_and_loads_nothing(written: tuple[str, str]) -> None:
    html = written[0]
    assert "<script" not in html
    assert "default-src &#39;none&#39;" in html
    assert not re.findall(r"""(?:src|href|url)\s*[=(]\s*["']?(?!#)[a-z]""", re.sub(r'xlink:href="#', "", html))


@pytest.mark.parametrize("form", [0, 1], ids=["html", "markdown"])
@pytest.mark.parametrize(
    "words",
    [
        "org/a model",
        "finbench run --model",
        "Replies cut off at the token limit",
        "Failed requests, counted as wrong",
        "Why answers were not right",
        "Strict against lenient",
        "Length of the replies",
        "Accuracy by length of the reply",
        "FinQA by type of question",
        "FinQA by number of program steps",
        "kappa 0.95",
    ],
)
def test_a_report_says(words: str, form: int, written: tuple[str, str]) -> None:
    assert words in written[form]


def test_the_page_lists_what_went_wrong(written: tuple[str, str]) -> None:
    html = written[0]
    assert "HTTP 503 from the server" in html
    assert "The final words" in html  # the end of a reply, without the thinking before it
    assert "hm hm" not in html
    assert html.index("q59") < html.index("q58")  # the slowest first


def test_only_the_disputed_sample_is_listed_beside_the_judge(written: tuple[str, str]) -> None:
    assert len(re.findall(r"grader: \w+, judge: \w+", written[0])) == 1


def test_program_steps_are_in_the_order_of_numbers(run: Path) -> None:
    steps = next(plot for plot in report.gather(run)["plots"] if "steps" in plot.name)
    assert [row[0] for row in steps.rows] == [str(number) for number in range(1, 13)]


def test_figures_are_files_too(run: Path, tmp_path: Path) -> None:
    files = [path for path in report.write(run, plots_dir=tmp_path / "plots") if path.suffix == ".svg"]
    assert {"scores.svg", "reasons.svg", "strictness.svg", "tokens.svg", "length.svg"} <= {path.name for path in files}
    for path in files:
        ET.fromstring(path.read_text(encoding="utf-8"))
        assert "var(--" not in path.read_text(encoding="utf-8")


def beside(score: float, printed: str, verdict: str, **more: Any) -> dict[str, Any]:
    return {
        "score": score,
        "printed": printed,
        "verdict": verdict,
        "delta": 3.0,
        "recomputed": None,
        "sentence": "",
        **more,
    }


def test_reported_rows_stand_beside_the_run_as_printed(run: Path, tmp_path: Path) -> None:
    common = {"params": "7B", "protocol": "p", "title": "A paper", "source": "arXiv 1", "url": "", "note": "How."}
    rows = [
        {"model": "other", "same_model": False, "cells": {"finqa": beside(68.0, "68.0", "better")},
         "average": beside(69.2, "69.2", "worse", recomputed=68.8), **common},
        {"model": "a model", "same_model": True,
         "cells": {"finqa": beside(76.0, "76.0", "agrees", sentence="agrees: +3.0 points")},
         "average": None, **common},
    ]  # fmt: skip
    results = json.loads((run / "results.json").read_text())["finbench"]
    found = report._reported({**results, "reported": rows})
    assert found is not None
    assert [row["label"] for row in found["rows"]] == ["this run", "a model 7B", "other 7B"]
    assert found["rows"][2]["cells"][0] == {"text": "68.0", "note": "▲ +3.0"}
    assert found["rows"][2]["cells"][-1]["text"] == "69.2 (68.8 recomputed)"
    assert found["verdicts"] == ["FinQA, A paper (76.0): agrees: +3.0 points"]


def test_sample_rows_are_said_to_be_no_benchmark(run: Path, tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", tasks={"finqa": make_samples(5, 1.0)})
    edit_results(folder, sampled=["finqa"])
    for path in report.write(folder):
        assert "not the benchmarks" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "samples", [[], [{"correct": True}], [{"reason": "error", "finish": "error", "output_tokens": None}]]
)
def test_the_smallest_runs_have_a_report(samples: list[dict[str, Any]], tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", tasks={"tfns": samples} if samples else {})
    html, markdown = report.write(folder)
    assert html.stat().st_size > 1000
    assert markdown.stat().st_size > 100


def test_a_folder_without_results_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="finbench score"):
        report.write(tmp_path)


def test_markdown_cells_cannot_break_their_table(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", "a|b\n<i>c", tasks={"x|y": make_samples(3, 0.5)})
    text = report.write(folder)[1].read_text(encoding="utf-8")
    assert "<i>" not in re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    tables = [line for line in text.splitlines() if line.startswith("|")]
    assert all(len(re.findall(r"(?<!\\)\|", line)) >= 3 for line in tables)
    assert markdown_text("x|y") in text


def test_original_and_resampled_questions_stand_side_by_side(tmp_path: Path) -> None:
    original = [{"id": f"q{i}", "correct": i < 30} for i in range(40)]
    variants = [{"id": f"v{i}", "correct": i < 10, "row": {"original": f"q{i}"}} for i in range(40)]
    run = write_run(tmp_path / "run", tasks={"finqa": original, "finqa_resampled": variants})
    html, markdown = (path.read_text(encoding="utf-8") for path in report.write(run))
    for text in (html, markdown):
        assert "20 are right with the published numbers only, 0 with the new ones only" in text
        assert "lies above 0: a sign of memory" in text
    assert "| drop | 50.0 |" in markdown


def test_a_drop_whose_interval_holds_zero_is_no_sign_of_memory(tmp_path: Path) -> None:
    original = [{"id": f"q{i}", "correct": i < 30} for i in range(40)]
    variants = [{"id": f"v{i}", "correct": i < 29, "row": {"original": f"q{i}"}} for i in range(40)]
    run = write_run(tmp_path / "run", tasks={"finqa": original, "finqa_resampled": variants})
    for path in report.write(run):
        text = path.read_text(encoding="utf-8")
        assert "holds 0: no evidence of memory" in text and "sign of memory" not in text


@pytest.mark.parametrize(("by", "points", "said"), [("grader", 4, True), ("grader", 1, False), ("reference", 4, False)])
def test_points_lost_to_form_are_said_from_two_on_and_of_the_graders_score_only(
    by: str, points: int, said: bool, tmp_path: Path
) -> None:
    samples = [{"id": f"q{i}", "correct": i < 50, "lenient": i < 50 + points} for i in range(100)]
    run = write_run(tmp_path / "run", tasks={"finqa": samples})
    tasks = json.loads((run / "results.json").read_text())["finbench"]["tasks"]
    tasks["finqa"]["verdict_by"] = by
    edit_results(run, tasks=tasks)
    assert ("Points lost to form alone" in report.write(run)[1].read_text(encoding="utf-8")) == said


def test_without_an_average_the_report_gives_the_mean_of_the_rest_and_why(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", tasks={"finqa": make_samples(50, 0.5), "tfns": make_samples(50, 0.5)})
    mean = {"score": 48.25, "ci": [44.0, 52.0], "tasks": ["finqa", "tfns"], "left_out": {"convfinqa": "not run"}}
    edit_results(run, average=None, comparable_average=mean)
    for path in report.write(run):
        text = path.read_text(encoding="utf-8")
        assert "mean of 2" in text and "48.2" in text and "no average: convfinqa (not run)" in text


def test_metrics_are_printed_with_their_intervals(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", tasks={"convfinqa": make_samples(50, 0.5)})
    tasks = json.loads((run / "results.json").read_text())["finbench"]["tasks"]
    tasks["convfinqa"]["metrics"] = {
        "acc": 0.5,
        "acc_ci": [0.4, 0.6],
        "final_turn_acc": 0.7,
        "final_turn_acc_ci": [0.6, 0.8],
    }
    edit_results(run, tasks=tasks)
    assert "0.7 (0.6 to 0.8)" in report.write(run)[0].read_text(encoding="utf-8")


def test_variants_of_other_questions_leave_no_section(tmp_path: Path) -> None:
    variants = [{"id": "v1", "row": {"original": "another"}}]
    run = write_run(tmp_path / "run", tasks={"finqa": make_samples(4, 0.5), "finqa_resampled": variants})
    assert "Original and resampled" not in report.write(run)[0].read_text(encoding="utf-8")


def test_the_unsure_share_its_range_and_the_rivals_are_in_both_forms(tmp_path: Path) -> None:
    html, markdown = (
        path.read_text(encoding="utf-8")
        for path in report.write(write_run(tmp_path / "run", tasks={"finqa": make_unsure()}))
    )
    assert "10.0 %<br><small>45.0 to 55.0</small>" in html
    assert "10.0 % of the verdicts are unsure: 45.0 to 55.0" in html, "and the average's"
    assert "| 10.0 % | 45.0 to 55.0 |" in markdown
    assert 'right, unsure: <span class="foreign">&lt;b&gt;0 | 7&lt;/b&gt; stands behind it' in html
    assert 'wrong, unsure: <span class="foreign">&lt;b&gt;19 | 7&lt;/b&gt; stands behind it' in html
    rows = [line for line in markdown.splitlines() if "stands behind it" in line]
    assert len(rows) == 2 and all(row.replace("\\|", "").count("|") == 7 and "<b>" not in row for row in rows)


def test_a_run_older_than_certainty_has_a_report_without_it(written: tuple[str, str]) -> None:
    assert "Unsure verdicts" not in written[0] and "Unsure verdicts" not in written[1]


def test_a_judges_verdicts_are_not_listed_as_unsure(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", tasks={"finqa": make_unsure()})
    tasks = json.loads((folder / "results.json").read_text())["finbench"]["tasks"]
    tasks["finqa"] |= {"verdict_by": "judge", "unsure": None, "range": None}
    edit_results(folder, tasks=tasks, average=None)
    assert "stands behind it" not in "".join(path.read_text(encoding="utf-8") for path in report.write(folder))
