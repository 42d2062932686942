"""The durable half of a run: every document, prompt, reply and grade in one SQLite file.

Replies are committed 4 to 50 times a second: what came in since the last commit is at risk when the process dies, and is
asked again. One writer at a time: the second is refused with the first one's process id.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import Any
from urllib.parse import quote

from finbench.errors import StoreError
from finbench.records import Document, Grade, Request, Response, Sampling
from finbench.runs import refusals
from finbench.serialize import compact, grade_from, grade_json, packed, response_from, response_json

MOST = 256  # statements that may wait while the disk is busy
PAGE = 500  # documents read at once
INTERVAL = (0.02, 0.25)  # seconds between two commits, at least and at most: four times what a commit takes here
SCHEMA = 1

# Plain tables with an index: rows of several kilobytes would take a page of their own each inside a WITHOUT ROWID tree,
# nearly three times the space (https://www.sqlite.org/withoutrowid.html, section 3).
_TABLES = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS documents (
    task TEXT NOT NULL, position INTEGER NOT NULL, id TEXT NOT NULL, hash TEXT NOT NULL, target TEXT NOT NULL,
    row TEXT NOT NULL, PRIMARY KEY (task, position));
CREATE TABLE IF NOT EXISTS replies (
    task TEXT NOT NULL, position INTEGER NOT NULL, repeat INTEGER NOT NULL, part INTEGER NOT NULL,
    request_id TEXT NOT NULL, prompt TEXT NOT NULL, sampling TEXT NOT NULL, finish TEXT NOT NULL,
    response TEXT NOT NULL, grade TEXT,
    PRIMARY KEY (task, position, repeat, part));
CREATE TABLE IF NOT EXISTS judgements (
    task TEXT NOT NULL, position INTEGER NOT NULL, repeat INTEGER NOT NULL, request_id TEXT NOT NULL,
    model TEXT NOT NULL, verdict TEXT NOT NULL, response TEXT NOT NULL,
    PRIMARY KEY (task, position, repeat));
"""

# Whole documents, a page at a time: a writer may go on between two pages.
_PAGE = """
SELECT d.position, d.row, d.hash, r.repeat, r.request_id, r.prompt, r.sampling, r.response, r.grade,
       j.verdict, j.model, j.response, d.id, d.target, j.request_id
FROM (SELECT * FROM documents WHERE task = :task AND position > :last ORDER BY position LIMIT :size) d
LEFT JOIN replies r ON r.task = d.task AND r.position = d.position
LEFT JOIN judgements j ON j.task = d.task AND j.position = d.position AND j.repeat = r.repeat
ORDER BY d.position, r.repeat, r.part
"""

_APPEND = """
INSERT INTO replies VALUES (?,?,?,?,?,?,?,?,?,?) ON CONFLICT (task, position, repeat, part) DO UPDATE
SET request_id=excluded.request_id, prompt=excluded.prompt, sampling=excluded.sampling, finish=excluded.finish,
response=excluded.response, grade=excluded.grade
WHERE finish='error' OR (grade IS NULL AND excluded.grade IS NOT NULL)
"""


@dataclass(frozen=True, slots=True)
class Stored:
    """One document and repeat as the store holds it; `row`, `prompt` and `sampling` are JSON texts."""

    position: int
    repeat: int
    id: str
    target: str
    row: str
    hash: str
    request_id: str
    prompt: str
    sampling: str
    responses: tuple[Response, ...]
    grade: Grade | None
    judgement: dict[str, Any] | None


