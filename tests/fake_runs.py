"""Small made-up run folders for tests: what a run leaves, without a run. All questions and replies are invented."""

from __future__ import annotations

import hashlib
import json
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from finbench.scores.averages import mean_doubt
from finbench.scores.intervals import Estimate, average_of, estimate

TASKS = ("finqa", "convfinqa", "ant_finance", "tfns", "finance_instruct")


def write_run(
    path: Path,
    model: str = "tests/model",
    protocol: str = "finbench",
    tasks: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
    *,
    run_id: str = "",
    created: str = "2026-01-02T03:04:05Z",
    status: str = "complete",
    manifest: Mapping[str, Any] | None = None,
) -> Path:
    """Write run.json, results.json and samples_<task>.jsonl under `path`; returns it.

    A sample needs nothing but may say: id, question, gold, text, extracted, correct, lenient, reason, finish, error,
    repeat, cluster, flags, facets, kind, reasoning, prompt, output_tokens, seconds, judge, certainty, rival, row (more
    document fields). Without a certainty the folder is one of a version before it.
    """
    path.mkdir(parents=True, exist_ok=True)
    results: dict[str, Any] = {}
    for task, samples in (tasks or {}).items():
        lines = [_line(task, i, sample) for i, sample in enumerate(samples)]
        with (path / f"samples_{task}.jsonl").open("w", encoding="utf-8") as file:
            file.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        results[task] = _summary(lines)
    document = {
        "schema": 1,
        "run_dir": str(path),
        "model": model,
        "protocol": protocol,
        "tasks": results,
        "average": _average(results),
        "reported": [],
    }
    _write(path / "results.json", {"results": {}, "config": {"model": model}, "finbench": document})
    run = {
        "schema": 1,
        "run_id": run_id or path.name,
        "model": model,
        "model_revision": None,
        "engine": "offline",
        "protocol": protocol,
        "created": created,
        "finished": created,
        "status": status,
        "settings": {"seed": 0, "repeats": 1},
        "tasks": {
            task: {"version": 1.0, "data": "sample", "data_hash": "d" * 32, "template_hash": "t" * 32, "n": entry["n"]}
            for task, entry in results.items()
        },
        "versions": {"finbench": "0.1.0"},
        "git_commit": "0" * 40,
        "hardware": {},
        "timings": {"seconds": 1.0},
        "tokens": {"prompt": 0, "output": 0},
        "command": ["finbench", "run", "--model", model],
        "profile": {},
    }
    _write(path / "run.json", {**run, **(manifest or {})})
    return path


def make_samples(n: int, accuracy: float, seed: int = 0, *, cluster_size: int = 1) -> list[dict[str, Any]]:
    """n samples of which about `accuracy` are right; the questions depend on nothing but their number."""
    draw = random.Random(seed)
    samples = []
    for i in range(n):
        right = draw.random() < accuracy
        extracted = str(i) if right else draw.choice([str(i + 1), str(i * 100), None])
        reason = "equal" if right else "no_answer" if extracted is None else "different"
        samples.append(
            {
                "id": f"q{i}",
                "question": f"Invented question {i}?",
                "gold": str(i),
                "text": f"Answer: {extracted}",
                "extracted": extracted,
                "correct": right,
                "reason": reason,
                "cluster": f"page{i // cluster_size}" if cluster_size > 1 else "",
            }
        )
    return samples


