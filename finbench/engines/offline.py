"""Engines without a model: baselines that a model must beat, and replay of replies from a file.

    baseline/oracle             the first gold, in the format the prompt asks for; checks the grader, not a model
    baseline/oracle:SOURCE      the gold of one source ("display", "executed"), the first gold where there is none
    baseline/majority           the most frequent gold of the task or sub-task, counted in a pass before the run
    baseline/constant           0 / A / neutral / yes / 是
    baseline/longest            the longest option; where there are none, the constant
    baseline/heuristic          a rule-based attempt that sees what a model sees, and no gold (baselines/heuristic.py)
    replay:PATH                 replies from a JSON-lines file, or from a folder of samples_*.jsonl

All are deterministic and need neither network nor accelerator. Tokens are not counted (None).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from finbench.engines.baselines.simple import Baseline, Passes
from finbench.errors import EngineError
from finbench.records import Request, Response

_TEXT_FIELDS = ("text", "output", "response", "generation", "reply")
_SAMPLES = re.compile(r"^samples_(?P<task>.+?)(?:_\d{4}-\d{2}-\d{2}T[\d\-.]+)?\.jsonl$")


class OfflineEngine:
    """The engine behind `baseline/...` and `replay:...`; EngineError for an unknown one or an unreadable file."""

    def __init__(self, model: str, **_ignored: object) -> None:  # other engines' options: servers, concurrency
        self.name = model
        self._replies = Replay(model) if model.startswith("replay:") else Baseline(model)

    def prepare(self, documents: Passes) -> None:
        """See every task's documents once, before the run: only the majority baseline looks, and only at the golds.

        `documents` maps a task's name to a function that starts a pass over the documents of the run.
        """
        if isinstance(self._replies, Baseline):
            self._replies.prepare(documents)

    def stream(self, requests: Iterator[Request | None]) -> Iterator[Response]:
        """One reply per request, at once. `None` means that the next request waits for a reply already given."""
        for request in requests:
            if request is not None:
                yield self._replies.respond(request)

    def close(self) -> None:
        """Close what is open."""
        self._replies.close()

    def describe(self) -> dict[str, object]:
        """Where the replies come from, for the manifest."""
        return {"engine": "offline", "model": self.name, **self._replies.describe()}


class Replay:
    """Replies read from JSON lines; a request is matched by task (where the file tells it), document and repeat.

    Lines are finbench's or lm-eval's samples (`doc_id`, `doc`, `resps`), or plain objects with `id`, one of
    `text`, `output`, `response`, `generation`, `reply`, and optionally `task`, `repeat`, `finish` and `reasoning`.
    Only places in the file are held in memory.
    """

    def __init__(self, model: str) -> None:
        self._path = Path(model.removeprefix("replay:"))
        self._files = sorted(self._path.glob("samples_*.jsonl")) if self._path.is_dir() else [self._path]
        self._places: dict[tuple[str, str, int], tuple[int, int]] = {}
        if not self._files or not all(file.is_file() for file in self._files):
            raise EngineError(f"{model}: no such file, and no folder with samples_*.jsonl; replay needs stored replies")
        for number, file in enumerate(self._files):
            self._index(number, file)
        self._open = [file.open("rb") for file in self._files]

    def close(self) -> None:
        """Close the files."""
        for file in self._open:
            file.close()

    def describe(self) -> dict[str, object]:
        """The files, and how many replies they hold."""
        return {"files": [file.name for file in self._files], "replies": len({*self._places.values()})}

    def _index(self, number: int, path: Path) -> None:
        named = _SAMPLES.match(path.name)
        place = 0
        with path.open("rb") as file:
            for count, line in enumerate(file, 1):
                if line.strip():
                    try:
                        for key in _keys(json.loads(line), named["task"] if named else ""):
                            self._places.setdefault(key, (number, place))
                    except (ValueError, TypeError, AttributeError) as err:
                        raise EngineError(f"{path}:{count}: not a reply that replay knows ({err})") from err
                place += len(line)

    def respond(self, request: Request) -> Response:
        """The stored reply; a missing one is a failed request."""
        document = request.document
        for task in (document.task, ""):
            if found := self._places.get((task, document.id, request.repeat)):
                return self._read(request, *found)
        words = f"no reply to {document.task} {document.id!r}, repeat {request.repeat}, in {self._path}"
        return Response(request.id, "", "error", error=words)

    def _read(self, request: Request, number: int, place: int) -> Response:
        file = self._open[number]
        file.seek(place)
        line = json.loads(file.readline())
        own = line.get("finbench") or line
        reply = _text(line, request.repeat)
        if reply is None:
            words = f"the stored line of {request.document.id!r} holds no reply of repeat {request.repeat}"
            return Response(request.id, "", "error", error=f"{words}: {self._files[number]}")
        return Response(
            request.id,
            reply,
            own.get("finish", "stop"),
            reasoning=own.get("reasoning") or "",
            prompt_tokens=own.get("prompt_tokens"),
            output_tokens=own.get("output_tokens"),
            error=own.get("error") or "",
        )


def _keys(line: Mapping[str, Any], task: str) -> Iterator[tuple[str, str, int]]:
    """(task or "", document id, repeat) of every reply in a line."""
    if "finbench" in line:
        yield task, str(line["finbench"]["id"]), int(line["finbench"]["repeat"])
    elif "resps" in line:
        row = line.get("doc")
        known = isinstance(row, Mapping) and "id" in row
        for repeat in range(len(_replies(line))):
            yield task, str(row["id"] if known and row else line["doc_id"]), repeat
    elif "id" in line and any(field in line for field in _TEXT_FIELDS):
        yield str(line.get("task", task)), str(line["id"]), int(line.get("repeat", 0))
    else:
        raise ValueError(f"expected `resps`, or `id` and one of {', '.join(_TEXT_FIELDS)}")


def _text(line: Mapping[str, Any], repeat: int) -> str | None:
    if "resps" not in line:
        return str(next(line[field] for field in _TEXT_FIELDS if field in line))
    replies = _replies(line)
    place = 0 if "finbench" in line else repeat  # finbench writes one line per repeat
    return replies[place] if place < len(replies) else None


def _replies(line: Mapping[str, Any]) -> list[str]:
    """The replies of an lm-eval sample, one per repeat."""
    listed = line["resps"][0]
    return [str(reply) for reply in listed] if isinstance(listed, list) else [str(listed)]
