"""What a task's entry counts: conversations, conflicts, repeats, and the judge's verdicts."""

from __future__ import annotations

from typing import Any

import pytest

from finbench.records import Answer, Document, Gold, Grade, Response
from finbench.scores.intervals import estimate
from finbench.scores.tally import Tally

SAID = [Response("r", "1", "stop")]


def document(name: str, kind: str = "number", **fields: Any) -> Document:
    return Document(name, "t", "how much?", Answer(kind=kind), (Gold("1"),), **fields)


def grade(right: bool, **fields: Any) -> Grade:
    return Grade(correct=right, reason="equal" if right else "different", value="1" if right else "2", **fields)


def turns(conversations: list[list[bool]]) -> dict[str, Any]:
    """The metrics of conversations given as the verdicts on their turns."""
    tally = Tally()
    for number, verdicts in enumerate(conversations):
        for turn, right in enumerate(verdicts):
            flags = ("final_turn",) if turn == len(verdicts) - 1 else ()
            where = {"cluster": f"c{number}", "facets": {"turn": str(turn)}, "flags": flags}
            tally.add(document(f"{number}/{turn}", **where), [(SAID, grade(right), None)])
    return tally.summary()["metrics"]


def test_a_conversation_is_right_when_every_turn_is_and_a_later_right_turn_mends_nothing() -> None:
    metrics = turns([[True, True], [False, True], [True, False], [False, False]])
    assert (metrics["conversation_acc"], metrics["final_turn_acc"], metrics["conversations"]) == (0.25, 0.5, 4)


def test_shares_over_conversations_have_the_interval_of_as_many_conversations() -> None:
    metrics = turns([[True, i % 3 > 0] for i in range(30)])
    expected = estimate([float(i % 3 > 0) for i in range(30)])
    for name in ("conversation_acc", "final_turn_acc"):
        assert metrics[f"{name}_ci"] == pytest.approx([expected.low, expected.high], abs=1e-6)


def test_a_conversation_whose_last_turn_was_never_asked_is_missing_and_not_wrong() -> None:
    tally = Tally()
    for number in range(3):
        flags = ("final_turn",) if number else ()
        asked = document(f"d{number}", cluster=f"c{number}", facets={"turn": "0"}, flags=flags)
        tally.add(asked, [(SAID, grade(True), None)])
    metrics = tally.summary()["metrics"]
    assert (metrics["conversations"], metrics["conversation_acc"], metrics["final_turn_acc"]) == (2, 1.0, 1.0)


def test_accuracy_without_conflicts_leaves_out_the_known_conflicts_and_nothing_else() -> None:
    tally = Tally()
    for number in range(10):
        flags = ("known_conflict",) if number < 4 else ()
        tally.add(document(f"d{number}", flags=flags), [(SAID, grade(number >= 4), None)])
    metrics = tally.summary()["metrics"]
    assert (metrics["acc"], metrics["acc_without_conflicts"], metrics["n_without_conflicts"]) == (0.6, 1.0, 6)
    assert metrics["acc_without_conflicts_ci"][0] < 1


def test_repeats_give_pass_at_every_power_of_two_and_at_all_of_them() -> None:
    tally = Tally()
    for number, right in enumerate((5, 1, 0)):
        tally.add(document(f"d{number}"), [(SAID, grade(place < right), None) for place in range(5)])
    metrics = tally.summary()["metrics"]
    assert [name for name in metrics if name.startswith("pass@") and not name.endswith("_ci")] == [
        "pass@1", "pass@2", "pass@4", "pass@5"
    ]  # fmt: skip
    assert metrics["pass@1"] == pytest.approx((1 + 0.2 + 0) / 3, abs=1e-6)
    assert metrics["pass@2"] == pytest.approx((1 + 0.4 + 0) / 3, abs=1e-6)  # Chen et al. 2021: 1 - C(4, 2) / C(5, 2)
    assert metrics["pass@5"] == pytest.approx(2 / 3, abs=1e-6)
    assert metrics["pass@2_ci"][0] < metrics["pass@2"] < metrics["pass@2_ci"][1]


def test_every_share_among_the_metrics_has_an_interval() -> None:
    tally = Tally()
    labelled = document("d", "label", cluster="c")
    for number in range(4):
        found = grade(number > 0, metrics={"grounded_share": number / 4})
        tally.add(labelled, [(SAID, found, None), (SAID, grade(True), None)])
    metrics = tally.summary()["metrics"]
    shares = [name for name, value in metrics.items() if isinstance(value, float)]
    assert {"acc", "macro_f1", "pass@2", "majority", "grounded_share"} <= set(shares)
    assert [name for name in shares if f"{name}_ci" not in metrics] == []


JUDGED = {
    "right": {"verdict": "right"},
    "wrong": {"verdict": "wrong"},
    "failed": {"verdict": "error", "error": "HTTP 400"},
}


def judged(verdicts: list[str], kind: str = "text") -> dict[str, Any]:
    """The entry of a task whose headline is the judge's; the grader finds every reply wrong, its reference score is 0.3."""
    tally = Tally(judged=True)
    for number, said in enumerate(verdicts):
        verdict = grade(False, metrics={"reference": 0.3})
        tally.add(document(f"d{number}", kind), [(SAID, verdict, JUDGED.get(said))])
    return tally.summary()


def test_a_failed_judge_request_counts_as_wrong_and_leaves_the_headline_the_judges() -> None:
    entry = judged(["right"] * 41 + ["failed"])
    assert (entry["verdict_by"], entry["score"]) == ("judge", pytest.approx(100 * 41 / 42, abs=1e-3))
    assert (entry["judge"]["failed"], entry["judge"]["failures"]) == (1, {"HTTP 400": 1})


def test_what_a_judge_was_never_asked_is_missing_and_counted() -> None:
    entry = judged(["right", "wrong", "unasked"])
    assert (entry["verdict_by"], entry["score"], entry["judge"]["unasked"]) == ("judge", 50.0, 1)


def test_repeats_that_a_judge_was_never_asked_about_do_not_count_as_wrong() -> None:
    tally = Tally(judged=True)
    tally.add(document("d", "text"), [(SAID, grade(False), JUDGED["right"]), (SAID, grade(False), None)])
    entry = tally.summary()
    assert (entry["score"], entry["judge"]["unasked"]) == (100.0, 1)


def test_without_a_judge_free_text_prints_one_number_under_score_and_lenient() -> None:
    entry = judged(["unasked"] * 10)
    assert (entry["verdict_by"], entry["score"], entry["lenient"]) == ("reference", 30.0, 30.0)
    assert entry["lenient_ci"] == entry["ci"]
    assert entry["metrics"]["acc"] == 0.0
