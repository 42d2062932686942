"""The store keeps what was committed, refuses what does not belong, and says what is wrong."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from finbench.errors import StoreError
from finbench.records import Answer, Document, Gold, Grade, Message, Request, Response, Sampling
from finbench.runs.store import PAGE, Store

SETTINGS = {"model": "m", "seed": 0, "sampling": {"temperature": 0.0}}


def document(name: str = "d1") -> Document:
    return Document(name, "finqa", "How much?", Answer(kind="number"), (Gold("5"),), row={"id": name})


def request(name: str = "r1", *, of: Document | None = None, repeat: int = 0) -> Request:
    return Request(name, of or document(), (Message("user", "How much?"),), Sampling(), repeat=repeat)


def fill(store: Store, count: int, text: str = "five") -> None:
    for position in range(count):
        one = document(f"d{position}")
        store.add_document(position, one, f'{{"id":"d{position}"}}', f"hash{position}")
        asked = request(f"r{position}", of=one)
        store.append(position, asked, Response(asked.id, text, "stop"), Grade(True, "equal"))


def test_what_was_stored_comes_back_in_data_order(tmp_path: Path) -> None:
    with Store(tmp_path, SETTINGS) as store:
        fill(store, PAGE + 3)
        found = list(store.scan("finqa"))
    assert [one.position for one in found] == list(range(PAGE + 3))
    assert found[7].id == "d7" and found[7].responses[0].text == "five" and found[7].grade.correct is True


def test_a_document_without_a_reply_is_listed_without_responses(tmp_path: Path) -> None:
    with Store(tmp_path, SETTINGS) as store:
        store.add_document(0, document(), "{}", "h")
        (only,) = store.scan("finqa")
    assert only.responses == () and only.grade is None


@pytest.mark.parametrize(
    "text", ["lone \ud800 surrogate", "NUL \x00 inside", "\u202e bidi", "\r\n mixed \n", "é" * 10_000]
)
def test_any_text_survives(tmp_path: Path, text: str) -> None:
    with Store(tmp_path, SETTINGS) as store:
        fill(store, 1, text)
    with Store(tmp_path, SETTINGS) as store:
        (only,) = store.scan("finqa")
    assert only.responses[0].text == text


def test_repeats_stand_side_by_side(tmp_path: Path) -> None:
    with Store(tmp_path, SETTINGS) as store:
        store.add_document(0, document(), "{}", "h")
        for repeat in (1, 0):
            asked = request(f"r{repeat}", repeat=repeat)
            store.append(0, asked, Response(asked.id, str(repeat), "stop"), None)
        assert [(one.repeat, one.responses[0].text) for one in store.scan("finqa")] == [(0, "0"), (1, "1")]


def test_a_success_replaces_a_failure_and_never_the_other_way_round(tmp_path: Path) -> None:
    with Store(tmp_path, SETTINGS) as store:
        store.add_document(0, document(), "{}", "h")
        store.append(0, request(), Response("r1", "", "error", error="down"), Grade(False, "error"))
        assert store.answered("finqa", 0, "h") == set()
        store.append(0, request(), Response("r1", "five", "stop"), Grade(True, "equal"))
        assert store.answered("finqa", 0, "h") == {(0, 0)}
        store.append(0, request(), Response("r1", "", "error", error="down"), Grade(False, "error"))
        (only,) = store.scan("finqa")
    assert only.responses[0].text == "five" and only.grade.correct is True


def test_a_reply_is_on_disk_before_its_verdict_where_that_takes_long(tmp_path: Path) -> None:
    with Store(tmp_path, SETTINGS) as store:
        store.add_document(0, document(), "{}", "h")
        store.hold(0, request(), Response("r1", "five", "stop"))
        deadline = time.monotonic() + 20
        while _committed(tmp_path) < 1 and time.monotonic() < deadline:
            time.sleep(0.02)
        (only,) = store.scan("finqa")
        assert only.responses[0].text == "five" and only.grade is None
        assert store.answered("finqa", 0, "h") == {(0, 0)}
        store.append(0, request(), Response("r1", "five", "stop"), Grade(True, "equal"))
        (only,) = store.scan("finqa")
    assert only.grade == Grade(True, "equal")


@pytest.mark.parametrize("verdict_first", [True, False])
def test_a_verdict_that_comes_in_time_is_stored_once_with_its_reply(tmp_path: Path, verdict_first: bool) -> None:
    with Store(tmp_path, SETTINGS) as store:
        store.add_document(0, document(), "{}", "h")
        acts = [
            lambda: store.hold(0, request(), Response("r1", "five", "stop")),
            lambda: store.append(0, request(), Response("r1", "five", "stop"), Grade(True, "equal")),
        ]
        for act in reversed(acts) if verdict_first else acts:
            act()
        store.flush()
        (only,) = store.scan("finqa")
    assert only.grade == Grade(True, "equal")


def test_a_second_writer_is_refused_with_the_process_of_the_first(tmp_path: Path) -> None:
    with Store(tmp_path, SETTINGS), pytest.raises(StoreError, match=rf"process {os.getpid()}"):
        Store(tmp_path, SETTINGS)
    Store(tmp_path, SETTINGS).close()


def test_changed_settings_are_refused_one_by_one(tmp_path: Path) -> None:
    Store(tmp_path, SETTINGS).close()
    changed = {"model": "m", "seed": 1, "sampling": {"temperature": 0.6}}
    with pytest.raises(StoreError) as refused:
        Store(tmp_path, changed)
    assert "seed: 0 there, 1 asked for" in str(refused.value)
    assert "sampling.temperature: 0.0 there, 0.6 asked for" in str(refused.value)
    assert "model" not in str(refused.value).replace("--output", "")
    Store(tmp_path, SETTINGS).close()  # the refused one did not keep the lock


def test_a_changed_document_is_refused(tmp_path: Path) -> None:
    with Store(tmp_path, SETTINGS) as store:
        assert store.answered("finqa", 0, "h") == set()
        store.add_document(0, document(), "{}", "h")
    with Store(tmp_path, SETTINGS) as store, pytest.raises(StoreError, match="document 0 of finqa has changed"):
        store.answered("finqa", 0, "other")


def test_a_file_that_is_no_database_is_reported(tmp_path: Path) -> None:
    (tmp_path / "responses.sqlite").write_bytes(b"not a database at all" * 100)
    with pytest.raises(StoreError, match="another --output"):
        Store(tmp_path, SETTINGS)


@pytest.mark.parametrize("missing", [1, 3000, 40_000])
def test_a_torn_log_keeps_every_committed_reply(tmp_path: Path, missing: int) -> None:
    """SQLite's write-ahead log, cut at any place, loses whole transactions from its end and nothing else."""
    child = (
        "import os, sys; sys.path.insert(0, 'tests/runs'); from pathlib import Path\n"
        "from test_store import fill, SETTINGS, Store\n"
        "import finbench.runs.store; finbench.runs.store.INTERVAL = (60, 60)  # only full batches are committed\n"
        f"store = Store(Path({str(tmp_path)!r}), SETTINGS)\n"
        "fill(store, 300); store.flush(); os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", child], cwd=Path(__file__).parents[2], check=False)
    log = tmp_path / "responses.sqlite-wal"
    log.write_bytes(log.read_bytes()[:-missing])
    with Store(tmp_path, SETTINGS) as store:
        kept = [one.id for one in store.scan("finqa") if one.responses]
    assert kept == [f"d{position}" for position in range(len(kept))]
    assert len(kept) in (0, 256, 300)  # whole transactions only


