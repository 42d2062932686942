#!/usr/bin/env bash
# Writes locks/run.txt and locks/all.txt: every package that `make` installs, with the hashes of all its files on the index.
#
#     scripts/lock.sh            # needs uv; pins come from constraints.txt, requirements from pyproject.toml
set -euo pipefail
cd "$(dirname "$0")/.."
uv=${UV:-uv}

build=$(mktemp)
trap 'rm -f "$build"' EXIT
printf 'hatchling\neditables\nsetuptools\n' > "$build"  # what builds finbench and the source packages among its dependencies

compile() { # OUTPUT EXTRA...
  local output=$1 extras=()
  shift
  for extra in "$@"; do extras+=(--extra "$extra"); done
  "$uv" pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-emit-index-url --no-annotate --no-header \
    ${extras[@]+"${extras[@]}"} --constraint constraints.txt pyproject.toml "$build" --output-file "$output"
}

compile locks/run.txt
compile locks/all.txt test dev bench
