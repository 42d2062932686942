"""The files of a run: samples and results in lm-eval's schema, each whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from finbench.records import Document, Grade, text_hash
from finbench.runs.scoring import grade, stored_document
from finbench.runs.store import Store, Stored
from finbench.sanitize import slug
from finbench.scores.averages import suite_means
from finbench.scores.intervals import Estimate
from finbench.scores.tally import Repeat, Tally
from finbench.serialize import LM_EVAL, compact, packed

if TYPE_CHECKING:
    from finbench.tasks.task import Task


@dataclass(frozen=True, slots=True)
class TaskInfo:
    """What the summary of a task needs to know beside its samples."""

    name: str
    judged: bool = False  # the protocol's verdict is the judge's, where one was asked
    template_hash: str = ""
    version: str = ""
    config: Mapping[str, Any] = field(default_factory=dict)
    higher_is_better: Mapping[str, bool] = field(default_factory=dict)


def summarize(
    store: Store,
    folder: Path,
    infos: Sequence[TaskInfo],
    groups: Mapping[str, Sequence[str]],
    suite: Sequence[str],
    loaded: Mapping[str, Task] | None = None,
    *,
    opened: bool = False,
) -> dict[str, Any]:
    """Write samples_<task>.jsonl for every task; return {"tasks": ..., "average": ..., "comparable_average": ...}.

    Groups stand under their own name with their tasks below `subtasks`; the averages are unweighted means over `suite`
    or what of it may be averaged (scores/averages.py). Replies that a killed run left without a verdict are graded
    here; `opened` as in score.grade.
    """
    loaded = loaded or {}
    owner = {member: group for group, members in groups.items() for member in members}
    group_tallies = {group: Tally() for group in groups}
    entries: dict[str, dict[str, Any]] = {}
    estimates: dict[str, Estimate] = {}
    for info in infos:
        tally = Tally(info.judged)
        together = group_tallies.get(owner.get(info.name, ""))
        if together is not None:
            together.judged = info.judged
        with atomic(folder / f"samples_{slug(info.name)}.jsonl") as out:
            for document, samples in _graded(store, info, out, opened):
                tally.add(document, samples)
                if together is not None:
                    together.add(document, samples)
        if tally.n == 0:
            continue
        entry = tally.summary(task.aggregate if (task := loaded.get(info.name)) else None)
        if together is None:
            entries[info.name] = entry
            estimates[info.name] = tally.headline()[0]
        else:
            group = entries.setdefault(owner[info.name], {"subtasks": {}})
            group["subtasks"][info.name] = entry
    for name, together in group_tallies.items():
        if together.n:
            subtasks = entries[name]["subtasks"]
            entry = together.summary()
            entry["metrics"]["macro_average"] = round(
                sum(s["score"] for s in subtasks.values()) / len(subtasks) / 100, 6
            )
            entries[name] = entry | {"subtasks": subtasks}
            estimates[name] = together.headline()[0]
    return {"tasks": entries, **suite_means(entries, estimates, suite)}


def _graded(store: Store, info: TaskInfo, out: IO[str], opened: bool) -> Iterator[tuple[Document, list[Repeat]]]:
    """The documents of a task with their graded repeats; each repeat is written to `out` on the way.

    What an interrupted run has not asked is left out: missing is not wrong.
    """
    for _, together in groupby(store.scan(info.name), key=lambda stored: stored.position):
        repeats = list(together)
        document = stored_document(info.name, repeats[0])
        samples: list[Repeat] = []
        for stored in repeats:
            verdict = stored.grade or _late(store, document, stored, opened)
            if verdict is not None:
                samples.append((stored.responses, verdict, stored.judgement))
                out.write(sample_line(document, stored, verdict))
        if samples:
            yield document, samples


def _late(store: Store, document: Document, stored: Stored, opened: bool) -> Grade | None:
    """The verdict on a reply that is stored without one, because the run was killed while it was being graded.

    None where replies are missing: those to lm-eval's own scoring and to single choices are stored with their verdict.
    """
    if not stored.responses or stored.responses[0].logprob is not None or document.answer.kind == "lm_eval":
        return None
    verdict = grade(document, stored.responses, opened=opened)
    store.set_grade(document.task, stored.position, stored.repeat, verdict)
    return verdict


def sample_line(document: Document, stored: Stored, verdict: Grade) -> str:
    """One line of samples_<task>.jsonl: lm-eval's per-sample fields, and ours under `finbench`."""
    responses = stored.responses
    first = responses[0]
    texts = [[r.logprob, r.greedy] for r in responses] if first.logprob is not None else [first.text]
    target = document.golds[0].text
    line = {
        "doc_id": stored.position,
        "target": target,
        "resps": [texts],
        "filtered_resps": [verdict.extracted if verdict.extracted is not None else first.text],
        "filter": "none",
        "metrics": ["acc", "lenient"],
        "doc_hash": stored.hash,
        "prompt_hash": text_hash(stored.prompt),
        "target_hash": text_hash(target),
        "acc": float(verdict.correct),
        "lenient": float(verdict.lenient),
        "finbench": {
            "id": document.id,
            "repeat": stored.repeat,
            "request_id": stored.request_id,
            "question": document.question,
            "golds": document.golds,
            "kind": document.answer.kind,
            "extracted": verdict.extracted,
            "value": verdict.value,
            "rule": verdict.rule,
            "span": verdict.span,
            "reason": verdict.reason,
            "correct": verdict.correct,
            "lenient": verdict.lenient,
            "certainty": verdict.certainty,
            "rival": verdict.rival,
            "gold_hit": verdict.gold,
            "metrics": verdict.metrics,
            "finish": first.finish,
            "error": first.error,
            "reasoning": first.reasoning,
            "prompt_tokens": first.prompt_tokens,
            "output_tokens": first.output_tokens,
            "seconds": round(first.seconds, 4),
            "attempts": first.attempts,
            "cluster": document.cluster,
            "flags": document.flags,
            "facets": document.facets,
            "judge": stored.judgement,
        },
    }
    plain = first.logprob is None and verdict.rule != LM_EVAL
    said = (packed if plain else compact)(line)
    # Row, prompt and sampling are JSON texts already: they go in as they are.
    arguments = f'{{"gen_args_0":{{"arg_0":{stored.prompt},"arg_1":{stored.sampling}}}}}'
    return f'{{"doc":{stored.row},"arguments":{arguments},{said[1:]}\n'


