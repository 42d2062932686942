"""Ant_Finance's documents: 33 files read one by one, their defects flagged, every sub-task in its group."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from finbench.errors import DataError
from finbench.tasks import templates, yaml_files
from finbench.tasks.data_files import module_at
from finbench.tasks.documents import document_from_row

TASK = Path(__file__).parents[2] / "tasks" / "ant_finance"


def load_docs() -> ModuleType:
    return module_at(TASK / "docs.py")


docs = load_docs()
folder = yaml_files.scan(TASK)


def render(kind: str, row: dict[str, Any]) -> str:
    template = yaml_files.read(TASK / f"_{kind}.yaml", TASK).config["doc_to_text"]
    return templates.environment().from_string(template).render(**row)


def write(data: Path, name: str, lines: list[list[str]]) -> None:
    """A file of the benchmark, with a byte order mark as its publisher writes it."""
    item = docs.SUBTASKS[name]
    path = data / "ant_finance" / docs.CATEGORIES[item.category] / f"{item.title}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file).writerows(lines)


def read(data: Path, name: str) -> list[dict[str, Any]]:
    return list(docs.load(subtask=name, data=str(data), finbench=True)["test"])


HEADER = ["id", "question", "A", "B", "C", "D", "answer"]


def test_every_task_file_can_be_read_and_every_sub_task_stands_in_one_category() -> None:
    assert not folder.broken
    assert folder.members("ant_finance") == [f"ant_finance_{name}" for name in docs.SUBTASKS]
    for category in docs.CATEGORIES:
        members = folder.members(f"ant_finance_{category}")
        assert members == [f"ant_finance_{name}" for name, item in docs.SUBTASKS.items() if item.category == category]
    assert len(docs.SUBTASKS) == 33


@pytest.mark.parametrize("name", docs.SUBTASKS)
def test_a_task_file_names_its_sub_task_and_the_prompt_of_its_kind(name: str) -> None:
    file = folder.files[f"ant_finance_{name}"]
    assert file.config["dataset_kwargs"] == {"subtask": name}
    safety = docs.SUBTASKS[name].category == "safety"
    assert file.config["include"] == ("_yes_no.yaml" if safety else "_choice.yaml")


def test_the_sample_has_rows_of_every_sub_task_and_all_are_marked() -> None:
    rows = list(docs.load(data="sample")["test"])
    assert len(rows) >= 66
    assert {row["facets"]["subtask"] for row in rows} == set(docs.SUBTASKS)
    assert all("sample" in row["flags"] for row in rows)
    assert len({row["id"] for row in rows}) == len(rows)
    assert {document_from_row(row, "t").answer.kind for row in rows} == {"choice", "boolean"}


def test_the_paper_tasks_hold_the_same_rows_one_category_each() -> None:
    names = folder.members("ant_finance_paper")
    kwargs = [folder.files[name].config["dataset_kwargs"] for name in names]
    rows = [row["id"] for each in kwargs for row in docs.load(data="sample", **each)["test"]]
    assert rows == [row["id"] for row in docs.load(data="sample")["test"]]


def test_an_empty_option_is_not_shown(tmp_path: Path) -> None:
    write(tmp_path, "insurance_exam", [HEADER, ["0", "保险是合同。（ ）", "对", "错", "", "", "A"]])
    (row,) = read(tmp_path, "insurance_exam")
    assert row["answer"]["choices"] == {"A": "对", "B": "错"}
    shown = render("choice", row)
    assert "A. 对\nB. 错\n" in shown
    assert "nan" not in shown and "C." not in shown
    assert "（A、B 之一）" in shown


def test_a_context_is_shown_where_there_is_one(tmp_path: Path) -> None:
    lines = [["id", "context", *HEADER[1:]], ["0", "第一行\n第二行", "问？", "甲", "乙", "丙", "丁", "C"]]
    write(tmp_path, "event", lines)
    (row,) = read(tmp_path, "event")
    assert "【背景材料】\n第一行\n第二行\n" in render("choice", row)
    assert "【背景材料】" not in render("choice", row | {"context": ""})


def test_rows_without_an_answer_are_left_out(tmp_path: Path) -> None:
    write(tmp_path, "terms", [HEADER, ["0", "甲", "1", "2", "3", "4", "B"], ["1", "乙", "1", "2", "3", "4", ""]])
    assert [row["id"] for row in read(tmp_path, "terms")] == ["terms/0"]


def test_the_letter_of_an_equal_option_is_accepted_too(tmp_path: Path) -> None:
    write(
        tmp_path, "terms", [HEADER, ["0", "甲", "同", "异", "同", "别", "A"], ["1", "乙", "同", "异", "同", "别", "B"]]
    )
    first, second = read(tmp_path, "terms")
    assert [gold["text"] for gold in first["golds"]] == ["A", "C"]
    assert "equal_options" in first["flags"] and "equal_options" in second["flags"]
    assert "golds" not in second


def test_repeated_questions_are_flagged_and_so_are_golds_that_exclude_each_other(tmp_path: Path) -> None:
    lines = [["0", "甲", "是"], ["1", "甲", "否"], ["2", "乙", "是"], ["3", "丙", "否"], ["4", "丙", "否"]]
    write(tmp_path, "compliance", [["id", "question", "answer"], *lines])
    flags = [row["flags"] for row in read(tmp_path, "compliance")]
    both = ["duplicate_question", "conflicting_gold"]
    assert flags == [both, both, [], ["duplicate_question"], ["duplicate_question"]]


def test_the_same_text_under_another_letter_is_the_same_gold(tmp_path: Path) -> None:
    lines = [["0", "甲", "一", "二", "三", "四", "A"], ["1", "甲", "二", "一", "三", "四", "B"]]
    write(tmp_path, "terms", [HEADER, *lines])
    assert [row["flags"] for row in read(tmp_path, "terms")] == [["duplicate_question"], ["duplicate_question"]]


def test_an_answer_that_is_no_option_is_an_error_that_names_the_row(tmp_path: Path) -> None:
    write(tmp_path, "terms", [HEADER, ["7", "甲", "1", "2", "", "", "D"]])
    with pytest.raises(DataError, match="row 7 has the answer 'D', expected one of A, B"):
        read(tmp_path, "terms")


def test_the_real_files_hold_2343_labelled_rows_with_the_known_defects(real_data: Path) -> None:
    rows = list(docs.load(data=str(real_data), finbench=True)["test"])
    assert Counter(row["facets"]["subtask"] for row in rows) == dict.fromkeys(docs.SUBTASKS, 71)
    assert Counter(row["facets"]["category"] for row in rows) == {
        "understanding": 426,
        "knowledge": 994,
        "logic": 355,
        "generation": 284,
        "safety": 284,
    }
    flags = Counter(flag for row in rows for flag in row["flags"])
    assert flags == {"constant_subtask": 71, "duplicate_question": 24, "equal_options": 3, "conflicting_gold": 2}
    assert {row["facets"]["subtask"] for row in rows if "constant_subtask" in row["flags"]} == {"compliance"}
    assert [row["id"] for row in rows if "conflicting_gold" in row["flags"]] == [
        "question_recognition/56",
        "question_recognition/69",
    ]
    two = [row["id"] for row in rows if len(row["answer"].get("choices", {})) == 2]
    assert two == [f"insurance_exam/{number}" for number in (27, 30, 31, 32, 36)]
    assert not any("nan" in row.get("options", "") for row in rows)
