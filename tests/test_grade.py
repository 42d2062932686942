"""The line protocol: one verdict a line, at once, whatever the line holds."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import time

import pytest

from finbench.grade import grade_line, main


def ask(output: str, **more: str) -> dict[str, object]:
    row = {
        "id": "1",
        "task": "finqa",
        "question": "what was the percentage change?",
        "gold": "0.142",
        "gold_display": "",
    }
    return grade_line(json.dumps(row | {"output": output} | more))


def test_a_verdict_has_id_extracted_correct_reason_and_certainty() -> None:
    verdict = {"id": "1", "extracted": "14.2%", "correct": True, "reason": "percent_form", "certainty": "sure"}
    assert ask("14.2%") == verdict


@pytest.mark.parametrize(
    "line",
    [
        "",
        "x",
        "[]",
        "3",
        '{"task": "finqa"}',
        '{"id": 1, "task": "nothing", "gold": "1", "output": "1"}',
        '{"id": 1, "task": "finqa", "gold": "1", "output": 5}',
        '{"id": 1, "task": "finqa", "output": "5"}',
        "[" * 100_000,
        '{"id": "\ud800"',
    ],
)
def test_a_bad_line_is_wrong_with_an_error(line: str) -> None:
    verdict = grade_line(line)
    assert verdict["correct"] is False
    assert verdict["error"]


@pytest.mark.parametrize("gold", ["1e999", "NaN", "1" * 5000, "-0", '"1e999999999"', '["5"]', "true", '{"a": 1}'])
def test_odd_golds_do_not_raise(gold: str) -> None:
    line = f'{{"id": 1, "task": "custom", "question": "", "gold": {gold}, "output": "7"}}'
    assert grade_line(line)["correct"] is False


MEGABYTE = 1_000_000
HOSTILE = {
    "digits": ("9" * MEGABYTE, False),
    "open boxes": ("\\boxed{" * (MEGABYTE // 7), False),
    "boxes": ("\\boxed{14.2\\%}" * (MEGABYTE // 15), True),
    "open thinking": ("<think>" * (MEGABYTE // 7) + "14.2%", False),
    "stray closes": ("</think>" * (MEGABYTE // 8) + "14.2%", True),
    "braces": ("{" * MEGABYTE, False),
    "parentheses": ("\\boxed{" + "(" * 2000 + "14.2" + ")" * 2000 + "}", False),
    "power tower": ("\\boxed{9^{9^{9^{9^9}}}}", False),
    "huge exponent": ("\\boxed{1e999999999}", False),
    "tiny exponent": ("\\boxed{1e-999999999}", False),
    "five thousand digits": ("\\boxed{" + "1" * 5000 + "}", False),
    "nested fractions": ("\\boxed{" + "\\frac{1}{" * 500 + "1" + "}" * 500 + "}", False),
    "nested roots": ("\\boxed{" + "\\sqrt{" * 1000 + "2" + "}" * 1000 + "}", False),
    "long sum": ("\\boxed{" + "+".join(["1"] * 5000) + "}", False),
    "division by zero": ("\\boxed{1/0}", False),
    "code": ("\\boxed{__import__('os').system('true')}", False),
    "cues": ("the answer is " * (MEGABYTE // 14), False),
    "quotes": ('"answer": "' * (MEGABYTE // 11), False),
    "backslashes": ('"answer": "' + "\\" * MEGABYTE, False),
    "tags": ("<answer>" * (MEGABYTE // 8), False),
    "hashes": ("#### \n" * (MEGABYTE // 6), False),
    "commas": ("1," * (MEGABYTE // 2), False),
    "groups": ("1" + ",111" * (MEGABYTE // 4), False),
    "blanks": (" " * MEGABYTE, False),
    "lines": ("1\n" * (MEGABYTE // 2), False),
    "numerals": ("one hundred " * (MEGABYTE // 12), False),
    "Chinese numerals": ("万亿" * (MEGABYTE // 2), False),
    "retractions": ("\\boxed{14.2\\%}" + " Wait," * (MEGABYTE // 6), True),
    "invisible": ("14\u200b.2\u200b%" + "\u200b" * MEGABYTE, True),
    "surrogates": ("\ud800" * 1000 + " 14.2%", True),
    "zeros": ("\0" * MEGABYTE, False),
    "head": ("\\boxed{14.2\\%} " + "x" * MEGABYTE, True),
    "middle": ("x " * (MEGABYTE // 4) + "\\boxed{14.2\\%}" + " x" * (MEGABYTE // 4), True),
    "tail": ("x " * (MEGABYTE // 2) + "\\boxed{14.2\\%}", True),
    "thought": ("<think>" + "x" * MEGABYTE + "</think>\\boxed{14.2\\%}", True),
    "question marks": ("\nQuestion:" * (MEGABYTE // 10), False),
    "equations": ("1=" * (MEGABYTE // 2), False),
    "percent signs": ("%" * MEGABYTE, False),
    "a raised digit": ("3.1²", False),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_outputs_get_their_verdict_in_time(name: str) -> None:
    output, correct = HOSTILE[name]
    for task, gold in (("finqa", "0.142"), ("ant_finance", "B"), ("tfns", "bullish"), ("finance_instruct", "a fact")):
        start = time.process_time()
        verdict = ask(output, task=task, gold=gold)
        assert time.process_time() - start < 10  # 0.1 s on an idle core
        assert "error" not in verdict
        assert verdict["correct"] is (correct and task == "finqa")


def test_every_line_is_answered_and_blank_ones_are_skipped() -> None:
    row = json.dumps({"id": "a", "task": "custom", "question": "", "gold": "5", "output": "5"})
    out = io.StringIO()
    main([row, "\n", "broken", row], out)
    assert [json.loads(line)["correct"] for line in out.getvalue().splitlines()] == [True, False, True]


def test_the_program_answers_before_the_next_line_comes() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "finbench.grade"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        for gold, correct in (("5", True), ("6", False)):
            row = {"id": "é", "task": "custom", "question": "", "gold": gold, "output": "5"}
            process.stdin.write(json.dumps(row).encode() + b"\n")
            process.stdin.flush()
            verdict = json.loads(process.stdout.readline())
            given = {"id": "é", "extracted": "5", "correct": correct, "reason": verdict["reason"]}
            assert verdict == given | {"certainty": "sure"}
        process.stdin.write(b"\xff\xfe broken\n")
        process.stdin.close()
        assert json.loads(process.stdout.readline())["error"]


def test_the_function_of_the_api_is_not_hidden_by_the_module_of_its_name() -> None:
    import finbench

    assert "finbench.grade" in sys.modules
    assert finbench.grade("The margin was 14.2%.", "0.142", question="what is the margin?").correct
