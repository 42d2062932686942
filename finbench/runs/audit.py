"""The audit of a whole run: its samples read again, findings per task with intervals, the samples worth a look."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from finbench.audit import quality
from finbench.audit.quality import COMPUTED, CRITERIA, Quality
from finbench.audit.reply import METRICS, Audit, applies, audit, audited
from finbench.errors import EngineError, run_files
from finbench.records import Answer, Document, Gold, Request, content_hash
from finbench.scores import samples
from finbench.scores.intervals import Accumulator, Estimate
from finbench.scores.samples import GradedReply, graded_reply
from finbench.tasks.documents import document_from_row

LISTED = 200  # samples listed per task

Place = tuple[str, str, int]  # task, document, repeat
Marks = dict[Place, Mapping[str, int] | str]


@dataclass(slots=True)
class Findings:
    """What was found in one task; `listed` are its samples with a wrong calculation or a lucky answer."""

    task: str
    replies: int = 0
    audited: int = 0
    calculations: int = 0
    wrong: int = 0
    with_wrong: int = 0  # replies with a wrong calculation
    metrics: dict[str, Accumulator] = field(default_factory=dict)
    programs: dict[str, int] = field(default_factory=dict)
    marks: dict[str, Accumulator] = field(default_factory=dict)
    references: dict[str, int] = field(default_factory=dict)
    all_seven: int = 0
    judged: int = 0
    unparsed: int = 0
    listed: list[dict[str, Any]] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Plain values; shares from 0 to 1 with their 95 % intervals."""
        return {
            "replies": self.replies,
            "audited": self.audited,
            "calculations": self.calculations,
            "wrong_calculations": self.wrong,
            "replies_with_wrong_calculation": self.with_wrong,
            "metrics": {name: _estimate(self.metrics[name].estimate()) for name in METRICS if name in self.metrics},
            "programs": self.programs,
            "quality": {
                "marks": {
                    name: _estimate(self.marks[name].estimate()) if name in self.marks else None for name in CRITERIA
                },
                "all_seven": self.all_seven if self.judged else None,
                "judged": self.judged,
                "unparsed": self.unparsed,
                "reference": self.references,
            },
            "samples": self.listed,
        }


def _estimate(found: Estimate) -> dict[str, Any]:
    return {"mean": round(found.mean, 6), "ci": [round(found.low, 6), round(found.high, 6)], "n": found.n}


def graded_samples(path: Path, task: str) -> Iterator[GradedReply]:
    """The generated, graded replies of a samples file."""
    for _, raw in samples.lines(path):
        sample = graded_reply(json.loads(raw), task, document_from_row)
        if sample is not None:
            yield sample


def examine(run_dir: Path, marks: Marks | None = None) -> list[Findings]:
    """The findings of every task of a run, in the order of its results; `marks` are what a judge said, if one did."""
    found: dict[str, Findings] = {}
    with run_files(run_dir):
        for task, sample in _all(run_dir):
            place = (task, sample.document.id, sample.repeat)
            take(found.setdefault(task, Findings(task)), sample, (marks or {}).get(place))
    return list(found.values())


def _all(run_dir: Path) -> Iterator[tuple[str, GradedReply]]:
    _, results = samples.read_results(run_dir)
    for name, entry in results["tasks"].items():
        for path in samples.samples_files(run_dir, name, entry):
            for sample in graded_samples(path, name):
                yield name, sample


def take(findings: Findings, sample: GradedReply, judged: Mapping[str, int] | str | None = None) -> None:
    """Count one reply."""
    findings.replies += 1
    cluster = sample.document.cluster
    whole = audited(sample.text, sample.reasoning)
    marks = quality.quality(sample.document, whole, judged)
    _take_marks(findings, marks, cluster)
    if not applies(sample.document):
        return
    audit_ = audit(sample.document, sample.text, sample.grade, sample.reasoning)
    findings.audited += 1
    findings.calculations += len(audit_.calculations)
    findings.wrong += audit_.wrong
    findings.with_wrong += audit_.wrong > 0
    for name, value in audit_.metrics().items():
        findings.metrics.setdefault(name, Accumulator()).add(value, cluster)
    if audit_.program_match:
        findings.programs[audit_.program_match] = findings.programs.get(audit_.program_match, 0) + 1
    if (audit_.wrong or audit_.lucky) and len(findings.listed) < LISTED:
        findings.listed.append(_listed(sample, audit_))


