#!/usr/bin/env bash
# Everything that has to be green, in the order that finds mistakes soonest. Run by `make test`, which prepares the environment VENV.
set -euo pipefail
cd "$(dirname "$0")"
BIN="${VENV:-.venv}/bin"
export PATH="$BIN:$PATH"
WORK="$(mktemp -d)"
trap 'rm -rf "$WORK"' EXIT
part() { printf '\n== %s (%s s)\n' "$1" "$SECONDS"; }

part "lint"
ruff check .
ruff format --check .

part "types"
mypy

part "import contract"
lint-imports

part "tests, with the compiled kernels where a compiler is there"
OMP_NUM_THREADS=1 python -m pytest -q -n 2 -m "slow or not slow" --durations=15

part "docs"
sphinx-build -q -W --keep-going -b html docs "$WORK/docs"

part "the everyday tests of a wheel built without a compiler"
CXX=no-such-compiler CC=no-such-compiler python -m pip --disable-pip-version-check wheel --quiet --no-deps --no-build-isolation --wheel-dir "$WORK/wheel" .
mkdir "$WORK/plain"
python -m zipfile -e "$WORK"/wheel/gatewise-*.whl "$WORK/plain"
cp -r tests pyproject.toml docs README.md CHANGELOG.md LICENSE Makefile benchmarks "$WORK/plain/"
WITHOUT_KERNELS="--ignore=tests/statistics --ignore=tests/suites --ignore=tests/data --ignore=tests/export/test_graph.py"
(cd "$WORK/plain" && OMP_NUM_THREADS=1 PYTHONPATH="$WORK/plain" GATEWISE_EXPECT_COMPILED=0 python -m pytest -q -n 2 tests $WITHOUT_KERNELS)
# WITHOUT_KERNELS: what no kernel is part of; it ran above

part "all green"
