"""`finbench report`: the files of a run, and what cannot be reported."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_runs import make_samples, write_run

from finbench import cli


def test_the_files_that_were_written_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = write_run(tmp_path / "run", tasks={"finqa": make_samples(12, 0.5)})
    assert cli.main(["report", str(run), "--plots", str(tmp_path / "plots")]) == 0
    named = [Path(line) for line in capsys.readouterr().out.split()]
    assert {run / "report.html", run / "report.md", tmp_path / "plots" / "scores.svg"} <= set(named)
    assert all(path.is_file() for path in named)


def test_a_folder_that_is_no_run_is_refused_in_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["report", str(tmp_path)]) != 0
    assert "Traceback" not in capsys.readouterr().err
