"""The baselines that need no reading of the question: oracle, majority, constant, longest; and the door of the heuristic."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches

from finbench.engines.baselines import heuristic
from finbench.errors import EngineError
from finbench.records import Document, Request, Response, Sampling

_CHINESE = re.compile(r"[\u4e00-\u9fff]")
Passes = Mapping[str, Callable[[], Iterable[Document]]]  # a task's name -> what starts a pass over its documents


def rule_of(model: str) -> tuple[str, str]:
    """The rule that `baseline/NAME` means, and the source behind a colon; EngineError for one that is none of RULES."""
    rule, _, source = model.removeprefix("baseline/").partition(":")
    if rule not in RULES or (source and rule != "oracle"):
        near = get_close_matches(rule, RULES, n=1)
        hint = f"; did you mean baseline/{near[0]}?" if near and near[0] != rule else ""
        names = ", ".join(f"baseline/{name}" for name in RULES)
        raise EngineError(f"{model}: no such baseline; there are {names}{hint}")
    return rule, source


class Baseline:
    """One of RULES, applied document by document."""

    def __init__(self, model: str) -> None:
        self._rule, self._source = rule_of(model)
        self._model = model
        self._most_frequent: dict[tuple[str, str], str] = {}

    def prepare(self, documents: Passes) -> None:
        """Count the golds of every task; free text is not counted, those golds are all different."""
        if self._rule != "majority":
            return
        counts: dict[tuple[str, str], Counter[str]] = {}
        for start in documents.values():
            for document in start():
                if document.answer.kind == "text":
                    break
                counts.setdefault(_group(document), Counter())[document.golds[0].text] += 1
        # Counter keeps the order of first appearance, and max takes the first of equals: the same in every run.
        self._most_frequent = {group: max(counter, key=counter.__getitem__) for group, counter in counts.items()}

    def respond(self, request: Request) -> Response:
        """The rule applied to the request's document."""
        if request.kind == "loglikelihood":
            right = self._rule == "oracle" and _is_gold(request)
            score = 0.0 if right else -float(len(request.continuation))
            return Response(request.id, "", "stop", logprob=score, greedy=right)
        text = self._reply(request.document)
        return Response(request.id, limited(text, request.sampling), "stop")

    def close(self) -> None:
        """Nothing is open."""

    def describe(self) -> dict[str, object]:
        """The rule, in words."""
        return {"rule": RULES[self._rule]}

    def _reply(self, document: Document) -> str:
        if self._rule == "oracle":
            return written(document, _gold(document, self._source), "The reference answer is known here.")
        if self._rule == "majority":
            return written(document, self._majority(document), "This is the most frequent answer of the task.")
        if self._rule == "longest":
            return written(document, _longest(document), "This option has the longest text.")
        if self._rule == "heuristic":
            answer, reason = heuristic.attempt(document)
            return written(document, answer, reason)
        return written(document, constant(document), "The answer is the same whatever the question.")

    def _majority(self, document: Document) -> str:
        if document.answer.kind == "text":
            return constant(document)
        try:
            return self._most_frequent[_group(document)]
        except KeyError:
            raise EngineError(
                f"{self._model}: the golds of {'/'.join(filter(None, _group(document)))} were not counted; "
                "call prepare() with the documents of the run first"
            ) from None


RULES = {
    "oracle": "the gold itself, in the requested format",
    "majority": "the most frequent gold of the task or sub-task, counted in the same documents",
    "constant": "the same answer to every question of a kind: 0, A, neutral (or the first class), yes",
    "longest": "the option with the longest text",
    "heuristic": "rules over the words of the question, the table and the text; no gold is looked at",
}


def constant(document: Document) -> str:
    """The answer to every question of a kind, whatever it asks."""
    answer = document.answer
    if answer.kind == "choice":
        return min(answer.choices, default="A")
    if answer.kind == "label":
        return "neutral" if "neutral" in answer.classes else answer.classes[0]
    if answer.kind == "boolean":
        return "是" if _CHINESE.search(document.question) else "yes"
    return "0" if answer.kind == "number" else "It depends on the circumstances."


def written(document: Document, answer: str, reason: str) -> str:
    """The answer in the format that finbench's prompts ask for: a line of reasoning, then one box.

    Free text, and tasks that bring lm-eval's own scoring, get the bare answer.
    """
    if document.answer.kind in ("text", "lm_eval"):
        return answer
    return f"{reason}\n\\boxed{{{answer}}}"


def limited(text: str, sampling: Sampling) -> str:
    """The text as a decoder with these settings would give it: cut at a stop string, or one of the allowed choices."""
    if sampling.choices:
        return next((choice for choice in sampling.choices if choice in text), sampling.choices[0])
    ends = [place for stop in sampling.stop if stop and (place := text.find(stop)) >= 0]
    return text[: min(ends)] if ends else text


def _gold(document: Document, source: str) -> str:
    return next((gold.text for gold in document.golds if gold.source == source), document.golds[0].text)


def _longest(document: Document) -> str:
    choices = document.answer.choices
    return max(choices, key=lambda letter: len(choices[letter])) if choices else constant(document)


def _group(document: Document) -> tuple[str, str]:
    """What a majority is taken over: a task, or a sub-task where the rows of a task name one."""
    return document.task, document.facets.get("subtask", "")


def _is_gold(request: Request) -> bool:
    gold = request.document.golds[0].text.strip()
    return gold in (request.continuation.strip(), str(request.part))
