"""A stranger's templates against the limits on time and memory. A process that works without end would end the test too, so
each case runs in a child with a deadline of its own, which the limits stay far below."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from finbench.tasks import load, templates
from finbench.tasks.templates import SecurityError, TemplateError
from finbench.tasks.trust import rendering

TASK = """\
task: evil
custom_dataset: !function finbench.lm_eval.rows
dataset_kwargs: {{file: rows.jsonl, columns: {{question: q, answer: a}}, answer: {{kind: number}}}}
output_type: generate_until
test_split: test
num_fewshot: 0
fewshot_config: {{sampler: first_n, samples: []}}
doc_to_text: {text}
doc_to_target: {target}
process_results: !function finbench.lm_eval.number
metric_list: [{{metric: acc, aggregation: mean, higher_is_better: true}}]
generation_kwargs: {{until: [], max_gen_toks: 2048}}
"""
CHAIN = "{% set a = 'x' ~ 'y' %}" + "{% set a = a ~ a %}" * 60 + "{{ a | length }}"
HOSTILE = {
    "nested loops": "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
    "a chain of ~": CHAIN,
    "a regular expression": "{{ ('a' * 40 ~ 'b') | regex_replace('(a+)+$', '') }}",
    "batch": "{{ [1] | batch(99999999, 0) | list | length }}",
    "slice": "{% for part in [1] | slice(99999999) %}{% endfor %}",
    "a list of lists": "{% for i in range(99999) %}{% set b = range(99999) | list %}{% endfor %}",
    "sums": "{{ range(99999) | map('string') | map('upper') | list | string | wordwrap(1) | list | sort | length }}"
    * 50,
}
MEASURED = """\
import json, resource, sys
from finbench import cli
code = cli.main(["tasks", "check", sys.argv[1]])
print(json.dumps({"code": code, "children": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024}))
"""


def folder(path: Path, text: str, target: str = "gold") -> Path:
    path.mkdir(exist_ok=True)
    (path / "evil.yaml").write_text(TASK.format(text=json.dumps(text), target=json.dumps(target)))
    (path / "rows.jsonl").write_text('{"q": "1 plus 1?", "a": "2"}\n' * 3)
    return path


@pytest.mark.parametrize("way", HOSTILE)
def test_a_template_that_works_without_end_is_ended(way):
    with pytest.raises(SecurityError, match=r"takes more than|writes a"):
        rendering.Confined(HOSTILE[way]).render(a=1)


@pytest.mark.parametrize("way", ["nested loops", "slice"])
def test_the_check_of_a_task_with_such_a_template_ends_and_names_it(tmp_path, way):
    place = folder(tmp_path / "evil", HOSTILE[way])
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, str(place)], capture_output=True, text=True, timeout=60, check=True
    )
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["code"] == 1 and "task evil: " in done.stdout and "takes more than" in done.stdout
    assert said["children"] < 500  # MB


def test_after_a_template_has_broken_a_limit_others_are_rendered_and_it_is_refused_at_once():
    confined = rendering.Confined(HOSTILE["nested loops"])
    with pytest.raises(SecurityError, match="more than 1 s"):
        confined.render(a=1)
    assert rendering.Confined("{{ a }}!").render(a=1) == "1!"
    with pytest.raises(SecurityError, match="more than 1 s"):
        confined.render(a=2)


@pytest.mark.parametrize(
    ("source", "fields", "text"),
    [
        ("{{ a }}", {"a": "\ud800 \x00 \u2028"}, "\ud800 \x00 \u2028"),
        ("{{ a | length }}", {"a": "x" * 3_000_000}, "3000000"),
        ("{{ a['b'][0] }} {{ c }}", {"a": {"b": [1.5]}, "c": None}, "1.5 None"),
        ("{{ a }}", {"a": float("nan")}, "nan"),
        ("{{ q | regex_replace('[0-9]+', 'n') }}\n", {"q": "1 and 22"}, "n and n\n"),
    ],
)
def test_a_confined_template_gives_what_it_gives_in_process(source, fields, text):
    assert (
        rendering.Confined(source).render(**fields)
        == text
        == templates.environment().from_string(source).render(**fields)
    )


@pytest.mark.parametrize("source", ["{{ b }}", "{% bad %}", "{{ ''.__class__ }}", "{{" + "(" * 9999, "{{ 1 / 0 }}"])
def test_a_confined_template_that_fails_says_so(source):
    with pytest.raises(TemplateError):
        rendering.Confined(source).render(a=1)


def test_a_text_that_lm_eval_would_parse_as_a_list_is_bounded():
    with pytest.raises(SecurityError, match="list of more than"):
        rendering.Confined("{{ range(99999) | list }}").render()


def test_the_process_beside_has_no_keys(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary")
    worker = rendering.Worker()
    try:
        assert worker.render("{{ a }}", {"a": 1}) == "1"
        assert worker._process is not None
        assert b"canary" not in Path(f"/proc/{worker._process.pid}/environ").read_bytes()
    finally:
        worker.close()


def test_templates_of_ours_stay_in_this_process_and_others_do_not(tmp_path, monkeypatch):
    asked: list[str] = []
    monkeypatch.setattr(rendering.Worker, "render", lambda self, source, fields: asked.append(source) or "2")
    (tfns,) = load.load(["tfns"], data="sample").tasks
    list(tfns.documents(limit=1))
    assert asked == []
    (tmp_path / "theirs").mkdir()
    (evil,) = load.load(["evil"], include=[folder(tmp_path / "theirs", "{{ question }}?")], builtins=False).tasks
    assert asked and set(asked) == {"{{ question }}?"} and len(evil) == 3


def test_a_strangers_override_of_a_template_of_ours_is_rendered_beside(tmp_path, monkeypatch):
    asked: list[str] = []
    monkeypatch.setattr(rendering.Worker, "render", lambda self, source, fields: asked.append(source) or "x")
    (tmp_path / "g.yaml").write_text("group: g\ntask:\n  - {task: tfns, doc_to_text: '{{ question }} evil'}\n")
    load.load(["g"], include=[tmp_path], data="sample")
    assert asked and set(asked) == {"{{ question }} evil"}
