"""vLLM in this process, for real: one engine for the whole file."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from asking import Conversation, chat, mixed, raw, replies, score

from finbench.errors import EngineError
from finbench.records import Message, Request

pytestmark = pytest.mark.vllm
pytest.importorskip("vllm", reason="vLLM is not installed: make test-vllm builds an environment with the CPU build")

from finbench.engines.vllm.local import LocalVLLM  # noqa: E402  # after the skip

SETTINGS: dict[str, Any] = {
    "dtype": "float32",
    "enforce_eager": True,
    "gpu_memory_utilization": 0.25,
    "max_model_len": 1024,
    "max_num_seqs": 16,
}


@pytest.fixture(scope="module")
def engine(tiny: Path) -> Iterator[LocalVLLM]:
    engine = LocalVLLM(str(tiny), **SETTINGS)
    yield engine
    engine.close()
    engine.close()  # a second call does nothing


def bare(engine: LocalVLLM, requests: list[Request], **settings: Any) -> dict[str, Any]:
    """What `LLM.generate` says to the same prompts."""
    from vllm import SamplingParams

    prompts = [{"prompt_token_ids": engine.prompts.prepare(request).token_ids} for request in requests]
    how = [
        SamplingParams(**{"temperature": 0.0, "max_tokens": request.sampling.max_tokens, **settings})
        for request in requests
    ]
    outputs = engine.llm.generate(prompts, how, use_tqdm=False)
    return {request.id: output.outputs[0] for request, output in zip(requests, outputs, strict=True)}


def test_every_reply_comes_once_and_says_what_plain_vllm_says(engine: LocalVLLM) -> None:
    requests = mixed(80)
    ours, theirs = replies(engine, requests), bare(engine, requests)
    assert len(ours) == 80
    for name, response in ours.items():
        assert response.text == theirs[name].text
        assert response.finish == theirs[name].finish_reason
        assert response.output_tokens == len(theirs[name].token_ids)


def test_the_chat_template_gives_what_llm_chat_gives(engine: LocalVLLM) -> None:
    from vllm import SamplingParams

    requests = mixed(6)
    turns = [[{"role": turn.role, "content": turn.content} for turn in request.messages] for request in requests]
    theirs = engine.llm.chat(turns, SamplingParams(temperature=0.0, max_tokens=8), use_tqdm=False)
    for request, output in zip(requests, theirs, strict=True):
        assert engine.prompts.prepare(request).token_ids == output.prompt_token_ids


def test_short_replies_do_not_wait_for_long_ones(engine: LocalVLLM) -> None:
    requests = [chat("long", "write", max_tokens=200)] + [chat(f"s{at}", f"say {at}", max_tokens=4) for at in range(40)]
    order = [response.request_id for response in engine.stream(iter(requests))]
    assert order[-1] == "long"


def test_alone_in_a_batch_and_reversed_the_same_text(engine: LocalVLLM) -> None:
    requests = mixed(20)
    together, backwards = replies(engine, requests), replies(engine, reversed(requests))
    for request in requests[:5]:
        alone = replies(engine, [request])[request.id]
        assert alone.text == together[request.id].text == backwards[request.id].text


def test_the_models_own_sampling_defaults_are_not_inherited(engine: LocalVLLM, tiny: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    stated = json.loads((tiny / "generation_config.json").read_text())
    assert stated["do_sample"] and stated["repetition_penalty"] > 1
    model = AutoModelForCausalLM.from_pretrained(tiny, dtype=torch.float32)
    request = chat("one", "what changed in 2021 ?", max_tokens=12)
    ids = engine.prompts.prepare(request).token_ids
    with torch.no_grad():
        for _ in range(12):  # plain argmax, written out
            ids = [*ids, int(model(torch.tensor([ids])).logits[0, -1].argmax())]
    expected = engine.prompts.tokenizer.decode(ids[-12:], skip_special_tokens=True)
    said = replies(engine, [request])["one"]
    assert said.output_tokens == 12 and said.text
    assert expected.startswith(said.text.rstrip("\ufffd"))  # vLLM leaves out a last character that is incomplete


def test_an_overlong_prompt_fails_alone_and_with_words(engine: LocalVLLM) -> None:
    found = replies(engine, [chat("long", "word " * 3000), chat("short", "hello"), raw("empty", "")])
    assert found["long"].finish == "error"
    assert "tokens" in found["long"].error and "1,024" in found["long"].error
    assert found["empty"].finish == "error"
    assert found["short"].finish in ("stop", "length")


def test_a_setting_that_vllm_refuses_fails_alone(engine: LocalVLLM) -> None:
    found = replies(engine, [chat("bad", "hello", top_p=7.0), chat("good", "hello")])
    assert found["bad"].finish == "error" and "top_p" in found["bad"].error
    assert found["good"].finish != "error"


def test_truncation_leaves_a_note_and_keeps_the_end(engine: LocalVLLM) -> None:
    request = chat("long", "word " * 3000 + "and the question is last", max_tokens=10)
    cutting = replace(engine.prompts, policy="truncate-left")
    prompt = cutting.prepare(request)
    text = engine.prompts.tokenizer.decode(prompt.token_ids)
    assert text.startswith("<|im_start|>system\nAnswer in few words.")
    assert text.endswith("and the question is last<|im_end|>\n<|im_start|>assistant\n")
    engine.prompts, kept = cutting, engine.prompts
    try:
        response = replies(engine, [request])["long"]
    finally:
        engine.prompts = kept
    assert response.finish != "error"
    assert response.error.startswith("prompt truncated at the left from ")


def test_choices_restrict_the_reply(engine: LocalVLLM) -> None:
    words = ("right", "wrong", "wrongly put")
    found = replies(
        engine, [chat(f"c{at}", f"verdict {at} ?", choices=words, temperature=1.0, seed=at) for at in range(12)]
    )
    assert {response.text for response in found.values()} <= set(words)
    assert len({response.text for response in found.values()}) > 1
    assert all(response.finish == "stop" for response in found.values())


def test_log_probabilities_are_those_of_transformers(engine: LocalVLLM, tiny: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    turns = (Message("user", "is the tweet bullish ?"),)
    requests = [
        score("a", "the tweet is", " bullish"),
        score("b", "the tweet is", " bearish , or neutral"),
        score("c", "the tweet is ", "bearish"),  # the trailing space belongs to the continuation
        score("d", "", "yes or no"),
        score("e", "", "yes", turns=turns),
    ]
    found = replies(engine, requests)
    model = AutoModelForCausalLM.from_pretrained(tiny, dtype=torch.float32)
    for request in requests:
        prompt = engine.prompts.prepare(request)
        with torch.no_grad():
            logits = model(torch.tensor([prompt.token_ids])).logits[0].log_softmax(-1)
        places = range(len(prompt.token_ids) - prompt.scored, len(prompt.token_ids))
        expected = sum(logits[at - 1, prompt.token_ids[at]].item() for at in places)
        assert found[request.id].logprob == pytest.approx(expected, abs=1e-3)
        assert found[request.id].greedy == all(logits[at - 1].argmax() == prompt.token_ids[at] for at in places)


def test_what_greedy_decoding_writes_is_called_greedy(engine: LocalVLLM) -> None:
    from vllm import SamplingParams

    ids = engine.prompts.tokenizer.encode("net sales were")
    one = SamplingParams(temperature=0.0, max_tokens=1)
    (output,) = engine.llm.generate([{"prompt_token_ids": ids}], one, use_tqdm=False)
    (first,) = output.outputs[0].token_ids
    vocabulary = engine.prompts.tokenizer
    for candidate in (vocabulary.decode([first]), " yes"):
        response = replies(engine, [score("x", "net sales were", candidate)])["x"]
        same = vocabulary.encode("net sales were" + candidate) == [*ids, first]
        assert response.greedy == same


def test_a_seed_belongs_to_its_request(engine: LocalVLLM) -> None:
    seeded = [chat(f"s{at}", "say", temperature=1.0, seed=5) for at in range(3)]
    other = chat("other", "say", temperature=1.0, seed=6)
    crowd = [chat(f"x{at}", f"crowd {at}", temperature=1.0, seed=at) for at in range(12)]
    found = replies(engine, [*crowd, *seeded, other])
    assert len({found[request.id].text for request in seeded}) == 1
    assert found["other"].text != found["s0"].text
    assert replies(engine, [seeded[0]])["s0"].text == found["s0"].text


@pytest.mark.parametrize(
    "setting",
    [
        *({"repetition_penalty": 1.5}, {"presence_penalty": 1.9}, {"frequency_penalty": 1.9}),
        *({"top_k": 2}, {"top_p": 0.3}, {"min_p": 0.5}),
    ],
)
def test_decoding_settings_reach_vllm(engine: LocalVLLM, setting: dict[str, Any]) -> None:
    requests = [chat(f"r{at}", f"say {at}", max_tokens=24, temperature=0.8, seed=9, **setting) for at in range(4)]
    theirs = bare(engine, requests, temperature=0.8, seed=9, **setting)
    plain = bare(engine, requests, temperature=0.8, seed=9)
    ours = replies(engine, requests)
    assert {name: response.text for name, response in ours.items()} == {
        name: said.text for name, said in theirs.items()
    }
    assert any(ours[name].text != plain[name].text for name in ours)


def test_a_stop_text_ends_the_reply_and_is_left_out(engine: LocalVLLM) -> None:
    free = replies(engine, [chat("free", "say it", max_tokens=60)])["free"].text
    stop = free[len(free) // 2 :][:4]
    assert stop
    cut = replies(engine, [chat("cut", "say it", max_tokens=60, stop=(stop,))])["cut"]
    assert cut.text == free[: free.find(stop)]
    assert cut.finish == "stop"


def test_requests_that_wait_for_replies_are_asked_again_after_each(engine: LocalVLLM) -> None:
    conversation = Conversation(turns=5)
    for response in engine.stream(iter(conversation)):
        assert response.request_id == f"turn{conversation.taken}"
        conversation.taken += 1
    assert conversation.taken == 5
    assert conversation.asked_in_vain <= 5  # once per turn, no busy waiting


def test_requests_are_pulled_lazily_and_dropped_when_the_stream_is_closed(engine: LocalVLLM) -> None:
    pulled = itertools.count()
    endless = (chat(f"r{number}", f"say {number}", max_tokens=8) for number in pulled)
    stream = engine.stream(endless)
    for _ in range(3):
        next(stream)
    stream.close()
    assert next(pulled) <= engine.window + 80
    assert not engine.llm.llm_engine.has_unfinished_requests()
    assert replies(engine, [chat("after", "hello")])["after"].finish != "error"


def test_a_step_that_fails_is_an_engine_error_with_advice(engine: LocalVLLM, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")

    monkeypatch.setattr(engine.llm.llm_engine, "step", fail)
    with pytest.raises(EngineError, match=r"out of memory.*--gpu-memory-utilization"):
        replies(engine, [chat("x", "hello")])


def test_lengths_are_known_before_the_run(engine: LocalVLLM) -> None:
    fits, long = chat("fits", "hello"), chat("long", "word " * 3000)
    (found,) = engine.check_lengths([fits, long])
    assert found.request_id == "long" and found.tokens > found.limit
    assert engine.prompt_tokens(fits.messages) == replies(engine, [fits])["fits"].prompt_tokens


def test_the_manifest_can_be_written(engine: LocalVLLM) -> None:
    about = json.loads(json.dumps(engine.describe()))
    assert about["vllm"] not in ("", "unknown", None)
    assert (about["dtype"], about["max_model_len"], about["device"]) == ("float32", 1024, "cpu")


def test_data_parallelism_names_the_ways_that_exist() -> None:
    with pytest.raises(EngineError, match=r"--serve.*--replicas 2"):
        LocalVLLM("any", data_parallel=2)


def test_a_model_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="nowhere"):
        LocalVLLM(str(tmp_path / "nowhere"), **SETTINGS)


def test_an_adapter_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"adapter_config\.json"):
        LocalVLLM("any", lora=tmp_path)
