"""Finance-Instruct-500K's documents: a draw anyone can recompute, a stream that holds no rows, overlaps flagged."""

from __future__ import annotations

import hashlib
import json
import logging
import tracemalloc
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from finbench.grading.reference import reference_score
from finbench.tasks import yaml_files
from finbench.tasks.data_files import module_at
from finbench.tasks.documents import document_from_row

TASK = Path(__file__).parents[2] / "tasks" / "finance_instruct"


def load_docs() -> ModuleType:
    return module_at(TASK / "docs.py")


docs = load_docs()


def line(number: int, **fields: str) -> dict[str, str]:
    return {"system": "", "user": f"question {number}", "assistant": f"answer {number}"} | fields


def write(data: Path, lines: list[dict[str, str]], *, array: bool = True) -> None:
    (data / "finance_instruct").mkdir(exist_ok=True)
    joined = json.dumps(lines) if array else "\n".join(map(json.dumps, lines))
    (data / "finance_instruct" / "train.json").write_text(joined, encoding="utf-8")


def read(data: Path | str, **settings: Any) -> list[dict[str, Any]]:
    return list(docs.load(data=str(data), finbench=True, **settings)["test"])


def ids(rows: list[dict[str, Any]]) -> list[int]:
    return [int(row["id"].removeprefix("fi/")) for row in rows]


def test_the_draw_is_the_smallest_hashes_of_seed_and_index(tmp_path: Path) -> None:
    write(tmp_path, [line(n) for n in range(50)])
    by_hand = sorted(range(50), key=lambda n: hashlib.blake2b(f"20250320/{n}".encode(), digest_size=16).digest())[:7]
    assert ids(read(tmp_path, draw=7)) == sorted(by_hand) == docs.indices(docs.SEED, 7, 50)
    assert ids(read(tmp_path, draw=7, draw_seed=1)) != sorted(by_hand)


def test_the_index_list_of_the_pinned_revision_does_not_change() -> None:
    drawn = docs.indices(docs.SEED, docs.DRAWN, docs.PINNED_ROWS)
    assert (len(drawn), drawn == sorted(set(drawn)), drawn[:3]) == (1000, True, [710, 948, 1304])


def test_rows_without_question_or_reference_are_left_out_and_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path, [line(0), line(1, assistant=" "), line(2, user=""), line(3)])
    with caplog.at_level(logging.WARNING, logger="finbench"):
        assert ids(read(tmp_path)) == [0, 3]
    assert "2 of 4 rows have no question or no reference answer" in caplog.text
    assert "4 rows, not the pinned 518185" in caplog.text
    assert ids(read(tmp_path)) == docs.indices(docs.SEED, 1000, 4, empty=[1, 2])


@pytest.mark.parametrize("array", [True, False])
def test_the_whole_file_is_streamed_from_an_array_or_from_lines(tmp_path: Path, array: bool) -> None:
    write(tmp_path, [line(n) for n in range(30)] + [line(30, assistant="")], array=array)
    rows = docs.load(draw=None, data=str(tmp_path), finbench=True)["test"]
    assert len(rows) == 30
    assert ids(list(rows)) == ids(list(rows)) == list(range(30))


def test_streaming_does_not_hold_the_rows(tmp_path: Path) -> None:
    write(tmp_path, [line(n, assistant=f"{n} " + "word " * 400) for n in range(6000)])  # 12 MB of text
    rows = docs.load(draw=None, data=str(tmp_path), finbench=True)["test"]
    tracemalloc.start()
    assert sum(1 for _ in rows) == 6000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 9_000_000  # two chunks of text, far below the 12 MB of the file and the objects made of it


def test_the_instruction_is_the_whole_prompt_and_a_system_text_the_system_message() -> None:
    config = yaml_files.read(TASK / "finance_instruct.yaml", TASK).config
    assert (config["description"], config["doc_to_text"]) == ("system", "question")
    row = read("sample")[2]
    assert row["system"] == "You are a helpful assistant with expertise in finance."
    assert row["question"].startswith("What is the usual settlement cycle")


