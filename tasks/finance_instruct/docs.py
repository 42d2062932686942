"""Finance-Instruct-500K rows: 1,000 drawn by a fixed seed, or all of them as a stream.

The file is one JSON array (or JSON lines) of about 500 MB. It is read one row at a time; only drawn rows are kept.
"""

from __future__ import annotations

import hashlib
import heapq
import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from finbench.tasks.data_files import DataMissing, Row, Rows, for_task, locate, read, read_json, read_jsonl

HERE = Path(__file__).parent
FILES = ["finance_instruct/train.json", "finance_instruct/train.jsonl"]
PINNED_ROWS = 518_185  # at the revision that README.md names
SEED = 20250320
DRAWN = 1000

log = logging.getLogger("finbench")


def load(draw: int | None = DRAWN, draw_seed: int = SEED, **settings: Any) -> dict[str, Rows]:
    """{"test": `draw` rows chosen by `draw_seed`, in file order}; `draw: null` streams every row that has a reference.

    `settings["data"]` is "sample", a folder, or absent (data_files.locate). Rows without question or reference are left
    out, and their number is logged.
    """
    path = for_task(FILES, settings, task_dir=HERE)
    overlaps = Overlaps.found(settings) if path.name != "sample.jsonl" else Overlaps({})
    if draw is None:
        return {"test": Rows(_count(path, path.stat().st_mtime_ns), lambda: _all(path, overlaps))}
    chosen = [_row(index, line, overlaps) for index, line in _draw(path, draw_seed, draw)]
    return {"test": Rows(len(chosen), lambda: chosen)}


def indices(seed: int, n: int, total: int, empty: Iterable[int] = ()) -> list[int]:
    """The row indices of the draw, ascending: the `n` of range(total) with the smallest `rank`, `empty` rows left out.

    >>> indices(SEED, 3, 10) == sorted(sorted(range(10), key=lambda i: rank(SEED, i))[:3])
    True
    """
    left_out = set(empty)
    return sorted(heapq.nsmallest(n, (i for i in range(total) if i not in left_out), key=lambda i: rank(seed, i)))


def rank(seed: int, index: int) -> bytes:
    """The place of a row in the draw: BLAKE2b of "seed/index", 16 bytes.

    A hash, not `random.sample`: any language can recompute it, and one pass suffices without knowing the row count.
    """
    return hashlib.blake2b(f"{seed}/{index}".encode(), digest_size=16).digest()


def _draw(path: Path, seed: int, n: int) -> list[tuple[int, Row]]:
    """The drawn (index, row) pairs in file order, from one pass that holds at most `n` rows."""
    heap: list[tuple[int, int, Row]] = []  # (negated rank, index, row): the largest rank on top
    total = empty = 0
    for index, line in enumerate(_lines(path)):
        total += 1
        if not _usable(line):
            empty += 1
            continue
        item = (-int.from_bytes(rank(seed, index)), index, line)
        if len(heap) < n:
            heapq.heappush(heap, item)
        elif item[0] > heap[0][0]:
            heapq.heapreplace(heap, item)
    _report(path, total, empty)
    return sorted(((index, line) for _, index, line in heap), key=lambda pair: pair[0])


def _all(path: Path, overlaps: Overlaps) -> Iterator[Row]:
    return (_row(index, line, overlaps) for index, line in enumerate(_lines(path)) if _usable(line))


@lru_cache(maxsize=8)
def _count(path: Path, _modified: int) -> int:
    """How many usable rows the file holds; one pass, remembered until the file changes."""
    total = usable = 0
    for line in _lines(path):
        total += 1
        usable += _usable(line)
    _report(path, total, total - usable)
    return usable


def _report(path: Path, total: int, empty: int) -> None:
    if empty:
        log.warning("%s: %d of %d rows have no question or no reference answer and are left out", path, empty, total)
    if path.name != "sample.jsonl" and total != PINNED_ROWS:
        log.warning("%s: %d rows, not the pinned %d: scores do not compare with other runs", path, total, PINNED_ROWS)


