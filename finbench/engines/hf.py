"""transformers in this process: for small models, for the CPU, and for models that vLLM does not know.

Requests are gathered within a bounded lookahead, sorted by length and run in left-padded batches; replies come batch by
batch. Decoding is ours, applied row by row before an argmax: temperature, top_p, top_k, repetition penalty, choices and
the seed belong to each request, so a row's draw depends neither on its batch nor on the model's generation defaults
(its logits still may, in the last bits).
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from finbench.engines.prompts import (
    LongPrompt,
    LongPrompts,
    Prompt,
    PromptError,
    Prompts,
    context_length,
    first_line,
    read_template,
)
from finbench.errors import EngineError
from finbench.records import Message, Request, Response, Sampling

LOOKAHEAD = 8  # batches' worth of requests that are sorted by length


@dataclass(frozen=True, slots=True)
class _Row:
    """A request of a batch, with the tokens it may write at most."""

    request: Request
    prompt: Prompt
    max_tokens: int
    started: float


class LocalHF:
    """An engine over `AutoModelForCausalLM`."""

    name = "hf"

    def __init__(
        self,
        model: str,
        *,
        revision: str | None = None,
        dtype: str = "auto",
        device: str | None = None,
        batch_size: int = 8,
        max_model_len: int | None = None,
        lora: str | Path | None = None,
        trust_remote_code: bool = False,
        seed: int = 0,
        long_prompts: LongPrompts = "error",
        chat_template: str | Path | None = None,
        template_args: Mapping[str, Any] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        """Loads the model; EngineError says what is missing. `extra` goes to `from_pretrained`.

        `seed` starts the draws of requests that have no seed of their own.
        """
        template = read_template(chat_template)
        torch, auto_model, auto_tokenizer, clean = _libraries()
        self.model_name, self.revision, self.batch_size = model, revision, batch_size
        self.device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        shared = {"revision": revision, "trust_remote_code": trust_remote_code}
        try:
            self.tokenizer = auto_tokenizer.from_pretrained(model, **shared)
            self.model = auto_model.from_pretrained(model, dtype=dtype, **shared, **(extra or {}))
            if lora is not None:
                self.model.load_adapter(str(lora))
            self.model.to(self.device).eval()
        except (OSError, ValueError, ImportError, RuntimeError) as error:
            raise EngineError(f"transformers cannot load {model}: {first_line(error)}") from error
        self._stop_ids = _token_ids(self.model.generation_config.eos_token_id) | _token_ids(self.tokenizer.eos_token_id)
        pad = self.tokenizer.pad_token_id
        self._pad_id = pad if pad is not None else min(self._stop_ids, default=0)
        # generate() fills what a call leaves open from here: leave nothing of the model's own sampling settings.
        self.model.generation_config = clean(eos_token_id=sorted(self._stop_ids) or None, pad_token_id=self._pad_id)
        length = context_length(self.model.config, self.tokenizer)
        self.prompts = Prompts(
            self.tokenizer,
            min(max_model_len or length, length),
            policy=long_prompts,
            chat_template=template,
            template_args=dict(template_args or {}),
        )
        self.window = LOOKAHEAD * batch_size
        self._draw = random.Random(seed)  # noqa: S311  # decoding, not cryptography

    def stream(self, requests: Iterator[Request | None]) -> Iterator[Response]:
        """The replies of one batch after the other; at most `window` requests wait to be sorted."""
        waiting: list[_Row] = []
        asked_all = False
        while True:
            while not asked_all and len(waiting) < self.window:
                try:
                    request = next(requests)
                except StopIteration:
                    asked_all = True
                    break
                if request is None:
                    break
                try:
                    waiting.append(self._row(request))
                except PromptError as error:
                    yield Response(request.id, text="", finish="error", error=str(error))
            if waiting:
                yield from self._run(_next_batch(waiting, self.batch_size))
            elif asked_all:
                return

    def close(self) -> None:
        """Frees the memory of the model; a second call does nothing."""
        if self.model is None:
            return
        self.model = None
        if self.device.startswith("cuda"):
            import torch

            torch.cuda.empty_cache()

    def describe(self) -> dict[str, object]:
        """Versions, revision, device and settings, for the manifest."""
        import torch
        import transformers

        return {
            "engine": self.name,
            "transformers": transformers.__version__,
            "torch": torch.__version__,
            "device": torch.cuda.get_device_name() if self.device.startswith("cuda") else self.device,
            "model": self.model_name,
            "revision": self.revision,
            "commit": getattr(self.model.config, "_commit_hash", None),
            "dtype": str(self.model.dtype).removeprefix("torch."),
            "batch_size": self.batch_size,
            "max_model_len": self.prompts.max_model_len,
            "long_prompts": self.prompts.policy,
        }

    def prompt_tokens(self, messages: Sequence[Message] | str) -> int:
        """How many tokens a chat or a raw text takes, template included."""
        return self.prompts.prompt_tokens(messages)

    def check_lengths(self, requests: Iterable[Request]) -> Iterator[LongPrompt]:
        """The requests whose prompts do not fit, lazily."""
        return self.prompts.check_lengths(requests)

    def _row(self, request: Request) -> _Row:
        prompt = self.prompts.prepare(request)
        room = self.prompts.max_model_len - len(prompt.token_ids)
        if request.sampling.seed is None:  # a seed of its own, so that every row draws in the same way
            request = replace(request, sampling=replace(request.sampling, seed=self._draw.getrandbits(31)))
        return _Row(request, prompt, min(request.sampling.max_tokens, room), time.perf_counter())

    def _run(self, rows: list[_Row]) -> list[Response]:
        import torch

        try:
            with torch.inference_mode():
                if rows[0].request.kind == "loglikelihood":
                    return self._score(rows)
                return self._generate(rows)
        except torch.OutOfMemoryError as error:
            if len(rows) == 1:
                words = f"out of memory on {self.device} with one prompt: {first_line(error)}"
                return [Response(rows[0].request.id, text="", finish="error", error=words)]
        torch.cuda.empty_cache()
        half = len(rows) // 2
        return self._run(rows[:half]) + self._run(rows[half:])

    def _padded(self, rows: list[_Row]) -> tuple[Any, Any]:
        import torch

        width = max(len(row.prompt.token_ids) for row in rows)
        ids = [[self._pad_id] * (width - len(row.prompt.token_ids)) + row.prompt.token_ids for row in rows]
        mask = [[0] * (width - len(row.prompt.token_ids)) + [1] * len(row.prompt.token_ids) for row in rows]
        return torch.tensor(ids, device=self.device), torch.tensor(mask, device=self.device)

    def _generate(self, rows: list[_Row]) -> list[Response]:
        ids, mask = self._padded(rows)
        width = ids.shape[1]
        written = self.model.generate(
            ids,
            attention_mask=mask,
            do_sample=False,
            max_new_tokens=max(row.max_tokens for row in rows),
            logits_processor=[_Decoder(self.tokenizer, rows, width, self._stop_ids)],
            stopping_criteria=[_Stops(self.tokenizer, rows, width)],
        )
        return [self._reply(row, ids) for row, ids in zip(rows, written[:, width:].tolist(), strict=True)]

    def _reply(self, row: _Row, ids: list[int]) -> Response:
        ids = ids[: row.max_tokens]
        end = next((at for at, token in enumerate(ids) if token in self._stop_ids), None)
        kept = ids if end is None else ids[: end + 1]
        text = self.tokenizer.decode(kept if end is None else kept[:-1], skip_special_tokens=True)
        cut = min((at for at in map(text.find, row.request.sampling.stop) if at >= 0), default=None)
        return Response(
            row.request.id,
            text=text if cut is None else text[:cut],
            finish="length" if end is None and cut is None else "stop",
            prompt_tokens=len(row.prompt.token_ids),
            output_tokens=len(kept),
            seconds=time.perf_counter() - row.started,
            error=row.prompt.note,
        )

    def _score(self, rows: list[_Row]) -> list[Response]:
        """Log-probabilities of the last tokens of each row; left padding puts them all at the end of the batch."""
        import torch

        ids, mask = self._padded(rows)
        keep = max(row.prompt.scored for row in rows) + 1
        positions = (mask.cumsum(-1) - 1).clamp(min=0)
        logits = self.model(ids, attention_mask=mask, position_ids=positions, logits_to_keep=keep).logits
        logprobs = torch.log_softmax(logits[:, -keep:-1].float(), dim=-1)
        replies = []
        for at, row in enumerate(rows):
            scored = logprobs[at, -row.prompt.scored :]
            wanted = ids[at, -row.prompt.scored :]
            replies.append(
                Response(
                    row.request.id,
                    text=row.request.continuation,
                    finish="stop",
                    prompt_tokens=len(row.prompt.token_ids),
                    output_tokens=0,
                    seconds=time.perf_counter() - row.started,
                    error=row.prompt.note,
                    logprob=scored.gather(-1, wanted[:, None]).sum().item(),
                    greedy=bool((scored.argmax(-1) == wanted).all()),
                )
            )
        return replies


class _Decoder:
    """A logits processor that decides each row's next token; the argmax that follows it only reads the decision."""

    def __init__(self, tokenizer: Any, rows: list[_Row], width: int, stop_ids: set[int]) -> None:
        self.rows, self.width, self.stop_ids = rows, width, stop_ids
        self.generators: dict[int, Any] = {}
        self.choices = {
            at: [tuple(tokenizer.encode(choice, add_special_tokens=False)) for choice in row.request.sampling.choices]
            for at, row in enumerate(rows)
            if row.request.sampling.choices
        }

    def __call__(self, ids: Any, scores: Any) -> Any:
        scores = scores.clone()
        for at, row in enumerate(self.rows):
            how = row.request.sampling
            if how.repetition_penalty != 1.0:
                seen = ids[at, self.width - len(row.prompt.token_ids) :].unique()  # without the padding
                old = scores[at, seen]
                scores[at, seen] = (old / how.repetition_penalty).where(old > 0, old * how.repetition_penalty)
            if how.presence_penalty:
                scores[at, ids[at, self.width :].unique()] -= how.presence_penalty  # of the tokens written so far
            if how.frequency_penalty:
                written, times = ids[at, self.width :].unique(return_counts=True)
                scores[at, written] -= how.frequency_penalty * times
            if at in self.choices:
                allowed = self._allowed(at, tuple(ids[at, self.width :].tolist()))
                kept = scores[at, allowed]
                scores[at] = float("-inf")
                scores[at, allowed] = kept
            if how.temperature > 0:
                token = self._sample(at, scores[at], how)
                scores[at] = float("-inf")
                scores[at, token] = 0.0
        return scores

    def _allowed(self, at: int, written: tuple[int, ...]) -> list[int]:
        matching = [choice for choice in self.choices[at] if choice[: len(written)] == written]
        longer = {choice[len(written)] for choice in matching if len(choice) > len(written)}
        ended = self.stop_ids if written in self.choices[at] or not longer else set()
        return sorted(longer | ended)

    def _sample(self, at: int, scores: Any, how: Sampling) -> Any:
        import torch

        if at not in self.generators:
            assert how.seed is not None  # `_row` gave every request one
            self.generators[at] = torch.Generator(device=scores.device).manual_seed(how.seed)
        scores = scores.float() / how.temperature
        if 0 < how.top_k < scores.shape[-1]:
            scores = scores.masked_fill(scores < scores.topk(how.top_k).values[-1], float("-inf"))
        if how.min_p > 0:
            scores = scores.masked_fill(scores < scores.max() + math.log(how.min_p), float("-inf"))
        probabilities = torch.softmax(scores, dim=-1)
        if how.top_p < 1.0:
            ordered, order = probabilities.sort(descending=True)
            beyond = ordered.cumsum(-1) - ordered >= how.top_p  # the token that crosses top_p stays
            probabilities[order[beyond]] = 0.0
        return torch.multinomial(probabilities, 1, generator=self.generators[at])


