"""Which part of a reply is its answer."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finbench.grading.claims import claims
from finbench.grading.discourse import refuses
from finbench.grading.reply import open_reply

THINKING = [
    ("<think>7</think>5", "5", False, "a pair"),
    ("<think>7", "", True, "never closed: it swallows everything"),
    ("7</think>5", "5", False, "a stray close ends the thinking"),
    ("5<think>7", "5", True, "what stands before an open one is outside"),
    ("<think>a</think>5<think>b</think>", "5", False, "two pairs"),
    ("<THINK>a</THINK>5", "5", False, "case"),
    ("<thinking>a</thinking>5", "5", False, "another name"),
    ("<think>a<think>b</think>c</think>5", "5", False, "nested"),
    ("a < b and b > c: 5", "a < b and b > c: 5", False, "no tag"),
]


@pytest.mark.parametrize(("text", "answer", "unclosed", "why"), THINKING)
def test_thinking_is_split_off(text: str, answer: str, unclosed: bool, why: str) -> None:
    reply = open_reply(text)
    assert reply.text.strip() == answer, why
    assert reply.unclosed is unclosed


EXPLICIT = [
    ("so \\boxed{5}", ["5"]),
    ("\\boxed{\\frac{1}{2}}", ["1/2"]),
    ("\\boxed{a{b}c}", ["abc"]),
    ("$\\boxed{5}$ million", ["5 million"]),
    ("\\boxed{14.2}\\%", ["14.2 %"]),
    ("\\fbox{5}", ["5"]),
    ("\\boxed 5", ["5"]),
    ("\x08oxed{5}", ["5"]),
    ("\\boxed{}", []),
    ("\\boxed{answer}", []),
    ("\\boxed{...}", []),
    ("in the format \\boxed{5}", []),
    ("<answer>5</answer>", ["5"]),
    ("<answer>5", ["5"]),
    ('{"answer": "5", "why": "2+3"}', ["5"]),
    ('{"final_answer": 5}', ["5"]),
    ("work\n#### 5", ["5"]),
    ("The final answer is 5.", ["5"]),
    ("**Answer:** 5", ["5"]),
    ("### Final Answer\n\n5", ["5"]),
    ("the correct answer to the question would be 5", ["5"]),
    ("答案：5", ["5"]),
    ("正确答案是B。", ["B"]),
    ("故选B。", ["B"]),
    ("nothing here", []),
]


@pytest.mark.parametrize(("text", "found"), EXPLICIT)
def test_explicit_statements_are_found(text: str, found: list[str]) -> None:
    assert [s.text.rstrip(".。") for s in claims(open_reply(text).text)] == found


@pytest.mark.parametrize(
    "text",
    [
        "I cannot determine the growth rate.",
        "This can't be calculated from the data.",
        "There is not enough information.",
        "The 2014 figures are not provided.",
        "I'm sorry, but I have no access to the filing.",
        "无法确定。",
        "数据不足，无法计算。",
        "抱歉，题目没有给出所需信息。",
    ],
)
def test_refusals_are_recognised(text: str) -> None:
    assert refuses(text)


@pytest.mark.parametrize(
    "text",
    [
        "The growth rate is 5%.",
        "The result cannot be negative, so it is 5.",
        "At first it seems that this cannot be determined, but it can be: 5.",
        "This does not constitute advice.",
    ],
)
def test_other_sentences_are_no_refusals(text: str) -> None:
    assert not refuses(text)


@given(st.text(max_size=400))
def test_offsets_lead_back_to_the_original(text: str) -> None:
    reply = open_reply(text)
    for at, char in enumerate(reply.text):
        if char.isascii() and char.isalnum() and text[reply.origin(at)].isascii():
            assert text[reply.origin(at)] == char


@given(st.text(max_size=400))
def test_no_reply_raises(text: str) -> None:
    claims(open_reply(text).text)


@pytest.mark.parametrize(
    "unit", ["\\boxed{", "<think>", "<answer>", "the answer is ", "{", "9", "1,", "Wait, ", "答案", "\n"]
)
def test_time_does_not_grow_faster_than_length(unit: str) -> None:
    def seconds(size: int) -> float:
        text = unit * (size // len(unit))
        start = time.process_time()
        claims(open_reply(text).text)
        return time.process_time() - start

    assert seconds(1_000_000) < 10  # generous: a quadratic scan of a megabyte takes minutes


def test_a_long_reply_keeps_its_head_its_tail_and_what_surrounds_its_cues() -> None:
    reply = open_reply("HEAD " + "x " * 100_000 + "\\boxed{5}" + " y" * 100_000 + " TAIL")
    assert len(reply.text) < 30_000
    assert all(part in reply.text for part in ("HEAD", "\\boxed{5}", "TAIL"))
