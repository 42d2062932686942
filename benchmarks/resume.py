"""What a kill costs: replies kept after SIGKILL at half, bookkeeping of a finished run, memory at both sizes.

    python benchmarks/resume.py [--samples 2000] [--large 200000] [--kills 60]

First a served run is killed when half of its samples are answered and continued, once with replies after 20 ms and once with
replies after a second more or less, which is nearer to a model; then a run of the large size is done with a built-in
model (so that only the harness counts), and started again when complete.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from overhead import ROOT, finbench_command, resident, write_task

sys.path.insert(0, str(ROOT / "tests"))
from fake_server import FakeServer


def killed(samples: int, latency: float, sigma: float) -> None:
    with tempfile.TemporaryDirectory() as name, FakeServer(latency=latency, sigma=sigma) as server:
        folder = Path(name)
        write_task(folder, samples)
        command = finbench_command(server.url, folder, 64)
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while server.total - server.in_flight < samples // 2:
            time.sleep(0.001)
        answered = server.total - server.in_flight
        process.send_signal(signal.SIGKILL)
        process.wait()
        before = server.total
        started = time.monotonic()
        subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        twice = server.total - samples
        print(
            f"| {latency:g} s a reply, killed at {answered:,} answered of {samples:,} | "
            f"{100 * (before - twice) / samples:.1f} % kept | {twice} asked twice | "
            f"{time.monotonic() - started:.1f} s to finish |",
            flush=True,
        )


def many_kills(samples: int, kills: int) -> None:
    """SIGKILL at random moments; then the results have to equal those of an uninterrupted run."""
    generator = random.Random(11)
    with tempfile.TemporaryDirectory() as name, FakeServer(latency=0.02) as server:
        whole, killed_folder = Path(name) / "whole", Path(name) / "killed"
        for folder in (whole, killed_folder):
            folder.mkdir()
            write_task(folder, samples)
        quiet = {"cwd": ROOT, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.run(finbench_command(server.url, whole, 8), check=True, **quiet)
        server.asked.clear()
        done = flying = 0
        while done < kills:
            before, aim = server.total, generator.randint(1, max(1, samples // kills))
            process = subprocess.Popen(finbench_command(server.url, killed_folder, 8), **quiet)
            while server.total < before + aim and process.poll() is None:
                time.sleep(0.002)
            time.sleep(generator.random() * 0.3)
            if process.poll() is None:
                done += 1
                flying += server.in_flight
            process.send_signal(signal.SIGKILL)
            process.wait()
            if process.returncode == 0:
                break  # all samples were answered before so many kills
        subprocess.run(finbench_command(server.url, killed_folder, 8), check=True, **quiet)
        again = sum(count - 1 for count in server.asked.values())
        same = verdicts(whole) == verdicts(killed_folder)
        outcome = "equal" if same else "DIFFER"
        size = (killed_folder / "run" / "responses.sqlite").stat().st_size / samples
        print(
            f"| {done} kills, {samples:,} samples | results {outcome} | {again} asked again, {flying} were in flight | "
            f"{size:,.0f} bytes a sample in SQLite |",
            flush=True,
        )


def verdicts(folder: Path) -> list[tuple[str, str, str]]:
    lines = (folder / "run" / "samples_overhead.jsonl").read_text("utf-8").splitlines()
    found = [json.loads(line) for line in lines]
    return [(one["finbench"]["id"], one["resps"][0][0], one["finbench"]["reason"]) for one in found]


def large(samples: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_task(folder, samples)
        command = [
            sys.executable,
            "-m",
            "finbench",
            "run",
            "--model",
            "baseline/constant",
            "--tasks",
            "overhead",
            "--include",
            str(folder),
            "--output",
            str(folder / "run"),
            "--no-report",
            "--quiet",
            "--json",
        ]
        for what in ("complete run", "the same again"):
            started, peak = time.monotonic(), 0
            process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
            while process.poll() is None:
                peak = max(peak, resident(process.pid))
                time.sleep(0.1)
            print(
                f"| {what}, {samples:,} samples | {time.monotonic() - started:.1f} s | peak {peak / 1e6:.0f} MB | "
                f"exit {process.returncode} |",
                flush=True,
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=2000)
    parser.add_argument("--large", type=int, nargs="*", default=[2000, 200000])
    parser.add_argument("--kills", type=int, default=0, help="also: so many kills at random moments")
    options = parser.parse_args()
    for latency, sigma in ((0.02, 0.0), (1.0, 0.5)) if options.samples else ():
        killed(options.samples, latency, sigma)
    if options.kills:
        many_kills(options.samples or 40 * options.kills, options.kills)
    for samples in options.large:
        large(samples)


if __name__ == "__main__":
    main()
