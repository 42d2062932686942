"""The audit of a reply: origins of numbers, what the answer rests on, the program behind it, and its place in a run."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import traces

from finbench.audit.reply import MAX_TEXT, applies, audit, audited, marked
from finbench.records import Answer, Document, Gold, Grade, Response
from finbench.runs import scoring
from finbench.scores.tally import Tally
from finbench.tasks.documents import document_from_row

TASK = Path(__file__).parents[2] / "tasks" / "finqa"

TABLE = [
    ["( in millions )", "2019", "2018"],
    ["net sales", "$ 3140", "$ 3075"],
    ["operating income", "251", "272"],
    ["restructuring charges", "-18 ( 18 )", "-7 ( 7 )"],
]


def document(program: str = "subtract(3140, 3075), divide(#0, 3075)", **fields: Any) -> Document:
    row = {
        "table": TABLE,
        "pre_text": ["the company employed 9,400 people .", "a rate of 12.5 % applied ."],
        "program": program,
    }
    return Document(
        id="1",
        task="finqa",
        question="by how much did net sales grow from 2018 to 2019 , given a target of 4.2%?",
        answer=Answer("number"),
        golds=(Gold("0.02114"),),
        cells=("$ 3140", "$ 3075", "251", "272"),
        row=row | fields,
    )


def right(shown: str) -> Grade:
    return Grade(True, "equal", extracted=shown, value=shown)


def wrong(shown: str) -> Grade:
    return Grade(False, "different", extracted=shown, value=shown)


def kinds(text: str) -> list[str]:
    return [trace.kind for trace in audit(document(), text, right("2.1%")).numbers]


ORIGINS = [
    ("Sales of $3,140 million", ["cell"], "a cell"),
    ("about 3.14 billion", ["cell"], "a cell in another scale"),
    ("some 9,400 people", ["sentence"], "a sentence"),
    ("at 0.125", ["sentence"], "a percentage as a fraction"),
    ("the target of 4.2%", ["question"], "the question"),
    ("3,140 - 3,075 = 65, so 65 more", ["cell", "cell", "computed", "computed"], "a result, and again"),
    ("65 / 3,075 = 0.02114, that is 2.1%", ["nothing", "cell", "computed", "computed"], "a result in percent"),
    ("from 3,075 to 3,140, so 65 more", ["cell", "cell", "implied"], "a step nobody states"),
    ("3,140 × 100", ["cell", "constant"], "a constant"),
    ("over 12 months", ["constant"], "months of a year"),
    ("divided by 3", ["count"], "a small count"),
    ("in 2017 and 2018", ["year", "cell"], "years, one of them a header"),
    ("1. Take it", ["label"], "a list marker"),
    ("costs of $8,641.77", ["nothing"], "from nowhere"),
    ("EBITDA was 777", ["nothing"], "from nowhere, without a currency"),
]


@pytest.mark.parametrize(("text", "expected", "why"), ORIGINS, ids=[case[2] for case in ORIGINS])
def test_every_number_is_traced(text: str, expected: list[str], why: str) -> None:
    assert kinds(text) == expected


def test_a_trace_names_the_row_and_the_column() -> None:
    found = audit(document(), "272", right("272")).numbers[0]
    assert (found.where, found.row, found.column) == ("operating income | 2018", 2, 2)


def test_a_clean_derivation_has_no_findings() -> None:
    text = "<think>3,140 - 3,075 = 65. 65 / 3,075 ≈ 0.0211.</think> \\boxed{2.11%}"
    found = audit(document(), text, right("2.11%"))
    assert found.metrics() == {
        "grounded_share": 1.0,
        "wrong_calculation_share": 0.0,
        "right_cells_share": 1.0,
        "lucky_share": 0.0,
        "same_program_share": 1.0,
    }
    assert (found.program, found.program_match) == ("subtract(3140, 3075), divide(#0, 3075)", "exact")


def test_the_first_wrong_step_is_named_with_its_offset_and_its_true_value() -> None:
    text = "3,140 - 3,075 = 65; 65 / 3,075 = 0.0311; 251 + 272 = 524"
    found = audit(document(), text, wrong("3.11%"))
    assert found.wrong == 2
    assert found.first_wrong is not None
    assert text[found.first_wrong.start : found.first_wrong.end] == found.first_wrong.text == "65 / 3,075 = 0.0311"
    assert found.first_wrong.exact == "0.0211382113821"


VERDICTS = [
    ("3,140 - 3,075 = 75. 65 / 3,075 = 0.0311. \\boxed{2.11%}", right("2.11%"), True, None, "right on wrong steps"),
    ("65 / 3,075 = 0.05. No: 65 / 3,075 = 0.0211. \\boxed{2.11%}", right("2.11%"), True, None, "65 comes from nowhere"),
    ("3,140 - 3,075 = 60. No: 3,140 - 3,075 = 65, 65 / 3,075 = 2.11%", right("2.11%"), False, None, "a slip, mended"),
    ("251 / 272 = 0.9228. The answer is 2.11%.", right("2.11%"), True, None, "no step gives the answer"),
    ("3,140 - 3,075 = 65. The answer is 65.", wrong("65"), None, True, "right cells, half the way"),
    ("3,140 + 3,075 = 6,215", wrong("6,215"), None, True, "right cells, wrong sign"),
    ("251 - 272 = -21", wrong("-21"), None, False, "wrong cells"),
    ("3,140 - 3,075 = 66", wrong("66"), None, False, "wrong arithmetic is no wrong operation"),
    ("It is 2.11%.", right("2.11%"), None, None, "nothing stated"),
]


@pytest.mark.parametrize(("text", "grade", "lucky", "operation", "why"), VERDICTS, ids=[case[4] for case in VERDICTS])
def test_luck_and_wrong_operations(text: str, grade: Grade, lucky: bool, operation: bool, why: str) -> None:
    found = audit(document(), text, grade)
    assert (found.lucky, found.wrong_operation) == (lucky, operation)


PROGRAMS = [
    ("(3,140 - 3,075) / 3,075 × 100 = 2.11%", "subtract(3140, 3075), divide(#0, 3075)", "exact", "in one line"),
    ("3,140 / 3,075 - 1 = 2.11%", "divide(3140, 3075), subtract(#0, const_1)", "equivalent", "the same function"),
    ("(3,075 - 3,140) / 3,075 = -2.11%", "subtract(3075, 3140), divide(#0, 3075)", "equivalent", "turned, and right"),
    ("(3,140 - 3,075) / 3,140 = 2.07%", "subtract(3140, 3075), divide(#0, 3140)", "different", "another base"),
    ("It grew.", "", "none", "nothing computed"),
    (
        "3.140 - 3.075 = 0.065 billion. 0.065 / 3.075 = 2.11%",
        "subtract(3.14, 3.075), divide(#0, 3.075)",
        "equivalent",
        "scaled",
    ),
]


@pytest.mark.parametrize(("text", "program", "match", "why"), PROGRAMS, ids=[case[3] for case in PROGRAMS])
def test_the_program_behind_a_reply_is_recovered(text: str, program: str, match: str, why: str) -> None:
    shown = text.rsplit(" ", 1)[1] if "=" in text else "2.11%"
    found = audit(document(), text, right(shown))
    assert (found.program, found.program_match) == (program, match)


def test_row_operations_and_look_ups_of_gold_programs_are_understood() -> None:
    summed = audit(document("table_sum(net sales, none)"), "3,140 + 3,075 = 6,215", right("6,215"))
    assert (summed.right_cells, summed.program_match) == (True, "exact")
    looked_up = audit(document("251"), "It was 251.", right("251"))
    assert (looked_up.right_cells, looked_up.program_match) == (True, "exact")
    yes_no = audit(document("greater(3140, 3075)"), "3,140 > 3,075", Grade(True, "equal", extracted="yes"))
    assert (yes_no.right_cells, yes_no.program_match, yes_no.lucky) == (None, None, None)


def test_earlier_turns_of_a_conversation_are_a_source() -> None:
    asked = document(history=[{"question": "and before?", "answer": "8641.77"}])
    assert audit(asked, "8,641.77", right("8,641.77")).numbers[0].kind == "question"


def test_offsets_refer_to_reasoning_and_reply_together_and_survive_a_cut() -> None:
    reasoning, text = "3,140 - 3,075 = 65.", "So 65."
    found = audit(document(), text, right("65"), reasoning)
    whole = audited(text, reasoning)
    assert [whole[t.start : t.end] for t in found.numbers] == ["3,140", "3,075", "65", "65"]
    long = "word " * MAX_TEXT + text
    cut = audit(document(), long, right("65"))
    assert [long[t.start : t.end] for t in cut.numbers] == ["65"]


def test_marks_nest_numbers_in_their_calculations() -> None:
    text = "3,140 - 3,075 = 66"
    found = audit(document(), text, wrong("66"))
    assert [(text[start:end], kind) for start, end, kind, _ in marked(text, found)] == [
        (text, "wrong"),
        ("3,140", "cell"),
        ("3,075", "cell"),
        ("66", "computed"),
    ]


def test_the_json_form_is_plain() -> None:
    found = audit(document(), "3,140 - 3,075 = 66", wrong("66"))
    plain = json.loads(json.dumps(found.as_json()))
    assert plain["calculations"][0]["verdict"] == "wrong"
    assert plain["numbers"][0]["where"] == "net sales | 2019"


@pytest.mark.parametrize("text", ["", "\x00", "<think>" * 9000, "1 " * 200_000, "5,829 - 5,735 = 94 " * 20_000])
def test_any_text_is_audited(text: str) -> None:
    found = audit(document(), text, wrong("1"))
    assert 0 <= found.wrong <= len(found.calculations) and found.grounded <= found.counted <= len(found.numbers)


# -- in a run ----------------------------------------------------------------------------------------------------------


def response(text: str) -> Response:
    return Response("r", text, "stop")


def test_grading_a_number_over_a_page_carries_the_audit() -> None:
    grade = scoring.grade(document(), [response("3,140 - 3,075 = 65, 65 / 3,075 = 2.11%. The answer is 2.11%.")])
    assert grade.metrics["grounded_share"] == 1.0
    bare = Document("1", "t", "how many?", Answer("number"), (Gold("2"),))
    assert not applies(bare)
    assert not scoring.grade(bare, [response("2")]).metrics


def test_means_count_only_the_replies_that_have_a_metric() -> None:
    tally = Tally()
    for text in ("(3,140 - 3,075) / 3,075 = 2.11%", "(3,140 - 3,075) / 3,075 = 3.11%", "I cannot say."):
        tally.add(document(), [([response(text)], scoring.grade(document(), [response(text)]), None)])
    metrics = tally.summary()["metrics"]
    assert (metrics["wrong_calculation_share"], metrics["n_wrong_calculation_share"]) == (0.5, 2)
    assert metrics["right_cells_share"] == pytest.approx(2 / 3, abs=1e-6)
    assert "n_right_cells_share" not in metrics
    assert not tally.own


# -- generated traces ----------------------------------------------------------------------------------------------------


def sample_rows() -> list[Mapping[str, Any]]:
    sys.path.insert(0, str(TASK))
    try:
        import docs
    finally:
        sys.path.pop(0)
    return list(docs.documents(TASK / "sample.jsonl"))


def real_rows(folder: Path, limit: int) -> list[Mapping[str, Any]]:
    sys.path.insert(0, str(TASK))
    try:
        import docs
    finally:
        sys.path.pop(0)
    found = []
    for row in docs.documents(folder / "finqa" / "test.reconstructed.jsonl"):
        found.append(row)
        if len(found) == limit:
            break
    return found


def written(rows: list[Mapping[str, Any]], fault: str) -> Iterator[tuple[Document, traces.Written, Grade]]:
    for row in rows:
        asked = document_from_row(row, "finqa")
        for seed in range(len(traces.VOICES)):
            trace = traces.write(row, seed, fault)
            if trace is not None:
                yield asked, trace, (wrong if fault == "digit" else right)(trace.answer)


def check_clean(rows: list[Mapping[str, Any]]) -> None:
    replies = alarms = 0
    for asked, trace, grade in written(rows, ""):
        found = audit(asked, trace.text, grade)
        assert len(found.calculations) == trace.calculations, trace.text
        replies += 1
        alarms += bool(found.wrong or found.lucky or found.grounded < found.counted)
    assert replies > 100
    assert alarms <= 0.02 * replies


def check_fault(rows: list[Mapping[str, Any]], fault: str) -> None:
    replies = caught = 0
    for asked, trace, grade in written(rows, fault):
        found = audit(asked, trace.text, grade)
        replies += 1
        caught += {
            "digit": found.wrong > 0,
            "nowhere": any(t.kind == "nothing" for t in found.numbers[-3:]),
            "lucky": bool(found.lucky),
        }[fault]
    assert replies > 100
    assert caught >= 0.95 * replies


def test_clean_traces_of_the_sample_rows_raise_no_alarm() -> None:
    check_clean(sample_rows())


@pytest.mark.parametrize("fault", ["digit", "nowhere", "lucky"])
def test_planted_faults_in_the_sample_rows_are_found(fault: str) -> None:
    check_fault(sample_rows(), fault)


def test_clean_traces_of_real_programs_raise_no_alarm(real_data: Path) -> None:
    check_clean(real_rows(real_data, 400))


@pytest.mark.parametrize("fault", ["digit", "nowhere", "lucky"])
def test_planted_faults_in_real_programs_are_found(fault: str, real_data: Path) -> None:
    check_fault(real_rows(real_data, 400), fault)
