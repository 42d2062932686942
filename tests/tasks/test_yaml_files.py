"""Task files as text: what they define, where they are broken, what they would run; nothing is imported."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finbench.errors import TaskError
from finbench.tasks import yaml_files


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


LAUGHS = "a: &a [x, x]\n" + "\n".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [{', '.join(['*' + chr(97 + i)] * 9)}]" for i in range(9)
)

BROKEN = [
    ("task: [unclosed\n", ":2:", "the line"),
    ("task: x\ndoc_to_text: 'a\n", ":3:", "the line of an open quote"),
    ("- a\n- b\n", "list", "a list is no mapping"),
    ("task: 5\n", "`task` is 5", "a name is a text"),
    ("task: ''\n", "expected a name", "nor empty"),
    ("!!python/object/apply:os.system ['id']\n", ":1:", "python tags"),
    ("task: x\nx: !!python/name:os.system\n", ":2:", "python names"),
    (LAUGHS, "aliases", "billion laughs"),
    ("task: x\na: " + "[" * 60 + "]" * 60 + "\n", "nested deeper", "depth"),
    ("task: x\ninclude: ../../etc/passwd.yaml\n", "leaves the task folder", "include outside"),
    ("task: x\ninclude: /etc/hostname\n", "leaves the task folder", "absolute include"),
    ("task: x\ninclude: gone.yaml\n", "does not exist", "include of nothing"),
    ("task: x\ninclude: 5\n", "`include` holds 5", "include of a number"),
    ("task: x\ndate: 2024-99-99\n", "cannot be read as YAML", "an impossible date"),
    ("? [a, b]\n: c\ntask: x\n", "", "an unhashable key"),
]


@pytest.mark.parametrize(("text", "named", "why"), BROKEN, ids=[case[2] for case in BROKEN])
def test_a_broken_file_is_reported_with_its_place_and_the_others_stay(tmp_path, text, named, why):
    write(tmp_path, "good.yaml", "task: good\n")
    bad = write(tmp_path, "bad.yaml", text)
    folder = yaml_files.scan(tmp_path)
    assert list(folder.files) == ["good"]
    assert list(folder.broken) == [bad]
    assert str(bad) in folder.broken[bad] and named in folder.broken[bad]


def test_bytes_that_are_not_utf8_and_huge_files_are_refused(tmp_path):
    (tmp_path / "latin.yaml").write_bytes(b"task: caf\xe9\n")
    (tmp_path / "huge.yaml").write_text("task: x\n#" + "x" * yaml_files.MAX_BYTES)
    reasons = " ".join(yaml_files.scan(tmp_path).broken.values())
    assert "not UTF-8 at byte 9" in reasons and "larger than" in reasons


def test_functions_are_listed_with_their_line_and_never_imported(tmp_path):
    write(tmp_path, "utils.py", f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    text = "task: t\nprocess_docs: !function utils.clean\nprocess_results: !function finbench.lm_eval.number\n"
    write(tmp_path, "t.yaml", text)
    file = yaml_files.scan(tmp_path).files["t"]
    assert [(use.target, use.line) for use in file.functions] == [("utils.clean", 2), ("finbench.lm_eval.number", 3)]
    assert [use.target for use in file.foreign_functions()] == ["utils.clean"]
    assert not (tmp_path / "ran").exists() and "utils" not in sys.modules


def test_an_include_stays_inside_its_folder_and_its_functions_count(tmp_path):
    write(tmp_path, "parts/base.yaml", "process_docs: !function utils.clean\n")
    write(tmp_path, "t.yaml", "task: t\ninclude: parts/base.yaml\n")
    chain = yaml_files.scan(tmp_path).chain("t")
    assert [file.path.name for file in chain] == ["t.yaml", "base.yaml"]
    assert [use.target for file in chain for use in file.foreign_functions()] == ["utils.clean"]


def test_a_link_out_of_the_folder_is_no_way_out(tmp_path):
    outside = write(tmp_path, "outside/base.yaml", "output_type: generate_until\n")
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "base.yaml").symlink_to(outside)
    write(inside, "t.yaml", "task: t\ninclude: base.yaml\n")
    assert "leaves the task folder" in " ".join(yaml_files.scan(inside).broken.values())


def test_cycles_of_includes_and_of_groups_are_named(tmp_path):
    write(tmp_path, "a.yaml", "task: a\ninclude: b.yaml\n")
    write(tmp_path, "b.yaml", "include: a.yaml\n")
    write(tmp_path, "g.yaml", "group: g\ntask: [h]\n")
    write(tmp_path, "h.yaml", "group: h\ntask: [g]\n")
    folder = yaml_files.scan(tmp_path)
    with pytest.raises(TaskError, match="includes itself"):
        folder.chain("a")
    with pytest.raises(TaskError, match="contains itself"):
        folder.members("g")


def test_a_name_taken_twice_in_one_folder_is_reported_with_both_files(tmp_path):
    first = write(tmp_path, "a.yaml", "task: same\n")
    second = write(tmp_path, "b.yaml", "task: same\n")
    folder = yaml_files.scan(tmp_path)
    assert folder.files["same"].path == first and str(first) in folder.broken[second]


def test_members_of_nested_groups_come_in_order_and_foreign_names_are_kept(tmp_path):
    write(tmp_path, "g.yaml", "group: g\ntask: [h, {task: y, num_fewshot: 2}, elsewhere]\n")
    write(tmp_path, "h.yaml", "group: h\ntask: x\n")
    write(tmp_path, "x.yaml", "task: x\n")
    write(tmp_path, "y.yaml", "task: y\n")
    assert yaml_files.scan(tmp_path).members("g") == ["x", "y", "elsewhere"]


def test_the_fingerprint_changes_with_the_text_of_a_part_and_of_the_python(tmp_path):
    part = write(tmp_path, "base.yaml", "doc_to_text: a\n")
    write(tmp_path, "t.yaml", "task: t\ninclude: base.yaml\n")
    python = write(tmp_path, "docs.py", "x = 1\n")

    def hashed() -> str:
        return yaml_files.fingerprint(yaml_files.scan(tmp_path).chain("t"))

    before = hashed()
    assert hashed() == before
    part.write_text("doc_to_text: b\n")
    changed = hashed()
    python.write_text("x = 2\n")
    assert len({before, changed, hashed()}) == 3


def test_a_folder_that_is_not_there_is_an_error_in_words(tmp_path):
    with pytest.raises(TaskError, match="no such folder"):
        yaml_files.scan(tmp_path / "gone")


YAML = st.text(alphabet=st.sampled_from(list("task: []{}&*!|>-'\"\n#?,%@`abc0\t\x00\ud800é")), max_size=200)
KEYS = st.sampled_from(["task", "group", "include", "metadata", "doc_to_text", "generation_kwargs"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(YAML)
def test_any_text_is_a_task_file_or_a_reason(tmp_path, text):
    (tmp_path / "fuzz.yaml").write_bytes(text.encode("utf-8", "surrogatepass"))
    folder = yaml_files.scan(tmp_path)
    assert len(folder.parts) + len(folder.broken) == 1


@given(st.dictionaries(KEYS, VALUES, max_size=4))
def test_any_mapping_is_a_task_file_or_a_reason(tmp_path, config):
    import yaml

    (tmp_path / "fuzz.yaml").write_text(yaml.safe_dump(config, allow_unicode=True), encoding="utf-8", errors="replace")
    folder = yaml_files.scan(tmp_path)
    for name in folder.files:
        try:
            folder.chain(name)
            folder.members(name)
        except TaskError:
            pass
