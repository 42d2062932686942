"""Templates: sandboxed, bounded, compiled once; and lm-eval really renders with our environment."""

from __future__ import annotations

import time

import pytest
from jinja2 import UndefinedError

from finbench.tasks import templates
from finbench.tasks.templates import TemplateError


def render(template: str, **fields: object) -> str:
    return templates.environment().from_string(template).render(**fields)


def test_lm_eval_still_renders_through_the_name_that_we_replace():
    """The contract with lm-eval: `apply_template` looks `utils.env` up when it is called."""
    from lm_eval import utils

    templates.install()
    assert utils.apply_template("{{ a }}!", {"a": "x"}) == "x!"
    with pytest.raises(TemplateError, match="unsafe"):
        utils.apply_template("{{ ''.__class__.__mro__[1].__subclasses__() }}", {})


def test_lm_eval_tasks_render_through_apply_template():
    """Every lm-eval module that renders does so through `utils.apply_template`, none builds an environment."""
    from pathlib import Path

    import lm_eval

    builders = [
        path.name
        for folder in ("api", "config", "filters")
        for path in (Path(lm_eval.__file__).parent / folder).glob("*.py")
        if "Environment(" in path.read_text(encoding="utf-8") or "Template(" in path.read_text(encoding="utf-8")
    ]
    assert builders == []


HOSTILE = [
    "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "{{ ''.__class__.__base__.__subclasses__() }}",
    "{{ lipsum.__globals__ }}",
    "{{ (1).__class__ }}",
    "{{ '%s' | attr('__class__') }}",
    "{{ fields.update({'a': 1}) }}",
    "{{ rows.append(1) }}",
    "{{ '{0.__class__}'.format(1) }}",
    "{{ 'A' * 300000000 }}",
    "{{ [0] * 300000000 }}",
    "{{ 10 ** 10000000 }}",
    "{% for i in range(100000) %}{{ 'A' * 99999 }}{% endfor %}",
    "{% for i in range(10000000000) %}x{% endfor %}",
    "{% include '/etc/passwd' %}",
    "{% import 'os' as os %}{{ os }}",
]


@pytest.mark.parametrize("template", HOSTILE)
def test_a_hostile_template_is_stopped(template):
    began = time.monotonic()
    with pytest.raises((TemplateError, OverflowError, TypeError)):
        render(template, fields={"b": 2}, rows=[1])
    assert time.monotonic() - began < 20


def test_a_missing_field_is_an_error_and_never_an_empty_text():
    with pytest.raises(UndefinedError):
        render("{{ nothing }}")


def test_a_field_that_looks_like_a_template_is_not_rendered_again():
    assert render("{{ question }}", question="{{ 7 * 7 }}") == "{{ 7 * 7 }}"


def test_a_template_is_compiled_once():
    env = templates.environment()
    assert env.from_string("{{ a }} once") is env.from_string("{{ a }} once")


def test_the_filter_of_lm_eval_is_there_and_the_line_end_of_a_template_is_kept():
    assert render("{{ 'a1b' | regex_replace('[0-9]', '') }}\n") == "ab\n"
