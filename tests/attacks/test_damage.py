"""Damage of the disk in a run's store and result files: nothing changes without a word, and every word is one of ours."""

from __future__ import annotations

import json
import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from finbench.cli import main
from finbench.errors import FinbenchError, StoreError
from finbench.pages import report
from finbench.pages.leaderboard import build
from finbench.runs import execute, rescore
from finbench.runs.execute import Settings
from finbench.scores import compare

PAGE = 4096
SETTINGS: dict[str, Any] = {"model": "baseline/heuristic", "tasks": ("tfns", "finqa"), "data": "sample", "seed": 3}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of two tasks on the sample rows."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    execute.execute(execute.plan(Settings(**SETTINGS, output=folder)))
    return folder


def verdicts(folder: Path) -> dict[tuple[str, str, int], tuple[str, str, bool]]:
    """(task, id, repeat) -> prompt with reply, gold, verdict, as the samples files have them."""
    found = {}
    for path in folder.glob("samples_*.jsonl"):
        for line in map(json.loads, path.read_text("utf-8").splitlines()):
            ours = line["finbench"]
            said = json.dumps([line["arguments"], line["resps"], line["doc"]], sort_keys=True)
            found[path.stem, ours["id"], ours["repeat"]] = (said, line["target"], ours["correct"])
    return found


def _flip(raw: bytearray, draw: random.Random) -> None:
    raw[draw.randrange(len(raw))] ^= 1 << draw.randrange(8)


def _digit(raw: bytearray, draw: random.Random) -> None:
    places = [place for place in range(len(raw)) if 48 <= raw[place] <= 57]
    place = draw.choice(places)
    raw[place] = 48 + (raw[place] - 48 + draw.randint(1, 9)) % 10


def _letter(raw: bytearray, draw: random.Random) -> None:
    places = [place for place in range(len(raw)) if 97 <= raw[place] <= 122]
    raw[draw.choice(places)] = draw.randrange(97, 123)


def _swap(raw: bytearray, draw: random.Random) -> None:
    one, two = draw.sample(range(len(raw) // PAGE), 2)
    a, b = slice(one * PAGE, (one + 1) * PAGE), slice(two * PAGE, (two + 1) * PAGE)
    raw[a], raw[b] = raw[b], raw[a]


def _cut(raw: bytearray, draw: random.Random) -> None:
    del raw[draw.choice([draw.randrange(len(raw)), PAGE * draw.randrange(len(raw) // PAGE)]) :]


def _zero(raw: bytearray, draw: random.Random) -> None:
    page = draw.randrange(len(raw) // PAGE)
    raw[page * PAGE : (page + 1) * PAGE] = bytes(PAGE)


def _noise(raw: bytearray, draw: random.Random) -> None:
    start = draw.randrange(len(raw))
    raw[start : start + 64] = draw.randbytes(len(raw[start : start + 64]))


def _old(raw: bytearray, draw: random.Random) -> None:
    """A page takes the place of another, as after a write that never reached the disk."""
    one, two = draw.sample(range(len(raw) // PAGE), 2)
    raw[one * PAGE : (one + 1) * PAGE] = raw[two * PAGE : (two + 1) * PAGE]


KINDS = (_flip, _digit, _letter, _swap, _cut, _zero, _noise, _old)


@pytest.mark.parametrize("seed", range(200))
def test_a_damaged_store_changes_no_result_without_a_word(whole: Path, tmp_path: Path, seed: int) -> None:
    draw = random.Random(seed)
    folder = tmp_path / "run"
    shutil.copytree(whole, folder)
    store = folder / "responses.sqlite"
    raw = bytearray(store.read_bytes())
    KINDS[seed % len(KINDS)](raw, draw)
    store.write_bytes(bytes(raw))
    before = verdicts(whole)
    try:
        _, _, problems = rescore.rescore(folder)
    except FinbenchError as err:
        assert "responses.sqlite" in str(err) and err.exit_code == 4
        return
    after = verdicts(folder)
    assert after.items() <= before.items()  # what is left is what was there, to the letter
    assert problems or after == before  # and what is not left is said
