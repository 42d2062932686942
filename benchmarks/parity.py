"""lm-eval's own `simple_evaluate` beside a finbench run: the same tasks, the same model, and what differs in the numbers.

    python benchmarks/parity.py            # a table of every shape of task, every metric; exit code 1 if one differs

The model replies by the prompt alone (and by how often it was asked), on both sides through lm-eval's model interface.
`tests/test_parity.py` holds the differences at 0.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ENGINE = "finbench-parity"
NOUNS = "revenue margin debt cash equity tax interest capital".split()

PYTHON = """
def process_docs(dataset):
    return dataset.filter(lambda row: row["n"] % 4).map(lambda row: {"ask": row["question"].upper()})


def options(row):
    return [f"{row['total'] + more} coins" for more in range(3)]


def stands_at(row):
    return row["n"] % 2


def token_f1(references, predictions, **_):
    gold, said = set(references[0].split()), set(predictions[0].split())
    return 2 * len(gold & said) / max(len(gold) + len(said), 1)


def scored(row, results):
    said = results[0]
    return {"overlap": len(set(said.split()) & set(row["text"].split())), "pair": (row["label"], said.split()[-1])}


def share_equal(pairs):
    return sum(a == b for a, b in pairs) / len(pairs)
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One number of one task or group on both sides; None where a side has none."""

    task: str
    n: int
    metric: str
    theirs: float | None
    ours: float | None

    @property
    def difference(self) -> float:
        """Ours minus theirs; infinite where one side has no number."""
        if self.theirs is None or self.ours is None:
            return math.inf
        return self.ours - self.theirs


# -- the tasks -------------------------------------------------------------------------------------------------------


def shapes() -> dict[str, dict[str, Any]]:
    """The tasks by name, as YAML values; `!function` stands as text and is put in by `write`."""
    number = {"filter": [{"function": "regex", "regex_pattern": r"(-?\d+)", "group_select": -1}, _first()]}
    strict = {"filter": [{"function": "regex", "regex_pattern": r"#### (-?\d+)"}, _first()]}
    vote = [{"function": "regex", "regex_pattern": r"(-?\d+)"}, {"function": "majority_vote"}, _first()]
    exact = [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}]
    asked = {"doc_to_text": "Question: {{question}}\nAnswer:", "doc_to_target": "{{total}}", "metric_list": exact}
    drawn = {"until": ["\n\n"], "do_sample": True, "temperature": 0.7, "min_p": 0.05}
    shots = {"training_split": "train", "fewshot_split": "train", "num_fewshot": 3}
    choice = {
        "output_type": "multiple_choice",
        "doc_to_text": "{{question}}",
        "metric_list": _metrics("acc", "acc_norm"),
    }
    return {
        "two_filters": asked
        | shots
        | {"filter_list": [{"name": "strict-match", **strict}, {"name": "flexible-extract", **number}]},
        "majority": asked
        | {
            "repeats": 8,
            "generation_kwargs": drawn,
            "filter_list": [
                {"name": "maj@8", "filter": vote},
                {"name": "maj@3", "filter": [{"function": "take_first_k", "k": 3}, *vote]},
                {"name": "first", **number},
            ],
        },
        "drawn_examples": asked | {"fewshot_split": "test", "num_fewshot": 4, "filter_list": [{"name": "n", **number}]},
        "list_choices": choice | {"doc_to_choice": "options", "doc_to_target": "right"},
        "made_choices": choice | {"doc_to_choice": "!function helpers.options", "doc_to_target": "{{total}} coins"},
        "fixed_choices": choice
        | {
            "doc_to_choice": ["no", "yes"],
            "doc_to_target": "!function helpers.stands_at",
            "metric_list": _metrics("f1", "mcc", "brier_score", "acc"),
        },
        "mutual_information": choice
        | {"doc_to_choice": "options", "doc_to_target": "right", "metric_list": _metrics("acc", "acc_mutual_info")},
        "prompt_per_choice": choice
        | {"doc_to_text": "!function helpers.stands_at", "doc_to_choice": "{{[text, question]}}", "doc_to_target": "label"},
        "many_targets": asked | {"doc_to_target": "{{[total | string, label]}}", "filter_list": [{"name": "n", **number}]},
        "index_target": asked
        | {"doc_to_choice": "options", "doc_to_target": "right", "filter_list": [{"name": "n", **number}]},
        "likelihood": {
            "output_type": "loglikelihood",
            "doc_to_text": "{{question}}",
            "doc_to_target": " {{text}}",
            "metric_list": _metrics("perplexity", "acc"),
        },
        "rolling": {
            "output_type": "loglikelihood_rolling",
            "doc_to_text": "",
            "doc_to_target": "{{text}}",
            "metric_list": _metrics("word_perplexity", "byte_perplexity", "bits_per_byte"),
        },
        "fractional": {
            "doc_to_text": "Say: {{text}}",
            "doc_to_target": "{{text}}",
            "metric_list": [{"metric": "!function helpers.token_f1", "aggregation": "mean", "higher_is_better": True}],
        },
        "corpus": {
            "doc_to_text": "Say: {{text}}",
            "doc_to_target": "{{text}}",
            "metric_list": _metrics("bleu", "chrf", "ter"),
        },
        "processed": asked
        | {"process_docs": "!function helpers.process_docs", "doc_to_text": "{{ask}}"}
        | {"filter_list": [{"name": "n", **number}]},
        "own_results": {
            "doc_to_text": "Say: {{text}}",
            "doc_to_target": "label",
            "process_results": "!function helpers.scored",
            "metric_list": [
                {"metric": "overlap", "aggregation": "median", "higher_is_better": True},
                {"metric": "pair", "aggregation": "!function helpers.share_equal", "higher_is_better": True},
            ],
        },
    }  # fmt: skip


GROUPS = {
    "by_size": [{"metric": "acc", "weight_by_size": True}, {"metric": "acc_norm", "weight_by_size": True}],
    "by_task": [{"metric": "acc", "weight_by_size": False}],
    "of_filters": [{"metric": "exact_match", "filter_list": ["n"], "weight_by_size": False}],
}
INNER = {
    "group": "inner",
    "task": ["short_twice", "mutual_information"],
    "aggregate_metric_list": [{"metric": "acc"}],
}
MEMBERS = {
    "by_size": ["list_choices", "short_choices"],
    "by_task": ["made_choices", INNER],
    "of_filters": ["index_target", "processed"],
}
CHAT = ("drawn_examples", "two_filters", "fixed_choices")  # once more with a chat template


def _first() -> dict[str, Any]:
    return {"function": "take_first"}


def _metrics(*names: str) -> list[dict[str, Any]]:
    return [{"metric": name} for name in names]


def _rows(start: int, count: int) -> list[dict[str, Any]]:
    found = []
    for n in range(start, start + count):
        total = n + n % 7
        words = [NOUNS[(n * step + step) % len(NOUNS)] for step in (1, 3, 5, 7, 2, 4)]
        found.append(
            {
                "n": n,
                "question": f"Ann has {n} coins and finds {n % 7}. How many?",
                "answer": f"{n} + {n % 7}\n#### {total}",
                "total": total,
                "options": [str(total), f"{total + 1} coins", "none"],
                "right": n % 3,
                "label": words[0],
                "text": " ".join(words),
            }
        )
    return found


def write(folder: Path) -> list[str]:
    """The task folder: rows, Python, a YAML for every shape; the names of what to run, groups among them."""
    for name, rows in (("train", _rows(100, 12)), ("test", _rows(0, 40)), ("few", _rows(40, 11))):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    (folder / "helpers.py").write_text(PYTHON, encoding="utf-8")
    tasks = shapes()
    tasks["short_choices"] = tasks["list_choices"] | {"rows": "few"}
    tasks["short_twice"] = tasks["made_choices"] | {"rows": "few"}
    for name, config in tasks.items():
        files = {split: str(folder / f"{split}.jsonl") for split in ("train",)}
        files["test"] = str(folder / f"{config.pop('rows', 'test')}.jsonl")
        kwargs = {"data_files": files, "cache_dir": str(folder.parent / "cache")}
        base: dict[str, Any] = {"task": name, "dataset_path": "json", "dataset_kwargs": kwargs, "test_split": "test"}
        if config.get("output_type", "generate_until") == "generate_until":
            base["generation_kwargs"] = {"until": ["\n\n"], "do_sample": False}
        _dump(folder / f"{name}.yaml", base | config | {"metadata": {"version": 1.0}})
    for group, metrics in GROUPS.items():
        _dump(folder / f"{group}.yaml", {"group": group, "task": MEMBERS[group], "aggregate_metric_list": metrics})
    below = {
        "list_choices",
        "made_choices",
        "mutual_information",
        "index_target",
        "processed",
        "short_choices",
        "short_twice",
    }
    return [*(name for name in tasks if name not in below), *GROUPS]


def _dump(path: Path, config: Mapping[str, Any]) -> None:
    text = yaml.safe_dump(dict(config), sort_keys=False, width=200)
    path.write_text(re.sub(r"""['"](!function [\w.]+)['"]""", r"\1", text), encoding="utf-8")