def make_unsure(n: int = 20) -> list[dict[str, Any]]:
    """n samples, half of them right, all sure but two: one right and one wrong, each with a rival reading."""
    samples = make_samples(n, 0.5)
    for place, sample in enumerate(samples):
        sample |= {"correct": place < n // 2, "reason": "equal" if place < n // 2 else "different", "certainty": "sure"}
    for place in (0, n - 1):
        samples[place] |= {"certainty": "unsure", "rival": f"<b>{place} | 7</b> stands behind it"}
    return samples


def make_runs(
    root: Path, models: int = 3, tasks: Sequence[str] = TASKS, n: int = 40, seed: int = 0, protocol: str = "finbench"
) -> list[Path]:
    """Run folders root/model-00/run-0, ... with falling accuracy; seeded."""
    runs = []
    for k in range(models):
        accuracy = max(0.05, 0.85 - 0.6 * k / max(1, models - 1))
        samples = {
            task: make_samples(n, accuracy, seed + 100 * k + t, cluster_size=3 if task == "convfinqa" else 1)
            for t, task in enumerate(tasks)
        }
        runs.append(write_run(root / f"model-{k:02d}" / "run-0", f"tests/model-{k:02d}", protocol, samples))
    return runs


def _line(task: str, i: int, sample: Mapping[str, Any]) -> dict[str, Any]:
    identity, gold = str(sample.get("id", f"q{i}")), str(sample.get("gold", i))
    question, correct = str(sample.get("question", f"Invented question {i}?")), bool(sample.get("correct", False))
    text, lenient = str(sample.get("text", "")), bool(sample.get("lenient", correct))
    prompt = sample.get("prompt", [{"role": "user", "content": question}])
    row = {"id": identity, "question": question, "gold": gold, "answer": {"kind": "number"}, **sample.get("row", {})}
    return {
        "doc_id": int(sample.get("doc_id", i)),
        "doc": row,
        "target": gold,
        "arguments": {"gen_args_0": {"arg_0": prompt, "arg_1": {"max_gen_toks": 4096}}},
        "resps": [[text]],
        "filtered_resps": [text],
        "filter": "none",
        "metrics": ["acc", "lenient"],
        "doc_hash": _hash(row),
        "prompt_hash": _hash(prompt),
        "target_hash": _hash(gold),
        "acc": float(correct),
        "lenient": float(lenient),
        "finbench": {
            "id": identity,
            "repeat": int(sample.get("repeat", 0)),
            "request_id": _hash([task, identity, sample.get("repeat", 0)])[:32],
            "question": question,
            "golds": [{"text": gold, "source": "gold"}],
            "kind": sample.get("kind", "number"),
            "extracted": sample.get("extracted"),
            "value": sample.get("value", sample.get("extracted")),
            "rule": sample.get("rule", "stated"),
            "span": sample.get("span"),
            "reason": sample.get("reason", "equal" if correct else "different"),
            "correct": correct,
            "lenient": lenient,
            "gold_hit": "gold" if correct else "",
            "finish": sample.get("finish", "stop"),
            "error": sample.get("error", ""),
            "reasoning": sample.get("reasoning", ""),
            "prompt_tokens": sample.get("prompt_tokens", 10),
            "output_tokens": sample.get("output_tokens", 20),
            "seconds": sample.get("seconds", 0.1),
            "attempts": 1,
            "cluster": sample.get("cluster", ""),
            "flags": sample.get("flags", []),
            "facets": sample.get("facets", {}),
            "judge": sample.get("judge"),
            "metrics": sample.get("metrics", {}),
            **{name: sample[name] for name in ("certainty", "rival") if name in sample},
        },
    }


def _summary(lines: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    found = [line["finbench"] for line in lines]
    clusters = [sample["cluster"] for sample in found]
    strict = estimate([float(sample["correct"]) for sample in found], clusters)
    lenient = estimate([float(sample["lenient"]) for sample in found], clusters)
    return {
        "n": strict.n,
        "score": 100 * strict.mean,
        "ci": _percent(strict),
        "lenient": 100 * lenient.mean,
        "lenient_ci": _percent(lenient),
        "reasons": dict(Counter(sample["reason"] for sample in found)),
        "truncated": sum(sample["finish"] == "length" for sample in found),
        "errors": sum(sample["finish"] == "error" for sample in found),
        "metrics": {},
        "design_effect": strict.design_effect,
        "clusters": strict.clusters,
        **_doubt(found),
        "output_tokens_mean": sum(sample["output_tokens"] or 0 for sample in found) / max(1, len(found)),
    }


def _doubt(found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    if not all("certainty" in sample for sample in found):
        return {}
    unsure = [sample["certainty"] == "unsure" for sample in found]
    low = sum(sample["correct"] and not doubt for sample, doubt in zip(found, unsure, strict=True))
    high = sum(sample["correct"] or doubt for sample, doubt in zip(found, unsure, strict=True))
    return {"unsure": 100 * sum(unsure) / len(found), "range": [100 * low / len(found), 100 * high / len(found)]}


def _average(results: Mapping[str, Mapping[str, Any]]) -> dict[str, Any] | None:
    if not results:
        return None
    parts = [
        Estimate(r["score"] / 100, r["ci"][0] / 100, r["ci"][1] / 100, r["n"], 0.0, r["clusters"])
        for r in results.values()
    ]
    mean = average_of(parts)
    score = {"score": 100 * mean.mean, "ci": _percent(mean), "tasks": list(results)}
    return score | mean_doubt(list(results.values()))


def _percent(value: Estimate) -> list[float]:
    return [100 * value.low, 100 * value.high]


def _hash(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def _write(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
