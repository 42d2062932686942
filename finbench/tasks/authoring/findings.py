"""What a check of a task found: findings with file and line, for people, for scripts, and for CI."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from finbench.sanitize import shown

# Every check by its code, as --allow, JUnit and JSON name it.
CODES = {
    "unreadable": "the task files can be read",
    "unknown-key": "every key is read by somebody",
    "no-until": "the reply ends where the model ends it",
    "token-limit": "the reply has room for reasoning",
    "python": "no Python runs without consent",
    "data": "no rows outside the task's folder are read without consent",
    "network": "the rows are on this machine",
    "load": "the task can be loaded",
    "row": "every row follows the contract",
    "duplicate-id": "ids are different",
    "prompt": "every prompt can be rendered",
    "too-long": "prompt and reply fit into the context",
    "leak": "the prompt does not hold the answer",
    "answer-type": "every gold can be read as the declared kind of answer",
    "gold-fails": "every gold, given as the reply, is graded right",
    "accepts-anything": "an empty reply is graded wrong",
}
MAX_LISTED = 20  # findings kept of one code and task; the rest is counted


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to mend: which check found it, where, and what to do. `line` 0 is the whole file."""

    code: str
    task: str
    path: str
    line: int
    text: str


@dataclass
class Report:
    """What a check found. `would_run` are Python files by hash; `counts` are documents and golds per task."""

    target: str
    allow: frozenset[str] = frozenset()
    findings: list[Finding] = field(default_factory=list)
    more: Counter[tuple[str, str]] = field(default_factory=Counter)  # (task, code) -> findings not listed
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    would_run: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def add(self, finding: Finding) -> None:
        """Keep a finding, or count it when its kind is listed often enough."""
        if finding.code in self.allow or finding in self.findings:
            return
        same = sum(1 for other in self.findings if (other.task, other.code) == (finding.task, finding.code))
        if same < MAX_LISTED:
            self.findings.append(finding)
        else:
            self.more[finding.task, finding.code] += 1

    @property
    def exit_code(self) -> int:
        """0 nothing found, 1 problems, 2 the task cannot be read."""
        if any(finding.code == "unreadable" for finding in self.findings):
            return 2
        return 1 if self.findings else 0


def as_text(report: Report) -> str:
    """The report for people, one line a finding: `file:line: code: text`."""
    lines = []
    for finding in report.findings:
        where = f"{finding.path}:{finding.line}" if finding.line else finding.path or finding.task
        text = finding.text.removeprefix(f"{where}: ").removeprefix(f"{finding.path}: ")
        lines.append(shown(f"{where}: {finding.code}: {text}"))
    lines += [f"{shown(task)}: {code}: {count:,} more" for (task, code), count in report.more.items()]
    if report.would_run:
        lines.append("Python of the folder:")
        lines += [shown(f"  {path}  {digest}") for path, digest in report.would_run.items()]
    lines += [shown(f"note: {note}") for note in report.notes]
    for name, counts in report.counts.items():
        lines.append(
            f"{shown(name)}: {counts['documents']:,} prompts rendered, {counts['golds']:,} golds graded, "
            f"longest prompt about {counts['longest_prompt']:,} tokens"
        )
    total = len(report.findings) + sum(report.more.values())
    lines.append("no problems" if not total else f"{total:,} problem{'s' if total > 1 else ''}")
    return "\n".join(lines)


def as_json(report: Report) -> dict[str, Any]:
    """The report for scripts."""
    return {
        "schema": 1,
        "target": report.target,
        "exit_code": report.exit_code,
        "tasks": report.counts,
        "findings": [
            {"code": f.code, "task": f.task, "path": f.path, "line": f.line or None, "text": f.text}
            for f in report.findings
        ],
        "more": [{"task": task, "code": code, "count": count} for (task, code), count in report.more.items()],
        "would_run": report.would_run,
        "notes": report.notes,
    }


def write_junit(report: Report, path: Path) -> None:
    """A JUnit XML file: one suite a task, one case a check."""
    from xml.etree import ElementTree

    root = ElementTree.Element("testsuites", name="finbench tasks check")
    names = dict.fromkeys([*report.counts, *(finding.task for finding in report.findings)]) or {report.target: None}
    for name in names:
        mine = [finding for finding in report.findings if finding.task == name]
        failed = {finding.code for finding in mine}
        suite = ElementTree.SubElement(
            root, "testsuite", name=shown(name or report.target), tests=str(len(CODES)), failures=str(len(failed))
        )
        for code, text in CODES.items():
            case = ElementTree.SubElement(
                suite, "testcase", classname=shown(name or report.target), name=f"{code}: {text}"
            )
            found = [f"{f.path}:{f.line}: {f.text}" for f in mine if f.code == code]
            if found:
                failure = ElementTree.SubElement(case, "failure", message=shown(found[0])[:500])
                failure.text = "\n".join(map(shown, found))
    ElementTree.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)
