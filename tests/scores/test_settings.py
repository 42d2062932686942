"""Settings that differ between two runs: named once, whatever the number of tasks, and nothing else is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fake_runs import make_samples, write_run

from finbench import cli
from finbench.errors import StoreError
from finbench.scores.settings import differing


def settings(temperature: float, **others: object) -> dict[str, object]:
    tasks = ("finqa", "tfns")
    return {
        "model": "m", "engine": "openai_api", "system": "", **others,
        "sampling": {name: {"temperature": temperature, "max_tokens": 256} for name in tasks},
        "tasks": {name: {"version": "1.0", "template": "t"} for name in tasks},
    }  # fmt: skip


def run(folder: Path, **values: object) -> Path:
    given = settings(**values)  # type: ignore[arg-type]
    return write_run(folder, tasks={"finqa": make_samples(20, 0.5)}, manifest={"settings": given})


def test_a_setting_that_all_tasks_share_is_named_once(tmp_path: Path) -> None:
    first, second = run(tmp_path / "a", temperature=0), run(tmp_path / "b", temperature=0.7, system="Be brief.\x1b[2J")
    assert differing(first, second) == (
        ("sampling.temperature", "0", "0.7"),
        ("system", "none", "Be brief.\\x1b[2J"),
    )


def test_runs_of_the_same_settings_differ_in_none(tmp_path: Path) -> None:
    assert differing(run(tmp_path / "a", temperature=0), run(tmp_path / "b", temperature=0)) == ()


def test_a_manifest_of_another_shape_is_a_store_error(tmp_path: Path) -> None:
    first, second = run(tmp_path / "a", temperature=0), run(tmp_path / "b", temperature=0)
    (second / "run.json").write_text('{"settings": {"sampling": {"finqa": 3}}}')
    with pytest.raises(StoreError):
        differing(first, second)


@pytest.mark.parametrize("form", ["--json", "--markdown", ""])
def test_compare_names_what_differs(tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str) -> None:
    first, second = run(tmp_path / "a", temperature=0), run(tmp_path / "b", temperature=0.7)
    page = tmp_path / "page.html"
    assert cli.main(["compare", str(first), str(second), "--html", str(page), *([form] if form else [])]) == 0
    said = capsys.readouterr().out
    if form == "--json":
        assert json.loads(said)["pairs"][0]["settings"] == [["sampling.temperature", "0", "0.7"]]
    else:
        assert "sampling.temperature 0 and 0.7" in said
    assert "sampling.temperature 0 and 0.7" in page.read_text()