class _Stops:
    """A stopping criterion per row: its own token budget, its own stop strings."""

    def __init__(self, tokenizer: Any, rows: list[_Row], width: int) -> None:
        self.tokenizer, self.rows, self.width = tokenizer, rows, width
        # A token holds at least one byte, so a stop string lies within as many last tokens as it has bytes.
        self.tails = [max((len(stop.encode()) for stop in row.request.sampling.stop), default=0) for row in rows]

    def __call__(self, ids: Any, scores: Any, **_: Any) -> Any:
        import torch

        done = [self._done(at, row, ids[at, self.width :]) for at, row in enumerate(self.rows)]
        return torch.tensor(done, device=ids.device)

    def _done(self, at: int, row: _Row, written: Any) -> bool:
        if len(written) >= row.max_tokens:
            return True
        if not self.tails[at]:
            return False
        tail = self.tokenizer.decode(written[-self.tails[at] :], skip_special_tokens=True)
        return any(stop in tail for stop in row.request.sampling.stop)


def _next_batch(waiting: list[_Row], size: int) -> list[_Row]:
    """Takes the longest prompts of one kind out of `waiting`; neighbours in length waste the least padding."""
    waiting.sort(key=lambda row: (row.request.kind, len(row.prompt.token_ids)))
    kind = waiting[-1].request.kind
    batch = [row for row in waiting[-size:] if row.request.kind == kind]
    del waiting[-len(batch) :]
    return batch


def _token_ids(value: int | list[int] | None) -> set[int]:
    if value is None:
        return set()
    return {value} if isinstance(value, int) else set(value)


def _libraries() -> tuple[Any, Any, Any, Any]:
    try:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig
    except ImportError as error:
        raise EngineError("--engine hf needs torch and transformers: pip install 'finbench[hf]'") from error
    return torch, AutoModelForCausalLM, AutoTokenizer, GenerationConfig
