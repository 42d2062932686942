"""The adapter: names to tasks, documents, prompts; and the same prompts and scores as lm-eval's own evaluation."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from finbench.errors import NothingSelected, TaskError
from finbench.tasks import load
from finbench.tasks.task import Asking

PLAIN = Asking("fake", chat=False)


def jsonl(path: Path, rows: list[dict]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def task_file(folder: Path, config: dict, name: str = "") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name or config.get('task') or config['group']}.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    return path


def table_task(folder: Path, name: str, rows: int = 6, **further: object) -> None:
    """A task of ours without Python: the door for rows."""
    lines = [{"q": f"What is {number} plus {number}?", "a": 2 * number} for number in range(rows)]
    (folder / name).mkdir(parents=True, exist_ok=True)
    jsonl(folder / name / "rows.jsonl", lines)
    text = yaml.safe_dump(
        {
            "task": name,
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
            "metric_list": [
                {"metric": "acc", "aggregation": "mean", "higher_is_better": True},
                {"metric": "lenient", "aggregation": "mean", "higher_is_better": True},
            ],
            "generation_kwargs": {"until": [], "max_gen_toks": 2048},
            "metadata": {"version": 1.0},
            **further,
        }
    )
    doors = "custom_dataset: !function finbench.lm_eval.rows\nprocess_results: !function finbench.lm_eval.number\n"
    (folder / name / f"{name}.yaml").write_text(text + doors, encoding="utf-8")


# -- selection -------------------------------------------------------------------------------------------------------


def test_a_task_of_a_folder_yields_documents_in_order_and_prompts(tmp_path):
    table_task(tmp_path, "sums")
    (task,) = load.load(["sums"], include=[tmp_path]).tasks
    documents = [document for _, document in task.documents()]
    assert [document.golds[0].text for document in documents] == ["0", "2", "4", "6", "8", "10"]
    (request,) = task.requests(documents[1], "digest", Asking("m", system="Be brief."))
    assert [(turn.role, turn.content) for turn in request.messages] == [
        ("system", "Be brief."),
        ("user", "What is 1 plus 1?"),
    ]
    (plain,) = task.requests(documents[1], "digest", PLAIN)
    assert plain.prompt == "What is 1 plus 1?" and not plain.messages and plain.id != request.id


def test_a_limit_draws_by_seed_and_not_the_first_rows(tmp_path):
    table_task(tmp_path, "sums", rows=100)
    (task,) = load.load(["sums"], include=[tmp_path]).tasks
    drawn = [position for position, _ in task.documents(limit=10, seed=1)]
    assert drawn == sorted(set(drawn)) and len(drawn) == 10 and drawn != list(range(10))
    assert drawn == [position for position, _ in task.documents(limit=10, seed=1)]
    assert drawn != [position for position, _ in task.documents(limit=10, seed=2)]
    assert len(list(task.documents(limit=1000))) == 100


def test_later_include_folders_win_over_earlier_ones_and_over_the_shipped_tasks(tmp_path):
    table_task(tmp_path / "one", "sums", doc_to_text="one")
    table_task(tmp_path / "two", "sums", doc_to_text="two")
    table_task(tmp_path / "two", "tfns", doc_to_text="mine")
    first, second = load.load(["sums", "tfns"], include=[tmp_path / "one", tmp_path / "two"]).tasks
    prompts = [next(iter(t.requests(next(iter(t.documents()))[1], "", PLAIN))).prompt for t in (first, second)]
    assert prompts == ["two", "mine"]


def test_a_group_is_one_row_with_its_tasks_below_and_a_suite_is_none(tmp_path):
    table_task(tmp_path, "one")
    table_task(tmp_path, "two")
    task_file(tmp_path, {"group": "both", "task": ["one", "two"]})
    selection = load.load(["both"], include=[tmp_path])
    assert selection.groups == {"both": ("one", "two")}
    assert [task.name for task in selection.tasks] == ["one", "two"]
    suite = load.load(["finbench"], data="sample")
    assert "finbench" not in suite.groups and "ant_finance" in suite.groups and len(suite.tasks) == 37


def test_nothing_selected_is_its_own_failure():
    with pytest.raises(NothingSelected, match="tasks list"):
        load.load([])


def test_an_unknown_name_gets_its_neighbours_and_the_broken_files(tmp_path):
    table_task(tmp_path, "fees")
    (tmp_path / "broken.yaml").write_text("task: [x\n")
    with pytest.raises(TaskError) as caught:
        load.load(["fess"], include=[tmp_path], builtins=False)
    assert "did you mean fees" in str(caught.value)
    assert f"{tmp_path / 'broken.yaml'}:2" in str(caught.value)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"doc_to_text": "{{ missing }}"}, "missing"),
        ({"doc_to_text": "{% if %}"}, "sums"),
        ({"nmu_fewshot": 3}, "nmu_fewshot"),
        ({"output_type": "sampled"}, "sampled"),
        ({"repeats": 0}, "sums: `repeats` is 0"),
        ({"generation_kwargs": 5}, "sums"),
        ({"metric_list": 5}, "sums"),
    ],
)
def test_a_task_that_lm_eval_cannot_load_is_a_task_error_with_its_name(tmp_path, change, named):
    table_task(tmp_path, "sums", **change)
    with pytest.raises(TaskError, match=named):
        load.load(["sums"], include=[tmp_path], builtins=False)


def test_a_name_that_is_not_ours_is_looked_for_among_lm_evals_own_and_that_is_said(monkeypatch, caplog):
    monkeypatch.setattr("lm_eval.tasks.TaskManager", lambda **_: SimpleNamespace(task_index={}))
    with pytest.raises(TaskError, match="unknown task 'qqqq'"):
        load.load(["qqqq"])
    assert "qqqq: no task of finbench; looking through lm-eval's own" in caplog.text


def test_a_data_set_that_cannot_be_fetched_is_named_with_the_ways_out(tmp_path, monkeypatch):
    def refused(path, **_):
        raise ConnectionError(f"Couldn't reach '{path}' on the Hub (OfflineModeIsEnabled)")

    monkeypatch.setattr("datasets.load_dataset", refused)
    fetched = {"task": "sums", "dataset_path": "somebody/sums", "test_split": "test", "doc_to_text": "{{q}}",
               "doc_to_target": "{{a}}", "output_type": "generate_until"}  # fmt: skip
    task_file(tmp_path, fetched)
    with pytest.raises(TaskError, match=r"(?s)task sums.*somebody/sums.*HF_HOME.*--include"):
        load.load(["sums"], include=[tmp_path], builtins=False, trust_data=True)


def test_the_paper_protocol_takes_the_variant_of_a_task_where_there_is_one():
    assert load.protocol_names(["finqa", "mine", "all"], "paper") == ["finqa_paper", "mine", "paper"]


def test_settings_reach_the_request_and_flags_win(tmp_path):
    kwargs = {"until": ["\n"], "do_sample": True, "temperature": 0.5, "top_p": 0.9, "max_gen_toks": 100}
    table_task(tmp_path, "sums", generation_kwargs=kwargs)
    (task,) = load.load(["sums"], include=[tmp_path]).tasks
    sampling = task.sampling({"max_tokens": 7})
    assert (sampling.max_tokens, sampling.temperature, sampling.top_p, sampling.stop) == (7, 0.5, 0.9, ("\n",))
    document = next(iter(task.documents()))[1]
    seeds = [request.sampling.seed for request in task.requests(document, "", PLAIN, repeats=3, seed=10)]
    assert seeds == [10, 11, 12]
    assert len({request.id for request in task.requests(document, "", PLAIN, repeats=3)}) == 3


def test_a_request_id_changes_with_everything_that_changes_the_reply(tmp_path):
    table_task(tmp_path, "sums")
    (task,) = load.load(["sums"], include=[tmp_path]).tasks
    sampling = task.sampling()
    base = task.request_id("d", PLAIN, sampling, 0)
    changed = [
        task.request_id("e", PLAIN, sampling, 0),
        task.request_id("d", Asking("other", chat=False), sampling, 0),
        task.request_id("d", Asking("fake", revision="v2", chat=False), sampling, 0),
        task.request_id("d", Asking("fake", system="s", chat=False), sampling, 0),
        task.request_id("d", Asking("fake"), sampling, 0),
        task.request_id("d", PLAIN, task.sampling({"temperature": 1.0}), 0),
        task.request_id("d", PLAIN, sampling, 1),
        task.request_id("d", PLAIN, sampling, 0, part=1),
    ]
    assert len({base, *changed}) == 9 and base == task.request_id("d", PLAIN, sampling, 0)


def test_a_limit_draws_a_question_together_with_its_variant_and_a_larger_one_adds_to_it() -> None:
    finqa, variants = load.load(("finqa", "finqa_resampled"), data="sample").tasks
    few = {document.id for _, document in finqa.documents(6, seed=1)}
    more = {document.id for _, document in finqa.documents(12, seed=1)}
    assert len(few) == 6 and few < more and len(more) == 12
    having = {document.row["original"] for _, document in variants.documents()}
    drawn = {document.row["original"] for _, document in variants.documents(12, seed=1)}
    assert more & having <= drawn and more & having


def test_names_come_in_the_order_in_which_they_were_asked_for():
    known = {name: load.shipped() for name in load.shipped().files}
    objects = {name: object() for name in ("tfns", "of_lm_eval", "finqa")}
    assert load._order(["finqa", "tfns"], known, objects) == ["finqa", "tfns", "of_lm_eval"]


@pytest.mark.parametrize(
    ("text", "stem", "expected"), [("task: [", "mine", True), ("task: mine\n: [", "x", True), ("[", "x", False)]
)
def test_a_file_that_cannot_be_read_may_define_the_name_that_it_bears_or_holds(tmp_path, text, stem, expected):
    (tmp_path / f"{stem}.yaml").write_text(text)
    assert load._may_define(tmp_path / f"{stem}.yaml", "mine") is expected
