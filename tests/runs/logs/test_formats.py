"""Logs of other tools: what a row of each format says."""

from __future__ import annotations

from typing import Any

import pytest

from finbench.runs.logs import files, formats

WORKED = "20 bonds cost 20*50=<<20*50=1000>>1000.\n#### 1,000"
COMPLETION = {"message": {"role": "assistant", "content": "It grew \\boxed{7.5\\%}"}, "finish_reason": "stop"}

# (name, row, question, gold, replies)
ROWS: list[tuple[str, dict[str, Any], str, str, list[str]]] = [
    (
        "lm-eval, a worked solution as gold",
        {"doc_id": 3, "doc": {"question": "What do 20 bonds cost?"}, "target": WORKED, "resps": [["1,000"]]},
        "What do 20 bonds cost?", "1,000", ["1,000"],
    ),
    (
        "lm-eval, the question in the prompt only",
        {"doc": {"passage": "..."}, "target": 4, "resps": [["4", "5"]],
         "arguments": {"gen_args_0": {"arg_0": "Context: ...\nQuestion: how many offices?\nAnswer:"}}},
        "how many offices?", "4", ["4", "5"],
    ),
    (
        "lm-eval, the question in `query`, with its context",
        {"doc": {"query": "Text: ...\nQuestion: what is the margin?\nAnswer:"}, "target": "8%", "resps": [["8%"]]},
        "what is the margin?", "8%", ["8%"],
    ),
    (
        "lm-eval, older arguments",
        {"doc": {}, "target": "8%", "resps": [["8%"]], "arguments": [["Question: margin?\nAnswer:", {}]]},
        "margin?", "8%", ["8%"],
    ),
    (
        "evalscope before 1.0",
        {"index": 0, "raw_input": {"question": "growth?", "answer": "7.5%"}, "choices": [COMPLETION]},
        "growth?", "7.5%", ["It grew \\boxed{7.5\\%}"],
    ),
    (
        "evalscope review of 1.x",
        {"index": 0, "messages": [{"role": "user", "content": "growth?"}], "target": ["7.5%"],
         "sample_score": {"score": {"value": {"acc": 1}, "prediction": "7.5%", "extracted_prediction": "7.5"}}},
        "growth?", "7.5%", ["7.5%"],
    ),
    (
        "inspect_ai, parts and a list of messages",
        {"id": 1, "epoch": 1, "input": [{"role": "system", "content": "s"}, {"role": "user", "content": "growth?"}],
         "target": "7.5%", "output": {"choices": [{"stop_reason": "stop", "message": {"content": [
             {"type": "reasoning", "reasoning": "hm"}, {"type": "text", "text": "7.5%"}]}}]}},
        "growth?", "7.5%", ["7.5%"],
    ),
    (
        "OpenCompass",
        {"origin_prompt": [{"role": "HUMAN", "prompt": "growth?"}], "prediction": ["7.5%", "8%"], "gold": "7.5%"},
        "growth?", "7.5%", ["7.5%", "8%"],
    ),
    ("OpenCompass details", {"prompt": "growth?", "pred": "8%", "refr": "7.5%"}, "growth?", "7.5%", ["8%"]),
    (
        "promptfoo, the gold in an assertion",
        {"prompt": {"raw": "growth?"}, "response": {"output": "7.5%"},
         "testCase": {"vars": {}, "assert": [{"type": "latency", "value": 9}, {"type": "equals", "value": "7.5%"}]}},
        "growth?", "7.5%", ["7.5%"],
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("row", "question", "gold", "replies"), [case[1:] for case in ROWS], ids=[case[0] for case in ROWS]
)
def test_a_row_says_its_question_gold_and_replies(row: Any, question: str, gold: str, replies: list[str]) -> None:
    found = formats.logged(row, 1)
    assert (found.question, found.gold, [said.text for said in found.replies]) == (question, gold, replies)


def test_thinking_and_a_cut_reply_are_told() -> None:
    cut = {"message": {"content": "so", "reasoning_content": "hm"}, "finish_reason": "length"}
    (said,) = formats.logged({"raw_input": {"question": "q", "answer": "1"}, "choices": [cut]}, 1).replies
    assert said == formats.Said("so", "hm", "length")


def logprobs(target: Any, likeliest: int, **doc: Any) -> dict[str, Any]:
    scores = [[["-0.5" if at == likeliest else "-2.0", "False"]] for at in range(3)]
    asked = {f"gen_args_{at}": {"arg_0": "q", "arg_1": f" option {at}"} for at in range(3)}
    return {"doc": {"question": "Which one?", **doc}, "target": target, "resps": scores, "arguments": asked}


@pytest.mark.parametrize(
    ("row", "right"),
    [
        (logprobs(1, 1, choices=["debt", "equity", "cash"]), True),
        (logprobs(1, 2, choices=["debt", "equity", "cash"]), False),
        (logprobs("cash", 2, choices={"text": ["debt", "equity", "cash"], "label": ["A", "B", "C"]}), True),
        (logprobs("option 0", 0), True),  # no options in the document: the continuations are the options
    ],
)
def test_log_probabilities_are_scored_by_the_likeliest_option(row: Any, right: bool) -> None:
    made = files.imported(formats.logged(row, 1), "custom")
    assert made.verdict is not None and made.verdict.correct is right
    assert made.document.answer.kind == "choice"


def test_log_probabilities_without_options_are_refused() -> None:
    row = {"doc": {"question": "q"}, "target": "x", "resps": [[["-1.0", "False"]]], "arguments": []}
    with pytest.raises(ValueError, match="not a choice"):
        formats.logged(row, 1)


def test_a_prediction_without_gold_says_where_the_gold_is() -> None:
    row = {"index": 0, "model_output": {"choices": [COMPLETION]}, "messages": [{"role": "user", "content": "growth?"}]}
    with pytest.raises(ValueError, match="holds no gold"):
        files.imported(formats.logged(row, 1), "custom")


def test_an_unknown_row_names_what_it_holds() -> None:
    with pytest.raises(ValueError, match=r"no known log.*found alpha, beta"):
        formats.logged({"alpha": 1, "beta": 2}, 1)


def test_a_dotted_column_reaches_into_objects_and_lists() -> None:
    row = {"a.b": 1, "choices": [{"message": {"content": "5"}}]}
    assert (formats.column(row, "a.b"), formats.column(row, "choices.0.message.content")) == (1, "5")
    for name in ("choices.1.message", "choices.x", "nothing"):
        with pytest.raises(KeyError):
            formats.column(row, name)
