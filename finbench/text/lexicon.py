"""The words that the reader knows, as data: `lexicon/{marks,en,zh,ja}.toml`, one file a language.

A section is a list of phrases, or a table of phrases with what they mean. Phrases are no patterns; three signs stand in
them: `...` for up to three words, a last `-` for any ending of the word ("determin-"), and `{section}` for any phrase of
another section. A blank is any blank, and a hyphen where writers put one. Where the languages of a section meet, they are
one list: a text is read for all of them at once. A new language is a new file, and no Python.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from finbench.text.normalize import normalise

FOLDER = Path(__file__).parent / "lexicon"
_ATOM = re.compile(r"\{[\w.]+\}| \.\.\. |\.\.\.|-$|.", re.S)
_GAP = r"(?:\s+[\w'’-]+){0,3}?\s+"
_HAN_GAP = r"[^。；;，,\n]{0,8}?"
_BLANK = r"[\s-]+"
_ENDING = r"\w*"
Trie = dict[str, Any]


@cache
def sections() -> Mapping[str, Mapping[str, Any]]:
    """Every section: phrase -> meaning (None in a plain list), all languages together.

    >>> sections()["scale"]["million"], "therefore" in sections()["act.conclude"]
    (6, True)
    """
    merged: dict[str, dict[str, Any]] = {}
    for path in sorted(FOLDER.glob("*.toml")):
        for name, entries in _flat(tomllib.loads(path.read_text("utf-8"))):
            known = merged.setdefault(name.removesuffix(".phrases"), {})
            listed = entries if isinstance(entries, dict) else dict.fromkeys(entries)
            known.update({normalise(phrase): meaning for phrase, meaning in listed.items()})
    return merged


def _flat(tables: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    found = []
    for name, value in tables.items():
        key = f"{prefix}{name}"
        if isinstance(value, Mapping) and any(isinstance(item, (Mapping, list)) for item in value.values()):
            found += _flat(value, f"{key}.")
        else:
            found.append((key, value))
    return found


def words(section: str) -> Mapping[str, Any]:
    """The phrases of a section with their meanings."""
    return sections()[section]


@cache
def either(*names: str) -> str:
    """A pattern for any phrase of the sections, the longest first; words of letters end where the word ends.

    >>> import re
    >>> bool(re.search(either("act.refuse"), "this cannot easily be determined")), bool(re.search(either("copula"), "isle"))
    (True, False)
    """
    tree: Trie = {}
    for name in names:
        for phrase in sections()[name]:
            node = tree
            for atom in _atoms(phrase):
                node = node.setdefault(atom, {})
            node[""] = {}
    return _written(tree)


def pattern(template: str) -> re.Pattern[str]:
    """A pattern in which `<section>` (or `<one|other>`) stands for any phrase of it, in any case.

    >>> bool(pattern("<act.conclude>").match("Therefore, 5"))
    True
    """
    return re.compile(re.sub(r"(?<!\?P)<([a-z_]+(?:[.|][a-z_]+)*)>", _filled, template), re.I)


def _filled(match: re.Match[str]) -> str:
    return either(*match[1].split("|"))


def _atoms(phrase: str) -> list[str]:
    atoms = []
    latin = phrase[-1].isascii()
    if phrase[0].isascii() and phrase[0].isalpha():
        atoms.append(r"\b")
    for piece in _ATOM.findall(phrase):
        if piece.startswith("{") and len(piece) > 1:
            atoms.append(either(piece[1:-1]))
        elif "..." in piece:
            atoms.append(_GAP if latin else _HAN_GAP)
        elif piece == "-" and len(phrase) > 1 and phrase.endswith("-"):
            atoms.append(_ENDING)
        else:
            atoms.append(_BLANK if piece == " " else re.escape(piece))
    if phrase[-1].isascii() and phrase[-1].isalnum():
        atoms.append(r"(?![A-Za-z])")
    return atoms


def _written(tree: Trie) -> str:
    """The pattern of a trie; what goes on comes before what ends, so that the longest phrase wins."""
    ends = "" in tree
    goes_on = sorted(tree.items(), key=lambda item: item[0].startswith("(?!"))  # where a word ends comes last
    parts = [atom + _written(rest) for atom, rest in goes_on if atom != ""]
    if not parts:
        return ""
    body = parts[0] if len(parts) == 1 and not ends else f"(?:{'|'.join(parts)}{'|' if ends else ''})"
    return body
