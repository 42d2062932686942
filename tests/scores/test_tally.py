"""What is counted of a task: verdicts, repeats, conversations, conflicts, judge and reference, and the metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from finbench.records import Answer, Document, Gold, Grade, Response
from finbench.scores.intervals import estimate, wilson
from finbench.scores.tally import Tally, agreement, percent


def document(name: str, kind: Any = "number", gold: str = "1", **fields: Any) -> Document:
    return Document(name, "t", "how many?", Answer(kind), (Gold(gold),), **fields)


def said(tokens: int | None = 10, finish: Any = "stop") -> list[Response]:
    return [Response("r", "1", finish, prompt_tokens=100, output_tokens=tokens)]


def grade(correct: bool, reason: str = "", **fields: Any) -> Grade:
    return Grade(correct, reason or ("equal" if correct else "different"), **fields)


def counted(
    samples: Sequence[tuple[Document, Sequence[Grade]]], judged: bool = False, verdicts: Sequence[str] = ()
) -> Tally:
    """A tally of documents with the grades of their repeats; `verdicts` are a judge's on the first reply of each."""
    tally = Tally(judged)
    for place, (asked, grades) in enumerate(samples):
        judgement = {"verdict": verdicts[place]} if place < len(verdicts) and verdicts[place] else None
        tally.add(asked, [(said(), verdict, judgement) for verdict in grades])
    return tally


def metrics(samples: Sequence[tuple[Document, Sequence[Grade]]], **fields: Any) -> Mapping[str, Any]:
    found: Mapping[str, Any] = counted(samples, **fields).summary()["metrics"]
    return found


def test_score_and_lenient_score_are_means_with_intervals() -> None:
    samples = [(document(str(i)), [grade(i < 3, lenient=i < 5)]) for i in range(10)]
    entry = counted(samples).summary()
    assert (entry["n"], entry["score"], entry["lenient"], entry["verdict_by"]) == (10, 30.0, 50.0, "grader")
    assert entry["ci"] == [percent(end) for end in wilson(0.3, 10)]
    assert entry["lenient_ci"] == [percent(end) for end in wilson(0.5, 10)]
    assert entry["clusters"] == 10 and entry["design_effect"] == 1.0


def test_replies_are_counted_by_reason_and_unreadable_ones_are_no_errors() -> None:
    reasons = ["equal", "different", "no_answer", "truncated", "error", "error"]
    entry = counted([(document(r), [grade(r == "equal", r)]) for r in reasons]).summary()
    assert entry["reasons"]["error"] == 2 and entry["replies"] == 6
    assert (entry["errors"], entry["truncated"]) == (2, 1)
    assert entry["unreadable"] == sum(entry["reasons"].get(r, 0) for r in ("no_answer", "truncated"))


def test_a_reply_that_was_cut_counts_as_truncated_whatever_its_verdict() -> None:
    tally = Tally()
    tally.add(document("a"), [(said(finish="length"), grade(True), None)])
    assert tally.summary()["truncated"] == 1


def test_tokens_are_averaged_over_the_replies_that_have_them() -> None:
    tally = Tally()
    for tokens in (10, 20, None):
        tally.add(document(str(tokens)), [(said(tokens), grade(True), None)])
    entry = tally.summary()
    assert (entry["output_tokens_mean"], entry["tokens"]) == (15.0, {"prompt": 200, "output": 30})
    silent = Tally()
    silent.add(document("a"), [(said(None), grade(True), None)])
    assert (silent.summary()["output_tokens_mean"], silent.summary()["tokens"]) == (None, None)


def test_repeats_are_averaged_first_and_give_pass_and_majority() -> None:
    one = [grade(True, value="7"), grade(True, value="7"), grade(False, value="8"), grade(False, value="9")]
    none = [grade(False, value="8")] * 4
    tally = counted([(document("a"), one), (document("b"), none)])
    entry = tally.summary()
    assert (entry["n"], entry["score"], entry["replies"]) == (2, 25.0, 8)
    assert (entry["metrics"]["pass@4"], entry["metrics"]["majority"]) == (0.5, 0.5)
    assert "majority" not in metrics([(document("a"), [grade(True)])])


