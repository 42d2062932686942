"""FinQA's documents: both golds and their relation, the page as a prompt shows it, nothing given away."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from finbench.errors import DataError
from finbench.finqa import golds, page, programs
from finbench.tasks import data_files, templates, yaml_files
from finbench.tasks.documents import document_from_row

TASK = Path(__file__).parents[2] / "tasks" / "finqa"
DATA = Path(os.environ.get("FINBENCH_DATA") or Path(__file__).parents[3] / "shared" / "data")


def load_docs() -> ModuleType:
    return data_files.module_at(TASK / "docs.py")


def read_yaml(name: str) -> dict[str, Any]:
    """A task's settings, those of the file it includes below its own."""
    file = yaml_files.read(TASK / f"{name}.yaml", TASK)
    return {key: value for part in file.includes for key, value in read_yaml(part.stem).items()} | file.config


def render(name: str, row: dict[str, Any]) -> str:
    return templates.TaskEnvironment().from_string(read_yaml(name)["doc_to_text"]).render(**row)


docs = load_docs()


def real_rows() -> data_files.Rows:
    if not (DATA / "finqa").is_dir():
        pytest.skip(f"no FinQA data in {DATA}: set FINBENCH_DATA to try it")
    return docs.load(data=str(DATA), finbench=True)["test"]


def raw(**qa: Any) -> dict[str, Any]:
    """A row in FinQA's form."""
    return {
        "id": "SAMPLE/X/2019/page_1.pdf-1",
        "filename": "SAMPLE/X/2019/page_1.pdf",
        "pre_text": ["the company 2019s report for 2019 ."],
        "post_text": ["."],
        "table": [["", "2019", "2018"], ["sales | net", "$ 110", "$ 100"], ["loss", "-32 ( 32 )", "4% ( 4 % )"]],
        "qa": {
            "question": "what was the growth of sales?",
            "answer": "10%",
            "exe_ans": 0.1,
            "program": "subtract(110, 100), divide(#0, 100)",
        }
        | qa,
    }


def test_sample_programs_execute_to_their_golds():
    rows = list(data_files.read(TASK / "sample.jsonl"))
    assert len(rows) >= 40
    for row in rows:
        qa = row["qa"]
        assert row["sample"] is True
        assert row["id"].startswith("SAMPLE/")
        assert programs.run(qa["program"], row["table"]).value == qa["exe_ans"], row["id"]
        assert golds.relation(qa["exe_ans"], qa["answer"]).startswith("agree"), row["id"]


def test_the_sample_covers_what_the_benchmark_has():
    rows = list(docs.load(data="sample")["test"])
    assert {row["facets"]["question_type"] for row in rows} == {"percent", "ratio", "amount", "count", "yes_no"}
    assert {row["facets"]["steps"] for row in rows} >= {"1", "2", "3"}
    assert len({row["cluster"] for row in rows}) >= 8
    assert {"table_sum", "table_max", "table_min", "table_average"} <= {
        row["program"].partition("(")[0] for row in rows
    }
    assert all("sample" in row["flags"] for row in rows)


def test_sample_documents_follow_the_contract_and_can_be_stored_as_json():
    rows = docs.load(data="sample")["test"]
    documents = [document_from_row(json.loads(json.dumps(row)), "finqa") for row in rows]
    assert len({document.id for document in documents}) == len(documents) == len(rows)
    assert all(document.row["gold"] == document.golds[0].text for document in documents)


