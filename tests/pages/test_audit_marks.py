"""The marks of the audit as pages draw them: whose text is whose, where links lead, and that hostile text stays text."""

from __future__ import annotations

import base64
import gzip
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import traces
from fake_runs import write_run
from marked_samples import HOSTILE, ROW, TABLE, graded, hostile_row

from finbench.audit.reply import audit, audited, marked
from finbench.grading import grade
from finbench.pages import audit_marks, drilldown, report
from finbench.pages.audit_marks import LEGEND, VERDICTS, Marking, Piece, should
from finbench.records import Grade
from finbench.scores.samples import GradedReply, SampleFiles, read
from finbench.tasks.documents import document_from_row


def drawn(text: str, *, reasoning: str = "", row: dict[str, Any] | None = None) -> Marking:
    document = document_from_row(row or ROW, "finqa")
    verdict = grade(document, text, reasoning=reasoning)
    made = audit_marks.marking(GradedReply(document, text, reasoning, verdict, 0), verdict.span)
    assert made is not None
    return made


def pieces(made: Marking) -> list[Piece]:
    return [piece for stretch in (*made.reasoning, *made.answer) for piece in stretch.pieces]


ORIGINS = [
    ("Sales were 3,140", "3,140", "cell", "c1-1", "a cell"),
    ("with 9,400 people", "9,400", "sentence", "s0", "a sentence"),
    ("the target of 4.2%", "4.2%", "question", "q", "the question"),
    ("3,140 - 3,075 = 65, so 65 more", "65", "computed", "k0", "an earlier result, said again"),
    ("from 3,075 to 3,140, so 65 more", "65", "implied", "", "a step that is not stated"),
    ("3,140 × 100", "100", "constant", "", "a constant"),
    ("divided by 3", "3", "constant", "", "a small count"),
    ("costs of $8,641.77", "8,641.77", "nothing", "", "from nowhere"),
]


@pytest.mark.parametrize(("text", "number", "kind", "target", "why"), ORIGINS, ids=[case[4] for case in ORIGINS])
def test_a_number_is_marked_by_its_origin(text: str, number: str, kind: str, target: str, why: str) -> None:
    found = [piece for piece in pieces(drawn(text)) if piece.text == number][-1]
    assert (found.kind, found.target) == (kind, target)
    assert kind in LEGEND


def test_a_cell_is_named_by_row_and_column() -> None:
    found = next(piece for piece in pieces(drawn("It was 272.")) if piece.kind == "cell")
    assert "operating income | 2018" in found.note


def test_a_calculation_is_framed_and_a_wrong_one_says_what_it_should_be() -> None:
    made = drawn("3,140 - 3,075 = 66. 66 / 3,075 = 2.15%. 251 + 272 ≈ 523")
    assert [stretch.verdict for stretch in made.answer if stretch.verdict] == ["wrong", "rounding", "right"]
    verdicts = [(piece.kind, piece.note, piece.target) for piece in pieces(made) if piece.kind in VERDICTS]
    assert verdicts[0] == ("wrong", "65", "k0")
    assert made.findings[0][:4] == (
        "bad",
        "First wrong step",
        "3,140 - 3,075 = 66",
        "should be 65 (1 of 3 calculations wrong)",
    )


def test_calculations_of_one_chain_stand_in_one_frame_with_the_worst_verdict() -> None:
    made = drawn("(3,140 - 3,075) / 3,075 = 65 / 3,075 = 0.0311")
    (chain,) = [stretch for stretch in made.answer if stretch.verdict]
    assert chain.verdict == "wrong"
    assert [piece.kind for piece in chain.pieces if piece.kind in VERDICTS] == ["right", "wrong"]


SHOULD = [
    ("0.0211382113821", "2.3%", "2.11382%", "percent"),
    ("0.0211382113821", "0.0213", "0.0211382", "a quotient"),
    ("-6.06325656", r"-6.08\%", "-6.06326%", "percent of what is already a hundred"),
    ("70000000", "0.5 billion", "0.07 billion", "a scale word"),
    ("1234567", "1,234,569", "1,234,567", "whole"),
    ("very large", "3", "very large", "beyond numbers"),
    ("0", "3%", "0%", "nothing"),
]


