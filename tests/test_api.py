"""The Python API: what is there, what it takes as text, and what a notebook shows of a run."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from fake_runs import make_samples, write_run

import finbench
from finbench.errors import EngineError, StoreError


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> finbench.Run:
    folder = str(tmp_path_factory.mktemp("run") / "one")
    return finbench.run("baseline/oracle", "tfns", data="sample", limit=5, output=folder)


def test_dir_shows_the_api_before_anything_of_it_is_used() -> None:
    code = "import finbench; print(*dir(finbench))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert {"Run", "grade", "load", "run"} <= set(shown)


def test_output_and_one_task_may_be_text(run: finbench.Run) -> None:
    assert isinstance(run.folder, Path)
    assert list(run.document["tasks"]) == ["tfns"]


def test_a_run_is_shown_in_a_line(run: finbench.Run) -> None:
    said = repr(run)
    assert said.startswith("<finbench.Run baseline/oracle in ")
    assert "tfns 100.0" in said
    assert len(said) < 300


def test_a_notebook_shows_a_table_whose_names_are_text(run: finbench.Run) -> None:
    document = {**run.document, "model": "<script>", "tasks": {"<b>": run.document["tasks"]["tfns"]}}
    said = finbench.Run(run.folder, document)._repr_html_()
    assert said.startswith("<table>")
    assert "<td>100.0</td>" in said
    assert "<script>" not in said and "<b>" not in said


def test_a_run_is_loaded_again_and_a_folder_without_one_is_said(run: finbench.Run, tmp_path: Path) -> None:
    assert finbench.load(str(run.folder)).document == run.document
    with pytest.raises(StoreError, match=r"no readable run\.json"):
        finbench.load(tmp_path)


def test_a_typo_in_a_baseline_leaves_no_folder(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="did you mean baseline/heuristic"):
        finbench.run("baseline/heurstic", "tfns", data="sample", output=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_the_tables_say_how_sure_the_verdicts_are(run: finbench.Run) -> None:
    row = run.table().loc["tfns"]
    assert (row["unsure"], row["range_low"], row["range_high"]) == (0, 100, 100)
    samples = run.samples("tfns")
    assert list(samples["certainty"]) == ["sure"] * 5 and list(samples["rival"]) == [""] * 5


def test_a_run_older_than_certainty_has_tables_without_it(tmp_path: Path) -> None:
    old = finbench.load(write_run(tmp_path / "run", tasks={"finqa": make_samples(10, 0.5)}))
    document = json.loads(json.dumps(old.document))
    document["tasks"]["finqa"]["unreadable"] = 0
    row = finbench.Run(old.folder, document).table().loc["finqa"]
    assert row[["unsure", "range_low", "range_high"]].isna().all()
    assert set(old.samples("finqa")["certainty"]) == {""}
