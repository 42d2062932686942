"""`finbench run`: a model, tasks, a table."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from finbench.cli.arguments import Once, number, write_file
from finbench.errors import UsageError
from finbench.sanitize import redacted

EPILOG = """\
examples:
  finbench run --model baseline/heuristic --data sample          no GPU, no network: see how it works
  finbench run --model SUFE-AIFLM-Lab/Fin-R1                     vLLM on this machine, all five benchmarks
  finbench run --model my-model --base-url http://localhost:8000/v1 --tasks finqa,tfns --limit 200
  finbench run --model Qwen/Qwen2.5-7B-Instruct --protocol paper --judge gpt-4o --judge-base-url https://api.openai.com/v1

The same command again continues where it stopped: no reply is asked for twice.
exit codes: 0 done; 1 a check failed; 2 usage or task file; 3 some samples failed for good; 4 model or run folder
unusable; 5 nothing selected; 130 and 143 interrupted, replies kept
"""

# Flags that fill Sampling fields.
SAMPLING: dict[str, tuple[Callable[[Any], Any], str]] = {
    "max_tokens": (number(int, 1), "longest reply, in tokens"),
    "temperature": (number(float, 0), "0 is greedy"),
    "top_p": (number(float, 0, 1, above=True), "nucleus sampling"),
    "top_k": (number(int, 0), "0 is no limit"),
    "repetition_penalty": (number(float, 0, above=True), "1 is none"),
    "min_p": (number(float, 0, 1), "least probability beside the likeliest token's, 0 is no limit"),
    "presence_penalty": (float, "0 is none"),
    "frequency_penalty": (float, "0 is none"),
}

# Flags that go to the engine as they are.
ENGINE: dict[str, tuple[Callable[[Any], Any], str]] = {
    "dtype": (str, "weights as auto, bfloat16, float16, float32"),
    "quantization": (str, "vLLM's name of a quantization method"),
    "max_model_len": (number(int, 1), "context length to serve, in tokens"),
    "max_num_seqs": (number(int, 1), "sequences in one batch"),
    "gpu_memory_utilization": (number(float, 0, 1, above=True), "share of GPU memory for vLLM"),
    "tensor_parallel": (number(int, 1), "GPUs that share one copy of the model"),
    "pipeline_parallel": (number(int, 1), "stages that the layers are spread over"),
    "data_parallel": (number(int, 1), "copies of the model"),
    "lora": (str, "folder of a LoRA adapter"),
    "long_prompts": (str, "error, skip or truncate-left: what happens to prompts over the context length"),
    "ray_address": (str, "Ray cluster to use; auto finds the running one"),
    "replicas": (number(int, 1), "Ray: copies of the model over the cluster"),
    "timeout": (number(float, 0, above=True), "seconds that one request may take, retries and refusals (429) included"),
    "retries": (number(int, 0), "times a failed request is sent again"),
    "max_wait": (number(float, 0), "seconds to wait for a server that is down or refuses everything (429)"),
    "rpm": (number(float, 0, above=True), "requests per minute"),
    "tpm": (number(float, 0, above=True), "tokens per minute"),
    "api_key_env": (str, "environment variable that holds the key"),
}


def add(parser: argparse.ArgumentParser) -> None:
    """The flags of `finbench run`."""
    parser.description = "Run a model on financial benchmarks, grade every reply, compare with published results."
    parser.usage = "%(prog)s --model MODEL [flags]"
    parser.epilog = EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    what = parser.add_argument_group("what to run")
    what.add_argument(
        "--model", action=Once, help="hub name, folder, server's model name, baseline/NAME, or replay:FILE"
    )
    what.add_argument("--tasks", default="", help="comma-separated task or group names (default: the five benchmarks)")
    what.add_argument(
        "--include", action="append", default=[], metavar="DIR", help="further folder of tasks; repeatable"
    )
    what.add_argument("--protocol", default="finbench", choices=["finbench", "paper"], help="how the tasks are asked")
    what.add_argument("--data", metavar="sample|DIR", help="rows: the shipped sample, or a folder (default: search)")
    what.add_argument(
        "--limit", type=number(int, 1), metavar="N", help="at most N documents per task, drawn with --seed"
    )
    what.add_argument("--seed", type=int, default=0, help="seed of sampling and of --limit (default 0)")
    what.add_argument(
        "--repeats", type=number(int, 1), default=1, help="replies per document; averaged first (default 1)"
    )
    how = parser.add_argument_group("how to ask")
    how.add_argument("--engine", default="auto", help="auto, vllm, serve, openai, hf, ray, offline or lm-eval:NAME")
    how.add_argument("--serve", action="store_true", help="start `vllm serve` for this run: short for --engine serve")
    how.add_argument(
        "--base-url", action="append", default=[], metavar="URL", help="OpenAI-compatible server; repeatable"
    )
    how.add_argument(
        "--max-concurrency", type=number(int, 1), default=64, help="requests under way at once (default 64)"
    )
    how.add_argument("--revision", default="", help="revision of the model on the hub")
    how.add_argument("--profile", help="model profile to use, by name (default: matched by the model's name)")
    how.add_argument("--system", help="system prompt instead of the profile's")
    how.add_argument("--no-chat", action="store_true", help="plain text prompts, for base models")
    for name, (kind, text) in SAMPLING.items():
        how.add_argument(_flag(name), type=kind, help=text)
    engine = parser.add_argument_group("engine settings")
    for name, (kind, text) in ENGINE.items():
        engine.add_argument(_flag(name), type=kind, help=text)
    engine.add_argument("--trust-remote-code", action="store_true", help="let the model repository run its Python")
    engine.add_argument("--model-args", default="", metavar="K=V,...", help="arguments for --engine lm-eval:NAME")
    judging = parser.add_argument_group("judge")
    judging.add_argument("--judge", metavar="MODEL", help="a model that grades the replies, beside the grader")
    judging.add_argument("--judge-base-url", action="append", default=[], metavar="URL", help="its server; repeatable")
    out = parser.add_argument_group("output")
    out.add_argument("--output", type=Path, metavar="DIR", help="run folder (default: reports/<model>/<run>)")
    out.add_argument(
        "--prices", type=Path, metavar="FILE", help="YAML with prices per million tokens: estimates the cost"
    )
    out.add_argument("--resume", type=Path, metavar="RUN", help="continue the run in this folder with its own settings")
    out.add_argument("--config", type=Path, metavar="FILE", help="YAML with these flags as keys; flags win over it")
    out.add_argument("--save-config", type=Path, metavar="FILE", help="write the flags of this command as such a YAML")
    out.add_argument("--dry-run", action="store_true", help="stop after the plan")
    out.add_argument("--json", action="store_true", help="one JSON document on standard output instead of the table")
    out.add_argument("--quiet", action="store_true", help="no plan and no progress")
    out.add_argument("--no-report", action="store_true", help="do not write report.html and report.md")
    out.add_argument("--fail-under", type=float, metavar="SCORE", help="exit 1 when the average (or a task) is below")
    out.add_argument("--trust-task-code", action="store_true", help="let the Python of --include folders run")
    out.add_argument("--trust-task-data", action="store_true",
                     help="let tasks of --include folders read files outside them, URLs, data sets of the hub")  # fmt: skip
    out.add_argument("--task-setting", action="append", default=[], metavar="K=V", help="reaches each task's docs.load")


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def main(args: argparse.Namespace) -> int:
    """Run; the exit code."""
    from finbench.cli import console, progress
    from finbench.runs import execute

    settings = settings_of(args)
    if args.save_config:
        write_file(args.save_config, args)
    if not args.dry_run:
        execute.begin(settings)
    planned = execute.plan(settings, dry=args.dry_run)
    if not args.quiet:
        console.show_plan(planned, sys.stdout if args.dry_run and not args.json else sys.stderr)
    if args.dry_run:
        if args.json:
            print(json.dumps(console.plan_document(planned)))
        return 0
    if not (planned.folder / "config.yaml").exists():
        write_file(planned.folder / "config.yaml", args)
    with progress.Progress(planned, quiet=args.quiet) as watched:
        outcome = execute.execute(planned, watched)
    files = [] if args.no_report else _reports(outcome.folder)
    if args.json:
        print(json.dumps(outcome.document))
    else:
        console.show_outcome(planned, outcome, files)
    return _exit_code(outcome, args.fail_under)


def _reports(folder: Path) -> list[Path]:
    from finbench.pages import report

    return report.write(folder)


def _exit_code(outcome: Any, fail_under: float | None) -> int:
    if outcome.signal is not None:
        return 128 + int(outcome.signal)
    if outcome.status == "partial":
        return 3
    average = outcome.document["average"]
    scores = [average["score"]] if average else [entry["score"] for entry in outcome.document["tasks"].values()]
    return 1 if fail_under is not None and min(scores, default=0.0) < fail_under else 0


def settings_of(args: argparse.Namespace) -> Any:
    """The flags as run.Settings."""
    from finbench.runs.plan import Settings

    if args.api_key_env and not args.api_key_env.isidentifier():
        raise UsageError("--api-key-env takes the name of an environment variable, such as OPENAI_API_KEY (not shown)")
    if not args.model:
        raise UsageError("no model is named; give --model, for example --model baseline/heuristic --data sample")
    options = {name: getattr(args, name) for name in ENGINE if getattr(args, name) is not None}
    if args.trust_remote_code:
        options["trust_remote_code"] = True
    if args.model_args:
        options["model_args"] = args.model_args
    return Settings(
        model=args.model,
        tasks=tuple(name.strip() for name in args.tasks.split(",") if name.strip()),
        include=tuple(Path(folder) for folder in args.include),
        protocol=args.protocol,
        data=args.data,
        limit=args.limit,
        seed=args.seed,
        repeats=args.repeats,
        engine="serve" if args.serve else args.engine,
        engine_options=options,
        base_urls=tuple(args.base_url),
        max_concurrency=args.max_concurrency,
        revision=args.revision,
        profile=args.profile,
        system=args.system,
        chat=not args.no_chat,
        sampling={name: getattr(args, name) for name in SAMPLING if getattr(args, name) is not None},
        judge=args.judge,
        judge_base_urls=tuple(args.judge_base_url),
        prices=args.prices,
        output=args.resume or args.output,
        trust_task_code=args.trust_task_code,
        trust_task_data=args.trust_task_data,
        task_settings=dict(_pair(item) for item in args.task_setting),
    )


def _pair(item: str) -> tuple[str, str]:
    key, separator, value = item.partition("=")
    if not separator or not key:
        raise UsageError(f"--task-setting {redacted(item)}: expected KEY=VALUE")
    return key, value
