"""How a vLLM engine comes to life and how it ends: import, loading, versions, and processes that die.

Everything here is about vLLM as a guest in this process and a parent of others; what it is asked is local.py's.
"""

from __future__ import annotations

import os
import subprocess
import threading
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from finbench.engines.prompts import first_line
from finbench.errors import EngineError

DISTRIBUTIONS = ("vllm", "vllm-cpu")  # the CPU build goes by another name

# Results own standard output, so vLLM logs to standard error, and only warnings; it reports nothing to anybody.
ENVIRONMENT = {
    "VLLM_LOGGING_STREAM": "ext://sys.stderr",
    "VLLM_LOGGING_LEVEL": "WARNING",
    "VLLM_NO_USAGE_STATS": "1",
}

NOT_INSTALLED = (
    "vLLM is not installed here: `pip install 'finbench[vllm]'` on a machine with a GPU (docs/run-on-gpu.md), "
    "`scripts/setup_vllm_cpu.sh` without one, or use --base-url, --engine hf"
)
ADVICE = {  # a sign in vLLM's message: what to do
    "available memory on node": "on the CPU --gpu-memory-utilization is a share of main memory: try 0.3",
    "out of memory": "lower --gpu-memory-utilization, --max-model-len or --max-num-seqs, or raise --tensor-parallel",
    "available memory": "raise --gpu-memory-utilization, lower --max-model-len, or raise --tensor-parallel",
    "kv cache": "lower --max-model-len or raise --gpu-memory-utilization",
    "head_size": "the attention kernels of this platform do not know the model's head size; try --engine hf",
    "not a local folder": "name a local folder or a model in the cache; offline machines need the files beforehand",
    "trust_remote_code": "the model brings Python code of its own; --trust-remote-code runs it",
    "core initialization failed": "the root cause is in vLLM's messages above",
}


def vllm_version() -> tuple[str, str]:
    """Name and version of the installed distribution; ("", "unknown") when neither is."""
    for name in DISTRIBUTIONS:
        try:
            return name, version(name)
        except PackageNotFoundError:
            continue
    return "", "unknown"


def load(arguments: dict[str, Any]) -> Any:
    """The `LLM` with these arguments of vLLM's EngineArgs; EngineError says why there is none, and what to try."""
    for key, value in ENVIRONMENT.items():
        os.environ.setdefault(key, value)
    try:
        from vllm import LLM
    except ModuleNotFoundError as error:
        if error.name == "vllm":
            raise EngineError(NOT_INSTALLED) from error
        raise EngineError(f"vLLM is installed but cannot be imported: {first_line(error)}") from error
    except (ImportError, RuntimeError, OSError) as error:  # e.g. torchvision built for another torch
        raise EngineError(f"vLLM is installed but cannot be imported: {first_line(error)}") from error
    try:
        return LLM(**arguments)
    except Exception as error:  # model files, memory, drivers, kernels: dozens of types, each the end of this engine
        words = first_line(error)
        whole = str(error).lower()
        advice = next((help for sign, help in ADVICE.items() if sign in whole), "see vLLM's messages above")
        raise EngineError(f"vLLM cannot load {arguments['model']}: {words}; {advice}") from error


def watch_engine(client: Any, closed: threading.Event) -> None:
    """Wakes a step that waits for an engine process that has died.

    vLLM 0.32's synchronous client marks such an engine as dead and then closes its sockets without a word to the queue
    that `step` waits on (v1/engine/core_client.py, `start_engine_core_monitor`): it would wait for ever.
    """
    resources, queue = getattr(client, "resources", None), getattr(client, "outputs_queue", None)
    if resources is None or queue is None:  # the engine runs in this very process
        return

    def watch() -> None:
        while not closed.wait(0.5):
            if resources.engine_dead:
                queue.put(RuntimeError("the engine process ended"))
                return

    threading.Thread(target=watch, name="finbench-engine-watch", daemon=True).start()


def guard_engine(client: Any) -> subprocess.Popen[bytes] | None:
    """A shell that outlives this process by seconds and ends vLLM's engine process, should this one be killed.

    vLLM 0.32's engine process does not notice the death of its parent and keeps the device for ever. The shell reads
    from a pipe that the kernel closes when this process ends, however it ends; a line from `close` sends it home.
    """
    manager = getattr(getattr(client, "resources", None), "engine_manager", None)
    pids = [str(process.pid) for process in getattr(manager, "processes", ())]
    if not pids or os.name != "posix":
        return None
    # A process that has already gone takes neither signal; nothing else gets its number within these seconds.
    script = 'read line && exit; kill -TERM "$@"; sleep 5; kill -KILL "$@"'
    return subprocess.Popen(
        ["/bin/sh", "-c", script, "finbench-guard", *pids],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def died(error: Exception) -> EngineError:
    """What a run says when its engine is gone."""
    whole = str(error).lower()
    advice = next((help for sign, help in ADVICE.items() if sign in whole), "vLLM's messages above say why")
    return EngineError(f"vLLM died during the run ({first_line(error)}); {advice}. Run the same command to continue.")


def device_name(platform: Any) -> str:
    """The device's own name where the platform knows one ("NVIDIA H100 80GB HBM3"), else its kind ("cpu")."""
    try:
        return str(platform.get_device_name() or platform.device_type)
    except (NotImplementedError, RuntimeError):
        return str(platform.device_type)
