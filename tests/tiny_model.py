"""A tiny Qwen2 with random weights, written to a folder: real enough for vLLM and transformers, ready in seconds.

    python tests/tiny_model.py FOLDER

Nothing is fetched. The same library versions write the same weights, so replies can be compared between engines, but
they are babble: these checkpoints test plumbing, never scores.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

HIDDEN, HEADS = 256, 4  # 64 per head: vLLM's CPU attention refuses heads of 16
CONTEXT = 2048
END, START, STOP = "<|endoftext|>", "<|im_start|>", "<|im_end|>"

SENTENCES = (
    "Net sales were $ 2,345.6 million in 2021, up 7.8 % from the year before",
    "What was the change in operating margin between 2020 and 2021 ?",
    "the tweet is bullish , bearish or neutral ; answer yes or no",
    "<think> ( 5120 - 4096 ) / 4096 = 25 % </think> so the answer is \\boxed{25}",
)

TEMPLATE = """\
{%- for turn in messages -%}
{{ '<|im_start|>' + turn['role'] + '\\n' + turn['content'] }}
{%- if not loop.last or add_generation_prompt or turn['role'] != 'assistant' %}{{ '<|im_end|>\\n' }}{% endif -%}
{%- endfor -%}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif -%}
"""


def write_tiny_model(folder: Path, *, seed: int = 7) -> Path:
    """Writes the checkpoint (float32, 6 MB) unless it is there, and gives the folder back."""
    if (folder / "model.safetensors").exists():
        return folder
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=480,
        special_tokens=[END, START, STOP],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),  # so that any text can be encoded
        show_progress=False,
    )
    bpe.train_from_iterator(SENTENCES * 8, trainer)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=bpe, eos_token=STOP, pad_token=END, model_max_length=CONTEXT)
    tokenizer.chat_template = TEMPLATE

    torch.manual_seed(seed)
    special = {"bos_token_id": None, "eos_token_id": bpe.token_to_id(STOP), "pad_token_id": bpe.token_to_id(END)}
    config = Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=HIDDEN,
        intermediate_size=2 * HIDDEN,
        num_hidden_layers=2,
        num_attention_heads=HEADS,
        num_key_value_heads=HEADS // 2,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=False,
        initializer_range=0.1,  # the usual 0.02 makes all tokens about equally likely, and comparisons toss-ups
        **special,
    )
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save_pretrained(folder)
    Qwen2ForCausalLM(config).save_pretrained(folder)
    # Decoding defaults that an evaluation must not inherit: an engine that reads them gives itself away in the tests.
    settings = {**special, "do_sample": True, "temperature": 1.9, "top_k": 3, "repetition_penalty": 1.7}
    (folder / "generation_config.json").write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
    return folder


if __name__ == "__main__":
    print(write_tiny_model(Path(sys.argv[1])))
