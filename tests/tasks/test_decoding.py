"""`generation_kwargs` of a YAML: what each name becomes, and which are named because nobody knows them."""

from __future__ import annotations

from typing import Any

import pytest

from finbench.records import Sampling, content_hash
from finbench.tasks import decoding


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (None, Sampling()),
        ({"until": "Q:"}, Sampling(stop=("Q:",))),
        ({"until": None, "max_gen_toks": None}, Sampling()),
        ({"max_new_tokens": 150, "max_tokens": 9}, Sampling(max_tokens=150)),
        ({"max_gen_toks": 7, "max_new_tokens": 150}, Sampling(max_tokens=7)),
        ({"temperature": 0.5}, Sampling(temperature=0.5)),
        ({"do_sample": True, "temperature": 0.2}, Sampling(temperature=0.2)),
        ({"do_sample": False, "temperature": 0.5}, Sampling()),
        ({"top_k": -1}, Sampling()),
        ({"min_p": 0.05, "frequency_penalty": 0.5}, Sampling(min_p=0.05, frequency_penalty=0.5)),
        (
            {"top_p": 0.9, "top_k": 5, "repetition_penalty": 1.1, "presence_penalty": 2},
            Sampling(top_p=0.9, top_k=5, repetition_penalty=1.1, presence_penalty=2.0),
        ),
    ],
)
def test_every_known_name_reaches_the_engine(settings: dict[str, Any] | None, expected: Sampling) -> None:
    assert decoding.sampling_of(settings) == expected and not decoding.unknown(settings)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"num_beams": 1, "use_cache": True}, {}),
        ({"num_beams": 4}, {"num_beams": 4}),
        ({"temprature": 0.7, "typical_p": None}, {"temprature": 0.7}),
    ],
)
def test_a_name_that_nobody_knows_is_named_unless_it_changes_nothing(
    settings: dict[str, Any], named: dict[str, Any]
) -> None:
    assert decoding.unknown(settings) == named


def test_requests_without_the_newer_settings_keep_the_ids_of_older_runs() -> None:
    older = (
        '[{"choices": [], "max_tokens": 4096, "presence_penalty": 0.0, "repetition_penalty": 1.0, "seed": null, '
        '"stop": ["x"], "temperature": 0.0, "top_k": 0, "top_p": 1.0}]'
    )
    from finbench.records import text_hash

    assert content_hash(Sampling(stop=("x",))) == text_hash(older)
    assert content_hash(Sampling(stop=("x",), min_p=0.1)) != content_hash(Sampling(stop=("x",)))