@pytest.mark.parametrize(("exact", "stated", "expected", "why"), SHOULD, ids=[case[3] for case in SHOULD])
def test_what_a_step_should_say_has_the_form_of_what_it_says(exact: str, stated: str, expected: str, why: str) -> None:
    assert should(exact, stated) == expected


TEXTS = [
    "",
    "no number",
    "<think>3,140 - 3,075 = 66</think>\n\n\\boxed{2.11%}",
    "(251 + 272 = 523) and 3,140/3,075 - 1 = 1.0211 - 1 = 2.11% = 0.0211",
    "\u202e3,140\u202c \x00 - \x1b[31m3,075 = 65 \ud83d\ude00 ３１４０ － ３０７５ ＝ ６５",
    "<b>3,140</b><script>3,075</script>&lt;65&gt;</pre>",
]


@pytest.mark.parametrize("reasoning", ["", "3,140 - 3,075 = 65, hm"])
@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_the_pieces_are_the_whole_text(text: str, reasoning: str) -> None:
    document = document_from_row(ROW, "finqa")
    made = audit_marks.marking(
        GradedReply(document, text, reasoning, Grade(False, "different"), 0), (0, 2) if text else None
    )
    if made is None:
        assert not audited(text, reasoning).strip()
        return
    whole = "".join(piece.text for piece in pieces(made))
    assert re.sub(r"\s", "", whole) == re.sub(r"\s", "", audited(text, reasoning))


@pytest.mark.parametrize("seed", range(len(traces.VOICES)))
def test_every_mark_of_the_audit_is_drawn_once(seed: int) -> None:
    for fault in ("", "digit", "nowhere", "lucky"):
        trace = traces.write(ROW, seed, fault)
        assert trace
        document = document_from_row(ROW, "finqa")
        verdict = grade(document, trace.text)
        expected = marked(trace.text, audit(document, trace.text, verdict))
        kinds = [piece.kind for piece in pieces(drawn(trace.text)) if piece.kind]
        assert len(kinds) == len(expected)
        assert sum(kind in VERDICTS for kind in kinds) == sum(kind in VERDICTS for _, _, kind, _ in expected)


def test_the_extracted_answer_is_marked_to_whole_numbers() -> None:
    made = drawn("So it is \\boxed{2.11%}.")
    assert [piece.text for piece in made.answer[0].pieces if piece.answer] == ["2.11%"]


def test_of_a_long_reply_beginning_and_end_are_shown_and_no_link_leads_elsewhere() -> None:
    filler = "word " * 6000
    made = drawn(f"{filler} 251 + 272 = 500. {filler}</think>{filler} it is 500, or 523, or 2.11%")
    assert made.reasoning_cut > 30_000
    assert made.answer_cut > 20_000
    assert made.findings[0].words == "First wrong step"
    targets = {piece.target for piece in pieces(made) if piece.target and piece.kind not in VERDICTS}
    assert not {target for target in targets | {made.findings[0].target} if target.startswith("k")}


@pytest.mark.parametrize(
    ("row", "why"),
    [({"table": None, "cells": []}, "no page"), ({"answer": {"kind": "text"}}, "no number"), ({"gold": 3}, "no row")],
    ids=["no page", "no number", "no row"],
)
def test_there_are_no_marks_where_the_audit_does_not_apply(row: dict[str, Any], why: str) -> None:
    line = {"finbench": {"correct": True, "reason": "equal", "extracted": "1", "value": "1", "lenient": True}}
    assert audit_marks.of_line({**line, "doc": {**ROW, **row}, "resps": [["1"]]}) is None


# -- on the pages ------------------------------------------------------------------------------------------------------