def test_a_document_holds_both_golds_their_relation_and_the_page():
    document = docs.document(raw())
    assert document["golds"] == [{"text": "0.1", "source": "executed"}, {"text": "10%", "source": "display"}]
    assert document["answer"] == golds.NUMBER | {"unit": "percent", "gold_form": "fraction"}
    assert document["facets"] == {"question_type": "percent", "steps": "2", "gold_relation": "agree_percent"}
    assert document["steps"] == ["10.0"]
    assert document["cluster"] == "SAMPLE/X/2019/page_1.pdf"
    assert document["cells"] == ["$ 110", "$ 100", "-32", "4%"]
    assert document["text_before"] == "the company's report for 2019 ."
    assert document["text_after"] == ""
    assert "| sales \\| net | $ 110 | $ 100 |\n| loss | -32 | 4% |" in document["table_markdown"]
    assert document["table"] == raw()["table"], "the raw fields stay as the dataset has them"


@pytest.mark.parametrize(
    ("executed", "display", "golds", "kind", "flags"),
    [
        (10.2, "", ["10.2"], "number", []),
        (10.2, None, ["10.2"], "number", []),
        ("yes", "yes", ["yes", "yes"], "boolean", []),
        (471.0, "no", ["no"], "boolean", ["known_conflict"]),
        (0.00543, "43.7%", ["0.00543", "43.7%"], "number", ["known_conflict"]),
        (0.18962, "189625", ["0.18962", "189625"], "number", ["known_conflict"]),
        (1e-05, "7.47", ["0.00001", "7.47"], "number", ["known_conflict"]),
        (-0.51419, "51%", ["-0.51419", "51%"], "number", []),
    ],
)
def test_golds_that_are_empty_or_contradict_each_other(executed, display, golds, kind, flags):
    document = docs.document(raw(exe_ans=executed, answer=display))
    assert [gold["text"] for gold in document["golds"]] == golds
    assert document["gold"] == golds[0]
    assert document["answer"]["kind"] == kind
    assert document["flags"] == flags


def test_the_paper_protocol_takes_the_displayed_gold_alone_where_there_is_one():
    assert [gold["text"] for gold in docs.document(raw(), display_only=True)["golds"]] == ["10%"]
    assert [gold["text"] for gold in docs.document(raw(answer=""), display_only=True)["golds"]] == ["0.1"]
    with pytest.raises(DataError, match="golds"):
        docs.load(data="sample", golds="both")


@pytest.mark.parametrize(
    ("executed", "display", "expected"),
    [
        (0.14464, "14%", "agree_percent"),
        (3297.66667, "3298", "agree"),
        (-26.06635, "-26.1%", "percent_executed"),
        (0.07427, "7.42%", "last_digit"),
        (0.79588, "79.6", "percent_unsigned"),
        (-0.51419, "51%", "sign"),
        (2118100.0, "211810", "scale"),
        (3879.0, "3897", "near"),
        (349.0, "29.63%", "conflict"),
        (471.0, "no", "conflict"),
        ("yes", "no", "conflict"),
        (0.2, ".2", "agree"),
        (1.37074, "1.371:1", "agree"),
        (13.4, "$ 13.4 million", "agree"),
        (56.7, "the total balance in 2018 would be $ 56.7 million .", "agree"),
        (-5.0, "$ -5", "agree"),
        (1234567.0, "1,234,567", "agree"),
        (10.2, " ", "display_empty"),
        (1.0, "n/a", "conflict"),
        (0.0, "0", "agree"),
    ],
)
def test_how_the_displayed_gold_stands_to_the_executed_one(executed, display, expected):
    assert golds.relation(executed, display) == expected


@pytest.mark.parametrize(
    ("text", "mended"),
    [
        ("management 2019s view", "management's view"),
        ("it doesn 2019t", "it doesn't"),
        ("the 201cplan 201d )", 'the "plan" )'),
        ("a 201c4.50% note", 'a "4.50% note'),
        ("in 2019 sales", "in 2019 sales"),
        ("2014 2013 2022 2018", "2014 2013 2022 2018"),
        ("employees 2019 options", "employees 2019 options"),
    ],
)
def test_typography_is_mended_only_where_it_cannot_be_a_year(text, mended):
    assert page.mend(text) == mended


