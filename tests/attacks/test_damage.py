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


def damage(folder: Path, query: str) -> None:
    """Change the store behind the back of the program, with every index right."""
    with closing(sqlite3.connect(folder / "responses.sqlite", isolation_level=None)) as db:
        assert db.execute(query).rowcount > 0


ROWS = {
    "reply": "UPDATE replies SET response = CAST('{}' AS TEXT) WHERE task='tfns' AND position=2",
    "prompt": "UPDATE replies SET prompt = zeroblob(40) WHERE task='tfns' AND position=2",
    "grade": "UPDATE replies SET grade = replace(grade, 'true', 'false'), graded = x'00' WHERE task='tfns' AND position=2",
    "sampling": "UPDATE replies SET sampling = '{\"temperature\":1}' WHERE task='tfns' AND position=2",
    "bad text": "UPDATE replies SET request_id = CAST(x'ff41' AS TEXT) WHERE task='tfns' AND position=2",
    "row": "UPDATE documents SET row = CAST('{}' AS TEXT) WHERE task='tfns' AND position=2",
    "gold": "UPDATE documents SET target = target || '9' WHERE task='tfns' AND position=2",
    "no digest": "UPDATE replies SET digest = NULL WHERE task='tfns' AND position=2",
}


@pytest.mark.parametrize("what", ROWS)
def test_a_damaged_row_is_named_and_asked_again_by_the_same_command(
    whole: Path, tmp_path: Path, what: str, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(whole, folder)
    damage(folder, ROWS[what])
    assert main(["score", str(folder)]) == 3
    assert "tfns document 2: its" in capsys.readouterr().err
    assert len(verdicts(folder)) == len(verdicts(whole)) - 1
    assert json.loads((folder / "run.json").read_text("utf-8"))["status"] == "partial"
    execute.execute(execute.plan(Settings(**SETTINGS, output=folder)))
    assert "asked again" in caplog.text
    assert verdicts(folder) == verdicts(whole)
    assert main(["score", str(folder)]) == 0


@pytest.mark.parametrize("column", ["graded", "digest"])
def test_a_store_that_lacks_a_column_is_refused_in_words(
    whole: Path, tmp_path: Path, column: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(whole, folder)
    with closing(sqlite3.connect(folder / "responses.sqlite", isolation_level=None)) as db:
        db.execute(f"ALTER TABLE replies DROP COLUMN {column}")
    assert main(["score", str(folder)]) == 4
    assert f"no such column: r.{column}" in capsys.readouterr().err


def test_damage_that_comes_after_opening_is_said_in_words(whole: Path, tmp_path: Path) -> None:
    from finbench.runs.store import Store

    folder = tmp_path / "run"
    shutil.copytree(whole, folder)
    with Store(folder) as store:
        store._db.execute("PRAGMA cache_size=0")
        with (folder / "responses.sqlite").open("r+b") as file:
            file.seek(PAGE)
            file.write(bytes(60 * PAGE))
        with pytest.raises(StoreError, match=r"\.recover"):
            for task in ("tfns", "finqa"):
                list(store.scan(task))


def aged(folder: Path) -> None:
    """Make the store one of schema 1: no digests, nothing deflated."""
    from finbench.serialize import unstowed

    with closing(sqlite3.connect(folder / "responses.sqlite", isolation_level=None)) as db:
        db.create_function("plain", 2, unstowed)
        db.execute(
            "UPDATE replies SET response = plain(response, ''), prompt = plain(prompt, (SELECT plain(row, '') FROM "
            "documents d WHERE d.task=replies.task AND d.position=replies.position))"
        )
        db.execute("UPDATE documents SET row = plain(row, ''), target = plain(target, ''), id = plain(id, '')")
        db.execute("UPDATE meta SET value='1' WHERE key='schema'")
        for table in ("meta", "documents", "replies", "judgements"):
            db.execute(f"ALTER TABLE {table} DROP COLUMN digest")
        db.execute("ALTER TABLE replies DROP COLUMN graded")


def test_a_store_without_digests_is_read_gets_them_and_that_is_said_once(
    whole: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(whole, folder)
    aged(folder)
    assert rescore.rescore(folder).problems == [] and verdicts(folder) == verdicts(whole)
    assert caplog.text.count("before replies had digests") == 1
    assert rescore.rescore(folder).problems == []
    assert caplog.text.count("before replies had digests") == 1
    damage(folder, ROWS["reply"])
    assert len(rescore.rescore(folder).problems) == 1


def test_an_old_store_that_cannot_be_read_in_one_row_loses_that_row_only(whole: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(whole, folder)
    aged(folder)
    damage(folder, "UPDATE replies SET response = '{\"text\": ' WHERE task='tfns' AND position=2")
    assert len(rescore.rescore(folder).problems) == 1 and len(verdicts(folder)) == len(verdicts(whole)) - 1


def test_a_store_of_a_later_schema_is_refused_with_words(whole: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(whole, folder)
    damage(folder, "UPDATE meta SET value='3' WHERE key='schema'")
    with pytest.raises(StoreError, match="another version of finbench"):
        rescore.rescore(folder)


@pytest.mark.parametrize("name", ["run.json", "results.json", "samples_tfns.jsonl"])
@pytest.mark.parametrize("reader", ["report", "compare", "leaderboard"])
def test_pages_refuse_result_files_that_were_changed(whole: Path, tmp_path: Path, name: str, reader: str) -> None:
    folder = tmp_path / "run"
    shutil.copytree(whole, folder)
    raw = bytearray((folder / name).read_bytes())
    _digit(raw, random.Random(7))
    (folder / name).write_bytes(bytes(raw))
    readers: dict[str, Any] = {
        "report": lambda: report.write(folder),
        "compare": lambda: compare.compare([folder, whole]),
        "leaderboard": lambda: build([folder, whole], tmp_path / "board.html"),
    }
    with pytest.raises(StoreError, match="not what the run wrote") as refused:
        readers[reader]()
    assert name in str(refused.value) and "finbench score" in str(refused.value)


@pytest.mark.parametrize("name", ["results.json", "samples_tfns.jsonl"])
def test_scoring_makes_changed_result_files_anew_from_the_store(whole: Path, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "run"
    shutil.copytree(whole, folder)
    raw = bytearray((folder / name).read_bytes())
    _digit(raw, random.Random(7))
    (folder / name).write_bytes(bytes(raw))
    rescore.rescore(folder)
    report.write(folder)
    assert verdicts(folder) == verdicts(whole)
    before, after = (json.loads((one / "results.json").read_text("utf-8"))["finbench"] for one in (whole, folder))
    assert after["tasks"] == before["tasks"]


def test_the_same_command_makes_a_changed_manifest_anew(whole: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(whole, folder)
    text = (folder / "run.json").read_text("utf-8")
    (folder / "run.json").write_text(text.replace('"seed": 3', '"seed": 4'), encoding="utf-8")
    with pytest.raises(StoreError, match="not what the run wrote"):
        rescore.rescore(folder)
    execute.execute(execute.plan(Settings(**SETTINGS, output=folder)))
    report.write(folder)
