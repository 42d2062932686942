"""Disks that are full, folders that are gone or that nobody may write to, processes killed at a bad moment, texts that no
file can hold: a line in words with exit code 4, or no trouble at all."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from finbench.cli import main
from finbench.errors import StoreError
from finbench.pages import report
from finbench.records import Answer, Document, Gold, Grade, Message, Request, Response, Sampling
from finbench.runs import execute, files, rescore
from finbench.runs.execute import Settings
from finbench.runs.store import Store

ROOT = Path(__file__).parents[2]
RUN = ["run", "--model", "baseline/heuristic", "--data", "sample", "--tasks", "tfns", "--quiet"]


def program(words: list[str], before: str = "", **more: Any) -> subprocess.CompletedProcess[str]:
    """finbench in a process of its own, after some Python."""
    code = f"import sys\n{before}\nfrom finbench.cli import main\nsys.exit(main({words!r}))"
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, env=env, **more)


FULL = (
    "import errno, builtins, pathlib, io\n"
    "def full(self, *_, **__): raise OSError(errno.ENOSPC, 'No space left on device')\n"
    "class Full(io.TextIOWrapper):\n    write = full\n"
    "real = pathlib.Path.open\n"
    "def opened(self, mode='r', *a, **k):\n"
    "    file = real(self, mode, *a, **k)\n"
    "    if 'w' in mode and NAME in self.name:\n"
    "        file.close(); return Full(io.BytesIO())\n"
    "    return file\n"
    "pathlib.Path.open = opened\n"
    "pathlib.Path.write_text = lambda self, text, *a, **k: full(self) if NAME in self.name else real(self, 'w', "
    "encoding='utf-8').write(text)\n"
)


@pytest.mark.parametrize("name", ["results.json", "run.json", "samples_tfns", "report.html", "config.yaml"])
def test_a_disk_that_is_full_while_result_files_are_written_is_one_line_and_exit_4(tmp_path: Path, name: str) -> None:
    done = program([*RUN, "--output", str(tmp_path / "run")], f"NAME = {name!r}\n" + FULL)
    assert done.returncode == 4 and "Traceback" not in done.stderr, done.stderr
    assert "No space left on device" in done.stderr and "same command" in done.stderr
    assert not list(tmp_path.rglob("*.partial"))
    again = program([*RUN, "--output", str(tmp_path / "run")])
    assert again.returncode == 0, again.stderr


@pytest.mark.parametrize(
    "words",
    [
        [*RUN, "--output", "FILE/run"],
        [*RUN, "--output", "/proc/run"],
        [*RUN, "--output", "NEW", "--save-config", "FILE/c.yaml"],
        ["leaderboard", "build", "RUN", "-o", "FILE/board.html"],
        ["compare", "RUN", "RUN", "--html", "FILE/page.html"],
        ["report", "RUN", "--plots", "FILE/plots"],
    ],
    ids=" ".join,
)
def test_a_place_that_cannot_be_written_is_one_line_and_exit_4(
    tmp_path: Path, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    run, file = tmp_path / "whole", tmp_path / "file"
    file.write_text("a file, no folder", encoding="utf-8")
    execute.execute(execute.plan(Settings(model="baseline/heuristic", tasks=("tfns",), data="sample", output=run)))
    places = {"FILE": str(file), "RUN": str(run), "NEW": str(tmp_path / "new")}
    for name, place in places.items():
        words = [word.replace(name, place) for word in words]
    capsys.readouterr()
    assert main(words) == 4
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def document(name: str = "d0", gold: str = "5") -> Document:
    return Document(name, "finqa", "How much?", Answer(kind="number"), (Gold(gold),), row={"id": name})


def request(of: Document, name: str = "r0") -> Request:
    return Request(name, of, (Message("user", "How much?"),), Sampling())


def test_a_run_folder_that_is_removed_ends_the_run_at_the_next_reply(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    store = Store(folder, {"model": "m"})
    shutil.rmtree(folder)
    deadline, sent = time.monotonic() + 20, 0
    with pytest.raises(StoreError, match="cannot be written"):
        while time.monotonic() < deadline:
            store.add_document(sent, document(f"d{sent}"), "{}", "h")
            store.append(sent, request(document(f"d{sent}")), Response("r0", "five", "stop"), Grade(True, "equal"))
            sent += 1
            time.sleep(0.01)
    store.close()
    assert not folder.exists()


HARD = ["\ud800", "5\udcff", "\x00", "\u2028", "\U0001f4b0" * 100, "gold " * 200 + "\ud800"]


@pytest.mark.parametrize("text", HARD, ids=ascii)
def test_ids_golds_rows_and_judges_that_utf_8_cannot_write_are_stored_and_come_back(tmp_path: Path, text: str) -> None:
    one = document(text, text)
    with Store(tmp_path, {"model": text}) as store:
        store.add_document(0, one, json.dumps({"id": text}), "h")
        store.append(0, request(one), Response("r0", text, "stop", reasoning=text), Grade(False, "different", text))
        store.add_judgement("finqa", 0, 0, "j", text, "right", Response("j", text, "stop"))
        store.set_meta("engine", {"model": text})
    with Store(tmp_path, {"model": text}) as store:
        (only,) = store.scan("finqa")
        assert store.answered("finqa", 0, "h") == {(0, 0)} and store.ids("finqa") == [text]
        assert store.meta("engine") == {"model": text}
    assert (only.id, only.target, json.loads(only.row)["id"]) == (text, text, text)
    assert only.responses[0].text == only.responses[0].reasoning == text and only.grade == Grade(
        False, "different", text
    )
    assert only.judgement is not None and only.judgement["model"] == only.judgement["text"] == text


@pytest.mark.parametrize("count", [2**63, -(2**63) - 1, 10**400])
def test_counts_beyond_64_bits_are_stored_and_come_back(tmp_path: Path, count: int) -> None:
    with Store(tmp_path, {}) as store:
        store.add_document(0, document(), "{}", "h")
        store.append(0, request(document()), Response("r0", "5", "stop", output_tokens=count), Grade(True, "equal"))
        (only,) = store.scan("finqa")
    assert only.responses[0].output_tokens == count


def test_a_run_with_surrogates_in_golds_ids_and_the_models_name_is_stored_scored_and_reported(tmp_path: Path) -> None:
    rows, replies, out = tmp_path / "rows.jsonl", tmp_path / "replies.jsonl", tmp_path / "run"
    names = ["plain", "id \udcff", "x\ud800"]
    rows.write_text("".join(json.dumps({"id": n, "q": f"Which? {n}", "gold": f"gold {n}"}) + "\n" for n in names))
    replies.write_text("".join(json.dumps({"id": n, "output": f"gold {n}"}) + "\n" for n in names))
    (tmp_path / "odd.yaml").write_text(YAML, encoding="utf-8")
    settings = Settings(
        model=f"replay:{replies}", tasks=("odd",), include=(tmp_path,), output=out, system="a \udcff system"
    )
    execute.execute(execute.plan(settings))
    before = (out / "samples_odd.jsonl").read_text("utf-8")
    assert [json.loads(line)["finbench"]["id"] for line in before.splitlines()] == names
    assert rescore.rescore(out).problems == [] and (out / "samples_odd.jsonl").read_text("utf-8") == before
    assert all(path.stat().st_size for path in report.write(out))


YAML = """\
task: odd
custom_dataset: !function finbench.lm_eval.rows
dataset_kwargs:
  file: rows.jsonl
  columns: {question: q, answer: gold, id: id}
  answer: {kind: text}
