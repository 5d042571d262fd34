# make check: the main job. make test: the tests. Each makes its own virtual environment first.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

.PHONY: check test nightly cluster bench bench-cluster lint types format clean

check: $(VENV)/.run
	$(BIN)/model-check

test: $(VENV)/.test
	$(BIN)/python -m pytest -n 2 --dist worksteal

# The suites that take minutes, besides the others.
nightly: $(VENV)/.test
	$(BIN)/python -m pytest -n 2 -m "slow or not slow"

# Three servers of the reference implementation on this machine, until Ctrl-C; it prints how to talk to them.
CLUSTER ?= cluster
cluster: $(VENV)/.server
	$(BIN)/python -m refimpl cluster $(CLUSTER)

# How fast the explicit engine is; beside TLC (RAFTPROOF_TLC_JAR=/path/to/tla2tools.jar) and Spin where they are.
bench: $(VENV)/.run
	$(BIN)/python bench/explicit.py

# Writes/s and latency of three local servers, beside etcd (RAFTPROOF_ETCD=/path/to/etcd, or on the PATH) and plain fsyncs.
bench-cluster: $(VENV)/.server
	$(BIN)/python bench/cluster.py

lint: $(VENV)/.dev
	$(BIN)/ruff check .

types: $(VENV)/.dev
	$(BIN)/mypy

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or later is needed; name it with: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[native]"
	@touch $@

$(VENV)/.server: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[server]"
	@touch $@

$(VENV)/.test: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[test]"
	@touch $@ $(VENV)/.run

$(VENV)/.dev: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[test,dev]"
	@touch $@ $(VENV)/.run $(VENV)/.test

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