def turn(conversation: str, number: int, last: bool = False) -> Document:
    flags = ("final_turn",) if last else ()
    return document(f"{conversation}{number}", cluster=conversation, facets={"turn": str(number)}, flags=flags)


def test_a_conversation_is_right_when_every_turn_is_and_its_last_turn_counts_apart() -> None:
    found = metrics(
        [
            (turn("a", 1), [grade(True)]),
            (turn("a", 2, last=True), [grade(True)]),
            (turn("b", 1), [grade(False)]),
            (turn("b", 2, last=True), [grade(True)]),
            (turn("c", 1), [grade(True)]),
            (turn("c", 2, last=True), [grade(False)]),
            (turn("d", 1), [grade(False)]),
            (turn("d", 2, last=True), [grade(True)]),
        ]
    )
    assert (found["conversations"], found["conversation_acc"], found["final_turn_acc"]) == (4, 0.25, 0.75)


def test_a_conversation_with_a_turn_that_is_right_in_half_of_its_repeats_is_not_right() -> None:
    found = metrics(
        [(turn("a", 1), [grade(True), grade(True)]), (turn("a", 2, last=True), [grade(True), grade(False)])]
    )
    assert (found["conversation_acc"], found["final_turn_acc"]) == (0.0, 0.5)


def test_questions_without_turns_are_no_conversations() -> None:
    assert "conversation_acc" not in metrics([(document("a", cluster="page"), [grade(True)])])


def test_rows_with_contradictory_golds_are_left_out_of_a_score_of_their_own() -> None:
    conflict = document("b", flags=("known_conflict",))
    found = metrics([(document("a"), [grade(True)]), (conflict, [grade(False)]), (document("c"), [grade(True)])])
    assert (found["acc"], found["acc_without_conflicts"], found["n_without_conflicts"]) == (0.666667, 1.0, 2)
    assert "acc_without_conflicts" not in metrics([(document("a"), [grade(True)])]), "the same number twice"
    assert "acc_without_conflicts" not in metrics([(conflict, [grade(True)])]), "nothing is left"


