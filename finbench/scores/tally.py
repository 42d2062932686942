"""What is counted of a task while its verdicts come in, and the summary that follows from the counts."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from finbench.records import UNREADABLE_REASONS, Document, Grade, Response
from finbench.scores import aggregates
from finbench.scores.aggregates import Aggregation, number
from finbench.scores.intervals import Accumulator, Estimate, macro_f1_estimate, majority, pass_at_k
from finbench.scores.intervals import estimate as interval_of

FAILED = "error"  # a judge's verdict that never came, because its request failed
ERROR_TEXT = 300  # characters of an error that are kept
ERROR_KINDS = 20  # different errors that an entry lists
SCHEMA = 1  # of the `--json` document, run.json and results.json

Repeat = tuple[Sequence[Response], Grade, Mapping[str, Any] | None]  # replies, verdict, judgement of one repeat
Aggregations = Callable[[str], Aggregation]  # of a "metric,filter": how lm-eval sums up its values (OwnScoring)


class Tally:
    """Counts of one task or group; memory grows with its clusters and facets, not with its samples."""

    def __init__(self, judged: bool = False, aggregations: Aggregations | None = None) -> None:
        self.judged = judged
        self._aggregations = aggregations
        self.n = 0
        self.strict = Accumulator()
        self.lenient = Accumulator()
        self.verdicts = Accumulator()
        self.references = Accumulator()
        self.clean = Accumulator()
        self.doubt = Doubt()
        self.reasons: Counter[str] = Counter()
        self.truncated = 0
        self.passed: dict[int, Accumulator] = {}  # k -> the chance that one of k repeats is right, per question
        self.voted = Accumulator()
        self.errors = 0
        self.output_tokens = self.prompt_tokens = self.counted_tokens = 0
        self.facets: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(lambda: [0, 0.0]))
        self.confusion: Counter[tuple[str, str]] = Counter()
        self.conversations: dict[str, _Conversation] = defaultdict(_Conversation)  # by cluster
        self.agreement: Counter[tuple[bool, str]] = Counter()
        self.judge_failures: Counter[str] = Counter()  # error text -> requests
        self.unjudged = 0  # replies that no judge has been asked about
        self.golds: Counter[str] = Counter()
        # By lm-eval's "metric,filter", the headline first: per document the values of its repeats.
        self.own: dict[str, list[list[Any]]] = {}
        self._drawn: dict[tuple[str, int], Estimate] = {}  # bootstraps already made, by metric and number of documents
        self.means: dict[str, Accumulator] = defaultdict(Accumulator)  # plain names, over the replies that have it

    def add(self, document: Document, samples: Sequence[Repeat]) -> None:
        """Count one document with its repeats; they are averaged first."""
        self.n += 1
        strict = sum(self._credit(verdict) for _, verdict, _ in samples) / len(samples)
        lenient = sum(verdict.correct or verdict.lenient for _, verdict, _ in samples) / len(samples)
        self.doubt.add([verdict for _, verdict, _ in samples])
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
        if len(samples) > 1:
            self._add_repeats([verdict for _, verdict, _ in samples], cluster)
        if "turn" in document.facets:
            self.conversations[cluster].add(strict, final="final_turn" in document.flags)
        alone = cluster or (document.id if len(samples) > 1 else "")  # repeats of one question stand together
        for responses, verdict, _ in samples:
            self._add_reply(document, responses, verdict, alone)
        for name in dict.fromkeys(name for _, verdict, _ in samples for name in verdict.metrics if "," in name):
            values = [verdict.metrics[name] for _, verdict, _ in samples if name in verdict.metrics]
            self.own.setdefault(name, []).append(values)

    def _add_repeats(self, verdicts: Sequence[Grade], cluster: str) -> None:
        right, repeats = sum(verdict.correct for verdict in verdicts), len(verdicts)
        for k in powers(repeats):
            self.passed.setdefault(k, Accumulator()).add(pass_at_k(right, repeats, k), cluster)
        self.voted.add(majority([v.value for v in verdicts], [float(v.correct) for v in verdicts]), cluster)

    @property
    def metric(self) -> str:
        """The "metric,filter" that stands for a task scored by lm-eval's own code; "" for all others."""
        return next(iter(self.own), "")

    def _credit(self, verdict: Grade) -> float:
        """What a verdict counts for: right or wrong, or lm-eval's value of the headline metric where that is a number."""
        key = next((name for name in verdict.metrics if "," in name), "")
        value = number(verdict.metrics[key]) if key else None
        return float(verdict.correct) if value is None else value

    def _add_judgements(self, samples: Sequence[Repeat], cluster: str) -> None:
        judged = [(verdict, judgement) for _, verdict, judgement in samples if judgement]
        self.unjudged += len(samples) - len(judged)
        if not judged:
            return
        right = sum(judgement["verdict"] == "right" for _, judgement in judged) / len(judged)
        self.verdicts.add(right, cluster)
        self.agreement.update((verdict.correct, judgement["verdict"]) for verdict, judgement in judged)
        failed = [judgement for _, judgement in judged if judgement["verdict"] == FAILED]
        self.judge_failures.update(str(judgement.get("error") or "")[:ERROR_TEXT] for judgement in failed)

    def _add_reply(self, document: Document, responses: Sequence[Response], verdict: Grade, alone: str) -> None:
        self.reasons[verdict.reason] += 1
        self.truncated += verdict.reason == "truncated" or any(response.finish == "length" for response in responses)
        self.errors += verdict.reason == "error"
        for response in responses:
            if response.output_tokens is not None:
                self.counted_tokens += 1
                self.output_tokens += response.output_tokens
                self.prompt_tokens += response.prompt_tokens or 0
        if document.answer.kind == "label":
            self.confusion[document.gold_class, verdict.value or ""] += 1
        if verdict.gold:
            self.golds[verdict.gold] += 1
        for name, value in verdict.metrics.items():
            if "," not in name:
                self.means[name].add(value, alone)

    def own_estimate(self, key: str) -> Estimate | None:
        """lm-eval's number for a "metric,filter", with its interval; None where this task has no such metric.

        A failed request counts as nothing in a share of right answers; what no number stands for is left out elsewhere.
        """
        if key not in self.own:
            return None
        how = self._aggregations(key) if self._aggregations else None
        if how is not None and not how.mean:
            place = (key, len(self.own[key]))
            if place not in self._drawn:
                self._drawn[place] = aggregates.estimate(self.own[key], how)
            return self._drawn[place]
        if key == self.metric and (how is None or how.higher_is_better):
            return self.strict.estimate()
        found = Accumulator()
        for values in self.own[key]:
            numbers = [value for value in map(number, values) if value is not None]
            if numbers:
                found.add(sum(numbers) / len(numbers))
        return found.estimate()

    def scale(self, key: str) -> int:
        """What an lm-eval metric is printed in: 100 for shares, 1 for what has a unit of its own."""
        how = self._aggregations(key) if self._aggregations else None
        if how is not None and how.scale is not None:
            return how.scale
        values = [value for listed in self.own[key] for one in listed if (value := number(one)) is not None]
        return 100 if all(0 <= value <= 1 for value in values) else 1

    def headline(self) -> tuple[Estimate, str]:
        """The estimate that stands for the task, and whose verdict it is.

        "judge" where the protocol wants one and any was asked, whatever became of single requests: a failed one counts
        as wrong until it is asked again, one that was never sent is missing. "reference" where a judge is wanted for
        free text and there was none (grading/reference.py: not comparable with judged scores); else "grader".
        """
        if found := self.own_estimate(self.metric):
            return found, "grader"
        if self.judged and self.verdicts.estimate().n:
            return self.verdicts.estimate(), "judge"
        if self.judged and self.references.estimate().n == self.n:
            return self.references.estimate(), "reference"
        return self.strict.estimate(), "grader"

    def summary(self) -> dict[str, Any]:
        """The task's entry of the `--json` document; scores from 0 to 100, but for metrics with a unit of their own.

        `unsure` and `range` are Doubt's where the score is the grader's, None elsewhere.
        """
        estimate, verdict_by = self.headline()
        lenient = self.lenient.estimate() if verdict_by == "grader" else estimate  # the grader's own reading or none
        replies = sum(self.reasons.values())
        unreadable = sum(self.reasons[reason] for reason in UNREADABLE_REASONS if reason != "error")
        entry: dict[str, Any] = {
            "n": self.n,
            "score": percent(estimate.mean),
            "ci": [percent(estimate.low), percent(estimate.high)],
            "verdict_by": verdict_by,
            **(self.doubt if verdict_by == "grader" else Doubt()).summary(),
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
            "metrics": self._metrics(),
            "facets": {
                name: {value: {"n": n, "score": percent(total / n)} for value, (n, total) in sorted(values.items())}
                for name, values in sorted(self.facets.items())
                if len(values) <= 60
            },
        }
        if self.agreement:
            entry["judge"] = agreement(self.agreement) | {
                "failures": dict(self.judge_failures.most_common(ERROR_KINDS)),
                "unasked": self.unjudged,
            }
        return entry | (self._own_entry(estimate) if self.own else {})

    def _own_entry(self, estimate: Estimate) -> dict[str, Any]:
        """What differs where lm-eval's own code scores: the metric's name and unit, and nothing lenient beside it."""
        scale = self.scale(self.metric)
        score, *ci = (round(scale * value, 4) for value in (estimate.mean, estimate.low, estimate.high))
        how = self._aggregations(self.metric) if self._aggregations else None
        return {
            "score": score,
            "ci": ci,
            "lenient": score,
            "lenient_ci": ci,
            "metric": self.metric,
            "scale": scale,
            "higher_is_better": how is None or how.higher_is_better,
            # Is the score the mean of what its questions count for, so that two runs can be compared by question?
            "by_question": scale == 100 and (how is None or how.mean),
        }

    def _own_metrics(self) -> dict[str, Any]:
        """lm-eval's number for every "metric,filter", by its own function over all values."""
        found: dict[str, Any] = {}
        if self._aggregations is None:
            return found
        for key, documents in self.own.items():
            value = self._aggregations(key).function([one for values in documents for one in values])
            found[key] = value.item() if hasattr(value, "item") else value
        return found

    def _metrics(self) -> dict[str, Any]:
        metrics: dict[str, Any] = {}
        if not self.own:
            metrics |= _with_interval("acc", self.strict.estimate())
            metrics |= _with_interval("lenient", self.lenient.estimate())
        metrics |= self._label_metrics()
        for k, passed in sorted(self.passed.items()):
            metrics |= _with_interval(f"pass@{k}", passed.estimate())
        if self.passed and not self.own:  # lm-eval's verdicts name no answer that could be counted
            metrics |= _with_interval("majority", self.voted.estimate())
        metrics |= self._conversation_metrics()
        clean = self.clean.estimate()
        if 0 < clean.n < self.n:
            metrics |= _with_interval("acc_without_conflicts", clean)
            metrics["n_without_conflicts"] = clean.n
        if len(self.golds) > 1 or (self.golds and "gold" not in self.golds):
            metrics["gold_hit"] = dict(self.golds)
        metrics.update(self._own_metrics())
        replies = sum(self.reasons.values())
        for name, values in self.means.items():
            found = values.estimate()
            metrics |= _with_interval(name, found)
            if found.n < replies:
                metrics[f"n_{name}"] = found.n
        return metrics

    def _label_metrics(self) -> dict[str, Any]:
        """Macro-F1 and the recall of every class, for tasks with labels."""
        if not self.confusion:
            return {}
        pairs = [pair for pair, count in sorted(self.confusion.items()) for _ in range(count)]
        golds, named = zip(*pairs, strict=True)
        metrics = _with_interval("macro_f1", macro_f1_estimate(golds, named))
        for label in sorted(set(golds)):
            hits = [float(name == label) for gold, name in pairs if gold == label]
            metrics |= _with_interval(f"recall_{label}", interval_of(hits))
        return metrics

    def _conversation_metrics(self) -> dict[str, Any]:
        """Shares over conversations: every turn right, the last turn right. Those without their last turn are left out."""
        whole = [one for one in self.conversations.values() if one.final is not None]
        if not whole:
            return {}
        return {
            "conversations": len(whole),
            **_with_interval("conversation_acc", interval_of([float(one.all_right) for one in whole])),
            **_with_interval("final_turn_acc", interval_of([one.final or 0.0 for one in whole])),
        }


