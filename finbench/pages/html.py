"""What every HTML page of finbench shares: templates, the safe way into a page for hostile text, and plain words.

Model output, model and task names and dataset rows are hostile. They enter a page by three doors only: an autoescaped
template expression, `inline_json` inside an inert script element, or `packed` (gzip and base64, nothing to escape).
A page carries a content security policy that lets its own script run, by hash, and nothing else load.
"""

from __future__ import annotations

import base64
import functools
import gzip
import hashlib
import json
import re
from datetime import datetime
from importlib.resources import files
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment

# Reasons and rules in words, for people who have not read docs/grading.md. Keys are records.REASONS.
REASON_WORDS = {
    "equal": "equal to the gold answer",
    "rounding": "equal after rounding to the coarser precision",
    "percent_form": "equal, percent and fraction forms of one value",
    "scale_form": "equal, with the scale written another way",
    "alias": "an accepted wording of the gold answer",
    "tolerance": "within the tolerance that the task declares",
    "off_by_100": "100 times too large or too small",
    "wrong_scale": "right digits at the wrong scale",
    "wrong_sign": "right size, wrong direction",
    "wrong_unit": "another unit or currency than asked",
    "wrong_precision": "not at the precision asked for",
    "wrong_cell": "a number of the table, but not the answer",
    "inverted": "the ratio turned upside down",
    "intermediate": "an intermediate result, not the last step",
    "different": "another answer",
    "missing_choice": "a correct option is missing",
    "extra_choice": "an option too many",
    "contradicted": "the gold fact is contradicted",
    "two_answers": "two different answers offered",
    "range": "a range or bound where a value is asked",
    "no_answer": "no answer stated",
    "refusal": "declined to answer",
    "truncated": "cut off before the answer",
    "not_a_number": "the answer is not a number",
    "error": "the request failed",
    "needs_judge": "the gold is a sentence that only a judge can compare",
    "unparsed": "the judge's verdict could not be read",
}

SHORT_REASONS = {
    "equal": "equal",
    "rounding": "rounding",
    "percent_form": "percent form",
    "scale_form": "scale form",
    "alias": "alias",
    "off_by_100": "100 times off",
    "wrong_scale": "wrong scale",
    "wrong_sign": "wrong sign",
    "wrong_unit": "wrong unit",
    "wrong_precision": "wrong precision",
    "wrong_cell": "wrong cell",
    "inverted": "inverted",
    "intermediate": "intermediate step",
    "different": "another answer",
    "missing_choice": "choice missing",
    "extra_choice": "choice too many",
    "contradicted": "contradicted",
    "two_answers": "two answers",
    "range": "range",
    "no_answer": "no answer",
    "refusal": "refusal",
    "truncated": "truncated",
    "not_a_number": "not a number",
    "error": "request failed",
    "unparsed": "unparsed verdict",
}

TASK_TITLES = {
    "finqa": "FinQA",
    "finqa_resampled": "FinQA resampled",
    "convfinqa": "ConvFinQA",
    "convfinqa_resampled": "ConvFinQA resampled",
    "ant_finance": "Ant_Finance",
    "tfns": "TFNS",
    "finance_instruct": "Finance-Instruct",
}


def task_title(name: str) -> str:
    """The name of a benchmark as papers write it; the paper protocol's variants share it.

    >>> task_title("finqa_paper"), task_title("house_quiz")
    ('FinQA', 'house_quiz')
    """
    return TASK_TITLES.get(name.removesuffix("_paper"), name)


def reason_words(reason: str) -> str:
    """A reason code as a sentence part; an unknown code with its underscores opened."""
    return REASON_WORDS.get(reason) or readable(reason)


def short_reason(reason: str) -> str:
    """A reason code in one to three words, for legends and lists."""
    return SHORT_REASONS.get(reason) or readable(reason)


def readable(code: str) -> str:
    """A code as words.

    >>> readable("final_cue:boxed")
    'final cue, boxed'
    """
    return code.replace("_", " ").replace(":", ", ").strip()


def signed(value: float | None, digits: int = 1) -> str:
    """A difference with its sign, a real minus, and never "-0.0"; empty when there is none.

    >>> signed(-1.25), signed(0.01), signed(None)
    ('−1.2', '0.0', '')
    """
    if value is None:
        return ""
    text = f"{abs(value):.{digits}f}"
    if float(text) == 0:
        return text
    return ("+" if value > 0 else "−") + text


def number(value: float | None, digits: int = 1) -> str:
    """A number with thousands separators, an en dash when there is none.

    >>> number(1234.56), number(12, 0), number(None)
    ('1,234.6', '12', '–')
    """
    return "–" if value is None else f"{value:,.{digits}f}"


def p_value(p: float) -> str:
    """A p-value with three decimals.

    >>> p_value(0.0004), p_value(0.5)
    ('< 0.001', '0.500')
    """
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def day(stamp: str | None) -> str:
    """The date of an ISO time stamp, empty when it is none.

    >>> day("2026-11-22T10:11:12+00:00"), day("soon")
    ('2026-11-22', '')
    """
    try:
        return datetime.fromisoformat(stamp or "").date().isoformat()
    except ValueError:
        return ""


def inline_json(value: object) -> str:
    """JSON that cannot leave a script element: ASCII only, and no <, > or & even inside strings.

    Escaping only `</` is not enough: `<!--<script>` would swallow the rest of the page.

    >>> inline_json("</script>&")
    '"\\\\u003c/script\\\\u003e\\\\u0026"'
    """
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def packed(value: object) -> str:
    """A value as base64 of gzipped JSON, the same text for the same value (no time stamp inside)."""
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return base64.b64encode(gzip.compress(text.encode("ascii"), compresslevel=6, mtime=0)).decode("ascii")


def template_text(name: str) -> str:
    """A file of pages/templates as text."""
    return files("finbench.pages").joinpath("templates", name).read_text(encoding="utf-8")


def policy(script: str = "", *, sidecars: bool = False) -> str:
    """The content security policy of a page whose only script is `script`; `sidecars`: files beside it load too."""
    sources: list[str] = []
    if script:
        digest = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
        sources.append(f"'sha256-{digest}'")
    if sidecars:
        sources += ["'self'", "file:"]
    scripts = " ".join(sources) or "'none'"
    return (
        f"default-src 'none'; script-src {scripts}; style-src 'unsafe-inline'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


@functools.cache
def environment() -> Environment:
    """The jinja environment of all pages: autoescape on, undefined names are errors."""
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    made = Environment(
        loader=FunctionLoader(template_text),
        autoescape=lambda name: not (name or "").endswith(".md.jinja"),  # noqa: S701  # Markdown has the filter `md`
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters.update(signed=signed, number=number, reason=reason_words, short=short_reason, title_of=task_title)
    made.filters.update(readable=readable, md=markdown_text, p=p_value)
    return made


def render(template: str, **values: Any) -> str:
    """A template filled in, as text that can be written as UTF-8 (lone surrogates of a model's output become '?')."""
    text = environment().get_template(template).render(**values)
    return text.encode("utf-8", "replace").decode("utf-8")


def markdown_text(value: object) -> str:
    """Text for a Markdown page or table cell: one line, and nothing in it is markup or HTML.

    >>> markdown_text("a|b <img>\\n*c*")
    'a\\\\|b &lt;img&gt; \\\\*c\\\\*'
    """
    text = " ".join(str(value).split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_\[\]|#~!])", r"\\\1", text)
