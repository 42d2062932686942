"""One lm-eval task as finbench runs it: documents, rendered requests, and lm-eval's own scoring where a task brings it.

With load.py (which loads them) and own_scoring.py (which scores with them) the only module that knows lm-eval's Task
objects. They are used one document at a time and never through `evaluate()`.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from finbench.errors import TaskError
from finbench.records import (
    Answer,
    Document,
    Gold,
    Grade,
    Message,
    Request,
    Response,
    Sampling,
    content_hash,
    text_hash,
)
from finbench.tasks import decoding, templates, yaml_files
from finbench.tasks.documents import document_from_row
from finbench.tasks.own_scoring import OwnScoring

SUPPORTED = ("generate_until", "loglikelihood", "loglikelihood_rolling", "multiple_choice")
FEWSHOT_SEED = 1234  # lm-eval's own default


@dataclass(frozen=True, slots=True)
class Asking:
    """How documents become requests, beyond what the task says: all of it is part of a request's identity."""

    model: str
    revision: str = ""
    system: str = ""
    chat: bool = True
    given: tuple[tuple[str, Any], ...] = ()  # Sampling fields given by flags or a model profile

    @property
    def overrides(self) -> dict[str, Any]:
        """`given` as keyword arguments of Sampling."""
        return dict(self.given)


