"""The leaderboard in a real browser: it works, it is safe, it asks the network for nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from fake_runs import make_samples, make_unsure, write_run
from marked_samples import HOSTILE, ROW, graded, hostile_row

from finbench import cli
from finbench.pages import leaderboard, report
from finbench.scores.significance import paired

pytestmark = pytest.mark.browser

PAYLOADS = (
    "<script>window.fired=1</script>",
    "<img src=x onerror=window.fired=1>",
    "<svg/onload=window.fired=1>",
    '"><iframe srcdoc="<script>parent.fired=1</script>">',
    "</script><script>window.fired=1</script>",
    "</style><script>window.fired=1</script>",
    "<!--<script>window.fired=1</script>-->",
    "' onfocus='window.fired=1' autofocus='",
    "<a href=javascript:window.fired=1>x</a>",
    "<form id=data><input name=textContent>",
    "<img name=getElementById><img id=samples>",
    "<link rel=stylesheet href=http://127.0.0.1:9/x.css>",
    "<meta http-equiv=refresh content='0;url=http://127.0.0.1:9/'>",
    "![x](http://127.0.0.1:9/x.png)",
    "$\\href{javascript:window.fired=1}{x}$",
    "__proto__",
    "constructor",
    "\u202etxet desrever\u202c \u0000 \u0007",
)


def hostile_runs(root: Path) -> list[Path]:
    """Two runs whose every text is an attack."""
    runs = []
    for number in range(2):
        samples = [
            {
                "id": f"{place}{word}",
                "question": word,
                "gold": word,
                "text": f"<think>{word}</think>{word}",
                "extracted": word,
                "value": word + " ",
                "rule": word,
                "correct": place % 2 == number,
                "reason": "equal" if place % 2 == number else "different",
                "finish": "error" if place == 3 else "stop",
                "error": word,
                "reasoning": word,
                "prompt": [{"role": "system", "content": word}, {"role": "user", "content": word}],
                "flags": [word],
                "facets": {word: word, "question_type": word},
                "judge": {"verdict": "wrong", "model": word, "text": word},
            }
            for place, word in enumerate(PAYLOADS)
        ]
        name = PAYLOADS[number] + PAYLOADS[4]
        tasks = {PAYLOADS[1]: samples[:3], "finqa": samples}
        manifest = {
            "versions": {"finbench": PAYLOADS[1]},
            "command": ["finbench", PAYLOADS[0]],
            "git_commit": PAYLOADS[4],
        }
        folder = write_run(
            root / str(number), name, PAYLOADS[5], {"finqa": samples}, run_id=PAYLOADS[0], manifest=manifest
        )
        # A task may have any name; its samples file has a safe one.
        results = json.loads((folder / "results.json").read_text())
        results["finbench"]["tasks"] = {
            PAYLOADS[1]: results["finbench"]["tasks"]["finqa"],
            **results["finbench"]["tasks"],
        }
        (folder / "results.json").write_text(json.dumps(results))
        assert tasks
        runs.append(folder)
    return runs


def search(page: Any, words: str) -> None:
    """Type into the search box."""
    script = "const box = arguments[0]; box.value = arguments[1]; box.dispatchEvent(new Event('input'))"
    page.run(script, page.run("return document.querySelector('#search')"), words)


def calm(page: Any) -> None:
    """Nothing fired, nothing was complained about, nothing was fetched."""
    assert page.run("return window.fired") is None
    assert page.run("return Object.prototype.fired ?? Object.keys(Object.prototype).length") == 0
    assert page.complaints() == []
    assert {url.split(":")[0] for url in page.requests()} <= {"file", "data", "blob", "about"}
    assert page.run("return document.querySelectorAll('iframe, img, link, object, embed, form').length") == 0


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("hostile")
    leaderboard.build(hostile_runs(root / "runs"), root / "index.html", reported=False)
    return root


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three models, two tasks, one of them in clusters and one row with a benchmark missing."""
    root = tmp_path_factory.mktemp("board")
    for number, skill in enumerate((0.8, 0.6, 0.3)):
        tasks: dict[str, Any] = {"finqa": make_samples(230, skill, seed=number)}
        if number < 2:
            tasks["convfinqa"] = make_samples(120, skill, seed=10 + number, cluster_size=4)
        write_run(root / "runs" / str(number), f"tests/model-{number}", tasks=tasks)
    leaderboard.build(sorted((root / "runs").iterdir()), root / "index.html", reported=False)
    return root


