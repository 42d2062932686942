"""The adapter: names to tasks, documents, prompts; and the same prompts and scores as lm-eval's own evaluation."""

from __future__ import annotations

import hashlib
import json
import re
from collections import defaultdict
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from finbench.errors import NothingSelected, TaskError
from finbench.records import Response
from finbench.tasks import load
from finbench.tasks.task import Asking, Task

MEMBERS = ["coins", "coins_drawn", "larger", "adds"]
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
        ({"output_type": "loglikelihood_rolling"}, "loglikelihood_rolling"),
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


# -- parity with lm-eval ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shapes(tmp_path_factory) -> Path:
    """A gsm8k-like task with filters and few-shot examples, a multiple-choice task, and a group."""
    folder = tmp_path_factory.mktemp("shapes")
    sums = [
        {"question": f"Ann has {n} coins and finds {n % 7}. How many?", "answer": f"{n} + {n % 7}\n#### {n + n % 7}"}
        for n in range(30)
    ]
    train, test = jsonl(folder / "train.jsonl", sums[:10]), jsonl(folder / "test.jsonl", sums[10:])
    cache = str(folder / "cache")
    coins = {
            "task": "coins",
            "tag": ["arithmetic_like"],
            "dataset_path": "json",
            "dataset_kwargs": {"data_files": {"train": train, "test": test}, "cache_dir": cache},
            "output_type": "generate_until",
            "training_split": "train",
            "fewshot_split": "train",
            "test_split": "test",
            "num_fewshot": 3,
            "doc_to_text": "Question: {{question}}\nAnswer:",
            "doc_to_target": "{{answer}}",
            "metric_list": [
                {
                    "metric": "exact_match",
                    "aggregation": "mean",
                    "higher_is_better": True,
                    "ignore_case": True,
                    "regexes_to_ignore": [",", "\\$", "(?s).*#### ", "\\.$"],
                }
            ],
            "generation_kwargs": {"until": ["Question:", "</s>"], "do_sample": False, "temperature": 0.0},
            "filter_list": [
                {"name": "strict-match", "filter": [
                    {"function": "regex", "regex_pattern": "#### (\\-?[0-9\\.\\,]+)"}, {"function": "take_first"}]},
                {"name": "flexible-extract", "filter": [
                    {"function": "regex", "group_select": -1, "regex_pattern": "(-?[$0-9.,]{2,})|(-?[0-9]+)"},
                    {"function": "take_first"}]},
            ],
            "metadata": {"version": 3.0},
    }  # fmt: skip
    task_file(folder, coins | {"fewshot_config": {"sampler": "first_n"}})
    task_file(folder, coins | {"task": "coins_drawn"})
    choices = [
        {"stem": f"Which is larger, item {n}?", "options": [f"{n}", f"{n + 5} apples", "neither"], "right": n % 3}
        for n in range(25)
    ]
    task_file(
        folder,
        {
            "task": "larger",
            "dataset_path": "json",
            "dataset_kwargs": {"data_files": {"test": jsonl(folder / "choices.jsonl", choices)}, "cache_dir": cache},
            "output_type": "multiple_choice",
            "test_split": "test",
            "num_fewshot": 0,
            "description": "Pick one.\n\n",
            "doc_to_text": "Q: {{stem}}\nA:",
            "doc_to_target": "{{right}}",
            "doc_to_choice": "{{options}}",
            "metric_list": [
                {"metric": "acc", "aggregation": "mean", "higher_is_better": True},
                {"metric": "acc_norm", "aggregation": "mean", "higher_is_better": True},
            ],
            "metadata": {"version": 1.0},
        },
    )
    table_task(folder, "adds", rows=12)
    task_file(
        folder,
        {
            "group": "shapes",
            "task": MEMBERS,
            "aggregate_metric_list": [{"metric": "acc", "aggregation": "mean", "weight_by_size": True}],
        },
    )
    return folder


def fake_reply(prompt: str) -> str:
    """The same text for the same prompt; right for about every second question."""
    right = sum(map(int, re.findall(r"\d+", prompt)[-2:]))
    chance = int(hashlib.sha256(prompt.encode()).hexdigest(), 16) % 6
    return [f"So:\n#### {right}", f"It is {right}", f"#### {right}.", "no idea", "#### 1,000", f"{right + 1}"][chance]


def fake_logprob(prompt: str, continuation: str) -> float:
    return -(int(hashlib.sha256((prompt + continuation).encode()).hexdigest(), 16) % 1000) / 10


@pytest.fixture(scope="module")
def upstream(shapes):
    """lm-eval's own evaluation of the group with the fake model: {task: (metrics, samples)}."""
    from lm_eval.api.model import LM
    from lm_eval.evaluator import simple_evaluate
    from lm_eval.tasks import TaskManager

    class Fake(LM):
        def generate_until(self, requests):
            return [fake_reply(request.args[0]) for request in requests]

        def loglikelihood(self, requests):
            return [(fake_logprob(*request.args), False) for request in requests]

        def loglikelihood_rolling(self, requests):
            raise NotImplementedError

    manager = TaskManager(include_path=str(shapes), include_defaults=False)
    found = simple_evaluate(model=Fake(), tasks=["shapes"], task_manager=manager, bootstrap_iters=0, log_samples=True)
    return found["results"], found["samples"]


def ours(task: Task) -> tuple[dict[str, float], list[list[str]], dict[str, list]]:
    """Aggregated metrics, prompts by document, per-sample metrics, with the same fake model."""
    values: dict[str, list] = defaultdict(list)
    prompts = []
    for _, document in task.documents():
        requests = list(task.requests(document, "", PLAIN))
        prompts.append([request.prompt for request in requests])
        if task.output_type == "generate_until":
            reply = fake_reply(requests[0].prompt)
            replies = [Response(requests[0].id, reply, "stop")]
        else:
            reply = ""
            replies = [
                Response(r.id, "", "stop", logprob=fake_logprob(r.prompt, r.continuation), greedy=False)
                for r in requests
            ]
        for key, value in task.own_grade(document, replies, reply).metrics.items():
            values[key].append(value)
    return task.aggregate(values), prompts, values


@pytest.mark.parametrize("name", ["coins", "larger", "adds", "coins_drawn"])
def test_prompts_and_scores_are_those_of_lm_evals_own_evaluation(shapes, upstream, name):
    results, samples = upstream
    task = next(task for task in load.load(["shapes"], include=[shapes]).tasks if task.name == name)
    scores, prompts, values = ours(task)
    theirs: dict[int, list[str]] = {}
    for sample in samples[name]:
        theirs[sample["doc_id"]] = [
            argument["arg_0"] if isinstance(argument, dict) else argument[0]
            for argument in (
                sample["arguments"].values() if isinstance(sample["arguments"], dict) else sample["arguments"]
            )
        ]
    assert prompts == [theirs[position] for position in sorted(theirs)]
    expected = {key: value for key, value in results[name].items() if "," in key and "_stderr" not in key}
    assert scores == pytest.approx(expected)
    assert len(set(map(str, values[next(iter(values))]))) > 1, "the fake model has to be right sometimes"


def test_drawn_examples_are_the_same_in_every_run(shapes):
    def first_prompts() -> list[str]:
        (task,) = load.load(["coins_drawn"], include=[shapes]).tasks
        return ours(task)[1][0]

    assert first_prompts() == first_prompts()


def test_a_group_holds_the_tasks_that_lm_eval_puts_into_it(shapes, upstream):
    selection = load.load(["shapes"], include=[shapes])
    assert selection.groups == {"shapes": tuple(MEMBERS)}
    assert set(upstream[1]) == set(MEMBERS)


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
