"""Run folders and sample logs that were cut, overwritten or made up: a result, or one of our errors in words."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest
from fake_runs import make_runs

from finbench.errors import FinbenchError
from finbench.pages import report
from finbench.pages.leaderboard import build
from finbench.runs import logs, rescore
from finbench.runs.logs import Columns
from finbench.scores import compare, leaderboard

JUNK = [b"", b"null", b"[]", b"{}", b"{", b"\xff\xfe", b'{"tasks": 3}', b'{"finbench": []}', b"\x00" * 40]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two small runs of two tasks."""
    return make_runs(tmp_path_factory.mktemp("runs"), models=2, tasks=("finqa", "tfns"), n=8)


def damaged(path: Path, generator: random.Random) -> None:
    """Cut the file, put junk into its place, or swap a few of its bytes for others of JSON's own."""
    whole = path.read_bytes()
    kind = generator.randrange(3)
    if kind == 0:
        path.write_bytes(whole[: generator.randrange(len(whole))])
    elif kind == 1:
        path.write_bytes(generator.choice(JUNK))
    else:
        changed = bytearray(whole)
        for _ in range(generator.randint(1, 5)):
            changed[generator.randrange(len(changed))] = generator.choice(b'{}[]",:0aN-')
        path.write_bytes(bytes(changed))


READERS = {
    "measured": lambda folder, other: leaderboard.measured(folder),
    "site": lambda folder, other: build([folder, other], folder / "board.html"),
    "compare": lambda folder, other: compare.compare([folder, other]),
    "report": lambda folder, other: report.write(folder),
    "imports": lambda folder, other: [
        rescore.score_logs([logs.read(path, "auto", "finqa", Columns())]) for path in folder.glob("samples_*")
    ],
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("seed", range(30))
def test_a_damaged_run_gives_a_result_or_an_error_in_words(
    runs: list[Path], tmp_path: Path, reader: str, seed: int
) -> None:
    generator = random.Random(seed)
    folder = tmp_path / "run"
    shutil.copytree(runs[0], folder)
    damaged(generator.choice(sorted(path for path in folder.iterdir() if path.is_file())), generator)
    try:
        READERS[reader](folder, runs[1])
    except FinbenchError as err:
        assert len(str(err)) > 20
