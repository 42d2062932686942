"""Prices: which entry a model gets, and what a faulty file says."""

from __future__ import annotations

from pathlib import Path

import pytest

from finbench.errors import UsageError
from finbench.runs.cost import Price, read

FILE = '{"currency": "EUR", "models": {"m-*": {"input": 1, "output": 2}, "m-large*": {"input": 3, "output": 4}}}'


@pytest.mark.parametrize(
    ("model", "expected"),
    [("m-small", Price(1, 2, "EUR")), ("M-Large-2", Price(3, 4, "EUR")), ("other", None)],
)
def test_the_most_specific_pattern_sets_the_price(tmp_path: Path, model: str, expected: Price | None) -> None:
    path = tmp_path / "prices.json"
    path.write_text(FILE, "utf-8")
    assert read(path, model) == expected


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[1]", "needs `models:`"),
        ("models: {m: {input: 1}}", "output must be a price"),
        ("models: {m: {input: -1, output: 1}}", "input must be a price"),
        ("models: {m: {input: .nan, output: 1}}", "input must be a price"),
        ("models: {m: cheap}", "input must be a price"),
        ("models: [", "cannot be read"),
    ],
)
def test_a_faulty_price_file_is_named_with_its_fault(tmp_path: Path, text: str, named: str) -> None:
    path = tmp_path / "prices.yaml"
    path.write_text(text, "utf-8")
    with pytest.raises(UsageError, match=named):
        read(path, "m")