def _committed(folder: Path) -> int:
    """How many replies another process sees."""
    with closing(sqlite3.connect(f"file:{folder / 'responses.sqlite'}?mode=ro", uri=True)) as db:
        return int(db.execute("SELECT count(*) FROM replies").fetchone()[0])


def test_a_killed_process_keeps_what_it_stored_a_moment_before(tmp_path: Path) -> None:
    child = (
        "import sys, time; sys.path.insert(0, 'tests/runs'); from test_store import *\n"
        f"store = Store(Path({str(tmp_path)!r}), SETTINGS)\n"
        "fill(store, 40); print('filled', flush=True); time.sleep(30)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", child], cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stdout.readline() == "filled\n"
    deadline = time.monotonic() + 20
    while _committed(tmp_path) < 40 and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    with Store(tmp_path, SETTINGS) as store:
        assert store.count() == {"finqa": 40}


def test_a_full_disk_is_said_in_words_and_the_rest_is_kept(tmp_path: Path) -> None:
    child = (
        "import resource, signal, sys; sys.path.insert(0, 'tests/runs'); from test_store import *\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        f"store = Store(Path({str(tmp_path)!r}), SETTINGS)\n"
        "fill(store, 10); store.flush()\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))\n"
        "try:\n    fill(store, 5000, 'x' * 500)\nexcept StoreError as err:\n    print(err)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", child], cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=60
    )
    assert "cannot be written" in done.stdout and "run the same command again" in done.stdout, done.stderr
    with Store(tmp_path, SETTINGS) as store:
        assert store.count()["finqa"] >= 10
