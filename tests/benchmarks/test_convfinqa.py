"""ConvFinQA's documents: one a turn, earlier turns as history, conversations that can be followed."""

from __future__ import annotations

import doctest
import json
import os
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from finbench.errors import DataError
from finbench.finqa import golds, programs
from finbench.tasks import data_files, templates, yaml_files
from finbench.tasks.documents import document_from_row

TASK = Path(__file__).parents[2] / "tasks" / "convfinqa"
DATA = Path(os.environ.get("FINBENCH_DATA") or Path(__file__).parents[3] / "shared" / "data")
NAMES = ("convfinqa", "convfinqa_own_history", "convfinqa_paper")


def load_docs() -> ModuleType:
    return data_files.module_at(TASK / "docs.py")


def read_yaml(name: str) -> dict[str, Any]:
    """A task's settings, those of the file it includes below its own."""
    file = yaml_files.read(TASK / f"{name}.yaml", TASK)
    return {key: value for part in file.includes for key, value in read_yaml(part.stem).items()} | file.config


def render(name: str, row: dict[str, Any]) -> str:
    return templates.TaskEnvironment().from_string(read_yaml(name)["doc_to_text"]).render(**row)


docs = load_docs()


def real_rows(**settings: Any) -> data_files.Rows:
    if not (DATA / "convfinqa").is_dir():
        pytest.skip(f"no ConvFinQA data in {DATA}: set FINBENCH_DATA to try it")
    return docs.load(data=str(DATA), finbench=True, **settings)["test"]


def raw(**notes: Any) -> dict[str, Any]:
    """A conversation of three turns in ConvFinQA's form."""
    return {
        "id": "Single_SAMPLE/X/2019/page_1.pdf-1",
        "pre_text": ["before the table ."],
        "post_text": ["."],
        "table": [["", "2019"], ["rate", "27% ( 27 % )"], ["loss", "-32 ( 32 )"]],
        "annotation": {
            "dialogue_break": ["what was the rate?", "and the loss?", "what is the loss at that rate?"],
            "turn_program": ["27%", "-32", "multiply(-32, 27%)"],
            "exe_ans_list": [0.27, -32.0, -8.64],
            "answer_list": ["27%", "-32", "-8.6"],
            "qa_split": [0, 0, 0],
        }
        | notes,
    }


def test_sample_programs_execute_to_their_golds():
    rows = list(data_files.read(TASK / "sample.jsonl"))
    turns = 0
    assert len(rows) >= 12
    for row in rows:
        notes = row["annotation"]
        assert row["sample"] is True
        for program, executed, display in zip(
            notes["turn_program"], notes["exe_ans_list"], notes["answer_list"], strict=True
        ):
            assert programs.run(program, row["table"]).value == executed, row["id"]
            assert golds.relation(executed, display).startswith("agree"), row["id"]
            turns += 1
    assert turns >= 40
    assert any(row["id"].startswith("Double_") and 1 in row["annotation"]["qa_split"] for row in rows)


def test_sample_documents_follow_the_contract_and_can_be_stored_as_json():
    rows = docs.load(data="sample")["test"]
    documents = [document_from_row(json.loads(json.dumps(row)), "convfinqa") for row in rows]
    assert len({document.id for document in documents}) == len(documents) == len(rows) >= 40


def test_each_turn_sees_the_turns_before_it_with_their_answers():
    first, second, third = docs.conversation(raw())
    assert first["history"] == []
    assert second["history"] == [{"question": "what was the rate?", "answer": "27%"}]
    assert [turn["answer"] for turn in third["history"]] == ["27%", "-32"]
    assert [turn["cluster"] for turn in (first, second, third)] == [raw()["id"]] * 3
    assert [turn["facets"]["turn"] for turn in (first, second, third)] == ["1", "2", "3"]
    assert [turn["flags"] for turn in (first, second, third)] == [[], [], ["final_turn"]]
    assert third["facets"]["page"] == "SAMPLE/X/2019/page_1.pdf"
    assert third["golds"] == [{"text": "-8.64", "source": "executed"}, {"text": "-8.6", "source": "display"}]


def test_a_conversation_that_says_other_numbers_than_it_computes_is_told_the_computed_ones():
    turns = list(docs.conversation(raw(answer_list=["0.5", "-32", "-8.6"])))
    assert turns[0]["flags"] == ["known_conflict"]
    assert turns[1]["history"][0]["answer"] == "0.27"


def test_a_picked_percentage_is_a_fraction_in_the_gold():
    first = next(iter(docs.conversation(raw())))
    assert first["answer"] == golds.NUMBER | {"unit": "percent", "gold_form": "fraction"}
    without_displays = raw()
    del without_displays["annotation"]["answer_list"]
    assert next(iter(docs.conversation(without_displays)))["answer"] == first["answer"]


def test_own_history_names_the_turn_whose_reply_is_needed():
    turns = list(docs.conversation(raw(), own_history=True))
    assert [turn["depends_on"] for turn in turns] == [None, turns[0]["id"], turns[1]["id"]]
    assert all("depends_on" not in turn for turn in docs.conversation(raw()))


