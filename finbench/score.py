"""The second half of a run: stored replies -> grades -> summaries -> result files. Needs no engine."""

from __future__ import annotations

import json
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from finbench import grading
from finbench.extract import without_thinking
from finbench.grading.reference import with_reference
from finbench.names import slug
from finbench.records import UNREADABLE_REASONS, Answer, Document, Gold, Grade, Response, content_hash
from finbench.rows import document_from_row
from finbench.stats import Accumulator, Estimate, average_of, macro_f1
from finbench.store import Store, Stored

if TYPE_CHECKING:
    from finbench.tasks import Task

SCHEMA = 1
CLOSE = "</think>"


def grade(
    document: Document, responses: Sequence[Response], task: Task | None = None, *, opened: bool = False
) -> Grade:
    """The verdict on the replies to one document (one reply, or one per choice for log-likelihood tasks).

    `task` is needed for tasks that bring lm-eval's own scoring. `opened` says that the model's chat template writes the
    opening think tag: a reply that was cut off before the closing one never came to an answer.
    """
    failed = next((response for response in responses if response.finish == "error"), None)
    if failed is not None or not responses:
        return Grade(correct=False, reason="error")
    first = responses[0]
    if opened and first.finish == "length" and not first.reasoning and CLOSE not in first.text:
        return Grade(correct=False, reason="truncated")
    if document.answer.kind != "lm_eval":
        verdict = grading.grade(document, first.text, finish=first.finish, reasoning=first.reasoning)
        return with_reference(document, verdict, first.text) if document.answer.kind == "text" else verdict
    if task is None:
        raise ValueError(f"{document.task} is scored by lm-eval's own code, which needs the task")
    return task.own_grade(document, responses, without_thinking(first.text))


@dataclass(frozen=True, slots=True)
class TaskInfo:
    """What the summary of a task needs to know beside its samples."""

    name: str
    judged: bool = False  # the protocol's verdict is the judge's, where one was asked
    template_hash: str = ""
    version: str = ""
    config: Mapping[str, Any] = field(default_factory=dict)
    higher_is_better: Mapping[str, bool] = field(default_factory=dict)


