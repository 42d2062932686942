"""Scoring a run again: verdicts of ours are renewed, those of lm-eval's own scoring and their aggregates stay."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from finbench.runs import execute, rescore
from finbench.runs.execute import Settings

YAML = """\
task: capitals
dataset_path: json
dataset_kwargs: {{data_files: {{test: {rows}}}}}
output_type: generate_until
test_split: test
doc_to_text: "{{{{q}}}}"
doc_to_target: a
fewshot_config: {{sampler: first_n, samples: []}}
generation_kwargs: {{until: [], do_sample: false}}
filter_list:
  - name: first-word
    filter: [{{function: regex, regex_pattern: "(\\\\w+)"}}, {{function: take_first}}]
metric_list:
  - {{metric: exact_match, aggregation: mean, higher_is_better: true}}
"""
ROWS = [{"id": "1", "q": "Capital of France?", "a": "Paris"}, {"id": "2", "q": "Of Japan?", "a": "Tokyo"}]


def test_the_aggregates_of_lm_evals_own_scoring_survive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    rows, replies = tmp_path / "rows.jsonl", tmp_path / "replies.jsonl"
    rows.write_text("\n".join(map(json.dumps, ROWS)), encoding="utf-8")
    replies.write_text("\n".join(json.dumps({"id": n, "output": "Paris, surely."}) for n in "12"), encoding="utf-8")
    (tmp_path / "capitals.yaml").write_text(YAML.format(rows=rows), encoding="utf-8")
    settings = Settings(model=f"replay:{replies}", tasks=("capitals",), include=(tmp_path,), output=tmp_path / "run")
    execute.execute(execute.plan(settings))
    before = json.loads((tmp_path / "run" / "results.json").read_text("utf-8"))
    assert before["results"]["capitals"]["exact_match,first-word"] == 0.5
    document, changed, _ = rescore.rescore(tmp_path / "run")
    after = json.loads((tmp_path / "run" / "results.json").read_text("utf-8"))
    assert changed == 0 and after["results"] == before["results"]
    assert document["tasks"] == before["finbench"]["tasks"]
