"""Rows of a dataset: where the files are, which files they should be, and readers that hold one row at a time.

The folder layout is the one of `pinned.csv` (`finqa/test.json`, `tfns/sent_valid.csv`, ...). Nothing here uses the
network: `download.fetch` does, and only when asked.
"""

from __future__ import annotations

import csv
import hashlib
import importlib.util
import json
import logging
import os
import random
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, wraps
from importlib import resources
from itertools import count, islice
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, overload

from finbench.errors import DataError

Row = dict[str, Any]
Standing = Literal["official", "copy", "reconstructed", "archive", "licence"]

SAMPLE = "sample"
# One row is a filing page or a dialogue, some ten kilobytes; a row beyond this is a broken file, not a long one.
MAX_ROW = 64 * 2**20
CHUNK = 2**20
_BETWEEN_ROWS = re.compile(r"[\s,]*")

log = logging.getLogger("finbench")


class DataMissing(DataError):
    """No file where a task looks for its rows: nothing is wrong with them, they are not here."""


@dataclass(frozen=True, slots=True)
class Pinned:
    """One file as its publisher had it at a fixed commit. Empty fields are not known; sizes are bytes."""

    dataset: str
    path: str  # below a data folder
    standing: (
        Standing  # "copy": the bytes come from a copy whose row count matches; "reconstructed": same rows, our file
    )
    rows: int | None  # labelled rows (turns for ConvFinQA)
    size: int | None
    sha256: str
    git_blob: str
    licence: str
    url: str  # https, or "<archive path>#<member name>", or empty: cannot be fetched


@cache
def pinned() -> tuple[Pinned, ...]:
    """Every file finbench knows, in the order of `pinned.csv`."""
    text = resources.files("finbench.tasks").joinpath("pinned.csv").read_text(encoding="utf-8")
    return tuple(
        Pinned(**{**line, "rows": _whole(line["rows"]), "size": _whole(line["size"])})  # type: ignore[arg-type]
        for line in csv.DictReader(text.splitlines())
    )


def datasets() -> tuple[str, ...]:
    """The names of the datasets in the pinned table."""
    return tuple(dict.fromkeys(file.dataset for file in pinned()))


# -- where the files are ---------------------------------------------------------------------------------------------


def cache_dir() -> Path:
    """The folder that `finbench data fetch` and `unpack` fill unless told otherwise."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "finbench" / "data"


def locate(relative: Sequence[str], data: str | None, *, task_dir: Path) -> Path:
    """The first existing of the `relative` paths (files or folders), or the task's sample where that was asked for.

    `data` is "sample" or a folder, and then nothing else is looked at; without it, the environment variable
    FINBENCH_DATA (a folder or "sample") and the user's cache are searched. Raises `DataMissing` with the ways out;
    the sample never stands in for rows that were not found.
    """
    chosen = data or os.environ.get("FINBENCH_DATA") or None
    if chosen == SAMPLE:
        return _existing(task_dir / "sample.jsonl")
    places = [Path(data)] if data else ([Path(chosen)] if chosen else []) + [cache_dir()]
    for place in places:
        for name in relative:
            if (place / name).exists():
                return place / name
    raise DataMissing(_not_found(relative, data, places))


def for_task(relative: Sequence[str], settings: Mapping[str, Any], *, task_dir: Path) -> Path:
    """`locate` for a task's `docs.load(**settings)`.

    Under plain lm-eval (settings without "finbench") rows that are not found give the sample, with a loud warning:
    lm-eval has no way to say what is missing. Under finbench the error stands.
    """
    data = settings.get("data")
    try:
        return locate(relative, data, task_dir=task_dir)
    except DataMissing as missing:
        if data or settings.get("finbench"):
            raise
        sample = _existing(task_dir / "sample.jsonl")
        log.warning("*** %s: THE SAMPLE ROWS ARE USED, NOT THE BENCHMARK. The score means nothing. ***", task_dir.name)
        log.warning("%s", missing)
        return sample


def _not_found(relative: Sequence[str], data: str | None, places: Sequence[Path]) -> str:
    dataset = relative[0].partition("/")[0]
    return (
        f"no data for {dataset}: {' or '.join(relative)} not in {', '.join(map(str, places))}\n"
        f"  1. point {'--data' if data else '--data or FINBENCH_DATA'} at a folder that holds it\n"
        f"  2. finbench data fetch {dataset}   (needs the network once)\n"
        "  3. finbench data unpack PACK.tar   (a pack made by `finbench data pack` on another machine)\n"
        "  To try finbench without the benchmark: --data sample"
    )


def _existing(path: Path) -> Path:
    if not path.exists():
        raise DataMissing(f"{path}: the task has no sample rows")
    return path


# -- readers ---------------------------------------------------------------------------------------------------------


def _in_words(reader: Callable[[Path], Iterator[Any]]) -> Callable[[Path], Iterator[Any]]:
    """What a reader's libraries say of a damaged file, as a DataError."""

    @wraps(reader)
    def read_rows(path: Path) -> Iterator[Any]:
        try:
            yield from reader(path)
        except UnicodeDecodeError as error:
            raise DataError(f"{path}: not UTF-8 at byte {error.start}; save the file as UTF-8") from error
        except (csv.Error, RecursionError) as error:
            raise DataError(f"{path}: cannot be read: {error}") from error

    return read_rows


