"""The values that cross a floor: frozen records and the identity of a request.

A `Document` is one question with its golds; a `Request` is what an engine is asked; a `Response` is what it said; a
`Grade` is what finbench thinks of it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Kind = Literal["number", "choice", "label", "boolean", "text", "lm_eval"]
Unit = Literal["percent", "ratio", "amount", "count"]
Finish = Literal["stop", "length", "error"]

# Every verdict carries one of these. The first group is right, the second wrong with a diagnosis, the third unreadable.
RIGHT_REASONS = ("equal", "rounding", "percent_form", "scale_form", "alias", "tolerance")
WRONG_REASONS = (
    "off_by_100",
    "wrong_scale",
    "wrong_sign",
    "wrong_unit",
    "wrong_precision",
    "wrong_cell",
    "inverted",
    "intermediate",
    "different",
    "missing_choice",
    "extra_choice",
    "contradicted",
)
UNREADABLE_REASONS = (
    "two_answers",
    "range",
    "no_answer",
    "refusal",
    "truncated",
    "not_a_number",
    "error",
    "unparsed",
    "needs_judge",
)
REASONS = RIGHT_REASONS + WRONG_REASONS + UNREADABLE_REASONS


@dataclass(frozen=True, slots=True)
class Gold:
    """One accepted answer, as the dataset writes it, and which of its fields it came from."""

    text: str
    source: str = "gold"  # FinQA has two: "executed" (exe_ans) and "display" (answer)


@dataclass(frozen=True, slots=True)
class Answer:
    """What kind of answer a question wants; `None` or empty means that the question has to be read for it.

    `gold_form` says how a percentage stands in the gold: "fraction" (0.142), "percent" (14.2), "computed" (the result of
    a program: a fraction, unless it is over 10 and no percentage tells), or None for either. `scale` is the scale word of
    the gold ("million"); `decimals` a precision that the question demands; `currency` the code of a currency that the
    questions leave out ("USD"); `tolerance` a share of the gold by which a number may be off ("0.2%", the publisher's rule).
    """

    kind: Kind
    unit: Unit | None = None
    gold_form: Literal["fraction", "percent", "computed"] | None = None
    scale: str | None = None
    decimals: int | None = None
    currency: str | None = None
    tolerance: str | None = None
    choices: Mapping[str, str] = field(default_factory=dict)  # letter -> option text
    multi: bool = False
    classes: tuple[str, ...] = ()
    synonyms: Mapping[str, str] = field(default_factory=dict)  # word -> class
    codes: Mapping[str, str] = field(default_factory=dict)  # "0" -> class
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Document:
    """One question of a task, with its golds.

    `cells` are the table's cells and `steps` the intermediate results of the gold program, both as text: they only
    serve to say why a wrong number is wrong. `cluster` names what the document shares with others (a conversation, a
    filing page), so that intervals can be honest. `row` is the lm-eval document that the prompt is rendered from.
    """

    id: str
    task: str
    question: str
    answer: Answer
    golds: tuple[Gold, ...]
    cluster: str = ""
    flags: tuple[str, ...] = ()
    facets: Mapping[str, str] = field(default_factory=dict)
    cells: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    row: Mapping[str, Any] = field(default_factory=dict, compare=False)

    @property
    def gold_class(self) -> str:
        """The class of a label document's first gold, which the data may write as a code ("0" for bearish)."""
        gold = self.golds[0].text
        return self.answer.codes.get(gold, gold)


@dataclass(frozen=True, slots=True)
class Sampling:
    """How an engine decodes. `seed` is per request; `choices` restricts the reply to one of the given texts."""

    max_tokens: int = 4096
    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0  # 0: no limit
    repetition_penalty: float = 1.0
    presence_penalty: float = 0.0
    seed: int | None = None
    stop: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    min_p: float = 0.0  # least probability, as a share of the likeliest token's; 0: no limit
    frequency_penalty: float = 0.0

    def stated(self) -> dict[str, Any]:
        """The fields by name, for hashes and stores; those in ADDED only where they say something.

        >>> "min_p" in Sampling().stated(), Sampling(min_p=0.1).stated()["min_p"]
        (False, 0.1)
        """
        fields = fields_of(self)
        return {name: value for name, value in fields.items() if name not in ADDED or value}


# Fields of Sampling that came after the first stores were written: left out of hashes while they change nothing, so that
# the requests of older runs keep their ids and the runs go on.
ADDED = frozenset({"min_p", "frequency_penalty"})


@dataclass(frozen=True, slots=True)
class Message:
    """One chat turn."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Request:
    """One thing to ask an engine.

    With chat, `messages` holds the turns; without (`--no-chat`, base models), `prompt` holds the text and `messages`
    is empty. For `kind="loglikelihood"`, `continuation` is the text to be scored after the prompt, and `part` counts
    the choices of one document; `whole` says that it is a text by itself, which has no prompt and may be long.
    """

    id: str
    document: Document
    messages: tuple[Message, ...]
    sampling: Sampling
    prompt: str = ""
    repeat: int = 0
    part: int = 0
    kind: Literal["generate", "loglikelihood"] = "generate"
    continuation: str = ""
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Response:
    """What an engine said to one request, complete, cut off, or failed."""

    request_id: str
    text: str
    finish: Finish  # "length": the token budget ran out, the answer may be missing
    reasoning: str = ""  # where the server keeps the thinking apart
    prompt_tokens: int | None = None
    output_tokens: int | None = None
    seconds: float = 0.0  # from submission to last token, queueing included
    attempts: int = 1
    error: str = ""  # the boundary that broke, in words, for finish="error"
    logprob: float | None = None  # loglikelihood requests: sum over the continuation
    greedy: bool | None = None  # loglikelihood requests: would greedy decoding have written it


@dataclass(frozen=True, slots=True)
class Grade:
    """The verdict on one response.

    `correct` follows the strict specification (docs/grading.md); `lenient` forgives scale, sign by wording and golds
    that contradict each other. `span` are the offsets of the answer in the response text. `rule` is the row of the
    decision table that found the answer.
    """

    correct: bool
    reason: str  # one of REASONS
    extracted: str | None = None  # as shown, without markup
    value: str | None = None  # normalized
    rule: str = ""  # which extraction rule found it
    span: tuple[int, int] | None = None
    gold: str = ""  # the source of the gold that was hit
    lenient: bool = False
    metrics: Mapping[str, float] = field(default_factory=dict)  # further per-sample metrics
    certainty: Literal["sure", "unsure", ""] = ""  # "" where the verdict is older than certainty
    rival: str = ""  # the other reading that makes a verdict unsure, in one line


def fields_of(record: Any) -> dict[str, Any]:
    """A record's own fields by name, values as they are; `dataclasses.asdict` copies deeply and takes ten times as long.

    >>> fields_of(Message("user", "hi"))
    {'role': 'user', 'content': 'hi'}
    """
    return {name: getattr(record, name) for name in record.__slots__}


def content_hash(*parts: object) -> str:
    """A stable 128-bit hash of JSON-able values; equal parts give equal hashes in every process.

    >>> content_hash("a", 1) == content_hash("a", 1) != content_hash("a", "1")
    True
    """
    return text_hash(json.dumps(parts, ensure_ascii=False, sort_keys=True, default=_plain))


def text_hash(text: str) -> str:
    """A stable 128-bit hash of a text."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Sampling):
        return value.stated()
    return asdict(value)  # type: ignore[call-overload]  # dataclass instances only; anything else raises TypeError
