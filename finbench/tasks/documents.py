"""A task's row (a plain dict, see docs/custom-tasks.md) as a `Document`, and back."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from finbench.errors import TaskError
from finbench.records import Answer, Document, Gold, Kind

KINDS = ("number", "choice", "label", "boolean", "text", "lm_eval")
_FIELDS = frozenset(Answer.__dataclass_fields__)
_TUPLES = ("classes", "aliases")


def document_from_row(row: Mapping[str, Any], task: str, *, kind: Kind | None = None) -> Document:
    """The document of a row that follows the contract; `kind` is used where the row does not declare one.

    Raises TaskError naming the row and the field that is missing or of the wrong shape.
    """
    for key in ("id", "question", "gold"):
        if not isinstance(row.get(key), str):
            raise TaskError(
                f"{_name(row, task)}: `{key}` is {row.get(key)!r}, expected a text; see docs/custom-tasks.md"
            )
    declared = row.get("answer") or {}
    if not isinstance(declared, Mapping):
        raise TaskError(
            f"{_name(row, task)}: `answer` is {declared!r}, expected a mapping such as {{'kind': 'number'}}"
        )
    golds = row.get("golds") or [{"text": row["gold"]}]
    try:
        return Document(
            id=row["id"],
            task=task,
            question=row["question"],
            answer=_answer(declared, kind),
            golds=tuple(Gold(str(gold["text"]), str(gold.get("source", "gold"))) for gold in golds),
            cluster=row.get("cluster") or "",
            flags=tuple(row.get("flags") or ()),
            facets=row.get("facets") or {},
            cells=tuple(row.get("cells") or ()),
            steps=tuple(row.get("steps") or ()),
            row=row,
        )
    except (TypeError, KeyError, AttributeError, ValueError) as err:
        raise TaskError(f"{_name(row, task)}: the row does not follow docs/custom-tasks.md ({err})") from err


def _name(row: Mapping[str, Any], task: str) -> str:
    return f"{task or 'row'} {row.get('id', '(no id)')!r}"


def _answer(declared: Mapping[str, Any], kind: Kind | None) -> Answer:
    try:
        return _simple(tuple(declared.items()), kind)  # most rows of a task declare the same
    except TypeError:  # choices and the like cannot be a key
        return _built(declared, kind)


@lru_cache(maxsize=256)
def _simple(declared: tuple[tuple[str, Any], ...], kind: Kind | None) -> Answer:
    return _built(dict(declared), kind)


def _built(declared: Mapping[str, Any], kind: Kind | None) -> Answer:
    unknown = set(declared) - _FIELDS
    if unknown:
        raise ValueError(
            f"`answer` has unknown fields {', '.join(sorted(unknown))}; known: {', '.join(sorted(_FIELDS))}"
        )
    fields = {key: value for key, value in declared.items() if value is not None}
    for key in _TUPLES:
        if key in fields:
            fields[key] = tuple(fields[key])
    for key in ("choices", "synonyms", "codes"):
        if not isinstance(fields.get(key, {}), Mapping) or not all(
            isinstance(v, str) for v in fields.get(key, {}).values()
        ):
            raise ValueError(f"`answer.{key}` is {fields[key]!r}, expected a mapping of texts to texts")
    chosen = fields.pop("kind", kind)
    if chosen not in KINDS:
        raise ValueError(f"`answer.kind` is {chosen!r}, expected one of {', '.join(KINDS)}")
    return Answer(kind=chosen, **fields)
