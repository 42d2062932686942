"""A wheel holds all that a run needs, and works in a folder where nothing else of finbench is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked wheel: what an installer puts into site-packages."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def run(installed: Path, cwd: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    code = f"import finbench, sys; assert finbench.__file__.startswith({str(installed)!r}); "
    code += "from finbench.cli import main; sys.exit(main())"
    return subprocess.run(
        [sys.executable, "-c", code, *words], cwd=cwd, env=environment, capture_output=True, text=True
    )


def test_the_first_command_of_a_new_user_works_from_a_wheel(installed: Path, tmp_path: Path) -> None:
    done = run(installed, tmp_path, "run", "--model", "baseline/heuristic", "--data", "sample", "--json", "--quiet")
    assert done.returncode == 0, done.stderr[-2000:]
    document = json.loads(done.stdout)
    assert set(document["tasks"]) == {"finqa", "convfinqa", "ant_finance", "tfns", "finance_instruct"}
    assert len(document["reported"]) == 11
    assert (tmp_path / document["run_dir"] / "report.html").is_file()
    built = run(installed, tmp_path, "leaderboard", "build", "-o", "board.html")
    assert built.returncode == 0 and "Fin-R1" in (tmp_path / "board.html").read_text("utf-8")


def test_the_wheel_brings_tasks_profiles_templates_and_types(installed: Path) -> None:
    package = installed / "finbench"
    carried = """py.typed tasks/pinned.csv runs/profiles/fin-r1.yaml pages/templates/site.css shipped/tasks/finqa/finqa.yaml
                 shipped/tasks/tfns/sample.jsonl shipped/leaderboards/reported/fin_r1.csv"""
    for name in carried.split():
        assert (package / name).is_file(), name
