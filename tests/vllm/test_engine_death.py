"""vLLM in processes of its own, one worker or two: the same replies; and what remains when one of us is killed: an error in
words within seconds, and no orphan."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = [pytest.mark.vllm, pytest.mark.slow]
pytest.importorskip("vllm", reason="vLLM is not installed: make test-vllm builds an environment with the CPU build")

REPOSITORY = Path(__file__).parent.parent.parent

# Says what the model replies to a few prompts, then the engine process's number, and asks for replies without end.
RUN = """
import itertools, json, sys, time
from asking import chat, mixed, replies
from finbench.engines.vllm.local import LocalVLLM
from finbench.errors import EngineError

def main():
    engine = LocalVLLM(sys.argv[1], dtype="float32", enforce_eager=True, gpu_memory_utilization=0.2,
                       max_model_len=512, max_num_seqs=8, tensor_parallel=int(sys.argv[2]))
    assert engine.describe()["tensor_parallel"] == int(sys.argv[2])
    (process,) = engine.llm.llm_engine.engine_core.resources.engine_manager.processes
    print(json.dumps({name: reply.text for name, reply in replies(engine, mixed(12)).items()}), flush=True)
    told = False
    try:
        for reply in engine.stream(chat(f"r{n}", f"say {n}", max_tokens=64) for n in itertools.count()):
            if not told:
                print(process.pid, flush=True)
                told = True
    except EngineError as error:
        print(error, flush=True)
        engine.close()
        sys.exit(7)

if __name__ == "__main__":
    main()
"""


def started(tmp_path: Path, tiny: Path, workers: int) -> tuple[subprocess.Popen[str], dict[str, str], int]:
    """A run with vLLM in processes of its own, what the model said, and the number of the engine process."""
    script = tmp_path / "run.py"
    script.write_text(RUN, encoding="utf-8")
    path = os.pathsep.join([str(REPOSITORY), str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "VLLM_ENABLE_V1_MULTIPROCESSING": "1", "PYTHONPATH": path}
    run = subprocess.Popen(
        [sys.executable, str(script), str(tiny), str(workers)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
    )
    assert run.stdout
    said: dict[str, str] = {}
    for line in run.stdout:  # vLLM may print, too
        if line.startswith("{"):
            said = json.loads(line)
        if line.strip().isdigit():
            return run, said, int(line)
    raise AssertionError(f"the run ended before its first reply, exit code {run.wait()}")


def alive(pid: int) -> bool:
    """Whether a process runs; one that waits to be collected does not."""
    try:
        return "(zombie)" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def gone_within(seconds: float, pids: list[int]) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if not any(map(alive, pids)):
            return True
        time.sleep(0.2)
    return False


@pytest.fixture(scope="module")
def said() -> dict[int, dict[str, str]]:
    """What the model said, by the number of workers that held it."""
    return {}


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs Linux's /proc")
@pytest.mark.parametrize(("victim", "parallel"), [("engine", 1), ("run", 2)])
def test_a_killed_process_leaves_words_or_nothing(
    victim: str, parallel: int, tmp_path: Path, tiny: Path, said: dict[int, dict[str, str]]
) -> None:
    run, said[parallel], engine = started(tmp_path, tiny, parallel)
    try:
        workers = children(engine)
        assert parallel == 1 or len(workers) >= parallel
        os.kill(engine if victim == "engine" else run.pid, signal.SIGKILL)
        killed = time.monotonic()
        if victim == "engine":
            assert run.stdout and "vLLM died during the run" in run.stdout.readline()
            assert time.monotonic() - killed < 10
            assert run.wait(timeout=60) == 7  # Python needs seconds to take torch and vLLM apart
        assert gone_within(20, [engine, *workers]), "orphans of vLLM are still running"
    finally:
        for pid in (run.pid, engine):
            if alive(pid):
                os.kill(pid, signal.SIGKILL)


def test_two_tensor_parallel_workers_say_what_one_says(said: dict[int, dict[str, str]]) -> None:
    if set(said) != {1, 2}:
        pytest.skip("needs the two runs of the test before it")
    assert len(said[1]) == 12 and said[1] == said[2]
