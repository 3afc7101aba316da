# Two commands do everything on a machine with Python 3.11+ and pip (a C++ compiler makes it faster, none is needed):
#   make demo   own environment, install, compare RNN, LSTM and GRU on 25,000 real film reviews
#   make test   own environment, install, whole test suite, lint, types, import contract, docs
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
CONSTRAINTS = constraints.txt
# --no-compile: Python compiles what is imported when it is, and keeps it; to compile all 17,000 files takes a minute.
PIP = $(BIN)/python -m pip --disable-pip-version-check install --quiet --no-compile --constraint $(CONSTRAINTS)
# Otherwise every process would compile all that it imports anew.
unexport PYTHONDONTWRITEBYTECODE
# Sources whose change asks for a new install, because they are compiled.
NATIVE = $(wildcard src/gatewise/kernels/*/*.cpp src/gatewise/kernels/*/*.h)

.PHONY: help demo test quick clean

help:
	@sed -n 's/^#   //p' Makefile

$(VENV)/ready:
	@$(PYTHON) -c 'import sys; sys.exit("Gatewise needs Python 3.11 or newer, this is %s; name another with: make PYTHON=python3.12" % sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	@echo "== creating the environment $(VENV)"
	$(PYTHON) -m venv $(VENV)
	@touch $@

# The kernels need the standard library alone: they are compiled while PyTorch is unpacked, and the installation after it takes what lies ready.
define install
	@mkdir -p build; $(1) PYTHONPATH=src $(PYTHON) -m gatewise.kernels.building build/kernel-objects > build/kernels.log 2>&1 & \
	    $(PIP) torch==2.13.0 && { wait; $(1) $(PIP) --editable "$(2)"; }
	@sed -nE 's/^fused kernels( not built)?: /== &/p' build/kernels.log
	@touch $@
endef

$(VENV)/installed-demo: $(VENV)/ready pyproject.toml setup.py $(CONSTRAINTS) $(NATIVE)
	@echo "== installing Gatewise (PyTorch is the large part)"
	$(call install,GATEWISE_VARIANTS=fastest,.[samples])

$(VENV)/installed-dev: $(VENV)/ready pyproject.toml setup.py $(CONSTRAINTS) $(NATIVE)
	@echo "== installing Gatewise and what its checks need"
	$(call install,GATEWISE_VARIANTS=all,.[dev])

demo: $(VENV)/installed-demo
	$(BIN)/gatewise compare imdb --seeds 3 --jobs 2 --out demo

test: $(VENV)/installed-dev
	VENV="$(abspath $(VENV))" bash checks.sh

quick: $(VENV)/installed-dev
	$(BIN)/python -m pytest -q -n 2 --dist worksteal

clean:
	rm -rf build dist demo docs/_build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find src -name '*.so' -delete