def test_clusters_widen_the_interval() -> None:
    samples = [(document(str(i), cluster=f"p{i // 4}"), [grade(i // 4 % 2 == 0)]) for i in range(80)]
    entry = counted(samples).summary()
    expected = estimate([i // 4 % 2 == 0 for i in range(80)], [f"p{i // 4}" for i in range(80)])
    assert entry["ci"] == [percent(expected.low), percent(expected.high)]
    assert (entry["clusters"], entry["design_effect"]) == (20, round(expected.design_effect, 3))


def test_the_headline_is_the_judges_where_it_was_asked() -> None:
    samples = [(document(str(i), "text"), [grade(False)]) for i in range(4)]
    judged = counted(samples, judged=True, verdicts=["right", "right", "right", "wrong"]).summary()
    assert (judged["score"], judged["verdict_by"]) == (75.0, "judge")
    assert (judged["judge"]["judge_only"], judged["judge"]["both_wrong"]) == (3, 1)
    unasked = counted(samples, verdicts=["right"] * 4).summary()
    assert (unasked["score"], unasked["verdict_by"]) == (0.0, "grader"), "the protocol wants no judge"


def test_without_a_judge_the_reference_score_stands_for_free_text() -> None:
    samples = [(document(str(i), "text"), [grade(False, metrics={"reference": 0.25 * i})]) for i in range(4)]
    entry = counted(samples, judged=True).summary()
    assert (entry["score"], entry["verdict_by"]) == (37.5, "reference")


def test_labels_give_macro_f1_and_the_recall_of_each_class() -> None:
    pairs = [("up", "up"), ("up", "up"), ("up", "down"), ("down", "down"), ("down", "")]
    found = metrics([(document(str(i), "label", g), [grade(g == v, value=v)]) for i, (g, v) in enumerate(pairs)])
    assert (found["recall_up"], found["recall_down"]) == (0.666667, 0.5)
    assert found["macro_f1"] == pytest.approx((0.8 + 0.5) / 2)
    assert found["macro_f1_ci"][0] < found["macro_f1"] < found["macro_f1_ci"][1]


def test_codes_in_the_data_are_read_as_their_classes() -> None:
    coded = Document("a", "t", "?", Answer("label", codes={"0": "up"}), (Gold("0"),))
    assert metrics([(coded, [grade(True, value="up")])])["recall_up"] == 1.0


def test_a_mean_of_a_metric_that_some_replies_lack_says_how_many_have_it() -> None:
    samples = [
        (document("a"), [grade(True, metrics={"grounded_share": 1.0})]),
        (document("b"), [grade(True, metrics={"grounded_share": 0.5})]),
        (document("c"), [grade(True)]),
    ]
    found = counted(samples).summary()["metrics"]
    assert (found["grounded_share"], found["n_grounded_share"]) == (0.75, 2)
    every = metrics([(document("a"), [grade(True, metrics={"grounded_share": 1.0})])])
    assert "n_grounded_share" not in every


def test_gold_hits_are_told_where_there_are_several_golds() -> None:
    hits = [grade(True, gold="executed"), grade(True, gold="display"), grade(True, gold="executed"), grade(False)]
    found = metrics([(document(str(i)), [hit]) for i, hit in enumerate(hits)])
    assert found["gold_hit"] == {"executed": 2, "display": 1}
    assert metrics([(document("a"), [hits[0]])])["gold_hit"] == {"executed": 1}, "one of several, all hit"
    assert "gold_hit" not in metrics([(document("a"), [grade(True, gold="gold")])])
    assert "gold_hit" not in metrics([(document("a"), [grade(False)])])
    assert metrics([(document(g), [grade(True, gold=g)]) for g in ("gold", "other")])["gold_hit"]["gold"] == 1


def test_facets_are_means_of_their_own() -> None:
    samples = [(document(str(i), facets={"steps": str(i % 2)}), [grade(i == 0)]) for i in range(4)]
    facets = counted(samples).summary()["facets"]
    assert facets == {"steps": {"0": {"n": 2, "score": 50.0}, "1": {"n": 2, "score": 0.0}}}
    many = [(document(str(i), facets={"page": str(i)}), [grade(True)]) for i in range(61)]
    assert counted(many).summary()["facets"] == {}, "a facet of 61 values is no breakdown"
    assert len(counted(many[:60]).summary()["facets"]["page"]) == 60


def test_a_judge_is_set_beside_the_grader_with_cohens_kappa() -> None:
    table = {(True, "right"): 20, (True, "wrong"): 5, (False, "right"): 10, (False, "wrong"): 15, (True, "unparsed"): 3}
    found = agreement(table)
    assert found == {
        "both_right": 20,
        "judge_only": 10,
        "grader_only": 5,
        "both_wrong": 15,
        "unparsed": 3,
        "failed": 0,
        "kappa": 0.4,
    }
    thirds = {(True, "right"): 3, (True, "wrong"): 1, (False, "wrong"): 2}
    assert agreement(thirds)["kappa"] == 0.6667
    assert agreement({(True, "right"): 4})["kappa"] is None, "all in one cell: agreement by chance is certain"
    assert agreement({(False, "unparsed"): 2}) == dict.fromkeys(found, 0) | {"unparsed": 2, "kappa": None}


def test_two_repeats_are_repeats() -> None:
    found = metrics([(document("a"), [grade(True, value="7"), grade(False, value="8")])])
    assert (found["pass@2"], found["majority"]) == (1.0, 0.5)


def test_metrics_have_six_digits() -> None:
    """Thirds of everything: results.json of two machines must be the same bytes."""
    third = 0.333333
    turns = [(turn(name, 1, last=True), [grade(name == "a")]) for name in "abc"]
    found = metrics(turns)
    assert (found["acc"], found["conversation_acc"], found["final_turn_acc"]) == (third, third, third)
    repeated = metrics([(document(str(i)), [grade(i == 0, value="7")] * 2) for i in range(3)])
    assert (repeated["pass@2"], repeated["majority"]) == (third, third)
    flagged = [(document(str(i), flags=("known_conflict",) if i > 2 else ()), [grade(i == 0)]) for i in range(4)]
    assert metrics(flagged)["acc_without_conflicts"] == third
    labels = [(document(str(i), "label", "up"), [grade(i == 0, value="up" if i == 0 else "")]) for i in range(3)]
    assert (metrics(labels)["recall_up"], metrics(labels)["macro_f1"]) == (third, 0.5)
    uneven = [("up", "up"), ("up", ""), ("down", "down"), ("down", ""), ("down", "")]
    named = [(document(str(i), "label", g), [grade(g == v, value=v)]) for i, (g, v) in enumerate(uneven)]
    assert metrics(named)["macro_f1"] == 0.583333
    assert [end == round(end, 6) for end in metrics(named)["macro_f1_ci"]] == [True, True]
    means = [(document(str(i)), [grade(True, metrics={"x": float(i == 0)})]) for i in range(3)]
    assert metrics(means)["x"] == third


def talks(conversations: list[list[bool]]) -> dict[str, Any]:
    """The metrics of conversations given as the verdicts on their turns."""
    tally = Tally()
    for number, verdicts in enumerate(conversations):
        for turn, right in enumerate(verdicts):
            flags = ("final_turn",) if turn == len(verdicts) - 1 else ()
            where = {"cluster": f"c{number}", "facets": {"turn": str(turn)}, "flags": flags}
            tally.add(document(f"{number}/{turn}", **where), [(said(), grade(right), None)])
    return tally.summary()["metrics"]


def test_shares_over_conversations_have_the_interval_of_as_many_conversations() -> None:
    metrics = talks([[True, i % 3 > 0] for i in range(30)])
    expected = estimate([float(i % 3 > 0) for i in range(30)])
    for name in ("conversation_acc", "final_turn_acc"):
        assert metrics[f"{name}_ci"] == pytest.approx([expected.low, expected.high], abs=1e-6)


def test_a_conversation_whose_last_turn_was_never_asked_is_missing_and_not_wrong() -> None:
    tally = Tally()
    for number in range(3):
        flags = ("final_turn",) if number else ()
        asked = document(f"d{number}", cluster=f"c{number}", facets={"turn": "0"}, flags=flags)
        tally.add(asked, [(said(), grade(True), None)])
    metrics = tally.summary()["metrics"]
    assert (metrics["conversations"], metrics["conversation_acc"], metrics["final_turn_acc"]) == (2, 1.0, 1.0)


def test_repeats_give_pass_at_every_power_of_two_and_at_all_of_them() -> None:
    tally = Tally()
    for number, right in enumerate((5, 1, 0)):
        tally.add(document(f"d{number}"), [(said(), grade(place < right), None) for place in range(5)])
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
        tally.add(labelled, [(said(), found, None), (said(), grade(True), None)])
    metrics = tally.summary()["metrics"]
    shares = [name for name, value in metrics.items() if isinstance(value, float)]
    assert {"acc", "macro_f1", "pass@2", "majority", "grounded_share"} <= set(shares)
    assert [name for name in shares if f"{name}_ci" not in metrics] == []


JUDGED = {
    "right": {"verdict": "right"},
    "wrong": {"verdict": "wrong"},
    "failed": {"verdict": "error", "error": "HTTP 400"},
}


def judged_entry(verdicts: list[str], kind: str = "text") -> dict[str, Any]:
    """The entry of a task whose headline is the judge's; the grader finds every reply wrong, its reference score is 0.3."""
    tally = Tally(judged=True)
    for number, word in enumerate(verdicts):
        verdict = grade(False, metrics={"reference": 0.3})
        tally.add(document(f"d{number}", kind), [(said(), verdict, JUDGED.get(word))])
    return tally.summary()


def test_a_failed_judge_request_counts_as_wrong_and_leaves_the_headline_the_judges() -> None:
    entry = judged_entry(["right"] * 41 + ["failed"])
    assert (entry["verdict_by"], entry["score"]) == ("judge", pytest.approx(100 * 41 / 42, abs=1e-3))
    assert (entry["judge"]["failed"], entry["judge"]["failures"]) == (1, {"HTTP 400": 1})


def test_what_a_judge_was_never_asked_is_missing_and_counted() -> None:
    entry = judged_entry(["right", "wrong", "unasked"])
    assert (entry["verdict_by"], entry["score"], entry["judge"]["unasked"]) == ("judge", 50.0, 1)


def test_repeats_that_a_judge_was_never_asked_about_do_not_count_as_wrong() -> None:
    tally = Tally(judged=True)
    tally.add(document("d", "text"), [(said(), grade(False), JUDGED["right"]), (said(), grade(False), None)])
    entry = tally.summary()
    assert (entry["score"], entry["judge"]["unasked"]) == (100.0, 1)


def test_without_a_judge_free_text_prints_one_number_under_score_and_lenient() -> None:
    entry = judged_entry(["unasked"] * 10)
    assert (entry["verdict_by"], entry["score"], entry["lenient"]) == ("reference", 30.0, 30.0)
    assert entry["lenient_ci"] == entry["ci"]
    assert entry["metrics"]["acc"] == 0.0


def unsure(correct: bool) -> Grade:
    return grade(correct, certainty="unsure", rival="another number")


def sure(correct: bool) -> Grade:
    return grade(correct, certainty="sure")


def test_the_range_goes_from_all_unsure_wrong_to_all_unsure_right() -> None:
    verdicts = [sure(True), sure(True), unsure(True), unsure(False), sure(False)]
    entry = counted([(document(str(place)), [verdict]) for place, verdict in enumerate(verdicts)]).summary()
    assert (entry["unsure"], entry["score"], entry["range"]) == (40.0, 60.0, [40.0, 80.0])


def test_repeats_are_averaged_before_the_range_as_before_the_score() -> None:
    """The second document has three repeats and still weighs as much as the first."""
    repeats = [unsure(True), unsure(False), sure(True)]
    entry = counted([(document("a"), [sure(True)]), (document("b"), repeats)]).summary()
    assert entry["unsure"] == percent(1 / 3)
    assert entry["range"] == [percent((1 + 1 / 3) / 2), 100.0]


def test_without_unsure_verdicts_the_range_is_the_score() -> None:
    entry = counted([(document(str(place)), [sure(place < 3)]) for place in range(8)]).summary()
    assert (entry["unsure"], entry["range"]) == (0.0, [37.5, 37.5])


@pytest.mark.parametrize(
    ("kind", "judged", "verdicts", "by"),
    [("number", True, ["right", "wrong"], "judge"), ("text", True, [], "reference")],
)
def test_a_score_that_is_not_the_graders_has_no_range(
    kind: str, judged: bool, verdicts: Sequence[str], by: str
) -> None:
    entry = counted([(document(name, kind), [unsure(True)]) for name in "ab"], judged, verdicts).summary()
    assert (entry["verdict_by"], entry["unsure"], entry["range"]) == (by, None, None)


def test_one_verdict_older_than_certainty_leaves_the_range_unknown() -> None:
    entry = counted([(document("a"), [sure(True)]), (document("b"), [grade(True)])]).summary()
    assert (entry["unsure"], entry["range"]) == (None, None)
    assert Tally().summary()["range"] is None
