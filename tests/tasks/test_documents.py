"""Rows as documents: what is needed, what is refused, and that refusals are in words."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finbench.errors import FinbenchError, TaskError
from finbench.tasks.documents import document_from_row

ROW = {"id": "q1", "question": "How much?", "gold": "5", "answer": {"kind": "number"}}


def test_a_minimal_row_is_a_document_with_one_gold():
    document = document_from_row(ROW, "mine")
    assert (document.id, document.task, document.answer.kind) == ("q1", "mine", "number")
    assert [(gold.text, gold.source) for gold in document.golds] == [("5", "gold")]


def test_golds_replace_the_gold_and_keep_their_source():
    row = ROW | {"golds": [{"text": "5", "source": "executed"}, {"text": "5.0"}]}
    assert [(gold.text, gold.source) for gold in document_from_row(row, "t").golds] == [
        ("5", "executed"),
        ("5.0", "gold"),
    ]


def test_unset_fields_of_the_answer_keep_their_defaults():
    row = ROW | {"answer": {"kind": "choice", "choices": {"A": "up"}, "unit": None, "classes": ["x"]}}
    answer = document_from_row(row, "t").answer
    assert (answer.choices, answer.unit, answer.classes) == ({"A": "up"}, None, ("x",))


def test_a_row_that_declares_no_kind_takes_the_one_of_the_door():
    row = {key: value for key, value in ROW.items() if key != "answer"}
    assert document_from_row(row, "t", kind="text").answer.kind == "text"


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"id": 1}, "`id`"),
        ({"question": None}, "`question`"),
        ({"gold": 5.0}, "`gold`"),
        ({"answer": "number"}, "`answer`"),
        ({"answer": {"kind": "numeric"}}, "answer.kind"),
        ({"answer": {"kind": "number", "unti": "percent"}}, "unti"),
        ({"golds": [{"source": "x"}]}, "text"),
        ({"golds": 5}, "docs/custom-tasks.md"),
    ],
)
def test_a_row_that_breaks_the_contract_is_refused_with_the_field(change, named):
    with pytest.raises(TaskError) as caught:
        document_from_row(ROW | change, "mine")
    assert named in str(caught.value) and "mine" in str(caught.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
FIELDS = ("id", "question", "gold", "golds", "answer", "cluster", "flags", "facets", "cells", "steps")


@given(st.dictionaries(st.sampled_from(FIELDS), JSON), st.dictionaries(st.sampled_from(FIELDS), JSON))
def test_any_row_is_a_document_or_one_of_our_errors(row, change):
    for candidate in (row, ROW | change):
        with suppress(FinbenchError):
            document_from_row(candidate, "fuzz")