# -- the model -------------------------------------------------------------------------------------------------------


def said(prompt: str, turn: int) -> str:
    """The reply to a prompt that is asked for the nth time; right about every second time."""
    if "Say: " in prompt:
        words = prompt.rpartition("Say: ")[2].split()[:6]
        return " ".join(word for place, word in enumerate(words) if _chance(f"{prompt}{place}", 4)) or "nothing"
    numbers = list(map(int, re.findall(r"\d+", prompt)[-2:]))
    right = sum(numbers)
    forms = [f"So:\n#### {right}", f"It is {right}", f"#### {right}.", "no idea", "#### 1000", f"{right + 1}"]
    return forms[_chance(f"{prompt}/{turn}", len(forms))]


def logprob(prompt: str, continuation: str) -> float:
    """The log-likelihood of a text after a prompt."""
    return -(1 + _chance(f"{prompt}|{continuation}", 400)) / 10


def _chance(text: str, most: int) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big") % most


def model() -> Any:
    """The model's class, entered in lm-eval's registry under ENGINE."""
    from lm_eval.api.model import LM
    from lm_eval.api.registry import MODEL_REGISTRY, register_model

    if ENGINE in MODEL_REGISTRY:
        return MODEL_REGISTRY[ENGINE]

    @register_model(ENGINE)
    class Deterministic(LM):
        def __init__(self, **_: Any) -> None:
            super().__init__()
            self.asked: Counter[str] = Counter()

        def generate_until(self, requests: list[Any], disable_tqdm: bool = False) -> list[str]:
            replies = []
            for request in requests:
                prompt = request.args[0]
                replies.append(said(prompt, self.asked[prompt]))
                self.asked[prompt] += 1
            return replies

        def loglikelihood(self, requests: list[Any], disable_tqdm: bool = False) -> list[tuple[float, bool]]:
            return [(logprob(*request.args), bool(_chance(request.args[1], 2))) for request in requests]

        def loglikelihood_rolling(self, requests: list[Any], disable_tqdm: bool = False) -> list[float]:
            return [logprob("", request.args[0]) for request in requests]

        def apply_chat_template(self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
            turns = "".join(f"<{turn['role']}>{turn['content']}" for turn in chat_history)
            return turns + "<assistant>" * add_generation_prompt

        @property
        def tokenizer_name(self) -> str:
            return ENGINE

    return Deterministic


# -- both sides ------------------------------------------------------------------------------------------------------


def theirs(folder: Path, names: list[str], *, chat: bool = False) -> dict[str, Any]:
    """lm-eval's results, with its samples."""
    from lm_eval.evaluator import simple_evaluate
    from lm_eval.tasks import TaskManager

    found: dict[str, Any] = simple_evaluate(
        model=model()(),
        tasks=names,
        task_manager=TaskManager(include_path=str(folder), include_defaults=False),
        bootstrap_iters=0,
        log_samples=True,
        apply_chat_template=chat,
        fewshot_as_multiturn=chat,
    )
    return found


def ours(folder: Path, names: list[str], output: Path, *, chat: bool = False) -> dict[str, Any]:
    """results.json of a finbench run of the same tasks into `output`."""
    from finbench.runs import execute

    model()
    settings = execute.Settings(
        model="parity",
        tasks=tuple(names),
        include=(folder,),
        engine=f"lm-eval:{ENGINE}",
        chat=chat,
        trust_task_code=True,
        trust_task_data=True,  # the cache of the rows lies beside the folder
        output=output,
    )
    execute.execute(execute.plan(settings))
    found: dict[str, Any] = json.loads((output / "results.json").read_text("utf-8"))
    return found


def compared(upstream: Mapping[str, Any], found: Mapping[str, Any]) -> Iterator[Row]:
    """Every number of lm-eval's results beside finbench's, and those that only finbench has."""
    for name, entry in upstream["results"].items():
        mine = found["results"].get(name, {})
        keys = [key for key in {**entry, **mine} if "," in key and "_stderr" not in key]
        for key in keys:
            yield Row(name, int(entry.get("sample_len", 0)), key, _number(entry.get(key)), _number(mine.get(key)))


def _number(value: object) -> float | None:
    return None if value is None else float(value)  # type: ignore[arg-type]


def samples_differ(upstream: Mapping[str, Any], output: Path, *, chat: bool = False) -> list[str]:
    """Where a document's prompt, replies or metrics differ, in words; empty when none does."""
    wrong = []
    for name, listed in upstream["samples"].items():
        lines = (output / f"samples_{name}.jsonl").read_text("utf-8").splitlines()
        mine = {line["doc_id"]: line for line in map(json.loads, lines)}
        for sample in listed:
            line = mine[sample["doc_id"]]
            prompt = line["arguments"]["gen_args_0"]["arg_0"]
            if chat and isinstance(prompt, list):
                prompt = model()().apply_chat_template(prompt, prompt[-1]["role"] != "assistant")
            context = sample["arguments"][0][0] if len(sample["arguments"][0]) > 1 else ""
            values = {
                metric: line["finbench"]["metrics"].get(f"{metric},{sample['filter']}") for metric in sample["metrics"]
            }
            if prompt != context:
                wrong.append(f"{name} {sample['doc_id']}: prompt {prompt!r}, lm-eval {context!r}")
            if _plain(values) != _plain({metric: sample[metric] for metric in sample["metrics"]}):
                wrong.append(f"{name} {sample['doc_id']}: {values}, lm-eval {[sample[m] for m in sample['metrics']]}")
            replies = [one for part in sample["resps"] for one in part]
            said_here = line["resps"][0]
            if isinstance(replies[0], float):  # a text as a whole: lm-eval has no word on greedy decoding there
                said_here = [score for score, _ in said_here]
            if said_here != _plain(replies):
                wrong.append(f"{name} {sample['doc_id']}: replies {line['resps']}, lm-eval {sample['resps']}")
    return wrong


def _plain(value: Any) -> Any:
    return json.loads(json.dumps(value, default=lambda one: one.tolist()))


def main() -> int:
    """Print the table; 1 when a number differs."""
    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made, "tasks")
        folder.mkdir()
        names = write(folder)
        rows, wrong = [], []
        for chat, chosen in ((False, names), (True, list(CHAT))):
            upstream = theirs(folder, chosen, chat=chat)
            output = folder.with_name(f"run-{chat}")
            found = ours(folder, chosen, output, chat=chat)
            rows += [(row, " (chat)" * chat) for row in compared(upstream, found)]
            wrong += samples_differ(upstream, output, chat=chat)
    print(f"{'task':<28}{'n':>4}  {'metric':<28}{'lm-eval':>12}{'finbench':>12}{'difference':>12}")
    for row, mark in rows:
        shown = ["-" if one is None else f"{one:.6f}" for one in (row.theirs, row.ours)]
        print(f"{row.task + mark:<28}{row.n:>4}  {row.metric:<28}{shown[0]:>12}{shown[1]:>12}{row.difference:>12.2g}")
    print("\n".join(wrong[:20]))
    different = sum(row.difference != 0 for row, _ in rows)
    print(f"{len(rows)} numbers, {different} differ; {len(wrong)} samples differ", file=sys.stderr)
    return int(bool(different or wrong))


if __name__ == "__main__":
    sys.exit(main())
