"""One task as finbench runs it: which rows are drawn, which examples are shown, what is asked and how often."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
import yaml

from finbench.errors import TaskError
from finbench.tasks import load
from finbench.tasks.task import Asking, Task

PLAIN = Asking("fake", chat=False)
CHOICES = {"output_type": "multiple_choice", "doc_to_choice": ["A", "B"], "doc_to_target": 0}


def task(folder: Path, rows: int = 12, **config: Any) -> Task:
    """A task of plain lm-eval over a few sums."""
    lines = [{"question": f"What is {n} plus {n}?", "total": str(2 * n)} for n in range(rows)]
    (folder / "rows.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    kwargs = {"data_files": {"test": str(folder / "rows.jsonl")}, "cache_dir": str(folder / "cache")}
    base = {
        "task": "sums",
        "dataset_path": "json",
        "dataset_kwargs": kwargs,
        "test_split": "test",
        "doc_to_text": "{{question}}",
        "doc_to_target": "{{total}}",
        "generation_kwargs": {"until": [], "do_sample": False},
    }
    text = yaml.safe_dump(
        {key: value for key, value in {**base, **config}.items() if value is not None}, sort_keys=False
    )
    (folder / "sums.yaml").write_text(text, encoding="utf-8")
    return load.load(["sums"], include=[folder]).tasks[0]


# -- rows ------------------------------------------------------------------------------------------------------------


def conversations(limit: int | None, seed: int) -> list[str]:
    (history,) = load.load(["convfinqa_own_history"], data="sample").tasks
    return [document.cluster for _, document in history.documents(limit, seed)]


def test_a_limit_on_conversations_keeps_them_whole_and_follows_the_seed() -> None:
    every = conversations(None, 0)
    drawn = {seed: conversations(8, seed) for seed in (0, 1, 2)}
    for clusters in drawn.values():
        assert len(clusters) >= 8
        assert all(clusters.count(name) == every.count(name) for name in set(clusters))
    assert len({tuple(clusters) for clusters in drawn.values()}) == 3


# -- examples --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sampler", ["default", "first_n"])
def test_no_example_is_the_row_that_is_asked(tmp_path: Path, sampler: str) -> None:
    shown = task(tmp_path, fewshot_split="test", num_fewshot=10, fewshot_config={"sampler": sampler})
    for _, document in shown.documents():
        (request,) = shown.requests(document, "", PLAIN)
        assert request.prompt.count(document.row["question"]) == 1, request.prompt
        assert request.prompt.count("What is") == 11


def test_examples_do_not_depend_on_which_rows_are_drawn_and_are_the_same_again(tmp_path: Path) -> None:
    shown = task(tmp_path, fewshot_split="test", num_fewshot=2)

    def prompts(limit: int | None) -> dict[int, str]:
        return {at: next(iter(shown.requests(one, "", PLAIN))).prompt for at, one in shown.documents(limit, seed=3)}

    every, few = prompts(None), prompts(4)
    assert len(few) == 4 and few.items() <= every.items() and prompts(None) == every


# -- requests --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "asked", "repeats", "together"),
    [
        ({}, 1, 1, 1),
        ({}, 3, 3, 1),
        ({"repeats": 8}, 1, 8, 8),
        ({"repeats": 8}, 2, 16, 8),
        ({**CHOICES, "repeats": 8}, 3, 1, 1),
    ],
)
def test_a_document_is_asked_as_often_as_the_yaml_and_the_run_say(
    tmp_path: Path, config: dict[str, Any], asked: int, repeats: int, together: int
) -> None:
    found = task(tmp_path, **config)
    document = next(iter(found.documents()))[1]
    assert (found.repeats(asked), found.together(document)) == (repeats, together)


def test_a_text_that_is_scored_whole_has_no_prompt(tmp_path: Path) -> None:
    whole = task(tmp_path, output_type="loglikelihood_rolling", doc_to_text="", doc_to_target="{{question}}")
    document = next(iter(whole.documents()))[1]
    for chat in (False, True):
        (request,) = whole.requests(document, "", Asking("fake", chat=chat))
        assert (request.prompt, request.messages, request.continuation) == ("", (), "What is 0 plus 0?")
        assert request.whole and request.kind == "loglikelihood"
    assert not any(one.whole for one in task(tmp_path, **CHOICES).requests(document, "", PLAIN))


def test_settings_that_no_engine_knows_are_said_and_not_dropped_silently(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, logger="finbench"):
        found = task(tmp_path, generation_kwargs={"until": [], "min_p": 0.1, "no_repeat_ngram_size": 3})
    assert found.sampling().min_p == 0.1
    assert "sums: no engine knows these generation_kwargs" in caplog.text and "no_repeat_ngram_size: 3" in caplog.text
    assert "min_p" not in caplog.text


def test_a_filter_that_wants_more_replies_than_the_yaml_asks_for_stops_the_run_before_it_begins(tmp_path: Path) -> None:
    steps = [{"function": "take_first_k", "k": 8}, {"function": "majority_vote"}, {"function": "take_first"}]
    with pytest.raises(TaskError, match="repeats: 8"):
        task(tmp_path, filter_list=[{"name": "maj@8", "filter": steps}])


def test_groups_written_inside_a_group_are_part_of_it(tmp_path: Path) -> None:
    task(tmp_path)
    text = yaml.safe_dump(
        {
            "group": "all_sums",
            "task": [{"group": "inner", "task": ["sums"]}],
            "aggregate_metric_list": [{"metric": "exact_match"}],
        }
    )
    (tmp_path / "all_sums.yaml").write_text(text, encoding="utf-8")
    selection = load.load(["all_sums"], include=[tmp_path])
    assert selection.groups == {"all_sums": ("sums",)}
    assert selection.rules["all_sums"].children == ("all_sums::inner",)
    assert selection.rules["all_sums::inner"].tasks == ("sums",)


def test_a_shipped_groups_sub_groups_have_rules_of_their_own() -> None:
    rules = load.load(["finbench"], data="sample").rules
    assert "finbench" not in rules and len(rules) == 6
    assert rules["ant_finance"].children[0] == "ant_finance_understanding"
    assert set(rules["ant_finance_understanding"].tasks) < set(rules["ant_finance"].tasks)
    assert [metric.metric for metric in rules["ant_finance_logic"].metrics] == ["acc", "lenient"]
