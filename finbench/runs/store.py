"""The durable half of a run: every document, prompt, reply and grade in one SQLite file.

Replies are committed 4 to 50 times a second: what came in since the last commit is at risk when the process dies, and is
asked again. One writer at a time: the second is refused with the first one's process id.

Every row carries a digest over its plain texts, and a grade one of its own, since it is written later. A row that does not
match is damaged: it is named in `damaged`, never handed out, and asked again by the next run. Damage to the file's
structure (SQLite's own check, at every opening) is refused. Long texts are deflated, a prompt with its row as dictionary.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import Any
from urllib.parse import quote

from finbench.errors import StoreError, writing
from finbench.records import Document, Grade, Request, Response, Sampling
from finbench.runs import refusals
from finbench.serialize import (
    compact,
    digest,
    grade_from,
    grade_json,
    packed,
    response_from,
    response_json,
    stowed,
    unstowed,
)

MOST = 256  # statements that may wait while the disk is busy
PAGE = 500  # documents read at once
INTERVAL = (0.02, 0.25)  # seconds between two commits, at least and at most: four times what a commit takes here
ROWS = 1024  # rows remembered as dictionaries of the prompts made from them; a prompt without one is four times as long
SCHEMA = 2  # 1 had no digests, and no texts deflated

# Plain tables with an index: rows of several kilobytes would take a page of their own each inside a WITHOUT ROWID tree,
# nearly three times the space (https://www.sqlite.org/withoutrowid.html, section 3).
_TABLES = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL, digest BLOB);
CREATE TABLE IF NOT EXISTS documents (
    task TEXT NOT NULL, position INTEGER NOT NULL, id TEXT NOT NULL, hash TEXT NOT NULL, target TEXT NOT NULL,
    row TEXT NOT NULL, digest BLOB, PRIMARY KEY (task, position));
CREATE TABLE IF NOT EXISTS replies (
    task TEXT NOT NULL, position INTEGER NOT NULL, repeat INTEGER NOT NULL, part INTEGER NOT NULL,
    request_id TEXT NOT NULL, prompt TEXT NOT NULL, sampling TEXT NOT NULL, finish TEXT NOT NULL,
    response TEXT NOT NULL, grade TEXT, digest BLOB, graded BLOB,
    PRIMARY KEY (task, position, repeat, part));
CREATE TABLE IF NOT EXISTS judgements (
    task TEXT NOT NULL, position INTEGER NOT NULL, repeat INTEGER NOT NULL, request_id TEXT NOT NULL,
    model TEXT NOT NULL, verdict TEXT NOT NULL, response TEXT NOT NULL, digest BLOB,
    PRIMARY KEY (task, position, repeat));
"""

# What the digest of each table covers, in the order of the columns. A grade is covered with the place of its reply.
_COVERED = {
    "meta": ("key", "value"),
    "documents": ("task", "position", "id", "hash", "target", "row"),
    "replies": ("task", "position", "repeat", "part", "request_id", "prompt", "sampling", "finish", "response"),
    "judgements": ("task", "position", "repeat", "request_id", "model", "verdict", "response"),
}
_PLACE = _COVERED["replies"][:4]
_UPGRADE = (
    *((table, "digest", names, "") for table, names in _COVERED.items()),
    ("replies", "graded", (*_PLACE, "grade"), "WHERE grade IS NOT NULL"),
)

_DOCUMENT = "d.task, d.position, d.id, d.hash, d.target, d.row, d.digest"
_REPLY = "r.repeat, r.part, r.request_id, r.prompt, r.sampling, r.finish, r.response, r.digest, r.grade, r.graded"
_JUDGED = "j.request_id, j.model, j.verdict, j.response, j.digest"

# Whole documents, a page at a time: a writer may go on between two pages.
_PAGE = f"""
SELECT {_DOCUMENT}, {_REPLY}, {_JUDGED}
FROM (SELECT * FROM documents WHERE task = :task AND position > :last ORDER BY position LIMIT :size) d
LEFT JOIN replies r ON r.task = d.task AND r.position = d.position
LEFT JOIN judgements j ON j.task = d.task AND j.position = d.position AND j.repeat = r.repeat
ORDER BY d.position, r.repeat, r.part
"""  # noqa: S608 - the columns above
_ONE = f"""
SELECT {_DOCUMENT}, {_REPLY} FROM documents d LEFT JOIN replies r ON r.task=d.task AND r.position=d.position
WHERE d.task=? AND d.position=?
"""  # noqa: S608 - the columns above