class Tally:
    """Counts of one task or group; memory grows with its clusters and facets, not with its samples."""

    def __init__(self, judged: bool = False) -> None:
        self.judged = judged
        self.n = 0
        self.strict = Accumulator()
        self.lenient = Accumulator()
        self.verdicts = Accumulator()
        self.references = Accumulator()
        self.clean = Accumulator()
        self.reasons: Counter[str] = Counter()
        self.truncated = 0
        self.errors = 0
        self.output_tokens = self.prompt_tokens = self.counted_tokens = 0
        self.facets: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(lambda: [0, 0.0]))
        self.confusion: Counter[tuple[str, str]] = Counter()
        self.conversations: dict[str, list[float]] = {}  # cluster -> [all right, final turn right]
        self.agreement: Counter[tuple[bool, str]] = Counter()
        self.golds: Counter[str] = Counter()
        self.own: dict[str, list[Any]] = defaultdict(list)

    def add(self, document: Document, samples: Sequence[tuple[Sequence[Response], Grade, Mapping[str, Any] | None]]) -> None:
        """Count one document with its repeats: (replies, grade, judgement) each. Repeats are averaged first."""
        self.n += 1
        strict = sum(verdict.correct for _, verdict, _ in samples) / len(samples)
        lenient = sum(verdict.correct or verdict.lenient for _, verdict, _ in samples) / len(samples)
        cluster = document.cluster
        self.strict.add(strict, cluster)
        self.lenient.add(lenient, cluster)
        if "known_conflict" not in document.flags:
            self.clean.add(strict, cluster)
        if document.answer.kind == "text":
            self.references.add(sum(v.metrics.get("reference", 0.0) for _, v, _ in samples) / len(samples), cluster)
        self._add_judgements(samples, cluster)
        for name, value in document.facets.items():
            count = self.facets[name][value]
            count[0] += 1
            count[1] += strict
        if "turn" in document.facets:
            whole = self.conversations.setdefault(document.cluster, [1.0, 0.0])
            whole[0] *= float(strict == 1)
            if "final_turn" in document.flags:
                whole[1] = strict
        for responses, verdict, _ in samples:
            self._add_reply(document, responses, verdict)

    def _add_judgements(self, samples: Sequence[tuple[Any, Grade, Mapping[str, Any] | None]], cluster: str) -> None:
        judged = [(verdict, judgement) for _, verdict, judgement in samples if judgement]
        if not judged:
            return
        right = sum(judgement["verdict"] == "right" for _, judgement in judged) / len(samples)
        self.verdicts.add(right, cluster)
        self.agreement.update((verdict.correct, judgement["verdict"]) for verdict, judgement in judged)

    def _add_reply(self, document: Document, responses: Sequence[Response], verdict: Grade) -> None:
        self.reasons[verdict.reason] += 1
        self.truncated += verdict.reason == "truncated" or any(response.finish == "length" for response in responses)
        self.errors += verdict.reason == "error"
        for response in responses:
            if response.output_tokens is not None:
                self.counted_tokens += 1
                self.output_tokens += response.output_tokens
                self.prompt_tokens += response.prompt_tokens or 0
        if document.answer.kind == "label":
            gold = document.answer.codes.get(document.golds[0].text, document.golds[0].text)
            self.confusion[gold, verdict.value or ""] += 1
        if verdict.gold:
            self.golds[verdict.gold] += 1
        for name, value in verdict.metrics.items():
            self.own[name].append(value)

    def headline(self) -> tuple[Estimate, str]:
        """The estimate that stands for the task, and whose verdict it is.

        "judge" where the protocol wants one and it was asked about every document; "reference" where a judge is wanted
        for free text and there was none (grading/reference.py: not comparable with judged scores); else "grader".
        """
        if self.judged and self.verdicts.estimate().n == self.n:
            return self.verdicts.estimate(), "judge"
        if self.judged and self.references.estimate().n == self.n:
            return self.references.estimate(), "reference"
        return self.strict.estimate(), "grader"

    def summary(self, task: Task | None = None) -> dict[str, Any]:
        """The task's entry of the `--json` document; scores from 0 to 100."""
        estimate, verdict_by = self.headline()
        lenient = self.lenient.estimate()
        replies = sum(self.reasons.values())
        unreadable = sum(self.reasons[reason] for reason in UNREADABLE_REASONS if reason != "error")
        entry: dict[str, Any] = {
            "n": self.n,
            "score": percent(estimate.mean),
            "ci": [percent(estimate.low), percent(estimate.high)],
            "verdict_by": verdict_by,
            "lenient": percent(lenient.mean),
            "lenient_ci": [percent(lenient.low), percent(lenient.high)],
            "reasons": dict(self.reasons.most_common()),
            "truncated": self.truncated,
            "errors": self.errors,
            "unreadable": unreadable,
            "replies": replies,
            "clusters": estimate.clusters,
            "design_effect": round(estimate.design_effect, 3),
            "output_tokens_mean": round(self.output_tokens / self.counted_tokens, 1) if self.counted_tokens else None,
            "tokens": {"prompt": self.prompt_tokens, "output": self.output_tokens} if self.counted_tokens else None,
            "metrics": self._metrics(task),
            "facets": {
                name: {value: {"n": n, "score": percent(total / n)} for value, (n, total) in sorted(values.items())}
                for name, values in sorted(self.facets.items())
                if len(values) <= 60
            },
        }
        if self.agreement:
            entry["judge"] = agreement(self.agreement)
        return entry

    def _metrics(self, task: Task | None) -> dict[str, Any]:
        metrics: dict[str, Any] = {"acc": round(self.strict.estimate().mean, 6)}
        if self.confusion:
            pairs = [pair for pair, count in self.confusion.items() for _ in range(count)]
            golds, named = zip(*pairs, strict=True)
            metrics["macro_f1"] = round(float(macro_f1(golds, named)), 6)
            for label in sorted(set(golds)):
                total = sum(count for (gold, _), count in self.confusion.items() if gold == label)
                metrics[f"recall_{label}"] = round(self.confusion[label, label] / total, 6)
        if self.conversations:
            every, final = zip(*self.conversations.values(), strict=True)
            metrics["conversations"] = len(every)
            metrics["conversation_acc"] = round(sum(every) / len(every), 6)
            metrics["final_turn_acc"] = round(sum(final) / len(final), 6)
        clean = self.clean.estimate()
        if 0 < clean.n < self.n:
            metrics["acc_without_conflicts"] = round(clean.mean, 6)
            metrics["n_without_conflicts"] = clean.n
        if len(self.golds) > 1 or (self.golds and "gold" not in self.golds):
            metrics["gold_hit"] = dict(self.golds)
        own = {name: values for name, values in self.own.items() if "," in name}
        metrics.update(task.aggregate(own) if task and own else {})
        for name, values in self.own.items():
            if "," not in name:
                metrics[name] = round(sum(values) / len(values), 6)
        return metrics


