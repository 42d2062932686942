"""Requests as token ids, and prompts that do not fit, with a tokenizer of one token per character."""

from __future__ import annotations

from typing import Any

import pytest
from jinja2 import TemplateError

from finbench.engines.prompts import PromptError, Prompts, context_length, first_line, read_template
from finbench.errors import EngineError, UsageError
from finbench.records import Answer, Document, Gold, Message, Request, Sampling

DOCUMENT = Document("d", "t", "?", Answer("number"), (Gold("1"),))


class Letters:
    """One token per character; BOS is 1, EOS is 2."""

    chat_template: str | None = "letters"
    bos_token_id: int | None = 1
    eos_token_id = 2

    def encode(self, text: str, add_special_tokens: bool = True) -> list[int]:
        begin = [self.bos_token_id] if add_special_tokens and self.bos_token_id is not None else []
        return [*begin, *map(ord, text)]

    def decode(self, ids: list[int]) -> str:
        return "".join(chr(token) for token in ids if token > 2)

    def apply_chat_template(self, turns: list[dict[str, str]], *, tokenize: bool, **how: Any) -> Any:
        if how.get("refuse"):
            raise TemplateError("no system role")
        text = "".join(f"<{turn['role'][0]}>{turn['content']}" for turn in turns)
        text += "<a>" if how["add_generation_prompt"] else ""
        return self.encode(text, add_special_tokens=False) if tokenize else text


def prompts(length: int = 100, **settings: Any) -> Prompts:
    return Prompts(Letters(), length, reply_room=20, **settings)


def chat(*texts: str, max_tokens: int = 50) -> Request:
    roles = ("system", "user", "assistant")
    turns = tuple(Message(role, text) for role, text in zip(roles, texts, strict=False))  # type: ignore[arg-type]
    return Request("r", DOCUMENT, turns, Sampling(max_tokens=max_tokens))


def raw(text: str, max_tokens: int = 50) -> Request:
    return Request("r", DOCUMENT, (), Sampling(max_tokens=max_tokens), prompt=text)


def score(context: str, continuation: str) -> Request:
    return Request("r", DOCUMENT, (), Sampling(), context, kind="loglikelihood", continuation=continuation)


def read(found: Prompts, request: Request) -> str:
    return Letters().decode(found.prepare(request).token_ids)


def test_chat_goes_through_the_template_and_raw_text_gets_bos() -> None:
    assert read(prompts(), chat("short", "why?")) == "<s>short<u>why?<a>"
    assert prompts().prepare(raw("why?")).token_ids[0] == Letters.bos_token_id


def test_a_last_assistant_turn_is_continued() -> None:
    assert read(prompts(), chat("s", "why?", "Because")) == "<s>s<u>why?<a>Because"


@pytest.mark.parametrize(
    ("letters", "max_tokens", "fits"),
    [(79, 50, True), (80, 50, False), (94, 5, True), (95, 5, False)],
    ids=["leaves the reply its room", "one too many", "a small budget needs less room", "but all of it"],
)
def test_a_prompt_must_leave_room_for_the_reply(letters: int, max_tokens: int, fits: bool) -> None:
    request = raw("x" * letters, max_tokens)  # and BOS
    assert bool(list(prompts().check_lengths([request]))) is not fits
    if fits:
        assert not prompts().prepare(request).note
        return
    with pytest.raises(PromptError, match="tokens and"):
        prompts().prepare(request)


def test_skip_says_so() -> None:
    with pytest.raises(PromptError, match=r"^skipped: the prompt has 301 tokens"):
        prompts(policy="skip").prepare(raw("x" * 300))


def test_truncation_drops_the_left_of_the_longest_user_turn_only() -> None:
    found = prompts(policy="truncate-left").prepare(chat("keep me", "x" * 300 + "the question"))
    text = Letters().decode(found.token_ids)
    assert text.startswith("<s>keep me<u>x") and text.endswith("the question<a>")
    assert len(found.token_ids) == 80
    assert found.note == "prompt truncated at the left from 328 to 80 tokens"


def test_truncation_of_raw_text_keeps_its_end() -> None:
    assert read(prompts(policy="truncate-left"), raw("x" * 300 + "end")).endswith("xxend")


def test_a_prompt_without_anything_to_cut_fails_even_with_truncation() -> None:
    with pytest.raises(PromptError, match="tokens and"):
        prompts(policy="truncate-left").prepare(chat("s" * 300, "why?"))


@pytest.mark.parametrize(
    ("context", "continuation", "scored"),
    [("the", " end", 4), ("the ", "end", 4), ("", "end", 3), ("  ", "end", 5)],
    ids=["plain", "trailing space belongs to the continuation", "no context", "only spaces"],
)
def test_the_continuation_is_marked(context: str, continuation: str, scored: int) -> None:
    prompt = prompts().prepare(score(context, continuation))
    assert prompt.scored == scored
    assert len(prompt.token_ids) == 1 + len(context + continuation)  # BOS, or what stands for it


def test_without_bos_the_end_token_stands_before_a_text_without_context() -> None:
    letters = Letters()
    letters.bos_token_id = None
    assert Prompts(letters, 100).prepare(score("", "end")).token_ids[0] == Letters.eos_token_id


def test_scored_text_keeps_its_end_when_the_context_is_cut() -> None:
    prompt = prompts(policy="truncate-left").prepare(score("x" * 300, " end"))
    assert Letters().decode(prompt.token_ids).endswith("x end")
    assert (len(prompt.token_ids), prompt.scored) == (99, 4)


@pytest.mark.parametrize("request_", [raw(""), score("the", "")], ids=["prompt", "continuation"])
def test_nothing_to_ask_is_an_error(request_: Request) -> None:
    letters = Letters()
    letters.bos_token_id = None
    with pytest.raises(PromptError, match="empty"):
        Prompts(letters, 100).prepare(request_)


def test_a_template_that_refuses_the_messages_fails_that_request() -> None:
    with pytest.raises(PromptError, match="no system role"):
        prompts(template_args={"refuse": True}).prepare(chat("s", "why?"))


def test_a_model_without_template_is_an_engine_error_that_names_the_flag() -> None:
    letters = Letters()
    letters.chat_template = None
    with pytest.raises(EngineError, match="--no-chat"):
        Prompts(letters, 100).prepare(chat("s", "why?"))


def test_an_unknown_policy_is_refused() -> None:
    with pytest.raises(UsageError, match="truncate-left"):
        prompts(policy="shorten")


def test_a_template_may_be_a_file_or_the_text_itself(tmp_path: Any) -> None:
    file = tmp_path / "template.jinja"
    file.write_text("{{ messages }}", encoding="utf-8")
    assert read_template(file) == read_template("{{ messages }}") == "{{ messages }}"
    assert read_template(None) is None
    with pytest.raises(UsageError, match=r"missing\.jinja"):
        read_template(tmp_path / "missing.jinja")


@pytest.mark.parametrize(
    ("stated", "limit", "expected"), [(4096, 10**30, 4096), (None, 512, 512), (None, 10**30, 4096)]
)
def test_the_context_length_comes_from_the_configuration_first(stated: Any, limit: int, expected: int) -> None:
    class Config:
        max_position_embeddings = stated

        def get_text_config(self) -> Config:
            return self

    class Tokenizer:
        model_max_length = limit

    assert context_length(Config(), Tokenizer()) == expected


def test_the_first_line_of_an_error_that_says_nothing_is_its_class() -> None:
    assert first_line(ValueError("\n\n  odd  \nmore")) == "ValueError: odd"
    assert first_line(KeyboardInterrupt()) == "KeyboardInterrupt"
