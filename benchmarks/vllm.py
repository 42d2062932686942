"""finbench's stream beside bare `LLM.generate` and lm-eval's vllm model, on the same prompts in one process.

    python benchmarks/vllm.py [--model FOLDER] [--requests 300] [--rounds 3]

Without --model, the tiny random checkpoint of the tests: the model costs next to nothing, so this shows what a harness
adds. Each round runs the contestants in another order; figures are medians over rounds, the first round warms up and
does not count. Bare vLLM gets token ids, lm-eval gets text rendered with the chat template before its clock starts, and
finbench gets messages: its clock includes rendering and tokenizing. The prefix cache is emptied before each run.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

for key, value in {
    "OMP_NUM_THREADS": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "HF_HUB_OFFLINE": "1",
}.items():
    os.environ.setdefault(key, value)

ROOT = Path(__file__).parent.parent
sys.path[:1] = [str(ROOT), str(ROOT / "tests")]  # instead of this folder, whose vllm.py is not vLLM

from finbench.engines.vllm.local import LocalVLLM, vllm_version  # noqa: E402  # after the settings above
from finbench.records import Answer, Document, Gold, Message, Request, Sampling  # noqa: E402

DOCUMENT = Document("d", "bench", "?", Answer("number"), (Gold("1"),))


def requests(count: int) -> list[Request]:
    """Prompts of about 40 to 500 tokens with a shared beginning; replies of 8 to 64 tokens."""
    draw = random.Random(11)
    return [
        Request(
            f"r{at}",
            DOCUMENT,
            (
                Message("system", "You answer questions about company filings."),
                Message(
                    "user",
                    f"In {2000 + at % 25} revenue was $ {draw.randint(100, 9999)} million. " * draw.randint(1, 12),
                ),
            ),
            Sampling(max_tokens=draw.choice((8, 16, 32, 64))),
        )
        for at in range(count)
    ]


def contestants(engine: LocalVLLM, asked: list[Request]) -> dict[str, Callable[[], dict[str, str]]]:
    """What is timed: each gives the replies by request id."""
    from vllm import SamplingParams

    ids = [engine.prompts.prepare(request).token_ids for request in asked]
    budgets = [request.sampling.max_tokens for request in asked]

    def finbench() -> dict[str, str]:
        return {reply.request_id: reply.text for reply in engine.stream(iter(asked))}

    def bare() -> dict[str, str]:
        how = [SamplingParams(temperature=0.0, max_tokens=budget) for budget in budgets]
        outputs = engine.llm.generate([{"prompt_token_ids": one} for one in ids], how, use_tqdm=False)
        return {request.id: output.outputs[0].text for request, output in zip(asked, outputs, strict=True)}

    model = lm_eval_model(engine)
    texts = [
        model.apply_chat_template([{"role": turn.role, "content": turn.content} for turn in request.messages])
        for request in asked
    ]

    def lm_eval() -> dict[str, str]:
        from lm_eval.api.instance import Instance

        instances = [
            Instance(
                "generate_until",
                doc={},
                arguments=(text, {"until": [], "max_gen_toks": budget, "do_sample": False, "temperature": 0.0}),
                idx=at,
            )
            for at, (text, budget) in enumerate(zip(texts, budgets, strict=True))
        ]
        replies = model.generate_until(instances, disable_tqdm=True)
        return {request.id: reply for request, reply in zip(asked, replies, strict=True)}

    return {"bare LLM.generate": bare, "finbench": finbench, "lm-eval vllm, batch auto": lm_eval}


def lm_eval_model(engine: LocalVLLM) -> Any:
    """lm-eval's vllm class around the engine that is already loaded, so that all three ask the very same one."""
    import vllm
    from lm_eval.models import vllm_causallms

    loaded, vllm_causallms.LLM = vllm_causallms.LLM, lambda **arguments: engine.llm
    try:
        return vllm_causallms.VLLM(
            pretrained=engine.model,
            batch_size="auto",
            max_model_len=engine.prompts.max_model_len,
            dtype="float32" if vllm.platforms.current_platform.is_cpu() else "auto",
            enable_thinking=False,
        )
    finally:
        vllm_causallms.LLM = loaded


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", help="a model vLLM can load; default: the tiny random checkpoint")
    parser.add_argument("--requests", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--max-num-seqs", type=int, default=32)
    parser.add_argument("--json", type=Path, help="also write the figures here")
    chosen = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        model, extra = chosen.model, {}
        if model is None:
            from tiny_model import write_tiny_model

            model = str(write_tiny_model(Path(folder) / "tiny"))
            extra = {"dtype": "float32", "enforce_eager": True, "gpu_memory_utilization": 0.25, "max_model_len": 1024}
        engine = LocalVLLM(model, max_num_seqs=chosen.max_num_seqs, **extra)
        figures = measure(engine, requests(chosen.requests), chosen.rounds)
        figures["about"] = engine.describe()
        engine.close()
    print(f"{chosen.requests} requests, {chosen.rounds} rounds, vLLM {vllm_version()[1]}, {platform.machine()}")
    print("| contestant | wall s (median, range) | requests/s | CPU s | of bare |\n|---|---|---|---|---|")
    for name, row in figures["contestants"].items():
        walls = f"{row['wall']:.2f} ({row['low']:.2f}-{row['high']:.2f})"
        print(f"| {name} | {walls} | {row['rate']:.1f} | {row['cpu']:.2f} | {row['of_bare']:.3f} |")
    print(f"same text as bare vLLM: {figures['same']} of {chosen.requests}")
    if chosen.json:
        chosen.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def measure(engine: LocalVLLM, asked: list[Request], rounds: int) -> dict[str, Any]:
    """Wall and CPU seconds of each contestant, and how many replies of finbench's are bare vLLM's."""
    runs = contestants(engine, asked)
    walls: dict[str, list[float]] = {name: [] for name in runs}
    cpus: dict[str, list[float]] = {name: [] for name in runs}
    said: dict[str, dict[str, str]] = {}
    names = list(runs)
    for number in range(rounds + 1):
        for name in names[number % 3 :] + names[: number % 3]:
            engine.llm.reset_prefix_cache()
            wall, cpu = time.perf_counter(), time.process_time()
            said[name] = runs[name]()
            if number:  # the first round warms up
                walls[name].append(time.perf_counter() - wall)
                cpus[name].append(time.process_time() - cpu)
    # On a machine with other work the CPU time is the steadier measure; both are printed.
    medians = {name: statistics.median(times) for name, times in walls.items()}
    bare = medians["bare LLM.generate"]
    same = sum(text == said["finbench"][name] for name, text in said["bare LLM.generate"].items())
    table = {
        name: {
            "wall": medians[name],
            "low": min(walls[name]),
            "high": max(walls[name]),
            "cpu": statistics.median(cpus[name]),
            "rate": len(asked) / medians[name],
            "of_bare": bare / medians[name],
        }
        for name in names
    }
    return {"contestants": table, "same": same}


if __name__ == "__main__":
    main()
