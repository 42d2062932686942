"""Measure the leaderboard page at 50 models x 5 tasks x 7,025 samples: build time, size, first draw, drill-down click.

    python benchmarks/leaderboard.py --work /tmp/board            # generate, build, measure in headless Chromium
    python benchmarks/leaderboard.py --work /tmp/board --models 3

The run folders it writes are made up by this file: made-up questions, made-up replies, no dataset row. Their lengths
follow what was seen in public outputs (prompts of 1 to 6 kB for the table tasks, replies of 1 to 3 kB).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import sys
import time
from pathlib import Path

SIZES = {"finqa": 1147, "convfinqa": 1490, "ant_finance": 1000, "tfns": 2388, "finance_instruct": 1000}
RIGHT = ("equal", "equal", "equal", "rounding", "percent_form")
WRONG = ("different", "different", "wrong_cell", "intermediate", "off_by_100", "wrong_sign", "no_answer", "two_answers")
UNREADABLE = {"no_answer", "two_answers", "truncated", "error"}
WORDS = tuple(
    str.split(
        "revenue operating income net margin increased decreased year quarter total assets liabilities cash flow from "
        "continuing operations compared prior period percentage change share price dividend interest expense tax rate "
        "segment divided by therefore we compute the difference and obtain a ratio of which is equal to approximately "
        "million table shows balance beginning end note fair value derivative contract hedge credit loan loss allowance"
    )
)


def prose(rng: random.Random, length: int) -> str:
    """About `length` characters of made-up financial English with numbers in it."""
    parts: list[str] = []
    size = 0
    while size < length:
        word = rng.choice(WORDS) if rng.random() < 0.85 else f"{rng.uniform(0, 9999):,.1f}"
        parts.append(word)
        size += len(word) + 1
    return " ".join(parts)


def documents(task: str, count: int) -> list[dict]:
    """Made-up rows of one task with prompts, the same for every model."""
    rng = random.Random(f"documents {task}")
    long = task in ("finqa", "convfinqa")
    rows = []
    for index in range(count):
        gold = _gold(rng, task)
        question = f"What was the {prose(rng, 70)} in {rng.randint(2005, 2019)}?"
        prompt = prose(rng, rng.randint(1500, 5500) if long else rng.randint(200, 900)) + f"\n\nQuestion: {question}"
        rows.append(
            {
                "id": f"{task}-{index:05d}",
                "question": question,
                "gold": gold,
                "prompt": prompt,
                "cluster": f"c{index // 4}" if task == "convfinqa" else "",
                "page": _page(rng) if long else {},
                "facets": {
                    "question_type": rng.choice(("percent", "ratio", "amount")),
                    "steps": str(rng.randint(1, 4)),
                },
            }
        )
    return rows


def _page(rng: random.Random) -> dict:
    """What makes a reply one that the reasoning audit reads: a table of eight lines, and its cells."""
    lines = [[prose(rng, 24), *(f"{rng.uniform(10, 9999):,.1f}" for _ in range(3))] for _ in range(8)]
    return {
        "answer": {"kind": "number"},
        "table": [["( in millions )", "2019", "2018", "2017"], *lines],
        "cells": [cell for line in lines for cell in line[1:]],
    }


def _worked(rng: random.Random, cells: list[str]) -> str:
    """Six calculations over cells, some of them wrong."""
    parts = []
    for _ in range(6):
        a, b = rng.sample(cells, 2)
        result = float(a.replace(",", "")) - float(b.replace(",", "")) + rng.choice((0, 0, 0, 10))
        parts.append(f"The change is {a} - {b} = {result:,.1f}. {prose(rng, 90)}.")
    return " ".join(parts)


def _gold(rng: random.Random, task: str) -> str:
    if task == "tfns":
        return rng.choice(("bearish", "bullish", "neutral"))
    if task == "ant_finance":
        return rng.choice("ABCD")
    return f"{rng.uniform(-50, 5000):.2f}"


def write_run(folder: Path, model: str, skill: float, *, tasks: dict[str, int], protocol: str = "finbench") -> Path:
    """One run folder of the contract (run.json, results.json, samples_<task>.jsonl) with made-up replies."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = random.Random(f"{model} {protocol}")
    summaries: dict[str, dict] = {}
    for task, count in tasks.items():
        tally: dict[str, int] = {}
        right = lenient = tokens = 0
        with (folder / f"samples_{task}.jsonl").open("w", encoding="utf-8") as out:
            for index, row in enumerate(documents(task, count)):
                sample = _sample(rng, index, row, skill, task)
                kept = sample["finbench"]
                tally[kept["reason"]] = tally.get(kept["reason"], 0) + 1
                right += kept["correct"]
                lenient += kept["lenient"]
                tokens += kept["output_tokens"]
                out.write(json.dumps(sample) + "\n")
        mean = right / count
        half = 1.96 * (mean * (1 - mean) / count) ** 0.5
        summaries[task] = {
            "n": count,
            "score": 100 * mean,
            "ci": [100 * (mean - half), 100 * (mean + half)],
            "lenient": 100 * lenient / count,
            "lenient_ci": [100 * (lenient / count - half), 100 * (lenient / count + half)],
            "reasons": tally,
            "truncated": tally.get("truncated", 0),
            "errors": tally.get("error", 0),
            "metrics": {"acc": mean},
            "design_effect": 1.0,
            "clusters": count,
            "facets": {},
            "output_tokens_mean": tokens / count,
        }
    _manifests(folder, model, protocol, tasks, summaries)
    return folder