class Task:
    """One lm-eval task, as finbench runs it."""

    def __init__(self, name: str, inner: Any, files: Sequence[yaml_files.TaskFile]) -> None:
        self.name = name
        self._inner = inner
        self._config = inner.config
        self.metadata: Mapping[str, Any] = self._config.metadata if isinstance(self._config.metadata, dict) else {}
        self.version = str(self.metadata.get("version", ""))
        self.output_type: str = inner.OUTPUT_TYPE
        self.folder = files[0].path.parent if files else None
        self.fewshot = int(self._config.num_fewshot or 0)
        self.judged = bool(self.metadata.get("judge"))
        self.own_history = bool(self.metadata.get("own_history"))
        self._examples: list[Any] = []
        if self.fewshot:
            self._sampler, inner.sampler = inner.sampler, _Drawn(self)
        self._common: dict[tuple[Asking, Sampling], str] = {}
        self._samplings: dict[Asking, Sampling] = {}
        # By limit and seed; each draw takes a pass over the rows.
        self._draws: dict[tuple[int | None, int], set[int] | None] = {}
        self.template_hash = yaml_files.fingerprint(files) if files else content_hash(repr(self._config.to_dict()))
        if self.output_type not in SUPPORTED:
            raise TaskError(
                f"{name}: output_type {self.output_type!r} cannot be run; finbench runs {', '.join(SUPPORTED)}"
            )
        self.scoring = OwnScoring(name, inner)

    def rows(self) -> Iterable[Mapping[str, Any]]:
        """The rows in data order, as the task's loader gives them."""
        return self._inner.eval_docs  # type: ignore[no-any-return]

    @property
    def target_setting(self) -> Any:
        """The YAML's `doc_to_target`, as written."""
        return self._config.doc_to_target

    def target(self, row: Mapping[str, Any]) -> Any:
        """lm-eval's target of a row."""
        return self._inner.doc_to_target(row)

    def __len__(self) -> int:
        return len(self._inner.eval_docs)

    @property
    def config(self) -> dict[str, Any]:
        """The YAML's settings as plain JSON values, functions by name."""
        return cast(dict[str, Any], json.loads(json.dumps(self._config.to_dict(keep_callable=False), default=str)))

    @property
    def metric_directions(self) -> dict[str, bool]:
        """Metric name -> is higher better."""
        return dict(self._inner.higher_is_better())

    def sampling(self, overrides: Mapping[str, Any] | None = None) -> Sampling:
        """The task's `generation_kwargs` as a Sampling, with the given fields on top."""
        return replace(decoding.sampling_of(self._config.generation_kwargs), **(overrides or {}))

    @property
    def unknown_settings(self) -> dict[str, Any]:
        """The `generation_kwargs` that no engine here knows: a run goes without them, and says so."""
        return decoding.unknown(self._config.generation_kwargs) if self.output_type == "generate_until" else {}

    def repeats(self, asked: int = 1) -> int:
        """How often each document is asked: the YAML's `repeats` times those that were `asked` for.

        Once where a reply is no draw (log-likelihoods) or the next turn depends on it (own history).
        """
        return 1 if self.own_history or self.output_type != "generate_until" else asked * self.scoring.replies

    def together(self, document: Document) -> int:
        """How many replies to a document are scored as one: the YAML's `repeats` where lm-eval's filters see them."""
        own = document.answer.kind == "lm_eval" and self.output_type == "generate_until" and not self.own_history
        return self.scoring.replies if own else 1

    def documents(self, limit: int | None = None, seed: int = 0) -> Iterator[tuple[int, Document]]:
        """(position in the data set, document), in data order; with `limit`, a sample drawn with `seed`.

        TFNS is grouped by label, so the first N rows would be one class. The ids decide, not the positions: a question
        is drawn together with its variants in other tasks, and a larger limit adds to a smaller one. Own-history tasks
        keep conversations whole.
        """
        if (limit, seed) not in self._draws:
            self._draws[limit, seed] = self._sample(limit, seed)
        wanted = self._draws[limit, seed]
        self._inner.set_fewshot_seed(FEWSHOT_SEED)
        for position, row in enumerate(self.rows()):
            self._examples = self._draw(row)
            if wanted is None or position in wanted:
                yield position, self.document(row, position)

    def _draw(self, row: Mapping[str, Any]) -> list[Any]:
        """The few-shot examples of a row: drawn for every row in turn, so that a skipped one does not shift the rest."""
        if not self.fewshot:
            return []
        same_split = self._inner.fewshot_cfg.split == self._config.test_split
        return list(self._sampler.sample(n=self.fewshot, eval_doc=row if same_split else None))

    def _sample(self, limit: int | None, seed: int) -> set[int] | None:
        size = len(self)
        if limit is None or limit >= size:
            return None
        if not self.own_history:
            ranked = ((_rank(seed, _identity(row, position)), position) for position, row in enumerate(self.rows()))
            return {position for _, position in heapq.nsmallest(limit, ranked)}
        conversations: dict[str, list[int]] = {}
        for position, row in enumerate(self.rows()):
            conversations.setdefault(row["cluster"], []).append(position)
        chosen: set[int] = set()
        for cluster in sorted(conversations, key=lambda name: _rank(seed, name)):
            if len(chosen) >= limit:
                break
            chosen.update(conversations[cluster])
        return chosen

    def document(self, row: Mapping[str, Any], position: int) -> Document:
        """The document of one row; rows of tasks not written for finbench are graded by lm-eval's own scoring."""
        if isinstance(row.get("answer"), Mapping) and "kind" in row["answer"]:
            return document_from_row(row, self.name)
        target = self._inner.doc_to_target(row)
        return Document(
            id=str(row.get("id", position)),
            task=self.name,
            question=str(row.get("question", "")),
            answer=Answer(kind="lm_eval"),
            golds=(Gold(str(target)),),
            row=row,
        )

    def requests(
        self, document: Document, digest: str, asking: Asking, repeats: int = 1, seed: int = 0
    ) -> Iterator[Request]:
        """The requests of one document (with the hash of its row): one per repeat (`repeats` in all), or per choice."""
        sampling = self._samplings.get(asking) or self._samplings.setdefault(asking, self.sampling(asking.overrides))
        if self.output_type == "generate_until":
            messages, prompt = _as_request(self._context(document, asking))
            for repeat in range(repeats):
                drawn = sampling if sampling.temperature == 0 else replace(sampling, seed=seed + repeat)
                yield Request(
                    id=self.request_id(digest, asking, drawn, repeat),
                    document=document,
                    messages=messages,
                    prompt=prompt,
                    sampling=drawn,
                    repeat=repeat,
                )
            return
        for part, (context, continuation) in enumerate(self._continuations(document, asking)):
            messages, prompt = _as_request(context)
            yield Request(
                id=self.request_id(digest, asking, sampling, 0, part),
                document=document,
                messages=messages,
                prompt=prompt,
                sampling=sampling,
                part=part,
                kind="loglikelihood",
                continuation=continuation,
                whole=self.output_type == "loglikelihood_rolling",
            )

    def request_id(self, digest: str, asking: Asking, sampling: Sampling, repeat: int, part: int = 0) -> str:
        """The identity of a request: everything that decides what the model sees and how it decodes."""
        common = self._common.get((asking, sampling))
        if common is None:
            what = (self.name, self.version, self.template_hash, self.fewshot)
            common = content_hash(what, asking.model, asking.revision, asking.system, asking.chat, sampling)
            self._common[asking, sampling] = common
        return text_hash(f"{common} {digest} {repeat} {part}")

    def _context(self, document: Document, asking: Asking) -> Any:
        """lm-eval's prompt: chat turns or a text; a list with one for each choice where they stand in the prompt."""
        try:
            return self._inner.fewshot_context(
                document.row,
                num_fewshot=self.fewshot,
                system_instruction=asking.system or None,
                apply_chat_template=asking.chat,
                fewshot_as_multiturn=asking.chat,
                chat_template=_as_messages if asking.chat else None,
                gen_prefix=self._inner.doc_to_prefix(document.row),
            )
        except (templates.TemplateError, AssertionError, ValueError, TypeError, KeyError) as err:
            raise TaskError(f"{self.name}: the prompt of document {document.id!r} cannot be rendered: {err}") from err

    def _continuations(self, document: Document, asking: Asking) -> list[tuple[tuple[Message, ...] | str, str]]:
        """(context, what is scored after it) for every choice; a text that is scored as a whole has no context."""
        context = self._context(document, asking)
        instances = self._inner.construct_requests(
            doc=document.row, ctx=context, metadata=(self.name, 0, 1), apply_chat_template=asking.chat
        )
        listed = instances if isinstance(instances, list) else [instances]
        if self.output_type == "loglikelihood_rolling":
            return [("", str(instance.args[0])) for instance in listed]
        return [cast(tuple[Any, str], instance.args) for instance in listed]

    def own_grade(self, document: Document, responses: Sequence[Response], texts: Sequence[str]) -> Grade:
        """lm-eval's own filters and `process_results` on the replies to one document; `texts` without thinking."""
        return self.scoring.grade(document, responses, texts)


def _identity(row: Mapping[str, Any], position: int) -> str:
    """What a row is drawn by: the question that it is a variant of (docs/resampled.md), its id, or its place."""
    return str(row.get("original") or row.get("id", position))


def _rank(seed: int, name: str) -> str:
    return text_hash(f"{seed}/{name}")


class _Drawn:
    """Stands where lm-eval expects its few-shot sampler: gives the examples that were drawn for the present row."""

    def __init__(self, task: Task) -> None:
        self._task = task

    def sample(self, n: int, eval_doc: object = None) -> list[Any]:
        return self._task._examples

    def set_rnd(self, seed: int | None) -> None:
        self._task._sampler.set_rnd(seed)


def _as_request(context: tuple[Message, ...] | str) -> tuple[tuple[Message, ...], str]:
    """A prompt as (`messages`, `prompt`) of a Request, one of them empty."""
    return ((), context) if isinstance(context, str) else (tuple(context), "")


def _as_messages(turns: list[dict[str, str]], **_: Any) -> tuple[Message, ...]:
    """Stands where lm-eval expects a chat template: keeps the turns instead of joining them."""
    return tuple(Message(cast(Any, turn["role"]), turn["content"]) for turn in turns)
