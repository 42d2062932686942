"""vLLM in this process: one continuous batch over all tasks, every reply handed on as it finishes.

Requests go to the engine one by one. `LLM.generate` would show nothing before the last reply is done, and one prompt
over the context length would make its whole list fail. vLLM is imported when the engine is made, never with the module.
"""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finbench.engines.prompts import LongPrompt, Prompt, PromptError, Prompts, first_line, read_template
from finbench.engines.vllm.process import device_name, died, guard_engine, load, vllm_version, watch_engine
from finbench.engines.vllm.settings import VLLMSettings
from finbench.errors import EngineError
from finbench.records import Message, Request, Response, Sampling

LORA_RANKS = (8, 16, 32, 64, 128, 256, 320, 512)  # the ranks vLLM allocates (its config/lora.py)
BURST = 64  # requests taken between two steps, so that the first step does not wait for a full window of templates


@dataclass(frozen=True, slots=True)
class _Pending:
    """A request under way."""

    request: Request
    prompt: Prompt
    internal_id: str  # vLLM's own name for it, for aborting
    started: float


class LocalVLLM:
    """An engine that holds the model in this process (or in vLLM's worker processes, which end with it)."""

    name = "vllm"

    settings_type = VLLMSettings

    def __init__(self, model: str, **settings: Any) -> None:
        """Loads the model; EngineError says what is missing. `settings` are the fields of VLLMSettings."""
        how = VLLMSettings(**settings)
        if how.data_parallel > 1:
            raise EngineError(
                f"data parallelism ({how.data_parallel}) needs several engines: use --serve (vllm serve "
                f"--data-parallel-size {how.data_parallel}) or --engine ray --replicas {how.data_parallel}"
            )
        template = read_template(how.chat_template)
        self.model, self.revision = model, how.revision
        self._lora_path = None if how.lora is None else Path(how.lora)
        lora = _lora_arguments(self._lora_path) if self._lora_path else {}
        arguments = how.arguments(model) | lora | dict(how.extra)
        self.llm = load(arguments)
        self._engine = self.llm.llm_engine
        config = self._engine.vllm_config
        self.prompts = Prompts(
            self.llm.get_tokenizer(),
            config.model_config.max_model_len,
            policy=how.long_prompts,
            chat_template=template,
            template_args=dict(how.template_args or {}),
        )
        self.window = 4 * config.scheduler_config.max_num_seqs
        self._lora = _lora_request(self._lora_path) if self._lora_path else None
        self._ids = itertools.count()
        self._closed = threading.Event()
        watch_engine(self._engine.engine_core, self._closed)
        self._guard = guard_engine(self._engine.engine_core)

    def stream(self, requests: Iterator[Request | None]) -> Iterator[Response]:
        """Each reply as it finishes. At most `window` requests are under way; what is left is dropped on close."""
        pending: dict[str, _Pending] = {}
        asked_all = held = False
        try:
            while True:
                for _ in range(BURST):
                    if asked_all or held or len(pending) >= self.window:
                        break
                    try:
                        request = next(requests)
                    except StopIteration:
                        asked_all = True
                        break
                    if request is None:
                        held = bool(pending)  # ask again after the next reply; at once when none is under way
                        break
                    failed = self._submit(request, pending)
                    if failed is not None:
                        held = False
                        yield failed
                if not pending:
                    if asked_all:
                        return
                    continue
                for output in self._step():
                    if output.finished:
                        held = False
                        yield _response(pending.pop(output.request_id), output)
        finally:
            if pending and not self._closed.is_set():
                self._abort([one.internal_id for one in pending.values()])

    def close(self) -> None:
        """Ends vLLM's processes and frees the memory of the model; a second call does nothing."""
        if self._closed.is_set():
            return
        self._closed.set()
        self._engine.engine_core.shutdown()
        if self._guard is not None:
            self._guard.communicate(b"closed\n")
        del self.llm, self._engine

    def describe(self) -> dict[str, object]:
        """Versions, revision, device and settings, for the manifest."""
        import torch
        import transformers
        from vllm.platforms import current_platform

        config = self._engine.vllm_config
        distribution, number = vllm_version()
        return {
            "engine": self.name,
            "vllm": number,
            "distribution": distribution,
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            "device": device_name(current_platform),
            "model": self.model,
            "revision": self.revision,
            "commit": getattr(config.model_config.hf_config, "_commit_hash", None),
            "dtype": str(config.model_config.dtype).removeprefix("torch."),
            "quantization": config.model_config.quantization,
            "max_model_len": config.model_config.max_model_len,
            "max_num_seqs": config.scheduler_config.max_num_seqs,
            "tensor_parallel": config.parallel_config.tensor_parallel_size,
            "pipeline_parallel": config.parallel_config.pipeline_parallel_size,
            "prefix_caching": bool(config.cache_config.enable_prefix_caching),
            "enforce_eager": bool(config.model_config.enforce_eager),
            "seed": config.model_config.seed,
            "lora": None if self._lora_path is None else self._lora_path.name,
            "long_prompts": self.prompts.policy,
        }

    def prompt_tokens(self, messages: Sequence[Message] | str) -> int:
        """How many tokens a chat or a raw text takes, template included."""
        return self.prompts.prompt_tokens(messages)

    def check_lengths(self, requests: Iterable[Request]) -> Iterator[LongPrompt]:
        """The requests whose prompts do not fit, lazily."""
        return self.prompts.check_lengths(requests)

    def _submit(self, request: Request, pending: dict[str, _Pending]) -> Response | None:
        """Adds one request; a reply with finish="error" when vLLM or the context will not have it."""
        from vllm.exceptions import VLLMClientError

        key = str(next(self._ids))
        started = time.perf_counter()
        try:
            prompt = self.prompts.prepare(request)
            tokens = {"type": "token", "prompt_token_ids": prompt.token_ids}
            internal = self._engine.add_request(key, tokens, _sampling(request, prompt), lora_request=self._lora)
        except PromptError as error:
            return Response(request.id, text="", finish="error", error=str(error))
        except (VLLMClientError, ValueError, TypeError) as error:  # what vLLM raises for a request it cannot take
            return Response(request.id, text="", finish="error", error=f"vLLM refused the request: {first_line(error)}")
        except Exception as error:
            raise died(error) from error
        pending[key] = _Pending(request, prompt, internal, started)
        return None

    def _step(self) -> list[Any]:
        try:
            outputs: list[Any] = self._engine.step()
        except Exception as error:  # whatever leaves a step (CUDA, memory, a dead worker) leaves the engine unusable
            raise died(error) from error
        return outputs

    def _abort(self, internal_ids: list[str]) -> None:
        try:
            self._engine.abort_request(internal_ids, internal=True)
        except Exception:  # a dead engine has nothing to abort, and its death is already on its way up
            self._closed.set()


