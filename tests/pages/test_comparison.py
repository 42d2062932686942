"""Two runs in words, for a terminal, a pull request and a browser: foreign text stays text."""

from __future__ import annotations

from pathlib import Path

from fake_runs import make_runs, make_samples, make_unsure, write_run

from finbench.pages import comparison, report
from finbench.scores import compare

HOSTILE = "<script>x</script>|\x1b[31m*b*\n# head"


def test_text_for_a_terminal_is_plain_and_aligned(tmp_path: Path) -> None:
    first, second = make_samples(30, 0.9, 1), make_samples(30, 0.4, 2)
    for sample in second:
        sample["extracted"] = HOSTILE
    runs = [
        write_run(tmp_path / "a", HOSTILE, tasks={"finqa": first}),
        write_run(tmp_path / "b", "two", tasks={"finqa": second}),
    ]
    text = comparison.to_text(compare.compare(runs))
    assert "\x1b" not in text
    assert text.isascii()
    table = [line for line in text.splitlines() if line.startswith(("task ", "FinQA   "))]
    assert table[0].index("verdict") == table[1].index("worse")


def test_markdown_keeps_foreign_text_in_its_cells(tmp_path: Path) -> None:
    first, second = make_samples(30, 0.9, 1), make_samples(30, 0.4, 2)
    for sample in [*first, *second]:
        sample["question"] = HOSTILE
    runs = [
        write_run(tmp_path / "a", HOSTILE, tasks={"finqa": first}),
        write_run(tmp_path / "b", "two", tasks={"finqa": second}),
    ]
    text = comparison.to_markdown(compare.compare(runs))
    assert "<script>" not in text
    assert "\x1b" not in text
    widths = {line.replace("\\|", "").count("|") for line in text.splitlines() if line.startswith("|")}
    assert widths == {12, 6}


def test_what_cannot_be_told_comes_with_what_could_have_been(tmp_path: Path) -> None:
    text = comparison.to_text(compare.compare(make_runs(tmp_path, 2, ["finqa"], n=60)[:1] * 2))
    assert "60 questions find a true difference of" in text


def test_a_comparison_page_says_what_changed_and_escapes_it(tmp_path: Path) -> None:
    evil = "<img src=x onerror=alert(1)>"
    first, second = make_samples(80, 0.9), make_samples(80, 0.3, seed=1)
    for sample in (*first, *second):
        sample["question"] = evil + sample["id"]
    runs = [
        write_run(tmp_path / "a", evil, tasks={"finqa": first, "tfns": first[:3]}),
        write_run(tmp_path / "b", "second", tasks={"finqa": second}),
    ]
    html = report.comparison_html(compare.compare(runs))
    assert evil not in html
    assert "▼ worse" in html
    assert "Only the first run has TFNS" in html
    assert "Worse in the second run" in html


def test_unsure_changes_are_said_in_every_form(tmp_path: Path) -> None:
    first = make_unsure()
    second = [sample | {"correct": not sample["correct"], "certainty": "sure"} for sample in first]
    runs = [write_run(tmp_path / name, name, tasks={"finqa": one}) for name, one in (("a", first), ("b", second))]
    found = compare.compare(runs)
    sentence = "of 20 changed questions 2 hang on an unsure verdict in one run at least, 0 in both"
    assert f"FinQA: {sentence}." in comparison.to_text(found)
    assert f"- FinQA: {sentence}." in comparison.to_markdown(found)
    assert f"FinQA: {sentence}." in report.comparison_html(found)
    assert "(different, unsure)" in comparison.to_text(compare.compare(runs[::-1]), flips=20)
    assert (
        comparison.to_markdown(found).count(", unsure |") == report.comparison_html(found).count(", unsure</td>") == 2
    )
    assert compare.to_json(found)["pairs"][0]["tasks"][0]["unsure"] == {"of": 20, "either": 2, "both": 0}


def test_runs_older_than_certainty_are_compared_without_a_word_of_it(tmp_path: Path) -> None:
    found = compare.compare(make_runs(tmp_path, 2, ["finqa"], n=30))
    assert found.pairs[0].tasks[0].flips
    for said in (comparison.to_text(found), comparison.to_markdown(found), report.comparison_html(found)):
        assert "unsure" not in said
