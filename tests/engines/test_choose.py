"""Which engine is chosen, and why; and `vllm serve` started, used and stopped, with a stand-in for vLLM."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from asking_servers import chat

from finbench.engines import choose
from finbench.engines.vllm.served import ServedVLLM, positional
from finbench.errors import EngineError, UsageError


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The packages that `choose` believes in."""
    names: set[str] = set()
    monkeypatch.setattr(choose, "_installed", names.__contains__)
    return names


@pytest.mark.parametrize(
    ("packages", "model", "flags", "expected", "why"),
    [
        ("vllm torch transformers", "m", {}, "local_vllm", "vLLM is installed"),
        ("vllm torch", "m", {"options": {"data_parallel": 2}}, "served_vllm", "--data-parallel 2"),
        ("torch transformers", "m", {}, "local_hf", "finbench"),
        ("vllm", "m", {"base_urls": ["http://h/v1"]}, "openai_api", "--base-url"),
        ("vllm", "m", {"options": {"ray_address": "auto"}}, "ray_cluster", "--ray-address"),
        ("vllm", "baseline/oracle", {"base_urls": ["http://h/v1"]}, "offline", "built in"),
        ("", "replay:file.jsonl", {}, "offline", "built in"),
        ("", "m", {"engine": "serve"}, "served_vllm", "--engine serve"),
        ("", "m", {"engine": "vllm"}, "local_vllm", "--engine vllm"),
        ("", "m", {"engine": "local_hf"}, "local_hf", "--engine local_hf"),
        ("", "m", {"engine": "openai", "base_urls": ["http://h/v1"]}, "openai_api", "--engine openai"),
    ],
)
def test_the_engine_follows_from_flags_and_packages(
    installed: set[str], packages: str, model: str, flags: dict[str, object], expected: str, why: str
) -> None:
    installed.update(packages.split())
    choice = choose.choose(model, **flags)  # type: ignore[arg-type]
    assert choice.engine == expected and why in choice.why


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        ({}, "--base-url.*pip install 'finbench.vllm.'.*baseline/heuristic"),
        ({"engine": "vlm"}, "no such engine"),
        ({"engine": "vllm", "base_urls": ["http://h/v1"]}, "leave one of the two out"),
        ({"engine": "openai"}, "needs the server's address"),
    ],
)
def test_flags_that_cannot_be_served_are_usage_errors(
    installed: set[str], flags: dict[str, object], named: str
) -> None:
    with pytest.raises(UsageError, match=named):
        choose.choose("m", **flags)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", choose.ENGINES)
def test_every_engine_can_be_imported_without_its_heavy_library(name: str) -> None:
    code = (
        f"import sys; from finbench.engines import choose; choose.engine_class({name!r}); "
        "print(sorted({'vllm', 'torch', 'transformers', 'ray', 'aiohttp', 'lm_eval'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr


def test_a_missing_package_is_named_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(choose.ENGINES, "local_vllm", "package_that_is_not_there:Engine")
    with pytest.raises(EngineError, match=r"package_that_is_not_there.*pip install 'finbench.vllm.'"):
        choose.engine_class("local_vllm")


# vllm serve

STAND_IN = f"""\
import subprocess, sys
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
from pathlib import Path
import fake_server
flags = dict(a.split("=", 1) for a in sys.argv[1:] if a.startswith("--") and "=" in a)
Path({{folder!r}}, "arguments").write_text("\\n".join(sys.argv[1:]))
worker = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
Path({{folder!r}}, "worker").write_text(str(worker.pid))
{{extra}}
sys.argv = ["fake", "--port", flags["--port"]]
fake_server.main()
"""


def stand_in(folder: Path, extra: str = "") -> list[str]:
    """A command that behaves like `vllm`, with a worker process."""
    script = folder / "vllm.py"
    script.write_text(STAND_IN.format(folder=str(folder), extra=extra), "utf-8")
    return [sys.executable, str(script)]


def gone(folder: Path) -> bool:
    """Whether the worker has ended (or is a zombie that nobody reaped), within some seconds."""
    pid = int((folder / "worker").read_text())
    for _ in range(100):
        stat = Path(f"/proc/{pid}/stat")
        if not stat.exists() or stat.read_text().rsplit(")", 1)[1].split()[0] == "Z":
            return True
        time.sleep(0.05)
    return False


def test_a_served_model_answers_and_leaves_no_process_behind(tmp_path: Path) -> None:
    engine = ServedVLLM(
        "org/model", command=stand_in(tmp_path), max_model_len=4096, revision="abc", arguments=["--enforce-eager"]
    )
    assert [reply.finish for reply in engine.stream(iter([chat("1"), chat("2")]))] == ["stop", "stop"]
    assert engine.describe()["engine"] == "served_vllm"
    engine.close()
    engine.close()
    assert gone(tmp_path) and not engine.log.exists()
    arguments = (tmp_path / "arguments").read_text().split("\n")
    assert arguments[:3] == ["serve", "org/model", "--host=127.0.0.1"]
    assert {"--revision=abc", "--max-model-len=4096", "--enforce-eager"} <= set(arguments)


def test_a_server_that_cannot_start_is_an_engine_error_with_its_last_words(tmp_path: Path) -> None:
    command = stand_in(tmp_path, "worker.kill(); sys.exit('RuntimeError: no such GPU')")
    with pytest.raises(EngineError, match=r"ended while starting.*no such GPU"):
        ServedVLLM("m", command=command)


def test_a_server_that_never_gets_ready_is_stopped(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"not ready after 5 s"):
        ServedVLLM("m", command=stand_in(tmp_path, "import time; time.sleep(60)"), start_timeout=5)
    assert gone(tmp_path)


def test_a_server_that_dies_during_the_run_is_noticed_and_its_workers_go_with_it(tmp_path: Path) -> None:
    engine = ServedVLLM("m", command=stand_in(tmp_path))
    assert engine._client
    engine._client._endpoints.max_wait = 0.3
    stream = engine.stream(chat(str(i)) for i in range(100_000))
    next(stream)
    os.kill(engine._process.pid, signal.SIGKILL)
    with pytest.raises(EngineError, match=r"ended during the run .*resume"):
        list(stream)
    engine.close()
    assert gone(tmp_path)


def test_a_killed_parent_leaves_no_server_behind(tmp_path: Path) -> None:
    code = (
        "import sys, time; from finbench.engines.vllm.served import ServedVLLM; "
        f"engine = ServedVLLM('m', command={stand_in(tmp_path)!r}); print('ready', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout and parent.stdout.readline() == "ready\n"
        parent.kill()
    assert gone(tmp_path)


@pytest.mark.parametrize("name", ["-rf", "--help", "--port=1", ""])
def test_a_name_that_vllm_would_read_as_a_flag_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="as a flag"):
        positional(name)


@pytest.mark.parametrize("name", ["$(touch x)", "a b; c", "./-rf", "org/model"])
def test_other_names_are_passed_on_as_they_are(name: str) -> None:
    assert positional(name) == name
