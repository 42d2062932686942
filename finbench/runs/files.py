"""The files of a run: samples and results in lm-eval's schema, each whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from finbench.errors import writing
from finbench.records import Document, Grade, text_hash
from finbench.runs.scoring import grade, stored_document
from finbench.runs.store import Store, Stored
from finbench.sanitize import slug
from finbench.scores.aggregates import GroupMetric, GroupRule, credit, weighted
from finbench.scores.averages import mean_doubt, suite_means
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

    @property
    def together(self) -> int:
        """How many generated replies lm-eval's filters see at once (the YAML's `repeats`)."""
        generates = self.config.get("output_type", "generate_until") == "generate_until"
        return int(self.config.get("repeats") or 1) if generates else 1


def summarize(
    store: Store,
    folder: Path,
    infos: Sequence[TaskInfo],
    groups: Mapping[str, Sequence[str]],
    suite: Sequence[str],
    loaded: Mapping[str, Task] | None = None,
    rules: Mapping[str, GroupRule] | None = None,
    *,
    opened: bool = False,
) -> dict[str, Any]:
    """Write samples_<task>.jsonl for every task; return {"tasks": ..., "average": ..., "comparable_average": ...}.

    Groups stand under their own name with their tasks below `subtasks`; the averages are unweighted means over `suite`
    or what of it may be averaged (scores/averages.py). `rules` say how lm-eval sums up a group. Replies that a killed run
    left without a verdict are graded here; `opened` as in score.grade.
    """
    loaded, rules = loaded or {}, rules or {}
    owner = {member: group for group, members in groups.items() for member in members}
    group_tallies = {group: Tally() for group in groups}
    entries: dict[str, dict[str, Any]] = {}
    estimates: dict[str, Estimate] = {}
    members: dict[str, dict[str, Tally]] = {group: {} for group in groups}
    for info in infos:
        task = loaded.get(info.name)
        tally = Tally(info.judged, task.scoring.aggregation if task else None)
        together = group_tallies.get(owner.get(info.name, ""))
        if together is not None:
            together.judged = info.judged
        with atomic(folder / f"samples_{slug(info.name)}.jsonl") as out:
            for document, samples in _graded(store, info, out, opened, task):
                tally.add(document, samples)
                if together is not None:
                    together.add(document, samples)
        if tally.n == 0:
            continue
        entry = tally.summary()
        if together is None:
            entries[info.name] = entry
            estimates[info.name] = tally.headline()[0]
        else:
            group = entries.setdefault(owner[info.name], {"subtasks": {}})
            group["subtasks"][info.name] = entry
            members[owner[info.name]][info.name] = tally
    for name, together in group_tallies.items():
        if together.n:
            subtasks = entries[name]["subtasks"]
            entry = together.summary()
            summed = _group_estimate(rules.get(name), members[name])
            if summed is not None:
                entry |= _group_score(summed, rules.get(name), list(subtasks.values()))
            entry["metrics"]["macro_average"] = round(
                sum(s["score"] / s.get("scale", 100) for s in subtasks.values()) / len(subtasks), 6
            )
            entries[name] = entry | {"subtasks": subtasks}
            estimates[name] = summed or together.headline()[0]
    return {"tasks": entries, **suite_means(entries, estimates, suite)}


def _group_estimate(rule: GroupRule | None, members: Mapping[str, Tally]) -> Estimate | None:
    """The group's score by lm-eval's rule, where that is not the share of all documents that are right.

    That is: with `weight_by_size: false`, and wherever lm-eval's own code scored the tasks.
    """
    metric = rule.metrics[0] if rule and rule.metrics else GroupMetric("")
    if metric.weight_by_size and not any(tally.own for tally in members.values()):
        return None
    found = [one for tally in members.values() if (one := _member_estimate(tally, metric)) is not None]
    return weighted(found, metric.weights([one.n for one in found])) if found else None


def _member_estimate(tally: Tally, metric: GroupMetric) -> Estimate | None:
    """What a task brings into its group's score: the metric that the group names, under its first filter."""
    if not tally.own:
        return tally.headline()[0]
    keys = metric.keys([tally.own]) if metric.metric else [tally.metric]
    return tally.own_estimate(keys[0]) if keys else None


