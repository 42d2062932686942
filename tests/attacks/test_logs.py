"""Sample logs as crashed and resumed tools leave them: good lines count, bad ones are listed, nothing counts twice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from finbench.cli import main
from finbench.errors import DataError
from finbench.runs import logs, rescore
from finbench.runs.logs import Columns


def line(number: int, reply: str = "", **ours: Any) -> dict[str, Any]:
    """A line of lm-eval's sample logs."""
    doc = {"question": f"How much is {number} plus 0?"}
    said = reply or f"The answer is {number}."
    return {
        "doc_id": number,
        "doc": doc,
        "target": str(number),
        "resps": [[said]],
        **({"finbench": ours} if ours else {}),
    }


GOOD = [json.dumps(line(number)).encode() for number in range(20)]
BAD = {
    "torn": GOOD[7][:40],
    "zeros": bytes(200),
    "not a number": b"NaN",
    "a list": b"[1, 2]",
    "a text": b'"x"',
    "invalid utf-8": GOOD[7][:-8] + b"\xe4\xb8" + GOOD[7][-8:],
    "too deep": b'{"doc": ' + b"[" * 100_000,
    "a long number": b'{"doc_id": ' + b"9" * 5000 + b"}",
    "no reply": b'{"doc_id": 3, "doc": {}, "target": "3"}',
    "another shape": b'{"doc_id": 3, "doc": {}, "target": "3", "resps": {"a": 1}}',
    "a kind that lm-eval scores": b'{"doc": {"id": "a", "question": "q", "gold": "1", '
    b'"answer": {"kind": "lm_eval"}}, "resps": [["a"]]}',
}


def written(path: Path, lines: list[bytes]) -> Path:
    path.write_bytes(b"\n".join(lines) + b"\n")
    return path


@pytest.mark.parametrize("what", BAD)
def test_a_bad_line_is_listed_with_its_number_and_the_others_count(
    tmp_path: Path, what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path / "samples_x.jsonl", [*GOOD[:7], BAD[what], *GOOD[8:]])
    assert main(["score", str(path), "--json"]) == 3
    said = capsys.readouterr()
    document = json.loads(said.out)
    assert document["tasks"]["custom"]["n"] == 19 and document["tasks"]["custom"]["score"] == 100
    (problem,) = document["problems"]
    assert f"{path}:8: " in problem and f"{path}:8: " in said.err


def test_the_torn_end_of_a_crashed_tool_costs_its_line_only(tmp_path: Path) -> None:
    path = tmp_path / "samples_x.jsonl"
    path.write_bytes(b"\n".join(GOOD)[:-9])
    log = logs.read(path, "auto", "custom", Columns())
    assert rescore.score_logs([log])["tasks"]["custom"]["n"] == 19 and f"{path}:20:" in log.problems[0]


def test_a_log_with_nothing_to_grade_is_refused_with_its_first_problem(tmp_path: Path) -> None:
    path = written(tmp_path / "samples_x.jsonl", [b"{", b"NaN"])
    with pytest.raises(DataError, match=rf"{path.name}:1: "):
        rescore.score_logs([logs.read(path, "auto", "custom", Columns())])


def test_a_question_that_stands_twice_counts_once_and_the_first_counts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    again = [json.dumps(line(number, "The answer is 99.")).encode() for number in range(5)]
    path = written(tmp_path / "samples_x.jsonl", [*GOOD, *again])
    assert main(["score", str(path), "--json"]) == 0
    said = capsys.readouterr()
    entry = json.loads(said.out)["tasks"]["custom"]
    assert entry["n"] == 20 and entry["score"] == 100
    assert "5 lines do not count" in said.err and "'3' stands in line 4 already" in said.err


def test_repeats_of_a_question_and_other_questions_under_its_id_are_no_doubles(tmp_path: Path) -> None:
    other = line(0) | {"doc": {"question": "Another turn of the same talk?"}}
    lines = [line(0), line(0, repeat=1), line(0, repeat=2), other]
    path = written(tmp_path / "samples_x.jsonl", [json.dumps(one).encode() for one in lines])
    log = logs.read(path, "auto", "custom", Columns())
    rescore.score_logs([log])
    assert log.left_out == [] and log.problems == []


def test_an_array_that_breaks_off_gives_what_stands_before(tmp_path: Path) -> None:
    rows = [{"question": f"How much is {n}?", "gold": str(n), "output": f"It is {n}."} for n in range(4)]
    path = tmp_path / "replies.json"
    path.write_text(json.dumps(rows)[:-30], encoding="utf-8")
    log = logs.read(path, "generic", "custom", Columns())
    assert rescore.score_logs([log])["tasks"]["custom"]["n"] == 3 and "after 3 rows" in log.problems[0]