def _sample(rng: random.Random, index: int, row: dict, skill: float, task: str) -> dict:
    correct = rng.random() < skill
    reason = rng.choice(RIGHT) if correct else rng.choice(WRONG)
    finish = "stop"
    if not correct and rng.random() < 0.06:
        reason, finish = "truncated", "length"
    extracted = None if reason in UNREADABLE else (row["gold"] if correct else _gold(rng, task))
    cells = row["page"].get("cells")
    thought = (
        f"{_worked(rng, cells)} {prose(rng, rng.randint(100, 700))}" if cells else prose(rng, rng.randint(600, 1500))
    )
    body = f"<think>{thought}</think>{prose(rng, rng.randint(150, 500))}\n\n"
    text = body + (f"The answer is \\boxed{{{extracted}}}." if extracted else "It is not possible to say.")
    start = text.rfind(extracted) if extracted else 0
    digest = hashlib.sha256(row["prompt"].encode()).hexdigest()
    return {
        "doc_id": index,
        "doc": {key: row[key] for key in ("id", "question", "gold", "cluster", "facets")} | row["page"],
        "target": row["gold"],
        "arguments": {
            "gen_args_0": {
                "arg_0": [{"role": "user", "content": row["prompt"]}],
                "arg_1": {"until": [], "do_sample": False},
            }
        },
        "resps": [[text]],
        "filtered_resps": [text],
        "filter": "none",
        "metrics": ["acc", "lenient"],
        "doc_hash": digest,
        "prompt_hash": digest,
        "target_hash": digest,
        "acc": float(correct),
        "lenient": float(correct),
        "finbench": {
            "id": row["id"],
            "repeat": 0,
            "request_id": f"{rng.getrandbits(128):032x}",
            "question": row["question"],
            "golds": [{"text": row["gold"], "source": "gold"}],
            "kind": "number",
            "extracted": extracted,
            "value": extracted,
            "rule": "boxed" if extracted else "",
            "span": [start, start + len(extracted)] if extracted else None,
            "reason": reason,
            "correct": correct,
            "lenient": correct or reason == "off_by_100",
            "gold_hit": "gold" if correct else "",
            "finish": finish,
            "error": "",
            "reasoning": "",
            "prompt_tokens": len(row["prompt"]) // 4,
            "output_tokens": len(text) // 4,
            "seconds": round(rng.uniform(2, 40), 2),
            "attempts": 1,
            "cluster": row["cluster"],
            "flags": [],
            "facets": row["facets"],
            "judge": None,
        },
    }


