"""`finbench score`: a run, a log of samples, and plain columns graded again."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from finbench import cli
from finbench.runs.store import Store

RUN = "run --model baseline/oracle --tasks tfns --data sample --limit 5 --no-report --quiet".split()


def main(*words: str) -> int:
    return cli.main(list(words))


def test_score_grades_a_run_again_and_writes_the_same_results(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(*RUN, "--output", str(tmp_path)) == 0
    before = json.loads((tmp_path / "results.json").read_text("utf-8"))["finbench"]
    assert main("score", str(tmp_path)) == 0
    assert "0 verdicts changed" in capsys.readouterr().out
    assert json.loads((tmp_path / "results.json").read_text("utf-8"))["finbench"] == before


def test_score_reads_sample_logs_and_plain_columns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(*RUN, "--output", str(tmp_path)) == 0
    capsys.readouterr()
    assert main("score", str(tmp_path / "samples_tfns.jsonl"), "--json") == 0
    (entry,) = json.loads(capsys.readouterr().out)["tasks"].values()
    assert entry["score"] == 100.0 and entry["n"] == 5
    table = tmp_path / "replies.csv"
    table.write_text("q,a,r\nwhat is the margin?,0.142,So it is 14.2%.\nwhat is the margin?,0.142,1420%\n", "utf-8")
    words = ["--format", "generic", "--task", "finqa", "--question", "q", "--gold", "a", "--reply", "r"]
    assert main("score", str(table), *words, "--table") == 0
    said = capsys.readouterr().out
    assert "\tright\tpercent_form\t" in said and "\tlenient\toff_by_100\t" in said and "50.0" in said


def test_score_gives_a_run_of_an_earlier_version_its_certainty(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Verdicts as they were stored before; what they say has not changed, so none counts as changed."""
    assert main(*RUN, "--output", str(tmp_path)) == 0
    before = json.loads((tmp_path / "results.json").read_text("utf-8"))["finbench"]
    with Store(tmp_path) as store:
        for stored in list(store.scan("tfns")):
            assert stored.grade
            store.set_grade("tfns", stored.position, stored.repeat, replace(stored.grade, certainty="", rival=""))
    assert main("score", str(tmp_path)) == 0
    assert "0 verdicts changed" in capsys.readouterr().out
    assert json.loads((tmp_path / "results.json").read_text("utf-8"))["finbench"] == before
    assert before["tasks"]["tfns"]["range"] == [100.0, 100.0]
    for line in (tmp_path / "samples_tfns.jsonl").read_text("utf-8").splitlines():
        assert (json.loads(line)["finbench"]["certainty"], json.loads(line)["finbench"]["rival"]) == ("sure", "")
