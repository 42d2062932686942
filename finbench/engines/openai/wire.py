"""What goes over the wire: a Request as the OpenAI API wants it, and a reply as finbench wants it. Pure functions.

Finish reasons of the API and what they become:

    stop, eos, end_turn, tool_calls, function_call, null    stop
    length, max_tokens                                      length (the budget ran out; the text is kept)
    content_filter                                          error, final: the server's filter cut the reply
    anything else (vLLM's abort, error, ...)                error, asked again

A reply that is not what the API promises raises `BadReply`, with the head of the body.
"""

from __future__ import annotations

import email.utils
import json
import math
import re
import time
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from finbench.errors import EngineError
from finbench.records import Finish, Request
from finbench.serialize import packed

STOPS = {"stop", "eos", "end_turn", "tool_calls", "function_call", None}
LENGTHS = {"length", "max_tokens"}

# These servers fill what a request leaves out from the model's generation_config.json, so they must be told all of it.
# vLLM: docs, "OpenAI-Compatible Server", `--generation-config`; SGLang: `--sampling-defaults model`.
FILLING_SERVERS = {"vllm", "sglang"}

# Numbers of a server are believed within these; SQLite's integers end at 2**63, and no reply has a billion tokens.
MOST_COUNTED = 10**9  # tokens
MOST_SECONDS = 366 * 86_400.0  # of a Retry-After; longer than any run waits

QUOTA_CODES = {"insufficient_quota", "billing_hard_limit_reached"}
COMPLAINT = r"(?i)unsupported|unrecogni[sz]ed|unknown|not supported|not permitted|extra"
FIELDS = (
    *("temperature", "top_p", "top_k", "min_p", "repetition_penalty", "presence_penalty", "frequency_penalty"),
    *("seed", "stop", "echo", "logprobs"),
)


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


DECODER = json.JSONDecoder(parse_constant=_no_constant)  # NaN and Infinity are not JSON


class BadReply(Exception):
    """A reply that is not what the API promises; `final` when asking again would not help."""

    def __init__(self, message: str, *, final: bool = False) -> None:
        super().__init__(message)
        self.final = final


@dataclass(slots=True)
class Dialect:
    """What the servers have taught us about themselves during the run."""

    fills_defaults: bool = False
    budget_field: str = "max_tokens"  # OpenAI's reasoning models want "max_completion_tokens"
    structured: bool = True  # accepts vLLM's `structured_outputs`

    def learn(self, message: str) -> None:
        """Adapts to a 400 that names a field to leave out or to rename."""
        if "max_completion_tokens" in message and "too large" not in message:
            self.budget_field = "max_completion_tokens"
        if "structured_outputs" in message:
            self.structured = False


@dataclass(frozen=True, slots=True)
class Completion:
    """The parts of one successful answer."""

    text: str
    finish: Finish
    reasoning: str = ""
    prompt_tokens: int | None = None
    output_tokens: int | None = None
    model: str = ""
    logprob: float | None = None
    greedy: bool | None = None


def encode(request: Request, model: str, dialect: Dialect, extra: Mapping[str, Any]) -> bytes:
    """The JSON body of a request. `extra` is merged in last; a null in it removes a field."""
    sampling = request.sampling
    body: dict[str, Any] = {"model": model}
    if request.kind == "loglikelihood":
        if request.messages:
            raise EngineError(
                "chat servers give no log-probabilities of a prompt: run this task with --no-chat, or a local engine"
            )
        if not request.prompt:
            raise EngineError(
                "servers give no log-probability for the first token of a text, so a text without a prompt before it "
                "cannot be scored there: run this task with a local engine (--engine hf or vllm)"
            )
        # One token is generated because servers refuse zero; it is cut off again by its offset.
        body |= {"prompt": request.prompt + request.continuation, "echo": True, "logprobs": 1, "max_tokens": 1}
        body |= {"temperature": 0.0, **extra}
        return packed(body).encode()
    if request.messages:
        body["messages"] = [{"role": m.role, "content": m.content} for m in request.messages]
    else:
        body["prompt"] = request.prompt
    body[dialect.budget_field] = sampling.max_tokens
    body["temperature"] = sampling.temperature
    body["top_p"] = sampling.top_p
    if sampling.top_k or dialect.fills_defaults:
        body["top_k"] = sampling.top_k or -1
    if sampling.repetition_penalty != 1.0 or dialect.fills_defaults:
        body["repetition_penalty"] = sampling.repetition_penalty
    if sampling.presence_penalty:
        body["presence_penalty"] = sampling.presence_penalty
    if sampling.frequency_penalty:
        body["frequency_penalty"] = sampling.frequency_penalty
    if sampling.min_p or dialect.fills_defaults:
        body["min_p"] = sampling.min_p
    if sampling.seed is not None:
        body["seed"] = sampling.seed
    if sampling.stop:
        body["stop"] = list(sampling.stop)
    if sampling.choices and dialect.structured:
        # vLLM's name since 0.12 (guided_choice before). Who ignores it answers freely; a refusal teaches Dialect.
        body["structured_outputs"] = {"choice": list(sampling.choices)}
    if extra:
        body = {k: v for k, v in {**body, **extra}.items() if v is not None}
    return packed(body).encode()