def test_hostile_text_fires_nothing_on_the_board(page: Any, hostile: Path) -> None:
    page.open(hostile / "index.html")
    page.click("input.reference")
    page.settled()
    assert page.run("return document.querySelectorAll('button.cell').length") == 2
    calm(page)


def test_hostile_text_fires_nothing_in_the_samples(page: Any, hostile: Path) -> None:
    page.open(hostile / "index.html")
    page.click("input.reference")
    page.click("button.cell", 1)
    page.settled()
    page.click(".chips button")
    page.settled()
    for place in range(len(PAYLOADS)):
        page.wait("return document.querySelector('.reply .box')")
        page.run("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        assert PAYLOADS[place][:12].replace("\0", "") in page.text("#detail").replace("\0", "").replace("\ufffd", "")
        page.click("#detail .headline button", 1)
        page.settled()
    calm(page)


def test_hostile_text_fires_nothing_head_to_head(page: Any, hostile: Path) -> None:
    page.open(hostile / "index.html")
    page.click("[data-view=versus]")
    page.settled()
    page.wait("return document.querySelector('.flips tbody tr')")
    calm(page)


@pytest.mark.parametrize("payload", PAYLOADS, ids=range(len(PAYLOADS)))
def test_a_hostile_hash_or_search_fires_nothing(page: Any, board: Path, payload: str) -> None:
    word = quote(payload)
    names = (
        "view",
        "row",
        "task",
        "with",
        "filter",
        "reason",
        "at",
        "q",
        "find",
        "sort",
        "dir",
        "hide",
        "theme",
        "ref",
    )
    for fragment in (
        "#" + word,
        "#find=" + word,
        "#" + "&".join(f"{name}={word}" for name in names),
        "#__proto__=1&constructor=2&toString=3&view=__proto__",
    ):
        page.open(board / "index.html", fragment)
        page.settled()
        calm(page)
    page.open(board / "index.html")
    search(page, payload)
    assert page.text("#count").startswith("0 of 3")
    page.open(board / "index.html", page.run("return location.hash"))
    assert page.text("#count").startswith("0 of 3")
    calm(page)


def test_reports_with_hostile_text_fire_nothing(page: Any, hostile: Path) -> None:
    for run in sorted((hostile / "runs").iterdir()):
        report.write(run)
        page.open(run / "report.html")
        page.run("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        calm(page)


def test_sorting_filtering_and_state_in_the_address(page: Any, board: Path) -> None:
    def names() -> list[str]:
        return page.run("""
            const rows = [...document.querySelectorAll("tr[data-row]")].filter((row) => !row.hidden);
            return rows.map((row) => row.querySelector(".who .foreign").textContent);
        """)

    page.open(board / "index.html")
    page.click("thead button", 2)
    assert names() == ["tests/model-0", "tests/model-1", "tests/model-2"]
    page.click("thead button", 2)
    assert names() == ["tests/model-2", "tests/model-1", "tests/model-0"]
    page.click("thead button", 3)
    assert names()[-1] == "tests/model-2"  # not run is last in both directions
    page.click("thead button", 3)
    assert names()[-1] == "tests/model-2"
    search(page, "MODEL-1")
    assert names() == ["tests/model-1"]
    fragment = page.run("return location.hash")
    page.open(board / "index.html", fragment)
    assert names() == ["tests/model-1"]
    assert page.run("return document.querySelector('[data-sort=t1]').getAttribute('aria-sort')") == "ascending"


def test_differences_are_those_of_the_statistics(page: Any, board: Path) -> None:
    page.open(board / "index.html", "#view=versus")
    page.settled()
    lines = page.wait(
        "const rows = [...document.querySelectorAll('#versus .scroll table')][0]?.tBodies[0].rows;"
        "return rows && [...rows].map((row) => [...row.cells].map((cell) => cell.innerText.trim()))"
    )
    for line, task, size, cluster in zip(lines, ("finqa", "convfinqa"), (230, 120), (1, 4), strict=False):
        scores = []
        for number, skill in enumerate((0.8, 0.6)):
            seed = number if task == "finqa" else 10 + number
            scores.append([float(one["correct"]) for one in make_samples(size, skill, seed=seed, cluster_size=cluster)])
        found = paired(*scores, [f"page{i // cluster}" for i in range(size)] if cluster > 1 else None)
        number = lambda text: float(text.replace("−", "-"))  # noqa: E731
        assert number(line[4]) == pytest.approx(100 * found.mean, abs=0.051)
        low, high = map(number, line[5].split(" to "))
        assert (low, high) == (pytest.approx(100 * found.low, abs=0.06), pytest.approx(100 * found.high, abs=0.06))
        assert (int(line[6]), int(line[7])) == (found.wins, found.losses)
        p = 0.0 if line[8].startswith("<") else float(line[8])
        assert p == pytest.approx(found.p, abs=0.001)


def test_a_cell_opens_its_samples_with_filters_that_count(page: Any, board: Path) -> None:
    page.open(board / "index.html")
    page.click("button.cell", 0)
    page.settled()
    wrong = sum(not one["correct"] for one in make_samples(230, 0.8, seed=0))
    unreadable = sum(one["reason"] == "no_answer" for one in make_samples(230, 0.8, seed=0))
    chips = page.text(".chips")
    assert f"Wrong {wrong}" in chips
    assert f"Unreadable {unreadable}" in chips
    assert page.run("return document.querySelectorAll('.list .item').length") == min(100, wrong)
    page.wait("return document.querySelector('.reply .box')")
    assert "Answer:" in page.text(".reply")
    assert "Invented question" in page.run("return document.querySelector('#detail details .box').textContent")
    page.click(".chips button", 0)
    page.settled()
    page.click(".list .more")
    assert page.run("return document.querySelectorAll('.list .item').length") == 200
    page.driver.back()
    page.wait("return !document.querySelector('#board-view').hidden")


def test_unsure_verdicts_have_a_filter_and_name_their_rival(page: Any, board: Path, tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", "tests/unsure", tasks={"finqa": make_unsure()})
    leaderboard.build([run], tmp_path / "index.html", reported=False)
    page.open(tmp_path / "index.html")
    page.click("button.cell", 0)
    page.settled()
    assert "Unsure 2" in page.text(".chips")
    page.click("#filter-unsure")
    page.settled()
    assert page.run("return document.querySelectorAll('.list .item').length") == 2
    assert page.text(".list .item .badge") == "unsure"
    assert "unsure" in page.text("#detail .answers dd.wide")
    assert "<b>0 | 7</b> stands behind it" in page.text("#detail")
    assert "filter=unsure" in page.run("return location.hash")
    page.open(board / "index.html")  # of an earlier version: no such filter
    page.click("button.cell", 0)
    page.settled()
    assert "Unsure" not in page.text(".chips")


def test_samples_on_which_two_models_differ(page: Any, board: Path) -> None:
    page.open(board / "index.html")
    page.click("input.reference", 1)
    page.settled()
    page.click("button.cell", 0)
    page.settled()
    left, right = (make_samples(230, skill, seed=seed) for seed, skill in enumerate((0.8, 0.6)))
    flips = sum(a["correct"] != b["correct"] for a, b in zip(left, right, strict=True))
    assert f"Differs from the other model {flips}" in page.text(".chips")
    assert page.run("return document.querySelectorAll('.sides.two > div').length") == 2


def test_samples_in_files_beside_the_page_open_too(page: Any, board: Path, tmp_path: Path) -> None:
    runs = sorted((board / "runs").iterdir())
    made = leaderboard.build(runs, tmp_path / "index.html", reported=False, max_mb=0.08)
    assert any("replies" in path.name for path in made.sidecars)
    page.open(tmp_path / "index.html")
    page.click("button.cell", 0)
    page.settled()
    page.wait("return document.querySelector('.reply .box')")
    assert "Answer:" in page.text(".reply")
    assert page.complaints() == []
    assert all(url.startswith(("file://", "blob:")) for url in page.requests())


def test_a_missing_file_beside_the_page_is_said_aloud(page: Any, board: Path, tmp_path: Path) -> None:
    made = leaderboard.build(sorted((board / "runs").iterdir()), tmp_path / "index.html", reported=False, max_mb=0.05)
    for path in made.sidecars:
        path.unlink()
    page.open(tmp_path / "index.html")
    page.click("button.cell", 0)
    page.settled()
    assert "missing" in page.text("#samples")


def saved(page: Any, ending: str) -> str:
    """What the page's Export gives."""
    page.run("URL.createObjectURL = (blob) => { window.saved = blob; return 'about:blank#'; }")
    page.run("HTMLAnchorElement.prototype.click = () => {}; window.saved = null")
    page.click(f"[data-export={ending}]")
    page.wait("return window.saved")
    return page.driver.execute_async_script("window.saved.text().then(arguments[arguments.length - 1])")


@pytest.mark.parametrize("ending", ["csv", "json", "md", "tex"])
def test_the_export_of_the_page_is_that_of_the_command_byte_for_byte(page: Any, tmp_path: Path, ending: str) -> None:
    name = "=cmd|'/c calc'!A1 | 50% & $x_1$ <b> \u00b1 \u2028"
    write_run(tmp_path / "runs" / "a", name, tasks={"finqa": make_samples(20, 0.5)})
    write_run(
        tmp_path / "runs" / "b",
        "tests/other",
        "paper",
        {"finqa": make_samples(20, 0.9), "own_task": make_samples(9, 1)},
    )
    write_run(tmp_path / "runs" / "c", "tests/third", tasks={"finqa": make_samples(20, 0.8, seed=3)})
    flag = {"md": "markdown", "tex": "latex"}.get(ending, ending)
    command = ["leaderboard", "build", tmp_path / "runs", "-o", tmp_path / "index.html", f"--{flag}", tmp_path / "out"]
    assert cli.main(list(map(str, command))) == 0
    page.open(tmp_path / "index.html")
    assert saved(page, ending).encode() == (tmp_path / "out").read_bytes()
    search(page, "third")
    assert "tests/other" not in saved(page, ending)
    assert "third" in saved(page, ending)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("view", ["board", "samples", "versus", "report"])
def test_axe_finds_no_serious_violation(
    page: Any, board: Path, axe: Callable[[], list[str]], view: str, dark: bool
) -> None:
    page.emulate(dark=dark)
    if view == "report":
        run = board / "runs" / "0"
        report.write(run)
        page.open(run / "report.html")
    else:
        page.open(board / "index.html")
        page.click("input.reference", 1)
        page.settled()
    if view == "samples":
        page.click("button.cell", 0)
        page.settled()
        page.wait("return document.querySelector('.reply .box')")
    if view == "versus":
        page.click("[data-view=versus]")
        page.settled()
    assert axe() == []


def test_nothing_scrolls_sideways_on_a_narrow_screen(page: Any, board: Path) -> None:
    page.emulate(width=420, height=800)
    for fragment in ("", "#view=versus"):
        page.open(board / "index.html", fragment)
        page.settled()
        assert page.run("return document.documentElement.scrollWidth") <= 420
    page.click("[data-view=board]")
    page.click("button.cell", 0)
    page.settled()
    assert page.run("return document.documentElement.scrollWidth") <= 420


@pytest.fixture(scope="module")
def marked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with marked replies, one of them over a table that is wide; and with attacks in all that the marks show."""
    wide = {**ROW, "id": "wide", "table": [[*line, *(f"{line[0]} {n}" for n in range(9))] for line in ROW["table"]]}
    long = "The company reports net sales of 3,140 and 3,075, and it employed 9,400 people. " * 40
    samples = [
        graded(f"<think>{long} 3,140 - 3,075 = 66.</think> 66 / 3,075 = 2.15%, with 777 \\boxed{{2.15%}}"),
        graded("<think>3,140 - 3,075 = 65. 65 / 3,075 ≈ 0.0211</think> \\boxed{2.11%}", wide),
        *(
            graded(f"<think>{word} 9,400</think>{word}. 3,140 - 3,075 = 66 \\boxed{{{word}2.15%}}", hostile_row(word))
            for word in HOSTILE
        ),
    ]
    root = tmp_path_factory.mktemp("marked")
    run = write_run(root / "run", tasks={"finqa": samples})
    report.write(run)
    leaderboard.build([run], root / "index.html", reported=False)
    return root


UNFOLD = "document.querySelectorAll('details').forEach((one) => { one.open = true; })"


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_number_leads_to_its_cell_in_the_report(
    page: Any, marked: Path, axe: Callable[[], list[str]], dark: bool
) -> None:
    page.emulate(dark=dark)
    page.open(marked / "run" / "report.html")
    page.run(UNFOLD)
    assert axe() == []
    link = "[...document.querySelectorAll('a.o.cell')].find((one) => one.textContent === '3,075')"
    page.run(f"{link}.focus()")
    assert page.run(f"return document.activeElement === {link}")
    page.run(f"{link}.click()")
    assert page.run("return document.querySelector(':target').textContent") == "$ 3075"
    assert page.run("return getComputedStyle(document.querySelector(':target')).outlineStyle") == "solid"
    box = page.run("const b = document.querySelector(':target').getBoundingClientRect(); return [b.top, b.bottom]")
    assert 0 <= box[0] < box[1] <= 900
    page.run("document.querySelector('.found a').click()")
    assert page.run("return document.querySelector(':target').classList.contains('wrong')")
    calm(page)


def test_a_number_leads_to_its_cell_in_the_drill_down(page: Any, marked: Path, axe: Callable[[], list[str]]) -> None:
    page.open(marked / "index.html")
    page.click("button.cell")
    page.settled()
    page.wait("return document.querySelector('.reply .beside')")
    assert axe() == []
    address = page.run("return location.href")
    page.run("[...document.querySelectorAll('a.o.cell')].find((one) => one.textContent === '3,075').click()")
    assert page.text("#detail .hit") == "$ 3075"
    page.click(".found a")
    assert page.text("#detail .hit").endswith("65")
    assert page.run("return [...document.querySelectorAll('#detail .hit')].length") == 1
    assert page.run("return location.href") == address
    for _ in HOSTILE:
        page.click("#detail .headline button", 1)
        page.settled()
        page.wait("return document.querySelector('.reply .beside')")
    calm(page)


def test_marked_replies_fit_a_narrow_screen(page: Any, marked: Path) -> None:
    page.emulate(width=390, height=800)
    page.open(marked / "run" / "report.html")
    page.run(UNFOLD)
    assert page.run("return document.documentElement.scrollWidth") <= 390
    page.open(marked / "index.html")
    page.click("button.cell")
    page.settled()
    page.wait("return document.querySelector('.reply .beside')")
    assert page.run("return document.documentElement.scrollWidth") <= 390


def opened(page: Any, path: Path, fragment: str = "") -> None:
    """The samples of the first score, by the keyboard where there is no fragment."""
    page.open(path, fragment)
    if not fragment:
        page.run("document.querySelector('button.cell').focus()")
        page.run("document.activeElement.click()")
    page.wait("return document.querySelector('#samples .item[aria-current]')")
    page.settled()


def chosen(page: Any) -> str:
    return page.text("#detail h3")


def test_an_address_names_its_sample_in_a_page_that_is_built_again(page: Any, tmp_path: Path) -> None:
    before = make_samples(30, 0.5, seed=1)
    after = [{**one, "correct": False, "reason": "different"} for one in before[:10]] + before[10:]
    for name, samples in (("before", before), ("after", after)):
        run = write_run(tmp_path / name / "run", "tests/one", tasks={"finqa": samples}, run_id="one")
        leaderboard.build([run], tmp_path / f"{name}.html", reported=False)
    opened(page, tmp_path / "before.html")
    page.run("document.body.dispatchEvent(new KeyboardEvent('keydown', { key: 'j', bubbles: true }))")
    page.settled()
    name, fragment, listed = chosen(page), page.run("return location.hash"), page.text(".list")
    assert quote(name) in fragment
    opened(page, tmp_path / "after.html", fragment)
    assert chosen(page) == name
    assert page.text(".list") != listed


def test_samples_of_one_id_and_its_repeats_have_addresses_of_their_own(page: Any, tmp_path: Path) -> None:
    samples = [{**one, "id": "x" * 99 + "\U0001f600 cut in the middle of a pair"} for one in make_samples(4, 0)]
    run = write_run(tmp_path / "run", tasks={"finqa": samples})
    leaderboard.build([run], tmp_path / "page.html", reported=False)
    opened(page, tmp_path / "page.html")
    seen = set()
    for _ in range(4):
        seen.add(
            (page.run("return document.querySelector('#detail small').innerText"), page.run("return location.hash"))
        )
        page.click("#detail .headline button", 1)
        page.settled()
    assert len({address for _, address in seen}) == len({place for place, _ in seen}) == 4
    assert page.complaints() == []


def test_the_focus_goes_to_the_samples_and_back_to_the_score(page: Any, board: Path) -> None:
    opened(page, board / "index.html")
    assert page.wait("return document.activeElement.matches('.item[aria-current]')")
    page.click("#filter-all")
    page.run("document.querySelector('#filter-wrong').focus(); document.activeElement.click()")
    page.settled()
    assert page.run("return document.activeElement.id") == "filter-wrong"
    page.run("document.activeElement.dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape', bubbles: true }))")
    assert page.wait("return document.activeElement.matches('button.cell')")
    assert page.run("return document.activeElement === document.querySelector('button.cell')")


def test_escape_empties_the_search_box_and_then_returns(page: Any, board: Path) -> None:
    from selenium.webdriver.common.keys import Keys

    opened(page, board / "index.html")
    box = page.driver.find_element("id", "sample-search")
    box.send_keys("7")
    page.settled()
    page.driver.switch_to.active_element.send_keys(Keys.ESCAPE)
    page.wait("return document.querySelector('#sample-search').value === ''")
    assert page.run("return document.querySelector('#board-view').hidden")
    page.driver.switch_to.active_element.send_keys(Keys.ESCAPE)
    page.wait("return !document.querySelector('#board-view').hidden")


def test_a_narrow_screen_says_that_the_table_goes_on(page: Any, board: Path) -> None:
    page.emulate(width=390, height=800)
    page.open(board / "index.html")
    page.wait("return !document.querySelector('#sideways').hidden")
    assert "sideways" in page.text("#sideways")
    page.run("document.querySelector('.board-scroll').scrollLeft = 9999")
    page.wait("return document.querySelector('#sideways').hidden")
    page.emulate(width=1900, height=800)
    page.open(board / "index.html")
    page.wait("return document.querySelector('#sideways').hidden")