@contextmanager
def atomic(path: Path) -> Iterator[IO[str]]:
    """A text file that is there whole or not at all: written beside, synced, then renamed."""
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("w", encoding="utf-8", newline="\n") as out:
        yield out
        out.flush()
        os.fsync(out.fileno())
    partial.replace(path)


def write_json(path: Path, value: object) -> None:
    """`value` as indented JSON, whole or not at all."""
    with atomic(path) as out:
        json.dump(value, out, indent=1, ensure_ascii=False, default=str)
        out.write("\n")


def lm_eval_results(
    summary: Mapping[str, Any], infos: Iterable[TaskInfo], sizes: Mapping[str, int], config: Mapping[str, Any]
) -> dict[str, Any]:
    """The summary in lm-eval's results schema (lm_eval.result_schema.EvalResults), without our own part."""
    by_name = {info.name: info for info in infos}
    leaves: dict[str, Mapping[str, Any]] = {}
    groups: dict[str, Mapping[str, Any]] = {}
    for name, entry in summary["tasks"].items():
        if "subtasks" in entry:
            groups[name] = entry
            leaves.update(entry["subtasks"])
        else:
            leaves[name] = entry
    return {
        "results": {name: _lm_eval_entry(name, entry) for name, entry in {**leaves, **groups}.items()},
        **({"groups": {name: _lm_eval_entry(name, entry) for name, entry in groups.items()}} if groups else {}),
        "group_subtasks": {name: list(entry["subtasks"]) for name, entry in groups.items()},
        "configs": {name: dict(by_name[name].config) for name in leaves if name in by_name},
        "versions": {name: by_name[name].version for name in leaves if name in by_name},
        "n-shot": {name: by_name[name].config.get("num_fewshot") or 0 for name in leaves if name in by_name},
        "higher_is_better": {name: dict(by_name[name].higher_is_better) for name in leaves if name in by_name},
        "n-samples": {
            name: {"original": sizes.get(name, entry["n"]), "effective": entry["n"]} for name, entry in leaves.items()
        },
        "config": dict(config),
    }


# What lm-eval itself would report beside `acc`: headlines that are not the grader's have a name of their own.
_HEADLINES = {"judge": "judge", "reference": "reference"}


def _lm_eval_entry(name: str, entry: Mapping[str, Any]) -> dict[str, Any]:
    """A task in lm-eval's schema: `acc` is what lm-eval's own run of the task gives, whoever has the headline."""
    metrics = entry["metrics"]
    found = _named("acc", metrics["acc"], metrics["acc_ci"])
    by = entry["verdict_by"]
    if by in _HEADLINES:
        found |= _named(_HEADLINES[by], entry["score"] / 100, [side / 100 for side in entry["ci"]])
    found["lenient,none"] = metrics["lenient"]
    return {
        "name": name,
        "alias": name,
        "sample_len": entry["n"],
        **found,
        **{f"{key},none": value for key, value in metrics.items() if key == "macro_f1"},
        **{key: value for key, value in metrics.items() if "," in key},
    }


def _named(name: str, mean: float, interval: Sequence[float]) -> dict[str, float]:
    return {f"{name},none": mean, f"{name}_stderr,none": round((interval[1] - interval[0]) / 3.92, 6)}
