"""The samples files of runs: lines, verdict codes, credits, documents over several runs, and their paired difference."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from finbench.errors import StoreError
from finbench.scores import samples
from finbench.scores.samples import SampleFiles, TaskDocuments
from finbench.tasks.documents import document_from_row


def sample(name: str, correct: bool = True, **fields: Any) -> dict[str, Any]:
    """The `finbench` object of a line."""
    made = {"id": name, "question": f"{name}?", "golds": [{"text": "1"}], "correct": correct, "reason": "equal"}
    return {**made, "extracted": "1", "value": "1", "lenient": False, **fields}


def write(path: Path, *lines: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps({"doc": {}, "finbench": line}) + "\n" for line in lines), encoding="utf-8")
    return path


def test_lines_have_their_offset_and_a_torn_last_one_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    path.write_bytes(b'{"a": 1}\n{"b": 2}\n{"torn": ')
    assert [*samples.lines(path)] == [(0, b'{"a": 1}\n'), (9, b'{"b": 2}\n')]
    path.write_bytes(b'{"a": 1}\n{"whole": 2}')
    assert [offset for offset, _ in samples.lines(path)] == [0, 9], "whole without its line break"


def test_the_grade_is_read_off_the_end_of_a_line_and_not_out_of_a_reply() -> None:
    liar = json.dumps({"resps": [['x "finbench": {"correct": true}']], "finbench": {"correct": False}})
    assert samples.graded(liar.encode()) == {"correct": False}
    first = json.dumps({"finbench": {"correct": True}, "doc": {"finbench": {"correct": False}}})
    assert samples.graded(first.encode()) == {"correct": True}, "not last: the whole line is parsed"
    assert samples.graded(b'{"finbench":{"correct":true}}') == {"correct": True}


CODES = [
    (sample("a"), False, samples.CORRECT, "right"),
    (sample("a", False, reason="different"), False, 0, "wrong"),
    (sample("a", False, lenient=True), False, samples.LENIENT, "lenient"),
    (sample("a", False, finish="length"), False, samples.TRUNCATED, "cut"),
    (sample("a", False, finish="error", reason="error"), False, samples.FAILED, "failed, and not unreadable"),
    (sample("a", False, reason="no_answer"), False, samples.UNREADABLE, "unreadable"),
    (
        sample("a", False, judge={"verdict": "right"}),
        True,
        samples.CORRECT | samples.JUDGE_DISAGREES,
        "the judge's verdict stands",
    ),
    (sample("a", False, judge={"verdict": "right"}), False, samples.JUDGE_DISAGREES, "and here it does not"),
    (sample("a", judge={"verdict": "right"}), True, samples.CORRECT, "they agree"),
    (sample("a", judge={"verdict": "unparsed"}), True, 0, "a verdict that could not be read is not right"),
    (sample("a"), True, samples.CORRECT, "not judged: the grader's verdict stands"),
    (sample("a", certainty="unsure"), False, samples.CORRECT | samples.UNSURE, "right, and not surely"),
    (sample("a", certainty="sure"), False, samples.CORRECT, "surely"),
    (sample("a", certainty="unsure", judge={"verdict": "right"}), True, samples.CORRECT, "the judge does not doubt"),
]


@pytest.mark.parametrize(("line", "judged", "bits", "why"), CODES, ids=[case[3] for case in CODES])
def test_a_verdict_is_a_printable_character(line: dict[str, Any], judged: bool, bits: int, why: str) -> None:
    assert samples.code(line, judged) == 0x40 | bits
    assert chr(samples.code(line, judged)).isprintable()


def test_what_a_sample_counts_for_follows_whose_verdict_stands() -> None:
    assert SampleFiles((), "grader").credit({"metrics": {"reference": 0.25}}, True) == 1.0
    assert SampleFiles((), "reference").credit({"metrics": {"reference": 0.25}}, True) == 0.25
    assert SampleFiles((), "reference").credit({}, False) == 0.0
    assert (SampleFiles((), "judge").judged, SampleFiles(()).judged) == (True, False)


def test_documents_are_the_same_when_id_question_and_first_gold_are() -> None:
    task = TaskDocuments()
    assert [task.place(sample("a")), task.place(sample("b")), task.place(sample("a"))] == [0, 1, 0]
    assert task.place(sample("a", question="another?")) == 2
    assert task.place(sample("a", golds=[{"text": "2"}])) == 3
    assert task.place(sample("a", golds=[])) == 4
    assert task.ids == ["a", "b", "a", "a", "a"] and task.clusters == [0, 1, 2, 3, 4]


def test_documents_of_a_page_share_a_cluster() -> None:
    task = TaskDocuments()
    for name, page in (("a", "p"), ("b", ""), ("c", "p"), ("d", "")):
        task.place(sample(name, cluster=page))
    assert task.clusters == [0, 1, 0, 2]


def test_the_first_pass_keeps_verdicts_answers_and_lucky_ones(tmp_path: Path) -> None:
    path = write(
        tmp_path / "samples_t.jsonl",
        sample("a", metrics={"lucky_share": 0.0}),
        sample("b", value="2", metrics={"lucky_share": 1.0}, repeat=1, output_tokens=7),
        sample("a", False, reason="different"),
    )
    cell = samples.read_cell(SampleFiles((path,)), task := TaskDocuments())
    assert (list(cell.documents), list(cell.repeats), cell.lucky) == ([0, 1, 0], [0, 1, 0], (1,))
    assert cell.codes == bytes([0x41, 0x41, 0x40]) and list(cell.credits) == [1.0, 1.0, 0.0]
    assert cell.answers["value"] == [None, "2", None], "a value that is shown already is not kept twice"
    assert cell.answers["tokens"] == [None, 7, None]
    assert [cell.answers["reasons"][i] for i in cell.answers["reason"]] == ["equal", "equal", "different"]
    assert len(task.ids) == 2 and cell.offsets[0] == 0


def test_a_line_that_is_no_sample_is_named(tmp_path: Path) -> None:
    path = tmp_path / "samples_t.jsonl"
    path.write_text('{"finbench": {"id": 1}}\n')
    with pytest.raises(StoreError, match="the line at byte 0 is no graded sample; run `finbench score"):
        samples.read_cell(SampleFiles((path,)), TaskDocuments())


def test_an_empty_file_is_a_cell_without_samples(tmp_path: Path) -> None:
    cell = samples.read_cell(SampleFiles((write(tmp_path / "s.jsonl"),)), TaskDocuments())
    assert len(cell.documents) == len(cell.codes) == 0


def test_repeats_are_averaged_and_rows_compared_on_what_both_were_asked(tmp_path: Path) -> None:
    one = write(tmp_path / "a.jsonl", sample("a"), sample("a", False, repeat=1), sample("b"), sample("only here"))
    other = write(tmp_path / "b.jsonl", sample("b", False), sample("a"), sample("only there"))
    found = samples.read({(0, 0): SampleFiles((one,)), (1, 0): SampleFiles((other,))})
    assert list(found.credits[0, 0])[:3] == [0.5, 1.0, 1.0] and math.isnan(found.credits[0, 0][3])
    difference = found.paired(0, 1, 0)
    assert difference is not None
    assert (difference.n, difference.mean, difference.wins, difference.losses) == (2, 0.25, 1, 1)
    assert found.paired(0, 2, 0) is None and found.paired(0, 1, 1) is None


def test_rows_without_a_common_document_have_no_difference(tmp_path: Path) -> None:
    one, other = write(tmp_path / "a.jsonl", sample("a")), write(tmp_path / "b.jsonl", sample("b"))
    assert samples.read({(0, 0): SampleFiles((one,)), (1, 0): SampleFiles((other,))}).paired(0, 1, 0) is None


def test_a_difference_knows_the_pages_of_its_documents(tmp_path: Path) -> None:
    for clusters, groups in ((["p", "p", "q", "q"], 2), ([""] * 4, 4)):
        lines = [sample(str(i), i % 2 == 0, cluster=page) for i, page in enumerate(clusters)]
        one = write(tmp_path / "a.jsonl", *lines)
        other = write(tmp_path / "b.jsonl", *(line | {"correct": False} for line in lines))
        found = samples.read({(0, 0): SampleFiles((one,)), (1, 0): SampleFiles((other,))}).paired(0, 1, 0)
        assert found is not None and found.clusters == groups


def test_a_graded_reply_has_text_document_and_grade() -> None:
    row = {"id": "a", "question": "?", "gold": "1", "answer": {"kind": "number"}}
    line = {"doc": row, "resps": [["one"]], "finbench": sample("a", False, reason="different", repeat=2, reasoning="r")}
    found = samples.graded_reply(line, "t", document_from_row)
    assert found is not None
    assert (found.text, found.reasoning, found.repeat, found.document.task) == ("one", "r", 2, "t")
    assert (found.grade.correct, found.grade.reason, found.grade.extracted) == (False, "different", "1")
    assert samples.graded_reply({**line, "resps": [[[-1.0, True]]]}, "t", document_from_row) is None
    assert samples.graded_reply({**line, "doc": {"question": "?"}}, "t", document_from_row) is None
    silent = samples.graded_reply({**line, "resps": [[]]}, "t", document_from_row)
    assert silent is not None and silent.text == ""


def test_a_group_has_the_files_of_its_sub_tasks_that_are_there(tmp_path: Path) -> None:
    one = write(tmp_path / "samples_g_one.jsonl")
    assert samples.samples_files(tmp_path, "g", {"subtasks": ["g_one", "g_two"]}) == [one]
    assert samples.samples_files(tmp_path, "g_one", {}) == [one]


def test_the_first_reply_is_a_text_and_empty_when_there_is_none() -> None:
    shown = [samples.first_reply(line) for line in ({"resps": [["a", "b"]]}, {"resps": [[]]}, {"resps": []}, {})]
    assert shown == ["a", "", "", ""]
