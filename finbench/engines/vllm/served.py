"""`--serve`: starts `vllm serve` for the run, talks to it as to any server, and stops it.

The server has a process group of its own, so that stopping it reaches all its workers. A small shell outlives this
process by seconds and stops the group should this process be killed: no orphan keeps the GPU.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from finbench.engines.openai.engine import OpenAIEngine
from finbench.errors import EngineError, UsageError
from finbench.records import Request, Response

GRACE = 15.0  # seconds between SIGTERM and SIGKILL
# Reads until a line comes (all is well) or the pipe breaks (the parent is gone); a group that is gone takes no signal.
GUARD = 'read line && exit; kill -s TERM -- "-$1"; sleep 10; kill -s KILL -- "-$1"'  # dash knows no `kill -TERM --`


class ServedVLLM:
    """A vLLM server of our own on a free port of this machine.

    `arguments` are further flags of `vllm serve`, as a list; `start_timeout` is how long loading may take, in seconds.
    `max_concurrency`, `timeout`, `retries` and `extra_body` are OpenAIEngine's.
    """

    name = "served_vllm"

    def __init__(
        self,
        model: str,
        *,
        revision: str | None = None,
        dtype: str | None = None,
        quantization: str | None = None,
        tensor_parallel: int | None = None,
        pipeline_parallel: int | None = None,
        data_parallel: int | None = None,
        gpu_memory_utilization: float | None = None,
        max_model_len: int | None = None,
        max_num_seqs: int | None = None,
        lora: str | Path | None = None,
        trust_remote_code: bool = False,
        arguments: Sequence[str] = (),
        start_timeout: float = 1800.0,
        command: Sequence[str] | None = None,
        max_concurrency: int = 64,
        timeout: float = 1200.0,
        retries: int = 5,
        extra_body: dict[str, Any] | None = None,
    ) -> None:
        flags = {
            "--revision": revision,
            "--tokenizer-revision": revision,
            "--dtype": dtype,
            "--quantization": quantization,
            "--tensor-parallel-size": tensor_parallel,
            "--pipeline-parallel-size": pipeline_parallel,
            "--data-parallel-size": data_parallel,
            "--gpu-memory-utilization": gpu_memory_utilization,
            "--max-model-len": max_model_len,
            "--max-num-seqs": max_num_seqs,
        }
        port = _free_port()
        self.arguments = [
            *(command or _executable()),
            "serve",
            positional(model),
            "--host=127.0.0.1",
            f"--port={port}",
            *(f"{flag}={value}" for flag, value in flags.items() if value is not None),
            *(["--trust-remote-code"] if trust_remote_code else []),
            *(_lora(Path(lora)) if lora else []),
            *arguments,
        ]
        handle, log = tempfile.mkstemp(prefix="finbench-vllm-serve-", suffix=".log")
        self.log = Path(log)
        self._client: OpenAIEngine | None = None
        with os.fdopen(handle, "wb") as output:
            self._process = _start(self.arguments, output)
        self._guard = _guard(self._process.pid)
        try:
            self._wait_until_healthy(port, start_timeout)
            self._client = OpenAIEngine(
                "adapter" if lora else model,
                f"http://127.0.0.1:{port}/v1",
                max_concurrency=max_concurrency,
                timeout=timeout,
                retries=retries,
                max_wait=15.0,  # a server of our own that does not answer is dead
                api_key_env="VLLM_API_KEY",  # what `vllm serve` itself reads
                extra_body=extra_body,
            )
        except BaseException:  # also Ctrl-C while a model loads: never leave a server behind
            self._stop()
            raise

    def stream(self, requests: Iterator[Request | None]) -> Iterator[Response]:
        """As OpenAIEngine's; EngineError with the server's last words when it dies."""
        assert self._client, "closed"
        try:
            yield from self._client.stream(requests)
        except EngineError as error:
            code = self._process.poll()
            if code is None:
                raise
            raise EngineError(
                f"`vllm serve` ended during the run (exit code {code}). {self._last_words()} "
                "The replies so far are kept: run the same command again to resume."
            ) from error

    def describe(self) -> dict[str, object]:
        """What the server says of itself, and the command that started it."""
        assert self._client, "closed"
        return {**self._client.describe(), "engine": self.name, "command": self.arguments}

    def close(self) -> None:
        """Stops the server and all its workers; safe to call twice."""
        if self._client:
            self._client.close()
            self._client = None
        self._stop()
        self.log.unlink(missing_ok=True)

    def _wait_until_healthy(self, port: int, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise EngineError(
                    f"`vllm serve` ended while starting (exit code {self._process.returncode}). {self._last_words()}"
                )
            if _healthy(port):
                return
            time.sleep(0.2)
        raise EngineError(f"`vllm serve` was not ready after {timeout:g} s. {self._last_words()}")

    def _last_words(self) -> str:
        lines = self.log.read_text("utf-8", "replace").splitlines() if self.log.exists() else []
        words = (
            " | ".join(line.strip() for line in lines[-40:] if "rror" in line)[-600:] or " | ".join(lines[-3:])[-600:]
        )
        return f"It said: {''.join(c for c in words if c.isprintable()) or 'nothing'} (all of it: {self.log})."

    def _stop(self) -> None:
        _signal_group(self._process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(GRACE)
        _signal_group(self._process.pid, signal.SIGKILL)  # workers that outlived it
        self._process.wait()
        if self._guard and self._guard.poll() is None:
            with contextlib.suppress(BrokenPipeError):
                self._guard.communicate(b"\n", timeout=5)


def positional(model: str) -> str:
    """The model's name as a safe positional argument.

    `--` would not protect it: vLLM's parser rewrites arguments behind it too (vllm/utils/argparse_utils.py).
    """
    if not model or model.startswith("-"):
        raise UsageError(f"--model {model!r} would be read as a flag by `vllm serve`; write a folder as ./{model}")
    return model


def _executable() -> list[str]:
    beside = Path(sys.executable).parent / "vllm"
    found = str(beside) if beside.is_file() else shutil.which("vllm")
    if not found:
        raise EngineError("--serve needs the command `vllm`; install it with: pip install 'finbench[vllm]'")
    return [found]


def _start(arguments: Sequence[str], output: Any) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            arguments, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    except OSError as error:
        raise EngineError(f"cannot start {arguments[0]}: {error}") from error


def _guard(group: int) -> subprocess.Popen[bytes] | None:
    if os.name != "posix":
        return None
    return subprocess.Popen(
        ["/bin/sh", "-c", GUARD, "finbench-guard", str(group)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _signal_group(group: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _lora(folder: Path) -> list[str]:
    try:
        rank = int(json.loads((folder / "adapter_config.json").read_text("utf-8"))["r"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EngineError(f"--lora {folder}: no readable adapter_config.json with a rank `r` ({error})") from error
    return [
        "--enable-lora",
        f"--max-lora-rank={max(8, 1 << (rank - 1).bit_length())}",
        "--lora-modules",
        f"adapter={folder}",
    ]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _healthy(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
