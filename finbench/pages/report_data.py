"""One pass over a run's samples: what its report counts, and the samples that it quotes."""

from __future__ import annotations

import heapq
import json
from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from finbench.audit.reply import METRICS
from finbench.pages import audit_marks, html
from finbench.scores import samples
from finbench.scores.intervals import Accumulator

EXAMPLES = 3  # wrong samples shown per reason and task
DISAGREEMENTS = 20  # samples listed where judge and grader differ
UNSURE = 10  # samples listed per task whose verdict is unsure
COSTLY = 8  # samples listed as slowest and as longest
TAIL = 700  # characters of a reply's end that an example shows
MARKED = 24  # wrong samples per task that are shown whole, with the marks of the audit
# What the audit has found, by the metrics of a sample: the first of these that holds; EXAMPLES of each are shown.
NOTABLE: dict[str, Callable[[Mapping[str, Any]], bool]] = {
    "Right by luck": lambda found: found.get("lucky_share") == 1,
    "Right answers with a wrong calculation": lambda found: (
        found["right"] and found.get("wrong_calculation_share", 0) > 0
    ),
    "Wrong operation on the right numbers": lambda found: found.get("wrong_operation_share") == 1,
    "Sound, and as the gold program does it": lambda found: (
        found["right"] == found.get("grounded_share") == found.get("same_program_share") == 1
    ),
}


@dataclass(slots=True)
class Gathered:
    """What one pass over a task's samples leaves."""

    tokens: array[int] = field(default_factory=lambda: array("q"))
    lengths: list[tuple[int, bool, str]] = field(default_factory=list)  # output tokens, right or not, cluster
    facets: dict[str, dict[str, Accumulator]] = field(default_factory=dict)  # facet -> value -> scores
    examples: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    disputed: list[dict[str, Any]] = field(default_factory=list)
    unsure: list[dict[str, Any]] = field(default_factory=list)  # the verdict is the grader's, and it is not sure of it
    errors: dict[str, int] = field(default_factory=dict)  # error text -> count
    audit: dict[str, Accumulator] = field(default_factory=dict)  # metric of the audit -> its values
    notable: dict[str, list[dict[str, Any]]] = field(default_factory=dict)  # heading of NOTABLE -> samples


def gather(run_dir: Path, name: str, entry: Mapping[str, Any], costly: list[dict[str, Any]]) -> Gathered:
    """One pass over the samples of a task; the candidates for slowest and longest are kept in `costly`."""
    out = Gathered()
    judged, by_grader = (entry.get("verdict_by", "grader") == by for by in ("judge", "grader"))
    for path in samples.samples_files(run_dir, name, entry):
        for _, line in samples.lines(path):
            sample = samples.graded(line)
            right = samples.verdict_of(sample, judged)
            _count(out, sample, right)
            costly.append(_cost(name, sample, right))
            if len(costly) > 4096:
                costly[:] = dearest(costly)
            wanted = out.examples.setdefault(sample["reason"], []) if not right else None
            if wanted is not None and len(wanted) < EXAMPLES:
                marked = sum(one["marking"] is not None for some in out.examples.values() for one in some)
                wanted.append(_example(sample, line, marked=marked < MARKED))
            _audited(out, sample, right, line)
            if by_grader and sample.get("certainty") == "unsure" and len(out.unsure) < UNSURE:
                out.unsure.append(_example(sample, line) | {"rival": str(sample.get("rival") or "")})
            disputed = samples.code(sample) & samples.JUDGE_DISAGREES
            if disputed and len(out.disputed) < DISAGREEMENTS:
                out.disputed.append(_example(sample, line) | {"judge": sample["judge"]["verdict"]})
    costly[:] = dearest(costly)
    return out


def _count(out: Gathered, sample: Mapping[str, Any], right: bool) -> None:
    written = sample.get("output_tokens")
    if written is not None:
        out.tokens.append(written)
        out.lengths.append((written, right, sample.get("cluster") or ""))
    for facet, value in (sample.get("facets") or {}).items():
        out.facets.setdefault(facet, {}).setdefault(str(value), Accumulator()).add(right, sample.get("cluster") or "")
    if sample.get("error"):
        text = str(sample["error"])[:300]
        out.errors[text] = out.errors.get(text, 0) + 1


def _audited(out: Gathered, sample: Mapping[str, Any], right: bool, line: bytes) -> None:
    """Count what the audit said when the sample was graded, and keep what is worth a look."""
    found = sample.get("metrics") or {}
    if "grounded_share" not in found and "wrong_calculation_share" not in found:
        return
    for name in METRICS:
        if name in found:
            out.audit.setdefault(name, Accumulator()).add(found[name], sample.get("cluster") or "")
    heading = next((words for words, holds in NOTABLE.items() if holds({**found, "right": right})), "")
    kept = out.notable.setdefault(heading, [])
    if heading and len(kept) < EXAMPLES:
        kept.append(_example(sample, line, marked=True))


def _cost(task: str, sample: Mapping[str, Any], right: bool) -> dict[str, Any]:
    return {
        "task": html.task_title(task),
        "id": sample["id"],
        "seconds": sample.get("seconds"),
        "tokens": sample.get("output_tokens"),
        "finish": sample.get("finish"),
        "right": right,
        "reason": sample["reason"],
    }


def slowest(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The samples that took longest, the slowest first."""
    return heapq.nlargest(COSTLY, rows, key=lambda row: (row["seconds"] or 0, row["id"]))


def longest(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The samples with most output tokens, the longest first."""
    return heapq.nlargest(COSTLY, rows, key=lambda row: (row["tokens"] or 0, row["id"]))


def dearest(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows that can still be among the slowest or the longest."""
    slow = slowest(rows)
    return slow + [row for row in longest(rows) if row not in slow]


def _example(sample: Mapping[str, Any], line: bytes, *, marked: bool = False) -> dict[str, Any]:
    whole = json.loads(line)
    text = samples.first_reply(whole)
    answer = text[text.rfind("</think>") + len("</think>") :] if "</think>" in text else text
    answer = answer.strip()
    return {
        "id": sample["id"],
        "question": sample["question"],
        "golds": "  or  ".join(gold["text"] for gold in sample["golds"]),
        "extracted": sample.get("extracted"),
        "reason": sample["reason"],
        "correct": bool(sample["correct"]),
        "tail": ("…" if len(answer) > TAIL else "") + answer[-TAIL:],
        "marking": audit_marks.of_line(whole) if marked else None,
    }
