"""The registered filter and metric under plain lm-eval."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from finbench import lm_eval as doors

YAML = """
task: fees
dataset_path: json
dataset_kwargs: {{data_files: {{test: {rows}}}}}
output_type: generate_until
test_split: test
doc_to_text: "{{{{q}}}}"
doc_to_target: a
fewshot_config: {{sampler: first_n, samples: []}}
generation_kwargs: {{until: [], do_sample: false}}
filter_list:
  - name: stated
    filter:
      - {{function: {filter}, kind: number, question: q}}
      - {{function: take_first}}
metric_list:
  - {{metric: {metric}, kind: number, unit: percent, aggregation: mean, higher_is_better: true}}
  - {{metric: exact_match, aggregation: mean, higher_is_better: true}}
"""
ROWS = [
    {"q": "What was the growth rate in 2020?", "a": "0.142"},
    {"q": "What was the growth rate in 2021?", "a": "0.057"},
    {"q": "What was the growth rate in 2022?", "a": "0.034"},
]
REPLIES = ["In 2019 it was 9%. The answer is 14.2%.", "<think>5.7%</think>It was 6.8%.", "It cannot be determined."]


def evaluated(folder: Path, **names: str) -> dict[str, Any]:
    """The results and the filtered replies of a task that uses the given names, run by lm-eval itself."""
    from lm_eval.api.model import LM
    from lm_eval.evaluator import simple_evaluate
    from lm_eval.tasks import TaskManager

    class Fake(LM):
        def generate_until(self, requests: list[Any], disable_tqdm: bool = False) -> list[str]:
            replies = {row["q"]: reply for row, reply in zip(ROWS, REPLIES)}
            return [replies[request.args[0]] for request in requests]

        def loglikelihood(self, requests: list[Any]) -> list[tuple[float, bool]]:
            raise NotImplementedError

        def loglikelihood_rolling(self, requests: list[Any]) -> list[float]:
            raise NotImplementedError

    rows = folder / "rows.jsonl"
    rows.write_text("\n".join(map(json.dumps, ROWS)), encoding="utf-8")
    (folder / "fees.yaml").write_text(YAML.format(rows=rows, **names), encoding="utf-8")
    manager = TaskManager(include_path=str(folder), include_defaults=False)
    found: dict[str, Any] = simple_evaluate(
        model=Fake(), tasks=["fees"], task_manager=manager, bootstrap_iters=0, log_samples=True
    )
    return found


@pytest.mark.parametrize(
    ("named", "metric"),
    [
        ({"filter": "finbench_answer", "metric": "finbench_correct"}, "finbench_correct"),
        (
            {"filter": "!function finbench.lm_eval.AnswerFilter", "metric": "!function finbench.lm_eval.correct"},
            "correct",
        ),
    ],
)
def test_plain_lm_eval_runs_a_task_with_the_filter_and_the_metric(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: dict[str, str], metric: str
) -> None:
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    found = evaluated(tmp_path, **named)
    assert found["results"]["fees"][f"{metric},stated"] == pytest.approx(1 / 3)
    samples = sorted(found["samples"]["fees"], key=lambda sample: sample["doc_id"])
    assert [sample["filtered_resps"] for sample in samples] == [["14.2%"], ["6.8%"], ["[invalid]"]]


@pytest.mark.parametrize(
    ("kind", "reply", "shown"),
    [
        ("number", "Revenue was 90. \\boxed{5}", "5"),
        ("choice", "Not A. The answer is (B).", "B"),
        ("boolean", "So the answer is yes.", "yes"),
        ("label", "bullish", "bullish"),
        ("text", "The answer is liquidity risk.", "liquidity risk."),
        ("choice", "A or B", "[invalid]"),
    ],
)
def test_the_filter_gives_the_stated_answer_of_each_kind(kind: Any, reply: str, shown: str) -> None:
    assert doors.AnswerFilter(kind=kind).apply([[reply]], [{"question": "?"}]) == [[shown]]


def test_the_metric_takes_a_list_of_replies_and_the_settings_of_an_answer() -> None:
    assert doors.correct(["bullish"], [["Bullish."]], kind="label", classes=["bullish", "bearish"]) == 1.0
    assert doors.correct(["0.142"], ["1420%"], unit="percent") == 0.0
