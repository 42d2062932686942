"""`tasks check`: every kind of mistake is found, with file and line, and a sound task is left alone."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

from finbench import cli
from finbench.errors import TaskError
from finbench.tasks.authoring import findings
from finbench.tasks.authoring.check import check

ROOT = Path(__file__).parents[3]
CONFIG = {
    "task": "mine",
    "custom_dataset": "!function finbench.lm_eval.rows",
    "dataset_kwargs": {
        "file": "rows.jsonl",
        "columns": {"question": "q", "answer": "a"},
        "answer": {"kind": "number"},
    },
    "output_type": "generate_until",
    "test_split": "test",
    "num_fewshot": 0,
    "fewshot_config": {"sampler": "first_n", "samples": []},
    "doc_to_text": "{{ question }}",
    "doc_to_target": "gold",
    "process_results": "!function finbench.lm_eval.number",
    "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}],
    "generation_kwargs": {"until": [], "max_gen_toks": 2048},
    "metadata": {"version": 1.0},
}
ROWS = [{"q": "How much is it?", "a": "5"}, {"q": "What was the margin?", "a": "14.2%"}]


def task(folder: Path, rows: list[dict] | None = None, **change: object) -> Path:
    """A task folder whose YAML is CONFIG with changes (None takes a key out); its YAML begins with `task:`."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps(row, ensure_ascii=False) for row in (ROWS if rows is None else rows)]
    (folder / "rows.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    config = {key: value for key, value in (CONFIG | change).items() if value is not None}
    text = yaml.safe_dump(config, sort_keys=False).replace("'!function", "!function").replace("rows'", "rows")
    text = "\n".join(line.rstrip("'") if "!function" in line else line for line in text.split("\n"))
    (folder / "mine.yaml").write_text(text, encoding="utf-8")
    return folder


def codes(report: findings.Report) -> list[str]:
    return sorted({finding.code for finding in report.findings})


def line_of(folder: Path, text: str) -> int:
    lines = (folder / "mine.yaml").read_text(encoding="utf-8").splitlines()
    return next(number for number, line in enumerate(lines, 1) if text in line)


def test_a_sound_task_is_left_alone(tmp_path):
    report = check(task(tmp_path / "mine"))
    assert report.findings == [] and report.exit_code == 0
    assert report.counts["mine"] == {"documents": 2, "golds": 2, "longest_prompt": 6}


YAML_MISTAKES = [
    ({"num_fewshots": 2}, "unknown-key", "num_fewshots", "did you mean `num_fewshot`"),
    (
        {"generation_kwargs": {"until": [], "max_gen_toks": 2048, "temprature": 0}},
        "unknown-key",
        "temprature",
        "temperature",
    ),
    (
        {"generation_kwargs": {"until": [], "max_new_token": 2048, "max_gen_toks": 2048}},
        "unknown-key",
        "max_new",
        "max_new_tokens",
    ),
    ({"metric_list": [{"metric": "acc", "agregation": "mean"}]}, "unknown-key", "agregation", "aggregation"),
    ({"generation_kwargs": {"max_gen_toks": 2048}}, "no-until", "generation_kwargs", "until: []"),
    ({"generation_kwargs": None}, "no-until", "task: mine", "256 tokens"),
    ({"generation_kwargs": {"until": []}}, "token-limit", "generation_kwargs", "256 tokens"),
    ({"generation_kwargs": {"until": [], "max_gen_toks": 64}}, "token-limit", "max_gen_toks", "64"),
]


@pytest.mark.parametrize(("change", "code", "at", "named"), YAML_MISTAKES, ids=[case[2] for case in YAML_MISTAKES])
def test_mistakes_of_the_yaml_are_found_on_their_line(tmp_path, change, code, at, named):
    folder = task(tmp_path / "mine", **change)
    found = [finding for finding in check(folder).findings if finding.code == code]
    assert [(finding.path, finding.line) for finding in found] == [(str(folder / "mine.yaml"), line_of(folder, at))]
    assert named in found[0].text


def with_answer(**declared: object) -> dict:
    return {"dataset_kwargs": {**CONFIG["dataset_kwargs"], "answer": declared}}


LEAK = "{{ question }} (hint: {{ gold }})"
LABELS = with_answer(kind="label", classes=["up", "down"]) | {"process_results": "!function finbench.lm_eval.label"}
ID = {**CONFIG["dataset_kwargs"], "columns": {"question": "q", "answer": "a", "id": "id"}}
ROW_MISTAKES = [
    ([{"q": "x", "a": "5"}, {"q": "y", "a": ""}], {}, "row", 2, "no answer"),
    ([{"q": "x", "a": "5"}, {"q": "y"}], {}, "row", 2, "no column 'a'"),
    ([{"q": "x", "a": "5"}, {"q": "y", "a": "n/a"}], {}, "answer-type", 2, "'n/a' is no number"),
    ([{"q": "x", "a": "up"}, {"q": "y", "a": "sideways"}], LABELS, "answer-type", 2, "sideways"),
    ([{"q": "x", "a": "5", "id": "1"}, {"q": "y", "a": "6", "id": "1"}], {"dataset_kwargs": ID}, "duplicate-id", 2, "line 1"),
    ([{"q": "x", "a": "5"}], {"doc_to_text": LEAK}, "leak", 1, "template shows the gold"),
    ([{"q": "x", "a": "5"}], {"doc_to_text": "{{ question }} {{ fields.a }}"}, "leak", 1, "template shows the gold"),
    ([{"q": "x. Answer: 42", "a": "42"}], {}, "leak", 1, "'Answer: 42'"),
    ([{"q": "x", "a": "5"}, {"q": "y " * 400_000, "a": "6"}], {}, "too-long", 2, "over 32,768"),
    ([{"q": "x", "a": "5"}, {"q": "y", "a": "6", "z": 1}], {"doc_to_text": "{{ gone if fields.z else question }}"},
     "prompt", 2, "gone"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("rows", "change", "code", "line", "named"), ROW_MISTAKES, ids=[c[2] + c[4] for c in ROW_MISTAKES]
)
def test_mistakes_of_rows_are_found_on_their_line(tmp_path, rows, change, code, line, named):
    if code == "prompt":
        rows = [row | {"z": row.get("z", 0)} for row in rows]
    folder = task(tmp_path / "mine", rows, **change)
    report = check(folder)
    found = [finding for finding in report.findings if finding.code == code]
    assert [(finding.path, finding.line) for finding in found] == [(str(folder / "rows.jsonl"), line)], report.findings
    assert named in found[0].text and report.exit_code == 1


def test_a_word_of_the_question_that_equals_the_gold_is_no_leak(tmp_path):
    rows = [
        {"q": "Is it up or down? The index rose 5 points.", "a": "up"},
        {"q": "The answer is not simple: up?", "a": "down"},
    ]
    assert check(task(tmp_path / "mine", rows, **LABELS)).findings == []


def test_lines_of_a_csv_count_quoted_line_breaks(tmp_path):
    kwargs = {**CONFIG["dataset_kwargs"], "file": "rows.csv"}
    folder = task(tmp_path / "mine", dataset_kwargs=kwargs)
    (folder / "rows.csv").write_text('q,a\n"one\ntwo\nthree",5\nfour,none\n', encoding="utf-8")
    assert [(f.code, f.line) for f in check(folder).findings] == [("answer-type", 5)]


def test_a_template_without_a_field_is_reported_for_the_whole_task(tmp_path):
    report = check(task(tmp_path / "mine", doc_to_text="{{ questoin }}"))
    assert codes(report) == ["load"] and "questoin" in report.findings[0].text


def test_a_file_that_cannot_be_read_is_exit_code_2_and_the_others_are_checked(tmp_path, capsys):
    folder = task(tmp_path / "mine")
    (folder / "broken.yaml").write_text("task: x\nfoo: [\n")
    assert cli.main(["tasks", "check", str(folder)]) == 2
    out = capsys.readouterr().out
    assert f"{folder}/broken.yaml:3" in out and "mine: 2 prompts rendered" in out


@pytest.mark.parametrize("target", ["gone/folder.yaml", "no_such_task"])
def test_a_target_that_is_not_there_is_exit_code_2(tmp_path, target, capsys):
    assert cli.main(["tasks", "check", target]) == 2
    assert target in capsys.readouterr().err


def test_a_folder_without_a_task_is_exit_code_2(tmp_path):
    with pytest.raises(TaskError, match="defines no task"):
        check(tmp_path)


def test_one_yaml_is_checked_alone_and_a_name_is_found_in_an_include_folder(tmp_path):
    folder = task(tmp_path / "mine")
    (folder / "other.yaml").write_text("task: other\nnonsense: 1\n")
    assert check(folder / "mine.yaml").exit_code == 0
    assert check("mine", include=[folder]).exit_code == 0
    assert "unknown-key" in codes(check(folder))


def test_findings_can_be_allowed_by_code_and_an_unknown_code_is_refused(tmp_path):
    folder = task(tmp_path / "mine", generation_kwargs={"until": [], "max_gen_toks": 64})
    assert check(folder, allow=["token-limit"]).exit_code == 0
    with pytest.raises(TaskError, match="no such code"):
        check(folder, allow=["tokens"])


def test_many_findings_of_one_kind_are_counted_and_not_listed(tmp_path):
    folder = task(tmp_path / "mine", [{"q": f"q{n}", "a": "n/a"} for n in range(50)])
    report = check(folder)
    assert len(report.findings) == findings.MAX_LISTED and sum(report.more.values()) == 30
    assert "30 more" in findings.as_text(report) and "50 problems" in findings.as_text(report)


def test_python_beside_the_task_is_run_with_consent_only(tmp_path):
    folder = task(tmp_path / "mine", process_results="!function docs.score")
    (folder / "docs.py").write_text("def score(row, replies):\n    return {'acc': 1.0}\n")
    refused = check(folder)
    assert codes(refused) == ["python"] and list(refused.would_run) == [str(folder / "docs.py")]
    assert check(folder, trust=True).exit_code == 0


def own_scored(folder: Path, scorer: str) -> Path:
    """A task in lm-eval's own way: plain rows, its own scoring."""
    folder.mkdir()
    rows = [{"question": f"{n} plus 1?", "answer": str(n + 1)} for n in range(3)]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "mine.yaml").write_text(
        "task: mine\ndataset_path: json\n"
        f"dataset_kwargs: {{data_files: {{test: {folder}/rows.jsonl}}, cache_dir: {folder}/cache}}\n"
        "output_type: generate_until\ntest_split: test\nnum_fewshot: 0\ndoc_to_text: '{{question}}'\ndoc_to_target: answer\n"
        "fewshot_config: {sampler: first_n, samples: []}\ngeneration_kwargs: {until: [], max_gen_toks: 2048}\n" + scorer
    )
    return folder


def test_lm_evals_own_scoring_has_to_take_the_gold_and_refuse_nothing_at_all(tmp_path):
    exact = "metric_list: [{metric: exact_match, aggregation: mean, higher_is_better: true}]\n"
    sound = check(own_scored(tmp_path / "a", exact))
    assert sound.findings == [] and sound.counts["mine"]["golds"] == 3
    lost = "filter_list: [{name: f, filter: [{function: regex, regex_pattern: 'boxed (x)'}, {function: take_first}]}]\n"
    assert codes(check(own_scored(tmp_path / "b", exact + lost))) == ["gold-fails"]
    generous = own_scored(
        tmp_path / "c", "process_results: !function docs.score\n" + exact.replace("exact_match", "acc")
    )
    (generous / "docs.py").write_text("def score(row, replies):\n    return {'acc': 1.0}\n")
    assert codes(check(generous, trust=True)) == ["accepts-anything"]


def test_a_multiple_choice_task_is_rendered_and_its_golds_are_scored(tmp_path):
    rows = [{"q": f"Larger, {n}?", "o": ["one", "two"], "r": n % 2} for n in range(4)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "mine.yaml").write_text(
        "task: mine\ndataset_path: json\n"
        f"dataset_kwargs: {{data_files: {{test: {tmp_path}/rows.jsonl}}, cache_dir: {tmp_path}/cache}}\n"
        "output_type: multiple_choice\ntest_split: test\nnum_fewshot: 0\nfewshot_config: {sampler: first_n, samples: []}\n"
        "doc_to_text: '{{q}}'\ndoc_to_target: '{{r}}'\ndoc_to_choice: '{{o}}'\n"
        "metric_list: [{metric: acc, aggregation: mean, higher_is_better: true}]\n"
    )
    report = check(tmp_path)
    assert report.findings == [] and report.counts["mine"]["documents"] == 4


@pytest.mark.parametrize("name", ["finqa", "convfinqa", "ant_finance", "tfns", "finance_instruct", "paper"])
def test_the_shipped_tasks_pass_their_own_check_on_the_sample_rows(name):
    report = check(name, data="sample")
    assert report.findings == [] and report.counts


def test_without_the_rows_the_sample_is_checked_and_that_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("FINBENCH_DATA", raising=False)
    report = check("tfns")
    assert report.exit_code == 0 and "sample rows were checked" in report.notes[0]


def test_json_and_junit_say_the_same(tmp_path, capsys):
    folder = task(tmp_path / "mine", [{"q": "x", "a": "n/a \x1b<&>"}])
    junit = tmp_path / "check.xml"
    assert cli.main(["tasks", "check", str(folder), "--json", "--junit", str(junit)]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["exit_code"] == 1
    assert [(f["code"], f["line"]) for f in document["findings"]] == [("answer-type", 1)]
    suite = ElementTree.parse(junit).getroot()[0]
    assert (
        suite.get("name") == "mine" and suite.get("failures") == "1" and suite.get("tests") == str(len(findings.CODES))
    )
    assert [case.get("name", "").split(":")[0] for case in suite if len(case)] == ["answer-type"]


def test_checking_names_only_codes_that_are_documented():
    folder = ROOT / "finbench" / "tasks" / "authoring"
    text = (folder / "check.py").read_text() + (folder / "lint.py").read_text()
    guide = ROOT / "docs" / "custom-tasks.md"
    for code in findings.CODES:
        assert f'"{code}"' in text
        assert f"`{code}`" in guide.read_text(encoding="utf-8"), f"{code} is not explained in docs/custom-tasks.md"


def test_a_task_that_is_written_out_in_a_group_is_checked_too(tmp_path):
    """Such a task is in no file of its own: it was passed over, and the check said `no problems`."""
    text = """\
group: g
task:
  - task: inner
    custom_dataset: !function finbench.lm_eval.rows
    dataset_kwargs: {file: rows.jsonl, columns: {question: q, answer: a}, answer: {kind: number}}
    output_type: generate_until
    test_split: test
    fewshot_config: {sampler: first_n, samples: []}
    doc_to_text: "{{ question }} {{ gold }}"
    doc_to_target: gold
    process_results: !function finbench.lm_eval.number
    metric_list: [{metric: acc, aggregation: mean, higher_is_better: true}]
    generation_kwargs: {until: [], max_gen_toks: 2048}
"""
    (tmp_path / "g.yaml").write_text(text)
    (tmp_path / "rows.jsonl").write_text('{"q": "1 plus 1?", "a": "2"}\n{"q": "How much?", "a": "much"}\n')
    report = check(tmp_path)
    assert {finding.code for finding in report.findings} == {"leak"}
    assert report.counts["g::inner"]["documents"] == 2