_APPEND = """
INSERT INTO replies VALUES (?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT (task, position, repeat, part) DO UPDATE
SET request_id=excluded.request_id, prompt=excluded.prompt, sampling=excluded.sampling, finish=excluded.finish,
response=excluded.response, grade=excluded.grade, digest=excluded.digest, graded=excluded.graded
WHERE finish='error' OR (grade IS NULL AND excluded.grade IS NOT NULL)
"""


class _Damaged(Exception):
    """A row whose digest says that it is not what was written."""


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
        self.damaged: dict[tuple[object, ...], str] = {}  # what was found damaged on the way, in words, by place
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            self._lock_file = refusals.lock(folder / "lock")
        self._guard = threading.RLock()
        self._waiting: deque[tuple[str, Sequence[object]]] = deque()  # statements
        self._held: dict[str, tuple[int, Request, Response]] = {}  # by request, replies that wait for their verdict
        self._open = False  # a transaction
        self._rows: OrderedDict[tuple[str, int], str] = OrderedDict()  # of the documents met last
        self._failure: Exception | None = None
        self._last: dict[str, int] = {}  # the last position held of a task, -1 for none
        try:
            self._db = self._connect()
            self._check(settings)
            self._place = self.path.stat().st_ino
        except (sqlite3.Error, OSError) as err:
            self._lock_file.close()
            raise refusals.damaged(self.path, err) from err
        except StoreError:
            self._lock_file.close()
            raise
        self._stop = threading.Event()
        self._ticker = threading.Thread(target=self._tick, name="finbench-store", daemon=True)
        self._ticker.start()

    def _connect(self) -> sqlite3.Connection:
        """The file, opened; what was there before has been looked through for damage to its structure."""
        known = self.path.exists()
        db = sqlite3.connect(self.path, check_same_thread=False, isolation_level=None)
        db.text_factory = _text
        try:
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=FULL")
            if known:
                ((found, *_), *_) = db.execute("PRAGMA integrity_check(1)")
                if found != "ok":
                    raise refusals.damaged(self.path, sqlite3.DatabaseError(" ".join(found.split())))
            db.executescript(_TABLES)
        except (sqlite3.Error, StoreError):
            db.close()
            raise
        return db

    def _check(self, settings: Mapping[str, Any] | None) -> None:
        found = self._db.execute("SELECT value FROM meta WHERE key='schema'").fetchall()
        schema = found[0][0] if found else str(SCHEMA)
        if schema == "1":
            self._upgrade()
        elif schema != str(SCHEMA):
            raise refusals.other_schema(self.path, schema, SCHEMA)
        stored = self.meta("settings")
        if self.damaged:
            raise refusals.damaged(self.path, sqlite3.DatabaseError("the run's settings are not what was written"))
        if settings is None:
            return
        wanted = json.loads(json.dumps(settings, sort_keys=True, default=list))
        if stored is not None:
            refusals.other_settings(self.folder, stored, wanted)
            return
        self._db.execute("BEGIN IMMEDIATE")
        for key, value in (("schema", SCHEMA), ("settings", wanted)):
            self._db.execute("INSERT OR REPLACE INTO meta VALUES (?,?,?)", _meta(key, value))
        self._db.execute("COMMIT")

    def _upgrade(self) -> None:
        """Give the rows of a store without digests theirs, so that damage shows from now on; unreadable ones get none."""
        refusals.without_digests(self.path)
        self._db.execute("BEGIN IMMEDIATE")
        for table, column, names, where in _UPGRADE:  # names of this file, nothing foreign
            self._db.execute(f"ALTER TABLE {table} ADD COLUMN {column} BLOB")
            places = self._db.execute(f"SELECT rowid FROM {table} {where}").fetchall()  # noqa: S608
            read = f"SELECT {', '.join(names)} FROM {table} WHERE rowid=?"  # noqa: S608
            seal = f"UPDATE {table} SET {column}=? WHERE rowid=?"  # noqa: S608
            for place in places:
                row = self._db.execute(read, place).fetchone()
                if _readable(dict(zip(names, row, strict=True))):
                    parts = (table, *row) if column == "digest" else row
                    self._db.execute(seal, (digest(*parts), *place))
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?,?,?)", _meta("schema", SCHEMA))
        self._db.execute("COMMIT")

    # Writing

    def add_document(self, position: int, document: Document, row: str, hashed: str) -> None:
        """Remember a document, once `answered` has been asked about it; one that is known stays as it is."""
        place, target = (document.task, position), document.golds[0].text
        seal = digest("documents", *place, document.id, hashed, target, row)
        values = (*place, stowed(document.id), hashed, stowed(target), stowed(row), seal)
        self._write("INSERT OR IGNORE INTO documents VALUES (?,?,?,?,?,?,?)", values)
        self._rows[place] = row
        if len(self._rows) > ROWS:
            self._rows.popitem(last=False)
        self._last[document.task] = max(position, self._last_of(document.task))

    def append(self, position: int, request: Request, response: Response, grade: Grade | None) -> None:
        """Keep a reply; a later one to the same place replaces a failure or what has no grade, never a graded success."""
        self._held.pop(request.id, None)
        self._write(_APPEND, self._reply(position, request, response, grade))

    def hold(self, position: int, request: Request, response: Response) -> None:
        """Keep a reply whose verdict is on its way: with it, if `append` brings it before the next commit, else alone."""
        self._held[request.id] = (position, request, response)

    def set_grade(self, task: str, position: int, repeat: int, grade: Grade) -> None:
        """Replace the grade of a stored reply; log-likelihood tasks carry it on their first part."""
        said = grade_json(grade)
        self._write(
            "UPDATE replies SET grade=?, graded=? WHERE task=? AND position=? AND repeat=? AND part=0",
            (said, digest(task, position, repeat, 0, said), task, position, repeat),
        )

    def add_judgement(
        self, task: str, position: int, repeat: int, request_id: str, model: str, verdict: str, response: Response
    ) -> None:
        """Keep a judge's verdict on a stored reply."""
        said = response_json(response)
        seal = digest("judgements", task, position, repeat, request_id, model, verdict, said)
        values = (task, position, repeat, request_id, stowed(model), verdict, stowed(said), seal)
        self._write("INSERT OR REPLACE INTO judgements VALUES (?,?,?,?,?,?,?,?)", values)

    def set_meta(self, key: str, value: object) -> None:
        """Remember a JSON value under a name of the run."""
        self._write("INSERT OR REPLACE INTO meta VALUES (?,?,?)", _meta(key, value))

    def _reply(self, position: int, request: Request, response: Response, grade: Grade | None) -> Sequence[object]:
        """The columns of a reply."""
        place = (request.document.task, position, request.repeat, request.part)
        prompt = packed(request.messages or request.prompt)
        sampling = _sampling_json(request.sampling, request.continuation)
        said, verdict = response_json(response), grade_json(grade) if grade else None
        return (
            *place,
            request.id,
            stowed(prompt, self._rows.get(place[:2], "")),
            sampling,
            response.finish,
            stowed(said),
            verdict,
            digest("replies", *place, request.id, prompt, sampling, response.finish, said),
            digest(*place, verdict) if verdict else None,
        )

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
        if getattr(self._failure, "sqlite_errorcode", 0) == sqlite3.SQLITE_CORRUPT:
            raise refusals.damaged(self.path, self._failure) from self._failure
        raise refusals.cannot_write(self.path, self._failure) from self._failure

    def _let_go(self) -> None:
        """Verdicts that have not come must not keep their replies from the disk. Safe beside `append`, in any order:
        what it writes replaces a reply without a grade, and is not replaced by one."""
        for name in list(self._held):
            if found := self._held.pop(name, None):
                self._waiting.append((_APPEND, self._reply(*found, None)))

    def _tick(self) -> None:
        shortest, longest = INTERVAL
        pause = shortest
        while not self._stop.wait(pause):
            self._let_go()
            with self._guard:
                began = time.monotonic()
                try:
                    self._failure = self._failure or self._gone()
                    if not self._open:  # the run writes nothing at present, or it would have settled this itself
                        self._settle()
                    self._commit()
                except StoreError:  # the next write says it again, in the thread that can end the run
                    return
                pause = min(longest, max(shortest, 4 * (time.monotonic() - began)))

    def _gone(self) -> OSError | None:
        """Was the file removed or moved while it was open? SQLite would go on writing to what nobody can find again."""
        try:
            return None if self.path.stat().st_ino == self._place else FileNotFoundError("another file is in its place")
        except OSError as err:
            return err

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
            try:
                return self._db.execute(query, values).fetchall()
            except sqlite3.Error as err:
                raise refusals.damaged(self.path, err) from err

    def meta(self, key: str) -> Any:
        """The JSON value under a name of the run; None without one, and where it is damaged."""
        for value, seal in self._read("SELECT value, digest FROM meta WHERE key=?", (key,)):
            if digest("meta", key, value) == seal:
                return json.loads(value)
            self.damaged[key,] = f"the run's {key}"
        return None

    def answered(self, task: str, position: int, hashed: str) -> set[tuple[int, int]]:
        """(repeat, part) of the replies that a document already has; failed requests do not count, and damaged ones go.

        Raises StoreError when the document has changed since it was asked.
        """
        if position > self._last_of(task):
            return set()
        rows = self._read(_ONE, (task, position))
        if not rows:
            return set()
        try:
            document = _document(rows[0])
        except _Damaged as err:
            self._forget(f"{task} document {position}: {err}", (task, position))
            return set()
        if document["hash"] != hashed:
            raise StoreError(
                f"{self.folder}: document {position} of {task} has changed since this run began; "
                "restore the data it was run on, or give another --output"
            )
        held = set()
        for entry in rows:
            repeat, part = entry[7:9]
            if repeat is None:
                continue
            try:
                _, response, _ = _replied(document, entry[7:17])
            except _Damaged as err:
                self._forget(f"{task} {document['id']}: {err}", (task, position, repeat, part))
                continue
            if response.finish != "error":
                held.add((repeat, part))
        return held

    def _forget(self, words: str, place: tuple[object, ...]) -> None:
        """Remove a damaged row, and what depends on it, because it is asked again now."""
        self.damaged[place] = words
        logging.getLogger("finbench").warning("%s: %s; asked again", self.path, words)
        if len(place) == 2:
            self._write("DELETE FROM documents WHERE task=? AND position=?", place)
            self._write("DELETE FROM replies WHERE task=? AND position=?", place)
        else:
            self._write("DELETE FROM replies WHERE task=? AND position=? AND repeat=? AND part=?", place)

    def _last_of(self, task: str) -> int:
        if task not in self._last:
            ((last,),) = self._read("SELECT MAX(position) FROM documents WHERE task=?", (task,))
            self._last[task] = -1 if last is None else last
        return self._last[task]

    def grade(self, task: str, position: int) -> Grade | None:
        """The stored grade of a document's first reply, or None."""
        found = self._read(
            "SELECT grade, graded FROM replies WHERE task=? AND position=? AND repeat=0 AND part=0", (task, position)
        )
        whole = found and found[0][0] and digest(task, position, 0, 0, found[0][0]) == found[0][1]
        return grade_from(found[0][0]) if whole else None

    def ids(self, task: str) -> list[str]:
        """The ids of a task's documents, in data order; a damaged one is left out."""
        found = []
        for name, position in self._read("SELECT id, position FROM documents WHERE task=? ORDER BY position", (task,)):
            try:
                found.append(unstowed(name))
            except ValueError as err:
                self.damaged[task, position] = f"{task} document {position}: {err}"
        return found

    def count(self) -> dict[str, int]:
        """Replies held per task, failures left out."""
        return dict(self._read("SELECT task, COUNT(*) FROM replies WHERE finish != 'error' GROUP BY task"))

    def tasks(self) -> list[str]:
        """The names of the tasks with documents, in the order in which they came."""
        return [name for (name,) in self._read("SELECT DISTINCT task FROM documents ORDER BY task")]

    def scan(self, task: str) -> Iterator[Stored]:
        """All documents of a task in data order, one entry per repeat; documents without a reply have no responses.

        What is damaged is left out, and named in `damaged`.
        """
        last = -1
        while True:
            page = self._read(_PAGE, {"task": task, "last": last, "size": PAGE})
            if not page:
                return
            for _, entries in groupby(page, key=lambda entry: (entry[1], entry[7])):
                together = list(entries)
                position, repeat = together[0][1], together[0][7]
                try:
                    yield self._stored(together)
                except _Damaged as err:
                    self.damaged[task, position, repeat] = f"{task} document {position}: {err}"
            last = page[-1][1]

    def _stored(self, entries: list[Any]) -> Stored:
        """One repeat of a document with all its parts."""
        document = _document(entries[0])
        replied = [_replied(document, entry[7:17]) for entry in entries if entry[7] is not None]
        asked, _, grade = replied[0] if replied else ({"request_id": "", "prompt": '""', "sampling": "{}"}, None, None)
        position, repeat = entries[0][1], entries[0][7] or 0
        try:
            judgement = _judgement(document["task"], position, repeat, entries[0][17:])
        except _Damaged as err:
            judgement = None
            self.damaged["judgement", document["task"], position, repeat] = (
                f"{document['task']} {document['id']}: {err}"
            )
        return Stored(
            position=position,
            repeat=repeat,
            id=document["id"],
            target=document["target"],
            row=document["row"],
            hash=document["hash"],
            responses=tuple(response for _, response, _ in replied),
            grade=grade,
            judgement=judgement,
            **asked,
        )