def _take_marks(findings: Findings, found: Quality, cluster: str) -> None:
    for name, mark in found.marks.items():
        if mark is not None:
            findings.marks.setdefault(name, Accumulator()).add(mark, cluster)
    findings.references[found.reference] = findings.references.get(found.reference, 0) + 1
    findings.judged += found.judge == "parsed"
    findings.unparsed += found.judge == "unparsed"
    findings.all_seven += bool(found.all_seven)


def _listed(sample: GradedReply, found: Audit) -> dict[str, Any]:
    first = found.first_wrong
    return {
        "id": sample.document.id,
        "repeat": sample.repeat,
        "correct": sample.grade.correct,
        "lucky": bool(found.lucky),
        "wrong": found.wrong,
        "calculations": len(found.calculations),
        "first_wrong": None if first is None else {"offset": first.start, "text": first.text, "exact": first.exact},
    }


def judge(run_dir: Path, model: str, base_urls: Sequence[str]) -> Marks:
    """What a model says about every trace of a run, asked with the engine's own concurrency.

    Raises EngineError when no question at all was answered; a single failure or an unreadable reply is "unparsed".
    """
    from finbench.engines.choose import choose, create

    name, _ = choose(model, base_urls=list(base_urls))
    engine = create(name, model, base_urls=base_urls)
    asked: dict[str, Place] = {}

    def requests() -> Iterator[Request]:
        for task, sample in _all(run_dir):
            trace = audited(sample.text, sample.reasoning)
            place = (task, sample.document.id, sample.repeat)
            identity = "quality/" + content_hash(*place)
            asked[identity] = place
            yield Request(identity, _QUESTION, quality.messages(sample.document, trace), quality.SAMPLING)

    marks: Marks = {}
    failure = ""
    try:
        for response in engine.stream(requests()):
            failed = response.finish == "error"
            failure = response.error if failed else failure
            marks[asked[response.request_id]] = "unparsed" if failed else quality.read_marks(response.text)
    finally:
        engine.close()
    if failure and all(mark == "unparsed" for mark in marks.values()):
        raise EngineError(f"the judge {model} marked nothing: {failure}")
    return marks


_QUESTION = Document("quality", "quality", "", Answer(kind="text"), (Gold(""),))


# -- in words ----------------------------------------------------------------------------------------------------------


def as_text(found: Sequence[Findings]) -> str:
    """The findings as a table and a list of samples."""
    from finbench.sanitize import shown

    lines = []
    for findings in found:
        lines.append(f"{shown(findings.task)}: {findings.replies:,} replies, {findings.audited:,} audited")
        if findings.audited:
            lines.append(
                f"  {findings.calculations:,} calculations stated, {findings.wrong:,} wrong, in {findings.with_wrong:,} replies"
            )
        for name, heading in METRICS.items():
            if name in findings.metrics:
                lines.append(f"  {heading:<28} {_share(findings.metrics[name].estimate())}")
        if findings.programs:
            lines.append("  programs: " + ", ".join(f"{n} {name}" for name, n in sorted(findings.programs.items())))
        lines += _quality_lines(findings)
        for sample in findings.listed:
            first = sample["first_wrong"]
            why = f"{first['text']!r}, exactly {first['exact']}" if first else "no calculation gives the answer"
            verdict = "right by luck" if sample["lucky"] else "right" if sample["correct"] else "wrong"
            lines.append(f"    {shown(sample['id'])} ({verdict}): {shown(why)}")
        lines.append("")
    return "\n".join(lines).rstrip()


def _quality_lines(findings: Findings) -> list[str]:
    if not findings.replies:
        return []
    references = ", ".join(f"{n} {kind}" for kind, n in sorted(findings.references.items()))
    lines = [f"  reasoning quality (reference: {references}; a dash: nobody marked it)"]
    for name in CRITERIA:
        by = "computed" if name in COMPUTED else "judge"
        value = _share(findings.marks[name].estimate()) if name in findings.marks else "-"
        lines.append(f"    {name.replace('_', ' '):<26} {value}  ({by})")
    if findings.judged or findings.unparsed:
        lines.append(f"    all seven: {findings.all_seven} of {findings.judged}; unparsed: {findings.unparsed}")
    return lines


def _share(found: Estimate) -> str:
    return f"{100 * found.mean:5.1f} % [{100 * found.low:.1f}, {100 * found.high:.1f}]  n {found.n:,}"
