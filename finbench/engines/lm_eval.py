"""Any model class of lm-eval as an engine: `lm-eval:NAME` with lm-eval's own model arguments.

lm-eval's models answer lists, so requests run in batches of bounded size and replies come batch by batch. They return
text alone: tokens are counted again with the model's tokenizer where it has one, and a reply that fills its budget is
called cut off; without a tokenizer every reply counts as finished. Seeds reach the classes in SEEDED; for the others
torch is seeded once per batch. lm-eval's interface knows no restricted choices: such requests fail with words.
"""

from __future__ import annotations

import inspect
import sys
import time
from collections.abc import Iterator
from functools import cached_property
from importlib.metadata import version
from typing import Any

from finbench.engines.prompts import first_line
from finbench.errors import EngineError
from finbench.records import Request, Response, Sampling
from finbench.sanitize import redact, redacted, secrets_in

BATCH = 64
SEEDED = ("vllm", "local-completions", "local-chat-completions", "openai-completions", "openai-chat-completions")


class LmEvalModel:
    """An engine over `lm_eval.api.registry.get_model(name)`."""

    def __init__(self, name: str, model_args: str = "", *, device: str | None = None, batch_size: int = BATCH) -> None:
        """Makes the model from lm-eval's "key=value,..." arguments; EngineError says what is missing.

        `batch_size` bounds what one call gets; the model's own batch size is one of `model_args`.
        """
        from lm_eval.api.registry import get_model

        self._secrets = secrets_in([model_args])
        try:
            self.lm: Any = get_model(name).create_from_arg_string(model_args, {"device": device} if device else None)
        except Exception as error:  # model classes of every origin: whatever they raise, there is no model
            hint = "" if "=" in model_args else '; pass its arguments with --model-args "pretrained=..."'
            raise EngineError(f"lm-eval:{name} cannot be made: {self._words(error)}{hint}") from error
        self.name = f"lm-eval:{name}"
        self.window = batch_size
        self._model_args, self._class = model_args, name

    def stream(self, requests: Iterator[Request | None]) -> Iterator[Response]:
        """The replies of one batch after the other."""
        asked_all = False
        kept: Request | None = None  # of another kind than the batch before it
        while not asked_all or kept:
            batch, kept = ([kept], None) if kept else ([], None)
            while len(batch) < self.window and not asked_all and kept is None:
                try:
                    request = next(requests)
                except StopIteration:
                    asked_all = True
                    break
                if request is None:
                    break
                if batch and _kind(request) != _kind(batch[0]):
                    kept = request
                else:
                    batch.append(request)
            if batch:
                yield from self._run(batch)

    def close(self) -> None:
        """Lets the model go; what it holds is freed with it."""
        self.lm = None

    def describe(self) -> dict[str, object]:
        """lm-eval's version and the model's arguments (without keys), for the manifest."""
        return {
            "engine": self.name,
            "lm_eval": version("lm_eval"),
            "class": type(self.lm).__name__,
            "model_args": redacted(self._model_args),
            "device": str(getattr(self.lm, "device", None) or ""),
            "seeds": "per request" if self._class in SEEDED else "per batch",
        }

    def _run(self, batch: list[Request]) -> list[Response]:
        """One reply per request. A batch that fails is asked again one by one; if all fail, the model is unusable."""
        asked = [request for request in batch if not request.sampling.choices]
        refused = [
            Response(request.id, text="", finish="error", error=f"{self.name} cannot restrict a reply to choices")
            for request in batch
            if request.sampling.choices
        ]
        if not asked:
            return refused
        try:
            return refused + self._ask(asked)
        except Exception as error:  # as above; one bad request fails lm-eval's whole list
            if len(asked) == 1:
                return [*refused, self._failed(asked[0], error)]
            first = error
        replies = []
        for request in asked:
            try:
                replies += self._ask([request])
            except Exception as error:
                replies.append(self._failed(request, error))
        if all(reply.finish == "error" for reply in replies):
            raise EngineError(f"{self.name} fails on every request: {self._words(first)}") from first
        return refused + replies

    def _words(self, error: Exception) -> str:
        """What a model class says of a failure, which may repeat its arguments, without the keys among them."""
        return redact(first_line(error), self._secrets)

    def _failed(self, request: Request, error: Exception) -> Response:
        if isinstance(error, EngineError):
            raise error
        return Response(request.id, text="", finish="error", error=f"{self.name}: {self._words(error)}", attempts=2)

    def _ask(self, batch: list[Request]) -> list[Response]:
        from lm_eval.api.instance import Instance

        started = time.perf_counter()
        kind = _kind(batch[0])
        instances = []
        for at, request in enumerate(batch):
            context = self._context(request)
            instances.append(Instance(kind, doc={}, arguments=self._arguments(kind, context, request), idx=at))
        method = getattr(self.lm, kind)
        quiet = {"disable_tqdm": True} if "disable_tqdm" in inspect.signature(method).parameters else {}
        self._seed(batch[0].sampling)
        answers = method(instances, **quiet)
        seconds = time.perf_counter() - started
        if kind == "loglikelihood_rolling":  # gives no more than the sum
            answers = [(score, False) for score in answers]
        if kind != "generate_until":
            return [
                Response(
                    request.id, request.continuation, "stop", seconds=seconds, logprob=float(score), greedy=bool(greedy)
                )
                for request, (score, greedy) in zip(batch, answers, strict=True)
            ]
        return [
            self._reply(request, instance.args[0], text, seconds)
            for request, instance, text in zip(batch, instances, answers, strict=True)
        ]

    def _arguments(self, kind: str, context: Any, request: Request) -> tuple[Any, ...]:
        """What lm-eval's method of that name takes for a request."""
        if kind == "loglikelihood_rolling":
            return (request.continuation,)
        return (context, request.continuation if kind == "loglikelihood" else self._settings(request.sampling))

    def _context(self, request: Request) -> Any:
        """The prompt as the model class wants it: text, or lm-eval's wrapped messages for chat servers."""
        if not request.messages:
            return request.prompt
        history = [{"role": turn.role, "content": turn.content} for turn in request.messages]
        begun = request.messages[-1].role == "assistant"  # the beginning of the reply, to be continued
        try:
            return self.lm.apply_chat_template(history, add_generation_prompt=not begun)
        except (NotImplementedError, AttributeError) as error:
            raise EngineError(f"{self.name} has no chat template: run with --no-chat") from error

    def _settings(self, how: Sampling) -> dict[str, Any]:
        """lm-eval's generation arguments; neutral values are left out, for not every class knows every name."""
        settings: dict[str, Any] = {
            "until": list(how.stop),
            "max_gen_toks": how.max_tokens,
            "do_sample": how.temperature > 0,
            "temperature": how.temperature,
        }
        if how.top_p < 1.0:
            settings["top_p"] = how.top_p
        if how.top_k > 0:
            settings["top_k"] = how.top_k
        if how.repetition_penalty != 1.0:
            settings["repetition_penalty"] = how.repetition_penalty
        if how.presence_penalty:
            settings["presence_penalty"] = how.presence_penalty
        if how.frequency_penalty:
            settings["frequency_penalty"] = how.frequency_penalty
        if how.min_p:
            settings["min_p"] = how.min_p
        if how.seed is not None and self._class in SEEDED:
            settings["seed"] = how.seed
        return settings

    def _seed(self, how: Sampling) -> None:
        torch = sys.modules.get("torch")
        if torch is not None and how.seed is not None and how.temperature > 0 and self._class not in SEEDED:
            torch.manual_seed(how.seed)

    def _reply(self, request: Request, context: str, text: str, seconds: float) -> Response:
        prompt_tokens, output_tokens = self._count(context), self._count(text)
        cut = output_tokens is not None and output_tokens >= request.sampling.max_tokens
        return Response(
            request.id,
            text,
            "length" if cut else "stop",
            prompt_tokens=prompt_tokens,
            output_tokens=output_tokens,
            seconds=seconds,
        )

    def _count(self, text: str) -> int | None:
        """Tokens by the model's own tokenizer, or None where it has none."""
        if not hasattr(self._tokenizer, "encode"):
            return None
        return len(self._tokenizer.encode(str(text), add_special_tokens=False))

    @cached_property
    def _tokenizer(self) -> Any:
        try:
            return self.lm.tokenizer
        except (AttributeError, NotImplementedError):  # API classes
            return None
        except (ImportError, OSError):  # one that cannot be loaded here
            return None


def _kind(request: Request) -> str:
    """The method of lm-eval's models that answers a request."""
    if request.kind == "generate":
        return "generate_until"
    return "loglikelihood_rolling" if request.whole else "loglikelihood"
