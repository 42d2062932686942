"""The questions and replies of somebody's file: lines, an array, a table, one JSON object, or the archive of inspect_ai."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from finbench.errors import DataError, foreign
from finbench.grading.lines import document_of
from finbench.records import Answer, Document, Gold, Grade, Response, text_hash
from finbench.runs.logs.formats import Logged, Row, column, logged
from finbench.tasks import data_files
from finbench.tasks.documents import document_from_row

MOST_JSON = 512 * 2**20  # bytes of a log that is one JSON object, which is read whole
MOST_MEMBER = 64 * 2**20  # bytes of one sample inside an archive


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns of a plain file hold what: names, or dotted paths into objects ("choices.0.message.content")."""

    question: str = "question"
    gold: str = "gold"
    gold_display: str | None = None
    reply: str = "output"
    id: str = "id"


@dataclass(frozen=True, slots=True)
class Imported:
    """A document with its replies, one per repeat; `verdict` only where the log decides (log-probabilities)."""

    document: Document
    responses: tuple[Response, ...]
    verdict: Grade | None = None


def read(path: Path, form: str, task: str, columns: Columns, chosen: str = "") -> Log:
    """The questions of a file, read when they are asked for; `form` names a reader of READERS.

    `chosen` is the filter whose rows count, where an lm-eval log has a row for each of several.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file or run folder")
    return Log(path, form, task, columns, chosen)


class Log:
    """The questions of somebody's file with their replies, in its order.

    A line that cannot be read does not hide the others: it is listed in `problems` with its number. A question counts
    once: of several lines with the same id, repeat and question the first counts, the others are in `left_out`, as are
    rows of a plain file whose gold is empty, and rows of a second filter.
    """

    def __init__(self, path: Path, form: str, task: str, columns: Columns, chosen: str = "") -> None:
        self.path, self.form, self.task, self.columns, self.chosen = path, form, task, columns, chosen
        self.problems: list[str] = []
        self.left_out: list[str] = []

    def __iter__(self) -> Iterator[Imported]:
        reader = READERS[self.form]
        first: dict[tuple[str, str, int], int] = {}
        for number, row in self._of_one_filter():
            if self.form == "generic" and row.get(self.columns.gold, 0) in (None, ""):
                self.left_out.append(f"{self.path}:{number}: no gold")
                continue
            try:
                with foreign(f"{self.path}:{number}", hint=self._hint(row)):
                    found = reader(row, self.task, self.columns, number)
                    place = (found.document.id, text_hash(found.document.question), _repeat(row))
            except DataError as err:
                self.problems.append(str(err))
                continue
            earlier = first.setdefault(place, number)
            if earlier == number:
                yield found
            else:
                self.left_out.append(f"{self.path}:{number}: {found.document.id!r} stands in line {earlier} already")

    def _of_one_filter(self) -> Iterator[tuple[int, Row]]:
        """The rows of one filter: the reply is the same under all, so the first stands for it unless one is named."""
        kept, others = self.chosen, dict[str, int]()
        for number, row in self._rows():
            here = str(row.get("filter") or "") if "resps" in row else ""
            kept = kept or here
            if here and here != kept:
                others[here] = others.get(here, 0) + 1
            else:
                yield number, row
        for name, count in others.items():
            self.left_out.append(
                f"{self.path}: {count:,} rows of filter {name!r}; those of {kept!r} are read (--filter)"
            )

    def _rows(self) -> Iterator[tuple[int, Row]]:
        """Rows with their numbers, from 1; an array or table that breaks off ends there."""
        if self.path.suffix == ".jsonl":
            yield from self._lines()
            return
        number = 0
        try:
            for number, row in enumerate(_whole(self.path), 1):
                yield number, row
        except DataError as err:
            self.problems.append(f"{err} (after {number:,} rows)")

    def _lines(self) -> Iterator[tuple[int, Row]]:
        with self.path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if not line.strip():
                    continue
                try:
                    with foreign(f"{self.path}:{number}"):
                        row = json.loads(line.decode("utf-8-sig"))
                        if not isinstance(row, dict):
                            raise DataError(f"{self.path}:{number}: holds {type(row).__name__}, expected an object")
                except DataError as err:
                    self.problems.append(str(err))
                    continue
                yield number, row

    def _hint(self, row: Row) -> str:
        found = f"found {', '.join(map(str, row))[:300]}"
        wanted = "--question, --gold and --reply name its columns"
        return f"{found}; {wanted if self.form == 'generic' else '--format generic reads columns'}"


def _repeat(row: Row) -> int:
    return int((row.get("finbench") or {}).get("repeat") or row.get("epoch") or 0)


# -- what holds the rows ----------------------------------------------------------------------------------------------


def _whole(path: Path) -> Iterator[Row]:
    if path.suffix == ".eval":
        return _archived(path)
    if path.suffix == ".json" and _is_object(path):
        return _contained(path)
    return data_files.read(path)


def _is_object(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4096).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{")


def _contained(path: Path) -> Iterator[Row]:
    """The rows inside one JSON object: samples of inspect_ai, results of promptfoo, numbered rows of OpenCompass."""
    size = path.stat().st_size
    if size > MOST_JSON:
        raise DataError(
            f"{path}: {size:,} bytes in one JSON object, at most {MOST_JSON:,} are read; write it as JSON lines"
        )
    with foreign(path):
        whole = json.loads(path.read_text(encoding="utf-8-sig"))
    inner = whole.get("samples", whole.get("details", whole.get("results", whole)))
    if isinstance(inner, Mapping) and "results" in inner:
        inner = inner["results"]
    listed = list(inner.values()) if isinstance(inner, Mapping) else inner
    found = [row for row in listed or () if isinstance(row, Mapping)]
    if not found:
        raise DataError(f"{path}: holds no rows; expected samples, results, details, or numbered rows")
    yield from found


def _archived(path: Path) -> Iterator[Row]:
    """The samples of an inspect_ai `.eval` file, which is a zip with one JSON file per sample and epoch."""
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                if member.filename.startswith("samples/") and member.filename.endswith(".json"):
                    if member.file_size > MOST_MEMBER:
                        raise DataError(
                            f"{path}: {member.filename} has {member.file_size:,} bytes, at most {MOST_MEMBER:,}"
                        )
                    with archive.open(member) as file:
                        yield json.loads(file.read(MOST_MEMBER + 1))
    except (OSError, zipfile.BadZipFile, ValueError, RecursionError) as error:
        raise DataError(f"{path}: not a readable .eval archive ({error})") from error
    except NotImplementedError as error:  # a compression that this Python has not
        raise DataError(f"{path}: {error}; convert it with `inspect log convert --to json`") from error


# -- a row as a document ----------------------------------------------------------------------------------------------


def _plain(row: Row, task: str, columns: Columns, number: int) -> Imported:
    display = column(row, columns.gold_display) if columns.gold_display else None
    named = {"question": column(row, columns.question), "gold": column(row, columns.gold), "gold_display": display}
    document = document_of({"task": task, "id": row.get(columns.id, number), **named})
    return Imported(document, (Response(document.id, str(column(row, columns.reply) or ""), "stop"),))


def _logged(row: Row, task: str, columns: Columns, number: int) -> Imported:
    """A row of a known log; `task` says how its answer is read where it declares neither options nor an answer."""
    return imported(logged(row, number), task)


# How a row of a file is read, by the name that `--format` gives.
READERS: dict[str, Callable[[Row, str, Columns, int], Imported]] = {"auto": _logged, "generic": _plain}


def imported(found: Logged, task: str) -> Imported:
    """The document and responses of a logged question; ValueError when it holds no gold."""
    document = _document(found, task)
    if found.likeliest is not None:
        right = found.likeliest == found.gold
        verdict = Grade(
            right, "equal" if right else "different", found.likeliest, found.likeliest, rule="log-probability"
        )
        return Imported(document, (Response(document.id, "", "stop"),), verdict)
    replies = (Response(document.id, said.text, said.finish, reasoning=said.reasoning) for said in found.replies)
    return Imported(document, tuple(replies))


def _document(found: Logged, task: str) -> Document:
    if found.row is not None:
        document = document_from_row(found.row, task)
        if document.answer.kind == "lm_eval":
            raise ValueError(
                "its task is scored by lm-eval's own code; `finbench score` of the run's folder keeps that"
            )
        return document
    if not found.gold:
        raise ValueError("holds no gold: this tool keeps it elsewhere (reviews), or name its column with --gold")
    if found.choices:
        answer = Answer("choice", choices=found.choices)
        return Document(found.id, task, found.question, answer, (Gold(found.gold),))
    return document_of({"task": task, "id": found.id, "question": found.question, "gold": found.gold})