output_type: generate_until
test_split: test
fewshot_config: {sampler: first_n, samples: []}
num_fewshot: 0
doc_to_text: "{{question}}"
doc_to_target: gold
process_results: !function finbench.lm_eval.text
metric_list:
  - {metric: acc, aggregation: mean, higher_is_better: true}
generation_kwargs: {until: [], do_sample: false}
metadata: {version: 1.0}
"""


def test_a_json_file_of_a_run_holds_lone_surrogates_as_json_does(tmp_path: Path) -> None:
    files.write_json(tmp_path / "a.json", {"model": "m\udcff", "who": "é"})
    assert json.loads((tmp_path / "a.json").read_text("utf-8")) == {"model": "m\udcff", "who": "é"}


def test_the_graders_process_ends_quietly_when_its_run_was_killed_in_the_middle_of_a_line() -> None:
    half = b'"finqa"\t{"id":"1","question":"How mu'
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    words = [sys.executable, "-m", "finbench.runs.grading_process"]
    done = subprocess.run(words, input=half, capture_output=True, env=env, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"\n", b"")


# Two things that a mutation of the store's code could undo without any other test noticing.


def test_a_reply_without_a_grade_never_takes_the_place_of_a_graded_one(tmp_path: Path) -> None:
    with Store(tmp_path, {}) as store:
        store.add_document(0, document(), "{}", "h")
        store.append(0, request(document()), Response("r0", "five", "stop"), Grade(True, "equal"))
        store.append(0, request(document()), Response("r0", "six", "stop"), None)
        store.append(0, request(document()), Response("r0", "seven", "stop"), Grade(False, "different"))
        (only,) = store.scan("finqa")
    assert only.responses[0].text == "five" and only.grade == Grade(True, "equal")


def test_every_commit_reaches_the_disk_before_it_counts(tmp_path: Path) -> None:
    with Store(tmp_path, {}) as store:
        assert store._read("PRAGMA synchronous") == [(2,)]  # FULL: the log is synced at each commit
        assert store._read("PRAGMA journal_mode") == [("wal",)]