# -- rows, read and checked --------------------------------------------------------------------------------------------


def _text(raw: bytes) -> str:
    """A column that is no UTF-8 any more must not hide the rows beside it: its digest will not match."""
    return raw.decode("utf-8", "surrogateescape")


def _meta(key: str, value: object) -> tuple[str, str, bytes]:
    said = json.dumps(value, sort_keys=True)
    return key, said, digest("meta", key, said)


def _document(entry: Sequence[Any]) -> dict[str, str]:
    """The texts of a document by column."""
    task, position, name, hashed, target, row, seal = entry[:7]
    try:
        name, target, row = unstowed(name), unstowed(target), unstowed(row)
    except ValueError as err:
        raise _Damaged(f"its row cannot be read ({err})") from err
    if digest("documents", task, position, name, hashed, target, row) != seal:
        raise _Damaged("its row is not what was written")
    return {"task": task, "position": position, "id": name, "hash": hashed, "target": target, "row": row}


def _replied(document: Mapping[str, Any], entry: Sequence[Any]) -> tuple[dict[str, str], Response, Grade | None]:
    """What was asked (request, prompt, sampling), what came back and its grade."""
    repeat, part, request_id, prompt, sampling, finish, said, seal, grade, graded = entry
    place = (document["task"], document["position"], repeat, part)
    try:
        prompt, said = unstowed(prompt, document["row"]), unstowed(said)
    except ValueError as err:
        raise _Damaged(f"its reply cannot be read ({err})") from err
    if digest("replies", *place, request_id, prompt, sampling, finish, said) != seal:
        raise _Damaged("its prompt or reply is not what was written")
    if graded != (digest(*place, grade) if grade else None):
        raise _Damaged("its grade is not what was written")
    asked = {"request_id": request_id, "prompt": prompt, "sampling": sampling}
    return asked, response_from(said), grade_from(grade) if grade else None


