"""Grading beside the run: the same verdicts in the same order, whatever happens to the process that gives them."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from finbench.records import Document, Grade, Response
from finbench.runs import execute, grading_process, scoring
from finbench.runs.execute import Settings
from finbench.runs.grading_process import Grader
from finbench.runs.store import Store
from finbench.serialize import grade_from, grade_json
from finbench.tasks.documents import document_from_row

ROOT = Path(__file__).parents[2]
ROWS = [
    {"id": str(number), "question": "what was the growth rate?", "gold": "14.2%", "answer": {"kind": "number"}}
    for number in range(200)
]
REPLIES = ["\\boxed{14.2\\%}", "0.142", "it fell to 3", "lone \ud800 surrogate 14.2%", "NUL \x00\n14.2 percent\r\n", ""]


def asked() -> Iterator[tuple[int, Document, str, list[Response]]]:
    for number, row in enumerate(ROWS):
        said = Response(str(number), REPLIES[number % len(REPLIES)], "stop", seconds=0.25)
        yield number, document_from_row(row, "t"), json.dumps(row), [said]


def here(opened: bool = False) -> list[tuple[int, Grade]]:
    return [(number, scoring.grade(document, said, opened=opened)) for number, document, _, said in asked()]


@pytest.mark.parametrize("window", [1, grading_process.SHARE, grading_process.WINDOW])
def test_verdicts_come_back_in_order_and_are_those_of_this_process(window: int) -> None:
    grader: Grader[int] = Grader(opened=False, window=window)
    found = []
    for number, document, row, said in asked():
        grader.submit(number, document, row, said)
        assert len(grader._owed) - grader._in.count(b"\n") <= window
        found += list(grader.graded())
    found += list(grader.rest())
    grader.close()
    assert [(number, verdict) for number, _, verdict in found] == here()
    assert [said[0].text for _, said, _ in found] == [said[0].text for *_, said in asked()]


def test_a_template_that_opens_the_thinking_is_known_there_too() -> None:
    grader: Grader[int] = Grader(opened=True)
    cut = Response("r", "still 14.2%", "length")
    grader.submit(0, document_from_row(ROWS[0], "t"), json.dumps(ROWS[0]), [cut])
    ((_, _, verdict),) = grader.rest()
    grader.close()
    assert verdict.reason == "truncated"


def test_replies_larger_than_a_pipe_do_not_stand_in_each_others_way() -> None:
    grader: Grader[int] = Grader(opened=False)
    long = Response("r", "the revenue was 5 and the margin 7. " * 20_000 + "\\boxed{14.2\\%}", "stop")
    found = []
    for number in range(4):
        grader.submit(number, document_from_row(ROWS[0], "t"), json.dumps(ROWS[0]), [long])
        found += list(grader.graded())
    found += list(grader.rest())
    grader.close()
    assert [number for number, *_ in found] == [0, 1, 2, 3] and all(verdict.correct for *_, verdict in found)


@pytest.mark.parametrize("after", [0, 70, 150])
def test_what_a_killed_process_owes_is_graded_here(after: int) -> None:
    grader: Grader[int] = Grader(opened=False)
    found = []
    for number, document, row, said in asked():
        if number == after:
            grader._process.kill()
            grader._process.wait()
        grader.submit(number, document, row, said)
        found += list(grader.graded())
    found += list(grader.rest())
    grader.close()
    assert [(number, verdict) for number, _, verdict in found] == here()


def test_the_process_ends_with_the_run_that_is_killed(tmp_path: Path) -> None:
    begin = "from finbench.runs.grading_process import Grader; print(Grader(False)._process.pid, flush=True)"
    code = f"import time; {begin}; time.sleep(60)"
    run = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert run.stdout
    beside = int(run.stdout.readline())
    run.kill()
    run.communicate()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and _runs(beside):
        time.sleep(0.05)
    assert not _runs(beside)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


@pytest.mark.parametrize("kill", [False, True])
def test_a_large_run_finds_what_a_small_one_finds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kill: bool) -> None:
    def verdicts(folder: Path) -> list[dict]:
        lines = (folder / "samples_finqa.jsonl").read_text("utf-8").splitlines()
        return [{k: v for k, v in json.loads(line)["finbench"].items() if k != "seconds"} for line in lines]

    settings = Settings(model="baseline/heuristic", tasks=("finqa", "tfns"), data="sample", output=tmp_path / "here")
    execute.execute(execute.plan(settings))
    monkeypatch.setattr(execute, "MANY", 1)
    monkeypatch.setattr(execute, "cores", lambda: 2)
    started: list[int] = []
    begin = Grader.__init__

    def watched(self: Grader, opened: bool) -> None:
        begin(self, opened)
        started.append(self._process.pid)
        if kill:
            os.kill(self._process.pid, signal.SIGKILL)

    monkeypatch.setattr(Grader, "__init__", watched)
    execute.execute(execute.plan(replace(settings, output=tmp_path / "beside")))
    assert len(started) == 1 and not _runs(started[0])
    assert verdicts(tmp_path / "beside") == verdicts(tmp_path / "here")


def test_replies_that_a_killed_run_left_without_a_verdict_are_graded_when_it_goes_on(tmp_path: Path) -> None:
    settings = Settings(model="baseline/heuristic", tasks=("finqa", "tfns"), data="sample", output=tmp_path)
    before = execute.execute(execute.plan(settings)).document
    with Store(tmp_path) as store:
        verdicts = [stored.grade for stored in store.scan("finqa")]
    with closing(sqlite3.connect(tmp_path / "responses.sqlite")) as db, db:
        changed = db.execute("UPDATE replies SET grade = NULL WHERE task = 'finqa' AND position IN (0, 3, 4)")
        assert changed.rowcount == 3
    (tmp_path / "results.json").unlink()
    outcome = execute.execute(execute.plan(settings))
    assert outcome.status == "complete" and outcome.document["tasks"] == before["tasks"]
    with Store(tmp_path) as store:
        assert [stored.grade for stored in store.scan("finqa")] == verdicts


@pytest.mark.parametrize("many", [1, 10**6])
def test_grading_a_run_again_mends_what_was_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, many: int) -> None:
    settings = Settings(model="baseline/heuristic", tasks=("finqa",), data="sample", output=tmp_path)
    execute.execute(execute.plan(settings))
    monkeypatch.setattr(grading_process, "MANY", many)
    monkeypatch.setattr(grading_process, "cores", lambda: 3)
    with Store(tmp_path) as store:
        before = [stored.grade for stored in store.scan("finqa")]
        for position in (0, 3, 4):
            store.set_grade("finqa", position, 0, Grade(not before[position].correct, "planted"))
        assert grading_process.regrade(store, "finqa") == 3
        assert [stored.grade for stored in store.scan("finqa")] == before
        assert grading_process.regrade(store, "finqa") == 0


def test_grading_again_adds_the_certainty_and_counts_what_says_something_else(tmp_path: Path) -> None:
    settings = Settings(model="baseline/heuristic", tasks=("finqa",), data="sample", output=tmp_path)
    execute.execute(execute.plan(settings))
    with Store(tmp_path) as store:
        before = [stored.grade for stored in store.scan("finqa")]
        assert all(verdict.certainty for verdict in before)
        for position, verdict in enumerate(before):
            store.set_grade("finqa", position, 0, replace(verdict, certainty="", rival="", rule="older"))
        store.set_grade("finqa", 2, 0, replace(before[2], extracted="another"))
        assert grading_process.regrade(store, "finqa") == 1
        assert [stored.grade for stored in store.scan("finqa")] == before


def test_the_fields_of_a_grade_survive_the_way() -> None:
    verdict = scoring.grade(document_from_row(ROWS[0], "t"), [Response("r", REPLIES[0], "stop")])
    assert grade_from(grade_json(verdict)) == verdict


def test_a_reply_that_breaks_the_grader_is_a_failed_sample_until_it_is_graded_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(model="baseline/oracle", tasks=("finqa",), data="sample", output=tmp_path)
    planned = execute.plan(settings)
    calls = iter(range(10**6))
    judged = scoring.grading.grade

    def breaks(*args: Any, **kwargs: Any) -> Grade:
        return {}["millionſ"] if next(calls) == 7 else judged(*args, **kwargs)

    with monkeypatch.context() as patched:
        patched.setattr(scoring.grading, "grade", breaks)
        outcome = execute.execute(planned)
    entry = outcome.document["tasks"]["finqa"]
    assert outcome.status == "partial" and entry["errors"] == entry["reasons"]["error"] == 1
    assert entry["n"] == sum(entry["reasons"].values()) and entry["score"] < 100
    with Store(tmp_path) as store:
        (broken,) = [one for one in store.scan("finqa") if one.grade and one.grade.reason == "error"]
        assert broken.responses[0].text and broken.grade and "KeyError: 'millionſ'" in broken.grade.rule
        assert broken.grade.certainty == "unsure" and "nobody has read" in broken.grade.rival
        assert entry["unsure"] and entry["range"][1] > entry["score"] == entry["range"][0]
        assert grading_process.regrade(store, "finqa") == 1
    assert execute.execute(planned).document["tasks"]["finqa"]["score"] == 100
