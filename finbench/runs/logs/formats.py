"""A row of another tool's log: each reply with what the log says of its question and gold.

Known are sample logs of lm-eval (and of finbench), predictions and reviews of evalscope, samples of inspect_ai,
predictions and details of OpenCompass, and results of promptfoo; `FORMATS` says by which fields a row is recognised. What a
log judged is not believed: the reply is graded here. Only log-probabilities, which hold no text to read, are decided by the
log: the likeliest option is the answer.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from finbench.records import Finish

Row = Mapping[str, Any]

QUESTIONS = ("question", "query", "problem", "input", "prompt")  # where a row keeps its question, best first
GOLDS = ("expected", "gold", "answer", "target", "ground_truth", "reference")
FINISH: dict[str, Finish] = {"length": "length", "max_tokens": "length", "model_length": "length", "error": "error"}
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True, slots=True)
class Said:
    """One reply: its text, the thinking where the log keeps it apart, and how it ended."""

    text: str
    reasoning: str = ""
    finish: Finish = "stop"


@dataclass(frozen=True, slots=True)
class Logged:
    """One question of a log with its replies (several where it was asked repeatedly).

    `gold` is empty where the log holds none; `likeliest` is the letter that log-probabilities prefer, and then there is
    no reply. `row` is a row written for finbench, which declares its own answer.
    """

    id: str
    question: str = ""
    gold: str = ""
    replies: tuple[Said, ...] = ()
    choices: Mapping[str, str] = field(default_factory=dict)
    likeliest: str | None = None
    row: Row | None = None


def _lm_eval(row: Row, number: int) -> Logged:
    """A line of samples_*.jsonl; `resps` holds a list of repeats for each request."""
    doc = row["doc"] if isinstance(row["doc"], Mapping) else {}
    identity = str((row.get("finbench") or {}).get("id") or row.get("doc_id", number))
    options = _options(doc.get("choices"))
    prompt = _prompt(row.get("arguments"))
    if isinstance(doc.get("answer"), Mapping):
        return Logged(identity, replies=_own_replies(row), row=doc)
    question = _first(doc, QUESTIONS) or prompt
    if _is_logprob(row["resps"]):
        options = options or _continuations(row.get("arguments"))
        likeliest = _likeliest(row["resps"], options)
        return Logged(identity, _asked(question), _letter(row["target"], options), (), options, likeliest)
    gold = _letter(row["target"], options) if options else _gold(row["target"])
    return Logged(identity, _asked(question), gold, _own_replies(row), options)


def _own_replies(row: Row) -> tuple[Said, ...]:
    ours = row.get("finbench") or {}
    listed = row["resps"][0]
    texts = listed if isinstance(listed, list) else [listed]
    ended = ours.get("finish", "stop")
    finish: Finish = ended if ended in ("stop", "length", "error") else "stop"
    return tuple(Said(str(text), str(ours.get("reasoning") or ""), finish) for text in texts)


def _evalscope(row: Row, number: int) -> Logged:
    """A prediction or review of evalscope before 1.0: an OpenAI completion with `raw_input` and, reviewed, a gold."""
    choice = row["choices"][0]
    asked = row.get("raw_input") or {}
    gold = (choice.get("review") or {}).get("gold") or _first(asked, GOLDS)
    return Logged(str(row.get("index", number)), _first(asked, QUESTIONS), _gold(gold), (_message(choice),))


def _evalscope_prediction(row: Row, number: int) -> Logged:
    """A prediction of evalscope 1.x; its gold stands in the review only."""
    choice = row["model_output"]["choices"][0]
    asked = row.get("metadata") or {}
    return Logged(
        str(row.get("index", number)), _last_user(row["messages"]), _gold(_first(asked, GOLDS)), (_message(choice),)
    )


def _evalscope_review(row: Row, number: int) -> Logged:
    """A review of evalscope 1.x."""
    score = row["sample_score"]["score"]
    question = _last_user(row.get("messages") or ()) or str(row.get("input") or "")
    return Logged(
        str(row.get("index", number)), _asked(question), _gold(row.get("target")), (Said(str(score["prediction"])),)
    )


def _inspect(row: Row, number: int) -> Logged:
    """A sample of inspect_ai; epochs of one sample are rows of their own."""
    output = row["output"]
    options = _options(row.get("choices"))
    asked = row["input"] if isinstance(row["input"], str) else _last_user(row["input"])
    target = row["target"]
    said = _message(output["choices"][0]) if output.get("choices") else Said(str(output.get("completion") or ""))
    gold = "".join(target) if options and isinstance(target, list) else _gold(target)
    return Logged(str(row.get("id", number)), asked, gold, (said,), options)


def _opencompass(row: Row, number: int) -> Logged:
    """A prediction (`prediction`, `gold`) or a detail (`pred`, `answer` or `refr`) of OpenCompass."""
    reply = row.get("prediction", row.get("pred"))
    texts = reply if isinstance(reply, list) else [reply]
    gold = next((row[key] for key in ("gold", "answer", "refr", "references") if row.get(key) not in (None, "")), "")
    asked = row.get("origin_prompt", row.get("prompt", ""))
    return Logged(str(number - 1), _asked(_last_user(asked)), _gold(gold), tuple(Said(str(text)) for text in texts))


def _promptfoo(row: Row, number: int) -> Logged:
    """A result of promptfoo; the gold is a variable, else what an `equals` or `contains` assertion wants."""
    names = row.get("vars") or (row.get("testCase") or {}).get("vars") or {}
    asserted = [
        one.get("value")
        for one in (row.get("testCase") or {}).get("assert") or ()
        if one.get("type") in ("equals", "contains")
    ]
    question = _first(names, QUESTIONS) or _asked(str((row.get("prompt") or {}).get("raw") or ""))
    output = (row.get("response") or {}).get("output", "")
    reply = output if isinstance(output, str) else json.dumps(output, ensure_ascii=False)
    return Logged(str(number - 1), question, _gold(_first(names, GOLDS) or next(iter(asserted), "")), (Said(reply),))


Reader = Callable[[Row, int], Logged]
# Format -> the fields by which a row is recognised, and its reader; the first whose fields are all there reads the row.
FORMATS: dict[str, tuple[tuple[str, ...], Reader]] = {
    "lm-eval": (("doc", "resps", "target"), _lm_eval),
    "evalscope review": (("sample_score",), _evalscope_review),
    "evalscope prediction": (("model_output", "messages"), _evalscope_prediction),
    "evalscope": (("choices", "raw_input"), _evalscope),
    "inspect_ai": (("input", "target", "output"), _inspect),
    "promptfoo": (("response",), _promptfoo),
    "OpenCompass": (("prediction",), _opencompass),
    "OpenCompass details": (("pred",), _opencompass),
}


def logged(row: Row, number: int) -> Logged:
    """What a row says; ValueError for a row of no known format, KeyError and the like for a damaged one.

    >>> logged({"prediction": "14.2%", "gold": "14.2%", "origin_prompt": "growth?"}, 1).gold
    '14.2%'
    """
    for needed, reader in FORMATS.values():
        if all(key in row for key in needed):
            return reader(row, number)
    raise ValueError(f"a row of no known log ({', '.join(FORMATS)}); found {', '.join(map(str, row))[:300]}")


def column(row: Row, name: str) -> Any:
    """A column by its name, or by a dotted path into nested objects and lists; KeyError when it is not there.

    >>> column({"choices": [{"message": {"content": "5"}}]}, "choices.0.message.content")
    '5'
    """
    if name in row:
        return row[name]
    value: Any = row
    for part in name.split("."):
        try:
            value = value[int(part)] if isinstance(value, list) else value[part]
        except (KeyError, IndexError, TypeError, ValueError):
            raise KeyError(name) from None
    return value


# -- pieces -----------------------------------------------------------------------------------------------------------


def _first(row: Any, names: Sequence[str]) -> str:
    """The first of some fields that holds a text or a number; empty when none does."""
    found = (row.get(name) for name in names) if isinstance(row, Mapping) else ()
    return next((str(value) for value in found if isinstance(value, (str, int, float)) and str(value).strip()), "")


def _asked(prompt: str) -> str:
    """The question of a prompt: what stands after the last "Question:" and before "Answer:", else all of it."""
    tail = prompt.rpartition("Question:")[2]
    return tail.removesuffix("Answer:").strip() if tail != prompt else prompt.strip()


def _gold(value: Any) -> str:
    """The gold of a worked solution is what follows its "####" (GSM8K's convention); a list of one is its member."""
    if isinstance(value, (list, tuple)):
        return _gold(value[0]) if len(value) == 1 else ", ".join(_gold(one) for one in value)
    text = "" if value is None else str(value)
    return text.rpartition("####")[2].strip()


def _options(listed: Any) -> dict[str, str]:
    """Options by letter, from a list of texts or of {value}, or from {"text": [...], "label": [...]}."""
    if isinstance(listed, Mapping) and isinstance(listed.get("text"), list):
        labels = listed.get("label") or list(LETTERS[: len(listed["text"])])
        return {str(label): str(text) for label, text in zip(labels, listed["text"], strict=False)}
    if not isinstance(listed, list) or not 1 < len(listed) <= len(LETTERS):
        return {}
    texts = [str(one.get("value", one) if isinstance(one, Mapping) else one) for one in listed]
    return dict(zip(LETTERS, texts, strict=False))


def _letter(target: Any, options: Mapping[str, str]) -> str:
    """A target as a letter: it may be an index, a letter, or the text of an option."""
    letters = list(options)
    text = str(target).strip()
    if text in options:
        return text
    if text.isdecimal() and int(text) < len(letters):
        return letters[int(text)]
    return next((letter for letter, option in options.items() if option.strip() == text), text)


def _is_logprob(resps: Any) -> bool:
    """Are the replies pairs (log-probability, greedy or not), as lm-eval writes them for `loglikelihood`?"""
    first = resps[0][0] if isinstance(resps[0], list) and resps[0] else resps[0]
    return isinstance(first, list) and len(first) == 2 and str(first[1]) in ("True", "False")


def _likeliest(resps: Sequence[Any], options: Mapping[str, str]) -> str:
    if len(options) != len(resps):
        raise ValueError(
            f"log-probabilities of {len(resps)} texts for {len(options)} options: not a choice to be scored"
        )
    scores = [float(one[0][0]) for one in resps]
    return list(options)[max(range(len(scores)), key=scores.__getitem__)]


def _prompt(arguments: Any) -> str:
    """The first request's prompt, in lm-eval's older and newer way to write arguments."""
    if isinstance(arguments, Mapping):
        return str((arguments.get("gen_args_0") or {}).get("arg_0") or "")
    return str(arguments[0][0]) if isinstance(arguments, list) and arguments and arguments[0] else ""


def _continuations(arguments: Any) -> dict[str, str]:
    """The options of log-probability requests whose document lists none: their continuations."""
    requests = list(arguments.values()) if isinstance(arguments, Mapping) else arguments or []
    texts = [str(one.get("arg_1") if isinstance(one, Mapping) else one[1]).strip() for one in requests]
    return _options(texts)


def _last_user(messages: Any) -> str:
    """The text of the last message of the user (role "user" or "HUMAN"), or the prompt itself."""
    if isinstance(messages, str):
        return messages
    asked = [
        one for one in messages or () if isinstance(one, Mapping) and str(one.get("role")).lower() in ("user", "human")
    ]
    last = asked[-1] if asked else {}
    return _content(last.get("content", last.get("prompt", "")))[0]


def _message(choice: Row) -> Said:
    """The reply in one choice of a chat completion."""
    message = choice["message"]
    text, thought = _content(message.get("content"))
    ended = str(choice.get("finish_reason") or choice.get("stop_reason") or "stop")
    return Said(
        text, str(message.get("reasoning") or message.get("reasoning_content") or thought), FINISH.get(ended, "stop")
    )


def _content(content: Any) -> tuple[str, str]:
    """(text, reasoning) of a message's content: a text, or a list of parts."""
    if not isinstance(content, list):
        return str(content or ""), ""
    parts = [part for part in content if isinstance(part, Mapping)]
    texts = [str(part.get("text", "")) for part in parts if part.get("type") == "text"]
    thoughts = [str(part.get("reasoning", "")) for part in parts if part.get("type") == "reasoning"]
    return "\n".join(texts), "\n".join(thoughts)
