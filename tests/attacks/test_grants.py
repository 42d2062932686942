"""Files of others (`run --resume RUN`, `--config FILE`) grant nothing and get no key: only the command line does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from fake_server import FakeServer

from finbench import cli

BASE = {"data": "sample", "tasks": "tfns", "limit": 2, "quiet": True, "no_report": True}
CANARY = "canary-of-another-service"
EVIL = """\
task: evil
custom_dataset: !function utils.rows
output_type: generate_until
test_split: test
doc_to_text: q
doc_to_target: gold
process_results: !function finbench.lm_eval.number
metric_list: [{metric: acc, aggregation: mean, higher_is_better: true}]
metadata: {version: 1.0}
"""


def folder_of_others(path: Path, **flags: Any) -> Path:
    """A run folder as a stranger would hand it over."""
    path.mkdir()
    kept = {key: value for key, value in BASE.items() if key != "quiet"}
    (path / "config.yaml").write_text(yaml.safe_dump({**kept, "model": "baseline/oracle", **flags}), "utf-8")
    return path


def words(way: str, folder: Path) -> list[str]:
    if way == "resume":
        return ["run", "--quiet", "--resume", str(folder)]
    return ["run", "--quiet", "--config", str(folder / "config.yaml"), "--output", str(folder / "out")]


@pytest.mark.parametrize("way", ["resume", "config"])
def test_code_named_by_a_file_of_others_does_not_run(
    tmp_path: Path, way: str, capsys: pytest.CaptureFixture[str]
) -> None:
    tasks, marker = tmp_path / "tasks", tmp_path / "it_ran"
    tasks.mkdir()
    (tasks / "evil.yaml").write_text(EVIL, "utf-8")
    (tasks / "utils.py").write_text(f"open({str(marker)!r}, 'w').close()\ndef rows(**_): return {{'test': []}}\n")
    folder = folder_of_others(tmp_path / "run", tasks="evil", include=[str(tasks)], trust_task_code=True)
    assert cli.main(words(way, folder)) == 2
    assert not marker.exists()
    assert f"give again: --include {tasks} --trust-task-code" in capsys.readouterr().err


@pytest.mark.parametrize("way", ["resume", "config"])
def test_no_key_goes_to_a_server_that_a_file_of_others_names(
    tmp_path: Path, way: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OTHER_SERVICE_KEY", CANARY)
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    with FakeServer() as server:
        for number, more in enumerate(({}, {"api_key_env": "OTHER_SERVICE_KEY"})):
            folder = folder_of_others(tmp_path / str(number), model="fake", base_url=[server.url], **more)
            assert cli.main(words(way, folder)) == 2
            assert f"--base-url {server.url}" in capsys.readouterr().err
        assert not server.paths


@pytest.mark.parametrize("way", ["resume", "config"])
@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("trust_task_code", True),
        ("trust_task_data", True),
        ("trust_remote_code", True),
        ("include", ["/tmp"]),  # a name only
        ("base_url", "http://127.0.0.1:9/v1"),
        ("judge_base_url", ["http://127.0.0.1:9/v1"]),
        ("api_key_env", "AWS_SECRET_ACCESS_KEY"),
        ("model_args", "pretrained=x,trust_remote_code=True"),
        ("ray_address", "evil:6379"),
    ],
)
def test_every_grant_is_asked_for_again(
    tmp_path: Path, way: str, flag: str, value: object, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = folder_of_others(tmp_path / "run", **{flag: value})
    assert cli.main(words(way, folder)) == 2
    assert f"give again: --{flag.replace('_', '-')}" in capsys.readouterr().err


def test_a_grant_that_is_repeated_counts_as_the_command_line_says_it(tmp_path: Path) -> None:
    with FakeServer() as named, FakeServer() as ours:
        folder = folder_of_others(tmp_path / "run", model="fake", base_url=[named.url])
        assert cli.main([*words("resume", folder), "--base-url", ours.url]) == 0
        assert not named.paths and ours.total == 2


def test_a_grant_that_the_file_withholds_needs_no_word(tmp_path: Path) -> None:
    folder = folder_of_others(tmp_path / "run", trust_task_code=False, include=[], api_key_env=None)
    assert cli.main(words("resume", folder)) == 0


@pytest.mark.parametrize(
    "text",
    ["model: {a: b}", "limit: [1]", "quiet: 3", "seed: 3.7", "resume: /x", "a: !!timestamp x", "[" * 3000, "- x"],
)
def test_a_file_of_others_that_is_damaged_is_refused_in_words(
    tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = folder_of_others(tmp_path / "run")
    (folder / "config.yaml").write_text(text, "utf-8")
    assert cli.main(["run", "--resume", str(folder)]) == 2
    assert "config.yaml" in capsys.readouterr().err