def _manifests(folder: Path, model: str, protocol: str, tasks: dict[str, int], summaries: dict[str, dict]) -> None:
    run = {
        "schema": 1,
        "run_id": hashlib.sha256(f"{model} {protocol}".encode()).hexdigest()[:12],
        "model": model,
        "model_revision": "0" * 12,
        "engine": "baseline",
        "protocol": protocol,
        "created": "2026-11-20T08:00:00+00:00",
        "finished": "2026-11-20T10:30:00+00:00",
        "status": "complete",
        "settings": {"temperature": 0.0, "max_tokens": 4096},
        "tasks": {
            name: {"version": "1.0", "data": "made up", "data_hash": name, "template_hash": name, "n": n}
            for name, n in tasks.items()
        },
        "versions": {"finbench": "0.1.0"},
        "git_commit": "0" * 12,
        "hardware": {"cpu": "made up"},
        "timings": {"total_seconds": 9000.0},
        "tokens": {"prompt": 1, "output": 1},
        "command": ["finbench", "run", "--model", model],
        "profile": {},
    }
    mean = sum(row["score"] for row in summaries.values()) / len(summaries)
    half = sum(((row["ci"][1] - row["ci"][0]) / 2) ** 2 for row in summaries.values()) ** 0.5 / len(summaries)
    average = {"score": mean, "ci": [mean - half, mean + half], "tasks": list(summaries)}
    document = {
        "schema": 1,
        "run_dir": str(folder),
        "model": model,
        "protocol": protocol,
        "tasks": summaries,
        "average": average,
        "reported": [],
    }
    (folder / "run.json").write_text(json.dumps(run, indent=1), encoding="utf-8")
    (folder / "results.json").write_text(json.dumps({"results": {}, "finbench": document}, indent=1), encoding="utf-8")


def generate(work: Path, models: int) -> list[Path]:
    """The run folders of `models` made-up models; those that are there already are kept."""
    runs = []
    for index in range(models):
        folder = work / f"model-{index:02d}" / "run"
        if not (folder / "results.json").exists():
            write_run(folder, f"house/model-{index:02d}", 0.45 + 0.45 * index / max(1, models - 1), tasks=SIZES)
        runs.append(folder)
    return runs


def measure(page: Path, clicks: int = 8) -> dict[str, float]:
    """First draw and drill-down times in headless Chromium, in seconds: the page's own marks, the worst of `clicks`."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for flag in ("--headless=new", "--no-sandbox", "--window-size=1400,900"):
        options.add_argument(flag)
    browser = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
    try:
        browser.set_script_timeout(60)
        drawn, ready = [], []
        for _ in range(3):
            browser.get("about:blank")
            browser.get(page.resolve().as_uri())
            drawn.append(browser.execute_script("return performance.getEntriesByName('table-drawn')[0].startTime"))
            ready.append(
                browser.execute_script("return performance.timing.loadEventEnd - performance.timing.navigationStart")
            )
        times = browser.execute_async_script(CLICKS, clicks)
        delta = browser.execute_async_script(REFERENCE)
    finally:
        browser.quit()
    return {
        "drawn_s": sorted(drawn)[1] / 1000,
        "drawn_worst_s": max(drawn) / 1000,
        "loaded_s": sorted(ready)[1] / 1000,
        "click_median_s": sorted(times)[len(times) // 2] / 1000,
        "click_worst_s": max(times) / 1000,
        "reference_s": delta / 1000,
    }


# Click cells spread over the table; a click ends when the list is drawn (the page clears `aria-busy`) and painted.
CLICKS = """
const count = arguments[0], done = arguments[arguments.length - 1];
const cells = [...document.querySelectorAll('button.cell')];
const times = [];
(async () => {
  for (let i = 0; i < count; i++) {
    const cell = cells[Math.floor((i + 0.5) * cells.length / count)];
    const start = performance.now();
    cell.click();
    const panel = document.querySelector('#samples');
    do await new Promise(requestAnimationFrame); while (panel.hidden || panel.getAttribute('aria-busy') === 'true');
    times.push(performance.now() - start);
    history.back();
    do await new Promise(requestAnimationFrame); while (!panel.hidden);
  }
  done(times);
})();
"""
REFERENCE = """
const done = arguments[arguments.length - 1];
(async () => {
  const start = performance.now();
  document.querySelectorAll('input.reference')[3].click();
  const board = document.querySelector('#board-view');
  do await new Promise(requestAnimationFrame); while (board.getAttribute('aria-busy') === 'true');
  done(performance.now() - start);
})();
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="folder for the made-up runs (1.5 GB for 50 models)")
    parser.add_argument("--models", type=int, default=50)
    parser.add_argument("--no-browser", action="store_true")
    options = parser.parse_args()
    runs = generate(options.work, options.models)

    from finbench.pages import leaderboard

    start = time.perf_counter()
    made = leaderboard.build(runs, options.work / "index.html")
    figures: dict[str, float] = {"build_s": time.perf_counter() - start, "page_mb": made.bytes / 1e6}
    if not options.no_browser:
        figures |= measure(options.work / "index.html")
    json.dump({key: round(value, 3) for key, value in figures.items()}, sys.stdout, indent=1)
    print()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
