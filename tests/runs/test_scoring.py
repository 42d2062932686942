"""Stored replies to grades: failures, replies that were cut, lm-eval's own code, both golds, and the stored document."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from finbench import grading
from finbench.records import Answer, Document, Gold, Grade, Response
from finbench.runs import scoring
from finbench.runs.store import Stored


def document(kind: Any = "number", *golds: Gold, **fields: Any) -> Document:
    return Document("a", "t", "what was the growth rate?", Answer(kind), golds or (Gold("14"),), **fields)


def said(text: str = "\\boxed{14}", finish: Any = "stop", **fields: Any) -> Response:
    return Response("r", text, finish, **fields)


def test_a_reply_is_graded_by_the_kind_of_its_answer() -> None:
    assert scoring.grade(document(), [said()]).correct
    wrong = scoring.grade(document(), [said("\\boxed{15}")])
    assert (wrong.correct, wrong.extracted) == (False, "15")


@pytest.mark.parametrize("responses", [[], [said(finish="error")], [said(), said(finish="error")]])
def test_no_reply_and_a_failed_one_are_errors_whatever_the_others_say(responses: list[Response]) -> None:
    found = scoring.grade(document(), responses)
    assert (found.correct, found.reason, found.certainty) == (False, "error", "sure")


CUT = [
    (said("so 14", "length"), True, False, "cut inside the thinking that the template opened"),
    (said("so 14", "length"), False, True, "a template that opens no thinking: it is an answer"),
    (said("so</think> \\boxed{14}", "length"), True, True, "the thinking was closed"),
    (said("\\boxed{14}", "length", reasoning="so"), True, True, "the server keeps the thinking apart"),
    (said("\\boxed{14}", "stop"), True, True, "not cut"),
]


@pytest.mark.parametrize(("response", "opened", "correct", "why"), CUT, ids=[case[3] for case in CUT])
def test_a_reply_cut_inside_its_thinking_came_to_no_answer(
    response: Response, opened: bool, correct: bool, why: str
) -> None:
    found = scoring.grade(document(), [response], opened=opened)
    assert (found.correct, found.reason == "truncated") == (correct, not correct)
    assert found.certainty == "sure"


def test_a_task_with_lm_evals_own_scoring_grades_every_text_without_its_thinking() -> None:
    seen: list[Any] = []

    def own_grade(*given: Any) -> Grade:
        seen.extend(given)
        return Grade(True, "equal", metrics={"acc,none": 1.0})

    replies = [said("<think>no</think>yes"), said("no")]
    asked = document("lm_eval")
    found = scoring.grade(asked, replies, SimpleNamespace(own_grade=own_grade))  # type: ignore[arg-type]
    assert found.metrics == {"acc,none": 1.0}
    assert seen == [asked, replies, ["yes", "no"]]
    with pytest.raises(ValueError, match="t is scored by lm-eval's own code, which needs the task"):
        scoring.grade(asked, replies)


def test_a_reply_cut_while_thinking_keeps_lm_evals_metrics_of_no_answer() -> None:
    seen: list[Any] = []

    def own_grade(_: object, __: object, texts: list[str]) -> Grade:
        seen[:] = texts
        return Grade(True, "equal", lenient=True, metrics={"f1,none": 0.5})

    task: Any = SimpleNamespace(own_grade=own_grade)
    cut = said("first I add", "length")
    found = scoring.grade(document("lm_eval"), [cut], task, opened=True)
    assert (found.reason, found.correct, found.lenient, found.metrics) == ("truncated", False, False, {"f1,none": 0.5})
    assert seen == [""]
    assert scoring.grade(document("lm_eval"), [cut, said("</think>7")], task, opened=True).correct
    assert seen == ["", "7"], "one of several replies came to its answer"


def test_lm_evals_scoring_that_breaks_on_a_reply_is_a_failed_sample_and_not_the_end_of_the_run() -> None:
    def broken(*_: object) -> Grade:
        raise AssertionError("Need at least 8 responses")

    task: Any = SimpleNamespace(own_grade=broken)
    found = scoring.grade(document("lm_eval"), [said()], task)
    assert found.reason == "error" and "AssertionError: Need at least 8 responses" in found.rule


def test_a_grader_that_breaks_is_a_failed_sample_and_says_where(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*given: Any, **named: Any) -> Grade:
        raise KeyError("x" * 500)

    monkeypatch.setattr(grading, "grade", broken)
    found = scoring.grade(document(), [said()])
    assert (found.correct, found.reason) == (False, "error")
    assert found.rule.startswith("the grader broke: KeyError: 'xxx") and len(found.rule) == 200


def test_a_row_with_two_golds_is_graded_by_each_alone() -> None:
    both = scoring.grade(document("number", Gold("14", "executed"), Gold("14.0", "display")), [said()])
    assert (both.metrics["acc_executed"], both.metrics["acc_display"]) == (1.0, 1.0), (
        "the one that was not hit first too"
    )
    conflict = (Gold("10", "executed"), Gold("99", "display"))
    for answer, executed, display in (("10", 1.0, 0.0), ("99", 0.0, 1.0), ("5", 0.0, 0.0)):
        found = scoring.grade(document("number", *conflict), [said(f"\\boxed{{{answer}}}")])
        assert (found.metrics["acc_executed"], found.metrics["acc_display"]) == (executed, display)
        assert found.correct is bool(executed or display)


def test_a_row_with_one_gold_has_no_score_by_gold() -> None:
    assert not scoring.grade(document(), [said()]).metrics
    twice = document("number", Gold("14", "executed"), Gold("14.0", "executed"))
    assert not scoring.grade(twice, [said()]).metrics


def test_free_text_has_its_reference_score_and_a_page_its_audit() -> None:
    free = scoring.grade(document("text", Gold("credit risk")), [said("It is credit risk.")])
    assert free.metrics == {"reference": 1.0}
    paged = scoring.grade(document(cells=("7", "2")), [said("7 × 2 = 14. \\boxed{14}", reasoning="7 × 2 = 15")])
    assert paged.metrics["wrong_calculation_share"] == 0.5, "the reasoning that a server keeps apart is audited too"


def stored(row: str) -> Stored:
    fields = dict.fromkeys(Stored.__annotations__)
    return Stored(**{**fields, "id": "a", "row": row, "target": "gold"})  # type: ignore[arg-type]


def test_a_stored_row_is_its_document_and_a_foreign_one_is_scored_by_lm_evals_code() -> None:
    ours = scoring.stored_document(
        "t", stored('{"id": "a", "question": "?", "gold": "1", "answer": {"kind": "number"}}')
    )
    assert (ours.answer.kind, ours.golds[0].text, ours.task) == ("number", "1", "t")
    theirs = scoring.stored_document("t", stored('{"question": 7, "answer": "x"}'))
    assert (theirs.id, theirs.question, theirs.answer.kind, theirs.golds[0].text) == ("a", "7", "lm_eval", "gold")
    assert theirs.row == {"question": 7, "answer": "x"}
    assert scoring.stored_document("t", stored("{}")).question == ""
