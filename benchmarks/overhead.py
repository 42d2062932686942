"""What the harness itself costs: finbench, lm-eval and a bare aiohttp loop on the same fake server, in one run.

    python benchmarks/overhead.py --samples 200 2000 20000 [--latency 0.02] [--concurrency 64] [--peers finbench,bare,lm-eval]

start: launch to first request; span: first request to last reply, and as a multiple of the floor (samples x latency /
concurrency); tail: last reply to exit; CPU and peak memory of the harness process. One task, 1,000-character prompts,
the same task folder for finbench and lm-eval.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))
from fake_server import FakeServer  # noqa: E402

YAML = """\
task: overhead
custom_dataset: !function finbench.lm_eval.rows
dataset_kwargs:
  file: rows.jsonl
  columns: {{question: question, answer: gold, id: id, context: context}}
  answer: {{kind: number, unit: amount}}
output_type: generate_until
test_split: test
fewshot_config: {{sampler: first_n, samples: []}}
num_fewshot: 0
doc_to_text: "{{{{context}}}}\n{{{{question}}}}"
doc_to_target: gold
process_results: !function finbench.lm_eval.number
metric_list:
  - {{metric: acc, aggregation: mean, higher_is_better: true}}
  - {{metric: lenient, aggregation: mean, higher_is_better: true}}
generation_kwargs: {{until: [], do_sample: false, max_gen_toks: 256}}
metadata: {{version: 1.0}}
"""


def write_task(folder: Path, samples: int) -> None:
    """A task of so many rows, three quarters of which the server answers right."""
    rows = folder / "rows.jsonl"
    padding = "the report states revenue of 1,234.5 million and costs of 987.6 million . " * 13
    with rows.open("w") as out:
        for number in range(samples):
            gold = "42" if number % 4 else "43"
            question = f"what was the change in net revenue of segment {number} from 2014 to 2015, in percent?"
            row = {"id": str(number), "context": f"{number} {padding}"[:900], "question": question, "gold": gold}
            out.write(json.dumps(row) + "\n")
    (folder / "overhead.yaml").write_text(YAML.format())


def finbench_command(url: str, folder: Path, concurrency: int) -> list[str]:
    return [
        sys.executable,
        "-m",
        "finbench",
        "run",
        "--model",
        "fake",
        "--base-url",
        url,
        "--tasks",
        "overhead",
        "--include",
        str(folder),
        "--max-concurrency",
        str(concurrency),
        "--output",
        str(folder / "run"),
        "--no-report",
        "--quiet",
        "--json",
    ]


def lm_eval_command(url: str, folder: Path, concurrency: int) -> list[str]:
    arguments = f"model=fake,base_url={url}/chat/completions,num_concurrent={concurrency},max_retries=3"
    return [
        sys.executable,
        "-m",
        "lm_eval",
        "--model",
        "local-chat-completions",
        "--model_args",
        arguments,
        "--tasks",
        "overhead",
        "--include_path",
        str(folder),
        "--apply_chat_template",
        "--log_samples",
        "--output_path",
        str(folder / "lm-eval"),
    ]


def bare_command(url: str, folder: Path, concurrency: int) -> list[str]:
    return [sys.executable, __file__, "--bare", url, str(folder / "rows.jsonl"), str(concurrency)]


COMMANDS = {"finbench": finbench_command, "bare": bare_command, "lm-eval": lm_eval_command}


async def bare(url: str, rows: str, concurrency: int) -> None:
    """The floor that aiohttp sets: a queue, workers, nothing kept."""
    import aiohttp

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=concurrency)) as session:
        with open(rows) as lines:
            questions = iter([json.loads(line)["question"] for line in lines])

        async def work() -> None:
            for question in questions:
                body = {"model": "fake", "messages": [{"role": "user", "content": question}], "max_tokens": 256}
                async with session.post(f"{url}/chat/completions", json=body) as answer:
                    await answer.json()

        await asyncio.gather(*(work() for _ in range(concurrency)))


def measure(peer: str, samples: int, latency: float, concurrency: int) -> dict[str, float]:
    """One run of one peer against a server of its own."""
    with tempfile.TemporaryDirectory() as name, FakeServer(latency=latency) as server:
        folder = Path(name)
        write_task(folder, samples)
        environment = {
            **os.environ,
            "OPENAI_API_KEY": "none",
            "HF_HUB_OFFLINE": "1",
            "HF_DATASETS_CACHE": str(folder / "cache"),
        }
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        launched = time.monotonic()
        command = COMMANDS[peer](server.url, folder, concurrency)
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        peak = 0
        stderr_file = process.stderr
        assert stderr_file is not None
        while process.poll() is None:
            peak = max(peak, resident(process.pid))
            time.sleep(0.05)
        ended = time.monotonic()
        if process.returncode:
            raise SystemExit(f"{peer} failed: {stderr_file.read()[-2000:]}")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        floor = samples * latency / concurrency
        return {
            "wall": ended - launched,
            "start": server.first - launched,
            "span": server.last - server.first,
            "x": (server.last - server.first) / floor,
            "tail": ended - server.last,
            "cpu_ms": 1000 * cpu / samples,
            "peak_mb": peak / 1e6,
            "asked": server.total,
        }


def resident(pid: int) -> int:
    """Resident bytes of a process; 0 when it is gone. Its children are not counted: a fork shows its parent's pages."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize()
    except (OSError, IndexError):
        return 0


def main() -> None:
    if len(sys.argv) == 5 and sys.argv[1] == "--bare":
        asyncio.run(bare(sys.argv[2], sys.argv[3], int(sys.argv[4])))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, nargs="+", default=[200, 2000, 20000])
    parser.add_argument("--latency", type=float, default=0.02)
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--peers", default="finbench,bare,lm-eval")
    options = parser.parse_args()
    print("| harness | samples | wall s | start s | span s | x floor | tail s | CPU ms/sample | peak MB | requests |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for samples in options.samples:
        for peer in options.peers.split(","):
            found = measure(peer, samples, options.latency, options.concurrency)
            cells = [f"{found[key]:.2f}" for key in ("wall", "start", "span", "x", "tail", "cpu_ms")]
            print(
                f"| {peer} | {samples:,} | {' | '.join(cells)} | {found['peak_mb']:.0f} | {found['asked']:,} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