@dataclass(slots=True)
class Doubt:
    """How much of a score hangs on verdicts that the grader itself calls unsure (`Grade.certainty`).

    Sums over documents, whose repeats are averaged first as in the score. `low` counts every unsure verdict as wrong,
    `high` as right. One verdict without a certainty, as earlier versions and lm-eval's own scoring leave them, makes
    the whole unknown.
    """

    n: int = 0
    unsure: float = 0.0
    low: float = 0.0
    high: float = 0.0
    known: bool = True

    def add(self, verdicts: Sequence[Grade]) -> None:
        """Count one document with the verdicts on its repeats."""
        repeats = len(verdicts)
        self.n += 1
        self.known = self.known and all(verdict.certainty for verdict in verdicts)
        self.unsure += sum(verdict.certainty == "unsure" for verdict in verdicts) / repeats
        self.low += sum(verdict.correct and verdict.certainty != "unsure" for verdict in verdicts) / repeats
        self.high += sum(verdict.correct or verdict.certainty == "unsure" for verdict in verdicts) / repeats

    def summary(self) -> dict[str, Any]:
        """{"unsure": percent, "range": [low, high] in points}, both None where nothing is known.

        >>> doubt = Doubt()
        >>> doubt.add([Grade(True, "equal", certainty="sure"), Grade(True, "equal", certainty="unsure")])
        >>> doubt.summary(), Doubt().summary()
        ({'unsure': 50.0, 'range': [50.0, 100.0]}, {'unsure': None, 'range': None})
        """
        if not (self.n and self.known):
            return {"unsure": None, "range": None}
        return {
            "unsure": percent(self.unsure / self.n),
            "range": [percent(self.low / self.n), percent(self.high / self.n)],
        }


