"""Variants over other numbers: coherent, proven, reproducible, and an old answer is wrong in them."""

from __future__ import annotations

import copy
import json
from collections import Counter
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from finqa_rows import made, page

from finbench.errors import DataError
from finbench.finqa import programs, resample
from finbench.finqa.proof import faults
from finbench.finqa.resample import Excluded, variant
from finbench.grading import grade
from finbench.tasks import data_files
from finbench.tasks.documents import document_from_row

TASKS = Path(__file__).parents[2] / "tasks"
TASK = TASKS / "finqa"
SAMPLE = list(data_files.read(TASK / "sample.jsonl"))


def load_module(task: str = "finqa") -> ModuleType:
    return data_files.module_at(TASKS / task / "resampled.py")


def test_table_text_question_program_and_golds_change_together():
    row = page()
    new = made(row).row
    sales, before = new["table"][1][1][2:], new["table"][1][2][2:]
    assert new["qa"]["program"] == f"subtract({sales}, {before}), divide(#0, {before})"
    assert new["qa"]["exe_ans"] == programs.run(new["qa"]["program"]).value
    growth = format(100 * new["qa"]["exe_ans"], ".1f")
    assert new["qa"]["answer"] == f"{growth}%"
    billions = format(Decimal(sales) / 1000, ".1f")
    assert (
        new["pre_text"][0] == f"net sales grew {growth}% ( {growth} % ) to $ {billions} billion in 2019 , see note 12 ."
    )
    assert new["qa"]["question"] == f"what was the growth of net sales from $ {before} million?"
    assert Decimal(new["table"][3][1][2:]) == Decimal(sales) + Decimal("118.4")
    assert Decimal(new["table"][3][2][2:]) == Decimal(before) + Decimal("97.9")
    assert new["table"][4] == row["table"][4]
    assert new["pre_text"][1] == row["pre_text"][1]
    assert (new["id"], new["original"]) == (f"{row['id']}#7", row["id"])


def test_a_negative_number_keeps_its_form_and_its_mention_follows():
    row = page(program="subtract(-36.2, -41.8)", exe_ans=5.6, answer="5.6", question="what was the change of the loss?")
    new = made(row).row
    loss = new["table"][4][1].split()[0].lstrip("-")
    assert new["table"][4][1] == f"-{loss} ( {loss} )"
    assert new["post_text"] == [f"the loss was $ {loss} million ."]
    assert new["qa"]["program"].startswith(f"subtract(-{loss}, -")


def test_a_used_total_changes_through_its_parts():
    row = page(
        program="subtract(6539.9, 5816.1)", exe_ans=723.8, answer="723.8", question="what was the change of the total?"
    )
    new = made(row).row
    for column in (1, 2):
        parts = [Decimal(new["table"][i][column].lstrip("$ ")) for i in (1, 2, 3)]
        assert parts[0] + parts[1] == parts[2]
        assert new["table"][3][column] != row["table"][3][column]


def test_a_row_operation_keeps_the_row_name_and_changes_its_cells():
    row = page(
        program="table_average(net sales, none)", exe_ans=6069.85, answer="6069.9", question="what was the average?"
    )
    new = made(row).row
    assert new["qa"]["program"] == row["qa"]["program"]
    assert new["qa"]["exe_ans"] == programs.run(new["qa"]["program"], new["table"]).value != 6069.85


@pytest.mark.parametrize(
    ("qa", "reason"),
    [
        ({"program": "greater(6421.5, 5718.2)", "exe_ans": "yes", "answer": "yes"}, "the answer is yes or no"),
        ({"answer": "43.7%"}, "the two golds contradict each other"),
        (
            {"program": "divide(const_1, const_2)", "exe_ans": 0.5, "answer": "50%"},
            "the program uses no number of the page",
        ),
        (
            {"program": "divide(2019, 2018)", "exe_ans": 1.0005, "answer": "1.0"},
            "the program uses no number of the page",
        ),
        (
            {"program": "divide(6421.5, 777.7)", "exe_ans": 8.25704, "answer": "8.26"},
            "an argument is not on the page as the program writes it",
        ),
        ({"program": "exp(118.4, 97.9)", "exe_ans": 1.0, "answer": "1.0"}, "the program raises to a power"),
    ],
)
def test_rows_without_a_variant_say_why(qa, reason):
    assert variant(page(**qa), 7) == Excluded(reason)


def test_a_small_number_in_two_places_is_left_alone():
    row = page(program="divide(6421.5, 12)", exe_ans=535.125, answer="535.1")
    row["post_text"] = ["each of 12 tenants pays rent ."]
    assert variant(row, 7) == Excluded("a small whole number stands in several places")


def test_a_cell_that_may_be_derived_in_an_unknown_way_refuses_the_page():
    row = page()
    row["table"] += [["growth of sales", "12.3%", "n/a"]]
    assert variant(row, 7) == Excluded("a cell may follow from changed numbers in a way that is not proven")


