"""Requests as token ids: the model's chat template, and what happens to a prompt that the context cannot hold.

Used by the engines that hold the tokenizer themselves (local_vllm, local_hf). A prompt is too long when it leaves less
than `reply_room` tokens (or the request's `max_tokens`, when that is less) of the context for the reply. Nothing is
ever cut in silence: the policy is "error" or "skip" (the request fails with words and is never generated; at "error"
the plan may stop the run beforehand) or "truncate-left" (text is dropped from the left of the longest user turn, so
that the template and the question at its end stay whole, and the reply carries a note).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

from finbench.errors import EngineError, UsageError
from finbench.records import Message, Request

LongPrompts = Literal["error", "skip", "truncate-left"]
REPLY_ROOM = 256


class PromptError(Exception):
    """One request that cannot become a prompt; its text becomes the error of that request's reply."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the model reads. The last `scored` tokens are the continuation of a loglikelihood request."""

    token_ids: list[int]
    scored: int = 0
    note: str = ""  # says what was cut off; empty when nothing was


@dataclass(frozen=True, slots=True)
class LongPrompt:
    """A request whose prompt of `tokens` tokens exceeds `limit`, as listed in the plan."""

    request_id: str
    tokens: int
    limit: int


@dataclass(frozen=True)
class Prompts:
    """Turns requests into token ids with one tokenizer. `max_model_len` counts prompt and reply together."""

    tokenizer: Any
    max_model_len: int
    policy: LongPrompts = "error"
    chat_template: str | None = None  # instead of the tokenizer's own
    template_args: Mapping[str, Any] = field(default_factory=dict)  # e.g. {"enable_thinking": False}
    reply_room: int = REPLY_ROOM

    def __post_init__(self) -> None:
        if self.policy not in get_args(LongPrompts):
            raise UsageError(f"long prompts: {self.policy!r}; use one of {', '.join(get_args(LongPrompts))}")

    def prepare(self, request: Request) -> Prompt:
        """The prompt of one request; raises PromptError when it cannot be rendered or does not fit."""
        prompt = self._scored(request) if request.kind == "loglikelihood" else Prompt(self._encode(request))
        limit = self._limit(request)
        excess = len(prompt.token_ids) - limit
        if not prompt.token_ids:
            raise PromptError("the prompt is empty")
        if excess <= 0:
            return prompt
        if self.policy != "truncate-left":
            word = "skipped: " if self.policy == "skip" else ""
            raise PromptError(f"{word}{self._too_long(len(prompt.token_ids), limit)}")
        return self._cut(request, prompt, limit)

    def prompt_tokens(self, messages: Sequence[Message] | str) -> int:
        """How many tokens a chat or a raw text takes, template included."""
        return len(self._encode_text(messages) if isinstance(messages, str) else self._encode_chat(messages))

    def check_lengths(self, requests: Iterable[Request]) -> Iterator[LongPrompt]:
        """The requests that do not fit, lazily; requests that cannot be rendered are left to the run."""
        for request in requests:
            try:
                prompt = self._scored(request) if request.kind == "loglikelihood" else Prompt(self._encode(request))
            except PromptError:
                continue
            limit = self._limit(request)
            if len(prompt.token_ids) > limit:
                yield LongPrompt(request.id, len(prompt.token_ids), limit)

    def _limit(self, request: Request) -> int:
        if request.kind == "loglikelihood":
            return self.max_model_len - 1  # an engine writes one token after the text it scores
        return self.max_model_len - min(request.sampling.max_tokens, self.reply_room, self.max_model_len // 2)

    def _too_long(self, tokens: int, limit: int) -> str:
        return (
            f"the prompt has {tokens:,} tokens and {limit:,} fit (context of {self.max_model_len:,} with room for a "
            "reply); raise the context length (--max-model-len) or choose --long-prompts truncate-left"
        )

    def _encode(self, request: Request) -> list[int]:
        return self._encode_chat(request.messages) if request.messages else self._encode_text(request.prompt)

    def _encode_text(self, text: str) -> list[int]:
        return list(self.tokenizer.encode(text))  # with BOS where the tokenizer adds one, as completion servers do

    def _encode_chat(self, messages: Sequence[Message]) -> list[int]:
        return list(self._template(messages, tokenize=True, return_dict=False))

    def _template(self, messages: Sequence[Message], **how: Any) -> Any:
        from jinja2 import TemplateError

        if self.chat_template is None and not getattr(self.tokenizer, "chat_template", True):
            raise EngineError("the model has no chat template: pass --no-chat for a base model, or give a template")
        # A last turn of the assistant is the beginning of the reply (lm-eval's gen_prefix); the model continues it.
        begun = messages[-1].role == "assistant"
        if self.chat_template is not None:
            how["chat_template"] = self.chat_template
        try:
            return self.tokenizer.apply_chat_template(
                [{"role": turn.role, "content": turn.content} for turn in messages],
                add_generation_prompt=not begun,
                continue_final_message=begun,
                **how,
                **self.template_args,
            )
        except TemplateError as error:  # e.g. a model that knows no system role
            raise PromptError(f"the chat template refuses these messages: {error}") from error

    def _scored(self, request: Request) -> Prompt:
        """Context and continuation encoded together, split where the context alone ends (lm-eval's `_encode_pair`)."""
        chat = bool(request.messages)
        context = self._template(request.messages, tokenize=False) if chat else request.prompt
        stripped = context.rstrip()
        if not stripped:
            bos, eos = self.tokenizer.bos_token_id, self.tokenizer.eos_token_id
            scored = self.tokenizer.encode(context + request.continuation, add_special_tokens=False)
            return Prompt([eos if bos is None else bos, *scored], scored=len(scored))
        whole = self.tokenizer.encode(context + request.continuation, add_special_tokens=not chat)
        start = self.tokenizer.encode(stripped, add_special_tokens=not chat)
        if len(whole) <= len(start):
            raise PromptError("the continuation to be scored is empty")
        return Prompt(list(whole), scored=len(whole) - len(start))

    def _cut(self, request: Request, prompt: Prompt, limit: int) -> Prompt:
        tokens = len(prompt.token_ids)
        if request.kind == "loglikelihood":
            if prompt.scored >= limit:
                raise PromptError(self._too_long(tokens, limit))
            return replace(prompt, token_ids=prompt.token_ids[-limit:], note=_note(tokens, limit))
        if not request.messages:
            return Prompt(prompt.token_ids[-limit:], note=_note(tokens, limit))
        users = [at for at, turn in enumerate(request.messages) if turn.role == "user"]
        if not users:
            raise PromptError(self._too_long(tokens, limit))
        longest = max(users, key=lambda at: len(request.messages[at].content))
        text = self.tokenizer.encode(request.messages[longest].content, add_special_tokens=False)
        drop = tokens - limit
        while drop < len(text):
            shorter = replace(request.messages[longest], content=self.tokenizer.decode(text[drop:]))
            ids = self._encode_chat((*request.messages[:longest], shorter, *request.messages[longest + 1 :]))
            if len(ids) <= limit:
                return Prompt(ids, note=_note(tokens, len(ids)))
            drop += len(ids) - limit  # the cut text may tokenize a little longer than its tokens
        raise PromptError(self._too_long(tokens, limit))


def context_length(config: Any, tokenizer: Any) -> int:
    """What the model's configuration states, else the tokenizer's limit, else 4,096."""
    stated = getattr(config.get_text_config(), "max_position_embeddings", None)
    if stated:
        return int(stated)
    limit = getattr(tokenizer, "model_max_length", None) or 4096
    return int(limit) if limit < 10**9 else 4096  # transformers writes 1e30 for "unknown"


def read_template(template: str | Path | None) -> str | None:
    """A chat template given as a file or as the template text itself."""
    if template is None or (isinstance(template, str) and "{" in template):
        return template
    try:
        return Path(template).read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"chat template {template}: {error.strerror or error}") from error


def first_line(error: BaseException, limit: int = 300) -> str:
    """The first line of an exception's message that says something, shortened; its class when it says nothing."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0][:limit]}" if lines else type(error).__name__


def _note(before: int, after: int) -> str:
    return f"prompt truncated at the left from {before:,} to {after:,} tokens"
