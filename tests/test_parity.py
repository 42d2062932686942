"""Tasks through lm-eval's own evaluation and through finbench: the same prompts, settings, replies and scores.

The five benchmarks on their sample rows; then every shape of task of benchmarks/parity.py, which brings its own scoring.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import math
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from finbench.runs import execute, rescore
from finbench.runs.execute import Settings
from finbench.scores import compare
from finbench.tasks import load
from finbench.tasks.task import Asking

NAMES = ("finqa", "convfinqa", "ant_finance", "tfns", "finance_instruct", "finqa_paper", "tfns_paper")
REPLIES = (
    "\\boxed{{{gold}}}",
    "The answer is 7.",
    "<think>never closed {gold}",
    "**bullish**",
    "答案：A",
    "{gold} or 12",
    "",
)


def reply_to(prompt: str, gold: str) -> str:
    """One of REPLIES, chosen by the prompt alone; both sides ask it with the same words."""
    digest = hashlib.blake2b(prompt.encode(), digest_size=2).digest()
    return REPLIES[int.from_bytes(digest, "big") % len(REPLIES)].format(gold=gold)


@pytest.fixture(scope="module")
def upstream() -> dict[str, Any]:
    """lm-eval's own evaluation of the sample rows, with plain prompts and a model that answers by the prompt."""
    from lm_eval.api.model import LM
    from lm_eval.evaluator import simple_evaluate
    from lm_eval.tasks import TaskManager

    class Fake(LM):
        def generate_until(self, requests: list[Any]) -> list[str]:
            return [reply_to(request.args[0], request.doc["gold"]) for request in requests]

        def loglikelihood(self, requests: list[Any]) -> list[Any]:
            raise AssertionError("no task of ours asks for log-likelihoods")

        loglikelihood_rolling = loglikelihood

    load.load(["finqa"], data="sample")  # lm-eval resolves the doors as in any process that uses finbench
    folder = str(load.shipped_folder())
    manager = TaskManager(include_path=folder, include_defaults=False, metadata={"data": "sample"})
    found: dict[str, Any] = simple_evaluate(
        model=Fake(), tasks=list(NAMES), task_manager=manager, bootstrap_iters=0, log_samples=True
    )
    return found


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finbench run of the same tasks: a replay of the same replies, plain prompts."""
    folder = tmp_path_factory.mktemp("parity")
    asking = Asking("fake", chat=False)
    with (folder / "replies.jsonl").open("w", encoding="utf-8") as out:
        for task in load.load(NAMES, data="sample").tasks:
            for _, document in task.documents():
                (request,) = task.requests(document, "", asking)
                text = reply_to(request.prompt, document.row["gold"])
                out.write(json.dumps({"id": document.id, "task": task.name, "output": text}) + "\n")
    settings = Settings(
        model=f"replay:{folder / 'replies.jsonl'}", tasks=NAMES, data="sample", chat=False, output=folder / "run"
    )
    execute.execute(execute.plan(settings))
    return folder / "run"


def leaves() -> list[str]:
    return [task.name for task in load.load(NAMES, data="sample").tasks]


def test_every_sample_has_the_same_prompt_and_the_same_scores(upstream: dict[str, Any], ours: Path) -> None:
    compared = 0
    for name in leaves():
        theirs = {sample["doc"]["id"]: sample for sample in upstream["samples"][name]}
        lines = (ours / f"samples_{name}.jsonl").read_text("utf-8").splitlines()
        assert len(lines) == len(theirs)
        for line in map(json.loads, lines):
            other = theirs[line["doc"]["id"]]
            assert line["arguments"]["gen_args_0"]["arg_0"] == other["arguments"][0][0]
            assert line["resps"] == other["resps"]
            assert (line["acc"], line["lenient"]) == (other["acc"], other["lenient"]), line["finbench"]
            compared += 1
    assert compared > 300


def test_aggregates_are_the_same(upstream: dict[str, Any], ours: Path) -> None:
    results = json.loads((ours / "results.json").read_text("utf-8"))["results"]
    for name in leaves():
        own = ("reference,none",) if name.startswith("finance_instruct") else ()
        for metric in ("acc,none", "lenient,none", *own):
            assert results[name][metric] == pytest.approx(upstream["results"][name][metric], abs=1e-6), (name, metric)
    for name in ("tfns", "tfns_paper"):
        assert results[name]["macro_f1,none"] == pytest.approx(upstream["results"][name]["macro_f1,none"], abs=1e-6)
    mine, theirs = (found["finance_instruct"]["reference,none"] for found in (results, upstream["results"]))
    assert mine == pytest.approx(theirs, abs=1e-6)


def test_groups_and_their_sub_groups_are_the_same(upstream: dict[str, Any], ours: Path) -> None:
    found = json.loads((ours / "results.json").read_text("utf-8"))
    assert found["group_subtasks"] == upstream["group_subtasks"]
    assert set(found["groups"]) == set(upstream["groups"]) and "ant_finance_understanding" in found["groups"]
    for name, entry in upstream["groups"].items():
        assert found["groups"][name]["sample_len"] == entry["sample_len"]
        for metric in ("acc,none", "lenient,none"):
            assert found["groups"][name][metric] == pytest.approx(entry[metric], abs=1e-6), (name, metric)


def test_generation_settings_are_the_same(upstream: dict[str, Any], ours: Path) -> None:
    for name in leaves():
        theirs = upstream["samples"][name][0]["arguments"][0][1]
        line = json.loads((ours / f"samples_{name}.jsonl").read_text("utf-8").splitlines()[0])
        mine = line["arguments"]["gen_args_0"]["arg_1"]
        assert mine["max_tokens"] == theirs["max_gen_toks"]
        assert mine["temperature"] == (theirs.get("temperature", 0.0) if theirs.get("do_sample") else 0.0)
        assert mine["top_p"] == theirs.get("top_p", 1.0) and list(mine["stop"]) == theirs["until"]


# -- tasks with their own scoring ------------------------------------------------------------------------------------

HEADLINES = {  # name -> metric, printed in points of 100 or in its own unit
    "two_filters": ("exact_match,strict-match", 100),
    "majority": ("exact_match,maj@8", 100),
    "drawn_examples": ("exact_match,n", 100),
    "fixed_choices": ("f1,none", 100),
    "prompt_per_choice": ("acc,none", 100),
    "many_targets": ("exact_match,n", 100),
    "likelihood": ("perplexity,none", 1),
    "rolling": ("word_perplexity,none", 1),
    "fractional": ("token_f1,none", 100),
    "corpus": ("bleu,none", 1),
    "own_results": ("overlap,none", 1),
    "by_size": ("acc", 100),
    "by_task": ("acc", 100),
    "of_filters": ("exact_match", 100),
}
SHAPES = sorted({*HEADLINES, "list_choices", "made_choices", "mutual_information", "index_target", "processed"})


def benchmark() -> ModuleType:
    path = Path(__file__).parent.parent / "benchmarks" / "parity.py"
    spec = importlib.util.spec_from_file_location("parity", path)
    assert spec and spec.loader
    module = sys.modules["parity"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "chat"])
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """lm-eval's results and a finbench run of the same tasks with the same model."""
    parity = benchmark()
    root = tmp_path_factory.mktemp("shapes")
    folder = root / "tasks"  # what lies below it is consented to by its content: the run and the cache lie elsewhere
    folder.mkdir()
    names = parity.write(folder)
    chosen = list(parity.CHAT) if request.param else names
    ours = parity.ours(folder, chosen, root / "run", chat=request.param)  # first: it consents to the Python there
    theirs = parity.theirs(folder, chosen, chat=request.param)
    return {
        "parity": parity,
        "theirs": theirs,
        "ours": ours,
        "folder": folder,
        "run": root / "run",
        "names": chosen,
        "chat": request.param,
    }