@dataclass(slots=True)
class _Conversation:
    """The turns of one conversation so far; `final` is the last turn's score, None before it came."""

    all_right: bool = True
    final: float | None = None

    def add(self, score: float, *, final: bool) -> None:
        self.all_right = self.all_right and score == 1
        if final:
            self.final = score


def powers(repeats: int) -> list[int]:
    """The k of the pass@k that so many repeats give: powers of two, and all of them.

    >>> powers(8), powers(5), powers(2)
    ([1, 2, 4, 8], [1, 2, 4, 5], [1, 2])
    """
    return sorted({2**i for i in range(repeats.bit_length())} | {repeats})


def _with_interval(name: str, found: Estimate) -> dict[str, Any]:
    """A metric on the 0..1 scale and its 95 % interval, under NAME and NAME_ci."""
    return {name: round(found.mean, 6), f"{name}_ci": [round(found.low, 6), round(found.high, 6)]}


def agreement(counts: Mapping[tuple[bool, str], int]) -> dict[str, Any]:
    """Judge beside deterministic grader: the 2x2 counts, Cohen's kappa over the parsed verdicts, the unparsed and the failed.

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
    failed = sum(count for (_, verdict), count in counts.items() if verdict == FAILED)
    return {
        "both_right": both,
        "judge_only": judge_only,
        "grader_only": grader_only,
        "both_wrong": neither,
        "unparsed": unparsed,
        "failed": failed,
        "kappa": kappa,
    }


def judge_gaps(entry: Mapping[str, Any]) -> str:
    """What a task lacks of its judge's verdicts, in words; empty when it lacks nothing.

    >>> judge_gaps({"judge": {"failed": 1, "unasked": 0, "failures": {"HTTP 400": 1}}})
    '1 failed (HTTP 400)'
    """
    judge = entry.get("judge") or {}
    failed, unasked = judge.get("failed", 0), judge.get("unasked", 0)
    said = f" ({next(iter(judge['failures']))})" if failed and judge.get("failures") else ""
    return ", ".join(
        [*([f"{failed:,} failed{said}"] if failed else []), *([f"{unasked:,} not asked"] if unasked else [])]
    )


def percent(share: float) -> float:
    """A share as points of 100, with four decimals.

    >>> percent(2 / 3)
    66.6667
    """
    return round(100 * share, 4)