@_in_words
def read_json(path: Path) -> Iterator[Row]:
    """The objects of a JSON array, one at a time: a file of any size needs the memory of its largest row."""
    decoder = json.JSONDecoder()
    with path.open(encoding="utf-8-sig") as file:
        text = file.read(CHUNK)
        if not text.lstrip().startswith("["):
            raise DataError(f"{path}: expected a JSON array of rows, found {text[:20]!r}")
        place = text.index("[") + 1
        for number in count(1):
            while True:
                place = _BETWEEN_ROWS.match(text, place).end()  # type: ignore[union-attr]  # matches the empty text too
                if text[place : place + 1] == "]":
                    return
                try:
                    row, place = decoder.raw_decode(text, place)
                    break
                except json.JSONDecodeError as error:
                    # The row may go on in the next chunk; doubling the chunk keeps the repeated scans linear.
                    more = file.read(max(CHUNK, len(text) - place))
                    if not more or len(text) - place > MAX_ROW:
                        raise DataError(f"{path}: row {number} is damaged: {error.msg}") from error
                    text, place = text[place:] + more, 0
            yield _object(row, path, f"row {number}")


@_in_words
def read_jsonl(path: Path) -> Iterator[Row]:
    """One JSON object a line; blank lines are passed over."""
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                raise DataError(f"{path}:{number}: not a JSON line: {error.msg}") from error
            yield _object(row, path, f"line {number}")


@_in_words
def read_csv(path: Path) -> Iterator[dict[str, str]]:
    """The records of a csv file with a header. Quoted line breaks stay inside a cell, absent cells are empty."""
    # newline="" and utf-8-sig: a line break inside quotes ends no record, and a BOM is no part of a column's name.
    csv.field_size_limit(MAX_ROW)
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, restval="")
        for row in reader:
            if None in row:
                raise DataError(f"{path}:{reader.line_num}: more cells than the header has columns")
            yield row


def read(path: Path) -> Iterator[Row]:
    """Rows by the file's ending: .json (an array), .jsonl or .csv."""
    readers: dict[str, Callable[[Path], Iterator[Row]]] = {".json": read_json, ".jsonl": read_jsonl, ".csv": read_csv}
    if path.suffix not in readers:
        raise DataError(f"{path}: rows are read from {', '.join(readers)} files only")
    return readers[path.suffix](path)


class Rows(Sequence[Row]):
    """The documents of a task as lm-eval wants them: a sequence that makes its rows when they are asked for.

    `iterate` starts a fresh pass. Only the pass behind `rows[i]` is kept, so that ascending indices cost one pass.
    """

    def __init__(self, length: int, iterate: Callable[[], Iterable[Row]]) -> None:
        self._length = length
        self._iterate = iterate
        self._pass: Iterator[Row] = iter(())
        self._next = length  # index of the row the kept pass gives next; the end means there is none

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[Row]:
        return islice(iter(self._iterate()), self._length)

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> Rows: ...
    def __getitem__(self, index: int | slice) -> Row | Rows:
        if isinstance(index, slice):
            wanted = range(self._length)[index]
            if wanted.step < 0:
                raise IndexError("rows are read forwards: a slice needs a positive step")
            return Rows(len(wanted), lambda: islice(iter(self), wanted.start, wanted.stop, wanted.step))
        place = range(self._length)[index]  # raises IndexError, and reads negative indices
        if place < self._next:
            self._pass, self._next = iter(self._iterate()), 0
        row = next(islice(self._pass, place - self._next, None))
        self._next = place + 1
        return row

    @property
    def features(self) -> Row:
        """The keys of the first row (lm-eval looks its template fields up here)."""
        return dict(next(iter(self), {}))


def selected(rows: Rows, settings: Mapping[str, Any]) -> Rows:
    """The share of the rows that a protocol asks for, in file order, still lazy.

    `settings["rows"]` is "first" or "seeded" (absent: all rows), `row_count` (1,000) how many, `seed` (42) the draw.
    """
    how, wanted = settings.get("rows"), int(settings.get("row_count", 1000))
    if how not in (None, "first", "seeded"):
        raise DataError(f"rows: {how!r} is neither `first` nor `seeded`")
    if how is None or wanted >= len(rows):
        return rows
    if how == "first":
        return rows[:wanted]
    generator = random.Random(int(settings.get("seed", 42)))  # noqa: S311  # a draw to be repeated, not a secret
    drawn = frozenset(generator.sample(range(len(rows)), wanted))
    return Rows(wanted, lambda: (row for index, row in enumerate(rows) if index in drawn))


def _object(row: object, path: Path, where: str) -> Row:
    if not isinstance(row, dict):
        raise DataError(f"{path}: {where} is a {type(row).__name__}, expected an object")
    return row


# -- hashes ----------------------------------------------------------------------------------------------------------


def sha256(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hex."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for block in iter(lambda: file.read(CHUNK), b""):
            digest.update(block)
    return digest.hexdigest()


def git_blob_id(path: Path) -> str:
    """What `git hash-object PATH` prints: it identifies the file in its publisher's repository."""
    digest = hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False)
    with path.open("rb") as file:
        for block in iter(lambda: file.read(CHUNK), b""):
            digest.update(block)
    return digest.hexdigest()


def _whole(text: str) -> int | None:
    return int(text) if text else None


def module_at(path: Path) -> ModuleType:
    """A task's Python file as a module: lm-eval loads these by path, so they cannot import one another."""
    spec = importlib.util.spec_from_file_location(f"{path.parent.name}_{path.stem}", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