def test_every_number_of_every_shape_is_lm_evals(both: dict[str, Any]) -> None:
    rows = list(both["parity"].compared(both["theirs"], both["ours"]))
    assert [row for row in rows if row.difference != 0] == []
    assert {row.task for row in rows} >= set(both["parity"].CHAT if both["chat"] else SHAPES)
    assert len({row.ours for row in rows}) > len(rows) / 3, "the model has to be right sometimes"


def test_every_sample_of_every_shape_has_lm_evals_prompt_replies_and_metrics(both: dict[str, Any]) -> None:
    run = both["run"]
    assert both["parity"].samples_differ(both["theirs"], run, chat=both["chat"]) == []


def test_the_headline_is_lm_evals_first_metric_with_an_interval_around_it(both: dict[str, Any]) -> None:
    entries = both["ours"]["finbench"]["tasks"]
    assert set(entries) == set(both["names"])
    for name, entry in entries.items():
        metric, scale = HEADLINES[name]
        key = (
            metric if "," in metric else next(k for k in both["theirs"]["results"][name] if k.startswith(f"{metric},"))
        )
        assert (entry["metric"], entry["scale"]) == (metric, scale)
        assert entry["score"] == pytest.approx(scale * both["theirs"]["results"][name][key], abs=1e-4), name
        low, high = entry["ci"]
        assert low < entry["score"] < high and not math.isinf(high - low), name


def test_groups_have_lm_evals_children_and_sizes(both: dict[str, Any]) -> None:
    assert both["ours"]["group_subtasks"] == both["theirs"]["group_subtasks"]
    for name, entry in both["theirs"].get("groups", {}).items():
        assert both["ours"]["groups"][name]["sample_len"] == entry["sample_len"]
    if not both["chat"]:
        assert "by_task::inner" in both["ours"]["groups"]


def test_a_second_run_asks_nothing_and_says_the_same(both: dict[str, Any]) -> None:
    again = both["parity"].ours(both["folder"], both["names"], both["run"], chat=both["chat"])
    assert again["results"] == both["ours"]["results"]


def test_only_scores_that_are_means_over_questions_are_compared_by_question(both: dict[str, Any]) -> None:
    run = both["run"]
    (pair,) = compare.compare([run, run]).pairs
    gaps = {task.task: task.gap for task in pair.tasks}
    entries = both["ours"]["finbench"]["tasks"]
    assert {name for name, gap in gaps.items() if gap is None} == {
        n for n, e in entries.items() if not e["by_question"]
    }
    for name, gap in gaps.items():
        assert gap is None or gap.first == pytest.approx(entries[name]["score"], abs=1e-3), name
    if not both["chat"]:
        assert gaps["corpus"] is gaps["fixed_choices"] is gaps["by_task"] is None
        assert gaps["fractional"] and gaps["majority"] and gaps["by_size"]


def test_scoring_the_run_again_keeps_lm_evals_numbers(both: dict[str, Any]) -> None:
    document, changed, problems = rescore.rescore(both["run"])
    assert problems == []
    assert changed == 0
    for name, entry in both["ours"]["finbench"]["tasks"].items():
        assert document["tasks"][name]["score"] == entry["score"] and document["tasks"][name]["ci"] == entry["ci"]
