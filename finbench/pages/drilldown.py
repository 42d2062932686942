"""What the drill-down of a page carries: every verdict and answer, and as many replies as fit, the first with marks.

Questions and prompts are packed once per task, answers once per run and task. Whole samples are read only for the
replies that are shown.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from finbench.pages import audit_marks
from finbench.pages.html import packed
from finbench.scores.samples import (
    CORRECT,
    JUDGE_DISAGREES,
    UNSURE,
    WORDS,
    SampleColumn,
    Samples,
    TaskDocuments,
    first_reply,
)

TEXT_LIMIT = 200_000  # characters of one reply on the page; a model in a loop can write megabytes
BATCH = 10  # replies read at a time
WRONG_SHOWN = 50  # replies of wrong answers per run and task that are shown whatever the budget says
MARKED, MARKED_LEAST = 1000, 4  # replies of a page, and of a run and task, that carry the marks of the reasoning audit
MARKED_WEIGHT = 2.5  # a reply with marks, its table and its findings against its text alone


@dataclass(frozen=True, slots=True)
class Packed:
    """Chunks by key (`docs:TASK`, `prompts:TASK:VARIANT`, `verdicts`, `answers:ROW:TASK`, `replies:ROW:TASK`).

    `variants` says which prompts a cell was asked with; `samples` counts the answers on the page, `replies` the texts.
    """

    chunks: dict[str, str]
    variants: dict[tuple[int, int], int]
    samples: int
    replies: int


def pack(samples: Samples, budget: int) -> Packed:
    """The chunks of a page for its samples; replies fill what is left of `budget` bytes.

    At least WRONG_SHOWN replies of wrong answers are shown per cell, so the result can be larger than the budget:
    the caller moves chunks to files beside the page then.
    """
    cells, tasks = samples.cells, samples.tasks
    chunks = {"verdicts": packed(_verdicts(cells, tasks))}
    for number, task in tasks.items():
        columns = ("ids", "questions", "golds", "flags", "facets")
        chunks[f"docs:{number}"] = packed({name: getattr(task, name) for name in columns})
    for (row, number), cell in cells.items():
        chunks[f"answers:{row}:{number}"] = packed(_along(cell, len(tasks[number].ids)))
    prompts = _Prompts(tasks)
    for key, cell in cells.items():
        prompts.learn(key, cell)
    chunks |= prompts.chunks()
    replies = _fill(cells, prompts, budget - sum(map(len, chunks.values())))
    chunks |= {f"replies:{row}:{number}": text for (row, number), (text, _) in replies.items()}
    shown = sum(count for _, count in replies.values())
    return Packed(chunks, prompts.variant, sum(len(cell.documents) for cell in cells.values()), shown)


def _verdicts(cells: Mapping[tuple[int, int], SampleColumn], tasks: Mapping[int, TaskDocuments]) -> dict[str, Any]:
    """All verdicts as strings (documents in order, repeat after repeat), and the cluster of every document.

    Cells with partial credit bring their credits along, in the same order.
    """
    strings, partial = {}, {}
    for (row, number), cell in cells.items():
        size = len(tasks[number].ids)
        line = bytearray(b" " * (size * (max(cell.repeats, default=0) + 1)))
        for document, repeat, value in zip(cell.documents, cell.repeats, cell.codes, strict=True):
            line[repeat * size + document] = value
        strings[f"{row}:{number}"] = line.decode("latin-1")
        if any(credit not in (0, 1) for credit in cell.credits):
            partial[f"{row}:{number}"] = _spread(cell, cell.credits, size)
    clusters = {str(number): task.clusters for number, task in tasks.items()}
    return {"cells": strings, "credits": partial, "clusters": clusters}


def _along(cell: SampleColumn, size: int) -> dict[str, list[Any]]:
    """The answers of a cell in the order of its verdict string, None where there is no sample."""
    whole = [f"{name}s" for name in WORDS]
    return {name: values if name in whole else _spread(cell, values, size) for name, values in cell.answers.items()}


def _spread(cell: SampleColumn, values: Iterable[Any], size: int) -> list[Any]:
    spread: list[Any] = [None] * (size * (max(cell.repeats, default=0) + 1))
    for document, repeat, value in zip(cell.documents, cell.repeats, values, strict=True):
        spread[repeat * size + document] = value
    return spread


def _whole(cell: SampleColumn, positions: Iterable[int]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Whole samples at positions of a cell, in file order, each with its position."""
    for number, path in enumerate(cell.source.paths):
        with path.open("rb") as file:
            for position in sorted(at for at in positions if cell.files[at] == number):
                file.seek(cell.offsets[position])
                yield position, json.loads(file.readline())


