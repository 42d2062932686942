"""Stored replies to verdicts: failures, replies that were cut off, and the scoring that a task brings along."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from finbench.records import Answer, Document, Gold, Grade, Response
from finbench.runs import scoring

OURS = Document("d", "t", "How much?", Answer("number"), (Gold("7"),), row={"id": "d"})
OTHERS = Document("d", "t", "How much?", Answer("lm_eval"), (Gold("7"),), row={"id": "d"})


def reply(text: str, finish: Any = "stop", **fields: Any) -> Response:
    return Response("r", text, finish, **fields)


class Own:
    """A task with scoring of its own, which tells what it was given."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def own_grade(self, document: Document, responses: Sequence[Response], texts: Sequence[str]) -> Grade:
        self.texts = list(texts)
        return Grade(True, "equal", rule="lm-eval", lenient=True, metrics={"f1,none": 0.5})


def test_a_failed_reply_is_an_error_and_so_is_one_among_several_scored_together() -> None:
    assert scoring.grade(OURS, [reply("", "error")]).reason == "error"
    assert scoring.grade(OURS, []).reason == "error"
    task: Any = Own()
    assert scoring.grade(OTHERS, [reply("7"), reply("", "error")], task).reason == "error" and not task.texts


def test_the_tasks_own_scoring_sees_every_reply_without_its_thinking() -> None:
    task: Any = Own()
    verdict = scoring.grade(OTHERS, [reply("<think>5?</think>7"), reply("8")], task)
    assert task.texts == ["7", "8"] and verdict.metrics == {"f1,none": 0.5}


def test_a_reply_cut_off_while_thinking_is_truncated_and_lm_evals_metrics_of_no_answer_are_kept() -> None:
    cut = reply("first I add", "length")
    assert scoring.grade(OURS, [cut], opened=True).reason == "truncated"
    task: Any = Own()
    verdict = scoring.grade(OTHERS, [cut], task, opened=True)
    assert (verdict.reason, verdict.correct, verdict.metrics) == ("truncated", False, {"f1,none": 0.5})
    assert task.texts == [""]
    assert scoring.grade(OTHERS, [cut, reply("</think>7")], task, opened=True).correct and task.texts[0] == ""


@pytest.mark.parametrize("text", ["done</think> \\boxed{7}", "\\boxed{7}"])
def test_a_reply_that_came_to_its_answer_is_read_however_it_ended(text: str) -> None:
    assert scoring.grade(OURS, [reply(text, "length" if "</think>" in text else "stop")], opened=True).correct


def test_scoring_that_breaks_on_a_reply_is_a_failed_sample_in_words_and_not_the_end_of_the_run() -> None:
    def broken(*_: object) -> Grade:
        raise AssertionError("Need at least 8 responses")

    task: Any = SimpleNamespace(own_grade=broken)
    verdict = scoring.grade(OTHERS, [reply("7")], task)
    assert verdict.reason == "error" and "AssertionError: Need at least 8 responses" in verdict.rule


def test_lm_evals_scoring_needs_the_task() -> None:
    with pytest.raises(ValueError, match="needs the task"):
        scoring.grade(OTHERS, [reply("7")])
