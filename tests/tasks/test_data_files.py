"""Sources: which file a task reads, and rows that are made when asked for."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from finbench.errors import DataError
from finbench.tasks import data_files

FILES = ("finqa/test.json", "finqa/test.reconstructed.jsonl")


@pytest.fixture(autouse=True)
def _nothing_configured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("FINBENCH_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))


def task_with_sample(tmp_path: Path) -> Path:
    folder = tmp_path / "finqa_task"
    folder.mkdir()
    (folder / "sample.jsonl").write_text("{}\n")
    return folder


def put(path: Path, text: str = "[]") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_rows_are_looked_for_in_the_flag_then_the_environment_then_the_cache(tmp_path, monkeypatch):
    task = task_with_sample(tmp_path)
    cached = put(tmp_path / "xdg" / "finbench" / "data" / FILES[0])
    assert data_files.locate(FILES, None, task_dir=task) == cached
    monkeypatch.setenv("FINBENCH_DATA", str(tmp_path / "env"))
    assert data_files.locate(FILES, None, task_dir=task) == cached
    from_environment = put(tmp_path / "env" / FILES[1])
    assert data_files.locate(FILES, None, task_dir=task) == from_environment
    from_flag = put(tmp_path / "flag" / FILES[1])
    assert data_files.locate(FILES, str(tmp_path / "flag"), task_dir=task) == from_flag


def test_the_official_file_is_preferred_to_the_reconstructed_one(tmp_path):
    put(tmp_path / FILES[1])
    official = put(tmp_path / FILES[0])
    assert data_files.locate(FILES, str(tmp_path), task_dir=tmp_path) == official


def test_a_named_folder_without_the_rows_is_an_error_even_when_the_cache_has_them(tmp_path):
    put(tmp_path / "xdg" / "finbench" / "data" / FILES[0])
    with pytest.raises(DataError, match="no data for finqa"):
        data_files.locate(FILES, str(tmp_path / "elsewhere"), task_dir=task_with_sample(tmp_path))


def test_missing_rows_name_three_ways_out_and_never_become_the_sample(tmp_path):
    with pytest.raises(DataError) as caught:
        data_files.locate(FILES, None, task_dir=task_with_sample(tmp_path))
    for way in ("FINBENCH_DATA", "finbench data fetch finqa", "finbench data unpack"):
        assert way in str(caught.value)


@pytest.mark.parametrize("where", ["flag", "environment"])
def test_the_sample_comes_when_it_is_asked_for(tmp_path, monkeypatch, where):
    task = task_with_sample(tmp_path)
    if where == "environment":
        monkeypatch.setenv("FINBENCH_DATA", "sample")
    data = "sample" if where == "flag" else None
    assert data_files.locate(FILES, data, task_dir=task) == task / "sample.jsonl"


def test_plain_lm_eval_gets_the_sample_with_a_loud_warning_and_finbench_gets_the_error(tmp_path, caplog):
    task = task_with_sample(tmp_path)
    assert data_files.for_task(FILES, {"version": 1.0}, task_dir=task) == task / "sample.jsonl"
    assert "SAMPLE ROWS ARE USED" in caplog.text
    with pytest.raises(DataError):
        data_files.for_task(FILES, {"finbench": True}, task_dir=task)
    with pytest.raises(DataError):
        data_files.for_task(FILES, {"data": str(tmp_path)}, task_dir=task)


@pytest.mark.parametrize("gap", ["", " \n\t"], ids=["tight", "spaced"])
def test_a_json_array_is_read_row_by_row_across_chunks(tmp_path, monkeypatch, gap):
    monkeypatch.setattr(data_files, "CHUNK", 16)
    rows = [{"id": n, "text": "ä]},{" * n} for n in range(40)]
    path = put(tmp_path / "rows.json", gap + "[" + f",{gap}".join(json.dumps(row) for row in rows) + gap + "]")
    assert list(data_files.read(path)) == rows


def test_a_json_array_of_one_row_then_damage_gives_the_row_then_the_error(tmp_path):
    rows = data_files.read_json(put(tmp_path / "rows.json", '[{"a": 1}, {"a": '))
    assert next(rows) == {"a": 1}
    with pytest.raises(DataError, match="row 2 is damaged"):
        next(rows)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.json", '{"a": 1}', "expected a JSON array"),
        ("a.json", "", "expected a JSON array"),
        ("a.json", "[1]", "row 1 is a int"),
        ("a.jsonl", '{"a": 1}\n{"a": \n', "a.jsonl:2: not a JSON line"),
        ("a.jsonl", "[]\n", "line 1 is a list"),
        ("a.csv", "a,b\n1,2,3\n", "more cells"),
        ("a.parquet", "", "files only"),
    ],
)
def test_unreadable_files_are_named_with_the_place(tmp_path, name, text, words):
    with pytest.raises(DataError, match=words):
        list(data_files.read(put(tmp_path / name, text)))


def test_a_row_beyond_the_limit_is_a_broken_file(tmp_path, monkeypatch):
    monkeypatch.setattr(data_files, "CHUNK", 16)
    monkeypatch.setattr(data_files, "MAX_ROW", 100)
    with pytest.raises(DataError, match="row 1 is damaged"):
        list(data_files.read_json(put(tmp_path / "rows.json", '[{"a": "' + "x" * 1000 + '"}]')))


def test_a_csv_keeps_line_breaks_in_cells_and_drops_the_byte_order_mark(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_bytes('\ufefftext,label\r\n"two\nlines, one cell",0\r\nplain\r\n'.encode())
    assert list(data_files.read(path)) == [
        {"text": "two\nlines, one cell", "label": "0"},
        {"text": "plain", "label": ""},
    ]


def numbered(count: int) -> tuple[data_files.Rows, list[int]]:
    """Rows, and a list that gets an entry for every row made."""
    made: list[int] = []

    def iterate():
        for number in range(count):
            made.append(number)
            yield {"n": number}

    return data_files.Rows(count, iterate), made


def test_rows_behave_like_a_list_of_documents():
    rows, _ = numbered(10)
    assert len(rows) == 10
    assert [row["n"] for row in rows] == list(range(10))
    assert [row["n"] for row in rows] == list(range(10)), "every pass is fresh"
    assert (rows[3]["n"], rows[0]["n"], rows[-1]["n"]) == (3, 0, 9)
    assert [row["n"] for row in rows[2:9:3]] == [2, 5, 8]
    assert len(rows[2:9:3]) == 3
    assert rows.features == {"n": 0}
    with pytest.raises(IndexError):
        rows[10]


def test_ascending_indices_cost_one_pass_and_make_no_row_twice():
    rows, made = numbered(1000)
    assert made == []
    assert [rows[place]["n"] for place in (1, 5, 400, 999)] == [1, 5, 400, 999]
    assert made == list(range(1000))


def test_no_rows_are_a_length_of_zero_and_no_features():
    assert len(data_files.Rows(0, list)) == 0
    assert data_files.Rows(0, list).features == {}


def test_a_protocol_takes_the_first_rows_or_a_seeded_draw_in_file_order():
    rows, _ = numbered(50)
    assert data_files.selected(rows, {}) is rows
    assert data_files.selected(rows, {"rows": "first"}) is rows, "fewer rows than wanted: all of them"
    assert [row["n"] for row in data_files.selected(rows, {"rows": "first", "row_count": 3})] == [0, 1, 2]
    drawn = [row["n"] for row in data_files.selected(rows, {"rows": "seeded", "row_count": 7})]
    assert drawn == sorted(drawn)
    assert len(set(drawn)) == 7
    assert drawn == [row["n"] for row in data_files.selected(rows, {"rows": "seeded", "row_count": 7})]
    assert drawn != [row["n"] for row in data_files.selected(rows, {"rows": "seeded", "row_count": 7, "seed": 1})]
    with pytest.raises(DataError, match="neither"):
        data_files.selected(rows, {"rows": "last"})


def test_the_pinned_table_is_sound():
    files = data_files.pinned()
    assert len({file.path for file in files}) == len(files)
    assert data_files.datasets() == ("finqa", "convfinqa", "ant_finance", "tfns", "finance_instruct")
    for file in files:
        assert file.path.startswith(f"{file.dataset}/")
        assert file.url.startswith("https://") or "#" in file.url or file.standing == "reconstructed"
        assert len(file.sha256) in (0, 64)
        assert len(file.git_blob) in (0, 40)
    ant = [file for file in files if file.dataset == "ant_finance" and file.standing == "official"]
    assert (len(ant), sum(file.rows or 0 for file in ant)) == (33, 2343)


def test_hashes_are_those_of_git_and_sha256sum(tmp_path):
    path = put(tmp_path / "file", "bärenmarkt\n")
    git = subprocess.run(["git", "hash-object", str(path)], capture_output=True, text=True, check=True)
    assert data_files.git_blob_id(path) == git.stdout.strip()
    assert data_files.sha256(put(tmp_path / "empty", "")).startswith("e3b0c44298fc1c14")
