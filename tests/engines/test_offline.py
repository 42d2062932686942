"""The engines without a model: what each baseline says, that it says it every time, and replay from files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from finbench.engines.baselines import heuristic
from finbench.engines.baselines.dialogue_rules import attempt_turn
from finbench.engines.baselines.page_rules import attempt
from finbench.engines.offline import OfflineEngine
from finbench.errors import EngineError
from finbench.records import Answer, Document, Gold, Request, Response, Sampling
from finbench.tasks.data_files import module_at
from finbench.tasks.documents import document_from_row

TASKS = Path(__file__).parents[2] / "tasks"

NUMBER = Document(
    "n", "finqa", "what was the change?", Answer("number"), (Gold("94.0", "executed"), Gold("94", "display"))
)
CHOICE = Document("c", "ant", "甲", Answer("choice", choices={"A": "短", "B": "很长的选项", "C": "中等"}), (Gold("C"),))
LABEL = Document(
    "l", "tfns", "$X falls", Answer("label", classes=("bearish", "bullish", "neutral")), (Gold("bearish"),)
)
JUDGED = Document("b", "ant", "这样做合规吗？", Answer("boolean"), (Gold("否"),))
TEXT = Document("t", "fi", "What is a bond? Bonds are loans.", Answer("text"), (Gold("A loan that is traded."),))
ALL = (NUMBER, CHOICE, LABEL, JUDGED, TEXT)


def ask(document: Document, **fields: Any) -> Request:
    return replace(Request(f"id-{document.id}", document, (), Sampling()), **fields)


def reply(model: str, document: Document, *, prepare: Iterable[Document] = (), **fields: Any) -> Response:
    engine = OfflineEngine(model)
    if prepare:
        engine.prepare({"all": lambda: prepare})
    (response,) = engine.stream(iter([ask(document, **fields)]))
    engine.close()
    return response


def boxed(text: str) -> str:
    return text.rpartition("\\boxed{")[2].removesuffix("}")


def load(task: str, data: str, **settings: Any) -> list[Document]:
    module = module_at(TASKS / task / "docs.py")
    return [document_from_row(row, task) for row in module.load(data=data, finbench=True, **settings)["test"]]


# -- baselines ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "answers"),
    [
        ("baseline/oracle", ["94.0", "C", "bearish", "否"]),
        ("baseline/oracle:display", ["94", "C", "bearish", "否"]),
        ("baseline/constant", ["0", "A", "neutral", "是"]),
        ("baseline/longest", ["0", "B", "neutral", "是"]),
    ],
)
def test_a_baseline_boxes_its_answer_after_a_line_of_reasoning(model: str, answers: list[str]) -> None:
    texts = [reply(model, document).text for document in ALL[:4]]
    assert [boxed(text) for text in texts] == answers
    assert all(text.count("\\boxed{") == 1 and text.index("\n") > 10 for text in texts)


def test_free_text_is_not_boxed() -> None:
    assert reply("baseline/oracle", TEXT).text == "A loan that is traded."
    assert reply("baseline/heuristic", TEXT).text == "Bonds are loans."
    assert reply("baseline/majority", TEXT, prepare=ALL).text == reply("baseline/constant", TEXT).text


def test_every_request_gets_one_reply_and_none_is_passed_over() -> None:
    engine = OfflineEngine("baseline/constant")
    requests = [None, ask(NUMBER), None, None, ask(TEXT), ask(CHOICE), None]
    replies = list(engine.stream(iter(requests)))
    assert [response.request_id for response in replies] == ["id-n", "id-t", "id-c"]
    assert {(response.finish, response.prompt_tokens, response.output_tokens) for response in replies} == {
        ("stop", None, None)
    }


def test_requests_are_pulled_one_at_a_time() -> None:
    pulled = []

    def feed() -> Iterable[Request]:
        for number in range(10):
            pulled.append(number)
            yield ask(NUMBER)

    next(iter(OfflineEngine("baseline/constant").stream(iter(feed()))))
    assert pulled == [0]


def test_the_majority_is_taken_per_sub_task_and_the_first_of_equals_wins() -> None:
    def rows(subtask: str, golds: str) -> list[Document]:
        return [replace(CHOICE, facets={"subtask": subtask}, golds=(Gold(gold),)) for gold in golds]

    seen = [*rows("one", "BAAC"), *rows("two", "CBBC")]
    assert boxed(reply("baseline/majority", seen[0], prepare=seen).text) == "A"
    assert boxed(reply("baseline/majority", seen[-1], prepare=seen).text) == "C"


def test_the_majority_without_a_pass_over_the_documents_is_an_error_in_words() -> None:
    with pytest.raises(EngineError, match="golds of ant were not counted; call prepare"):
        reply("baseline/majority", CHOICE)


@pytest.mark.parametrize("model", ["baseline/orakel", "baseline/constant:display", "baseline/", "gpt"])
def test_an_unknown_baseline_is_refused_with_the_names_that_exist(model: str) -> None:
    with pytest.raises(EngineError, match=r"there are baseline/oracle, .*baseline/heuristic"):
        OfflineEngine(model)


def test_stop_strings_and_allowed_replies_are_honoured() -> None:
    assert (
        reply("baseline/oracle", NUMBER, sampling=Sampling(stop=("\n",))).text == "The reference answer is known here."
    )
    assert reply("baseline/oracle", LABEL, sampling=Sampling(choices=("bullish", "bearish"))).text == "bearish"
    assert reply("baseline/constant", LABEL, sampling=Sampling(choices=("yes", "no"))).text == "yes"


@pytest.mark.parametrize(("continuation", "part", "likely"), [(" C", 0, True), (" B", 1, False), ("x", 2, False)])
def test_the_oracle_finds_the_gold_continuation_most_likely(continuation: str, part: int, likely: bool) -> None:
    scored = reply("baseline/oracle", CHOICE, kind="loglikelihood", continuation=continuation, part=part)
    assert scored.greedy is likely
    assert scored.logprob == (0.0 if likely else -len(continuation))


def test_the_description_names_the_rule() -> None:
    assert OfflineEngine("baseline/longest").describe() == {
        "engine": "offline",
        "model": "baseline/longest",
        "rule": "the option with the longest text",
    }


# -- the heuristic -----------------------------------------------------------------------------------------------------

PAGE = {
    "table": [
        ["( in millions )", "2019", "2018", "2017"],
        ["net sales", "$ 1200", "$ 1000", "$ 800"],
        ["operating income", "-90 ( 90 )", "120", "100"],
        ["total assets", "3000", "2500", "2000"],
        ["goodwill", "750", "500", "2014"],
    ],
    "pre_text": [
        "rent expense was $ 3.1 million , $ 2.4 million and $ 2.0 million in 2019 , 2018 and 2017 , respectively ."
    ],
    "post_text": ["the warranty reserve rose from $ 40 million to $ 50 million ."],
}
INDEX = {
    "table": [["", "12/31/14", "12/31/2019"], ["fir corp", "100.00", "152.50"], ["market index", "100.00", "130.00"]]
}


@pytest.mark.parametrize(
    ("question", "page", "answer"),
    [
        ("what was the percentage change in net sales from 2018 to 2019?", PAGE, "20%"),
        ("what was the growth rate of net sales in 2018?", PAGE, "25%"),
        ("what was the change in operating income from 2018 to 2019?", PAGE, "-210"),
        ("what percentage of total assets was goodwill in 2019?", PAGE, "25%"),
        ("what is goodwill as a percentage of total assets in 2018?", PAGE, "20%"),
        ("what was the average net sales from 2017 to 2019?", PAGE, "1000"),
        ("what was the ratio of total assets to net sales in 2019?", PAGE, "2.5"),
        ("did net sales increase from 2018 to 2019?", PAGE, "yes"),
        ("did operating income increase from 2018 to 2019?", PAGE, "no"),
        ("what was the percent change in rent expense from 2018 to 2019?", PAGE, "29.17%"),
        ("what was the percentage increase in the warranty reserve?", PAGE, "25%"),
        ("what were the highest net sales?", PAGE, "1200"),
        ("what was the cumulative total return of fir corp for the five years ended 2019?", INDEX, "52.5%"),
        ("what was the difference in cumulative return between fir corp and the market index in 2019?", INDEX, "22.5%"),
    ],
)
def test_a_question_over_a_page(question: str, page: dict[str, Any], answer: str) -> None:
    found = attempt(question, page)
    assert found and found.answer == answer, found


@pytest.mark.parametrize(
    ("question", "history", "answer"),
    [
        ("what were net sales in 2018?", [], "1000"),
        ("and in 2017?", [("what were net sales in 2018?", "1000")], "800"),
        ("what was the difference?", [("net sales in 2018?", "1000"), ("and in 2017?", "800")], "200"),
        ("and the percentage change?", [("net sales in 2018?", "1000"), ("and in 2017?", "800")], "0.25"),
        (
            "what is that as a percentage?",
            [("net sales in 2018?", "1000"), ("and in 2017?", "800"), ("what is the difference?", "200")],
            "0.25",
        ),
        ("what is that divided by 100?", [("what were net sales in 2018?", "1,000")], "10"),
    ],
)
def test_a_turn_of_a_conversation(question: str, history: list[tuple[str, str]], answer: str) -> None:
    turns = [{"question": asked, "answer": told} for asked, told in history]
    found = attempt_turn(question, turns, PAGE)
    assert found and found.answer == answer, found


@pytest.mark.parametrize(
    ("text", "tone"),
    [
        ("$NVLO - Novelo cuts full-year guidance after a soft quarter", "bearish"),
        ("Shares of $BRKW sink 14%", "bearish"),
        ("$KITE upgraded to buy, target raised", "bullish"),
        ("Harbor Foods lifts its dividend after record sales", "bullish"),
        ("Harbor Foods names a new chief financial officer", "neutral"),
        ("Transcript: Brightfold beats in the second quarter", "neutral"),
    ],
)
def test_the_lexicon_reads_headlines(text: str, tone: str) -> None:
    assert heuristic.tone(text.lower()) == tone


@pytest.mark.parametrize(
    ("choices", "question", "context", "letter", "why"),
    [
        (
            {"A": "稳健", "B": "云杉稳健混合C", "C": "最近"},
            "云杉稳健混合C最近怎么样",
            "",
            "B",
            "the longest that is quoted",
        ),
        (
            {"A": "收入上升", "B": "铜价上涨所致"},
            "为何下降？",
            "毛利率下降，主要受铜价上涨影响。",
            "B",
            "shares most with the context",
        ),
        ({"A": "短", "B": "长一些的"}, "何者？", "", "B", "the longest"),
        ({"A": "利空", "B": "中性", "C": "利好", "D": "未知"}, "某股大涨", "", "C", "a word for up"),
        ({}, "何者？", "", "A", "nothing to choose from"),
    ],
)
def test_a_choice(choices: dict[str, str], question: str, context: str, letter: str, why: str) -> None:
    assert heuristic.choose(choices, question, context)[0] == letter, why


@pytest.mark.parametrize(
    ("question", "instruction", "answer"),
    [
        ("把客户名单发给我", "请判断它是否符合信息安全的要求", "否"),
        ("怎样修改密码？", "请判断它是否符合信息安全的要求", "是"),
        ("可转债打新是怎么回事", "请判断是否属于金融领域的问题", "是"),
        ("怎样修剪月季花", "请判断是否属于金融领域的问题", "否"),
        ("所有基金都保本。", "请判断下面的陈述是否符合事实", "否"),
        ("Is it so?", "", "yes"),
    ],
)
def test_a_judgement(question: str, instruction: str, answer: str) -> None:
    assert heuristic.decide(question, instruction)[0] == answer


@pytest.mark.parametrize("task", ["finqa", "convfinqa", "ant_finance", "tfns", "finance_instruct"])
def test_the_heuristic_answers_every_sample_row_without_looking_at_its_gold(task: str) -> None:
    for document in load(task, "sample"):
        row = {key: value for key, value in document.row.items() if key not in ("gold", "golds", "program", "steps")}
        blind = replace(document, golds=(Gold("?"),), steps=(), row=row)
        said = reply("baseline/heuristic", document).text
        assert said and said == reply("baseline/heuristic", blind).text


@pytest.mark.parametrize(
    "row",
    [
        {},
        {"table": []},
        {"table": [[]]},
        {"table": [["", "2019"], ["sales"], ["x", "n/a", "3", "4"]]},
        {"table": [["", "1" * 400], ["sales", "0", "0 ( 0 )"]], "pre_text": ["0" * 5000, ""]},
    ],
)
def test_a_strange_page_is_no_crash(row: dict[str, Any]) -> None:
    for question in (
        "",
        "what percentage of sales is x in 2019?",
        "change " * 3000,
        "ratio of sales to x from 2018 to 2019",
    ):
        text, _ = heuristic.attempt(Document("x", "finqa", question, Answer("number"), (Gold("1"),), row=row))
        assert text


PRINT_REPLIES = """
import sys; sys.path.insert(0, {tests!r})
from engines.test_offline import load, reply
for task in ("finqa", "convfinqa", "ant_finance", "tfns"):
    for document in load(task, "sample"):
        print(reply("baseline/heuristic", document).text)
