"""Records as JSON: whatever a reply holds comes back as it was, and stays one line."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finbench.records import Grade, Message, Response
from finbench.serialize import compact, grade_from, grade_json, packed, response_from, response_json, value_from

ANY_TEXT = st.text(st.characters(), max_size=60)  # lone surrogates too
HOSTILE = ["", "\0", "\ud800", "\udfff\ud800", "a\nb\r\u2028\u2029\x85\x0b\x1c", "é中文\U0001f4b6", '"\\', "\x7f"]


@given(ANY_TEXT, ANY_TEXT, st.floats(0, 1e6), st.none() | st.integers(0, 2**40))
def test_any_response_survives(text: str, error: str, seconds: float, tokens: int | None) -> None:
    response = Response("r", text, "stop", reasoning=text, output_tokens=tokens, seconds=seconds, error=error)
    assert response_from(response_json(response)) == response


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_text_survives_on_one_line(text: str) -> None:
    response = Response("r", text, "length", reasoning=text)
    line = response_json(response)
    assert len(line.splitlines()) == 1 and response_from(line) == response_from(line.encode()) == response
    assert json.loads(line)["text"] == text
    grade = Grade(False, "different", extracted=text, value=text, span=(0, 3), metrics={"acc_executed": 1.0})
    assert grade_from(grade_json(grade)) == grade
    assert json.loads(packed((Message("user", text),))) == [{"role": "user", "content": text}]


@pytest.mark.parametrize("logprob", [-math.inf, -12.5, 0.0])
def test_a_log_likelihood_survives(logprob: float) -> None:
    response = Response("r", "", "stop", logprob=logprob, greedy=False)
    assert response_from(response_json(response)) == response


def test_metrics_of_lm_eval_survive_whatever_they_are() -> None:
    grade = Grade(True, "equal", rule="lm-eval", metrics={"acc,none": -math.inf, "f1,none": [1, "0"], "ppl": 3})
    back = grade_from(grade_json(grade))
    assert back == grade and back.span is None
    assert math.isnan(
        grade_from(grade_json(Grade(True, "equal", rule="lm-eval", metrics={"x": math.nan}))).metrics["x"]
    )


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | ANY_TEXT, st.lists))
def test_any_value_survives(value: object) -> None:
    assert value_from(compact(value)) == value


def test_what_is_no_json_is_refused() -> None:
    with pytest.raises(TypeError):
        compact({"a": object()})
    with pytest.raises(ValueError):
        value_from("{")
    with pytest.raises(ValueError):
        response_from("[1")


def test_a_grade_from_before_certainty_loads_and_says_nothing_of_it() -> None:
    old = grade_from('{"correct":true,"reason":"equal","extracted":"5","span":[0,1]}')
    assert (old.correct, old.certainty, old.rival) == (True, "", "")
    assert grade_from(grade_json(old)) == old
    new = Grade(True, "equal", span=(0, 1), certainty="unsure", rival="7 stands behind it")
    assert grade_from(grade_json(new)) == new
