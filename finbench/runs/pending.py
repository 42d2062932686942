"""What is still to be asked: documents of all tasks, lazily, past what the store already holds."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace

from finbench.errors import TaskError
from finbench.records import Document, Request, Response, text_hash
from finbench.runs.store import Store
from finbench.serialize import compact
from finbench.tasks.task import Asking, Task

AHEAD = 64  # requests that `prepare` renders before they are wanted


@dataclass(frozen=True, slots=True)
class Choice:
    """Which documents of each task are asked, and how often."""

    limit: int | None = None
    seed: int = 0
    repeats: int = 1


@dataclass(slots=True)
class Underway:
    """A request that an engine has, and where its reply belongs."""

    task: Task
    position: int
    request: Request
    row: str  # the document's row as JSON
    first: int = 0  # the repeat that carries the verdict
    together: int = 1  # replies that are graded as one


class Feed:
    """An iterator of requests for an engine.

    It yields None while all that is left depends on replies under way (the next turns of conversations that are asked
    with the model's own earlier answers), and stops when everything is asked or `stop()` was called.
    """

    def __init__(self, tasks: Sequence[Task], store: Store, asking: Mapping[str, Asking], choice: Choice) -> None:
        self._store = store
        self._asking = asking
        self._choice = choice
        self._ready: deque[Underway] = deque()
        self._documents = self._walk(tasks)
        self._waiting: dict[tuple[str, str], tuple[Task, int, Document]] = {}
        self._answers: dict[tuple[str, str, int], str] = {}  # (task, conversation, turn) -> the model's answer
        self._answered: set[tuple[str, str]] = set()  # (task, document id) of answered turns
        self._parts: dict[tuple[str, int, int], dict[tuple[int, int], Response]] = {}  # place -> what came by now
        self._stopped = False
        self.underway: dict[str, Underway] = {}
        self.kept = 0  # replies that the store already held
        self._sums: dict[str, int] = {}

    def __iter__(self) -> Iterator[Request | None]:
        return self

    def __next__(self) -> Request | None:
        while not self._stopped:
            if self._ready:
                found = self._ready.popleft()
                self.underway[found.request.id] = found
                return found.request
            if next(self._documents, None) is None:
                break
        if self._stopped or not self._waiting:
            raise StopIteration
        return None

    def begin(self) -> bool:
        """Is there anything to ask?"""
        while not self._ready and next(self._documents, None):
            pass
        return bool(self._ready)

    def prepare(self) -> bool:
        """Render ahead what is asked next, a document a call, while the engine has nothing better to do; False: enough."""
        return not self._stopped and len(self._ready) < AHEAD and next(self._documents, False)

    @property
    def data_hashes(self) -> dict[str, str]:
        """Per task, a hash over its documents that does not depend on the order in which they were met."""
        return {task: f"{total:032x}" for task, total in self._sums.items()}

    def stop(self) -> None:
        """Ask for nothing more; what is under way may still come back."""
        self._stopped = True

    def _walk(self, tasks: Sequence[Task]) -> Iterator[bool]:
        """Meet one document per step; its open requests go to the ready queue."""
        for task in tasks:
            for position, document in task.documents(self._choice.limit, self._choice.seed):
                before = document.row.get("depends_on") if task.own_history else None
                if before is None or (task.name, before) in self._answered:
                    self._meet(task, position, document)
                else:
                    self._waiting[task.name, before] = (task, position, document)
                yield True

    def _meet(self, task: Task, position: int, document: Document) -> None:
        """Queue what the store does not hold of this document."""
        row = _json(task, document)
        digest = text_hash(row)
        self._sums[task.name] = (self._sums.get(task.name, 0) + int(digest, 16)) % (1 << 128)
        if task.own_history:
            document = self._with_own_answers(task, document)
            row = _json(task, document)
            digest = text_hash(row)
        answered = self._store.answered(task.name, position, digest)
        repeats = task.repeats(self._choice.repeats)
        if answered >= {(repeat, 0) for repeat in range(repeats)} and task.output_type == "generate_until":
            self.kept += repeats
            self._release_stored(task, position, document)
            return
        self._store.add_document(position, document, row, digest)
        requests = list(task.requests(document, digest, self._asking[task.name], repeats, self._choice.seed))
        if requests and requests[0].kind == "loglikelihood":
            graded = self._store.grade(task.name, position) if answered else None
            if graded and all((request.repeat, request.part) in answered for request in requests):
                self.kept += 1
                return
            answered = set()  # scored together: a gap asks all of them again
        self._queue(task, position, row, requests, answered)

    def _queue(
        self, task: Task, position: int, row: str, requests: Sequence[Request], answered: Set[tuple[int, int]]
    ) -> None:
        """What is still to be asked of a document, with the number of replies that are graded with each."""
        size = task.together(requests[0].document) if requests and requests[0].kind == "generate" else len(requests)
        for request in requests:
            if (request.repeat, request.part) in answered:
                self.kept += 1
            else:
                first = request.repeat - request.repeat % size if request.kind == "generate" else request.repeat
                self._ready.append(Underway(task, position, request, row, first, size))

    def _with_own_answers(self, task: Task, document: Document) -> Document:
        """The document with the model's own earlier answers in its history; "(no answer)" where it gave none."""
        history = [
            {**turn, "answer": self._answers.get((task.name, document.cluster, index)) or "(no answer)"}
            for index, turn in enumerate(document.row.get("history", []))
        ]
        return replace(document, row={**document.row, "history": history})

    def _release_stored(self, task: Task, position: int, document: Document) -> None:
        if task.own_history:
            grade = self._store.grade(task.name, position)
            self.release(task, document, grade.extracted if grade else None)

    def release(self, task: Task, document: Document, answer: str | None) -> None:
        """Let the next turn of a conversation go, now that this one is answered."""
        self._answers[task.name, document.cluster, len(document.row.get("history", []))] = answer or ""
        self._answered.add((task.name, document.id))
        following = self._waiting.pop((task.name, document.id), None)
        if following is not None:
            self._meet(*following)

    def take(self, response: Response) -> Underway | None:
        """The request that a reply belongs to; None for a reply to nothing that is under way."""
        return self.underway.pop(response.request_id, None)

    def complete(self, found: Underway, response: Response) -> list[Response] | None:
        """The replies that are graded together, once all of them came: one, or one per choice, or a task's `repeats`.

        Where a run before this one has some of a task's `repeats`, they are graded from the store (files.summarize).
        """
        if found.together == 1:
            return [response]
        place = (found.task.name, found.position, found.first)
        parts = self._parts.setdefault(place, {})
        parts[found.request.repeat, found.request.part] = response
        if len(parts) < found.together:
            return None
        del self._parts[place]
        return [parts[key] for key in sorted(parts)]


def _json(task: Task, document: Document) -> str:
    try:
        return compact(document.row)
    except (TypeError, ValueError) as err:
        raise TaskError(f"{task.name}: document {document.id!r} cannot be written as JSON ({err})") from err
