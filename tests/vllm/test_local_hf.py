"""transformers in this process, for real, on the tiny model."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from asking import Conversation, chat, mixed, raw, replies, score

from finbench.errors import EngineError
from finbench.records import Message

pytestmark = pytest.mark.hf
pytest.importorskip("torch", reason="torch is not installed: make test-vllm")
pytest.importorskip("transformers", reason="transformers is not installed: make test-vllm")

from finbench.engines.hf import LocalHF  # noqa: E402  # after the skip


@pytest.fixture(scope="module")
def engine(tiny: Path) -> Iterator[LocalHF]:
    engine = LocalHF(str(tiny), dtype="float32", device="cpu", batch_size=8, max_model_len=1024)
    yield engine
    engine.close()
    engine.close()  # a second call does nothing


def by_hand(engine: LocalHF, ids: list[int], count: int) -> list[int]:
    """Greedy decoding written out, one token at a time without a cache."""
    import torch

    written: list[int] = []
    with torch.no_grad():
        while len(written) < count:
            written.append(int(engine.model(torch.tensor([[*ids, *written]])).logits[0, -1].argmax()))
            if written[-1] in engine._stop_ids:
                break
    return written


def test_greedy_replies_in_padded_batches_are_the_argmax_of_each_row_alone(engine: LocalHF) -> None:
    requests = mixed(10)
    found = replies(engine, requests)
    assert len(found) == 10
    for request in requests[:4]:  # the model's own generation settings would sample, with a penalty
        written = by_hand(engine, engine.prompts.prepare(request).token_ids, request.sampling.max_tokens)
        assert found[request.id].text == engine.tokenizer.decode(written, skip_special_tokens=True)
        assert found[request.id].output_tokens == len(written)


def test_budgets_belong_to_their_requests(engine: LocalHF) -> None:
    found = replies(engine, [chat(f"b{budget}", "say it", max_tokens=budget) for budget in (1, 5, 12)])
    for budget in (1, 5, 12):
        assert found[f"b{budget}"].output_tokens <= budget
        assert found[f"b{budget}"].finish == "length" or found[f"b{budget}"].output_tokens < budget


def test_a_seed_gives_the_same_draw_alone_and_in_a_batch(engine: LocalHF) -> None:
    seeded = [chat(f"s{at}", "say", temperature=1.0, seed=5) for at in range(2)]
    other = chat("other", "say", temperature=1.0, seed=6)
    crowd = [chat(f"x{at}", f"crowd {at} " * at, temperature=1.0, seed=at) for at in range(1, 5)]
    found = replies(engine, [*crowd, *seeded, other])
    assert found["s0"].text == found["s1"].text != found["other"].text
    assert replies(engine, [seeded[0]])["s0"].text == found["s0"].text


@pytest.mark.parametrize("setting", [{"top_k": 1}, {"top_p": 1e-6}, {"min_p": 1.0}, {"temperature": 1e-4}])
def test_sampling_narrowed_to_one_token_is_greedy(engine: LocalHF, setting: dict[str, Any]) -> None:
    greedy = replies(engine, [chat("g", "say it")])["g"]
    assert replies(engine, [chat("s", "say it", seed=1, **{"temperature": 1.0, **setting})])["s"].text == greedy.text


@pytest.mark.parametrize(
    "penalty", [{"repetition_penalty": 1.8}, {"presence_penalty": 2.0}, {"frequency_penalty": 2.0}]
)
def test_a_penalty_changes_a_text_that_repeats(engine: LocalHF, penalty: dict[str, float]) -> None:
    plain = replies(engine, [chat("p", "say it", max_tokens=40)])["p"].text
    assert replies(engine, [chat("q", "say it", max_tokens=40, **penalty)])["q"].text != plain


def test_a_stop_text_ends_the_reply_and_is_left_out(engine: LocalHF) -> None:
    free = replies(engine, [chat("free", "say it", max_tokens=40)])["free"].text
    stop = free[len(free) // 2 :][:3]
    assert stop
    cut = replies(engine, [chat("cut", "say it", max_tokens=40, stop=(stop,)), chat("free", "say it", max_tokens=40)])
    assert (cut["cut"].text, cut["cut"].finish) == (free[: free.find(stop)], "stop")
    assert cut["free"].text == free


def test_choices_restrict_the_reply(engine: LocalHF) -> None:
    words = ("right", "wrong", "wrongly")
    requests = [chat(f"c{at}", f"verdict {at} ?", choices=words, temperature=1.0, seed=at) for at in range(8)]
    found = replies(engine, [*requests, chat("free", "verdict", max_tokens=12)])
    assert {found[request.id].text for request in requests} <= set(words)
    assert found["free"].text not in words


def test_log_probabilities_do_not_depend_on_the_batch(engine: LocalHF) -> None:
    turns = (Message("user", "is the tweet bullish ?"),)
    requests = [
        score("a", "the tweet is", " bullish"),
        score("b", "the tweet is " * 30, "bearish , or neutral"),
        score("c", "", "yes", turns=turns),
        score("d", "", "yes or no"),
    ]
    together = replies(engine, [*requests, chat("free", "hello")])
    for request in requests:
        assert together[request.id].logprob == pytest.approx(replies(engine, [request])[request.id].logprob, abs=1e-3)
        assert together[request.id].logprob < 0


def test_what_greedy_decoding_writes_is_called_greedy(engine: LocalHF) -> None:
    ids = engine.tokenizer.encode("net sales were")
    first = engine.tokenizer.decode(by_hand(engine, ids, 1))
    same = engine.tokenizer.encode("net sales were" + first) == [*ids, *by_hand(engine, ids, 1)]
    assert replies(engine, [score("x", "net sales were", first)])["x"].greedy == same
    assert replies(engine, [score("y", "net sales were", " yes no yes")])["y"].greedy is False


def test_an_overlong_prompt_fails_alone_and_with_words(engine: LocalHF) -> None:
    found = replies(engine, [chat("long", "word " * 3000), chat("short", "hello"), raw("empty", "")])
    assert (found["long"].finish, found["empty"].finish) == ("error", "error")
    assert "1,024" in found["long"].error
    assert found["short"].finish != "error"


def test_requests_that_wait_for_replies_are_asked_again_after_each(engine: LocalHF) -> None:
    conversation = Conversation(turns=4)
    for _ in engine.stream(iter(conversation)):
        conversation.taken += 1
    assert conversation.taken == 4
    assert conversation.asked_in_vain <= 4


def test_when_memory_runs_out_the_batch_is_halved(engine: LocalHF, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    generate, sizes = engine._generate, []

    def small_only(rows: list[Any]) -> list[Any]:
        sizes.append(len(rows))
        if len(rows) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return generate(rows)

    monkeypatch.setattr(engine, "_generate", small_only)
    found = replies(engine, [chat(f"r{at}", "hello", max_tokens=2) for at in range(4)])
    assert sizes == [4, 2, 2]
    assert all(response.finish != "error" for response in found.values())


def test_the_manifest_can_be_written(engine: LocalHF) -> None:
    about = json.loads(json.dumps(engine.describe()))
    assert (about["dtype"], about["device"], about["max_model_len"]) == ("float32", "cpu", 1024)


def test_a_model_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="nowhere"):
        LocalHF(str(tmp_path / "nowhere"))
