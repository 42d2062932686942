"""Weights that this machine holds are read while the tasks load; what it does not hold is left to the engine."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from finbench.engines import choose
from finbench.engines.vllm import read_ahead
from finbench.errors import EngineError
from finbench.runs import execute
from finbench.runs.execute import Settings


def model(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for name in ("model-1.safetensors", "model-2.safetensors", "config.json"):
        (folder / name).write_bytes(b"x" * 100)
    return folder


def names(files: list[Path]) -> list[str]:
    return [path.name for path in files]


def test_a_folder_gives_its_weight_files_only(tmp_path: Path) -> None:
    assert names(read_ahead.weight_files(str(model(tmp_path / "m")))) == ["model-1.safetensors", "model-2.safetensors"]


@pytest.mark.parametrize(("revision", "found"), [(None, 2), ("main", 2), ("abc", 2), ("v2", 0), ("../../x", 0)])
def test_a_model_of_the_hub_is_found_in_its_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, revision: str | None, found: int
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    cached = tmp_path / "models--org--name"
    model(cached / "snapshots" / "abc")
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text("abc")
    assert len(read_ahead.weight_files("org/name", revision)) == found


@pytest.mark.parametrize("name", ["org/absent", "baseline/oracle", "", "a\0b", "x" * 5000])
def test_a_model_that_is_not_here_is_nothing_to_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "none"))
    monkeypatch.chdir(tmp_path)
    assert read_ahead.weight_files(name) == []


def test_all_of_it_is_read_beside_this_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[tuple[str, str]] = []
    monkeypatch.setattr(read_ahead, "_read", lambda files: read.append((threading.current_thread().name, len(files))))
    read_ahead.read_ahead(str(model(tmp_path / "m")))
    for thread in threading.enumerate():
        if thread.name == "finbench-weights":
            thread.join(10)
    assert read == [("finbench-weights", 2)]


def test_a_file_that_cannot_be_read_is_the_engines_to_report(tmp_path: Path) -> None:
    read_ahead._read([tmp_path / "gone.safetensors"])


@pytest.mark.parametrize(("engine", "begun"), [("vllm", True), ("serve", True), ("ray", False)])
def test_a_run_begins_with_the_weights_where_they_are_loaded_here(
    monkeypatch: pytest.MonkeyPatch, engine: str, begun: bool
) -> None:
    asked: list[tuple[str, str | None]] = []
    monkeypatch.setattr(read_ahead, "read_ahead", lambda model, revision: asked.append((model, revision)))
    execute.begin(Settings(model="org/name", engine=engine, revision="r"))
    assert asked == ([("org/name", "r")] if begun else [])


# a model that is nowhere


@pytest.mark.parametrize("name", ["./nowhere", "/no/such/model", "a/b/c", "-x", "../m", "C:\\models\\x", "nowhere/"])
@pytest.mark.parametrize("engine", read_ahead.LOCAL)
def test_a_path_that_does_not_exist_is_said_before_the_engine_is_imported(
    tmp_path: Path, name: str, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(choose, "engine_class", lambda _: pytest.fail("the engine was imported"))
    with pytest.raises(EngineError, match="check --model"):
        choose.create(engine, name)


def test_a_hub_name_that_is_not_cached_is_said_when_there_is_no_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert "HF_HUB_OFFLINE" in read_ahead.why_absent("org/name")
    (tmp_path / "models--org--name").mkdir()
    assert read_ahead.why_absent("org/name") == read_ahead.why_absent("org/name:Q4_K_M") == ""


@pytest.mark.parametrize("name", ["org/name", "gpt2", "org/name-GGUF:Q4_K_M", "s3://bucket/model", "HERE"])
def test_what_may_exist_is_left_to_the_engine(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    assert read_ahead.why_absent(str(tmp_path) if name == "HERE" else name) == ""
