#!/usr/bin/env bash
# Everything that has to be green, in the order that finds mistakes soonest. Run by `make test`, which prepares the environment VENV.
set -euo pipefail
cd "$(dirname "$0")"
BIN="${VENV:-.venv}/bin"
export PATH="$BIN:$PATH"
WORK="$(mktemp -d)"
TYPES=""
trap '[ -z "$TYPES" ] || kill "$TYPES" 2>/dev/null || true; rm -rf "$WORK"' EXIT
part() { printf '\n== %s (%s s)\n' "$1" "$SECONDS"; }

part "lint"
ruff check .
ruff format --check .

# each of these needs one core
part "types, and beside them the import contract and the docs"
mypy > "$WORK/types" 2>&1 &
TYPES=$!
lint-imports
sphinx-build -q -W --keep-going -b html docs "$WORK/docs"
wait "$TYPES" && CODE=0 || CODE=$?
TYPES=""
cat "$WORK/types"
[ "$CODE" = 0 ]

# worksteal: each process begins with one half in a row, so that what a file's tests share is made once
part "tests, with the compiled kernels where a compiler is there"
OMP_NUM_THREADS=1 python -m pytest -q -n 2 --dist worksteal -m "slow or not slow" --durations=15

part "the everyday tests of what computes, in a wheel built without a compiler"
rm -rf build/lib* build/bdist*  # what an earlier build left would be packed too
CXX=no-such-compiler CC=no-such-compiler python -m pip --disable-pip-version-check wheel --quiet --no-deps --no-build-isolation --wheel-dir "$WORK/wheel" .
mkdir "$WORK/plain"
python -m zipfile -e "$WORK"/wheel/gatewise-*.whl "$WORK/plain"
# all of the package's files are in the wheel, its templates and headers too, and no kernel is
(cd src && find gatewise -type f ! -name '*.so' ! -name '*.pyc' | sort) > "$WORK/sources"
(cd "$WORK/plain" && find gatewise -type f | sort) > "$WORK/packed"
diff "$WORK/sources" "$WORK/packed"
cp -r tests pyproject.toml docs README.md CHANGELOG.md LICENSE Makefile benchmarks "$WORK/plain/"
# Layers, and what trains, reads and streams with them. Left out is what no kernel is part of (statistics, suites, data,
# reports, documentation) and what reads the layers' results alone (comparison, export): both ran above.
ABOVE="--ignore=tests/statistics --ignore=tests/suites --ignore=tests/data --ignore=tests/reports --ignore=tests/documentation"
ABOVE="$ABOVE --ignore=tests/comparison --ignore=tests/export"
(cd "$WORK/plain" && OMP_NUM_THREADS=1 PYTHONPATH="$WORK/plain" python -m pytest -q -n 2 --dist worksteal tests $ABOVE)

part "all green"
