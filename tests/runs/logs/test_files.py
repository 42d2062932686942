"""The rows of somebody's log file: filters, repeats, what holds them."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from finbench.errors import DataError
from finbench.runs import rescore
from finbench.runs.logs import Columns, Log, read

SAMPLE = {"id": 1, "epoch": 1, "input": "growth?", "target": "7.5%", "output": {"completion": "It is 7.5%."}}


FILTERED = [
    {"doc_id": at, "doc": {"question": "q"}, "target": "1", "resps": [["1"]], "filter": name}
    for at in range(3)
    for name in ("strict", "flexible")
]


def log(tmp_path: Path, rows: list[Any], chosen: str = "") -> Log:
    path = tmp_path / "samples_x.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return read(path, "auto", "custom", Columns(), chosen)


@pytest.mark.parametrize(("chosen", "other"), [("", "flexible"), ("strict", "flexible"), ("flexible", "strict")])
def test_a_log_with_two_filters_counts_each_document_once(tmp_path: Path, chosen: str, other: str) -> None:
    found = log(tmp_path, FILTERED, chosen)
    assert len(list(found)) == 3 and found.problems == []
    assert f"3 rows of filter {other!r}" in found.left_out[0]


def test_a_filter_that_is_not_there_leaves_nothing_and_names_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="filter 'strict'"):
        rescore.score_logs([log(tmp_path, FILTERED, "maj")])


def test_epochs_of_a_sample_are_no_duplicates(tmp_path: Path) -> None:
    assert len(list(log(tmp_path, [SAMPLE, SAMPLE | {"epoch": 2}, SAMPLE]))) == 2


def test_repeats_of_a_question_are_averaged_and_files_stand_under_their_names(tmp_path: Path) -> None:
    row = {"doc_id": 0, "doc": {"question": "q"}, "target": "4", "resps": [["4", "5"]]}
    other = tmp_path / "samples_b.jsonl"
    other.write_text(json.dumps(row | {"resps": [["4"]]}) + "\n")
    logs = [log(tmp_path, [row]), read(other, "auto", "custom", Columns())]
    entries = rescore.score_logs(logs)["tasks"]
    assert (entries["x"]["score"], entries["b"]["score"], entries["x"]["n"]) == (50.0, 100.0, 1)


@pytest.mark.parametrize(
    "whole",
    [
        {"version": 2, "eval": {}, "samples": [SAMPLE, SAMPLE | {"epoch": 2}]},
        {
            "results": {
                "version": 3,
                "results": [{"vars": {"question": "q", "expected": "1"}, "response": {"output": "1"}}] * 2,
            }
        },
        {"0": {"prediction": "1", "gold": "1"}, "1": {"prediction": "2", "gold": "1"}},
        {"accuracy": 50, "details": {"0": {"pred": "1", "answer": "1"}, "1": {"pred": "2", "answer": "1"}}},
    ],
    ids=["inspect_ai", "promptfoo", "OpenCompass", "OpenCompass details"],
)
def test_rows_inside_one_object_are_found(tmp_path: Path, whole: Any) -> None:
    path = tmp_path / "log.json"
    path.write_text(json.dumps(whole))
    assert len(list(read(path, "auto", "custom", Columns()))) == 2


def test_an_eval_archive_holds_a_file_per_sample(tmp_path: Path) -> None:
    path = tmp_path / "log.eval"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("header.json", "{}")
        archive.writestr("samples/1_epoch_1.json", json.dumps(SAMPLE))
    assert rescore.score_logs([read(path, "auto", "custom", Columns())])["tasks"]["custom"]["score"] == 100.0


@pytest.mark.parametrize("content", [b"PK\x03\x04 not much", b"", b"{}"])
def test_a_damaged_archive_is_said_in_words(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "log.eval"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"not a readable \.eval archive"):
        rescore.score_logs([read(path, "auto", "custom", Columns())])


@pytest.mark.parametrize(
    ("name", "n", "right"),
    [
        ("samples_gsm8k_two_filters.jsonl", 4, 3),
        ("samples_mmlu_loglikelihood.jsonl", 4, 3),
        ("samples_flare_finqa_query.jsonl", 2, 2),
        ("evalscope_predictions.jsonl", 1, 1),
        ("opencompass.json", 2, 1),
        ("promptfoo.json", 1, 1),
    ],
)
def test_logs_in_the_shape_of_real_ones_give_their_counts(real_data: Path, name: str, n: int, right: int) -> None:
    path = real_data / "logs" / name
    if not path.is_file():
        pytest.skip("the example logs are not in this data folder")
    entry = rescore.score_logs([read(path, "auto", "custom", Columns())])["tasks"]["custom"]
    assert (entry["n"], entry["score"]) == (n, 100 * right / n)
