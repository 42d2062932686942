"""A run beside reported scores: entries read back, outcomes, sentences, and which rows stand beside it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from finbench.scores.agreement import against_reported, column, estimate_of, in_words, outcome
from finbench.scores.averages import suite_means
from finbench.scores.intervals import average_of
from finbench.scores.published import BENCHMARKS, Protocol, ReportedRow, ReportedScore
from finbench.scores.significance import Versus, versus_average


def entry(score: float, half: float, n: int = 1000) -> dict:
    return {"score": score, "ci": [score - half, score + half], "n": n}


def row(model: str, protocol: str, **scores: float) -> ReportedRow:
    cells = {name: ReportedScore(f"{score:.1f}", score, 0.05) for name, score in scores.items()}
    return ReportedRow(
        model, "7B", Protocol(protocol, "t", "s", assumed_n=dict.fromkeys(scores, 1000)), cells, None, None
    )


def run_of(entries: dict[str, dict]) -> dict:
    """The part of results.json that stands beside reported rows."""
    return {"tasks": entries, **suite_means(entries, {n: estimate_of(e) for n, e in entries.items()}, BENCHMARKS)}


def test_an_entry_is_read_back_on_the_scale_from_0_to_1() -> None:
    found = estimate_of({**entry(60.0, 3.919927969), "clusters": 400, "design_effect": 1.5})
    assert (found.mean, found.low, found.n, found.clusters, found.design_effect) == (
        pytest.approx(0.6),
        pytest.approx(0.5608, abs=1e-4),
        1000,
        400,
        1.5,
    )
    assert found.se == pytest.approx(0.02)
    plain = estimate_of(entry(60.0, 3.0) | {"clusters": 0, "design_effect": None})
    assert (plain.clusters, plain.design_effect) == (1000, 1.0)


@pytest.mark.parametrize(
    ("mean", "p", "word"),
    [
        (0.1, 0.04, "better"),
        (-0.1, 0.04, "worse"),
        (0.1, 0.05, "not distinguishable"),
        (0.0, 0.0, "not distinguishable"),
    ],
)
def test_a_difference_is_a_word_when_chance_does_not_explain_it(mean: float, p: float, word: str) -> None:
    assert outcome(mean, p) == word


VERSUS = Versus("differs", 0.12, 0.04, 202, False, 100, 300, False)


def test_the_sentence_says_the_difference_what_chance_explains_and_the_n() -> None:
    said = in_words(VERSUS)
    assert said == (
        "differs: +12.0 points, chance and rounding explain only 4.0 (n not stated, taken as 202); "
        "would agree for n from 100 up to 300"
    )
    known = Versus("agrees", -0.012, 0.04, 1000, True, 100, None, True)
    assert in_words(known) == "agrees: -1.2 points, chance and rounding explain 4.0 (n 1,000)"
    unbounded = Versus("cannot tell", 0.02, 0.08, 202, False, 1147, None, False)
    assert in_words(unbounded).endswith(
        "but chance alone explains 8.0 (n not stated, taken as 202); would agree for n from 1,147"
    )
    never = Versus("differs", 0.5, 0.08, 202, False, None, None, False)
    assert in_words(never).endswith("(n not stated, taken as 202)")
    assert "(five benchmarks, n 202 in all, assumed where not stated)" in in_words(VERSUS, 5)


def test_rows_of_the_same_model_come_first_and_others_only_from_the_papers_own_table() -> None:
    rows = [row("other", "fin-r1", finqa=50.0), row("other", "fino1", finqa=50.0), row("mine", "fino1", finqa=60.0)]
    found = against_reported(run_of({"finqa_paper": entry(60.0, 3.0)}), "lab/Mine", rows)
    assert [(one.model, one.protocol, one.same_model) for one in found] == [
        ("mine", "fino1", True),
        ("other", "fin-r1", False),
    ]
    same, other = (one.cells["finqa_paper"] for one in found)
    assert same.verdict in ("agrees", "cannot tell") and same.delta == pytest.approx(0.0)
    assert (other.verdict, other.sentence) == ("better", "ahead of it")
    assert other.delta == pytest.approx(10.0) and other.low < 10.0 < other.high


def test_the_word_for_another_models_score_follows_the_difference() -> None:
    rows = [row("a", "fin-r1", finqa=75.0), row("b", "fin-r1", finqa=61.0)]
    behind, same = against_reported(run_of({"finqa": entry(60.0, 3.0)}), "m", rows)
    assert behind.cells["finqa"].sentence == "behind it"
    assert same.cells["finqa"].sentence == "not distinguishable from it"


def test_a_row_without_a_score_for_any_task_is_left_out() -> None:
    assert against_reported(run_of({"finqa": entry(60.0, 3.0)}), "m", [row("a", "fin-r1", tfns=50.0)]) == []
    assert column("tfns") == "tfns" and column("tfns_paper") == "tfns"
    assert set(BENCHMARKS) >= {"finqa", "tfns"}


def test_the_rounding_of_an_average_is_the_mean_of_what_its_columns_hide() -> None:
    scores = {name: ReportedScore("50", 50.0, 0.5) for name in BENCHMARKS}
    protocol = Protocol("fin-r1", "t", "s", assumed_n=dict.fromkeys(BENCHMARKS, 1000))
    theirs = ReportedRow("m", "7B", protocol, scores, ReportedScore("50.0", 50.0, 0.05), 50.0)
    (found,) = against_reported(run_of({name: entry(50.0, 3.0) for name in BENCHMARKS}), "m", [theirs])
    ours = average_of([estimate_of(entry(50.0, 3.0))] * 5)
    published = theirs.average_estimate()
    assert found.average is not None and published is not None
    explained = 100 * versus_average(ours, published, half_unit=0.005).uncertainty
    assert found.average.sentence.startswith(f"agrees: +0.0 points, chance and rounding explain {explained:.1f} (five")
    assert explained - 100 * versus_average(ours, published, half_unit=0.0).uncertainty == pytest.approx(0.5)


def test_an_average_needs_a_printed_one_and_five_columns() -> None:
    columns = dict.fromkeys(BENCHMARKS, 33.3)
    ours = {name: entry(50.0, 3.0) for name in BENCHMARKS}
    bare = row("m", "fin-r1", **columns)
    assert against_reported(run_of(ours), "m", [bare])[0].average is None, "none is printed"
    printed = ReportedScore("33.3", 33.3, 0.05)
    whole = replace(bare, average=printed, recomputed=33 + 1 / 3)
    (found,) = against_reported(run_of(ours), "m", [whole])
    assert found.average is not None and (found.average.recomputed, found.average.score) == (33.333333, 33.3)
    assert against_reported(run_of({"finqa": entry(50.0, 3.0)}), "m", [whole])[0].average is None, "one column of ours"
    four = replace(whole, scores={name: whole.scores[name] for name in BENCHMARKS[:4]})
    assert against_reported(run_of(ours), "m", [four])[0].average is None, "four columns of theirs"