def _group_score(estimate: Estimate, rule: GroupRule | None, subtasks: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The fields of a group's entry that hold its score, in the unit of its tasks."""
    scale = subtasks[0].get("scale", 100)
    score, *ci = (round(scale * value, 4) for value in (estimate.mean, estimate.low, estimate.high))
    if "metric" not in subtasks[0]:
        return {"score": score, "ci": ci, **mean_doubt(subtasks)}  # its tasks weigh the same: no `metric`, no sizes
    metric = rule.metrics[0].metric if rule and rule.metrics else subtasks[0]["metric"]
    shares = all(entry["by_question"] for entry in subtasks) and (rule is None or rule.pooled)
    own = {"lenient": score, "lenient_ci": ci, "metric": metric, "scale": scale, "by_question": shares}
    return {"score": score, "ci": ci, **own}


def _graded(
    store: Store, info: TaskInfo, out: IO[str], opened: bool, task: Task | None
) -> Iterator[tuple[Document, list[Repeat]]]:
    """The documents of a task with their graded repeats; each repeat is written to `out` on the way.

    What an interrupted run has not asked is left out: missing is not wrong. Replies that lm-eval's filters see at once
    (`repeats` of the YAML) are one repeat.
    """
    for _, together in groupby(store.scan(info.name), key=lambda stored: stored.position):
        repeats = list(together)
        document = stored_document(info.name, repeats[0])
        samples: list[Repeat] = []
        for stored in _joined(repeats, info.together if document.answer.kind == "lm_eval" else 1):
            verdict = _verdict(store, document, stored, opened, task)
            if verdict is not None:
                samples.append((stored.responses, verdict, stored.judgement))
                out.write(sample_line(document, stored, verdict))
        if samples:
            yield document, samples


def _joined(repeats: Sequence[Stored], size: int) -> Iterator[Stored]:
    """The repeats of a document, `size` of them as one; those that are not all there yet are left out."""
    if size == 1:
        yield from repeats
        return
    for _, chunk in groupby(repeats, key=lambda stored: stored.repeat // size):
        whole = [stored for stored in chunk if stored.responses]
        if len(whole) == size:
            yield replace(whole[0], responses=tuple(response for stored in whole for response in stored.responses))


def _verdict(store: Store, document: Document, stored: Stored, opened: bool, task: Task | None) -> Grade | None:
    """The stored verdict; made now where there is none, because the run was killed while it was being made.

    So is that on a failure among replies scored together, once the failed one was asked again. None where replies are
    missing: those to single choices are stored with their verdict, and lm-eval's own scoring needs the task.
    """
    failed = any(response.finish == "error" for response in stored.responses)
    mended = len(stored.responses) > 1 and stored.grade is not None and stored.grade.reason == "error" and not failed
    if stored.grade is not None and not (mended and task):
        return stored.grade
    if not stored.responses or stored.responses[0].logprob is not None:
        return None
    if document.answer.kind == "lm_eval" and task is None:
        return None
    verdict = grade(document, stored.responses, task, opened=opened)
    store.set_grade(document.task, stored.position, stored.repeat, verdict)
    return verdict


def sample_line(document: Document, stored: Stored, verdict: Grade) -> str:
    """One line of samples_<task>.jsonl: lm-eval's per-sample fields, and ours under `finbench`."""
    responses = stored.responses
    first = responses[0]
    texts = [[r.logprob, r.greedy] for r in responses] if first.logprob is not None else [r.text for r in responses]
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
    _say_own(line, verdict)
    plain = first.logprob is None and verdict.rule != LM_EVAL
    said = (packed if plain else compact)(line)
    # Row, prompt and sampling are JSON texts already: they go in as they are.
    arguments = f'{{"gen_args_0":{{"arg_0":{stored.prompt},"arg_1":{stored.sampling}}}}}'
    return f'{{"doc":{stored.row},"arguments":{arguments},{said[1:]}\n'


def _say_own(line: dict[str, Any], verdict: Grade) -> None:
    """lm-eval's own per-sample metrics where its code scored: those of the headline's filter, under their own names."""
    key = next((name for name in verdict.metrics if "," in name), "")
    if not key:
        return
    chosen = key.partition(",")[2]
    named = {name.rpartition(",")[0]: value for name, value in verdict.metrics.items() if name.endswith(f",{chosen}")}
    about = line.pop("finbench")  # stays last: readers look for it at the end of a line
    share = credit(verdict.metrics[key])
    line |= {"filter": chosen, "metrics": list(named), **named}
    line["finbench"] = about | ({} if share is None else {"score": share})


@contextmanager
def atomic(path: Path) -> Iterator[IO[str]]:
    """A text file that is there whole or not at all: written beside, synced, then renamed. StoreError where the disk refuses.

    Lone surrogates are written out: in a JSON string, which is all that these files hold, they read back as they were.
    """
    partial = path.with_name(f".{path.name}.partial")
    with writing(path):
        try:
            with partial.open("w", encoding="utf-8", errors="backslashreplace", newline="\n") as out:
                yield out
                out.flush()
                os.fsync(out.fileno())
            partial.replace(path)
        except BaseException:
            with suppress(OSError):
                partial.unlink()
            raise


def write_json(path: Path, value: object) -> None:
    """`value` as indented JSON, whole or not at all."""
    with atomic(path) as out:
        json.dump(value, out, indent=1, ensure_ascii=False, default=str)
        out.write("\n")


def lm_eval_results(
    summary: Mapping[str, Any],
    infos: Iterable[TaskInfo],
    sizes: Mapping[str, int],
    config: Mapping[str, Any],
    rules: Mapping[str, GroupRule] | None = None,
) -> dict[str, Any]:
    """The summary in lm-eval's results schema (lm_eval.result_schema.EvalResults), without our own part.

    `rules` are the groups and sub-groups as lm-eval knows them; each sums up its tasks by its own rule.
    """
    by_name = {info.name: info for info in infos}
    leaves: dict[str, Mapping[str, Any]] = {}
    groups: dict[str, Mapping[str, Any]] = {}
    for name, entry in summary["tasks"].items():
        if "subtasks" in entry:
            groups[name] = entry
            leaves.update(entry["subtasks"])
        else:
            leaves[name] = entry
    results = {name: _lm_eval_entry(name, entry) for name, entry in leaves.items()}
    totals = {name: _lm_eval_entry(name, entry) for name, entry in groups.items()}
    for name, rule in (rules or {}).items():
        if any(task in results for task in rule.tasks):
            totals[name] = _lm_eval_group(name, rule, results, totals.get(name))
    children = {name: list(rule.children) for name, rule in (rules or {}).items() if name in totals}
    return {
        "results": results | totals,
        **({"groups": totals} if totals else {}),
        "group_subtasks": {name: children.get(name) or list(groups[name]["subtasks"]) for name in totals},
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
    found = {"name": name, "alias": name, "sample_len": entry["n"]}
    metrics = entry["metrics"]
    own = {key: value for key, value in metrics.items() if "," in key}
    if entry.get("metric"):
        metric, _, chosen = entry["metric"].partition(",")
        return found | own | ({f"{metric}_stderr,{chosen}": _standard_error(entry)} if chosen else {})
    found |= _named("acc", metrics["acc"], metrics["acc_ci"])
    by = entry["verdict_by"]
    if by in _HEADLINES:
        found |= _named(_HEADLINES[by], entry["score"] / 100, [side / 100 for side in entry["ci"]])
    found["lenient,none"] = metrics["lenient"]
    return found | {f"{key},none": value for key, value in metrics.items() if key == "macro_f1"} | own


def _named(name: str, mean: float, interval: Sequence[float]) -> dict[str, float]:
    return {f"{name},none": mean, f"{name}_stderr,none": round((interval[1] - interval[0]) / 3.92, 6)}


def _standard_error(entry: Mapping[str, Any]) -> float:
    """Half an interval as a standard error, in lm-eval's unit."""
    low, high = map(float, entry["ci"])
    return round((high - low) / 3.92 / int(entry.get("scale", 100)), 6)


def _lm_eval_group(
    name: str, rule: GroupRule, results: Mapping[str, Mapping[str, Any]], total: Mapping[str, Any] | None
) -> dict[str, Any]:
    """lm-eval's entry of a group: the sums of its rule, and our interval where the group has a row of its own."""
    size = sum(results[task]["sample_len"] for task in rule.tasks if task in results)
    about = {"name": name, "alias": name, "sample_len": size}
    errors = {key: value for key, value in (total or {}).items() if key.partition(",")[0].endswith("_stderr")}
    return about | rule.sums(results) | errors
