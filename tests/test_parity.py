"""The five benchmarks through lm-eval's own evaluation and through finbench: the same prompts, settings and scores."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from finbench.runs import execute
from finbench.runs.execute import Settings
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


def test_generation_settings_are_the_same(upstream: dict[str, Any], ours: Path) -> None:
    for name in leaves():
        theirs = upstream["samples"][name][0]["arguments"][0][1]
        line = json.loads((ours / f"samples_{name}.jsonl").read_text("utf-8").splitlines()[0])
        mine = line["arguments"]["gen_args_0"]["arg_1"]
        assert mine["max_tokens"] == theirs["max_gen_toks"]
        assert mine["temperature"] == (theirs.get("temperature", 0.0) if theirs.get("do_sample") else 0.0)
        assert mine["top_p"] == theirs.get("top_p", 1.0) and list(mine["stop"]) == theirs["until"]
