"""Samples of many runs, packed for the drill-down of one page: every verdict and answer, and as many replies as fit.

Two passes over each samples file. The first reads the small `finbench` object at the end of every line; the second
reads whole lines, only for the replies that are shown. Questions and prompts are kept once per task, answers once per
run and task. Documents of two runs are the same when id, question and first gold agree.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from finbench.errors import StoreError
from finbench.pages import packed
from finbench.records import UNREADABLE_REASONS
from finbench.significance import Difference, paired

if TYPE_CHECKING:
    import numpy as np

# One character per sample: 0x40 plus these bits; a blank where the run did not answer the document.
CORRECT, LENIENT, TRUNCATED, FAILED, UNREADABLE, JUDGE_DISAGREES = 1, 2, 4, 8, 16, 32
TEXT_LIMIT = 200_000  # characters of one reply on the page; a model in a loop can write megabytes
BATCH = 10  # replies read at a time
WRONG_SHOWN = 50  # replies of wrong answers per run and task that are shown whatever the budget says


@dataclass(frozen=True, slots=True)
class Source:
    """The samples files of one run and task (a group has one per sub-task), and whose verdict stands for it."""

    paths: tuple[Path, ...]
    by: str = "grader"  # or "judge", or "reference": the score of free text that no judge has read

    @property
    def judged(self) -> bool:
        return self.by == "judge"

    def credit(self, sample: Mapping[str, Any], right: bool) -> float:
        """What a sample counts for in the score of its task."""
        if self.by == "reference":
            return float((sample.get("metrics") or {}).get("reference", right))
        return float(right)


@dataclass(frozen=True, slots=True)
class Cell:
    """One run's samples of one task, as the first pass leaves them; all lists run along `documents`."""

    source: Source
    documents: array[int]  # index into Task.ids, in file order
    repeats: array[int]
    files: array[int]  # index into source.paths
    offsets: array[int]  # where each line starts
    codes: bytearray
    credits: array[float]
    answers: dict[str, list[Any]]


@dataclass(slots=True)
class Task:
    """The documents of one task over all runs, in the order they were first seen."""

    index: dict[tuple[str, str, str], int] = field(default_factory=dict)
    ids: list[str] = field(default_factory=list)
    questions: list[str] = field(default_factory=list)
    golds: list[list[str]] = field(default_factory=list)
    flags: list[list[str]] = field(default_factory=list)
    facets: list[list[list[str]]] = field(default_factory=list)
    clusters: list[int] = field(default_factory=list)
    names: dict[str, int] = field(default_factory=dict)  # cluster name -> number

    def place(self, sample: Mapping[str, Any]) -> int:
        """The index of a sample's document, added when it is new."""
        golds = [gold["text"] for gold in sample["golds"]]
        key = (sample["id"], sample["question"], golds[0] if golds else "")
        known = self.index.get(key)
        if known is not None:
            return known
        number = self.index[key] = len(self.ids)
        self.ids.append(sample["id"])
        self.questions.append(sample["question"])
        self.golds.append(golds)
        self.flags.append(list(sample.get("flags") or ()))
        self.facets.append([list(pair) for pair in sorted((sample.get("facets") or {}).items())])
        name = sample.get("cluster") or f"\0{number}"
        self.clusters.append(self.names.setdefault(name, len(self.names)))
        return number


@dataclass(frozen=True, slots=True)
class Packed:
    """Chunks by key (`docs:TASK`, `prompts:TASK:VARIANT`, `verdicts`, `answers:ROW:TASK`, `replies:ROW:TASK`).

    `variants` says which prompts a cell was asked with; `samples` counts the answers on the page, `replies` the texts.
    """

    chunks: dict[str, str]
    variants: dict[tuple[int, int], int]
    samples: int
    replies: int


def lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Whole lines of a samples file with the offset they start at; a torn last line is left out."""
    offset = 0
    with path.open("rb") as file:
        for line in file:
            if line.endswith(b"\n") or line.rstrip().endswith(b"}"):
                yield offset, line
            offset += len(line)


_KEY = b'"finbench":'
_decode = json.JSONDecoder().raw_decode


def graded(line: bytes) -> dict[str, Any]:
    """The `finbench` object of a samples line, without parsing the prompt and the reply before it where possible.

    Inside a JSON string every quote is escaped, so an unescaped `"finbench":` is a key; when the line ends right
    after its object, it is the outermost one.
    """
    at = line.rfind(_KEY)
    if at > 0:
        text = line[at + len(_KEY) :].decode("utf-8").lstrip()
        value: dict[str, Any]
        value, end = _decode(text)
        if text[end:].strip() == "}":
            return value
    value = json.loads(line)["finbench"]
    return value


def verdict_of(sample: Mapping[str, Any], judged: bool) -> bool:
    """Right or wrong by the verdict that stands for the task: the judge's where it was asked for, else the grader's."""
    judge = sample.get("judge")
    if judged and judge:
        return bool(judge.get("verdict") == "right")
    return bool(sample["correct"])


def code(sample: Mapping[str, Any], judged: bool = False) -> int:
    """The verdict of one sample as a printable character code."""
    judge = sample.get("judge")
    bits = CORRECT * verdict_of(sample, judged) | LENIENT * bool(sample.get("lenient"))
    bits |= TRUNCATED * (sample.get("finish") == "length") | FAILED * (sample.get("finish") == "error")
    bits |= UNREADABLE * (sample["reason"] in UNREADABLE_REASONS and sample["reason"] != "error")
    if judge and judge.get("verdict") in ("right", "wrong"):
        bits |= JUDGE_DISAGREES * ((judge["verdict"] == "right") != bool(sample["correct"]))
    return 0x40 | bits


def read_cell(source: Source, task: Task) -> Cell:
    """The first pass over the samples of one run and task; documents that are new are added to `task`."""
    rows = []
    for number, path in enumerate(source.paths):
        for offset, line in lines(path):
            try:
                sample = graded(line)
                verdict = code(sample, source.judged)
                placed = (task.place(sample), sample.get("repeat") or 0, number, offset, verdict)
            except (ValueError, KeyError, TypeError) as error:
                what = f"the line at byte {offset} is no graded sample"
                raise StoreError(f"{path}: {what}; run `finbench score {path.parent}`") from error
            get = sample.get
            answer = (get("extracted"), get("value"), get("output_tokens"))
            words = (get("reason") or "", get("rule") or "", get("gold_hit") or "")
            rows.append((*placed, source.credit(sample, bool(verdict & CORRECT)), *answer, *words))
    documents, repeats, files, offsets, codes, credits, extracted, value, tokens, reason, rule, gold = (
        zip(*rows, strict=True) if rows else ((),) * 12
    )
    answers: dict[str, list[Any]] = {
        "extracted": list(extracted),
        "value": [None if one == shown else one for one, shown in zip(value, extracted, strict=True)],
        "tokens": list(tokens),
    }
    for name, column in (("reason", reason), ("rule", rule), ("gold", gold)):
        known = {word: place for place, word in enumerate(dict.fromkeys(column))}
        answers[name], answers[f"{name}s"] = [known[word] for word in column], list(known)
    places, turns, parts, starts = (array("q", column) for column in (documents, repeats, files, offsets))
    return Cell(source, places, turns, parts, starts, bytearray(codes), array("d", credits), answers)


@dataclass(frozen=True, slots=True)
class Samples:
    """All samples of a page: the cells by (row, task), the documents of every task.

    `credits` holds per cell the mean score on every document over its repeats, nan where the row was not asked.
    """

    cells: Mapping[tuple[int, int], Cell]
    tasks: Mapping[int, Task]
    credits: Mapping[tuple[int, int], np.ndarray]

    def paired(self, row: int, other: int, task: int) -> Difference | None:
        """One row minus another on the documents of a task that both answered; None when there is none."""
        import numpy as np

        mine, theirs = self.credits.get((row, task)), self.credits.get((other, task))
        if mine is None or theirs is None:
            return None
        shared = np.flatnonzero(~np.isnan(mine) & ~np.isnan(theirs))
        if not len(shared):
            return None
        documents = self.tasks[task]
        alone = len(documents.names) == len(documents.clusters)
        clusters = None if alone else [str(documents.clusters[document]) for document in shared]
        return paired(mine[shared].tolist(), theirs[shared].tolist(), clusters)


def read(sources: Mapping[tuple[int, int], Source]) -> Samples:
    """The first pass over the samples of (row, task)."""
    import numpy as np

    tasks: dict[int, Task] = {}
    cells = {key: read_cell(source, tasks.setdefault(key[1], Task())) for key, source in sources.items()}
    credits = {}
    for key, cell in cells.items():
        size = len(tasks[key[1]].ids)
        documents = np.asarray(cell.documents, dtype=np.int64)
        counts = np.bincount(documents, minlength=size).astype(float)
        counts[counts == 0] = np.nan
        credits[key] = np.bincount(documents, np.asarray(cell.credits), minlength=size) / counts
    return Samples(cells, tasks, credits)


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


def _verdicts(cells: Mapping[tuple[int, int], Cell], tasks: Mapping[int, Task]) -> dict[str, Any]:
    """All verdicts as strings (documents in order, repeat after repeat), and the cluster of every document.

    Cells with partial credit bring their credits along, in the same order.
    """
    strings, partial = {}, {}
    for (row, number), cell in cells.items():
        size = len(tasks[number].ids)
        line = bytearray(b" " * (size * (max(cell.repeats, default=0) + 1)))
        for document, repeat, value in zip(cell.documents, cell.repeats, cell.codes, strict=True):
            line[repeat * size + document] = value
        strings[f"{row}:{number}"] = line.decode("ascii")
        if any(credit not in (0, 1) for credit in cell.credits):
            partial[f"{row}:{number}"] = _spread(cell, cell.credits, size)
    clusters = {str(number): task.clusters for number, task in tasks.items()}
    return {"cells": strings, "credits": partial, "clusters": clusters}


def _along(cell: Cell, size: int) -> dict[str, list[Any]]:
    """The answers of a cell in the order of its verdict string, None where there is no sample."""
    whole = ("reasons", "rules", "golds")
    return {name: values if name in whole else _spread(cell, values, size) for name, values in cell.answers.items()}


def _spread(cell: Cell, values: Iterable[Any], size: int) -> list[Any]:
    spread: list[Any] = [None] * (size * (max(cell.repeats, default=0) + 1))
    for document, repeat, value in zip(cell.documents, cell.repeats, values, strict=True):
        spread[repeat * size + document] = value
    return spread


def _whole(cell: Cell, positions: Iterable[int]) -> Iterator[tuple[int, dict[str, Any]]]:
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

    def __init__(self, tasks: Mapping[int, Task]) -> None:
        self._tasks = tasks
        self._wordings: dict[int, list[dict[int, str | list[list[str]]]]] = {}
        self.variant: dict[tuple[int, int], int] = {}

    def learn(self, key: tuple[int, int], cell: Cell) -> None:
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
    cells: Mapping[tuple[int, int], Cell], prompts: _Prompts, budget: int
) -> dict[tuple[int, int], tuple[str, int]]:
    """Per cell the packed replies and their number; what one cell leaves of its share goes to the next ones."""
    made: dict[tuple[int, int], tuple[str, int]] = {}
    budget -= budget // 100  # sizes are estimates, and the last chunk has no successor to save for
    ratio = 0.5  # packed bytes per byte of text, corrected by every chunk that is made
    for done, (key, cell) in enumerate(cells.items()):
        share = max(0, budget) / (len(cells) - done)
        entries, systems = _replies(key, cell, prompts, share / ratio)
        text = packed({"systems": systems, "items": entries})
        raw = sum(len(entry[1]["t"]) + len(entry[1]["r"]) + 60 for entry in entries)
        if raw > 10_000:
            ratio = 0.5 * ratio + 0.5 * len(text) / raw
        made[key] = (text, len(entries))
        budget -= len(text)
    return made


def _order(cell: Cell) -> list[int]:
    """Positions of a cell, what a reader wants to see first: wrong, then disputed, then right answers."""
    wrong = [at for at, value in enumerate(cell.codes) if not value & CORRECT]
    disputed = [at for at, value in enumerate(cell.codes) if value & CORRECT and value & JUDGE_DISAGREES]
    taken = set(wrong) | set(disputed)
    return wrong + disputed + [at for at in range(len(cell.codes)) if at not in taken]


def _replies(key: tuple[int, int], cell: Cell, prompts: _Prompts, room: float) -> tuple[list[list[Any]], list[str]]:
    """Replies of one cell for about `room` bytes of text: [place in the verdict string, reply] each."""
    entries: list[list[Any]] = []
    systems: dict[str, int] = {}
    size = len(prompts._tasks[key[1]].ids)
    chosen, spent = _order(cell), 0.0
    for start in range(0, len(chosen), BATCH):
        batch = chosen[start : start + BATCH]
        if spent > room:  # only the wrong answers that are shown whatever the budget says
            batch = [at for at in batch if start < WRONG_SHOWN and not cell.codes[at] & CORRECT]
        if not batch:
            break
        for at, sample in _whole(cell, batch):
            document = cell.documents[at]
            entry = reply(sample)
            system, asked = prompt_of(sample)
            entry["y"] = systems.setdefault(system, len(systems))
            if prompts.own(key, document, asked):
                entry["p"] = asked
            entries.append([cell.repeats[at] * size + document, entry])
            spent += len(entry["t"]) + len(entry["r"]) + 60
    return entries, list(systems)


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


def first_reply(sample: Mapping[str, Any]) -> str:
    """The text of a sample's reply; empty when there is none."""
    replies: Sequence[Any] = sample.get("resps") or [[""]]
    return str(replies[0][0] if replies[0] else "")


def _utf16(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
