# Everything here works on a bare Python 3.11+ with make: each target builds what it needs.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
ALL_STAMP := $(VENV)/.installed-all

.PHONY: run test check bench example sbom clean help

help:
	@echo "make run    install, run the built-in baseline on the sample rows, print the table, write the leaderboard"
	@echo "make test   install the test extras and run all tests"
	@echo "make check  ruff and mypy"
	@echo "make bench  the benchmarks that need no GPU"
	@echo "make sbom   a CycloneDX list of what is installed, and its licences, in dist/"
	@echo "make test-vllm  the engines for real: vLLM on the CPU, transformers, Ray (several GB, 10 minutes)"

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

# Nothing is installed but what locks/ names, file by file, by its hash (scripts/lock.sh writes them).
PIP_LOCKED := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes
PIP_SELF := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation

$(STAMP): pyproject.toml locks/run.txt | $(VENV)/bin/python
	$(PIP_LOCKED) -r locks/run.txt
	$(PIP_SELF) -e .
	@touch $@

$(ALL_STAMP): $(STAMP) locks/all.txt
	$(PIP_LOCKED) -r locks/all.txt
	@touch $@

run: $(STAMP)
	$(BIN)/finbench run --model baseline/heuristic --data sample
	$(BIN)/finbench leaderboard build -o reports/leaderboard.html

test: $(ALL_STAMP)
	$(BIN)/python -m pytest

check: $(ALL_STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(ALL_STAMP)
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

# What is installed, for those who must know: a CycloneDX list of components and the licences of each.
sbom: $(STAMP)
	$(PYTHON) -m venv .venv-sbom
	.venv-sbom/bin/python -m pip install --quiet --disable-pip-version-check cyclonedx-bom==7.5.0 pip-licenses==5.5.5
	mkdir -p dist
	.venv-sbom/bin/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible -o dist/finbench.cdx.json $(BIN)/python
	.venv-sbom/bin/pip-licenses --python $(BIN)/python --format markdown --with-urls --order license --output-file dist/LICENCES.md
	@echo "dist/finbench.cdx.json and dist/LICENCES.md"

clean:
	rm -rf $(VENV) .venv-sbom build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

include make/vllm.mk