def read(request: Request, raw: bytes) -> Completion:
    """The reply in a 200 body; BadReply when it is not one."""
    try:
        data = DECODER.decode(raw.decode())
    except (ValueError, RecursionError):
        raise BadReply(f"not JSON: {head(raw)}") from None
    if not isinstance(data, dict):
        raise BadReply(f"a {type(data).__name__} where an object was promised: {head(raw)}")
    if data.get("error"):
        raise BadReply(f"an error inside a 200 reply: {head(raw)}")
    choice = _first(data.get("choices"))
    if choice is None:
        raise BadReply(f"no choices: {head(raw)}")
    usage = data.get("usage")
    usage = usage if isinstance(usage, dict) else {}
    model = data.get("model")
    common: dict[str, Any] = {
        "prompt_tokens": _count(usage.get("prompt_tokens")),
        "output_tokens": _count(usage.get("completion_tokens")),
        "model": model if isinstance(model, str) else "",
    }
    if request.kind == "loglikelihood":
        logprob, greedy = _loglikelihood(request, choice, raw)
        return Completion("", "stop", logprob=logprob, greedy=greedy, **common)
    reason = choice.get("finish_reason")
    if reason == "content_filter":
        raise BadReply("the server's content filter stopped the reply (finish_reason content_filter)", final=True)
    if not isinstance(reason, str | None) or reason not in STOPS | LENGTHS:
        raise BadReply(f"finish_reason {reason!r}: {head(raw)}")
    finish: Finish = "length" if reason in LENGTHS else "stop"
    text, reasoning = _texts(choice)
    if text is None:
        if finish == "stop" and not reasoning:
            raise BadReply(f"no content: {head(raw)}")
        text = ""  # thinking used the whole budget, or the server filed all of it under reasoning
    return Completion(text, finish, reasoning, **common)


def _first(choices: object) -> Mapping[str, Any] | None:
    """The choice of index 0, wherever a server lists it; the first of them where there are several, None where none is.

    >>> _first([{"index": 1, "text": "b"}, {"index": 0, "text": "a"}]), _first([{"text": "no index"}]), _first([3])
    ({'index': 0, 'text': 'a'}, {'text': 'no index'}, None)
    """
    listed = choices if isinstance(choices, list) else []
    return next((choice for choice in listed if isinstance(choice, dict) and not choice.get("index")), None)


def _texts(choice: Mapping[str, Any]) -> tuple[str | None, str]:
    """Content and reasoning of a choice; None when there is no content."""
    message = choice.get("message")
    if not isinstance(message, dict):
        text = choice.get("text")
        return (text if isinstance(text, str) else None), ""
    # vLLM renamed reasoning_content to reasoning (docs, "Reasoning Outputs"); hosted APIs use either.
    reasoning = message.get("reasoning_content") or message.get("reasoning")
    reasoning = reasoning if isinstance(reasoning, str) else ""
    content = message.get("content")
    if isinstance(content, list):  # a list of typed parts
        parts = [p.get("text") for p in content if isinstance(p, dict) and p.get("type") == "text"]
        content = "".join(p for p in parts if isinstance(p, str)) if parts else None
    if content is None:
        content = message.get("refusal")
    return (content if isinstance(content, str) else None), reasoning


def _loglikelihood(request: Request, choice: Mapping[str, Any], raw: bytes) -> tuple[float, bool]:
    """Sum over the continuation's tokens, and whether each was the most probable one.

    `text_offset` counts characters from the start of the echoed prompt; a token across the border belongs to the
    continuation.
    """
    data = choice.get("logprobs")
    try:
        tokens, scores = data["tokens"], data["token_logprobs"]  # type: ignore[index]
        offsets, tops = data["text_offset"], data["top_logprobs"]  # type: ignore[index]
        start, end = len(request.prompt), len(request.prompt) + len(request.continuation)
        scored = [i for i, token in enumerate(tokens) if offsets[i] + len(token) > start and offsets[i] < end]
        greedy = all(max(tops[i], key=tops[i].__getitem__) == tokens[i] for i in scored)
        total = _total([scores[i] for i in scored])
    except (TypeError, KeyError, IndexError, ValueError, AttributeError):
        raise EngineError(
            "the server does not echo log-probabilities of the prompt (/v1/completions with echo and logprobs): use a "
            f"local engine, or a server that has it, such as vLLM. It said: {head(raw)}"
        ) from None
    if total is None:
        raise BadReply(f"log-probabilities that are none: {head(raw)}")
    return total, greedy


