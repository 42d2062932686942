# Everything here works on a bare Python 3.11+ with make: each target builds what it needs.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
TEST_STAMP := $(VENV)/.installed-test
CHECK_STAMP := $(VENV)/.installed-check

.PHONY: run test check bench example clean help

help:
	@echo "make run    install, run the built-in baseline on the sample rows, print the table, write the leaderboard"
	@echo "make test   install the test extras and run all tests"
	@echo "make check  ruff and mypy"
	@echo "make bench  the benchmarks that need no GPU"
	@echo "make test-vllm  the engines for real: vLLM on the CPU, transformers, Ray (several GB, 10 minutes)"

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(STAMP): pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(TEST_STAMP): $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[test]"
	@touch $@

$(CHECK_STAMP): $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	@touch $@

run: $(STAMP)
	$(BIN)/finbench run --model baseline/heuristic --data sample
	$(BIN)/finbench leaderboard build -o reports/leaderboard.html

test: $(TEST_STAMP)
	$(BIN)/python -m pytest

check: $(CHECK_STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(TEST_STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[test,bench]"
	$(BIN)/python benchmarks/grading.py
	$(BIN)/python benchmarks/overhead.py --samples 200 2000 --peers finbench,bare,lm-eval
	$(BIN)/python benchmarks/resume.py --large 2000 20000

# The committed example: three built-in models on the sample rows.
example: $(STAMP)
	rm -rf reports/example
	for name in heuristic majority oracle; do \
	  $(BIN)/finbench run --model baseline/$$name --data sample --quiet --no-report --output reports/example/$$name >/dev/null || exit 1; \
	done
	$(BIN)/finbench leaderboard build reports/example -o leaderboards/index.html

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

include make/vllm.mk
