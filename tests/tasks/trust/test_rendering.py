"""The process beside: what it is handed, what comes back, and that it is started again."""

from __future__ import annotations

import datetime

import numpy
import pytest

from finbench.tasks.templates import TemplateError
from finbench.tasks.trust import rendering


@pytest.fixture
def worker():
    made = rendering.Worker()
    yield made
    made.close()


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (datetime.date(2024, 2, 29), "2024-02-29"),
        (numpy.float64(1.5), "1.5"),
        (numpy.array([1, 2]), "[1, 2]"),
        ((1, 2), "[1, 2]"),
        ({"a": None}, "{'a': None}"),
        (10**400, None),
    ],
)
def test_values_that_json_lacks_come_as_a_template_would_show_them(worker, value, shown):
    assert worker.render("{{ x }}", {"x": value}) == (shown or str(value))


def test_a_number_of_too_many_digits_is_refused_in_words(worker):
    with pytest.raises(TemplateError, match="cannot be handed to a template"):
        worker.render("{{ x }}", {"x": 10**5000})


def test_a_process_that_is_gone_is_started_again(worker):
    assert worker.render("{{ 1 }}", {}) == "1"
    worker._process.kill()
    worker._process.wait()
    with pytest.raises(rendering.SecurityError):
        worker.render("{{ 2 }}", {})
    assert worker.render("{{ 3 }}", {}) == "3"


def test_closing_twice_is_harmless(worker):
    worker.render("{{ 1 }}", {})
    worker.close()
    worker.close()
    assert worker.render("{{ 1 }}", {}) == "1"
