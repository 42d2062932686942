"""lm-eval's model classes as engines, with a class of our own in lm-eval's registry."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from lm_eval import models as _lm_evals_own  # noqa: F401 -- fills the registry before a class of ours joins it
from lm_eval.api.model import LM
from lm_eval.api.registry import register_model

from finbench.engines.lm_eval import LmEvalModel
from finbench.errors import EngineError
from finbench.records import Answer, Document, Gold, Message, Request, Response, Sampling

DOCUMENT = Document("d", "t", "?", Answer("number"), (Gold("1"),))


class Words:
    """One token per word."""

    def encode(self, text: str, add_special_tokens: bool = True) -> list[str]:
        return text.split()


@register_model("finbench-test")
class Model(LM):
    """Answers with the last line of its prompt; "bad" in a prompt fails the whole list, as real classes do."""

    tokenizer = Words()

    def __init__(self, size: int = 0, api_key: str = "", device: str | None = None) -> None:
        super().__init__()
        self.size, self.lists = size, []

    def generate_until(self, requests: list[Any]) -> list[str]:
        self.lists.append([request.args for request in requests])
        if any("bad" in request.args[0] for request in requests):
            raise RuntimeError("bad prompt")
        return [request.args[0].splitlines()[-1] for request in requests]

    def loglikelihood(self, requests: list[Any], disable_tqdm: bool = False) -> list[tuple[float, bool]]:
        assert disable_tqdm
        self.lists.append([request.args for request in requests])
        return [(-float(len(request.args[1])), request.args[1] == " yes") for request in requests]

    def loglikelihood_rolling(self, requests: list[Any]) -> list[float]:
        raise NotImplementedError

    def apply_chat_template(self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
        return "\n".join(turn["content"] for turn in chat_history) + ("" if add_generation_prompt else "...")


@register_model("finbench-test-plain")
class Plain(Model):
    """A model without a chat template."""

    apply_chat_template = LM.apply_chat_template  # type: ignore[assignment]  # the one that raises


@register_model("finbench-test-bare")
class Bare(Plain):
    """A model whose tokenizer cannot be had."""

    failure: Exception

    @property
    def tokenizer(self) -> Words:  # type: ignore[override]
        raise self.failure


def chat(name: str, text: str, *more: Message, **sampling: Any) -> Request:
    return Request(name, DOCUMENT, (Message("user", text), *more), Sampling(**sampling))


def score(name: str, continuation: str) -> Request:
    return Request(name, DOCUMENT, (), Sampling(), "the end?", kind="loglikelihood", continuation=continuation)


def replies(engine: LmEvalModel, requests: list[Request | None]) -> dict[str, Response]:
    return {response.request_id: response for response in engine.stream(iter(requests))}


def test_text_goes_through_the_models_own_template_in_bounded_batches() -> None:
    engine = LmEvalModel("finbench-test", "size=3", batch_size=2)
    found = replies(engine, [chat(f"r{at}", f"hello {at}") for at in range(5)])
    assert {name: response.text for name, response in found.items()} == {f"r{at}": f"hello {at}" for at in range(5)}
    assert [len(batch) for batch in engine.lm.lists] == [2, 2, 1]
    assert engine.lm.size == 3


def test_a_last_assistant_turn_is_continued() -> None:
    engine = LmEvalModel("finbench-test")
    assert replies(engine, [chat("r", "why?", Message("assistant", "Because"))])["r"].text == "Because..."


def test_both_kinds_come_back_whole_and_never_share_a_batch() -> None:
    engine = LmEvalModel("finbench-test", batch_size=8)
    found = replies(engine, [score("a", " yes"), score("b", " no way"), chat("c", "hello"), score("d", " no")])
    assert (found["a"].logprob, found["a"].greedy) == (-4.0, True)
    assert (found["b"].logprob, found["b"].greedy) == (-7.0, False)
    assert found["c"].text == "hello" and found["d"].logprob == -3.0
    assert [len(batch) for batch in engine.lm.lists] == [2, 1, 1]


def test_settings_are_passed_and_neutral_ones_left_out() -> None:
    engine = LmEvalModel("finbench-test")
    replies(engine, [chat("r", "hello", max_tokens=9, stop=("END",))])
    assert engine.lm.lists[-1][0][1] == {"until": ["END"], "max_gen_toks": 9, "do_sample": False, "temperature": 0.0}
    replies(
        engine,
        [
            chat(
                "r",
                "hello",
                temperature=0.7,
                top_p=0.8,
                top_k=20,
                repetition_penalty=1.05,
                presence_penalty=1.5,
                frequency_penalty=0.5,
                min_p=0.1,
                seed=4,
            )
        ],
    )
    settings = engine.lm.lists[-1][0][1]
    assert settings["do_sample"] and (settings["top_p"], settings["top_k"]) == (0.8, 20)
    assert settings["repetition_penalty"] == 1.05 and settings["presence_penalty"] == 1.5
    assert settings["frequency_penalty"] == 0.5 and settings["min_p"] == 0.1
    assert "seed" not in settings and engine.describe()["seeds"] == "per batch"


def test_a_reply_that_fills_its_budget_is_cut_off() -> None:
    found = replies(LmEvalModel("finbench-test"), [chat("r", "one two three", max_tokens=3), chat("s", "one two")])
    assert (found["r"].finish, found["r"].output_tokens) == ("length", 3)
    assert (found["s"].finish, found["s"].prompt_tokens) == ("stop", 2)


def test_one_bad_request_does_not_take_its_batch_with_it() -> None:
    found = replies(LmEvalModel("finbench-test"), [chat("a", "good"), chat("b", "bad"), chat("c", "fine")])
    assert (found["a"].text, found["c"].text) == ("good", "fine")
    assert found["b"].finish == "error" and "bad prompt" in found["b"].error


def test_a_model_that_fails_on_all_is_unusable() -> None:
    with pytest.raises(EngineError, match="bad prompt"):
        replies(LmEvalModel("finbench-test"), [chat("a", "bad"), chat("b", "bad too")])


def test_choices_are_refused_with_words() -> None:
    found = replies(LmEvalModel("finbench-test"), [chat("a", "good"), chat("b", "good", choices=("x", "y"))])
    assert found["a"].text == "good"
    assert found["b"].finish == "error" and "choices" in found["b"].error


def test_a_model_without_chat_template_names_the_flag() -> None:
    engine = LmEvalModel("finbench-test-plain")
    with pytest.raises(EngineError, match="--no-chat"):
        replies(engine, [chat("a", "hello"), chat("b", "hello")])
    raw = Request("r", DOCUMENT, (), Sampling(), prompt="just text")
    assert replies(engine, [raw])["r"].text == "just text"


@pytest.mark.parametrize("failure", [ModuleNotFoundError("transformers"), OSError("no hub"), NotImplementedError()])
def test_a_tokenizer_that_cannot_be_loaded_leaves_tokens_uncounted(failure: Exception) -> None:
    Bare.failure = failure
    engine = LmEvalModel("finbench-test-bare")
    raw = Request("r", DOCUMENT, (), Sampling(), prompt="just text")
    assert replies(engine, [raw])["r"].output_tokens is None


def test_requests_that_wait_for_replies_are_asked_again() -> None:
    taken = 0

    def conversation() -> Iterator[Request | None]:
        for turn in range(3):
            while taken < turn:
                yield None
            yield chat(f"turn{turn}", "hello")

    for _ in LmEvalModel("finbench-test").stream(conversation()):
        taken += 1
    assert taken == 3


def test_an_unknown_model_and_unfit_arguments_are_named() -> None:
    with pytest.raises(EngineError, match="lm-eval:no-such-model cannot be made"):
        LmEvalModel("no-such-model")
    with pytest.raises(EngineError, match="colour"):
        LmEvalModel("finbench-test", "colour=red")


def test_no_key_reaches_the_manifest() -> None:
    about = LmEvalModel("finbench-test", "size=3,api_key=abc123").describe()
    assert about["model_args"] == "size=3,api_key=[redacted]"