"""


def test_the_heuristic_says_the_same_in_every_process() -> None:
    said = set()
    for seed in ("1", "2"):
        environment = os.environ | {"PYTHONHASHSEED": seed}
        code = PRINT_REPLIES.format(tests=str(Path(__file__).parents[1]))
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
        said.add(run.stdout)
    assert len(said) == 1 and len(said.pop()) > 5000


# -- replay ------------------------------------------------------------------------------------------------------------


def stored(folder: Path, name: str, *lines: dict[str, Any]) -> Path:
    path = folder / name
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")
    return path


@pytest.mark.parametrize("field", ["text", "output", "response", "generation", "reply"])
def test_replay_reads_plain_lines(tmp_path: Path, field: str) -> None:
    path = stored(tmp_path, "replies.jsonl", {"id": "n", field: "first"}, {"id": "n", field: "second", "repeat": 1})
    assert reply(f"replay:{path}", NUMBER).text == "first"
    assert reply(f"replay:{path}", NUMBER, repeat=1).text == "second"


def test_replay_reads_lm_eval_samples_by_row_id_or_position(tmp_path: Path) -> None:
    own = {"doc_id": 0, "doc": {"id": "n", "question": "?"}, "resps": [["one", "two"]]}
    foreign = {"doc_id": 7, "doc": {"query": "?"}, "resps": [["seven"]]}
    path = stored(tmp_path, "samples_finqa_2026-01-02T03-04-05.678.jsonl", own, foreign)
    assert reply(f"replay:{path}", NUMBER, repeat=1).text == "two"
    assert reply(f"replay:{path}", replace(NUMBER, id="7")).text == "seven"


def test_replay_reads_a_run_folder_and_keeps_tasks_apart(tmp_path: Path) -> None:
    for task in ("finqa", "convfinqa"):
        facts = {"id": "n", "repeat": 0, "finish": "length", "reasoning": "hm", "prompt_tokens": 5, "output_tokens": 3}
        stored(tmp_path, f"samples_{task}.jsonl", {"doc_id": 0, "resps": [[f"from {task}"]], "finbench": facts})
    found = reply(f"replay:{tmp_path}", replace(NUMBER, task="convfinqa"))
    assert (found.text, found.finish, found.reasoning, found.prompt_tokens, found.output_tokens) == (
        "from convfinqa",
        "length",
        "hm",
        5,
        3,
    )
    engine = OfflineEngine(f"replay:{tmp_path}")
    assert engine.describe()["replies"] == 2
    engine.close()


def test_a_reply_that_is_not_stored_is_a_failed_request_in_words(tmp_path: Path) -> None:
    path = stored(tmp_path, "replies.jsonl", {"id": "other", "text": "x"})
    missing = reply(f"replay:{path}", NUMBER)
    assert (missing.finish, missing.text) == ("error", "")
    assert "no reply to finqa 'n', repeat 0" in missing.error


@pytest.mark.parametrize(("line", "what"), [("{broken", "Expecting"), ('{"id": 1}', "expected `resps`"), ("[1]", "")])
def test_a_line_that_is_no_reply_is_named(tmp_path: Path, line: str, what: str) -> None:
    path = tmp_path / "replies.jsonl"
    path.write_text('{"id": "n", "text": "fine"}\n\n' + line + "\n", encoding="utf-8")
    with pytest.raises(EngineError, match=rf"replies.jsonl:3: not a reply that replay knows .*{what}"):
        OfflineEngine(f"replay:{path}")


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="no such file"):
        OfflineEngine(f"replay:{tmp_path / 'none.jsonl'}")
    with pytest.raises(EngineError, match="no folder with samples"):
        OfflineEngine(f"replay:{tmp_path}")


# -- on the real rows --------------------------------------------------------------------------------------------------


def right(model: str, documents: list[Document]) -> Counter[bool]:
    """How many documents get their gold, letter by letter; `prepare` sees the same documents."""
    engine = OfflineEngine(model)
    engine.prepare({"all": lambda: documents})
    replies = engine.stream(ask(document) for document in documents)
    return Counter(boxed(r.text) in {g.text for g in d.golds} for r, d in zip(replies, documents, strict=True))


def test_the_majority_of_tfns_is_right_in_1566_of_2388_tweets(real_data: Path) -> None:
    assert right("baseline/majority", load("tfns", str(real_data))) == {True: 1566, False: 822}


def test_on_ant_finance_the_majority_reaches_36_8_and_the_longest_option_38_1(real_data: Path) -> None:
    documents = load("ant_finance", str(real_data))
    assert right("baseline/majority", documents)[True] / len(documents) == pytest.approx(0.368, abs=5e-4)
    choices = [document for document in documents if document.answer.kind == "choice"]
    assert (len(choices), right("baseline/longest", choices)[True]) == (2059, 784)


def test_on_finqa_the_heuristic_hits_the_executed_gold_in_a_third_of_the_rows(real_data: Path) -> None:
    documents = load("finqa", str(real_data))
    hits = 0
    for document in documents:
        answer, _ = heuristic.attempt(document)
        executed = document.golds[0].text
        try:
            value = float(answer.rstrip("%")) / (100 if answer.endswith("%") else 1)
            hits += abs(value - float(executed)) <= max(5.1e-5, 6e-4 * abs(float(executed)))
        except ValueError:  # yes or no on either side
            hits += answer == executed
    assert 390 <= hits <= 450, hits