class Elements(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Elements:
    texts = [f"<think>{word} 9,400</think>{word}. 3,140 - 3,075 = 66, so 66 \\boxed{{{word}2.15%}}" for word in HOSTILE]
    samples = [graded(text, hostile_row(word)) for text, word in zip(texts, HOSTILE, strict=True)]
    samples.append(graded("3,140 - 3,075 = 65. 65 / 3,075 = 2.11%"))
    samples.append(graded("3,140 - 3,075 = 66. It is 2.11%"))
    run = write_run(tmp_path_factory.mktemp("marks") / "run", tasks={"finqa": samples})
    return Elements(report.write(run)[0].read_text(encoding="utf-8"))


def test_hostile_replies_and_tables_open_no_element(page: Elements, tmp_path: Path) -> None:
    calm = [graded("3,140 - 3,075 = 66 of 9,400 and 4.2% and 777, so 66 \\boxed{2.15%}"), graded("3,140 - 3,075 = 65")]
    run = write_run(tmp_path / "run", tasks={"finqa": calm})
    expected = Elements(report.write(run)[0].read_text(encoding="utf-8"))
    assert {tag for tag, _ in page.tags} <= {tag for tag, _ in expected.tags} | {"mark"}
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    whole = "".join(page.text)
    assert "<script>window.fired=1</script>" in whole
    assert "{{ 7 * 7 }}{% raw %}" in whole


def test_every_link_of_a_marked_reply_leads_somewhere_and_no_name_is_given_twice(page: Elements) -> None:
    links = [attributes["href"] for tag, attributes in page.tags if tag == "a" and attributes.get("href")]
    names = [attributes["id"] for _, attributes in page.tags if re.match(r"m\d", attributes.get("id") or "")]
    assert len(links) > 20
    assert len(names) == len(set(names))
    assert {str(link)[1:] for link in links} <= set(names)


def test_a_report_puts_lucky_and_sound_answers_first(page: Elements) -> None:
    whole = "".join(page.text)
    assert (
        whole.index("Right by luck")
        < whole.index("Sound, and as the gold program does it")
        < whole.index("Wrong answers, by reason")
    )
    assert "Right by luck: no sound calculation gives the answer" in whole


def unpacked(text: str) -> Any:
    return json.loads(gzip.decompress(base64.b64decode(text)))


def test_the_drill_down_ships_marks_for_a_bounded_number_of_replies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = [graded("3,140 - 3,075 = 66", {**ROW, "id": f"q{i}"}) for i in range(12)]
    samples += [graded("1 + 1 = 3. It is \\boxed{2.11%}", {**ROW, "id": f"lucky{i}"}) for i in range(6)]
    samples.append(graded("3,140 - 3,075 = 66 " + "word " * 5000, {**ROW, "id": "long"}))
    run = write_run(tmp_path / "run", tasks={"finqa": samples})
    monkeypatch.setattr(drilldown, "MARKED", 6)
    made = drilldown.pack(read({(0, 0): SampleFiles((run / "samples_finqa.jsonl",))}), 10**6)
    items = dict(unpacked(made.chunks["replies:0:0"])["items"])
    with_marks = sorted(place for place, entry in items.items() if "m" in entry)
    assert with_marks == [0, 1, 2, 3, 12, 13]  # two right by luck, the rest of the six wrong
    assert all(("t" in entry) != ("m" in entry) for entry in items.values())
    assert items[0]["m"]["table"] == TABLE
    assert items[0]["m"]["cells"] == ["c1-1", "c1-2"]


def test_a_long_reply_in_the_drill_down_is_whole_and_plain(tmp_path: Path) -> None:
    text = "3,140 - 3,075 = 66 " + "word " * 5000
    run = write_run(tmp_path / "run", tasks={"finqa": [graded(text)]})
    made = drilldown.pack(read({(0, 0): SampleFiles((run / "samples_finqa.jsonl",))}), 10**6)
    ((_, entry),) = unpacked(made.chunks["replies:0:0"])["items"]
    assert entry["t"] == text
    assert "m" not in entry