def test_the_sample_is_varied_and_all_rows_are_marked() -> None:
    rows = read("sample")
    assert len(rows) >= 40
    assert all(row["flags"] == ["sample"] for row in rows)
    assert {row["facets"]["reference"] for row in rows} == {"short", "medium", "long"}
    assert {document_from_row(row, "t").answer.kind for row in rows} == {"text"}


def test_a_question_of_another_benchmark_inside_an_instruction_is_flagged(tmp_path: Path) -> None:
    question = "what was the percentage change in net sales from 2018 to 2019?"
    short = "and in 2018?"
    (tmp_path / "finqa").mkdir()
    finqa = [{"qa": {"question": question}}, {"qa": {"question": short}}]
    (tmp_path / "finqa" / "test.json").write_text(json.dumps(finqa), encoding="utf-8")
    write(
        tmp_path,
        [
            line(0, user=f"Use the table. Q: What was the percentage CHANGE in net sales, from 2018 to 2019? {short}"),
            line(1, user="What was the percentage change in net sales from 2018 to 2020?"),
            line(2, user=f"Well, {short}"),
        ],
    )
    assert [row["flags"] for row in read(tmp_path)] == [["overlap_finqa"], [], []]


def test_overlaps_are_found_in_chinese_and_without_links() -> None:
    overlaps = docs.Overlaps(
        {"ant_finance": ["某公司总资产为多少万元？"], "tfns": ["$X sinks as its auditor resigns today http://a.b"]}
    )
    assert overlaps.of("请回答：某公司，总资产为多少万元") == ["ant_finance"]
    assert overlaps.of("X sinks as its auditor resigns today") == []  # seven words: too short to tell
    assert overlaps.of("") == []


def test_questions_of_all_four_benchmarks_are_looked_for_where_their_rows_lie(real_data: Path) -> None:
    overlaps = docs.Overlaps.found({"data": str(real_data)})
    finqa = "what is the net change in net revenue during 2015 for entergy corporation?"
    assert "finqa" in overlaps.of(f"Answer this: {finqa}")
    assert overlaps.of("$ALLY - Ally Financial pulls outlook and names a new chief of staff") == []
    for name, (files, texts) in docs.QUESTIONS.items():
        path = next(real_data / file for file in files if (real_data / file).exists())
        asked = [text for text in texts(path) if len(docs.tokens(text)) >= docs.SHORTEST]
        assert all(name in overlaps.of(text) for text in asked[:50])


@pytest.mark.parametrize(
    ("reference", "reply", "low", "high", "why"),
    [
        ("Credit risk.", "Credit risk.", 1, 1, "the reference itself"),
        (
            "Credit risk.",
            "That is called credit risk, a long explanation follows here for you.",
            1,
            1,
            "length is no fault",
        ),
        ("Credit risk.", "Market risk.", 0.4, 0.6, "half of the words"),
        ("The margin is 14%.", "The margin is 15%.", 0.4, 0.6, "the figure is wrong"),
        ("It is $1,000.50.", "1000.5", 1, 1, "grouping and trailing zeros do not matter"),
        ("It is not taxed.", "It is taxed.", 0.4, 0.6, "a negation counts"),
        ("信用风险", "这是信用风险。", 1, 1, "Chinese by characters"),
        ("word " * 5000, "word " * 5000, 1, 1, "long texts are compared up to a bound"),
        ("fact", "", 0, 0, "nothing said"),
        ("", "fact", 0, 0, "nothing to find"),
    ],
)
def test_the_reference_score(reference: str, reply: str, low: float, high: float, why: str) -> None:
    assert low <= reference_score(reference, reply) <= high, why


def test_every_reference_scores_full_marks_against_itself() -> None:
    assert {row["id"]: reference_score(row["gold"], row["gold"]) for row in read("sample")} == {
        row["id"]: pytest.approx(1) for row in read("sample")
    }