def test_a_ratio_in_percent_is_not_declared_a_percentage():
    question = "what is the ratio of debt to equity?"
    assert docs.document(raw(question=question, answer="173%", exe_ans=1.73))["answer"] == golds.NUMBER


def test_the_prompt_shows_the_page_and_the_question_and_no_gold():
    row = docs.document(raw(program="subtract(110, 100), divide(#0, 100)"))
    for name in ("finqa", "finqa_paper"):
        prompt = render(name, row)
        assert "what was the growth of sales?" in prompt
        assert "\\boxed{}" in prompt
        for given_away in ("10%", "0.1", "subtract"):
            assert given_away not in prompt
    assert "# Text after the table" not in render("finqa", row), "an empty section is left out"


def test_braces_in_the_data_are_text_and_no_template():
    row = docs.document(raw(question="what is {{ gold }}{% raw %}?"))
    assert "what is {{ gold }}{% raw %}?" in render("finqa", row)


def test_the_paper_protocol_is_the_one_of_the_evaluation():
    settings = read_yaml("finqa_paper")
    assert settings["generation_kwargs"]["temperature"] == 0.6
    assert settings["generation_kwargs"]["top_p"] == 0.95
    assert settings["generation_kwargs"]["max_gen_toks"] == 4096
    assert settings["metadata"] == {"version": 1.0, "rows": "first", "golds": "display", "judge": True}
    assert settings["num_fewshot"] == 0


@pytest.mark.parametrize("ending", [".json", ".reconstructed.jsonl"])
def test_the_official_array_and_the_reconstructed_lines_give_the_same_documents(tmp_path, ending):
    rows = [raw() | {"id": f"SAMPLE/X/2019/page_1.pdf-{n}"} for n in range(3)]
    lines = "\n".join(map(json.dumps, rows))
    path = tmp_path / "finqa" / f"test{ending}"
    path.parent.mkdir()
    path.write_text(lines if ending.endswith("l") else json.dumps(rows), encoding="utf-8")
    assert list(docs.load(data=str(tmp_path))["test"]) == [docs.document(row) for row in rows]


def test_a_row_in_another_form_is_named(tmp_path):
    path = tmp_path / "finqa" / "test.json"
    path.parent.mkdir()
    path.write_text('[{"id": "A/1", "qa": {}}]')
    with pytest.raises(DataError, match="row 'A/1' is not in FinQA's form"):
        list(docs.load(data=str(tmp_path))["test"])


def test_all_1147_test_programs_execute_to_the_gold():
    real_rows()
    rows = list(data_files.read(data_files.locate(docs.FILES, str(DATA), task_dir=TASK)))
    assert len(rows) == 1147
    for row in rows:
        assert programs.run(row["qa"]["program"], row["table"]).value == row["qa"]["exe_ans"], row["id"]


def test_the_test_set_has_the_relations_that_were_counted():
    rows = list(real_rows())
    assert len({row["id"] for row in rows}) == 1147
    assert len({row["cluster"] for row in rows}) == 380
    assert Counter(row["facets"]["gold_relation"] for row in rows) == {
        "agree": 422,  # 400 plain numbers, 20 yes/no, 2 inside a sentence
        "agree_percent": 575,
        "percent_executed": 16,
        "last_digit": 25,
        "percent_unsigned": 8,
        "sign": 12,
        "scale": 12,
        "near": 7,
        "conflict": 56,
        "display_empty": 14,
    }
    assert Counter(flag for row in rows for flag in row["flags"])["known_conflict"] == 68


def test_the_paper_protocol_asks_the_first_thousand_rows():
    real_rows()
    rows = docs.load(data=str(DATA), finbench=True, **read_yaml("finqa_paper")["metadata"])["test"]
    all_rows = list(data_files.read(data_files.locate(docs.FILES, str(DATA), task_dir=TASK)))
    assert len(rows) == 1000
    assert [row["id"] for row in rows] == [row["id"] for row in all_rows[:1000]]
