"""The result files of a run: repeats that are scored together, groups as lm-eval sums them up, whose verdict `acc` is."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from fake_server import FakeServer

from finbench.records import Answer, Document, Gold, Grade, Response
from finbench.runs import files
from finbench.runs.execute import Outcome, Settings, execute, plan
from finbench.scores.aggregates import Aggregation, GroupMetric, GroupRule
from finbench.scores.tally import Tally

VOTE = [{"function": "regex", "regex_pattern": r"(\d+)"}, {"function": "majority_vote"}, {"function": "take_first"}]


def voting(folder: Path, rows: int = 4) -> Settings:
    """A task that asks three times and takes the majority."""
    lines = [{"question": f"What is {n} plus {n}?", "total": "42"} for n in range(rows)]
    (folder / "rows.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    config = {
        "task": "votes",
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(folder / "rows.jsonl")}, "cache_dir": str(folder / "cache")},
        "test_split": "test",
        "doc_to_text": "{{question}}",
        "doc_to_target": "{{total}}",
        "generation_kwargs": {"until": [], "do_sample": True, "temperature": 0.7},
        "repeats": 3,
        "filter_list": [{"name": "maj@3", "filter": VOTE}],
        "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
    }
    (folder / "votes.yaml").write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    options = {"retries": 0, "timeout": 5.0}
    return Settings(model="m", tasks=("votes",), include=(folder,), output=folder / "run", engine_options=options)


def run(settings: Settings) -> Outcome:
    return execute(plan(settings))


def samples(settings: Settings) -> list[dict[str, Any]]:
    assert settings.output
    return [json.loads(line) for line in (settings.output / "samples_votes.jsonl").read_text("utf-8").splitlines()]


def test_replies_that_are_scored_together_make_one_sample(tmp_path: Path) -> None:
    with FakeServer() as server:
        settings = replace(voting(tmp_path), base_urls=(server.url,))
        outcome = run(settings)
        assert sum(server.asked.values()) == 12
    entry = outcome.document["tasks"]["votes"]
    assert (entry["n"], entry["replies"], entry["metric"], entry["score"]) == (4, 4, "exact_match,maj@3", 100.0)
    for sample in samples(settings):
        assert len(sample["resps"][0]) == 3 and sample["exact_match"] == 1.0 and sample["filter"] == "maj@3"
        assert sample["finbench"]["score"] == 1.0


def test_twice_the_repeats_are_two_votes_and_their_mean(tmp_path: Path) -> None:
    with FakeServer() as server:
        outcome = run(replace(voting(tmp_path), base_urls=(server.url,), repeats=2))
        assert sum(server.asked.values()) == 24
    entry = outcome.document["tasks"]["votes"]
    assert (entry["n"], entry["replies"], entry["metrics"]["pass@2"]) == (4, 8, 1.0)
    assert "majority" not in entry["metrics"], "lm-eval's verdicts name no answer to vote on"


def test_a_failure_among_them_is_asked_again_alone_and_the_vote_is_taken_again(tmp_path: Path) -> None:
    with FakeServer(mode="400", every=5) as server:
        settings = replace(voting(tmp_path, rows=12), base_urls=(server.url,))
        outcome = run(settings)
        entry = outcome.document["tasks"]["votes"]
        assert outcome.status == "partial" and 0 < entry["errors"] < entry["n"] == 12
        before = sum(server.asked.values())
        server.mode = "ok"
        again = run(settings)
        assert 0 < sum(server.asked.values()) - before < 36
    entry = again.document["tasks"]["votes"]
    assert (again.status, entry["errors"], entry["n"], entry["score"]) == ("complete", 0, 12, 100.0)


# -- summaries -------------------------------------------------------------------------------------------------------


def tally(*right: bool, own: str = "", judged: bool = False, judgement: str = "") -> Tally:
    found = Tally(judged)
    for n, correct in enumerate(right):
        document = Document(f"d{n}", "t", "?", Answer("lm_eval" if own else "number"), (Gold("7"),))
        metrics = {own: float(correct)} if own else {}
        said = {"verdict": judgement} if judgement else None
        found.add(document, [([Response("r", "7", "stop")], Grade(correct, "equal", metrics=metrics), said)])
    return found


def test_a_failed_request_counts_as_wrong_in_a_share_and_nowhere_else() -> None:
    document = Document("d", "t", "?", Answer("lm_eval"), (Gold("7"),))

    def score(higher_is_better: bool, value: float) -> float:
        mean = Aggregation(lambda values: sum(values) / len(values), mean=True, higher_is_better=higher_is_better)
        found = Tally(aggregations=lambda key: mean)
        found.add(document, [([], Grade(True, "equal", metrics={"m,none": value}), None)])
        found.add(document, [([], Grade(False, "error"), None)])
        return float(found.summary()["score"])

    assert score(True, 1.0) == 50.0
    assert score(False, 0.25) == 25.0, "an error rate must not fall because requests fail"


def test_repeats_of_a_question_are_one_question_with_the_mean_of_its_values() -> None:
    document = Document("d", "t", "?", Answer("lm_eval"), (Gold("7"),))
    mean = Aggregation(lambda values: sum(values) / len(values), mean=True)
    found = Tally(aggregations=lambda key: mean)
    found.add(document, [([], Grade(False, "different", metrics={"m,none": value}), None) for value in (0.2, 0.6)])
    found.add(document, [([], Grade(False, "different", metrics={"m,none": value}), None) for value in (0.0, 0.0)])
    entry = found.summary()
    assert (entry["n"], entry["score"], entry["metrics"]["m,none"], entry["metric"]) == (2, 20.0, 0.2, "m,none")


@pytest.mark.parametrize(("by_size", "expected"), [(True, 0.25), (False, 0.5)])
def test_a_group_of_lm_evals_tasks_is_weighted_as_its_yaml_says(by_size: bool, expected: float) -> None:
    members = {"a": tally(True, own="acc,none"), "b": tally(False, False, False, own="acc,none")}
    rule = GroupRule(("a", "b"), ("a", "b"), (GroupMetric("acc", weight_by_size=by_size),))
    found = files._group_estimate(rule, members)
    assert found and found.mean == expected and found.low < found.mean < found.high
    entry = files._group_score(found, rule, [one.summary() for one in members.values()])
    assert entry["score"] == 100 * expected and entry["metric"] == "acc"


def test_a_group_of_our_own_tasks_is_one_pool_unless_its_yaml_weighs_them_alike() -> None:
    members = {"a": tally(True), "b": tally(False, False, False)}
    pooled, alike = (GroupRule((), (), (GroupMetric("acc", weight_by_size=size),)) for size in (True, False))
    assert files._group_estimate(pooled, members) is None and files._group_estimate(None, members) is None
    found = files._group_estimate(alike, members)
    assert found and found.mean == 0.5


def test_a_group_whose_tasks_weigh_alike_has_the_mean_of_their_ranges() -> None:
    """Pooled over three documents and one, the range would not hold the score."""
    members = {"a": Tally(), "b": Tally()}
    for name, verdicts in (("a", ["sure"]), ("b", ["sure", "unsure", "sure"])):
        for place, certainty in enumerate(verdicts):
            asked = Document(f"{name}{place}", name, "?", Answer("number"), (Gold("1"),))
            verdict = Grade(name == "a", "equal" if name == "a" else "different", certainty=certainty)  # type: ignore[arg-type]
            members[name].add(asked, [([], verdict, None)])
    rule = GroupRule((), (), (GroupMetric("acc", weight_by_size=False),))
    summed = files._group_estimate(rule, members)
    assert summed
    entry = files._group_score(summed, rule, [one.summary() for one in members.values()])
    assert (entry["score"], entry["unsure"], entry["range"]) == (50.0, 16.6667, [50.0, 66.6667])


def test_acc_is_the_graders_verdict_and_the_judges_stands_beside_it() -> None:
    entry = tally(True, False, False, False, judged=True, judgement="right").summary()
    found = files._lm_eval_entry("t", entry)
    assert entry["score"] == 100.0 and (found["acc,none"], found["judge,none"]) == (0.25, 1.0)
    assert found["acc_stderr,none"] > found["judge_stderr,none"] > 0


def test_sub_groups_are_summed_up_from_the_tasks_that_were_run() -> None:
    rules = {
        "all": GroupRule(("inner", "c"), ("a", "b", "c"), (GroupMetric("acc"),)),
        "inner": GroupRule(("a", "b"), ("a", "b"), (GroupMetric("acc", weight_by_size=False),)),
        "elsewhere": GroupRule(("x",), ("x",), (GroupMetric("acc"),)),
    }
    entries = {"a": tally(True).summary(), "b": tally(True, False, False).summary()}
    whole = tally(True, True, False, False).summary() | {"subtasks": entries}
    found = files.lm_eval_results({"tasks": {"all": whole}}, [], {}, {}, rules)
    assert found["groups"].keys() == {"all", "inner"} and found["group_subtasks"]["all"] == ["inner", "c"]
    assert found["results"]["all"]["acc,none"] == pytest.approx(0.5, abs=1e-6)
    assert found["results"]["inner"]["acc,none"] == pytest.approx((1 + 1 / 3) / 2, abs=1e-6)
    assert "acc_stderr,none" in found["groups"]["all"] and found["groups"]["inner"]["sample_len"] == 4
