"""What lies behind a score: verdicts, answers, prompts and replies as the page packs them."""

from __future__ import annotations

from array import array
from pathlib import Path
from typing import Any

from fake_runs import make_unsure, write_run
from page_parts import chunks_of

from finbench.pages import drilldown, leaderboard
from finbench.scores.samples import (
    CORRECT,
    FAILED,
    JUDGE_DISAGREES,
    LENIENT,
    TRUNCATED,
    UNREADABLE,
    UNSURE,
    SampleColumn,
    SampleFiles,
)


def test_verdicts_and_answers_are_those_of_the_samples(tmp_path: Path) -> None:
    samples = [
        {"id": "a", "correct": True, "extracted": "1", "text": "it is 1", "span": [6, 7]},
        {"id": "b", "correct": False, "reason": "truncated", "finish": "length", "text": "hm"},
        {"id": "c", "correct": False, "lenient": True, "reason": "off_by_100", "extracted": "100"},
        {"id": "d", "correct": False, "reason": "error", "finish": "error", "error": "HTTP 500"},
        {"id": "e", "correct": True, "judge": {"verdict": "wrong", "model": "j", "text": "no"}},
    ]
    folder = write_run(tmp_path / "run", tasks={"finqa": samples})
    found = chunks_of(leaderboard.build([folder], tmp_path / "i.html", reported=False).path.read_text(encoding="utf-8"))
    codes = [ord(letter) - 0x40 for letter in found["verdicts"]["cells"]["0:0"]]
    assert codes == [
        CORRECT | LENIENT,
        TRUNCATED | UNREADABLE,
        LENIENT,
        FAILED,
        CORRECT | LENIENT | JUDGE_DISAGREES,
    ]
    answers = found["answers:0:0"]
    assert [answers["reasons"][number] for number in answers["reason"]] == [
        "equal",
        "truncated",
        "off_by_100",
        "error",
        "equal",
    ]
    replies = dict(found["replies:0:0"]["items"])
    assert replies[0]["t"] == "it is 1"
    assert replies[0]["s"] == [6, 7]
    assert replies[3]["e"] == "HTTP 500"
    assert replies[4]["j"]["verdict"] == "wrong"


def test_a_span_is_counted_as_javascript_counts() -> None:
    sample = {"resps": [["𝟙𝟚 7"]], "finbench": {"span": [3, 4]}}
    assert drilldown.reply(sample)["s"] == [5, 6]


def test_repeats_of_a_question_stand_behind_each_other(tmp_path: Path) -> None:
    samples = [
        {"id": q, "question": q, "gold": 1, "repeat": r, "correct": c}
        for q, r, c in (("a", 0, 1), ("a", 1, 0), ("b", 0, 0), ("b", 1, 1))
    ]
    folder = write_run(tmp_path / "run", tasks={"finqa": samples})
    found = chunks_of(leaderboard.build([folder], tmp_path / "i.html", reported=False).path.read_text(encoding="utf-8"))
    assert [ord(letter) & 1 for letter in found["verdicts"]["cells"]["0:0"]] == [1, 0, 0, 1]
    assert found["docs:0"]["ids"] == ["a", "b"]


def test_questions_are_the_same_by_content_not_by_place(tmp_path: Path) -> None:
    left = [{"id": "a", "correct": True}, {"id": "b", "question": "other words"}]
    right = [
        {"id": "b", "question": "one wording", "doc_id": 0},
        {"id": "a", "question": "Invented question 0?", "gold": 0},
    ]
    runs = [
        write_run(tmp_path / "x", "m/x", tasks={"finqa": left}),
        write_run(tmp_path / "y", "m/y", tasks={"finqa": right}),
    ]
    found = chunks_of(leaderboard.build(runs, tmp_path / "i.html", reported=False).path.read_text(encoding="utf-8"))
    assert sorted(found["docs:0"]["ids"]) == ["a", "b", "b"]


def test_prompts_that_differ_between_models_are_kept_apart(tmp_path: Path) -> None:
    def asked(words: str, system: str) -> list[dict[str, Any]]:
        prompt = [{"role": "system", "content": system}, {"role": "user", "content": words}]
        return [{"id": "a", "prompt": prompt, "text": "no"}]

    runs = [
        write_run(tmp_path / "x", "m/x", tasks={"finqa": asked("P", "be brief")}),
        write_run(tmp_path / "y", "m/y", tasks={"finqa": asked("P", "think")}),
        write_run(tmp_path / "z", "m/z", tasks={"finqa": asked("Q", "")}),
    ]
    found = chunks_of(leaderboard.build(runs, tmp_path / "i.html", reported=False).path.read_text(encoding="utf-8"))
    assert found["prompts:0:0"] == ["P"]
    assert found["prompts:0:1"] == ["Q"]
    assert [found[f"replies:{row}:0"]["systems"] for row in range(3)] == [["be brief"], ["think"], [""]]


def test_an_unsure_verdict_has_a_bit_of_its_own_and_its_rival(tmp_path: Path) -> None:
    runs = [
        write_run(tmp_path / "new", "m/new", tasks={"finqa": make_unsure()}),
        write_run(tmp_path / "old", "m/old", tasks={"finqa": [{"correct": True}]}),
    ]
    found = chunks_of(leaderboard.build(runs, tmp_path / "i.html", reported=False).path.read_text(encoding="utf-8"))
    unsure = [place for place, letter in enumerate(found["verdicts"]["cells"]["0:0"]) if ord(letter) & UNSURE]
    assert unsure == [0, 19]
    answers = found["answers:0:0"]
    assert answers["rivals"][answers["rival"][19]] == "<b>19 | 7</b> stands behind it"
    assert found["answers:1:0"]["rivals"] == [""]


def test_right_replies_that_are_unsure_are_shown_before_the_sure_ones() -> None:
    codes = bytearray([0x40 | CORRECT, 0x40 | CORRECT | UNSURE, 0x40])
    cell = SampleColumn(SampleFiles(()), *[array("q")] * 4, codes, array("d"), {}, ())
    assert drilldown._order(cell, 9) == [2, 1, 0]
