"""`finbench leaderboard build`: which runs, which files, and what cannot be written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fake_runs import make_samples, write_run

from finbench import cli
from finbench.cli.leaderboard import find_runs


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    write_run(tmp_path / "runs" / "a", tasks={"finqa": make_samples(20, 0.5)})
    return tmp_path / "runs"


def test_only_folders_with_results_are_runs(runs: Path) -> None:
    (runs / "begun").mkdir()
    (runs / "begun" / "run.json").write_text("{}")
    assert find_runs(runs) == [runs / "a"]


def test_the_table_goes_to_every_file_that_is_named(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    files = {flag: tmp_path / "new" / f"table.{flag}" for flag in ("csv", "json", "markdown", "latex")}
    words = [word for flag, path in files.items() for word in (f"--{flag}", str(path))]
    assert cli.main(["leaderboard", "build", str(runs), "-o", str(tmp_path / "b.html"), *words]) == 0
    assert capsys.readouterr().out.splitlines() == list(map(str, [tmp_path / "b.html", *files.values()]))
    assert files["csv"].read_text().startswith("model,params,")
    assert "Fin-R1" in {row["model"] for row in json.loads(files["json"].read_text())["rows"]}
    assert "| Fin-R1 |" in files["markdown"].read_text()
    assert "\\toprule" in files["latex"].read_text()


@pytest.mark.parametrize("flag", ["-o", "--csv"])
def test_a_file_that_cannot_be_written_is_one_line_and_exit_code_four(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], flag: str
) -> None:
    (tmp_path / "file").write_text("")
    output = [] if flag == "-o" else ["-o", str(tmp_path / "b.html")]
    assert cli.main(["leaderboard", "build", str(runs), *output, flag, str(tmp_path / "file" / "x")]) == 4
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert "file/x: cannot be written" in said


def test_no_run_below_a_named_folder_is_exit_code_five(tmp_path: Path) -> None:
    assert cli.main(["leaderboard", "build", str(tmp_path), "-o", str(tmp_path / "b.html")]) == 5