def agreement(counts: Mapping[tuple[bool, str], int]) -> dict[str, Any]:
    """Judge beside deterministic grader: the 2x2 counts, Cohen's kappa over the parsed verdicts, and the unparsed.

    >>> agreement({(True, "right"): 8, (False, "wrong"): 8, (True, "wrong"): 2, (False, "right"): 2})["kappa"]
    0.6
    """
    both, judge_only = counts.get((True, "right"), 0), counts.get((False, "right"), 0)
    grader_only, neither = counts.get((True, "wrong"), 0), counts.get((False, "wrong"), 0)
    n = both + judge_only + grader_only + neither
    kappa = None
    if n:
        observed = (both + neither) / n
        judge, grader = (both + judge_only) / n, (both + grader_only) / n
        chance = judge * grader + (1 - judge) * (1 - grader)
        kappa = round((observed - chance) / (1 - chance), 4) if chance < 1 else None
    unparsed = sum(count for (_, verdict), count in counts.items() if verdict == "unparsed")
    return {
        "both_right": both,
        "judge_only": judge_only,
        "grader_only": grader_only,
        "both_wrong": neither,
        "unparsed": unparsed,
        "kappa": kappa,
    }


def percent(share: float) -> float:
    """A share as points of 100, with four decimals.

    >>> percent(2 / 3)
    66.6667
    """
    return round(100 * share, 4)


def stored_document(task: str, stored: Stored) -> Document:
    """The document of a stored row; rows that were not written for finbench are scored by lm-eval's own code."""
    row = json.loads(stored.row)
    if isinstance(row.get("answer"), Mapping):
        return document_from_row(row, task)
    question = str(row.get("question", ""))
    return Document(stored.id, task, question, Answer(kind="lm_eval"), (Gold(stored.target),), row=row)


def regrade(store: Store, task: str, *, opened: bool = False) -> int:
    """Grade every stored reply of a task again; the number of verdicts that changed. `opened` as in `grade`."""
    changed = 0
    for stored in store.scan(task):
        if not stored.responses:
            continue
        document = stored_document(task, stored)
        if document.answer.kind == "lm_eval":
            continue  # scored by lm-eval's own code when the run was made
        verdict = grade(document, stored.responses, opened=opened)
        before = stored.grade or {}
        if (before.get("correct"), before.get("reason")) != (verdict.correct, verdict.reason):
            changed += 1
        store.set_grade(task, stored.position, stored.repeat, verdict)
    store.flush()
    return changed


