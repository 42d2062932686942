"""The one door of foreign text into a page: escaped, isolated, and without a character that HTML reads."""

from __future__ import annotations

import json

import pytest

from finbench.pages import html
from finbench.records import REASONS

HOSTILE = ("<script>x</script>", "</script><!--", "\u2028\u2029\u202eevil\u202c", "{{ 7 * 7 }}", "\x00\x1b[31m")


def test_inline_json_has_no_character_that_html_reads() -> None:
    text = html.inline_json([*HOSTILE, "&amp;"])
    assert not set(text) & set("<>&\u2028\u2029")
    assert json.loads(text) == [*HOSTILE, "&amp;"]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_cell_of_markdown_holds_no_markup(text: str) -> None:
    cell = html.markdown_text(f"a|{text}*b*\n# c")
    assert "<" not in cell and "\n" not in cell
    assert cell.replace("\\|", "").count("|") == 0


def test_a_policy_allows_the_script_by_its_hash_alone() -> None:
    assert "'sha256-" in html.policy("let x = 1;")
    assert "unsafe-inline" not in html.policy("let x = 1;").split("style-src")[0]
    assert html.policy("a") != html.policy("b")


def test_a_zero_difference_has_no_sign() -> None:
    assert html.signed(-0.001) == html.signed(0.001)
    assert html.signed(2.0).startswith("+")


def test_every_reason_of_a_verdict_has_words_of_its_own() -> None:
    assert not set(REASONS) - set(html.REASON_WORDS)