def test_plain_lm_eval_is_warned_that_own_history_is_gold_history(caplog):
    docs.load(data="sample", own_history=True)
    assert "cannot wait for replies" in caplog.text
    caplog.clear()
    docs.load(data="sample", own_history=True, finbench=True)
    assert caplog.text == ""


def test_the_official_file_has_displays_for_the_last_turn_of_each_question():
    single = raw() | {"qa": {"answer": "-8.6"}}
    del single["annotation"]["answer_list"]
    assert docs.displays(single) == ["", "", "-8.6"]
    double = raw(qa_split=[0, 0, 1]) | {"qa_0": {"answer": "-32"}, "qa_1": {"answer": "-8.6"}}
    del double["annotation"]["answer_list"]
    assert docs.displays(double) == ["", "-32", "-8.6"]
    assert [[gold["text"] for gold in turn["golds"]] for turn in docs.conversation(double)] == [
        ["0.27"],
        ["-32.0", "-32"],
        ["-8.64", "-8.6"],
    ]


def test_the_paper_protocol_takes_executed_golds_also_in_the_history():
    turns = list(docs.conversation(raw(), executed_only=True))
    assert [gold["text"] for gold in turns[2]["golds"]] == ["-8.64"]
    assert [turn["answer"] for turn in turns[2]["history"]] == ["0.27", "-32.0"]
    with pytest.raises(DataError, match="golds"):
        docs.load(data="sample", golds="display")


@pytest.mark.parametrize("name", NAMES)
def test_the_prompt_shows_the_conversation_so_far_and_no_gold_of_this_turn(name):
    turns = list(docs.conversation(raw()))
    prompt = render(name, turns[2])
    places = [prompt.index(part) for part in ("what was the rate?", "27%\n", "and the loss?", "what is the loss at")]
    assert places[0] < places[2] < places[3]
    assert "\\boxed{}" in prompt
    assert "-8.6" not in prompt
    assert "multiply" not in prompt
    assert "what was the rate?" in render(name, turns[0])
    assert "Conversation so far" not in render(name, turns[0])


def test_a_changed_history_changes_the_prompt_and_nothing_else():
    row = list(docs.conversation(raw(), own_history=True))[1]
    own = row | {"history": [{"question": "what was the rate?", "answer": "28%"}]}
    assert render("convfinqa_own_history", own) == render("convfinqa_own_history", row).replace(
        "Answer 1: 27%", "Answer 1: 28%"
    )


def test_the_paper_prompt_has_an_html_table_with_escaped_cells():
    row = next(iter(docs.conversation(raw())))
    row["table"] = [["a & b", "<b>"]]
    assert "<tr><td>a &amp; b</td><td>&lt;b&gt;</td></tr>" in render("convfinqa_paper", row)


def test_protocols_differ_where_they_should():
    assert read_yaml("convfinqa_own_history")["doc_to_text"] == read_yaml("convfinqa")["doc_to_text"]
    paper = read_yaml("convfinqa_paper")
    assert (paper["generation_kwargs"]["temperature"], paper["generation_kwargs"]["top_p"]) == (0.6, 0.95)
    assert paper["metadata"] == {"version": 1.0, "rows": "first", "golds": "executed", "judge": True}


def test_lists_of_unequal_length_are_named(tmp_path):
    path = tmp_path / "convfinqa" / "dev.json"
    path.parent.mkdir()
    path.write_text(json.dumps([raw(qa_split=[0])]))
    with pytest.raises(DataError, match=r"row 'Single_SAMPLE.*is not in ConvFinQA's form"):
        list(docs.load(data=str(tmp_path))["test"])


def test_the_examples_in_the_code_hold():
    assert doctest.testmod(docs).failed == 0


def test_all_1490_turns_execute_to_the_gold():
    real_rows()
    turns = 0
    for row in data_files.read(data_files.locate(docs.FILES, str(DATA), task_dir=TASK)):
        notes = row["annotation"]
        for program, executed in zip(notes["turn_program"], notes["exe_ans_list"], strict=True):
            assert programs.run(program, row["table"]).value == executed, row["id"]
            turns += 1
    assert turns == 1490


def test_the_development_set_has_its_conversations_and_no_cell_made_negative():
    rows = list(real_rows(own_history=True))
    assert len({row["id"] for row in rows}) == len(real_rows()) == 1490
    assert len({row["cluster"] for row in rows}) == 421
    assert sum("final_turn" in row["flags"] for row in rows) == 421
    assert sum(row["depends_on"] is None for row in rows) == 421
    relations = Counter(row["facets"]["gold_relation"] for row in rows)
    assert relations["agree"] + relations["agree_percent"] == 1421
    first = rows[0]
    assert "| expected volatility | 27% | 28% | 28% |" in first["table_markdown"]
    assert "27%" in first["cells"]
    assert "-27" not in first["table_markdown"]
