"""The scoring that a task brings along: lm-eval's filters, `process_results` and aggregations on the replies to a document.

lm-eval's Task objects do the work. What is decided here is how the replies are laid before them, and which of their
numbers stands for the task: the first of `metric_list`, under the first filter.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from finbench.errors import TaskError
from finbench.records import Document, Grade, Response
from finbench.scores.aggregates import Aggregation, credit
from finbench.serialize import LM_EVAL

# Of lm_eval.api.metrics: what its functions give. Means and what is not listed are shares when their values are.
_RESULTS: Mapping[str, dict[str, Any]] = {
    "f1_score": {"scale": 100, "bounds": (0.0, 1.0)},
    "matthews_corrcoef": {"scale": 100, "bounds": (-1.0, 1.0)},
    "bleu": {"scale": 1, "bounds": (0.0, 100.0), "slow": True},
    "chrf": {"scale": 1, "bounds": (0.0, 100.0), "slow": True},
    "chrfpp": {"scale": 1, "bounds": (0.0, 100.0), "slow": True},
    "ter": {"scale": 1, "bounds": (0.0, math.inf), "slow": True},
    "brier_score": {"scale": 1, "bounds": (0.0, 2.0)},
    "perplexity": {"scale": 1, "bounds": (0.0, math.inf), "exponential": True},
    "weighted_perplexity": {"scale": 1, "bounds": (0.0, math.inf), "exponential": True},
    "bits_per_byte": {"scale": 1, "bounds": (0.0, math.inf)},
    "bypass_agg": {"scale": 1},
}


class OwnScoring:
    """lm-eval's scoring of one task."""

    def __init__(self, name: str, inner: Any) -> None:
        self._name, self._inner = name, inner
        self.replies = _repeats(name, inner.config)
        _check_filters(name, inner.config, self.replies)

    def grade(self, document: Document, responses: Sequence[Response], texts: Sequence[str]) -> Grade:
        """lm-eval's verdict on the replies to a document: `texts` are the generated ones, without thinking.

        The headline metric comes first in `metrics`, and decides `correct`: all of its credit.
        """
        row = dict(document.row)
        instances = self._instances(row, responses, texts)
        metrics: dict[str, Any] = {}
        shown: str | None = None
        for ensemble in self._inner._filters:
            ensemble.apply(instances)
            filtered = [instance.filtered_resps[ensemble.name] for instance in instances]
            if shown is None and self._inner.OUTPUT_TYPE == "generate_until":
                shown = str(filtered[0])
            for metric, value in self._inner.process_results(row, filtered).items():
                metrics[f"{metric},{ensemble.name}"] = plain(value)
        first = self._headline(metrics)
        ordered = {first: metrics[first], **metrics} if first else metrics
        correct = self._correct(ordered)
        reason = "equal" if correct else "different"
        return Grade(correct, reason, extracted=shown, rule=LM_EVAL, lenient=correct, metrics=ordered)

    def aggregation(self, key: str) -> Aggregation:
        """How the values of a "metric,filter" are summed up."""
        from lm_eval.api.metrics import mean

        metric = key.split(",")[0]
        function = self._function(metric)
        higher = bool(self._inner.higher_is_better().get(metric, True))
        if function is mean:
            return Aggregation(function, mean=True, higher_is_better=higher)
        ours = getattr(function, "__module__", "") == "lm_eval.api.metrics"
        known = _RESULTS.get(function.__name__, {}) if ours else {}
        return Aggregation(function, higher_is_better=higher, **known)

    def _function(self, metric: str) -> Any:
        """lm-eval's own choice: what is declared; for a name that a metric's function made up (pass@1), its parent's."""
        from lm_eval.api.metrics import mean

        functions = self._inner.aggregation()
        if metric in functions:
            return functions[metric]
        declared = self._inner.config.metric_list or ()
        made_up = len(declared) == 1 and not callable(self._inner.config.process_results)
        return next(iter(functions.values()), mean) if made_up else mean

    def _instances(self, row: Mapping[str, Any], responses: Sequence[Response], texts: Sequence[str]) -> list[Any]:
        """The replies where lm-eval's filters look for them: one instance per request, all its repeats in it."""
        from lm_eval.api.instance import Instance

        kind = self._inner.OUTPUT_TYPE
        if kind == "generate_until":
            replies: list[list[Any]] = [list(texts)]
        elif kind == "loglikelihood_rolling":
            replies = [[response.logprob] * self.replies for response in responses]
        else:
            replies = [[(response.logprob, response.greedy)] * self.replies for response in responses]
        about = (self._name, 0, self.replies)
        return [Instance(kind, row, ("", {}), part, about, listed) for part, listed in enumerate(replies)]

    def _headline(self, metrics: Mapping[str, Any]) -> str:
        """The first declared metric under the first filter that has it; the first key where none is declared."""
        for metric in self._inner.higher_is_better():
            for ensemble in self._inner._filters:
                if f"{metric},{ensemble.name}" in metrics:
                    return f"{metric},{ensemble.name}"
        return next(iter(metrics), "")

    def _correct(self, metrics: Mapping[str, Any]) -> bool:
        """Has the reply all of the credit, by the first metric that gives any?"""
        for key, value in metrics.items():
            found = credit(value, higher_is_better=self.aggregation(key).higher_is_better)
            if found is not None:
                return found == 1
        return False


def _repeats(name: str, config: Any) -> int:
    asked = config.repeats
    if isinstance(asked, bool) or not isinstance(asked, int) or asked < 1:
        raise TaskError(f"{name}: `repeats` is {asked!r}, expected a number of replies from 1 on")
    return asked


def _check_filters(name: str, config: Any, replies: int) -> None:
    """`take_first_k` stops at a document with fewer replies: say so before the first is asked for."""
    for pipeline in config.filter_list or ():
        for step in pipeline.get("filter") or ():
            wanted = step.get("k") if step.get("function") == "take_first_k" else None
            if isinstance(wanted, int) and wanted > replies:
                raise TaskError(
                    f"{name}: filter {pipeline.get('name')!r} takes the first {wanted} replies, and {replies} "
                    f"{'is' if replies == 1 else 'are'} asked for; write `repeats: {wanted}` into the task's YAML"
                )


def plain(value: Any) -> Any:
    """A metric as a JSON value: numpy's become Python's, tuples lists.

    >>> import numpy
    >>> plain((1, numpy.array([0.5, 0.5]), numpy.float64(2)))
    [1, [0.5, 0.5], 2.0]
    """
    if hasattr(value, "tolist"):
        return value.tolist()
    return [plain(one) for one in value] if isinstance(value, (tuple, list)) else value
