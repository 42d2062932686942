"""Shared n-grams between training files and benchmark rows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from finbench import cli
from finbench.audit import contamination
from finbench.errors import UsageError
from finbench.records import Answer, Document, Gold
from finbench.tasks import data_files

TASK = Path(__file__).parents[2] / "tasks" / "finqa"
QUESTION = "what was the percentage change in net sales of the widget segment from 2018 to 2019 in millions"
PAGE = "the widget segment sells left handed widgets to museums in nine countries and to nobody else at all"


def document(name: str, question: str = QUESTION, **row: Any) -> Document:
    return Document(id=name, task="t", question=question, answer=Answer("number"), golds=(Gold("1"),), row=row)


def found(training: list[dict[str, Any]], *documents: Document, n: int = 13) -> contamination.Overlap:
    records: Iterator[tuple[str, dict[str, Any]]] = ((f"f, record {i}", row) for i, row in enumerate(training, 1))
    return contamination.find({"t": lambda: documents}, records, n)[0]


@pytest.mark.parametrize(
    ("text", "questions"),
    [
        (QUESTION, 1),
        (f"Q: {QUESTION.upper()}?!", 1),
        (" ".join(QUESTION.split()[:13]), 1),
        (" ".join(QUESTION.split()[:12]), 0),
        (QUESTION.replace("widget", "gadget").replace("percentage", "percent"), 0),
    ],
)
def test_thirteen_words_in_a_row_count_whatever_the_case_and_punctuation(text, questions):
    assert found([{"messages": [{"role": "user", "content": text}]}], document("a")).questions == questions


def test_question_and_page_are_counted_apart():
    result = found([{"text": PAGE}], document("a", text_before=PAGE), document("b"), document("c", text_after="short"))
    assert (result.rows, result.questions, result.pages) == (3, 0, 1)
    (example,) = result.examples
    assert (example.row, example.place) == ("a", "f, record 1")
    assert example.words == " ".join(PAGE.split()[:13])


def test_a_row_of_which_half_is_known_is_counted():
    longer = f"{PAGE} unless they ask twice a week"
    assert found([{"text": PAGE}], document("a", text_before=longer)).mostly == 0
    assert found([{"text": PAGE}, {"text": QUESTION}], document("a", text_before=longer)).mostly == 1


def test_gold_program_and_ids_are_no_context():
    row = {"gold": PAGE, "program": PAGE, "id": PAGE}
    assert found([{"text": PAGE}], document("a", **row)).pages == 0


def test_no_run_of_words_crosses_two_fields():
    words = QUESTION.split()
    assert found([{"a": " ".join(words[:9]), "b": " ".join(words[9:])}], document("a")).questions == 0


def test_a_short_question_is_looked_for_as_a_whole_and_a_very_short_one_not_at_all():
    eight = "how many shares were repurchased in fiscal 2019"
    assert found([{"text": f"well , {eight} ?"}], document("a", eight)).questions == 1
    assert found([{"text": "how many shares"}], document("a", "how many shares")).questions == 0


def test_chinese_is_read_by_characters():
    question = "下列哪项不属于商业银行的表外业务范围"
    assert contamination.tokens("净利润1,200万") == ["净", "利", "润", "1200", "万"]
    assert found([{"text": f"题目：{question}？"}], document("a", question)).questions == 1
    assert found([{"text": question[:12]}], document("a", question)).questions == 0


def test_numbers_keep_their_decimals_and_lose_their_separators():
    assert contamination.tokens("$ 5,829.5 , 12,5") == ["5829.5", "12", "5"]


def test_the_sub_tasks_of_a_group_are_summed_in_one_line():
    example = contamination.Example("a", "f, record 1", QUESTION)
    one = contamination.Overlap("g_one", 10, 1, 2, 0, (example,))
    two = contamination.Overlap("g_two", 20, 3, 4, 1, (example,) * 3)
    alone = contamination.Overlap("alone", 5, 0, 1, 0, ())
    group, single = contamination.grouped([one, alone, two], {"g": ("g_one", "g_two", "not loaded")})
    assert (group.task, group.rows, group.questions, group.pages, group.mostly) == ("g", 30, 4, 6, 1)
    assert (group.subtasks, len(group.examples)) == ((one, two), contamination.EXAMPLES)
    assert single is alone


def test_an_n_gram_of_one_word_is_refused():
    with pytest.raises(UsageError, match="13 is customary"):
        found([], document("a"), n=1)


def test_the_command_reports_rows_of_the_sample(tmp_path, capsys):
    row = next(data_files.read(TASK / "sample.jsonl"))
    path = tmp_path / "train.jsonl"
    path.write_text(json.dumps({"input": " ".join(row["pre_text"]), "q": row["qa"]["question"]}) + "\n{}\n")
    assert cli.main(["audit", "overlap", str(path), "--tasks", "finqa", "--data", "sample", "--n", "8", "--json"]) == 0
    (task,) = json.loads(capsys.readouterr().out)["tasks"]
    assert task["task"] == "finqa" and task["rows"] == 49 and task["pages"] >= 1
    assert cli.main(["audit", "overlap", str(path), "--tasks", "finqa", "--data", "sample", "--n", "8"]) == 0
    assert "rows that share 8 words" in capsys.readouterr().out


def test_a_group_is_one_line_and_its_sub_tasks_stand_below_it_when_wanted(tmp_path, capsys):
    path = tmp_path / "train.jsonl"
    path.write_text('{"text": "nothing of the kind"}\n')
    command = ["audit", "overlap", str(path), "--tasks", "ant_finance,tfns", "--data", "sample"]
    assert cli.main(command) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[-2:]] == ["ant_finance", "tfns"]
    assert cli.main([*command, "--subtasks"]) == 0
    listed = capsys.readouterr().out
    assert listed.count("\n  ant_finance_") == 33
    assert cli.main([*command, "--json"]) == 0
    group, tfns = json.loads(capsys.readouterr().out)["tasks"]
    assert group["rows"] == sum(part["rows"] for part in group["subtasks"]) and len(group["subtasks"]) == 33
    assert tfns["subtasks"] == []


def test_a_file_that_is_not_there_is_an_error_in_words(tmp_path, capsys):
    assert cli.main(["audit", "overlap", str(tmp_path / "no.jsonl"), "--tasks", "finqa", "--data", "sample"]) != 0
    assert "no.jsonl: cannot be read" in capsys.readouterr().err