def prompt_of(sample: Mapping[str, Any]) -> tuple[str, str | list[list[str]]]:
    """(system message, the rest) of what a sample was asked: one user message or raw prompt as text, else turns."""
    arguments = sample.get("arguments") or {}
    first = arguments.get("gen_args_0") or {}
    asked = first.get("arg_0") or ""
    if isinstance(asked, str):
        return "", asked
    turns = [[str(turn.get("role", "")), str(turn.get("content", ""))] for turn in asked]
    system = turns.pop(0)[1] if turns and turns[0][0] == "system" else ""
    if len(turns) == 1 and turns[0][0] == "user":
        return system, turns[0][1]
    return system, turns


class _Prompts:
    """Prompts without their system message, once per task and wording.

    A cell joins a wording when three of its prompts agree with it; every reply that is shown is compared again, and
    brings its own prompt along when that differs.
    """

    def __init__(self, tasks: Mapping[int, TaskDocuments]) -> None:
        self._tasks = tasks
        self._wordings: dict[int, list[dict[int, str | list[list[str]]]]] = {}
        self.variant: dict[tuple[int, int], int] = {}

    def learn(self, key: tuple[int, int], cell: SampleColumn) -> None:
        """Decide which wording a cell was asked with, and read the prompts that are not known yet."""
        wordings = self._wordings.setdefault(key[1], [])
        count = len(cell.documents)
        probes = {0, count // 2, count - 1} if count else set()
        seen = {cell.documents[at]: prompt_of(sample)[1] for at, sample in _whole(cell, probes)}
        fitting = [
            number
            for number, known in enumerate(wordings)
            if seen and all(known.get(document, text) == text for document, text in seen.items())
        ]
        if not fitting:
            wordings.append({})
        number = fitting[0] if fitting else len(wordings) - 1
        known = wordings[number]
        self.variant[key] = number
        missing = [at for at in range(count) if cell.documents[at] not in known and not cell.repeats[at]]
        for at, sample in _whole(cell, missing):
            known[cell.documents[at]] = prompt_of(sample)[1]

    def own(self, key: tuple[int, int], document: int, text: str | list[list[str]]) -> bool:
        """Whether a prompt differs from the one that the page shows for this cell and document."""
        return self._wordings[key[1]][self.variant[key]].get(document) != text

    def chunks(self) -> dict[str, str]:
        out = {}
        for task, wordings in self._wordings.items():
            for number, known in enumerate(wordings):
                size = len(self._tasks[task].ids)
                out[f"prompts:{task}:{number}"] = packed([known.get(document) for document in range(size)])
        return out


def _fill(
    cells: Mapping[tuple[int, int], SampleColumn], prompts: _Prompts, budget: int
) -> dict[tuple[int, int], tuple[str, int]]:
    """Per cell the packed replies and their number; what one cell leaves of its share goes to the next ones."""
    made: dict[tuple[int, int], tuple[str, int]] = {}
    budget -= budget // 100  # sizes are estimates, and the last chunk has no successor to save for
    ratio = 0.5  # packed bytes per byte of text, corrected by every chunk that is made
    marked = max(MARKED_LEAST, MARKED // max(1, len(cells)))
    for done, (key, cell) in enumerate(cells.items()):
        share = max(0, budget) / (len(cells) - done)
        entries, systems, raw = _replies(key, cell, prompts, share / ratio, marked)
        text = packed({"systems": systems, "items": entries})
        if raw > 10_000:
            ratio = 0.5 * ratio + 0.5 * len(text) / raw
        made[key] = (text, len(entries))
        budget -= len(text)
    return made


def _order(cell: SampleColumn, marked: int) -> list[int]:
    """Positions of a cell, what a reader wants to see first: some right by luck, then wrong, doubtful, right answers.

    Doubtful are right answers that the judge disputes or the grader is unsure of.
    """
    lucky = [at for at in cell.lucky if cell.codes[at] & CORRECT][: marked // 3]
    wrong = [at for at, value in enumerate(cell.codes) if not value & CORRECT]
    doubtful = [at for at, value in enumerate(cell.codes) if value & CORRECT and value & (JUDGE_DISAGREES | UNSURE)]
    return list(dict.fromkeys([*lucky, *wrong, *doubtful, *range(len(cell.codes))]))


def _replies(
    key: tuple[int, int], cell: SampleColumn, prompts: _Prompts, room: float, marked: int
) -> tuple[list[list[Any]], list[str], float]:
    """Replies of one cell for about `room` bytes of text, the first `marked` with marks, and what they weigh.

    An entry is [place in the verdict string, reply].
    """
    entries: list[list[Any]] = []
    systems: dict[str, int] = {}
    size = len(prompts._tasks[key[1]].ids)
    chosen, spent = _order(cell, marked), 0.0
    with_marks = frozenset(chosen[:marked])
    for start in range(0, len(chosen), BATCH):
        batch = chosen[start : start + BATCH]
        if spent > room:  # only the wrong answers that are shown whatever the budget says
            batch = [at for at in batch if start < WRONG_SHOWN and not cell.codes[at] & CORRECT]
        if not batch:
            break
        for at, sample in _whole(cell, batch):
            document = cell.documents[at]
            entry = reply(sample)
            weight: float = len(entry["t"]) + len(entry["r"]) + 60
            if at in with_marks and (marks := _marks(sample)):
                entry = {name: value for name, value in entry.items() if name not in ("t", "r", "s")} | {"m": marks}
                weight *= MARKED_WEIGHT
            system, asked = prompt_of(sample)
            entry["y"] = systems.setdefault(system, len(systems))
            if prompts.own(key, document, asked):
                entry["p"] = asked
            entries.append([cell.repeats[at] * size + document, entry])
            spent += weight
    return entries, list(systems), spent


def _marks(sample: Mapping[str, Any]) -> dict[str, Any] | None:
    """The marks of a sample's reply, which hold its text; None where there are none or the reply is too long for them."""
    marks = audit_marks.of_line(sample)
    return marks.plain if marks and not (marks.reasoning_cut or marks.answer_cut) else None


def reply(sample: Mapping[str, Any]) -> dict[str, Any]:
    """What the page shows of one reply. `s` is the answer's place in UTF-16 units, as JavaScript counts."""
    kept = sample["finbench"]
    text = first_reply(sample)
    entry: dict[str, Any] = {"t": text[:TEXT_LIMIT], "r": (kept.get("reasoning") or "")[:TEXT_LIMIT]}
    if len(text) > TEXT_LIMIT:
        entry["cut"] = len(text)
    span = kept.get("span")
    if span and span[1] <= TEXT_LIMIT:
        start = _utf16(text[: span[0]])
        entry["s"] = [start, start + _utf16(text[span[0] : span[1]])]
    for short, name in (
        ("e", "error"),
        ("f", "finish"),
        ("sec", "seconds"),
        ("att", "attempts"),
        ("in", "prompt_tokens"),
    ):
        if kept.get(name) not in (None, ""):
            entry[short] = kept[name]
    if kept.get("judge"):
        entry["j"] = {name: str(kept["judge"].get(name) or "") for name in ("verdict", "model", "text")}
    return entry


def _utf16(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