class Store:
    """The SQLite file of one run folder, opened for writing by one process.

    Raises StoreError when another process holds it, when its settings differ from `settings`, or when the file is
    damaged beyond what SQLite recovers by itself.
    """

    def __init__(self, folder: Path, settings: Mapping[str, Any] | None = None) -> None:
        self.folder = folder
        self.path = folder / "responses.sqlite"
        folder.mkdir(parents=True, exist_ok=True)
        self._lock_file = refusals.lock(folder / "lock")
        self._guard = threading.RLock()
        self._waiting: deque[tuple[str, Sequence[object]]] = deque()  # statements
        self._held: dict[str, tuple[int, Request, Response]] = {}  # by request, replies that wait for their verdict
        self._open = False  # a transaction
        self._failure: sqlite3.Error | None = None
        self._last: dict[str, int] = {}  # the last position held of a task, -1 for none
        try:
            self._db = sqlite3.connect(self.path, check_same_thread=False, isolation_level=None)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.executescript(_TABLES)
            self._check(settings)
        except sqlite3.DatabaseError as err:
            self._lock_file.close()
            raise refusals.damaged(self.path, err) from err
        except StoreError:
            self._lock_file.close()
            raise
        self._stop = threading.Event()
        self._ticker = threading.Thread(target=self._tick, name="finbench-store", daemon=True)
        self._ticker.start()

    def _check(self, settings: Mapping[str, Any] | None) -> None:
        stored = dict(self._db.execute("SELECT key, value FROM meta"))
        if "schema" in stored and json.loads(stored["schema"]) != SCHEMA:
            raise StoreError(f"{self.path}: written by another version of finbench; give another --output")
        if settings is None:
            return
        wanted = json.loads(json.dumps(settings, sort_keys=True, default=list))
        if "settings" in stored:
            refusals.other_settings(self.folder, json.loads(stored["settings"]), wanted)
            return
        for key, value in (("schema", SCHEMA), ("settings", wanted)):
            self._db.execute("INSERT INTO meta VALUES (?, ?)", (key, json.dumps(value, sort_keys=True)))

    # Writing

    def add_document(self, position: int, document: Document, row: str, digest: str) -> None:
        """Remember a document, once `answered` has been asked about it; one that is known stays as it is."""
        values = (document.task, position, document.id, digest, document.golds[0].text, row)
        self._write("INSERT OR IGNORE INTO documents VALUES (?,?,?,?,?,?)", values)
        self._last[document.task] = max(position, self._last_of(document.task))

    def append(self, position: int, request: Request, response: Response, grade: Grade | None) -> None:
        """Keep a reply; a later one to the same place replaces a failure or what has no grade, never a graded success."""
        self._held.pop(request.id, None)
        self._write(_APPEND, _reply(position, request, response, grade))

    def hold(self, position: int, request: Request, response: Response) -> None:
        """Keep a reply whose verdict is on its way: with it, if `append` brings it before the next commit, else alone."""
        self._held[request.id] = (position, request, response)

    def set_grade(self, task: str, position: int, repeat: int, grade: Grade) -> None:
        """Replace the grade of a stored reply; log-likelihood tasks carry it on their first part."""
        self._write(
            "UPDATE replies SET grade=? WHERE task=? AND position=? AND repeat=? AND part=0",
            (grade_json(grade), task, position, repeat),
        )

    def add_judgement(
        self, task: str, position: int, repeat: int, request_id: str, model: str, verdict: str, response: Response
    ) -> None:
        """Keep a judge's verdict on a stored reply."""
        values = (task, position, repeat, request_id, model, verdict, response_json(response))
        self._write("INSERT OR REPLACE INTO judgements VALUES (?,?,?,?,?,?,?)", values)

    def set_meta(self, key: str, value: object) -> None:
        """Remember a JSON value under a name of the run."""
        self._write("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, json.dumps(value, sort_keys=True)))

    def _write(self, statement: str, values: Sequence[object]) -> None:
        """Carry out a statement; while the disk is busy with a commit, leave it for the next one."""
        self._waiting.append((statement, values))
        if self._guard.acquire(blocking=len(self._waiting) >= MOST):
            try:
                self._settle()
            finally:
                self._guard.release()

    def _settle(self) -> None:
        """What waits goes into the open transaction."""
        while self._waiting:
            if not self._open:
                self._execute("BEGIN IMMEDIATE")
                self._open = True
            self._execute(*self._waiting.popleft())

    def _commit(self) -> None:
        if self._open:
            self._execute("COMMIT")
            self._open = False

    def _execute(self, statement: str, values: Sequence[object] = ()) -> None:
        """One statement; a refusal of SQLite is a StoreError, which every later call repeats: the run must end."""
        if self._failure is None:
            try:
                self._db.execute(statement, values)
                return
            except sqlite3.Error as err:
                self._failure = err
        raise refusals.cannot_write(self.path, self._failure) from self._failure

    def _let_go(self) -> None:
        """Verdicts that have not come must not keep their replies from the disk. Safe beside `append`, in any order:
        what it writes replaces a reply without a grade, and is not replaced by one."""
        for name in list(self._held):
            if found := self._held.pop(name, None):
                self._waiting.append((_APPEND, _reply(*found, None)))

    def _tick(self) -> None:
        shortest, longest = INTERVAL
        pause = shortest
        while not self._stop.wait(pause):
            self._let_go()
            with self._guard:
                began = time.monotonic()
                try:
                    if not self._open:  # the run writes nothing at present, or it would have settled this itself
                        self._settle()
                    self._commit()
                except StoreError:  # the next write says it again, in the thread that can end the run
                    return
                pause = min(longest, max(shortest, 4 * (time.monotonic() - began)))

    def flush(self) -> None:
        """Commit what is pending; raises StoreError when the disk refuses."""
        self._let_go()
        with self._guard:
            self._settle()
            self._commit()

    def close(self) -> None:
        """Commit, close and let the next process in; harmless when called again."""
        if self._stop.is_set():
            return
        self._stop.set()
        self._ticker.join()
        try:
            if self._failure is None:
                self.flush()
        finally:
            self._db.close()
            self._lock_file.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Reading

    def _read(self, query: str, values: Sequence[object] | Mapping[str, object] = ()) -> list[Any]:
        with self._guard:
            if self._waiting:
                self._settle()
            return self._db.execute(query, values).fetchall()

    def meta(self, key: str) -> Any:
        """The JSON value under a name of the run, or None."""
        found = self._read("SELECT value FROM meta WHERE key=?", (key,))
        return json.loads(found[0][0]) if found else None

    def answered(self, task: str, position: int, digest: str) -> set[tuple[int, int]]:
        """(repeat, part) of the replies that a document already has; failed requests do not count.

        Raises StoreError when the document has changed since it was asked.
        """
        if position > self._last_of(task):
            return set()
        rows = self._read(
            "SELECT d.hash, r.repeat, r.part, r.finish FROM documents d LEFT JOIN replies r "
            "ON r.task=d.task AND r.position=d.position WHERE d.task=? AND d.position=?",
            (task, position),
        )
        if rows and rows[0][0] != digest:
            raise StoreError(
                f"{self.folder}: document {position} of {task} has changed since this run began; "
                "restore the data it was run on, or give another --output"
            )
        return {(repeat, part) for _, repeat, part, finish in rows if finish not in (None, "error")}

    def _last_of(self, task: str) -> int:
        if task not in self._last:
            ((last,),) = self._read("SELECT MAX(position) FROM documents WHERE task=?", (task,))
            self._last[task] = -1 if last is None else last
        return self._last[task]

    def grade(self, task: str, position: int) -> Grade | None:
        """The stored grade of a document's first reply, or None."""
        found = self._read(
            "SELECT grade FROM replies WHERE task=? AND position=? AND repeat=0 AND part=0", (task, position)
        )
        return grade_from(found[0][0]) if found and found[0][0] else None

    def ids(self, task: str) -> list[str]:
        """The ids of a task's documents, in data order."""
        return [name for (name,) in self._read("SELECT id FROM documents WHERE task=? ORDER BY position", (task,))]

    def count(self) -> dict[str, int]:
        """Replies held per task, failures left out."""
        return dict(self._read("SELECT task, COUNT(*) FROM replies WHERE finish != 'error' GROUP BY task"))

    def tasks(self) -> list[str]:
        """The names of the tasks with documents, in the order in which they came."""
        return [name for (name,) in self._read("SELECT DISTINCT task FROM documents ORDER BY task")]

    def scan(self, task: str) -> Iterator[Stored]:
        """All documents of a task in data order, one entry per repeat; documents without a reply have no responses."""
        last = -1
        while True:
            page = self._read(_PAGE, {"task": task, "last": last, "size": PAGE})
            if not page:
                return
            for _, entries in groupby(page, key=lambda entry: (entry[0], entry[3])):
                yield _stored(list(entries))
            last = page[-1][0]


def _reply(position: int, request: Request, response: Response, grade: Grade | None) -> Sequence[object]:
    return (
        request.document.task,
        position,
        request.repeat,
        request.part,
        request.id,
        packed(request.messages or request.prompt),
        _sampling_json(request.sampling, request.continuation),
        response.finish,
        response_json(response),
        grade_json(grade) if grade else None,
    )


def _stored(rows: list[Any]) -> Stored:
    position, row, digest, repeat, request_id, prompt, sampling, _, grade, *judged, name, target, judge_id = rows[0]
    verdict, model, said = judged
    judgement = None
    if verdict:
        reply = json.loads(said)
        judgement = {"verdict": verdict, "model": model, "text": reply["text"], "request_id": judge_id}
        judgement |= {"error": reply["error"]} if reply.get("error") else {}
    return Stored(
        position=position,
        repeat=repeat or 0,
        id=name,
        target=target,
        row=row,
        hash=digest,
        request_id=request_id or "",
        prompt=prompt or '""',
        sampling=sampling or "{}",
        responses=tuple(response_from(entry[7]) for entry in rows if entry[7]),
        grade=grade_from(grade) if grade else None,
        judgement=judgement,
    )


@lru_cache(maxsize=64)
def _sampling_json(sampling: Sampling, continuation: str) -> str:
    return compact(sampling.stated() | ({"continuation": continuation} if continuation else {}))


def wall_clock() -> str:
    """Now, in UTC, as text for manifests."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def held(folder: Path) -> dict[str, int]:
    """Documents with a reply per task in a run folder, read without taking the folder; {} where there is no run."""
    path = folder / "responses.sqlite"
    if not path.exists():
        return {}
    with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)) as db:
        try:
            query = "SELECT task, COUNT(*) FROM replies WHERE finish != 'error' AND part = 0 GROUP BY task"
            return dict(db.execute(query))
        except sqlite3.DatabaseError:
            return {}  # the store itself says what is wrong, when it is opened for writing
