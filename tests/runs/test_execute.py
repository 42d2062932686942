"""The whole path, from a task to result files, against built-in models and the fake server."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from fake_server import FakeServer

from finbench.errors import DataError, StoreError, TaskError, UsageError
from finbench.runs.execute import Outcome, Settings, plan
from finbench.runs.execute import execute as execute_plan

ROOT = Path(__file__).parents[2]
SAMPLE = Settings(model="baseline/oracle", tasks=("finqa",), data="sample")


def execute(settings: Settings) -> Outcome:
    return execute_plan(plan(settings))


def samples(folder: Path, task: str = "finqa") -> list[dict]:
    return [json.loads(line) for line in (folder / f"samples_{task}.jsonl").read_text("utf-8").splitlines()]


def verdicts(folder: Path, task: str = "finqa") -> list[tuple]:
    """What a run found, without what may differ between two runs of it (times, attempts)."""
    keys = ("id", "repeat", "request_id", "extracted", "reason", "correct", "lenient")
    return [(*(one["finbench"][key] for key in keys), one["resps"]) for one in samples(folder, task)]


def test_the_oracle_scores_one_hundred_on_the_sample(tmp_path: Path) -> None:
    outcome = execute(replace(SAMPLE, output=tmp_path))
    entry = outcome.document["tasks"]["finqa"]
    assert outcome.status == "complete"
    assert entry["score"] == 100.0 and entry["n"] == len(samples(tmp_path)) >= 40
    assert entry["ci"][0] < 100.0 and entry["ci"][1] == 100.0
    assert sum(entry["reasons"].values()) == entry["n"]


def test_the_files_of_a_run_are_complete_and_say_where_numbers_come_from(tmp_path: Path) -> None:
    execute(replace(SAMPLE, output=tmp_path))
    manifest = json.loads((tmp_path / "run.json").read_text("utf-8"))
    assert manifest["status"] == "complete" and manifest["tasks"]["finqa"]["data"] == "sample"
    assert manifest["tasks"]["finqa"]["data_hash"] and manifest["tasks"]["finqa"]["template_hash"]
    assert manifest["versions"]["lm-eval"] and manifest["settings"]["sampling"]["finqa"]["temperature"] == 0.0
    results = json.loads((tmp_path / "results.json").read_text("utf-8"))
    assert results["results"]["finqa"]["acc,none"] == 1.0
    assert results["finbench"]["tasks"]["finqa"]["score"] == 100.0


def test_results_and_samples_follow_lm_evals_own_schema(tmp_path: Path) -> None:
    from lm_eval.result_schema import EvalResults, SampleResult

    execute(replace(SAMPLE, output=tmp_path))
    results = json.loads((tmp_path / "results.json").read_text("utf-8"))
    assert set(results) - {"finbench"} <= set(EvalResults.__annotations__)
    required = getattr(SampleResult, "__required_keys__", set(SampleResult.__annotations__))
    assert required <= set(samples(tmp_path)[0])


def test_the_same_settings_ask_nothing_twice_and_give_the_same_samples(tmp_path: Path) -> None:
    settings = replace(SAMPLE, model="m", output=tmp_path)
    with FakeServer() as server:
        settings = replace(settings, base_urls=(server.url,))
        execute(settings)
        before, asked = verdicts(tmp_path), sum(server.asked.values())
        execute(settings)
        assert sum(server.asked.values()) == asked
    assert verdicts(tmp_path) == before


def test_changed_settings_are_refused_by_name(tmp_path: Path) -> None:
    execute(replace(SAMPLE, output=tmp_path))
    with pytest.raises(StoreError, match="seed: 0 there, 1 asked for"):
        execute(replace(SAMPLE, output=tmp_path, seed=1))


@pytest.mark.parametrize(("concurrency", "sigma"), [(1, 0.0), (64, 0.8)])
def test_order_and_concurrency_do_not_change_a_verdict(tmp_path: Path, concurrency: int, sigma: float) -> None:
    with FakeServer(latency=0.001, sigma=sigma) as server:
        one, other = tmp_path / "one", tmp_path / "other"
        settings = replace(SAMPLE, model="m", base_urls=(server.url,), output=one, max_concurrency=8)
        execute(settings)
        execute(replace(settings, output=other, max_concurrency=concurrency))
    assert verdicts(one) == verdicts(other)


def test_failed_requests_count_as_wrong_are_listed_and_asked_again(tmp_path: Path) -> None:
    settings = replace(SAMPLE, model="m", output=tmp_path, engine_options={"retries": 1, "timeout": 5.0})
    with FakeServer(mode="400", every=3) as server:
        settings = replace(settings, base_urls=(server.url,))
        outcome = execute(settings)
        entry = outcome.document["tasks"]["finqa"]
        assert outcome.status == "partial" and 0 < entry["errors"] < entry["n"]
        assert entry["n"] == len(samples(tmp_path))
        failed = [one for one in samples(tmp_path) if one["finbench"]["reason"] == "error"]
        assert len(failed) == entry["errors"] and all(one["finbench"]["error"] for one in failed)
        server.mode = "ok"
        again = execute(settings)
    assert again.status == "complete" and again.document["tasks"]["finqa"]["errors"] == 0


def test_repeats_are_averaged_per_question(tmp_path: Path) -> None:
    outcome = execute(replace(SAMPLE, output=tmp_path, repeats=3, limit=5, sampling={"temperature": 0.5}))
    entry = outcome.document["tasks"]["finqa"]
    assert entry["n"] == 5 and sum(entry["reasons"].values()) == 15
    assert len({one["finbench"]["request_id"] for one in samples(tmp_path)}) == 15


def test_a_limit_draws_the_same_documents_for_the_same_seed(tmp_path: Path) -> None:
    def drawn(folder: str, seed: int) -> list[str]:
        execute(replace(SAMPLE, output=tmp_path / folder, limit=10, seed=seed))
        return [one["finbench"]["id"] for one in samples(tmp_path / folder)]

    assert drawn("a", 1) == drawn("b", 1) != drawn("c", 2)


def test_missing_data_is_an_error_that_names_the_ways_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FINBENCH_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(DataError) as failed:
        plan(replace(SAMPLE, data=None))
    for way in ("--data", "FINBENCH_DATA", "finbench data fetch", "unpack"):
        assert way in str(failed.value)


def test_unknown_words_are_refused_with_what_is_known(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match="did you mean finqa"):
        plan(replace(SAMPLE, tasks=("finqua",)))
    with pytest.raises(UsageError, match="--protocol"):
        plan(replace(SAMPLE, protocol="mine"))


def test_conversations_wait_for_the_models_own_answers(tmp_path: Path) -> None:
    with FakeServer(default="I think it is \\boxed{7.5}.") as server:
        settings = replace(
            SAMPLE, tasks=("convfinqa_own_history",), model="m", base_urls=(server.url,), output=tmp_path
        )
        outcome = execute(settings)
        asked = sum(server.asked.values())
        again = execute(settings)
        assert sum(server.asked.values()) == asked
    later = [one for one in samples(tmp_path, "convfinqa_own_history") if one["doc"]["history"]]
    assert later and all(turn["answer"] == "7.5" for one in later for turn in one["doc"]["history"])
    assert all("7.5" in one["arguments"]["gen_args_0"]["arg_0"][-1]["content"] for one in later)
    assert again.document["tasks"] == outcome.document["tasks"]
    assert outcome.document["tasks"]["convfinqa_own_history"]["n"] == asked


COMMAND = [
    sys.executable,
    "-m",
    "finbench",
    "run",
    "--model",
    "m",
    "--tasks",
    "finqa",
    "--data",
    "sample",
    "--no-report",
]


def start(url: str, folder: Path, *more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, "--base-url", url, "--output", str(folder), "--max-concurrency", "4", *more],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "NO_COLOR": "1"},
    )


def test_a_killed_run_continues_and_ends_like_an_uninterrupted_one(tmp_path: Path) -> None:
    with FakeServer(latency=0.05) as server:
        execute(replace(SAMPLE, model="m", base_urls=(server.url,), output=tmp_path / "whole"))
        expected, server.asked = verdicts(tmp_path / "whole"), Counter()
        generator = random.Random(7)
        for _ in range(3):
            target = sum(server.asked.values()) + generator.randint(3, 9)
            process = start(server.url, tmp_path / "killed")
            deadline = time.monotonic() + 60
            while sum(server.asked.values()) < target and process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.005)
            process.send_signal(signal.SIGKILL)
            process.wait()
        final = start(server.url, tmp_path / "killed")
        assert final.wait(timeout=60) == 0, final.stderr.read()
    assert verdicts(tmp_path / "killed") == expected
    # 3 kills, 4 requests under way at each, and what was answered in the second before it.
    assert sum(count - 1 for count in server.asked.values()) <= 3 * (4 + 20)
    assert set(server.asked) and len(server.asked) == len({one["prompt_hash"] for one in samples(tmp_path / "whole")})


def test_control_c_lets_replies_under_way_in_and_keeps_them(tmp_path: Path) -> None:
    with FakeServer(latency=0.2) as server:
        process = start(server.url, tmp_path)
        while sum(server.asked.values()) < 6:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 130
        said = process.stderr.read()
        asked = sum(server.asked.values())
        assert "waiting for the replies under way" in said and "Traceback" not in said
        manifest = json.loads((tmp_path / "run.json").read_text("utf-8"))
        assert manifest["status"] == "interrupted"
        # Only what was answered counts, not what was rendered ahead of its turn.
        found = json.loads((tmp_path / "results.json").read_text("utf-8"))["finbench"]["tasks"]["finqa"]
        assert manifest["tasks"]["finqa"]["n"] == found["n"] == len(samples(tmp_path)) == asked
        assert found["errors"] == 0
        assert start(server.url, tmp_path).wait(timeout=60) == 0
    assert max(server.asked.values()) == 1 and sum(server.asked.values()) > asked


def test_a_run_stopped_before_its_first_reply_ends_in_order_and_can_go_on(tmp_path: Path) -> None:
    with FakeServer(latency=600.0) as server:
        process = start(server.url, tmp_path)
        while not server.asked:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 130
        assert "Traceback" not in process.stderr.read()
    with FakeServer() as server:
        assert start(server.url, tmp_path).wait(timeout=60) == 0


def test_json_prints_exactly_one_document(tmp_path: Path) -> None:
    command = [*COMMAND, "--output", str(tmp_path), "--json"]
    command[command.index("m")] = "baseline/oracle"
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=True)
    document = json.loads(done.stdout)
    assert document["schema"] == 1 and document["tasks"]["finqa"]["score"] == 100.0
    assert {"run_dir", "model", "protocol", "tasks", "average", "reported"} <= set(document)
    assert document["average"] is None


def test_prompts_over_the_context_end_the_run_before_it_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from finbench.engines.offline import OfflineEngine
    from finbench.engines.prompts import LongPrompt
    from finbench.errors import EngineError

    def check_lengths(self: object, requests: object) -> object:
        for request in requests:  # type: ignore[attr-defined]
            if "SAMPLE" in request.document.id and request.document.id.endswith("1"):
                yield LongPrompt(request.id, 5000, 4096)

    monkeypatch.setattr(OfflineEngine, "check_lengths", check_lengths, raising=False)
    with pytest.raises(EngineError, match=r"5,000 tokens, 4,096 fit[\s\S]*--long-prompts skip"):
        execute(replace(SAMPLE, output=tmp_path))
    outcome = execute(replace(SAMPLE, output=tmp_path, engine_options={"long_prompts": "skip"}))
    assert outcome.status == "complete"


def test_a_price_file_gives_an_estimate(tmp_path: Path) -> None:
    prices = tmp_path / "prices.yaml"
    prices.write_text("models: {m: {input: 1000000, output: 0}}", encoding="utf-8")
    with FakeServer() as server:
        execute(replace(SAMPLE, model="m", base_urls=(server.url,), output=tmp_path / "run", prices=prices, limit=3))
    manifest = json.loads((tmp_path / "run" / "run.json").read_text("utf-8"))
    assert manifest["cost"] == {"amount": manifest["tokens"]["prompt"], "currency": "USD"}


def test_a_complete_run_is_only_looked_over_and_files_that_are_gone_are_written_again(tmp_path: Path) -> None:
    first = execute(replace(SAMPLE, output=tmp_path))
    assert execute(replace(SAMPLE, output=tmp_path)).document == first.document
    before = (tmp_path / "samples_finqa.jsonl").read_text("utf-8")
    (tmp_path / "samples_finqa.jsonl").unlink()
    assert execute(replace(SAMPLE, output=tmp_path)).document == first.document
    assert (tmp_path / "samples_finqa.jsonl").read_text("utf-8") == before


def test_the_manifest_lists_rows_that_were_drawn(tmp_path: Path) -> None:
    execute(replace(SAMPLE, tasks=("finance_instruct",), output=tmp_path))
    manifest = json.loads((tmp_path / "run.json").read_text("utf-8"))
    ids = manifest["tasks"]["finance_instruct"]["ids"]
    assert ids == [one["finbench"]["id"] for one in samples(tmp_path, "finance_instruct")]