def _lines(path: Path) -> Iterator[Row]:
    """Rows of a JSON array or of JSON lines, whatever the file is called."""
    with path.open(encoding="utf-8-sig") as file:
        array = file.read(1024).lstrip().startswith("[")
    return read_json(path) if array else read_jsonl(path)


def _usable(line: Row) -> bool:
    return bool(_text(line, "user") and _text(line, "assistant"))


def _text(line: Row, key: str) -> str:
    return str(line.get(key) or "").strip()


def _row(index: int, line: Row, overlaps: Overlaps) -> Row:
    question, reference = _text(line, "user"), _text(line, "assistant")
    return {
        "id": f"fi/{index}",
        "system": _text(line, "system"),
        "question": question,
        "gold": reference,
        "answer": {"kind": "text"},
        "cluster": "",
        "flags": [f"overlap_{task}" for task in overlaps.of(question)] + (["sample"] if line.get("sample") else []),
        "facets": {"reference": _size(reference)},
    }


def _size(reference: str) -> str:
    words = len(tokens(reference))
    return "short" if words <= 12 else "medium" if words <= 80 else "long"


# -- questions that stand in another benchmark ------------------------------------------------------------------------

WINDOW = 4  # tokens that have to agree before a whole question is compared
SHORTEST = 8  # shorter questions ("what about 2007?") say nothing about where they come from
_TOKEN = re.compile(r"[a-z0-9]+|[\u4e00-\u9fff]")
_LINK = re.compile(r"https?://\S+")
Tokens = tuple[str, ...]


def tokens(text: str) -> Tokens:
    """Words in lower case, Chinese characters one by one; links and punctuation dropped.

    >>> tokens("What's NET income? https://x.y")
    ('what', 's', 'net', 'income')
    """
    return tuple(_TOKEN.findall(_LINK.sub(" ", text.lower())))


class Overlaps:
    """Which other benchmarks' questions a text contains, word for word.

    Holds the tokens of the benchmarks' questions (some 7,000), hashed by their first `WINDOW` tokens.
    """

    def __init__(self, questions: Mapping[str, Iterable[str]]) -> None:
        self._starts: dict[Tokens, set[tuple[Tokens, str]]] = {}
        for task, texts in questions.items():
            for text in texts:
                words = tokens(text)
                if len(words) >= SHORTEST:
                    self._starts.setdefault(words[:WINDOW], set()).add((words, task))

    @classmethod
    def found(cls, settings: Mapping[str, Any]) -> Overlaps:
        """The benchmarks whose rows lie in the same data folder; the others are passed over, and named in the log."""
        found = {}
        for task, (files, texts) in QUESTIONS.items():
            try:
                path = locate(files, settings.get("data"), task_dir=HERE)
            except DataMissing:
                log.info("finance_instruct: no rows of %s here, its questions are not searched for", task)
                continue
            found[task] = texts(path)
        return cls(found)

    def of(self, text: str) -> list[str]:
        """The names of the benchmarks that have a question inside `text`."""
        if not self._starts:
            return []
        words = tokens(text)
        hits = set()
        for place, start in enumerate(zip(*(words[k:] for k in range(WINDOW)), strict=False)):
            for question, task in self._starts.get(start, ()):
                if words[place : place + len(question)] == question:
                    hits.add(task)
        return sorted(hits)


def _finqa(path: Path) -> Iterator[str]:
    return (line["qa"]["question"] for line in read(path))


def _convfinqa(path: Path) -> Iterator[str]:
    # the official turn file has one row a turn, with all questions of its conversation
    return (question for line in read(path) for question in line["annotation"]["dialogue_break"])


def _ant_finance(path: Path) -> Iterator[str]:
    return (line["question"] for file in sorted(path.glob("*/*.csv")) for line in read(file))


def _tfns(path: Path) -> Iterator[str]:
    return (line["text"] for line in read(path))


QUESTIONS = {
    "finqa": (("finqa/test.json", "finqa/test.reconstructed.jsonl"), _finqa),
    "convfinqa": (("convfinqa/dev.json", "convfinqa/dev.reconstructed.jsonl"), _convfinqa),
    "ant_finance": (("ant_finance",), _ant_finance),
    "tfns": (("tfns/sent_valid.csv",), _tfns),
}
