"""Questions and their resampled variants, compared pair by pair."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from finbench.errors import DataError
from finbench.scores.resampled import pairs


def write(path: Path, lines: list[dict[str, Any]]) -> Path:
    path.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    return path


def sample(name: str, correct: bool, original: str | None = None, repeat: int = 0, cluster: str = "") -> dict[str, Any]:
    return {
        "doc": {"original": original} if original else {},
        "finbench": {"id": name, "repeat": repeat, "correct": correct, "cluster": cluster},
    }


def test_originals_and_variants_are_paired_by_question(tmp_path):
    before = [sample("a", True), sample("b", True), sample("c", False), sample("d", True), sample("left out", True)]
    after = [sample("d#7", False, "d"), sample("a#7", True, "a"), sample("b#7", False, "b"), sample("c#7", True, "c")]
    found = pairs(write(tmp_path / "a.jsonl", before), write(tmp_path / "b.jsonl", after))
    assert (found.n, found.original.mean, found.resampled.mean) == (4, 0.75, 0.5)
    assert (found.only_original, found.only_resampled) == (2, 1)
    assert found.drop.mean == 0.25 and found.drop.low < 0.25 < found.drop.high


def test_repeats_are_averaged_and_files_without_pairs_are_refused(tmp_path):
    before = write(tmp_path / "a.jsonl", [sample("a", True), sample("a", False, repeat=1)])
    after = write(tmp_path / "b.jsonl", [sample("a#7", True, "a")])
    assert pairs(before, after).drop.mean == -0.5
    with pytest.raises(DataError, match="run both tasks on the same rows"):
        pairs(before, write(tmp_path / "c.jsonl", [sample("x#7", True, "x")]))


def test_questions_of_one_page_belong_together_and_a_question_without_a_page_stands_alone(tmp_path):
    names = [f"q{i}" for i in range(12)]
    for clusters, groups in (([f"p{i // 3}" for i in range(12)], 4), ([""] * 12, 12)):
        before = [sample(name, i % 3 > 0, cluster=page) for i, (name, page) in enumerate(zip(names, clusters))]
        after = [sample(f"{name}#7", i < 6, name) for i, name in enumerate(names)]
        found = pairs(write(tmp_path / "a.jsonl", before), write(tmp_path / "b.jsonl", after))
        assert (found.original.clusters, found.resampled.clusters, found.drop.clusters) == (groups,) * 3
