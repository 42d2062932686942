"""Names as paths, foreign text on a terminal."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finbench.sanitize import shown, slug

NAMES = [
    "SUFE-AIFLM-Lab/Fin-R1",
    "../../etc/passwd",
    "..",
    "",
    "a" * 300,
    "CON",
    "模型",
    "a b",
    "-rf",
    "a\x00b",
    "$(id)",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_slug_is_one_safe_path_part(name):
    made = slug(name)
    assert made not in ("", ".", "..") and "/" not in made and "\\" not in made and not made.startswith((".", "-"))
    assert (Path("/runs") / made).resolve().parent == Path("/runs")
    assert len(made) <= 100


@pytest.mark.parametrize(
    ("one", "other"),
    [("a/b", "a_b"), ("a/b", "a//b"), ("模型", "型模"), ("a" * 300, "a" * 301), ("x ", "x")],
)
def test_distinct_names_stay_distinct_also_on_a_disk_that_ignores_case(one, other):
    assert slug(one).lower() != slug(other).lower()


@given(st.text())
def test_any_text_makes_a_slug_and_the_same_text_the_same_slug(name):
    assert slug(name) == slug(name)
    assert set(slug(name)) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")


@given(st.text())
def test_shown_text_holds_no_control_byte_but_tab_and_line_end(text):
    assert all(character.isprintable() or character in "\t\n" or character.isspace() or ord(character) > 0x9F
               for character in shown(text))  # fmt: skip
    assert "\x1b" not in shown(text) and "\u202e" not in shown(text)
