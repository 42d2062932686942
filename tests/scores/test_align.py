"""Two runs side by side: which questions they share, by content."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from finbench.errors import StoreError
from finbench.scores.align import Unaligned, align, open_run, read_questions, read_sample


def line(name: str, score: float = 1.0, **fields: Any) -> dict[str, Any]:
    ours = {
        "id": name,
        "reason": "equal",
        "cluster": "p",
        "question": f"{name}?",
        "extracted": "1",
        "correct": score == 1,
    }
    plain = {"doc_id": 3, "doc_hash": fields.pop("doc", "d"), "prompt_hash": fields.pop("prompt", "x"), "acc": score}
    return {**plain, "finbench": {**ours, **fields}}


def write(path: Path, *lines: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(one) + "\n" for one in lines), encoding="utf-8")
    return path


def test_repeats_are_averaged_and_the_first_one_is_shown(tmp_path: Path) -> None:
    lines = [line("a", 1.0, reason="equal"), line("b", 0.0), line("a", 0.0, reason="different"), line("a", 0.0)]
    files = (write(tmp_path / "s.jsonl", *lines),)
    found = read_questions(files, "grader")
    assert {name: question.score for name, question in found.items()} == {"a": pytest.approx(1 / 3), "b": 0.0}
    assert (found["a"].reason, found["a"].cluster, found["a"].offset) == ("equal", "p", 0)
    shown = read_sample(files, found["b"])
    assert (shown.doc_id, shown.question, shown.extracted, shown.reason) == (3, "b?", "1", "equal")


def test_the_judges_verdict_is_the_score_where_it_stands(tmp_path: Path) -> None:
    files = (write(tmp_path / "s.jsonl", line("a", 0.0, judge={"verdict": "right"}, correct=False)),)
    assert [read_questions(files, by)["a"].score for by in ("grader", "judge")] == [0.0, 1.0]


def test_parts_of_a_group_keep_their_questions_apart(tmp_path: Path) -> None:
    files = (write(tmp_path / "one.jsonl", line("a")), write(tmp_path / "two.jsonl", line("a", 0.0, extracted=None)))
    found = read_questions(files, "grader")
    assert {name: (question.score, question.file) for name, question in found.items()} == {
        "one a": (1.0, 0),
        "two a": (0.0, 1),
    }
    assert read_sample(files, found["two a"]).extracted is None


def test_questions_align_by_content_and_what_does_not_is_counted(tmp_path: Path) -> None:
    first = read_questions((write(tmp_path / "a.jsonl", *map(line, "abcd")),), "grader")
    others = [line("d"), line("b", doc="changed"), line("c", prompt="changed"), line("e"), line("f")]
    second = read_questions((write(tmp_path / "b.jsonl", *others),), "grader")
    same, out = align(first, second)
    assert same == ["c", "d"], "in the first run's order"
    assert out == Unaligned(only_first=1, only_second=2, changed_document=1, changed_prompt=1)
    said = "1 only in the first run, 2 only in the second run, 1 left out because the document changed, "
    assert str(out) == said + "1 compared although the prompt changed"
    assert str(Unaligned(0, 0, 0, 0)) == ""


def test_a_damaged_samples_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    path.write_text('{"finbench": {}}\n')
    with pytest.raises(StoreError, match="`finbench score` writes it anew"):
        read_questions((path,), "grader")


def test_a_run_has_its_tasks_by_benchmark_and_the_benchmarks_of_its_average(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(json.dumps({"run_id": "r", "model": "m", "protocol": "paper"}))
    tasks = {"finqa_paper": {"verdict_by": "grader"}, "g": {"subtasks": ["g one", "g_two"], "verdict_by": "judge"}}
    results = {"finbench": {"tasks": tasks, "average": {"tasks": ["finqa_paper"]}}}
    (tmp_path / "results.json").write_text(json.dumps(results))
    run = open_run(tmp_path)
    assert (run.run_id, run.model, run.protocol, run.suite) == ("r", "m", "paper", ("finqa",))
    assert [(name, task.name, task.by) for name, task in run.tasks.items()] == [
        ("finqa", "finqa_paper", "grader"),
        ("g", "g", "judge"),
    ]
    assert len(run.tasks["g"].files) == 2 and run.tasks["finqa"].files[0].name == "samples_finqa_paper.jsonl"
    results["finbench"]["average"] = None
    (tmp_path / "results.json").write_text(json.dumps(results))
    assert open_run(tmp_path).suite == ()


def test_a_folder_without_results_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no readable run"):
        open_run(tmp_path)
