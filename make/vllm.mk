# The engines for real, on the CPU: vLLM in process and served, transformers, Ray. About 4 GB and ten minutes.
VLLM_VENV ?= .venv-vllm
VLLM_STAMP := $(VLLM_VENV)/.installed
VLLM_PYTEST := $(VLLM_VENV)/bin/python -m pytest -o addopts="" -q --strict-markers

.PHONY: test-vllm bench-vllm

$(VLLM_STAMP): scripts/setup_vllm_cpu.sh pyproject.toml
	PYTHON=$(PYTHON) scripts/setup_vllm_cpu.sh $(VLLM_VENV)
	@touch $@

# One process per file: each holds one engine, and a process that ends gives all of it back.
test-vllm: $(VLLM_STAMP)
	@status=0; for file in tests/vllm/test_*.py; do echo "== $$file"; $(VLLM_PYTEST) $$file || status=1; done; exit $$status

bench-vllm: $(VLLM_STAMP)
	$(VLLM_VENV)/bin/python benchmarks/vllm.py
