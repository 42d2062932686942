"""What was found, for people, scripts and CI: the same in each, and nothing of a stranger's names takes effect."""

from __future__ import annotations

from xml.etree import ElementTree

from finbench.tasks.authoring import findings
from finbench.tasks.authoring.findings import Finding, Report


def report(*found: Finding, allow: frozenset[str] = frozenset()) -> Report:
    made = Report("mine", allow)
    for finding in found:
        made.add(finding)
    return made


ROW = Finding("row", "mine", "/t/rows.jsonl", 3, "no question")


def test_the_exit_code_is_2_only_for_what_cannot_be_read():
    unreadable = Finding("unreadable", "", "/t/x.yaml", 1, "broken")
    assert [report().exit_code, report(ROW).exit_code, report(ROW, unreadable).exit_code] == [0, 1, 2]
    assert report(ROW, allow=frozenset({"row"})).exit_code == 0


def test_a_finding_is_listed_once_and_the_twenty_first_of_a_kind_is_counted():
    many = [Finding("row", "mine", "/t/rows.jsonl", line, "no question") for line in range(25)]
    made = report(*many, many[0])
    assert (len(made.findings), dict(made.more)) == (findings.MAX_LISTED, {("mine", "row"): 5})
    assert "mine: row: 5 more" in findings.as_text(made) and "25 problems" in findings.as_text(made)


def test_text_has_a_compilers_form_and_no_control_bytes():
    text = findings.as_text(report(ROW, Finding("load", "m", "/t/a\x1b[2J.yaml", 0, "/t/a\x1b[2J.yaml: no")))
    assert text.splitlines()[0] == "/t/rows.jsonl:3: row: no question" and "\x1b" not in text


def test_json_and_junit_hold_every_finding(tmp_path):
    made = report(ROW, Finding("leak", "mine", "/t/mine.yaml", 0, "shows <gold> & more"))
    assert [item["line"] for item in findings.as_json(made)["findings"]] == [3, None]
    findings.write_junit(made, tmp_path / "x.xml")
    suite = ElementTree.parse(tmp_path / "x.xml").getroot()[0]
    assert (suite.get("tests"), suite.get("failures")) == (str(len(findings.CODES)), "2")
