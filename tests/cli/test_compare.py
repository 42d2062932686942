"""`finbench compare`: what is printed and written, and its exit codes."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_runs import make_samples, write_run

from finbench import cli


@pytest.fixture
def pair(tmp_path: Path) -> list[str]:
    """A good run and a bad one on the same questions."""
    write_run(tmp_path / "good", "tests/good", tasks={"finqa": make_samples(60, 1.0)})
    write_run(tmp_path / "bad", "tests/bad", tasks={"finqa": make_samples(60, 0.0)})
    return [str(tmp_path / "good"), str(tmp_path / "bad")]


def test_a_run_that_is_worse_is_exit_code_one_when_asked(pair: list[str]) -> None:
    assert cli.main(["compare", *pair]) == 0
    assert cli.main(["compare", *pair, "--fail-worse"]) == 1
    assert cli.main(["compare", *reversed(pair), "--fail-worse"]) == 0


def test_a_page_that_cannot_be_written_is_one_line_and_exit_code_four(
    pair: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert cli.main(["compare", *pair, "--html", str(tmp_path / "file" / "x.html")]) == 4
    said = capsys.readouterr().err.strip()
    assert "cannot be written" in said
    assert "\n" not in said


def test_one_run_is_nothing_to_compare(pair: list[str]) -> None:
    assert cli.main(["compare", pair[0]]) == 2