def summarize(
    store: Store,
    folder: Path,
    infos: Sequence[TaskInfo],
    groups: Mapping[str, Sequence[str]],
    suite: Sequence[str],
    loaded: Mapping[str, Task] | None = None,
) -> dict[str, Any]:
    """Write samples_<task>.jsonl for every task and return {"tasks": ..., "average": ...}.

    Groups stand under their own name with their tasks below `subtasks`; the average is the unweighted mean over
    `suite`, and None unless every benchmark of it was run.
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
            for document, samples in _graded(store, info, out):
                tally.add(document, samples)
                if together is not None:
                    together.add(document, samples)
        if tally.n == 0:
            continue
        entry = tally.summary(loaded.get(info.name))
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
            entry["metrics"]["macro_average"] = round(sum(s["score"] for s in subtasks.values()) / len(subtasks) / 100, 6)
            entries[name] = entry | {"subtasks": subtasks}
            estimates[name] = together.headline()[0]
    return {"tasks": entries, "average": _average(estimates, suite)}


def _average(estimates: Mapping[str, Estimate], suite: Sequence[str]) -> dict[str, Any] | None:
    if not suite or any(name not in estimates for name in suite):
        return None
    mean = average_of([estimates[name] for name in suite])
    return {"score": percent(mean.mean), "ci": [percent(mean.low), percent(mean.high)], "tasks": list(suite)}


Sample = tuple[Sequence[Response], Grade, Mapping[str, Any] | None]


def _graded(store: Store, info: TaskInfo, out: IO[str]) -> Iterator[tuple[Document, list[Sample]]]:
    """The documents of a task with their graded repeats; each repeat is written to `out` on the way."""
    document: Document | None = None
    position, samples = -1, []  # type: int, list[Sample]
    for stored in store.scan(info.name):
        if stored.position != position:
            if document is not None:
                yield document, samples
            document, position, samples = stored_document(info.name, stored), stored.position, []
        assert document is not None
        verdict = _grade_of(stored)
        samples.append((stored.responses, verdict, stored.judgement))
        out.write(sample_line(document, stored, verdict))
    if document is not None:
        yield document, samples


def _grade_of(stored: Stored) -> Grade:
    if stored.grade is None:
        return Grade(correct=False, reason="error")
    return Grade(**{**stored.grade, "span": tuple(stored.grade["span"]) if stored.grade["span"] else None})


def sample_line(document: Document, stored: Stored, verdict: Grade) -> str:
    """One line of samples_<task>.jsonl: lm-eval's per-sample fields, and ours under `finbench`."""
    responses = stored.responses
    first = responses[0] if responses else Response(stored.request_id, "", "error", error="not asked")
    texts = [[r.logprob, r.greedy] for r in responses] if first.logprob is not None else [first.text]
    prompt = json.loads(stored.prompt)
    sampling = json.loads(stored.sampling)
    target = document.golds[0].text
    line = {
        "doc_id": stored.position,
        "target": target,
        "arguments": {"gen_args_0": {"arg_0": prompt, "arg_1": sampling}},
        "resps": [texts],
        "filtered_resps": [verdict.extracted if verdict.extracted is not None else first.text],
        "filter": "none",
        "metrics": ["acc", "lenient"],
        "doc_hash": stored.hash,
        "prompt_hash": content_hash(prompt),
        "target_hash": content_hash(target),
        "acc": float(verdict.correct),
        "lenient": float(verdict.lenient),
        "finbench": {
            "id": document.id,
            "repeat": stored.repeat,
            "request_id": stored.request_id,
            "question": document.question,
            "golds": [asdict(gold) for gold in document.golds],
            "kind": document.answer.kind,
            "extracted": verdict.extracted,
            "value": verdict.value,
            "rule": verdict.rule,
            "span": verdict.span,
            "reason": verdict.reason,
            "correct": verdict.correct,
            "lenient": verdict.lenient,
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
    # The row is already JSON text: it goes in as it is.
    return f'{{"doc":{stored.row},{json.dumps(line, separators=(",", ":"))[1:]}\n'


@contextmanager
def atomic(path: Path) -> Iterator[IO[str]]:
    """A text file that is there whole or not at all: written beside, synced, then renamed."""
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("w", encoding="utf-8", newline="\n") as out:
        yield out
        out.flush()
        os.fsync(out.fileno())
    os.replace(partial, path)


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


def _lm_eval_entry(name: str, entry: Mapping[str, Any]) -> dict[str, Any]:
    half_width = (entry["ci"][1] - entry["ci"][0]) / 2
    return {
        "name": name,
        "alias": name,
        "sample_len": entry["n"],
        "acc,none": entry["score"] / 100,
        "acc_stderr,none": round(half_width / 196, 6),
        "lenient,none": entry["lenient"] / 100,
        **{f"{key},none": value for key, value in entry["metrics"].items() if key == "macro_f1"},
        **{key: value for key, value in entry["metrics"].items() if "," in key},
    }