def test_the_same_seed_gives_the_same_bytes_and_another_seed_another_variant():
    first, again, other = (made(page(), seed) for seed in (7, 7, 8))
    assert json.dumps(first.row) == json.dumps(again.row)
    assert first.row["qa"]["exe_ans"] != other.row["qa"]["exe_ans"]


def test_numbers_keep_their_look_and_their_order():
    for seed in range(40):
        found = made(page(), seed)
        for old, new in found.replaced.items():
            if old in ("6421.5", "5718.2"):
                assert len(old) == len(new) and len(old.partition(".")[2]) == len(new.partition(".")[2])
        assert found.row["qa"]["exe_ans"] > 0, "grew stays true"


@pytest.mark.parametrize(
    ("executed", "old", "shown", "why"),
    [
        (0.20312, "14%", "20%", "as the old gold"),
        (0.03312, "14%", "3.3%", "one digit is no answer to a grader"),
        (0.00042, "0.3%", "0.042%", "two digits that say something"),
        (0.3, "14%", "30%", "a zero at the end is a digit"),
        (0.06, "14%", "6%", "nothing is lost"),
    ],
)
def test_a_new_gold_is_displayed_as_the_old_one_with_two_digits_at_least(executed, old, shown, why):
    assert resample.displayed(executed, old, 0.14, "agree_percent") == shown, why


def test_the_sample_task_loads_with_a_seed_and_names_the_originals():
    module = load_module()
    rows = list(module.load(data="sample", seed="7")["test"])
    ids = {row["id"] for row in SAMPLE}
    assert len(rows) >= 35
    assert all(row["original"] in ids and row["id"] == row["original"] + "#7" for row in rows)
    assert len({row["id"] for row in rows}) == len(rows)
    assert list(module.load(data="sample", seed=8)["test"]) != rows
    for row in rows:
        document = document_from_row(row, "finqa_resampled")
        assert grade(document, f"\\boxed{{{document.golds[0].text}}}").correct, row["id"]


def test_most_of_the_test_set_survives_and_every_old_gold_is_wrong(real_data):
    """The first 150 rows; benchmarks/resample.py takes all of them."""
    rows = list(
        data_files.read(
            data_files.locate(("finqa/test.json", "finqa/test.reconstructed.jsonl"), str(real_data), task_dir=TASK)
        )
    )
    docs = load_module()
    old = {row["id"]: row for row in rows[:150]}
    variants, left_out = resample.variants(old.values(), 7)
    assert len(variants) >= 105, left_out
    verdicts: Counter[tuple[str, bool]] = Counter()
    for new in variants:
        before = old[new["original"]]
        assert faults(before, new) == []
        (row,) = docs.documents(data_files.module_at(TASK / "docs.py"), new)
        document = document_from_row(row, "finqa_resampled")
        verdicts["gold", grade(document, f"\\boxed{{{document.golds[0].text}}}").correct] += 1
        remembered = grade(document, f"\\boxed{{{programs.text(before['qa']['exe_ans'])}}}")
        verdicts["old gold", remembered.correct or remembered.lenient] += 1
    assert verdicts == {("gold", True): len(variants), ("old gold", False): len(variants)}


# -- conversations ---------------------------------------------------------------------------------------------------


def conversation(*turns: tuple[str, str, Any, str]) -> dict[str, Any]:
    """A row in ConvFinQA's form about the page above: (question, program, executed, displayed) per turn."""
    row = {key: value for key, value in page().items() if key != "qa"}
    texts, asked, executed, shown = (list(column) for column in zip(*turns, strict=True))
    notes = {"dialogue_break": texts, "turn_program": asked, "qa_split": [0] * len(turns)}
    return row | {"annotation": notes | {"exe_ans_list": executed, "answer_list": shown}}


SALES = ("what were net sales in 2019?", "6421.5", 6421.5, "6421.5")
BEFORE = ("and in 2018?", "5718.2", 5718.2, "5718.2")
GROWTH = ("what is the growth from $ 5718.2 million?", "subtract(6421.5, 5718.2), divide(#0, 5718.2)", 0.12299, "12.3%")
MORE = ("did they grow?", "greater(6421.5, 5718.2)", "yes", "yes")
YEAR = ("which year is the later one?", "2019", 2019.0, "2019")
POWER = ("and squared?", "exp(118.4, const_2)", 14018.56, "14018.56")
DISPUTED = ("what is the change?", "subtract(6421.5, 5718.2)", 703.3, "0.81")


def test_all_turns_share_one_draw_and_every_program_gives_its_gold():
    new = made(conversation(SALES, BEFORE, GROWTH)).row
    notes, table = new["annotation"], new["table"]
    sales, before = table[1][1][2:], table[1][2][2:]
    assert notes["turn_program"] == [sales, before, f"subtract({sales}, {before}), divide(#0, {before})"]
    assert notes["exe_ans_list"] == [programs.run(program).value for program in notes["turn_program"]]
    assert notes["answer_list"] == [sales, before, f"{100 * notes['exe_ans_list'][2]:.1f}%"]
    assert notes["dialogue_break"][2] == f"what is the growth from $ {before} million?"
    assert new["asked"] == [1, 2, 3] and "6421.5" not in json.dumps(new)