def _sampling(request: Request, prompt: Prompt) -> Any:
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind, StructuredOutputsParams

    if request.kind == "loglikelihood":
        return SamplingParams(
            max_tokens=1, temperature=0.0, prompt_logprobs=0, detokenize=False, output_kind=RequestOutputKind.FINAL_ONLY
        )
    how: Sampling = request.sampling
    return SamplingParams(
        max_tokens=how.max_tokens,
        temperature=how.temperature,
        top_p=how.top_p,
        top_k=how.top_k,
        repetition_penalty=how.repetition_penalty,
        presence_penalty=how.presence_penalty,
        frequency_penalty=how.frequency_penalty,
        min_p=how.min_p,
        seed=how.seed,
        stop=list(how.stop) or None,
        structured_outputs=StructuredOutputsParams(choice=list(how.choices)) if how.choices else None,
        output_kind=RequestOutputKind.FINAL_ONLY,
    )


def _response(one: _Pending, output: Any) -> Response:
    request, seconds = one.request, time.perf_counter() - one.started
    if request.kind == "loglikelihood":
        return _likelihood(one, output, seconds)
    (said,) = output.outputs
    ended = said.finish_reason in ("stop", "length")
    return Response(
        request.id,
        text=said.text,
        finish=said.finish_reason if ended else "error",
        prompt_tokens=len(one.prompt.token_ids),
        output_tokens=len(said.token_ids),
        seconds=seconds,
        error=one.prompt.note if ended else f"vLLM ended the request with {said.finish_reason!r}",
    )


def _likelihood(one: _Pending, output: Any, seconds: float) -> Response:
    ids, scored = one.prompt.token_ids, one.prompt.scored
    if output.prompt_logprobs is None:
        return Response(one.request.id, text="", finish="error", error="vLLM gave no prompt log-probabilities")
    entries = [row[token] for row, token in zip(output.prompt_logprobs[-scored:], ids[-scored:], strict=True)]
    return Response(
        one.request.id,
        text=one.request.continuation,
        finish="stop",
        prompt_tokens=len(ids),
        output_tokens=0,
        seconds=seconds,
        error=one.prompt.note,
        logprob=sum(entry.logprob for entry in entries),
        greedy=all(entry.rank == 1 for entry in entries),
    )


def _lora_arguments(path: Path) -> dict[str, Any]:
    try:
        rank = int(json.loads((path / "adapter_config.json").read_text(encoding="utf-8"))["r"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EngineError(f"{path}: not a LoRA adapter (adapter_config.json with its rank `r` is needed)") from error
    fitting = [size for size in LORA_RANKS if size >= rank]
    if not fitting:
        raise EngineError(f"{path}: vLLM takes LoRA ranks up to {LORA_RANKS[-1]}, this adapter has {rank}")
    return {"enable_lora": True, "max_lora_rank": fitting[0]}


def _lora_request(path: Path) -> Any:
    from vllm.lora.request import LoRARequest

    return LoRARequest("adapter", 1, str(path))