def _judgement(task: str, position: int, repeat: int, entry: Sequence[Any]) -> dict[str, Any] | None:
    request_id, model, verdict, said, seal = entry
    if request_id is None:
        return None
    try:
        model, said = unstowed(model), unstowed(said)
    except ValueError as err:
        raise _Damaged(f"its judgement cannot be read ({err})") from err
    if digest("judgements", task, position, repeat, request_id, model, verdict, said) != seal:
        raise _Damaged("its judgement is not what was written")
    reply = json.loads(said)
    judged = {"verdict": verdict, "model": model, "text": reply["text"], "request_id": request_id}
    return judged | ({"error": reply["error"]} if reply.get("error") else {})


def _readable(row: Mapping[str, Any]) -> bool:
    """Does a row of a store without digests hold what its columns are read as?"""
    readers: dict[str, Callable[[Any], object]] = {
        "row": json.loads,
        "prompt": json.loads,
        "sampling": json.loads,
        "value": json.loads,
    }
    readers |= {"response": response_from, "grade": grade_from}
    try:
        for name, value in row.items():
            str(value).encode()  # invalid UTF-8 shows as surrogates
            readers.get(name, str)(value)
    except Exception:  # a foreign file: any damage at all
        return False
    return True


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
        db.text_factory = _text
        try:
            query = "SELECT task, COUNT(*) FROM replies WHERE finish != 'error' AND part = 0 GROUP BY task"
            return dict(db.execute(query))
        except sqlite3.Error:
            return {}  # the store itself says what is wrong, when it is opened for writing