def _total(scores: Sequence[Any]) -> float | None:
    """The sum of log-probabilities; None when one of them is no number, no finite one, or above zero by more than rounding.

    >>> _total([-1, -0.5]), _total([10**400]), _total([1e999]), _total([0.5])
    (-1.5, None, None, None)
    """
    try:
        total = math.fsum(scores)
    except (OverflowError, ValueError):  # ValueError: infinities of both signs
        return None
    return total if math.isfinite(total) and max(scores, default=0.0) <= 1e-3 else None


def head(raw: bytes, length: int = 300) -> str:
    """The beginning of a body as one printable line.

    >>> head(b"<html>\\n<b>502\\x1b[31m</b>")
    '<html> <b>502 [31m</b>'
    """
    text = raw[: 4 * length].decode("utf-8", "replace")
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return text if len(text) <= length else text[:length] + "..."


def error_of(raw: bytes) -> tuple[str, str]:
    """Message and code of an error body, whatever its shape; the head of the body when it has none.

    >>> error_of(b'{"error": {"message": "no", "code": "x"}}'), error_of(b'{"detail": "gone"}')
    (('no', 'x'), ('gone', ''))
    """
    try:
        data = json.loads(raw)
    except (ValueError, RecursionError):
        return head(raw), ""
    if not isinstance(data, dict):
        return head(raw), ""
    error = data.get("error", data)
    if not isinstance(error, dict):
        return head(str(error).encode()), ""
    message = error.get("message") or error.get("detail") or head(raw)
    return head(str(message).encode("utf-8", "replace")), str(error.get("code") or error.get("type") or "")


def hint(status: int, message: str, code: str, *, succeeded: bool, extra: Iterable[str]) -> str:
    """What to do when an answer concerns every request; empty when it concerns this one only."""
    if status == 401 or (status == 403 and not succeeded):
        return "Set the key in the environment variable named by --api-key-env (default OPENAI_API_KEY)."
    if status == 402 or code in QUOTA_CODES:
        return "No credit is left; the replies so far are kept: run the same command again to resume."
    if status in (400, 422) and not succeeded and re.search(COMPLAINT, message):
        for name in sorted({*FIELDS, *extra}):
            if re.search(rf"\b{re.escape(name)}\b", message):
                return f"It does not take `{name}`: change the decoding, or send null for it in the extra body."
    return ""


def models(raw: bytes, model: str) -> tuple[tuple[str, ...], str, int | None]:
    """What a model list says: names on offer (at most 20), who owns them, and the context length of `model`."""
    try:
        rows = json.loads(raw)["data"]
        rows = [row for row in rows if isinstance(row, dict) and isinstance(row.get("id"), str)]
    except (ValueError, TypeError, KeyError, RecursionError):
        return (), "", None
    mine = next((row for row in rows if row["id"] == model), rows[0] if len(rows) == 1 else {})
    owner = mine.get("owned_by")
    names = sorted((row["id"] for row in rows), key=lambda name: name != model)[:20]
    return tuple(names), owner if isinstance(owner, str) else "", _count(mine.get("max_model_len"))


def retry_after(value: str | None) -> float | None:
    """Seconds that a Retry-After header asks for (a number or an HTTP date); None without one that can be read.

    >>> retry_after("1.5"), retry_after(None), retry_after("soon"), retry_after("Thu, 01 Jan 1970 00:00:00 GMT")
    (1.5, None, None, 0.0)
    """
    if value is None:
        return None
    if re.fullmatch(r"\s*\d{1,9}(\.\d{1,9})?\s*", value):
        return min(float(value), MOST_SECONDS)
    try:
        wait = email.utils.parsedate_to_datetime(value).timestamp() - time.time()
    except (ValueError, OverflowError, TypeError, IndexError, OSError):  # what a date that is none makes it raise
        return None
    return min(max(0.0, wait), MOST_SECONDS)


def inflate(raw: bytes, encoding: str, limit: int) -> bytes:
    """The body without its Content-Encoding, never unpacking more than `limit` bytes."""
    if encoding in ("", "identity"):
        return raw
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise BadReply(f"Content-Encoding {encoding!r}, which was not asked for", final=True)
    unpacker = zlib.decompressobj(wbits=47)  # zlib or gzip, by its header
    try:
        out = unpacker.decompress(raw, limit + 1)
    except zlib.error as error:
        raise BadReply(f"a damaged {encoding} body ({error})") from None
    if len(out) > limit:
        raise BadReply(f"the body unpacks to more than {limit >> 20} MiB", final=True)
    return out


def _count(value: object) -> int | None:
    """A number of tokens, or None for what cannot be one.

    >>> _count(7), _count(-1), _count(2**63), _count(10**400), _count(7.5), _count(True)
    (7, None, None, None, None, None)
    """
    return value if type(value) is int and 0 <= value <= MOST_COUNTED else None
