"""The leaderboard page as a file: what stands in it, how large it is, and that nothing in it can break out."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path

import pytest
from fake_runs import make_runs, make_samples, write_run
from page_parts import Elements, chunks_of, unpacked

from finbench.errors import StoreError, UsageError
from finbench.pages import leaderboard
from finbench.scores.samples import graded

HOSTILE = (
    "<script>window.fired=1</script>",
    "<img src=x onerror=window.fired=1>",
    '"><svg onload=window.fired=1>',
    "</script><script>window.fired=1</script>",
    "<!--<script>",
    "--><b>",
    "' onmouseover='window.fired=1",
    "javascript:window.fired=1",
    "{{ 7 * 7 }}{% raw %}",
    "\u2028\u2029\u202eevil\u202c",
    "=HYPERLINK('http://x')",
    "__proto__",
    "\x00\x1b[31m",
)


def policy_of(page: str) -> str:
    return next(str(attrs["content"]) for _, attrs in Elements(page).tags if attrs.get("http-equiv"))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, leaderboard.BuildReport]:
    root = tmp_path_factory.mktemp("board")
    return root, leaderboard.build(make_runs(root / "runs", models=3, n=30), root / "index.html", reported=False)


def test_the_table_reads_without_javascript(built: tuple[Path, leaderboard.BuildReport]) -> None:
    text = built[1].path.read_text(encoding="utf-8")
    page = " ".join(Elements(text).text)
    for words in ("tests/model-00", "tests/model-02", "FinQA", "ConvFinQA", "Average"):
        assert words in page
    assert text.count('class="cell"') == 3 * 5


def test_the_same_runs_give_the_same_bytes(built: tuple[Path, leaderboard.BuildReport], tmp_path: Path) -> None:
    root, first = built
    runs = sorted(path.parent for path in root.glob("runs/*/*/run.json"))
    again = leaderboard.build(list(reversed(runs)), tmp_path / "index.html", reported=False)
    assert again.path.read_bytes() == first.path.read_bytes()
    assert again.samples == first.samples == 3 * 5 * 30


def test_a_page_loads_nothing_and_names_its_own_script(built: tuple[Path, leaderboard.BuildReport]) -> None:
    text = built[1].path.read_text(encoding="utf-8")
    page = Elements(text)
    assert not [attrs for _, attrs in page.tags if {"src", "srcset", "href", "action"} & set(attrs)]
    policy = policy_of(text)
    own = next(body for attrs, body in page.scripts if not attrs)
    digest = base64.b64encode(hashlib.sha256(own.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy


def test_the_script_stands_before_the_packed_samples(built: tuple[Path, leaderboard.BuildReport]) -> None:
    kinds = [attrs.get("type") for attrs, _ in Elements(built[1].path.read_text(encoding="utf-8")).scripts]
    assert kinds.index(None) < kinds.index("application/octet-stream")
    assert kinds[0] == "application/json"


def test_a_benchmark_that_was_not_run_is_not_a_zero(tmp_path: Path) -> None:
    samples = {"finqa": make_samples(20, 0.5)}
    more = {**samples, "tfns": make_samples(20, 0.5)}
    runs = [write_run(tmp_path / "a", "tests/a", tasks=samples), write_run(tmp_path / "b", "tests/b", tasks=more)]
    text = leaderboard.build(runs, tmp_path / "index.html", reported=False).path.read_text(encoding="utf-8")
    assert text.count('class="missing">not run<') == 1


@pytest.mark.parametrize("payload", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_adds_no_element(payload: str, tmp_path: Path) -> None:
    def page(word: str) -> Elements:
        sample = {
            "question": word,
            "gold": word,
            "text": word,
            "extracted": word,
            "error": word,
            "facets": {"type": word},
        }
        folder = write_run(tmp_path / "run", word, word, {"finqa": [sample]}, run_id="r")
        out = leaderboard.build([folder], tmp_path / "index.html", reported=False)
        return Elements(out.path.read_text(encoding="utf-8"))

    plain, hostile = page("harmless"), page(payload)
    assert [tag for tag, _ in hostile.tags] == [tag for tag, _ in plain.tags]
    assert [sorted(attrs) for _, attrs in hostile.tags] == [sorted(attrs) for _, attrs in plain.tags]


def test_samples_beyond_the_size_go_to_files_beside_the_page(tmp_path: Path) -> None:
    runs = make_runs(tmp_path / "runs", models=2, n=200)
    small = leaderboard.build(runs, tmp_path / "small.html", reported=False, max_mb=0.09)
    assert small.bytes < 90_000
    assert small.sidecars
    assert all(path.parent == tmp_path / "samples" for path in small.sidecars)
    text = small.path.read_text(encoding="utf-8")
    assert "'self' file:" in policy_of(text)
    inside = chunks_of(text)
    beside = {}
    for path in small.sidecars:
        call = re.fullmatch(r'finbenchChunk\("([a-z0-9:]+)","([A-Za-z0-9+/=]+)"\);\n', path.read_text(encoding="ascii"))
        assert call is not None
        beside[call[1]] = unpacked(call[2])
    whole = chunks_of(leaderboard.build(runs, tmp_path / "large.html", reported=False).path.read_text(encoding="utf-8"))
    assert set(whole) == set(inside) | set(beside)
    assert whole["verdicts"] == {**inside, **beside}["verdicts"]


@pytest.mark.parametrize("separators", [(", ", ": "), (",", ":")])
def test_the_short_way_to_a_verdict_is_not_fooled_by_text(separators: tuple[str, str]) -> None:
    inner = {"id": "q", "extracted": '"finbench": {"id": "evil"}}', "nested": {"finbench": {"id": "deep"}}}
    line = {"doc": {"finbench": {"id": "row"}}, "resps": [['x "finbench":{"id":"evil"}}']], "finbench": inner}
    assert graded(json.dumps(line, separators=separators).encode()) == inner
    moved = {"finbench": inner, "doc": {"finbench": {"id": "row"}}}
    assert graded(json.dumps(moved, separators=separators).encode()) == inner


def test_a_torn_last_line_is_left_out_and_a_broken_one_is_named(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", tasks={"finqa": make_samples(3, 1.0)})
    path = folder / "samples_finqa.jsonl"
    with path.open("a") as file:
        file.write('{"doc_id": 3, "fin')
    assert leaderboard.build([folder], tmp_path / "i.html", reported=False).samples == 3
    path.write_text("not json\n" + path.read_text())
    with pytest.raises(StoreError, match=r"samples_finqa\.jsonl.*finbench score"):
        leaderboard.build([folder], tmp_path / "i.html", reported=False)


def test_an_empty_board_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="run"):
        leaderboard.build([], tmp_path / "i.html", reported=False)
    with pytest.raises(StoreError, match="finbench score"):
        leaderboard.build([tmp_path], tmp_path / "i.html", reported=False)


def test_a_lone_surrogate_in_a_reply_neither_stops_the_page_nor_is_lost(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", "m", tasks={"finqa": [{"text": "LONE", "extracted": "LONE"}]})
    for path in folder.iterdir():
        path.write_text(path.read_text().replace("LONE", "\\ud800"))
    found = chunks_of(leaderboard.build([folder], tmp_path / "i.html", reported=False).path.read_text(encoding="utf-8"))
    assert found["answers:0:0"]["extracted"] == ["\ud800"]