@pytest.mark.parametrize(
    ("turns", "kept", "asked", "left_out"),
    [
        ((SALES, MORE, GROWTH), 3, [1, 3], {2: "the answer is yes or no"}),
        ((SALES, YEAR, GROWTH), 3, [1, 3], {2: "the program uses no number of the page"}),
        ((SALES, DISPUTED, GROWTH), 3, [1, 3], {2: "the two golds contradict each other"}),
        ((SALES, POWER, GROWTH), 1, [1], {2: "the program raises to a power", 3: resample.AFTER}),
    ],
)
def test_a_turn_that_measures_nothing_is_shown_and_one_that_cannot_change_ends_the_conversation(
    turns, kept, asked, left_out
):
    old = conversation(*turns)
    found = made(old)
    assert (found.row["asked"], dict(found.left_out)) == (asked, left_out)
    assert len(found.row["annotation"]["dialogue_break"]) == kept
    assert faults(old, found.row) == []


def test_a_conversation_without_a_first_turn_is_left_out_whole():
    old = conversation(POWER, SALES)
    assert variant(old, 7) == Excluded("the program raises to a power")
    rows, left_out = resample.variants([old], 7)
    assert (rows, left_out) == ([], {"the program raises to a power": 1, resample.AFTER: 1})


def test_the_proof_finds_a_wrong_gold_in_a_later_turn_and_an_asked_turn_that_measures_nothing():
    old = conversation(SALES, MORE, GROWTH)
    new = copy.deepcopy(dict(made(old).row))
    new["annotation"]["exe_ans_list"][2] = 0.12299
    assert "the program does not give the gold" in faults(old, new)
    assert "the old gold is still right" in faults(old, {**made(old).row, "asked": [1, 2, 3]})


def test_the_history_shows_the_new_golds_and_ids_name_the_original_turn():
    module = load_module("convfinqa")
    docs = data_files.module_at(TASKS / "convfinqa" / "docs.py")
    old = conversation(SALES, MORE, BEFORE, GROWTH)
    new = made(old).row
    first, third, last = module.documents(docs, new)
    shown = new["annotation"]["answer_list"]
    assert [turn["answer"] for turn in last["history"]] == [shown[0], "yes", shown[2]]
    assert (third["id"], third["original"]) == (f"{old['id']}#3#7", f"{old['id']}#3")
    assert {turn["cluster"] for turn in (first, third, last)} == {old["id"]}
    assert ["final_turn" in turn["flags"] for turn in (first, third, last)] == [False, False, True]


def test_the_sample_conversations_load_with_a_seed():
    module = load_module("convfinqa")
    originals = {row["id"] for row in data_files.module_at(TASKS / "convfinqa" / "docs.py").load(data="sample")["test"]}
    rows = list(module.load(data="sample", seed="7")["test"])
    assert len(rows) >= 40 and len({row["id"] for row in rows}) == len(rows)
    assert all(row["original"] in originals and row["id"] == row["original"] + "#7" for row in rows)
    for row in rows:
        document = document_from_row(row, "convfinqa_resampled")
        assert all(grade(document, f"\\boxed{{{gold.text}}}").correct for gold in document.golds), row["id"]


def test_the_models_own_history_is_refused():
    with pytest.raises(DataError, match="gold history only"):
        load_module("convfinqa").load(data="sample", own_history=True)


def test_most_turns_survive_and_every_old_gold_is_wrong(real_data):
    """The first 50 conversations; benchmarks/resample.py takes all of them."""
    module = load_module("convfinqa")
    docs = data_files.module_at(TASKS / "convfinqa" / "docs.py")
    path = data_files.locate(docs.FILES, str(real_data), task_dir=TASKS / "convfinqa")
    old = {row["id"]: row for _, row in zip(range(50), data_files.read(path), strict=False)}
    turns = {turn["id"]: turn for row in old.values() for turn in docs.conversation(row)}
    rows, left_out = resample.variants(old.values(), 7)
    assert all(faults(old[row["original"]], row) == [] for row in rows)
    asked = [turn for row in rows for turn in module.documents(docs, row)]
    assert len(asked) >= 0.75 * len(turns), left_out
    for turn in asked:
        document = document_from_row(turn, "convfinqa_resampled")
        assert all(grade(document, f"\\boxed{{{gold.text}}}").correct for gold in document.golds), turn["id"]
        for gold in turns[turn["original"]]["golds"]:
            remembered = grade(document, f"\\boxed{{{gold['text']}}}")
            assert not (remembered.correct or remembered.lenient), turn["id"]
